package dataset_test

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
)

// stripes writes a mask of columns, each in a colour.
func stripes(t *testing.T, file string, colours ...color.NRGBA) {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, len(colours), 2))
	for y := range 2 {
		for x, c := range colours {
			picture.SetNRGBA(x, y, c)
		}
	}
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, picture); err != nil {
		t.Fatal(err)
	}
}

// The legend beside masks says what their colours mean: in the forms in which programs write it, at the root or with the masks.
func TestLegends(t *testing.T) {
	t.Parallel()
	ground, cat, dog := color.NRGBA{10, 20, 30, 255}, color.NRGBA{64, 128, 64, 255}, color.NRGBA{0, 0, 192, 255}
	for name, c := range map[string]struct {
		file, content, class string
		want                 []uint8
		says                 string
	}{
		"CamVid":            {"label_colors.txt", "10 20 30\tVoid\n64 128 64\tCat\n0 0 192\tDog\n", "pets", []uint8{0, 255, 255}, "label_colors.txt, the colours of Cat, Dog"},
		"class_dict":        {"masks/class_dict.csv", "name,r,g,b\nbackground,10,20,30\ncat,64,128,64\ndog,0,0,192\n", "pets", []uint8{0, 255, 255}, "class_dict.csv"},
		"CVAT":              {"labelmap.txt", "# label:color_rgb:parts:actions\nbackground:10,20,30::\ncat:64,128,64::\ndog:0,0,192::\n", "pets", []uint8{0, 255, 255}, "labelmap.txt"},
		"the class's own":   {"labelmap.txt", "# label:color_rgb:parts:actions\nbackground:10,20,30::\ncat:64,128,64::\ndog:0,0,192::\n", "dog", []uint8{0, 0, 255}, "the colours of dog mean"},
		"names to colours":  {"palette.json", `{"background": [10, 20, 30], "cat": [64, 128, 64], "dog": "#0000c0"}`, "pets", []uint8{0, 255, 255}, "palette.json"},
		"colours to names":  {"palette.json", `{"#0a141e": "background", "#408040": "cat", "#0000c0": "dog"}`, "pets", []uint8{0, 255, 255}, "palette.json"},
		"a list of objects": {"masks/colors.json", `{"classes": [{"name": "unlabeled", "color": [10, 20, 30]}, {"name": "cat", "color": "#408040"}, {"name": "dog", "color": [0, 0, 192]}]}`, "pets", []uint8{0, 255, 255}, "colors.json"},
		"numbers first":     {"colormap.txt", "0 background 10 20 30 255\n1 cat 64 128 64 255\n2 dog 0 0 192 255\n", "pets", []uint8{0, 255, 255}, "colormap.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, map[string]string{"a.png": "", "masks/x.txt": "x", c.file: c.content, "images.csv": "file,class,mask\na.png," + c.class + ",masks/a.png\n"})
			stripes(t, filepath.Join(dir, "masks/a.png"), ground, cat, dog)
			d := open(t, dataset.Auto, dir)
			if d.Format != "csv" || d.Len() != 1 {
				t.Fatalf("read as %s: %v", d.Why, d.Samples())
			}
			err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error {
				if !slices.Equal(mask.Pix[:3], c.want) {
					t.Errorf("%v, want %v", mask.Pix[:3], c.want)
				}
				return nil
			})
			if err != nil || !slices.ContainsFunc(d.Notes, func(p dataset.Problem) bool { return strings.Contains(p.Reason, c.says) }) {
				t.Errorf("%v, %v", err, d.Notes)
			}
		})
	}
}

// A legend that is about other colours does not make a mask empty; without a legend a refusal lists the colours and the flag.
func TestMasksOfUnknownColours(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a.png": "", "masks/x.txt": "x", "label_colors.txt": "1 2 3 ground\n4 5 6 cat\n", "images.csv": "file,class,mask\na.png,cat,masks/a.png\n"})
	stripes(t, filepath.Join(dir, "masks/a.png"), color.NRGBA{0, 0, 0, 255}, color.NRGBA{255, 255, 255, 255})
	d := open(t, dataset.Auto, dir)
	if err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error {
		if mask.Pix[0] != 0 || mask.Pix[1] != 255 {
			t.Errorf("%v", mask.Pix)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	stripes(t, filepath.Join(dir, "masks/a.png"), color.NRGBA{0, 0, 200, 255}, color.NRGBA{0, 0, 200, 255}, color.NRGBA{200, 0, 0, 255})
	_, err := dataset.Open(dataset.Auto, dir)
	for _, says := range []string{"#0000c8, #c80000", "--mask-object #c80000", "label_colors.txt"} {
		if !errors.Is(err, dataset.ErrMask) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
