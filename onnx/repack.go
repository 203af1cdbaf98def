package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/internal/manifest"
)

// Packing says in which form an ONNX file is given out.
type Packing struct {
	// Manifest is put into the file's metadata under manifest.Key, replacing one that is there; nil: nothing is changed.
	Manifest []byte
	// Data is the name of a second file for the graph's large tensors, as PyTorch writes abn.onnx.data beside abn.onnx; "": they
	// stay in the model's file.
	Data string
}

// Packed is a file in another form. Both readers read the original file and share its position, so that only one may be read at a
// time.
type Packed struct {
	Model *Pieces // the ONNX file
	Data  *Pieces // the second file; empty if there is none
	// Paths are the absolute paths that were left out (source_paths.go), each once, a few of them.
	Paths []string
}

// Tensors of more bytes than the first go into the second file, as in PyTorch. Tensors of at least the second size begin at an
// offset at which a runtime can map them into memory.
const (
	besideBytes  = 256
	alignedBytes = 1 << 20
	alignment    = 64 << 10
)

// maxMetadata bounds the texts that are read; a manifest is the longest.
const maxMetadata = manifest.MaxBytes + 1024

// Repack gives an ONNX file that has all its values inside another form: with a manifest, without paths of the machine it was
// made on, with its large tensors in a second file. Only texts are read into memory; weights are read from the original file when
// Packed is read. Everything else stays the same, byte for byte. A file that is no ONNX model is an error.
func Repack(file io.ReadSeeker, p Packing) (*Packed, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	r := &repacker{Packing: p, messages: modelMessages(), file: ahead{file: file, size: size}, out: &Packed{Data: &Pieces{file: file}}}
	pieces, _, err := r.message(r.model, span{0, size}, 0)
	if err != nil {
		return nil, fmt.Errorf("reading a model to hand it out: %w", err)
	}
	if p.Manifest != nil && !r.carries {
		entry := protowire.AppendBytes(protowire.AppendTag(nil, fieldModelMetadataProps, protowire.BytesType), metadataEntry(manifest.Key, string(p.Manifest)))
		pieces = appendPiece(pieces, piece{text: entry})
	}
	r.out.Model = newPieces(file, pieces)
	r.out.Data = newPieces(file, r.data)
	return r.out, nil
}

// message says which fields of a protobuf message are texts, entries of metadata, or messages with such fields.
type message struct {
	doc, metadata protowire.Number // 0: it has none
	children      map[protowire.Number]*message
}

// messages are the message types of a model that have texts in them; they are nested in each other.
type messages struct{ model, graph, tensor *message }

// modelMessages says which fields of a model are texts. Numbers without a name in fields.go are fields that Read keeps in
// Unknown.
func modelMessages() messages {
	const graphMetadata, attributeDoc, functionMetadata, tensorMetadata, valueMetadata = 16, 13, 14, 16, 4
	tensor := &message{doc: fieldTensorDocString, metadata: tensorMetadata}
	value := &message{doc: fieldValueDocString, metadata: valueMetadata}
	sparse := &message{children: map[protowire.Number]*message{fieldSparseValues: tensor, fieldSparseIndices: tensor}}
	graph := &message{doc: fieldGraphDocString, metadata: graphMetadata}
	attribute := &message{doc: attributeDoc, children: map[protowire.Number]*message{
		fieldAttributeT: tensor, fieldAttributeG: graph, fieldAttributeTensors: tensor, fieldAttributeGraphs: graph,
		fieldAttributeSparseTensor: sparse, fieldAttributeSparseTensors: sparse}}
	node := &message{fieldNodeDocString, fieldNodeMetadata, map[protowire.Number]*message{fieldNodeAttribute: attribute}}
	graph.children = map[protowire.Number]*message{
		fieldGraphNode: node, fieldGraphInitializer: tensor, fieldGraphInput: value, fieldGraphOutput: value, fieldGraphValueInfo: value, fieldGraphSparseInitializer: sparse}
	function := &message{fieldFunctionDocString, functionMetadata, map[protowire.Number]*message{
		fieldFunctionNode: node, fieldFunctionAttributeProto: attribute, fieldFunctionValueInfo: value}}
	training := &message{children: map[protowire.Number]*message{fieldTrainingInitialization: graph, fieldTrainingAlgorithm: graph}}
	model := &message{fieldModelDocString, fieldModelMetadataProps, map[protowire.Number]*message{
		fieldModelGraph: graph, fieldModelTrainingInfo: training, fieldModelFunctions: function}}
	return messages{model, graph, tensor}
}

