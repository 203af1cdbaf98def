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
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tree writes files below a new folder; a name that ends in .png, .PNG, .jpg … with the content "" becomes a small picture.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if content == "" {
			writeGrey(t, file, 4, 4, func(x, y int) uint8 { return uint8(40 * (x + y)) })
			continue
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func writeGrey(t *testing.T, file string, width, height int, value func(x, y int) uint8) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.SetGray(x, y, color.Gray{Y: value(x, y)})
		}
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, format, dir string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(format, dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func names(samples []dataset.Sample) []string {
	var out []string
	for _, s := range samples {
		out = append(out, s.Split+"|"+s.Class+"|"+s.Name)
	}
	return out
}

func reasons(problems []dataset.Problem) map[string]string {
	out := map[string]string{}
	for _, p := range problems {
		out[p.Path] = p.Reason
	}
	return out
}

func TestFolderLayouts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"splits", []string{"val/b/2.png", "train/a/1.PNG", "test/a/3.png", "pool/b/4.png", "train/b/1.png"}, []string{
			"train|a|train/a/1.PNG", "train|b|train/b/1.png", "validation|b|val/b/2.png", "test|a|test/a/3.png", "pool|b|pool/b/4.png",
		}},
		{"classes", []string{"b/2.png", "a/1.png"}, []string{"|a|a/1.png", "|b|b/2.png"}},
		{"a class called train", []string{"train/1.png", "bus/2.png"}, []string{"|bus|bus/2.png", "|train|train/1.png"}},
		{"deeper than its class", []string{"train/a/x/1.png", "train/a/2.png"}, []string{"train|a|train/a/2.png", "train|a|train/a/x/1.png"}},
		{"unlabelled", []string{"1.png", "2.png"}, []string{"||1.png", "||2.png"}},
		{"unicode", []string{"train/Straßentaube 鳩/älter é.png"}, []string{"train|Straßentaube 鳩|train/Straßentaube 鳩/älter é.png"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for _, name := range test.files {
				files[name] = ""
			}
			d := open(t, "folder", tree(t, files))
			if diff := cmp.Diff(test.want, names(d.Samples())); diff != "" {
				t.Error(diff)
			}
			if len(d.Skipped)+len(d.Missing) > 0 {
				t.Errorf("skipped %v, missing %v", d.Skipped, d.Missing)
			}
			if again := open(t, "folder", d.Dir); !cmp.Equal(d, again, cmpopts.IgnoreUnexported(dataset.Dataset{})) {
				t.Error("a second reading differs")
			}
		})
	}
}

// A folder called images is no class, even if its folders are splits and a folder of masks beside it keeps it from being entered.
func TestImagesBesideMasksAreNoClass(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	var want []string
	for _, split := range []string{"train", "test"} {
		for _, class := range []string{"cat", "dog"} {
			name := split + "/" + class + "/1.png"
			files["images/"+name], files["masks/"+name] = "", ""
			want = append(want, split+"|"+class+"|images/"+name)
		}
	}
	for _, format := range []string{"auto", "folder"} {
		d := open(t, format, tree(t, files))
		if diff := cmp.Diff(want, names(d.Samples())); diff != "" {
			t.Error(format, diff)
		}
		for _, s := range d.Samples() {
			if s.Mask != d.Dir+"/"+strings.Replace(s.Name, "images", "masks", 1) {
				t.Errorf("%s: %s has the mask %q", format, s.Name, s.Mask)
			}
		}
	}
}

// A table that gives one file two classes or two splits is refused; a row that only repeats another is a note.
func TestRowsThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	for rows, want := range map[string][]string{
		"1.png,cat,train\n2.png,dog,train\n1.png,dog,train\n": {"line 4", "1.png", "line 2", `"cat"`, `"dog"`},
		"1.png,cat,train\n2.png,dog,train\n1.png,cat,test\n":  {"line 4", "1.png", "line 2", `"train"`, `"test"`},
		"1.png,cat,train\n2.png,dog,train\n1.png,cat,train\n": nil,
	} {
		d, err := dataset.Open("csv", tree(t, map[string]string{"1.png": "", "2.png": "", "images.csv": "file,class,split\n" + rows}))
		if want == nil {
			if err != nil || d.Len() != 2 || reasons(d.Skipped)["1.png"] == "" {
				t.Errorf("a repeated row: %v", err)
			}
			continue
		}
		if !errors.Is(err, dataset.ErrLayout) {
			t.Fatalf("%q: %v", rows, err)
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %s", err, part)
			}
		}
	}
}

