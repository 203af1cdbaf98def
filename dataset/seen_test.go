package dataset_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/picture/picturetest"
)

// writePicture writes a grey picture as PNG with an EXIF orientation, or as JPEG.
func writePicture(t *testing.T, file string, width, height, orientation int, value func(x, y int) uint8) {
	t.Helper()
	writeGrey(t, file, width, height, value)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if orientation > 1 {
		data = picturetest.PNGChunk(data, "eXIf", []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"+string(byte(orientation))+"\x00\x00\x00\x00\x00\x00"))
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// drawn is a mask as "#" and ".".
func drawn(mask *image.Gray) string {
	var lines []string
	for y := range mask.Rect.Dy() {
		line := bytes.Repeat([]byte("."), mask.Rect.Dx())
		for x := range line {
			if mask.GrayAt(x, y).Y >= 128 {
				line[x] = '#'
			}
		}
		lines = append(lines, string(line))
	}
	return strings.Join(lines, " ")
}

// A mask lies over the picture as it is stored, whether it was made on that or on the picture as its orientation shows it. What else does
// not fit is said.
func TestMasksAndTheirPictures(t *testing.T) {
	t.Parallel()
	corner := func(x, y int) uint8 { return map[bool]uint8{true: 255}[x < 2 && y < 1] } // the left upper corner
	for name, c := range map[string]struct {
		width, height, orientation int // of the picture
		maskWidth, maskHeight      int
		mask                       func(x, y int) uint8
		want, says                 string
	}{
		"as stored":         {4, 2, 1, 4, 2, corner, "##.. ....", ""},
		"as it is stored":   {4, 2, 6, 4, 2, corner, "##.. ....", ""},
		"as it is shown, 6": {4, 2, 6, 2, 4, corner, "#... #...", "is turned"},       // shown clockwise: its upper edge is the left one as stored
		"as it is shown, 8": {4, 2, 8, 2, 4, corner, "...# ...#", "is turned"},       // and counterclockwise the right one
		"not to be told":    {4, 2, 3, 4, 2, corner, "##.. ....", "as it is stored"}, // upside down
		"of another size":   {8, 4, 1, 4, 2, corner, "##.. ....", ""},                // laid over it
		"of another shape":  {40, 2, 1, 4, 2, corner, "##.. ....", "is stretched over it (4×2 over 40×2)"},
		"empty":             {4, 2, 1, 4, 2, func(int, int) uint8 { return 0 }, "", "shows no object"},
		"all":               {4, 2, 1, 4, 2, func(int, int) uint8 { return 255 }, "#### ####", "covers all of the picture"},
		"black is the object": {9, 9, 1, 9, 9, func(x, y int) uint8 { return map[bool]uint8{false: 255}[x > 2 && x < 6 && y > 2 && y < 6] },
			strings.Repeat("######### ", 3) + strings.Repeat("###...### ", 3) + strings.TrimSpace(strings.Repeat("######### ", 3)), "--mask-object 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, map[string]string{"images/a/x.txt": "x", "masks/a/x.txt": "x"})
			writePicture(t, filepath.Join(root, "images/a/1.png"), c.width, c.height, c.orientation, func(x, y int) uint8 { return uint8(x * y) })
			writePicture(t, filepath.Join(root, "masks/a/1.png"), c.maskWidth, c.maskHeight, 1, c.mask)
			d := open(t, dataset.Auto, root)
			got := ""
			err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error { got = drawn(mask); return nil })
			if c.want == "" && !errors.Is(err, dataset.ErrNoObject) || c.want != "" && err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			notes := d.MasksSeen().Notes
			if said := slices.ContainsFunc(notes, func(p dataset.Problem) bool { return strings.Contains(p.Reason, c.says) }); said != (len(notes) > 0) || c.says != "" && !said {
				t.Errorf("it says %v; want %q", notes, c.says)
			}
		})
	}
}

// Annotations that were made on a picture of another size, or on the picture as it is shown, lie where they were made.
func TestAnnotationsOfAnotherSize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		orientation int
		size        string // as the file says it
		shape       string
		want, says  string
	}{
		"the same":        {1, `"width":4,"height":2`, `"bbox":[0,0,2,1]`, "##.. ....", ""},
		"not said":        {1, ``, `"bbox":[0,0,2,1]`, "##.. ....", ""},
		"twice the size":  {1, `"width":8,"height":4`, `"bbox":[0,0,4,2]`, "##.. ....", "(8×4, it has 4×2)"},
		"polygons":        {1, `"width":8,"height":4`, `"segmentation":[[0,0,4,0,4,2,0,2]]`, "##.. ....", "are scaled"},
		"runs":            {1, ``, `"segmentation":{"size":[4,8],"counts":[0,2,2,2,2,2,2,2,18]}`, "##.. ....", "are scaled"},
		"as it is shown":  {6, `"width":2,"height":4`, `"bbox":[0,0,2,1]`, "#... #...", "is turned"},
		"as it is stored": {6, `"width":4,"height":2`, `"bbox":[0,0,2,1]`, "##.. ....", ""},
		"outside":         {1, ``, `"bbox":[9,9,2,1]`, "", "shows no object"},
		"over the edge":   {1, ``, `"bbox":[-5,-5,7,6]`, "##.. ....", ""},
		"reversed":        {1, ``, `"bbox":[2,1,-2,-1]`, "no mask", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := c.size
			if size != "" {
				size = "," + size
			}
			root := tree(t, map[string]string{"instances_train.json": fmt.Sprintf(`{"images":[{"id":1,"file_name":"1.png"%s}],"categories":[{"id":1,"name":"a"}],"annotations":[{"image_id":1,"category_id":1,%s}]}`, size, c.shape)})
			writePicture(t, filepath.Join(root, "1.png"), 4, 2, c.orientation, func(x, y int) uint8 { return uint8(x * y) })
			d := open(t, dataset.Auto, root)
			got := ""
			if !d.HasMask(d.Sample(0)) {
				got = "no mask"
			} else if err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error { got = drawn(mask); return nil }); err != nil && !errors.Is(err, dataset.ErrNoObject) {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			notes := fmt.Sprint(d.MasksSeen().Notes)
			if c.says == "" && notes != "[]" || !strings.Contains(notes, c.says) {
				t.Errorf("it says %s; want %q", notes, c.says)
			}
			if name == "reversed" && !says(d, "without width or height") {
				t.Error(d.Notes)
			}
		})
	}
}