// repacker walks over a file.
type repacker struct {
	Packing
	messages
	file    ahead
	out     *Packed
	data    []piece // what goes beside
	beside  int64   // its bytes
	carries bool    // the manifest stands in the file already
}

var errCut = fmt.Errorf("%w: a field reaches beyond its message", ErrMalformed)

// wireSpan is a field of a message and where it lies.
type wireSpan struct {
	number protowire.Number
	kind   protowire.Type
	whole  span // with its tag
	value  span // of protowire.BytesType alone
}

// field is the one that begins at a place of a message.
func (r *repacker) field(at, end int64) (wireSpan, error) {
	start, err := r.file.read(at, min(20, end-at)) // a tag and a length
	if err != nil {
		return wireSpan{}, err
	}
	number, kind, n := protowire.ConsumeTag(start)
	if n < 0 {
		return wireSpan{}, fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
	}
	f := wireSpan{number: number, kind: kind, whole: span{at, at + int64(n)}}
	if kind != protowire.BytesType {
		size := protowire.ConsumeFieldValue(number, kind, start[n:])
		if size < 0 {
			return f, fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(size))
		}
		f.whole.end += int64(size)
		return f, nil
	}
	length, m := protowire.ConsumeVarint(start[n:])
	if m < 0 {
		return f, fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(m))
	}
	f.value.at = f.whole.end + int64(m)
	if length > uint64(end-f.value.at) {
		return f, errCut
	}
	f.value.end = f.value.at + int64(length)
	f.whole.end = f.value.end
	return f, nil
}

// maxPackedDepth bounds how deep messages stand in one another: of a graph in an attribute there are three a level.
const maxPackedDepth = 4 * maxDepth

// message returns a message's fields in the new form; changed says whether they differ from the file.
func (r *repacker) message(m *message, of span, depth int) (out []piece, changed bool, err error) {
	if depth > maxPackedDepth {
		return nil, false, fmt.Errorf("%w: messages in one another beyond %d", ErrLimit, maxPackedDepth)
	}
	for at := of.at; at < of.end; {
		f, err := r.field(at, of.end)
		if err != nil {
			return nil, false, err
		}
		at = f.whole.end
		if f.kind != protowire.BytesType {
			out = appendPiece(out, piece{span: f.whole})
			continue
		}
		var value []piece
		other, gone := false, false
		switch child := m.children[f.number]; {
		case child == r.tensor && m == r.graph && depth == 1 && r.Data != "":
			if value, other, err = r.initializer(f.value); err == nil && !other {
				value, other, err = r.message(child, f.value, depth+1)
			}
		case child != nil:
			value, other, err = r.message(child, f.value, depth+1)
		case (f.number == m.doc || f.number == m.metadata) && f.value.size() <= maxMetadata:
			var text []byte
			if text, err = r.file.read(f.value.at, f.value.size()); err != nil {
				break
			}
			var kept []byte
			if f.number == m.doc {
				kept = []byte(r.free(string(text)))
				other = !bytes.Equal(kept, text)
			} else {
				kept, other, gone = r.entry(text, m == r.model)
			}
			value = []piece{{text: kept}}
		}
		switch {
		case err != nil:
			return nil, false, err
		case gone:
			changed = true
		case !other:
			out = appendPiece(out, piece{span: f.whole})
		default:
			changed = true
			head := protowire.AppendVarint(protowire.AppendTag(nil, f.number, protowire.BytesType), uint64(bytesOf(value)))
			out = appendPiece(out, piece{text: head})
			for _, p := range value {
				out = appendPiece(out, p)
			}
		}
	}
	return out, changed, nil
}

