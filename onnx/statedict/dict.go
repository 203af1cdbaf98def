package statedict

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/onnx"
)

// Dict is a state_dict: tensors in the order of their file, each with its own name.
type Dict []*onnx.Tensor

// Get is the tensor of a name; nil if there is none.
func (d Dict) Get(name string) *onnx.Tensor {
	for _, t := range d {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// maxDict is how many bytes of tensors are read.
const maxDict = 16 << 30

// ErrFormat says that a file is no state_dict that can be read here.
var ErrFormat = errors.New("no state_dict")

// ReadFile reads a .safetensors or .npz file.
func ReadFile(path string) (Dict, error) { return ReadAs(path, path) }

// ReadAs is ReadFile for a file that came under a name and lies elsewhere.
func ReadAs(name, path string) (Dict, error) {
	var d Dict
	var err error
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".safetensors":
		d, err = readSafetensors(path)
	case ".npz":
		d, err = readNumpy(path)
	case ".pt", ".pth", ".bin", ".ckpt":
		return nil, fmt.Errorf("%w: %s is pickled, and can hold programs: save it as safetensors.torch.save_file(model.state_dict(), \"original.safetensors\")", ErrFormat, name)
	default:
		return nil, fmt.Errorf("%w: %s ends in %q: want .safetensors or .npz", ErrFormat, name, ext)
	}
	if info, statErr := os.Stat(path); statErr == nil && info.Size() == 0 {
		err = errors.New("it is empty")
	}
	if err == nil && len(d) == 0 {
		err = errors.New("it holds no tensors")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, name, err)
	}
	return d, nil
}

// Writable refuses a file name that WriteFile has no format for.
func Writable(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".safetensors", ".npz":
		return nil
	default:
		return fmt.Errorf("%s ends in %q: give a name that ends in .safetensors or .npz", path, ext)
	}
}

// Write writes the tensors in a format, "safetensors" or "npz".
func (d Dict) Write(w io.Writer, format string) error {
	switch format {
	case "safetensors":
		return d.WriteSafetensors(w)
	case "npz":
		return d.writeNumpy(w)
	default:
		return fmt.Errorf("a state_dict is not written as %q: want safetensors or npz", format)
	}
}

// WriteFile writes a .safetensors or .npz file, whole or not at all.
func (d Dict) WriteFile(path string) (err error) {
	if err := Writable(path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := durable.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Cleanup() }() // removes a file that was not finished
	if err := d.Write(f, strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Finish()
}
