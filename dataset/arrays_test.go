package dataset_test

import (
	"bytes"
	"image"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
)

// numpy's arrays are masks as PNGs of the same values are.
func TestMasksOfNumpy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		want    []uint8
		says    string
	}{
		"booleans":        {npy("|b1", "(2, 2)", false, []bool{false, true, false, true}), []uint8{0, 255, 0, 255}, ""},
		"0 and 255":       {npy("|u1", "(1, 2, 2)", false, []uint8{255, 0, 0, 255}), []uint8{255, 0, 0, 255}, ""},
		"long integers":   {npy("<i8", "(2, 2, 1)", false, []int64{0, 1, 1, 0}), []uint8{0, 255, 255, 0}, ""},
		"columns first":   {npy("|u1", "(2, 2)", true, []uint8{0, 1, 0, 0}), []uint8{0, 0, 255, 0}, ""},
		"whole floats":    {npy("<f4", "(2, 2)", false, []float32{0, 1, 0, 1}), []uint8{0, 255, 0, 255}, ""},
		"shades":          {npy("<f8", "(2, 2)", false, []float64{0, 0.2, 0.4, 1}), []uint8{0, 51, 102, 255}, ""},
		"negative":        {npy("<i4", "(1, 2)", false, []int32{0, -1}), nil, "row 0, column 1 is -1"},
		"NaN":             {npy("<f4", "(1, 2)", false, []float32{0, float32(math.NaN())}), nil, "is NaN"},
		"large fractions": {npy("<f4", "(1, 2)", false, []float32{0.5, 7}), nil, "fractions from 0 to 1"},
		"channels":        {npy("|u1", "(2, 2, 3)", false, make([]uint8, 12)), nil, "shape [2 2 3]"},
		"a forged shape":  {npy("<f8", "(99999999, 99999999)", false, []float64{0}), nil, "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, map[string]string{"images/a/1.png": "", "images/b/2.png": "", "masks/a/1.npy": c.content})
			err := dataset.Mask(t.Context(), filepath.Join(root, "masks/a/1.npy"), nil, func(mask *image.Gray) error {
				if !bytes.Equal(mask.Pix, c.want) {
					t.Errorf("read as %v, want %v", mask.Pix, c.want)
				}
				return nil
			})
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