// entry returns an entry of metadata in the new form.
func (r *repacker) entry(entry []byte, ofModel bool) (kept []byte, other, gone bool) {
	key, value := entryOf(entry)
	if ofModel && key == manifest.Key {
		if r.carries || r.Manifest != nil && value != string(r.Manifest) { // two of one key are no valid model
			return nil, true, true
		}
		r.carries = true
		return entry, false, false
	}
	if tellsSource(key) {
		r.free(value)
		return nil, true, true
	}
	if freed := r.free(value); freed != value {
		return metadataEntry(key, freed), true, false
	}
	return entry, false, false
}

func metadataEntry(key, value string) []byte {
	entry := protowire.AppendString(protowire.AppendTag(nil, fieldEntryKey, protowire.BytesType), key)
	return protowire.AppendString(protowire.AppendTag(entry, fieldEntryValue, protowire.BytesType), value)
}

// free removes absolute paths from a text, and notes them.
func (r *repacker) free(text string) string {
	freed, paths := withoutPaths(text)
	for _, path := range paths {
		if len(r.out.Paths) < maxListed && !slices.Contains(r.out.Paths, path) {
			r.out.Paths = append(r.out.Paths, path)
		}
	}
	return freed
}

// initializer moves a large tensor's values to the second file; moved says whether it did.
func (r *repacker) initializer(of span) (out []piece, moved bool, err error) {
	var values *span
	for at := of.at; at < of.end; {
		f, err := r.field(at, of.end)
		if err != nil {
			return nil, false, err
		}
		at = f.whole.end
		switch {
		case f.number == fieldTensorRawData && f.kind == protowire.BytesType && values == nil:
			values = &f.value
		case f.number == fieldTensorRawData, f.number == fieldTensorExternalData:
			return nil, false, nil // in pieces, or elsewhere already
		case f.number == fieldTensorDataLocation:
		case (f.number == r.tensor.doc || f.number == r.tensor.metadata) && f.kind == protowire.BytesType && f.value.size() <= maxMetadata:
			field, _, err := r.message(r.tensor, f.whole, maxPackedDepth)
			if err != nil {
				return nil, false, err
			}
			for _, p := range field {
				out = appendPiece(out, p)
			}
		default:
			out = appendPiece(out, piece{span: f.whole})
		}
	}
	if values == nil || values.size() <= besideBytes {
		return nil, false, nil
	}
	if gap := -r.beside & (alignment - 1); values.size() >= alignedBytes && gap > 0 {
		r.data = append(r.data, piece{text: make([]byte, gap)})
		r.beside += gap
	}
	var tail []byte
	for _, e := range [][2]string{{"location", r.Data}, {"offset", strconv.FormatInt(r.beside, 10)}, {"length", strconv.FormatInt(values.size(), 10)}} {
		tail = protowire.AppendBytes(protowire.AppendTag(tail, fieldTensorExternalData, protowire.BytesType), metadataEntry(e[0], e[1]))
	}
	tail = protowire.AppendVarint(protowire.AppendTag(tail, fieldTensorDataLocation, protowire.VarintType), 1) // EXTERNAL
	r.data = append(r.data, piece{span: *values})
	r.beside += values.size()
	return appendPiece(out, piece{text: tail}), true, nil
}

// ahead reads a file with a buffer, for many small reads one after the other.
type ahead struct {
	file io.ReadSeeker
	size int64
	at   int64 // of held
	held []byte
}

const aheadBytes = 64 << 10

// read returns size bytes at a place of the file; they are valid until the next call.
func (w *ahead) read(at, size int64) ([]byte, error) {
	if at < 0 || size < 0 || size > w.size-at {
		return nil, errCut
	}
	if at < w.at || at+size > w.at+int64(len(w.held)) {
		if _, err := w.file.Seek(at, io.SeekStart); err != nil {
			return nil, err
		}
		w.at, w.held = at, make([]byte, min(max(size, aheadBytes), w.size-at))
		if _, err := io.ReadFull(w.file, w.held); err != nil {
			w.held = nil
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errCut
			}
			return nil, err
		}
	}
	return w.held[at-w.at:][:size], nil
}
