package samples

import (
	"context"
	"errors"
	"image"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/trainer/sample"
)

// maskSuffixes are those of masks, in the order in which they are tried: of several files of a name, the PNG is the mask, also where
// masks lie beside pictures.
var maskSuffixes = append([]string{".png"}, picture.Completions()...)

// findMask looks for an image's mask: a picture of the image's path below the data set's root, of that
// path without its first folders, or of its file name alone. "" if there is none.
func findMask(dir, name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	for {
		for _, suffix := range maskSuffixes {
			for _, spelt := range []string{stem, text.NFD(stem)} { // a Mac's archives have decomposed names
				file := filepath.Join(dir, filepath.FromSlash(spelt+suffix))
				if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
					return file
				}
			}
		}
		_, rest, more := strings.Cut(stem, "/")
		if !more {
			return ""
		}
		stem = rest
	}
}

// Masked is a picture with the mask that the view names, if the view names masks.
func (v View) Masked(s dataset.Sample) dataset.Sample {
	if v.Masks != "" {
		s.Mask, s.Parts, s.Marks = findMask(v.Masks, s.Name), nil, nil
	}
	return s
}

// PixelMask is the mask of a sample's object on height × width pixels of the network's input, each in [0,1]; a zero map where there is
// none. The file is read anew, since the masks of all images on pixels would not fit into memory. The data set must still be open.
func (t *Set) PixelMask(ctx context.Context, s sample.Sample, height, width int) (attention.Map, error) {
	picture, v := t.pictures[s.ID], t.view
	if !t.data.HasMask(picture) {
		return attention.Map{}, nil
	}
	v.Height, v.Width = height, width
	return maskOnGrid(ctx, v, t.data, picture)
}

// maskOnGrid reads an object's mask, takes the part of it that the network sees of the picture, and averages that over the cells of
// the map's grid. A mask without an object is no map.
func maskOnGrid(ctx context.Context, v View, set *dataset.Dataset, s dataset.Sample) (m attention.Map, err error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return m, err
	}
	header, err := picture.Process().Header(f)
	f.Close()
	if err != nil {
		return m, nil // a broken picture: reported when it is decoded
	}
	err = set.ObjectMask(ctx, s, func(grey *image.Gray) error {
		mask, region := v.Preprocessor.ViewOfMask(grey, header)
		m = attention.FromMask(mask, region, v.Height, v.Width)
		return nil
	})
	if errors.Is(err, dataset.ErrNoObject) {
		return attention.Map{}, nil
	}
	return m, err
}
