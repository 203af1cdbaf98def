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

// Files yields n pictures for inference.Scan; an image's ID is its index i.
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

// Scan yields the pictures of list, samples of the set, for inference.Scan; an image's ID is its index in list.
func (t *Set) Scan(list []sample.Sample) iter.Seq2[inference.ScanImage, error] {
	return Files(len(list), func(i int) File { return File{Name: list[i].Name, Path: t.paths[list[i].ID]} })
}
