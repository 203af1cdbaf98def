package onnx

import (
	ziparchive "archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// otherFileError says what a file is that is no ONNX file, and what to do about it.
type otherFileError string

func (f otherFileError) Error() string { return string(f) }
func (f otherFileError) Unwrap() error { return ErrMalformed }

// IsOtherFile reports whether an error tells what a file is that is no ONNX file, and what to do.
func IsOtherFile(err error) bool {
	var other otherFileError
	return errors.As(err, &other)
}

// exportCall is how a file for the studio is made.
const exportCall = `model.eval(); torch.onnx.export(model, (torch.randn(1, 3, 224, 224),), "abn.onnx", dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))`

const exportIt = "export it from the module that it belongs to: " + exportCall

// otherFile says what other file this is, by how it begins; "" where it may be an ONNX file.
func otherFile(data []byte) string {
	begins := func(with ...string) bool {
		return slices.ContainsFunc(with, func(w string) bool { return bytes.HasPrefix(data, []byte(w)) })
	}
	named := func(at int, name string) bool {
		return len(data) >= at+len(name) && string(data[at:at+len(name)]) == name
	}
	text := strings.ToLower(string(bytes.TrimLeft(data[:min(len(data), 512)], "\ufeff \t\r\n")))
	switch {
	case len(data) == 0:
		return "an empty file: what wrote it did not finish. Export or download it again"
	case begins("PK\x03\x04"):
		return zipFile(data)
	case begins("\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"):
		return "a PyTorch checkpoint (.pt, .pth), weights without a graph: " + exportIt
	case len(data) > 9 && binary.LittleEndian.Uint64(data) < uint64(len(data)) && data[8] == '{':
		return "a safetensors file, weights without a graph: " + exportIt
	case begins("\x89HDF\r\n\x1a\n"):
		return "an HDF5 file, as Keras writes: convert the model with tf2onnx, channels first (--inputs-as-nchw)"
	case begins("version https://git-lfs"):
		return "a Git LFS pointer, which stands in a repository for the file itself: git lfs pull fetches that"
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "a web page (HTML), which is what a download gives that needs a sign-in or whose address is the page about the file: download the file itself (at Hugging Face: /resolve/ in the address, not /blob/)"
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<error"):
		return "an XML text, which is how storage says that it has no such file: download it again"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "a JSON text, such as a manifest or what a server says of an error: give the .onnx file"
	case begins("\x1f\x8b"), begins("BZh"), begins("\xfd7zXZ"), begins("\x28\xb5\x2f\xfd"), begins("7z\xbc\xaf"), begins("Rar!"), named(257, "ustar"):
		return "an archive or a compressed file: unpack the ONNX file from it"
	case named(4, "TFL3"):
		return "a TensorFlow Lite model: convert it with tf2onnx (--tflite), channels first (--inputs-as-nchw)"
	case named(4, "ORTM"):
		return "ONNX Runtime's own format (.ort), which is optimised for one machine: give the .onnx file that it was made from"
	case begins("GGUF"):
		return "a GGUF file, weights without a graph: " + exportIt
	case begins("\x93NUMPY"):
		return "a numpy array (.npy), without a graph: " + exportIt
	case begins("%PDF"):
		return "a PDF: give the network's .onnx file"
	case begins("\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF"):
		return "a picture: give the network's .onnx file"
	}
	return ""
}

// zipFile says what a zip archive is, by the names in it.
func zipFile(data []byte) string {
	var names []string
	if archive, err := ziparchive.NewReader(bytes.NewReader(data), int64(len(data))); err == nil {
		for _, f := range archive.File[:min(len(archive.File), maxListed*1000)] {
			names = append(names, f.Name)
		}
	}
	has := func(is func(name string) bool) bool { return slices.ContainsFunc(names, is) }
	called := func(base string) func(string) bool { return func(name string) bool { return path.Base(name) == base } }
	ends := func(suffix string) func(string) bool {
		return func(name string) bool { return strings.HasSuffix(name, suffix) }
	}
	network := slices.IndexFunc(names, ends(".onnx"))
	switch {
	case network >= 0:
		return fmt.Sprintf("a zip archive that holds %s: unpack it, with what lies beside it, and give that file", cut(names[network]))
	case has(called("archive_format")), has(called("serialized_exported_program.json")):
		return `a program of torch.export (.pt2): torch.onnx.export(torch.export.load("abn.pt2"), f="abn.onnx") makes an ONNX file of it`
	case has(called("constants.pkl")) && has(func(name string) bool { return strings.Contains(name, "/code/") }):
		return "a TorchScript file (torch.jit.save), which is not read: " + exportIt
	case has(called("data.pkl")), bytes.Contains(data[:min(len(data), 1<<12)], []byte("data.pkl")):
		return "a PyTorch checkpoint (.pt, .pth), weights without a graph: " + exportIt
	case has(ends(".npy")):
		return "numpy's arrays (.npz), without a graph: " + exportIt
	case has(ends(".weights.h5")):
		return "a Keras model (.keras): convert it with tf2onnx, channels first (--inputs-as-nchw)"
	}
	return "a zip archive without an ONNX file in it: give the .onnx file, or " + exportIt
}

// brokenFile says what a file is that could not be read as ONNX, "" where nothing better is known than where it failed.
func brokenFile(data []byte) string {
	begin := data[:min(len(data), 1<<12)]
	if len(bytes.Trim(begin, "\x00")) == 0 {
		return "a file that begins with nothing but zeros, as an unfinished download or a full disk leaves it: copy or download it again"
	}
	if s := begin[:min(len(begin), 200)]; utf8.Valid(s) && !bytes.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }) {
		line, _, _ := strings.Cut(strings.TrimSpace(string(s)), "\n")
		return fmt.Sprintf("a text, which begins %q: give the .onnx file", cut(line))
	}
	// A file that is ONNX as far as it goes: fields of a model, the last of which is longer than what is there. One that has no graph and
	// does not begin with its version either is none.
	unknown := fmt.Sprintf("no ONNX file, nor another that is known (it begins % x): give the .onnx file that torch.onnx.export wrote", data[:min(len(data), 8)])
	known := false
	for at, first := 0, true; at < len(data); first = false {
		number, kind, n := protowire.ConsumeTag(data[at:])
		begins := first && number == fieldModelIRVersion && kind == protowire.VarintType
		known = known || begins || number == fieldModelGraph
		if n < 0 || number < 1 || number > 25 || first && !begins {
			if known {
				return ""
			}
			return unknown
		}
		at += n
		if kind == protowire.BytesType {
			if length, n := protowire.ConsumeVarint(data[at:]); n > 0 && length < 1<<40 && length > uint64(len(data)-at-n) {
				return fmt.Sprintf("an ONNX file that is cut off: it has %d bytes, and what begins at byte %d goes on for %d more. Copy or download it again",
					len(data), at, length-uint64(len(data)-at-n))
			}
		}
		if n = protowire.ConsumeFieldValue(number, kind, data[at:]); n < 0 {
			return "" // a file that begins as one does
		}
		at += n
	}
	return ""
}