// BMP and TIFF files are read as JPEG files are. A file that holds several pictures is read as one, with a note.
func TestEveryFormatIsRead(t *testing.T) {
	t.Parallel()
	content := map[string]string{}
	for _, name := range []string{"24-bits.bmp", "animated.webp", "lzw.tif", "pages.tif", "arithmetic.jpg", "animated.png"} {
		data, err := os.ReadFile(filepath.Join("../internal/picture/testdata/pictures", name))
		if err != nil {
			t.Fatal(err)
		}
		content["train/a/"+name] = string(data)
	}
	d := open(t, "folder", tree(t, content))
	if d.Len() != len(content) || len(d.Skipped) > 0 {
		t.Errorf("%d of %d are read, skipped %v", d.Len(), len(content), d.Skipped)
	}
	want := []dataset.Problem{{Path: "train/a/animated.png", Reason: "it holds several pictures (an animation, pages): the first is used (3 such, this is the first)"}}
	if diff := cmp.Diff(want, d.Notes); diff != "" {
		t.Error(diff)
	}
}

func TestFolderPassesOverWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"train/a/1.png":           "",
		"train/a/.hidden.png":     "",
		"train/a/Thumbs.db":       "x",
		"train/__MACOSX/._1.png":  "x",
		"train/a/notes.txt":       "hello",
		"train/a/fake.jpg":        "a text file",
		"train/a/scan.tiff":       "II*",
		"train/a/phone.heic":      "....ftypheic",
		"train/a/page.gif":        "GIF89a",
		"train/stray.png":         "",
		"train/empty class/x.txt": "x",
		"extra/b/1.png":           "",
		"README.md":               "about",
	})
	if err := os.WriteFile(filepath.Join(root, "train/a/empty.png"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "train/a/1.png"), filepath.Join(root, "train/a/link.png")); err != nil {
		t.Fatal(err)
	}
	d := open(t, "folder", root)
	if diff := cmp.Diff([]string{"train|a|train/a/1.png"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	got := reasons(d.Skipped)
	for name, part := range map[string]string{
		"train/a/.hidden.png":     "hidden",
		"train/a/Thumbs.db":       "operating system",
		"train/__MACOSX":          "operating system",
		"train/a/notes.txt":       "does not end in",
		"train/a/fake.jpg":        `starts with "a text f"`,
		"train/a/scan.tiff":       `starts with "II*"`,
		"train/a/phone.heic":      "convert",
		"train/a/page.gif":        "convert",
		"train/stray.png":         "no class folder",
		"train/empty class":       "without a usable picture",
		"train/empty class/x.txt": "does not end in",
		"extra":                   "not a split",
		"train/a/empty.png":       "empty file",
		"train/a/link.png":        "symbolic link",
	} {
		if !strings.Contains(got[name], part) {
			t.Errorf("%s: reason %q, want one with %q", name, got[name], part)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("skipped besides: %v", got)
	}
}

func TestFolderMetadata(t *testing.T) {
	t.Parallel()
	d := open(t, "folder", tree(t, map[string]string{
		"train/a/1.png":       "",
		"train/a/2.png":       "",
		"train/a/bad.png":     "no picture",
		"masks/train/a/1.png": "",
		"metadata.csv": "\ufeffFile , Group,mask,note\r\ntrain/a/1.png,home,masks/train/a/1.png,x\r\n" +
			"train/a/2.png,away,masks/train/a/2.png\r\ntrain/a/3.png,away,\r\ntrain/a/bad.png,home,\r\ntrain\\a\\2.png,away,../../etc/passwd\r\n,,,\r\n",
	}))
	if got := d.Sample(0); got.Group != "home" || !strings.HasSuffix(filepath.ToSlash(got.Mask), "masks/train/a/1.png") {
		t.Errorf("first sample: %+v", got)
	}
	if got := d.Sample(1); got.Group != "away" || got.Mask != "" {
		t.Errorf("second sample: %+v", got)
	}
	if diff := cmp.Diff([]string{"masks/train/a/2.png", "train/a/3.png"}, keys(reasons(d.Missing))); diff != "" {
		t.Error("missing:", diff)
	}
	if diff := cmp.Diff([]string{"../../etc/passwd", "train/a/bad.png"}, keys(reasons(d.Skipped))); diff != "" {
		t.Error("skipped:", diff)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	picture := map[string]string{"train/a/1.png": ""}
	for _, test := range []struct {
		name, format string
		files        map[string]string
		want         error
	}{
		{"an unknown format", "papyrus", picture, dataset.ErrFormat},
		{"nothing", "folder", nil, dataset.ErrEmpty},
		{"only other files", "folder", map[string]string{"a/x.txt": "x"}, dataset.ErrEmpty},
		{"metadata without file", "folder", map[string]string{"a/1.png": "", "metadata.csv": "group\nx\n"}, dataset.ErrLayout},
		{"no images folder", "cub", picture, dataset.ErrLayout},
		{"an image in two lists", "cub", map[string]string{"images/1.A/x.png": "", "lists/train.txt": "1.A/x.png\n", "lists/test.txt": "1.A/x.png\n"}, dataset.ErrLayout},
		{"no parts", "idrid", picture, dataset.ErrLayout},
		{"no table", "csv", picture, dataset.ErrLayout},
		{"a table without file", "csv", map[string]string{"images.csv": "class\na\n"}, dataset.ErrLayout},
		{"a split it does not know", "csv", map[string]string{"x.png": "", "images.csv": "file,split\nx.png,holdout\n"}, dataset.ErrLayout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := dataset.Open(test.format, tree(t, test.files)); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	if _, err := dataset.Open("folder", filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	d := open(t, "csv", tree(t, map[string]string{
		"a/x.png": "", "a/y.JPG": "", "z.png": "text", "m.png": "",
		"images.csv": "Path,Label,Split,Mask,Group\na/x.png,cat,TRAIN,m.png,g1\na/y.JPG,dog,val,,\nz.png,dog,test,,\nnone.png,dog,test,,\na/x.png,cat,train,,\n",
	}))
	if diff := cmp.Diff([]string{"train|cat|a/x.png", "validation|dog|a/y.JPG"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a/x.png", "z.png"}, keys(reasons(d.Skipped))); diff != "" {
		t.Error("skipped:", diff)
	}
	if diff := cmp.Diff([]string{"none.png"}, keys(reasons(d.Missing))); diff != "" {
		t.Error("missing:", diff)
	}
	if s := d.Sample(0); s.Group != "g1" || s.Mask == "" {
		t.Errorf("group and mask: %+v", s)
	}
}

func keys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// A table's row that leads through a linked folder, or out of the data set, is refused with the reason, and the file is not read.
func TestTablesFollowNoLinks(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"secret/1.png": "", "mask.png": ""})
	absolute := filepath.ToSlash(filepath.Join(outside, "secret", "1.png"))
	root := tree(t, map[string]string{
		"in/1.png": "", "deep/er/1.png": "",
		"images.csv": "file,class,mask\nin/1.png,a,masks/mask.png\nout/secret/1.png,a,\nout/../in/1.png,a,\ninside/1.png,a,\ndeep/link/secret/1.png,a,\nleaf.png,a,\n" +
			absolute + ",a,\n../secret/1.png,a,\nin/../../x.png,a,\n",
	})
	for link, to := range map[string]string{"out": outside, "inside": "in", "deep/link": outside, "leaf.png": filepath.Join(outside, "secret", "1.png"), "masks": outside} {
		if err := os.Symlink(to, filepath.Join(root, filepath.FromSlash(link))); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	d, err := dataset.Open("csv", root)
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 1 || d.Sample(0).Name != "in/1.png" || d.Sample(0).Mask != "" {
		t.Errorf("read %+v, want in/1.png alone, without its linked mask", d.Samples())
	}
	reasons := map[string]string{}
	for _, p := range d.Skipped {
		reasons[p.Path] = p.Reason
	}
	for path, says := range map[string]string{
		"out/secret/1.png": "symbolic link out:", "inside/1.png": "symbolic link inside:", "deep/link/secret/1.png": "symbolic link deep/link:",
		"leaf.png": "symbolic link leaf.png:", absolute: "leads out of", "../secret/1.png": "leads out of", "in/../../x.png": "leads out of", "masks/mask.png": "the mask of in/1.png leads through the symbolic link masks",
		"in/1.png": "named again",
	} {
		if !strings.Contains(reasons[path], says) {
			t.Errorf("%s: %q, want %q in it", path, reasons[path], says)
		}
	}
}
