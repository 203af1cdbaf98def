package confound_test

import (
	"encoding/csv"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/confound"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/random"
)

// write writes a picture as PNG.
func write(t *testing.T, picture image.Image, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// shade is the grey of the ground of object photographs, which no picture of a confounded set shows.
const shade = 7

// drawObjects draws n photographs of each class, of uneven shapes: a coloured rectangle with a mask of it.
func drawObjects(t *testing.T, dir string, n int, classes ...string) {
	t.Helper()
	for c, class := range classes {
		for i := range n {
			r := random.New(1, class, fmt.Sprint(i))
			size := image.Rect(0, 0, 48+r.Below(40), 48+r.Below(40))
			picture, mask := image.NewNRGBA(size), image.NewGray(size)
			x, y, w, h := r.Below(20), r.Below(20), 20+r.Below(20), 20+r.Below(8)
			for p := range size.Dx() * size.Dy() {
				at := image.Pt(p%size.Dx(), p/size.Dx())
				picture.SetNRGBA(at.X, at.Y, color.NRGBA{shade, shade, shade, 255})
				if at.In(image.Rect(x, y, x+w, y+h)) {
					picture.SetNRGBA(at.X, at.Y, color.NRGBA{uint8(60 * (c + 1)), uint8(100 + i), 200, 255})
					mask.SetGray(at.X, at.Y, color.Gray{255})
				}
			}
			write(t, picture, dir, "images", class, fmt.Sprintf("%d.png", i))
			write(t, mask, dir, "masks", class, fmt.Sprintf("%d.png", i))
		}
	}
}

// drawPlaces draws n photographs of each place below dir: even greys, each another.
func drawPlaces(t *testing.T, dir string, n int, places ...string) {
	t.Helper()
	for k, place := range places {
		for i := range n {
			picture := image.NewGray(image.Rect(0, 0, 60, 40+i))
			for p := range picture.Pix {
				picture.Pix[p] = uint8(60 + 40*k + i)
			}
			write(t, picture, dir, place, fmt.Sprintf("%d.png", i))
		}
	}
}

// read reads a data set that the test closes.
func read(t *testing.T, dir string) *dataset.Dataset {
	t.Helper()
	set, err := dataset.Open(dataset.Auto, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// small is what the tests make.
func small(kind string) confound.Options {
	o := confound.Defaults(kind)
	o.Size, o.Seed, o.Strength, o.Groups = 32, 3, 0.9, confound.GroupByCue
	return o
}

// drawn are three classes of ten objects, and two places of twelve photographs.
func drawn(t *testing.T) (images, places string) {
	t.Helper()
	images, places = t.TempDir(), t.TempDir()
	drawObjects(t, images, 10, "hen", "owl", "wren")
	drawPlaces(t, places, 12, "barn", "wood")
	return images, places
}

func makeSet(t *testing.T, out, images, places string, o confound.Options) (confound.Study, error) {
	t.Helper()
	s := confound.Source{Images: read(t, images)}
	if places != "" {
		s.Places = read(t, places)
	}
	return confound.Make(t.Context(), out, s, o, progress.NewMeter(nil))
}

// rows reads metadata.csv: each row by its column's name.
func rows(t *testing.T, out string) (all []map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(out, dataset.MetadataFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, column := range lines[0] {
			row[column] = line[i]
		}
		all = append(all, row)
	}
	return all
}

// files are the bytes of all files below a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(t *testing.T, path ...string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// The metadata says that no photograph is in two splits, that training has the strength that was asked for, that each class has each
// place equally often elsewhere, and that the test has every object on every place.
func TestConfoundedSet(t *testing.T) {
	t.Parallel()
	images, places := drawn(t)
	out := t.TempDir()
	study, err := makeSet(t, out, images, places, small(confound.Confounded))
	if err != nil {
		t.Fatal(err)
	}
	type pair struct{ class, place string }
	count := map[string]map[pair]int{}
	objects, photographs := map[string]string{}, map[string]string{}
	home, trained := 0, 0
	homes := map[string]string{"hen": "barn", "owl": "wood", "wren": "barn"}
	for _, r := range rows(t, out) {
		split := r["split"]
		if was, ok := objects[r["object"]]; ok && was != split {
			t.Errorf("%s is in %s and in %s", r["object"], was, split)
		}
		objects[r["object"]] = split
		shared := strings.Replace(split, dataset.Pool, dataset.Train, 1)
		if was, ok := photographs[r["photograph"]]; ok && was != shared {
			t.Errorf("%s is in %s and in %s", r["photograph"], was, shared)
		}
		photographs[r["photograph"]] = shared
		if count[split] == nil {
			count[split] = map[pair]int{}
		}
		count[split][pair{r["class"], r["place"]}]++
		at := homes[r["class"]] == r["place"]
		if fmt.Sprint(at) != r["home"] || r["group"] != r["class"]+" on "+r["place"] {
			t.Errorf("%v: home is %s", r, homes[r["class"]])
		}
		if split == dataset.Train {
			if trained++; at {
				home++
			}
		}
	}
	if want := 0.9 * float64(trained); trained != 3*4*6 || float64(home) < want-1 || float64(home) > want+1 {
		t.Errorf("%d of %d training pictures are at home, want 90%%", home, trained)
	}
	for split, want := range map[string]int{dataset.Validation: 2, dataset.Pool: 4, dataset.Test: 3} {
		for class := range homes {
			for _, place := range []string{"barn", "wood"} {
				if got := count[split][pair{class, place}]; got != want {
					t.Errorf("%s: %s on %s %d times, want %d", split, class, place, got, want)
				}
			}
		}
	}
	if len(objects) != 30 || study.Splits[dataset.Test].Objects != 9 || study.Groups[dataset.Test] != (confound.SmallestOf{Groups: 6, Smallest: "hen on barn", Pictures: 3}) {
		t.Errorf("%d objects, test %+v, groups %+v", len(objects), study.Splits[dataset.Test], study.Groups[dataset.Test])
	}
	// The studio reads the pictures with groups, and the whole folder with masks too.
	for dir, masks := range map[string]bool{filepath.Join(out, "images"): false, out: true} {
		set := read(t, dir)
		if set.Len() != study.Pictures() || !slices.Equal(set.Classes, []string{"hen", "owl", "wren"}) {
			t.Errorf("%s: %d pictures of %v", dir, set.Len(), set.Classes)
		}
		for _, s := range set.All() {
			if s.Group == "" || set.HasMask(s) != masks {
				t.Fatalf("%s: group %q, mask %v", s.Name, s.Group, set.HasMask(s))
			}
		}
	}
}

// A picture shows the object under its mask and the place elsewhere, with no rest of the ground that the object was cut from.
func TestPicturesShowObjectOnPlace(t *testing.T) {
	t.Parallel()
	images, places := drawn(t)
	out := t.TempDir()
	if _, err := makeSet(t, out, images, places, small(confound.Confounded)); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows(t, out) {
		picture, mask := decode(t, out, r["file"]), decode(t, out, r["mask"])
		if picture.Bounds() != image.Rect(0, 0, 32, 32) || mask.Bounds() != picture.Bounds() {
			t.Fatalf("%s: %v, its mask %v", r["file"], picture.Bounds(), mask.Bounds())
		}
		ground := decode(t, places, r["photograph"]).At(0, 0).(color.Gray).Y
		seen := 0
		for p := range 32 * 32 {
			c := color.NRGBAModel.Convert(picture.At(p%32, p/32)).(color.NRGBA)
			switch opacity := mask.At(p%32, p/32).(color.Gray).Y; {
			case opacity == 0 && (c.R != ground || c.B != ground):
				t.Fatalf("%s: beside the object is %v, want the place's %d", r["file"], c, ground)
			case opacity == 255:
				if seen++; c.B < 150 {
					t.Fatalf("%s: in the object is %v", r["file"], c)
				}
			}
		}
		if seen < 16 {
			t.Errorf("%s: %d pixels of the object", r["file"], seen)
		}
	}
}

// The same options make the same bytes, into a new folder and into that of a run that was ended; another seed makes others. The digest
// is of this machine's and of every other's.
func TestSetsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	images, places := drawn(t)
	o := small(confound.Confounded)
	first, second := t.TempDir(), t.TempDir()
	one, err := makeSet(t, first, images, places, o)
	if err != nil {
		t.Fatal(err)
	}
	const want = "3889baeb4b370d1020890de3903bb91185df803b23a28b4c098b79940ee59f91"
	if one.Digest != want {
		t.Errorf("digest %s, want %s", one.Digest, want)
	}
	if _, err := makeSet(t, second, images, places, o); err != nil {
		t.Fatal(err)
	}
	all := files(t, first)
	for name, text := range files(t, second) {
		if all[name] != text {
			t.Errorf("%s differs", name)
		}
	}
	if err := os.Remove(filepath.Join(second, "images", "test", "owl", "0001.png")); err != nil {
		t.Fatal(err)
	}
	if again, err := makeSet(t, second, images, places, o); err != nil || again.Digest != one.Digest || len(files(t, second)) != len(all) {
		t.Errorf("again: %v, %d files, want %d", err, len(files(t, second)), len(all))
	}
	o.Seed++
	if _, err := makeSet(t, second, images, places, o); err == nil || !strings.Contains(err.Error(), "other options") {
		t.Errorf("over a set of another seed: %v", err)
	}
	if other, err := makeSet(t, t.TempDir(), images, places, o); err != nil || other.Digest == one.Digest {
		t.Errorf("another seed: %v, the same digest: %v", err, other.Digest == one.Digest)
	}
}

// Every shape of decoy covers what its mask says, in the colour that the row says, and nothing of the object's mask.
func TestDecoys(t *testing.T) {
	t.Parallel()
	images, _ := drawn(t)
	digests := map[string]string{
		confound.Frame: "ec6345b5452509c538ff8e50773a606550423be8e14033be30afd5e891fcad35", confound.Band: "f3c9e560a8bde0a8eefd1cdc9f1112d26ea14412d216d484360d078aee4a196e", confound.Patch: "0f46814cc7f40b29fde105a25b0862351beeedb8ea2cf2fe165d289a296286a2", confound.Ruler: "db46b2a018858714fc78b3d1e348b834ddd062b9bd0a1968f7c51bcbf27ef48f",
	}
	for shape, want := range digests {
		o := small(confound.Decoy)
		o.Shape, o.Bare, o.Groups = shape, true, confound.GroupByHome
		out := t.TempDir()
		study, err := makeSet(t, out, images, "", o)
		if err != nil {
			t.Fatal(err)
		}
		if study.Digest != want {
			t.Errorf("%s: digest %s, want %s", shape, study.Digest, want)
		}
		if got := study.Groups[dataset.Test]; got.Groups != 3 || study.Splits[dataset.Test].Pictures != 9*4 {
			t.Errorf("%s: test %+v, %+v", shape, got, study.Splits[dataset.Test])
		}
		for _, r := range rows(t, out) {
			if (r["decoy_mask"] == "") != (r["group"] == confound.Bare) || (r["home"] == "true") != (r["group"] == confound.Home) {
				t.Errorf("%v", r)
			}
			if r["decoy_mask"] == "" {
				continue
			}
			picture, mask, decoy := decode(t, out, r["file"]), decode(t, out, r["mask"]), decode(t, out, r["decoy_mask"])
			of := confound.Colours[slices.IndexFunc(confound.Colours, func(c confound.Colour) bool { return c.Name == r["colour"] })]
			covered, coloured := 0, 0
			for p := range 32 * 32 {
				if decoy.At(p%32, p/32).(color.Gray).Y == 0 {
					continue
				}
				covered++
				if mask.At(p%32, p/32).(color.Gray).Y != 0 {
					t.Fatalf("%s: the object's mask is under the decoy", r["file"])
				}
				if c := color.NRGBAModel.Convert(picture.At(p%32, p/32)).(color.NRGBA); [3]uint8{c.R, c.G, c.B} == of.RGB {
					coloured++
				}
			}
			if covered < 32*32/10 || covered > 32*32/3 || 2*coloured < covered {
				t.Errorf("%s: %d pixels, %d of them %s", r["file"], covered, coloured, of.Name)
			}
		}
		if set := read(t, out); set.Len() != study.Pictures() {
			t.Errorf("%s: read as %d pictures, want %d", shape, set.Len(), study.Pictures())
		}
	}
}

// Files that are broken, have no mask or are there twice are left out by name; a folder of places keeps its splits; classes whose names are no
// folders' are read as they are called.
func TestWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	images, places := t.TempDir(), t.TempDir()
	drawObjects(t, images, 10, "owl", "test", "wren")
	drawPlaces(t, filepath.Join(places, "train"), 4, "barn", "wood")
	drawPlaces(t, filepath.Join(places, "val"), 7, "barn", "wood")
	copyOf := func(from, to string) {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(images, "images", name) }
	copyOf(at("owl/1.png"), at("wren/again.png"))
	copyOf(filepath.Join(images, "masks", "owl", "1.png"), filepath.Join(images, "masks", "wren", "again.png"))
	text, err := os.ReadFile(at("owl/2.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("owl/2.png"), text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(images, "masks", "owl", "3.png")); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	study, err := makeSet(t, out, images, places, small(confound.Confounded))
	if err != nil {
		t.Fatal(err)
	}
	if len(study.Broken) != 1 || !strings.HasSuffix(study.Broken[0].Image, "owl/2.png") || !strings.Contains(study.Broken[0].Error, "truncated") {
		t.Errorf("broken: %+v", study.Broken)
	}
	passed := map[string]int{}
	for _, p := range study.PassedOver {
		passed[p.Reason] = p.Images
	}
	if passed["no mask"] != 1 || passed["the same file as another"] < 1 {
		t.Errorf("passed over: %v", passed)
	}
	for _, r := range rows(t, out) {
		want := "train/"
		if r["split"] == dataset.Test {
			want = "val/"
		}
		if !strings.HasPrefix(r["photograph"], want) {
			t.Errorf("%s is made of %s", r["file"], r["photograph"])
		}
	}
	if got := read(t, filepath.Join(out, "images")).Classes; !slices.Equal(got, []string{"owl", "test", "wren"}) {
		t.Errorf("classes %v", got)
	}
}

// What cannot be made is an error that names it, with the remedy.
func TestErrorsNameTheRemedy(t *testing.T) {
	t.Parallel()
	images, places := drawn(t)
	bare, lone := t.TempDir(), t.TempDir()
	drawObjects(t, bare, 10, "owl", "wren")
	if err := os.RemoveAll(filepath.Join(bare, "masks")); err != nil {
		t.Fatal(err)
	}
	drawPlaces(t, lone, 12, "barn", "wood")
	for i := 1; i < 12; i++ {
		if err := os.Remove(filepath.Join(lone, "wood", fmt.Sprintf("%d.png", i))); err != nil {
			t.Fatal(err)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		images, places, out, want string
		change                    func(*confound.Options)
	}{
		"no masks":        {bare, places, t.TempDir(), "has no masks", nil},
		"a lone place":    {images, lone, t.TempDir(), "the place wood", nil},
		"a full folder":   {images, places, full, "name an empty folder", nil},
		"strength":        {images, places, t.TempDir(), "--strength is 1.5, want 0 to 1", func(o *confound.Options) { o.Strength = 1.5 }},
		"not a number":    {images, places, t.TempDir(), "--strength is NaN", func(o *confound.Options) { o.Strength = math.NaN() }},
		"too few objects": {images, places, t.TempDir(), "lower --train-objects", func(o *confound.Options) { o.Train = 9 }},
		"no test":         {images, places, t.TempDir(), "leave no object for the test", func(o *confound.Options) { o.Train = 0.9 }},
		"no such class":   {images, places, t.TempDir(), `no class "emu": it has hen, owl, wren`, func(o *confound.Options) { o.Only = []string{"emu", "owl"} }},
		"too few classes": {images, places, t.TempDir(), "4 are wanted", func(o *confound.Options) { o.Count = 4 }},
		"objects too big": {images, places, t.TempDir(), "covers less than 69%", func(o *confound.Options) { o.MinArea = 0.69 }},
		"a half object":   {images, places, t.TempDir(), "a whole number", func(o *confound.Options) { o.Pool = 1.5 }},
	} {
		o := small(confound.Confounded)
		if c.change != nil {
			c.change(&o)
		}
		if _, err := makeSet(t, c.out, c.images, c.places, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
