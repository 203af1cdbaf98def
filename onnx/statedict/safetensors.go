package statedict

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// The safetensors format (huggingface.co/docs/safetensors): eight bytes with the length of a header, a JSON object that gives each
// tensor's type, shape and place, then the tensors' bytes, without gaps.

// maxHeader is the longest header that the format's own reader takes.
const maxHeader = 100_000_000

var safeTypes = map[onnx.DataType]string{
	onnx.Float: "F32", onnx.Double: "F64", onnx.Float16: "F16", onnx.BFloat16: "BF16", onnx.Bool: "BOOL",
	onnx.Int64: "I64", onnx.Int32: "I32", onnx.Int16: "I16", onnx.Int8: "I8", onnx.Uint8: "U8", onnx.Uint16: "U16",
}

// entry is a tensor in the header.
type entry struct {
	Type    string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

const headerMetadata = "__metadata__"

func readSafetensors(path string) (Dict, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return decodeSafetensors(file, info.Size())
}

// decodeSafetensors reads a file of size bytes. Tensors come in the order of the header.
func decodeSafetensors(r io.Reader, size int64) (Dict, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, errors.New("it ends in its first eight bytes")
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("its header would have %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, errors.New("it ends in its header")
	}
	names, entries, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	body := size - 8 - int64(n)
	if body > maxDict {
		return nil, fmt.Errorf("%d bytes of tensors, at most %d are read", body, int64(maxDict))
	}
	var end int64
	order := slices.Clone(names)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(entries[a].Offsets[0], entries[b].Offsets[0]) })
	tensors := map[string]*onnx.Tensor{}
	for _, name := range order {
		e := entries[name]
		t := &onnx.Tensor{Name: name, Dims: e.Shape}
		for kind, code := range safeTypes {
			if code == e.Type {
				t.Type = kind
			}
		}
		if t.Type == 0 {
			return nil, fmt.Errorf("tensor %q: elements of type %q", name, e.Type)
		}
		elements, err := t.Elements()
		if err != nil {
			return nil, err
		}
		if e.Offsets[0] != end || e.Offsets[1] != end+elements*int64(t.Type.Size()) || e.Offsets[1] > body {
			return nil, fmt.Errorf("tensor %q: bytes %d to %d for %d elements of %v, of %d bytes; the tensor before it ends at %d", name, e.Offsets[0], e.Offsets[1], elements, t.Type, body, end)
		}
		end = e.Offsets[1]
		tensors[name] = t
	}
	if end != body {
		return nil, fmt.Errorf("its tensors end at byte %d of %d", end, body)
	}
	for _, name := range order {
		t := tensors[name]
		t.Raw = make([]byte, entries[name].Offsets[1]-entries[name].Offsets[0])
		if _, err := io.ReadFull(r, t.Raw); err != nil {
			return nil, fmt.Errorf("it ends in tensor %q", name)
		}
	}
	d := make(Dict, len(names))
	for i, name := range names {
		d[i] = tensors[name]
	}
	return d, nil
}

// parseHeader keeps the order of the tensors, which a map would lose.
func parseHeader(header []byte) (names []string, entries map[string]entry, err error) {
	decoder := json.NewDecoder(bytes.NewReader(header))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, nil, errors.New("no JSON object")
	}
	entries = map[string]entry{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := key.(string)
		if name == headerMetadata {
			var ignored map[string]string
			if err := decoder.Decode(&ignored); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", headerMetadata, err)
			}
			continue
		}
		var e entry
		if err := decoder.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if _, twice := entries[name]; twice {
			return nil, nil, fmt.Errorf("two tensors are called %q", name)
		}
		entries[name] = e
		names = append(names, name)
	}
	_, err = decoder.Token()
	return names, entries, err
}

// WriteSafetensors writes the tensors in their order, as safetensors.torch.load_file reads them.
func (d Dict) WriteSafetensors(w io.Writer) error {
	var header bytes.Buffer
	header.WriteString(`{"` + headerMetadata + `":{"format":"pt"}`)
	var end int64
	for _, t := range d {
		code := safeTypes[t.Type]
		if code == "" {
			return fmt.Errorf("tensor %q: safetensors has no %v", t.Name, t.Type)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return err
		}
		e, err := json.Marshal(entry{code, append([]int64{}, t.Dims...), [2]int64{end, end + int64(len(t.Raw))}})
		if err != nil {
			return err
		}
		end += int64(len(t.Raw))
		fmt.Fprintf(&header, ",%s:%s", name, e)
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // so that the tensors' bytes are aligned
		header.WriteByte(' ')
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))); err != nil {
		return err
	}
	if _, err := w.Write(header.Bytes()); err != nil {
		return err
	}
	for _, t := range d {
		if _, err := w.Write(t.Raw); err != nil {
			return err
		}
	}
	return nil
}