// What the noise of JPEG leaves of black and white is black and white; indices without 0 and a cut-out photograph are told.
func TestValuesOfMasks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, pixels image.Image) string {
		file := filepath.Join(dir, name)
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if strings.HasSuffix(name, ".jpg") {
			err = jpeg.Encode(out, pixels, &jpeg.Options{Quality: 40})
		} else {
			err = png.Encode(out, pixels)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	noisy, cut, trimap := image.NewGray(image.Rect(0, 0, 64, 64)), image.NewNRGBA(image.Rect(0, 0, 64, 64)), image.NewGray(image.Rect(0, 0, 64, 64))
	inside := func(x, y int) bool { return (x-30)*(x-30)+(y-33)*(y-33) < 400 }
	for y := range 64 {
		for x := range 64 {
			trimap.SetGray(x, y, color.Gray{Y: 2})
			if inside(x, y) {
				noisy.SetGray(x, y, color.Gray{Y: 255})
				trimap.SetGray(x, y, color.Gray{Y: 1})
				cut.SetNRGBA(x, y, color.NRGBA{uint8(4 * x), uint8(4 * y), uint8(x ^ y), 255})
			}
		}
	}
	cut.SetNRGBA(30, 33, color.NRGBA{0, 0, 0, 255}) // a black pixel of the object
	for name, pixels := range map[string]image.Image{"noisy.jpg": noisy, "cut.png": cut} {
		err := dataset.Mask(t.Context(), write(name, pixels), nil, func(mask *image.Gray) error {
			wrong := 0
			for y := range 64 {
				for x := range 64 {
					if v := mask.GrayAt(x, y).Y; v != 0 && v != 255 || (v == 255) != inside(x, y) {
						wrong++
					}
				}
			}
			if wrong > 20 || name == "cut.png" && wrong > 0 {
				t.Errorf("%s: %d pixels are wrong", name, wrong)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	file := write("trimap.png", trimap)
	if err := dataset.Mask(t.Context(), file, nil, func(*image.Gray) error { return nil }); !errors.Is(err, dataset.ErrMask) || !strings.Contains(err.Error(), "--mask-object 1") {
		t.Errorf("indices without 0: %v", err)
	}
	rule, err := dataset.ParseMaskRule("1")
	if err == nil {
		err = dataset.Mask(t.Context(), file, rule, func(mask *image.Gray) error {
			if mask.GrayAt(30, 33).Y != 255 || mask.GrayAt(0, 0).Y != 0 {
				t.Error("the object is not what was said")
			}
			return nil
		})
	}
	if err != nil {
		t.Error(err)
	}
}
