package statedict

import (
	"fmt"
	"io"
	"os"

	"github.com/abn-studio/studio/internal/npy"
	"github.com/abn-studio/studio/onnx"
)

// numpyTypes are the element types that numpy has too.
var numpyTypes = map[onnx.DataType]string{
	onnx.Float: "f4", onnx.Double: "f8", onnx.Float16: "f2", onnx.Bool: "b1",
	onnx.Int64: "i8", onnx.Int32: "i4", onnx.Int16: "i2", onnx.Int8: "i1", onnx.Uint8: "u1", onnx.Uint16: "u2",
}

func readNumpy(path string) (Dict, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	arrays, err := npy.DecodeArchive(file, info.Size(), maxDict)
	if err != nil {
		return nil, err
	}
	var d Dict
	for _, a := range arrays {
		t := &onnx.Tensor{Name: a.Name, Dims: make([]int64, len(a.Shape)), Raw: a.Data}
		for i, n := range a.Shape {
			t.Dims[i] = int64(n)
		}
		code := fmt.Sprintf("%c%d", a.Kind, a.Size)
		for kind, c := range numpyTypes {
			if c == code {
				t.Type = kind
			}
		}
		if t.Type == 0 {
			return nil, fmt.Errorf("tensor %q: elements of numpy's type %s", a.Name, code)
		}
		d = append(d, t)
	}
	return d, nil
}

func (d Dict) writeNumpy(w io.Writer) error {
	arrays := make([]npy.Array, len(d))
	for i, t := range d {
		code := numpyTypes[t.Type]
		if code == "" {
			return fmt.Errorf("tensor %q: numpy has no %v: write .safetensors", t.Name, t.Type)
		}
		arrays[i] = npy.Array{Name: t.Name, Kind: code[0], Size: t.Type.Size(), Shape: make([]int, len(t.Dims)), Data: t.Raw}
		for k, n := range t.Dims {
			arrays[i].Shape[k] = int(n)
		}
	}
	return npy.WriteArchive(w, arrays)
}
