package dataset_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio"
)

// npy writes an array as numpy does.
func npy(descr, shape string, fortran bool, values any) string {
	var out bytes.Buffer
	order := "False"
	if fortran {
		order = "True"
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&out, binary.LittleEndian, uint16(len(header)))
	out.WriteString(header)
	var endian binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(descr, ">") {
		endian = binary.BigEndian
	}
	if err := binary.Write(&out, endian, values); err != nil {
		panic(err)
	}
	return out.String()
}

var quarters = []float32{0, 0.25, 0.5, 0.75, 1, 0}

func quarterMap() attention.Map { return attention.Map{Height: 2, Width: 3, Values: quarters} }

func TestMapsOfEveryType(t *testing.T) {
	t.Parallel()
	doubles := make([]float64, len(quarters))
	for i, v := range quarters {
		doubles[i] = float64(v)
	}
	var own bytes.Buffer
	if err := npyio.Write(&own, quarters); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		content string
		want    attention.Map
	}{
		"float32":          {npy("<f4", "(2, 3)", false, quarters), quarterMap()},
		"float64":          {npy("<f8", "(2, 3)", false, doubles), quarterMap()},
		"big endian":       {npy(">f4", "(2, 3)", false, quarters), quarterMap()},
		"float16":          {npy("<f2", "(2, 3)", false, []uint16{0, 0x3400, 0x3800, 0x3a00, 0x3c00, 0}), quarterMap()},
		"columns first":    {npy("<f4", "(2, 3)", true, []float32{0, 0.75, 0.25, 1, 0.5, 0}), quarterMap()},
		"1×1×h×w":          {npy("<f4", "(1, 1, 2, 3)", false, quarters), quarterMap()},
		"h×w×1":            {npy("<f4", "(2, 3, 1)", false, quarters), quarterMap()},
		"shades":           {npy("|u1", "(1, 2)", false, []uint8{51, 255}), attention.Map{Height: 1, Width: 2, Values: []float32{0.2, 1}}},
		"a mask of bytes":  {npy("|u1", "(1, 2)", false, []uint8{0, 1}), attention.Map{Height: 1, Width: 2, Values: []float32{0, 1}}},
		"booleans":         {npy("|b1", "(1, 2)", false, []bool{false, true}), attention.Map{Height: 1, Width: 2, Values: []float32{0, 1}}},
		"integers 0 and 1": {npy("<i8", "(1, 2)", false, []int64{0, 1}), attention.Map{Height: 1, Width: 2, Values: []float32{0, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := dataset.Maps(tree(t, map[string]string{"a.npy": test.content}))
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Maps[0].Map; !got.Equal(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestMapsRefused(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for name, test := range map[string]struct {
		content string
		want    error
		says    string
	}{
		"NaN":            {npy("<f4", "(1, 3)", false, []float32{0, 1, nan}), attention.ErrValue, "row 0, column 2 is NaN"},
		"1.5":            {npy("<f4", "(2, 2)", false, []float32{0, 1, 0, 1.5}), attention.ErrValue, "row 1, column 1 is 1.5"},
		"negative":       {npy("<i4", "(1, 2)", false, []int32{0, -1}), attention.ErrValue, "column 1 is -1"},
		"infinite":       {npy("<f2", "(1, 2)", false, []uint16{0, 0x7c00}), attention.ErrValue, "+Inf"},
		"one dimension":  {npy("<f4", "(6,)", false, quarters), attention.ErrGrid, "shape [6]"},
		"two channels":   {npy("<f4", "(2, 2, 3)", false, append(quarters, quarters...)), attention.ErrGrid, "shape [2 2 3]"},
		"no cells":       {npy("<f4", "(0, 3)", false, []float32{}), attention.ErrGrid, "1 to 512"},
		"complex":        {npy("<c8", "(1, 1)", false, []float32{0, 0}), dataset.ErrNPY, "float32"},
		"object":         {npy("|O", "(1, 1)", false, []float32{0, 0}), dataset.ErrNPY, "|O"},
		"too short":      {npy("<f4", "(2, 3)", false, quarters[:5]), dataset.ErrNPY, "ends before"},
		"too long":       {npy("<f4", "(2, 3)", false, append(quarters, 1)), dataset.ErrNPY, "more bytes"},
		"not npy":        {"hello", dataset.ErrNPY, "does not start"},
		"forged shape":   {npy("<f8", "(99999999, 99999999)", false, []float64{0}), attention.ErrGrid, "512"},
		"forged product": {npy("<f8", "(512, 512)", false, []float64{0}), dataset.ErrNPY, "ends before"},
		"huge number":    {npy("<f8", "(99999999999999999999, 1)", false, []float64{0}), dataset.ErrNPY, "shape"},
		"forged header":  {"\x93NUMPY\x02\x00\xff\xff\xff\xff", dataset.ErrNPY, "header of more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := dataset.Maps(tree(t, map[string]string{"bird.npy": test.content}))
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Fatalf("error %v, want %v that says %q", err, test.want, test.says)
			}
			if !strings.Contains(err.Error(), "bird.npy") {
				t.Errorf("%v does not name the file", err)
			}
		})
	}
}

func TestMapsAsPNG(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeGrey(t, filepath.Join(root, "a.png"), 3, 2, func(x, y int) uint8 { return uint8(51 * (3*y + x)) })
	set, err := dataset.Maps(root)
	if err != nil {
		t.Fatal(err)
	}
	want := attention.Map{Height: 2, Width: 3, Values: []float32{0, 0.2, 0.4, 0.6, 0.8, 1}}
	if got := set.Maps[0].Map; !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := set.ValidateOn(14, 14); !errors.Is(err, attention.ErrGrid) || !strings.Contains(err.Error(), "a.png") || !strings.Contains(err.Error(), "to 14 rows and 14 columns") {
		t.Errorf("wrong grid: %v", err)
	}
	for name, picture := range map[string]image.Image{
		"colour":      image.NewUniform(color.RGBA{200, 0, 0, 255}),
		"transparent": image.NewUniform(color.RGBA{0, 0, 0, 0}),
	} {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, "x.png"))
		if err != nil {
			t.Fatal(err)
		}
		small := image.NewNRGBA(image.Rect(0, 0, 2, 2))
		for i := range 4 {
			small.Set(i%2, i/2, picture.At(0, 0))
		}
		if err := png.Encode(f, small); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := dataset.Maps(dir); !errors.Is(err, attention.ErrValue) || !strings.Contains(err.Error(), "row 0, column 0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMapsAsNPZ(t *testing.T) {
	t.Parallel()
	write := func(entries map[string]string) string {
		file := filepath.Join(t.TempDir(), "maps.npz")
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		w := zip.NewWriter(f)
		for name, content := range entries {
			entry, err := w.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := entry.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := npy("<f4", "(2, 3)", false, quarters)
	set, err := dataset.Maps(write(map[string]string{"train/a/1.png.npy": good, "2.npy": good}))
	if err != nil {
		t.Fatal(err)
	}
	samples := []dataset.Sample{{Name: "train/a/1.png"}, {Name: "train/b/2.png"}, {Name: "train/b/3.png"}}
	maps, unused, err := set.Match(samples)
	if err != nil || len(unused) > 0 || len(maps) != 2 || !maps["train/a/1.png"].Equal(quarterMap()) || !maps["train/b/2.png"].Equal(quarterMap()) {
		t.Errorf("maps %v, unused %v, error %v", maps, unused, err)
	}
	bad := write(map[string]string{"1.npy": npy("<f4", "(1, 1)", false, []float32{2})})
	if _, err := dataset.Maps(bad); !errors.Is(err, attention.ErrValue) || !strings.Contains(err.Error(), "maps.npz:1.npy") {
		t.Errorf("a value of 2: %v", err)
	}
	if err := os.WriteFile(bad, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := dataset.Maps(bad); err == nil {
		t.Error("a file that is no archive was read")
	}
}

func TestMapsMatch(t *testing.T) {
	t.Parallel()
	good := npy("<f4", "(2, 3)", false, quarters)
	read := func(names ...string) *dataset.MapSet {
		files := map[string]string{"notes.txt": "x"}
		for _, name := range names {
			files[name] = good
		}
		set, err := dataset.Maps(tree(t, files))
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	samples := []dataset.Sample{{Name: "train/a/1.png"}, {Name: "train/b/1.png"}, {Name: "pool/b/2.v1.jpg"}}
	maps, unused, err := read("train/a/1.npy", "2.v1.npy", "nobody.npy").Match(samples)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name := range maps {
		got = append(got, name)
	}
	if len(got) != 2 || maps["train/a/1.png"].IsZero() || maps["pool/b/2.v1.jpg"].IsZero() {
		t.Errorf("matched %v", got)
	}
	if len(unused) != 1 || !strings.HasSuffix(unused[0], "nobody.npy") {
		t.Errorf("unused %v", unused)
	}
	if _, _, err := read("1.npy").Match(samples); !errors.Is(err, dataset.ErrAmbiguous) {
		t.Errorf("a name of two images: %v", err)
	}
	if _, _, err := read("2.v1.npy", "pool/b/2.v1.npy").Match(samples); !errors.Is(err, dataset.ErrAmbiguous) {
		t.Errorf("two maps of one image: %v", err)
	}
	if _, err := dataset.Maps(tree(t, map[string]string{"x.txt": "x"})); !errors.Is(err, dataset.ErrNoMaps) {
		t.Errorf("no maps: %v", err)
	}
}

// TestForgedHeaderCostsNothing: a size that a header claims must not be allocated before the data is there.
// An archive made of a folder has the folder's name before each map's, and so has a folder that was dropped.
func TestMapsBelowAFolder(t *testing.T) {
	t.Parallel()
	images := []string{"train/wren/1.jpg", "train/owl/1.jpg", "train/owl/2.jpg"}
	for name, c := range map[string]struct {
		keys []string
		want []int
	}{
		"as they are":                {[]string{"train/wren/1", "train/owl/1"}, []int{0, 1}},
		"with endings":               {[]string{"train/wren/1.jpg"}, []int{0}},
		"below a folder":             {[]string{"maps/train/wren/1", "maps/train/owl/1.jpg"}, []int{0, 1}},
		"below two":                  {[]string{"work/maps/train/wren/1", "work/maps/train/owl/2"}, []int{0, 2}},
		"one is unknown":             {[]string{"maps/train/wren/1", "maps/train/wren/7"}, []int{0, -1}},
		"a last part, below one":     {[]string{"maps/2"}, []int{-1}},
		"not all below it":           {[]string{"maps/train/wren/1", "train/owl/1"}, []int{-1, 1}},
		"a folder of images' names":  {[]string{"train/owl/1", "train/owl/2"}, []int{1, 2}},
		"nothing is known":           {[]string{"maps/a/b", "maps/a/c"}, []int{-1, -1}},
		"without a folder, and bare": {[]string{"2"}, []int{2}},
	} {
		set := dataset.MapSet{}
		for _, key := range c.keys {
			set.Maps = append(set.Maps, dataset.EditedMap{Key: key, Source: key})
		}
		got, _, err := set.Owners(images)
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
	said := dataset.MapSet{Whole: true, Maps: []dataset.EditedMap{{Key: "zoo/train/wren/1.jpg"}}}
	if got, above, err := said.Owners(images); err != nil || got[0] != -1 || above != "" {
		t.Errorf("a name that is said to be whole: %v below %q, %v", got, above, err)
	}
}

func TestForgedHeaderCostsNothing(t *testing.T) {
	dir := tree(t, map[string]string{"x.npy": npy("<f8", "(2147483647, 2147483647)", false, []float64{0})})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := dataset.Maps(dir); err == nil {
		t.Fatal("read it")
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("refusing it took %d bytes", used)
	}
}

func TestAverage(t *testing.T) {
	t.Parallel()
	mask := image.NewGray(image.Rect(0, 0, 5, 4))
	for y := range 4 {
		for x := range 3 {
			mask.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	// Five columns on two cells: the third column belongs to both by halves.
	got := attention.FromMask(mask, attention.Whole, 2, 2)
	want := []float32{1, 0.2, 1, 0.2}
	if diff := cmp.Diff(want, got.Values, cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 })); diff != "" {
		t.Error(diff)
	}
	// More cells than pixels.
	for i, v := range attention.FromMask(mask, attention.Whole, 7, 9).Values {
		if x := i % 9; x < 5 && v < 0.999 || x > 5 && v != 0 {
			t.Errorf("column %d: %v", x, v)
		}
	}
}

func TestMaskRefuses(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"text.png": "text"})
	use := func(*image.Gray) error { return nil }
	if err := dataset.Mask(t.Context(), filepath.Join(root, "text.png"), nil, use); !errors.Is(err, picture.ErrNotPicture) {
		t.Errorf("a text file: %v", err)
	}
	// A PNG header of 50,000 × 50,000 pixels.
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	forged := forgeSize(file.Bytes(), 50_000, 50_000)
	if err := os.WriteFile(filepath.Join(root, "huge.png"), forged, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := dataset.Mask(t.Context(), filepath.Join(root, "huge.png"), nil, use); err == nil || !strings.Contains(err.Error(), "50000×50000") {
		t.Errorf("a huge header: %v", err)
	}
}

// forgeSize writes another size into a PNG's header, with the checksum that goes with it.
func forgeSize(file []byte, width, height uint32) []byte {
	out := bytes.Clone(file)
	header := out[12:29] // "IHDR" and its thirteen bytes, behind the signature and the length
	binary.BigEndian.PutUint32(header[4:], width)
	binary.BigEndian.PutUint32(header[8:], height)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(header))
	return out
}
