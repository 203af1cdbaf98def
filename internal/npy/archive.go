package npy

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxArrays is how many arrays an archive may hold: more than any network has tensors.
const maxArrays = 1 << 16

// ReadArchive reads all arrays of an .npz, in the archive's order. Together they may take limit bytes.
func ReadArchive(path string, limit int64) ([]Array, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	arrays, err := DecodeArchive(file, info.Size(), limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return arrays, nil
}

// DecodeArchive is ReadArchive for an archive of size bytes that is open.
func DecodeArchive(r io.ReaderAt, size, limit int64) ([]Array, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not an .npz archive: %w", err)
	}
	if len(archive.File) > maxArrays {
		return nil, fmt.Errorf("%d arrays, at most %d are read", len(archive.File), maxArrays)
	}
	var arrays []Array
	seen := map[string]bool{}
	for _, entry := range archive.File {
		name, ok := strings.CutSuffix(entry.Name, ".npy")
		if !ok {
			continue
		}
		if seen[name] {
			return nil, fmt.Errorf("two arrays are called %q", name)
		}
		seen[name] = true
		content, err := entry.Open()
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", name, err)
		}
		a, err := Read(content, limit)
		content.Close()
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", name, err)
		}
		limit -= int64(len(a.Data))
		a.Name = name
		arrays = append(arrays, a)
	}
	return arrays, nil
}

// WriteArchive writes arrays as numpy.savez does: not compressed, by name.
func WriteArchive(w io.Writer, arrays []Array) error {
	archive := zip.NewWriter(w)
	for _, a := range arrays {
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := Write(entry, a); err != nil {
			return err
		}
	}
	return archive.Close()
}
