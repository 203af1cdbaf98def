package samples

import (
	"context"
	"io"
	"iter"
	"os"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/trainer/sample"
)

// File is a picture to scan.
type File struct {
	Name string // for messages
	Path string
	Hash string // under which a scan keeps features; "" where it keeps none
}

// Files are pictures for inference.Scan, n of them; an image's ID is its place.
func Files(n int, at func(i int) File) iter.Seq2[inference.ScanImage, error] {
	return func(yield func(inference.ScanImage, error) bool) {
		for i := range n {
			f := at(i)
			open := func(context.Context) (io.ReadSeekCloser, error) { return os.Open(f.Path) }
			if !yield(inference.ScanImage{ID: int64(i), Name: f.Name, Hash: f.Hash, Open: open}, nil) {
				return
			}
		}
	}
}

// Scan are the pictures of some of the set's samples, for inference.Scan; an image's ID is its place in the list.
func (t *Set) Scan(list []sample.Sample) iter.Seq2[inference.ScanImage, error] {
	return Files(len(list), func(i int) File { return File{Name: list[i].Name, Path: t.paths[list[i].ID]} })
}
