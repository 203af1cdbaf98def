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

// A legend that is not understood, or not all of it, is noted with its file and line, and with the refusal of the masks beside it.
func TestLegendsThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	black, cat := color.NRGBA{0, 0, 0, 255}, color.NRGBA{64, 128, 64, 255}
	for name, c := range map[string]struct {
		file, content string
		says          string // "": nothing
	}{
		"words":           {"label_colors.txt", "# colours\n\nKatze => gruen\nHund => rot\n", `line 3 of label_colors.txt names no class with its colour ("Katze => gruen", and 1 line more): want lines such as "cat 128 0 0": the masks are read without it`},
		"a line of all":   {"masks/labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:64,128,64::\ndog:red::\n", `line 4 of labelmap.txt names no class with its colour ("dog:red::"): want lines such as "cat 128 0 0"`},
		"one colour":      {"class_dict.csv", "name,r,g,b\ncat,64,128,64\n", "class_dict.csv names fewer than two colours"},
		"broken JSON":     {"palette.json", "{\"cat\": [64, 128, 64],\n\"dog\": [0 0 1]}", "line 2 of palette.json is not JSON"},
		"JSON of another": {"palette.json", `{"cat": "green"}`, "palette.json names fewer than two colours"},
		"understood":      {"label_colors.txt", "// colours\nname r g b\nground 0 0 0\ncat 64 128 64\n", ""},
		"colours by hex":  {"label_colors.txt", "#000000 ground\n#408040, cat\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, map[string]string{"a.png": "", "masks/x.txt": "x", c.file: c.content, "images.csv": "file,class,mask\na.png,pets,masks/a.png\n"})
			stripes(t, filepath.Join(dir, "masks/a.png"), black, cat)
			d := open(t, dataset.Auto, dir)
			if c.says != "" && !says(d, c.says) {
				t.Errorf("no note says %q: %v", c.says, d.Notes)
			}
			if c.says == "" && (says(d, "names no class") || says(d, "fewer than")) {
				t.Errorf("a legend that is understood: %v", d.Notes)
			}
		})
	}
	dir := tree(t, map[string]string{"a.png": "", "masks/x.txt": "x", "label_colors.txt": "cat: green\n", "images.csv": "file,class,mask\na.png,pets,masks/a.png\n"})
	stripes(t, filepath.Join(dir, "masks/a.png"), color.NRGBA{1, 2, 3, 255}, cat)
	if _, err := dataset.Open(dataset.Auto, dir); !errors.Is(err, dataset.ErrMask) || !strings.Contains(err.Error(), "line 1 of label_colors.txt") {
		t.Errorf("masks that only a legend explains: %v", err)
	}
}
