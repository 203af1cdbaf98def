package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/onnx"
)

// packed is what --json prints about an ONNX file that was written.
type packed struct {
	Out       string   `json:"out"`
	Bytes     int64    `json:"bytes"`
	Data      string   `json:"data,omitempty"` // the file beside it
	DataBytes int64    `json:"data_bytes,omitempty"`
	Manifest  bool     `json:"manifest"`   // is inside
	LeftOut   []string `json:"paths_left"` // absolute paths that were left out, the first few
}

// writeONNX writes the network in the form in which a version is downloaded.
func (c *modelExportCommand) writeONNX(ctx context.Context, streams *stdio) error {
	switch ext := strings.ToLower(filepath.Ext(c.Out)); {
	case ext == ".safetensors" || ext == ".npz":
		return fmt.Errorf("--out %s: add --state-dict, which makes the weights for PyTorch of a network", c.Out)
	case ext != ".onnx":
		return fmt.Errorf("--out %s ends in %q: give a name that ends in .onnx, or --state-dict and one in .safetensors or .npz", c.Out, ext)
	case c.Reference != "" || c.Parent != "" || c.Copies:
		return errors.New("--reference, --parent and --copies are for --state-dict")
	}
	done := packed{Out: c.Out, LeftOut: []string{}}
	written := []namedFile{{"--out", c.Out}}
	if c.ExternalData {
		done.Data = c.Out + ".data"
		written = append(written, namedFile{"the data of --out", done.Data})
	}
	if err := refuseOverwriting(written, wholeModel("the network", c.File)); err != nil {
		return err
	}
	model, err := onnx.ReadFile(ctx, c.File)
	if err != nil {
		return err
	}
	packing := onnx.Packing{}
	switch m, err := manifest.ReadFile(manifestPath(c.File)); {
	case err == nil:
		if packing.Manifest, err = json.Marshal(m); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if done.Data != "" {
		packing.Data = filepath.Base(done.Data)
	}
	file, err := wholeFile(c.File, model)
	if err != nil {
		return err
	}
	defer file.Close()
	out, err := onnx.Repack(file, packing)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if done.Data != "" {
		if done.DataBytes, err = writeAll(done.Data, out.Data); err != nil {
			return err
		}
	}
	if done.Bytes, err = writeAll(c.Out, out.Model); err != nil {
		return err
	}
	_, inside := model.MetadataValue(manifest.Key)
	done.Manifest = inside || packing.Manifest != nil
	done.LeftOut = append(done.LeftOut, out.Paths...)
	if c.JSON {
		return printJSON(streams.Out, done)
	}
	done.print(streams.Out)
	return nil
}

// wholeFile returns a model as one file: the file itself or, if it keeps data in others, a new one.
func wholeFile(path string, model *onnx.Model) (io.ReadSeekCloser, error) {
	if len(model.Sources()) == 0 {
		return os.Open(path)
	}
	data, err := model.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(data), io.NopCloser(nil)}, nil
}

// writeAll writes a file, whole or not at all.
func writeAll(path string, from io.Reader) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	err = durable.Write(path, func(w io.Writer) error {
		n, err = io.Copy(w, from)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", path, err)
	}
	return n, nil
}

func (p packed) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d bytes", p.Out, p.Bytes)
	if p.Data != "" {
		fmt.Fprintf(w, ", and %d in %s: keep both in one folder", p.DataBytes, p.Data)
	}
	fmt.Fprintln(w)
	if p.Manifest {
		fmt.Fprintln(w, "its manifest is inside")
	}
	if len(p.LeftOut) > 0 {
		fmt.Fprintf(w, "left out: paths of the machine that it was made on, such as %s\n", shorten(p.LeftOut[0], 100))
	}
}
