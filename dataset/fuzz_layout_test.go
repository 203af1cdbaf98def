package dataset

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/abn-studio/studio/internal/text"
)

// onePicture is a folder with 1.png and other files.
func onePicture(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["1.png"], files["images/001.A/1.png"] = "\x89PNG\r\n\x1a\n", "\x89PNG\r\n\x1a\n"
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkSamples: names are valid text and stay inside the data set, classes can be stored, marks can be drawn.
func checkSamples(t *testing.T, d *Dataset) {
	t.Helper()
	for _, s := range d.All() {
		if !text.Valid(s.Name) || !filepath.IsLocal(filepath.FromSlash(s.Name)) || !text.Valid(s.Class) || len(s.Class) > text.MaxName {
			t.Errorf("%q of %q", s.Name, s.Class)
		}
		if s.Marks.Shows() {
			s.Marks.Draw(16, 16)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"images":[{"id":1,"file_name":"1.png"}],"categories":[{"id":1,"name":"a"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,2,2],"segmentation":[[0,0,1e9,0,2,-1e9]]}]}`,
		`{"images":[{"id":1,"file_name":"1.png"}],"categories":[{"id":1,"name":"a"}],"annotations":[{"image_id":1,"category_id":1,"segmentation":{"counts":"04","size":[16,16]}}]}`,
		`{"classes":["a"],"labels":{"1":0}}`, `{"labels":{"1":"a"},"classes":null}`,
		`{"samples":[{"filepath":"1.png","tags":["train"],"x":{"_cls":"Detections","detections":[{"label":"a","bounding_box":[0,0,1,1]}]}}]}`,
		`[{"data":{"image":"/x/1.png"},"annotations":[{"result":[{"value":{"choices":["a"]}}]}]}]`, `[{"image":"1.png","choice":"a","annotator":1}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		if d, err := Open(Auto, onePicture(t, map[string]string{"x.json": string(document)})); err == nil {
			checkSamples(t, d)
		}
	})
}

func FuzzCUB(f *testing.F) {
	f.Add("1 001.A/1.png\n", "1 1\n", "1 0 0 2 2\n", "1 a\n", "1 1 2 3 1\n")
	f.Add("\ufeff1 ../1.png\r\n", "1 0", "1 nan inf 1e40 -1", "", "2 2 2 2 2")
	f.Fuzz(func(t *testing.T, images, splits, boxes, classes, parts string) {
		d, err := Open("cub", onePicture(t, map[string]string{
			"images.txt": images, "train_test_split.txt": splits, "bounding_boxes.txt": boxes, "classes.txt": classes, "parts/part_locs.txt": parts,
		}))
		if err == nil {
			checkSamples(t, d)
		}
	})
}

func FuzzArchive(f *testing.F) {
	var z, tarred bytes.Buffer
	zw, tw := zip.NewWriter(&z), tar.NewWriter(&tarred)
	for _, name := range []string{"a/1.png", "../x", "/y"} {
		w, err := zw.Create(name)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = w.Write([]byte("content"))
		if err := tw.WriteHeader(&tar.Header{Name: name, Size: 1, Typeflag: tar.TypeReg}); err != nil {
			f.Fatal(err)
		}
		_, _ = tw.Write([]byte("x"))
	}
	if zw.Close() != nil || tw.Close() != nil {
		f.Fatal("not written")
	}
	f.Add(z.Bytes())
	f.Add(tarred.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		inner := filepath.Join(outer, "a", "b", "in")
		if err := os.MkdirAll(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		d := &Dataset{}
		u := &unpacker{d: d, dir: inner, of: "the archive", left: 1 << 20}
		if z, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil {
			_ = u.zip(z, "")
		}
		_ = u.tar(bufio.NewReader(bytes.NewReader(data)), "")
		err := filepath.WalkDir(outer, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				if below, err := filepath.Rel(inner, path); err != nil || !filepath.IsLocal(below) || !entry.Type().IsRegular() {
					t.Errorf("%s was written", path)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func FuzzParquet(f *testing.F) {
	type line struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Label int64 `parquet:"label"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[line](&out)
	one := line{}
	one.Image.Bytes, one.Image.Path = []byte("\x89PNG\r\n\x1a\n"), "../a.png"
	if _, err := w.Write([]line{one, one}); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte("PAR1PAR1"))
	for _, forgery := range parquetForgeries(f) {
		f.Add(forgery.file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		d := &Dataset{Dir: dir, root: dir}
		defer allocatesAtMost(t, 256<<20+400*uint64(len(data)))()
		if err := d.readParquetFrom(bytes.NewReader(data), int64(len(data)), "x.parquet", Train); err == nil {
			checkSamples(t, d)
		}
	})
}
