package dataset

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"slices"

	"github.com/abn-studio/studio/internal/npy"
)

// maxMaskArray bounds the bytes of a mask that is an array of numpy's.
const maxMaskArray = 256 << 20

// isArray reports whether a file's name is that of numpy's arrays.
func isArray(name string) bool { return slices.Contains([]string{".npy", ".npz"}, suffix(name)) }

// readArray reads a mask that numpy wrote: an array of shape (h,w), or with axes of length 1 beside these, as .npy or as the only array of
// an .npz. Booleans and whole numbers from 0 to 65535 are values of grey, as those of a PNG are; fractions from 0 to 1 are shades.
func readArray(file string) (image.Image, error) {
	var a npy.Array
	if suffix(file) == ".npz" {
		all, err := npy.ReadArchive(file, maxMaskArray)
		if err != nil {
			return nil, err
		}
		if len(all) != 1 {
			return nil, fmt.Errorf("it holds %d arrays, want one mask a file", len(all))
		}
		a = all[0]
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if a, err = npy.Read(f, maxMaskArray); err != nil {
			return nil, err
		}
	}
	height, width, ok := plane(a.Shape)
	if !ok || height < 1 || width < 1 {
		return nil, fmt.Errorf("an array of shape %v, want (h, w)", a.Shape)
	}
	header := npy.Header{Kind: a.Kind, Size: a.Size, Order: binary.LittleEndian}
	value := func(i int) float64 { return header.Value(a.Data[i*a.Size : (i+1)*a.Size]) }
	most, whole := 0.0, true
	for i := range height * width {
		v := value(i)
		if !(v >= 0 && v <= math.MaxUint16) {
			return nil, fmt.Errorf("row %d, column %d is %g: want 0 to 65535", i/width, i%width, v)
		}
		most, whole = max(most, v), whole && v == math.Trunc(v)
	}
	if !whole && most > 1 {
		return nil, fmt.Errorf("fractions up to %g: want whole numbers, or fractions from 0 to 1", most)
	}
	if most > 255 {
		out := image.NewGray16(image.Rect(0, 0, width, height))
		for i := range height * width {
			binary.BigEndian.PutUint16(out.Pix[2*i:], uint16(value(i)))
		}
		return out, nil
	}
	scale := 1.0
	if !whole {
		scale = 255
	}
	out := image.NewGray(image.Rect(0, 0, width, height))
	for i := range out.Pix {
		out.Pix[i] = uint8(math.Round(scale * value(i)))
	}
	return out, nil
}
