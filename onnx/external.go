package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// ErrExternal says that a tensor's data stands in another file that cannot or must not be read.
var ErrExternal = errors.New("external data")

// externalData is where a tensor stored outside the model file is kept.
type externalData struct {
	location       string // path relative to the model's folder
	offset, length int64  // length -1: as many bytes as the tensor needs
}

func parseExternal(tensor string, entries []Metadata) (externalData, error) {
	e := externalData{length: -1}
	for _, entry := range entries {
		var err error
		switch entry.Key {
		case "location":
			e.location = entry.Value
		case "offset":
			e.offset, err = strconv.ParseInt(entry.Value, 10, 64)
		case "length":
			e.length, err = strconv.ParseInt(entry.Value, 10, 64)
		}
		if err != nil || e.offset < 0 || e.length < -1 {
			return e, fmt.Errorf("tensor %q: %w: %s is %q", tensor, ErrExternal, entry.Key, entry.Value)
		}
	}
	if e.location == "" {
		return e, fmt.Errorf("tensor %q: %w: no location", tensor, ErrExternal)
	}
	return e, nil
}

// loadFrom reads external data inside a folder. os.Root keeps absolute paths, "..", and symbolic links
// that lead out of the folder from being followed.
func loadFrom(dir string) func(*Tensor, externalData) error {
	return func(t *Tensor, e externalData) (err error) {
		defer func() {
			if err != nil {
				err = fmt.Errorf("tensor %q: %w: %s: %w", t.Name, ErrExternal, e.location, err)
			}
		}()
		elements, err := t.Elements()
		if err != nil {
			return err
		}
		need := elements * int64(t.Type.Size())
		if t.Type.Size() == 0 {
			return fmt.Errorf("elements of %v cannot be kept outside the file", t.Type)
		}
		if e.length >= 0 && e.length != need {
			return fmt.Errorf("%w: %d bytes for %d elements of %v", ErrSize, e.length, elements, t.Type)
		}
		if !filepath.IsLocal(e.location) {
			return errors.New("outside the model's folder; put the data beside the model")
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		file, err := root.Open(e.location)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errors.New("no regular file")
		}
		if e.offset > info.Size() || need > info.Size()-e.offset { // before allocating: a header may ask for anything
			return fmt.Errorf("%w: the file has %d bytes, the tensor needs %d from byte %d", ErrSize, info.Size(), need, e.offset)
		}
		t.Raw = make([]byte, need)
		_, err = io.ReadFull(io.NewSectionReader(file, e.offset, need), t.Raw)
		return err
	}
}
