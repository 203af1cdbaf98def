package inference

import (
	"bytes"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// The folder of renderings stays below its limit: the least recently used rendering is removed, others stay.
func TestRenderingsOnDiskAreBounded(t *testing.T) {
	t.Parallel()
	store := blobs{}
	for _, name := range []string{"a", "b", "c", "d"} {
		store[name] = asPNG(t, photograph(400, 300))
	}
	dir := t.TempDir()
	p := NewPictures(store, dir, 0, slog.New(slog.DiscardHandler))
	version := annotator.Version{Manifest: manifestJSON(t, nil)}
	show := func(name string) (path string, size int64) {
		t.Helper()
		img := annotator.Image{Name: name, Hash: name, Width: 400, Height: 300}
		r, _, err := p.Render(t.Context(), version, img, annotator.PictureThumb)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		pre, err := p.preprocessor(version)
		if err != nil {
			t.Fatal(err)
		}
		return p.path(pre, img, annotator.PictureThumb), int64(len(data))
	}
	used := func(path string, ago time.Duration) {
		t.Helper()
		then := time.Now().Add(-ago)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	a, size := show("a")
	p.cache = boundPictures(dir, 3*size+size/2)
	b, _ := show("b")
	c, _ := show("c")
	used(a, 3*time.Hour)
	used(b, 4*time.Hour)
	used(c, 2*time.Hour)
	show("b") // looked at again: now a is the one unused for longest
	d, _ := show("d")
	for path, there := range map[string]bool{a: false, b: true, c: true, d: true} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path)[:6], err == nil, there)
		}
	}
	if _, size := show("a"); size == 0 { // and can be rendered again
		t.Error("a rendering that was removed does not come back")
	}
}
