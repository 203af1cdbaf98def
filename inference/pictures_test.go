package inference

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
)

func manifestJSON(t testing.TB, change func(*manifest.Manifest)) json.RawMessage {
	t.Helper()
	m := manifest.Manifest{Resize: manifest.Shorter(256), Crop: [2]int{224, 224}, Channels: "RGB"}
	if change != nil {
		change(&m)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func render(t testing.TB, p *Pictures, version annotator.Version, img annotator.Image, kind annotator.PictureKind) (image.Image, []byte) {
	t.Helper()
	r, media, err := p.Render(t.Context(), version, img, kind)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind == annotator.PictureOriginal {
		return nil, data
	}
	if media != "image/jpeg" {
		t.Errorf("%s is %s", kind, media)
	}
	out, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out, data
}

func TestRenderings(t *testing.T) {
	t.Parallel()
	store := blobs{"wide": asPNG(t, photograph(2000, 1200)), "small": asPNG(t, photograph(100, 90))}
	p := NewPictures(store, t.TempDir(), 0, slog.New(slog.DiscardHandler))
	version := annotator.Version{Manifest: manifestJSON(t, nil)}
	wide := annotator.Image{Name: "wide", Hash: "wide", Width: 2000, Height: 1200}
	for _, c := range []struct {
		kind          annotator.PictureKind
		width, height int
	}{
		{annotator.PictureWhole, 1600, 960},
		{annotator.PictureView, 1024, 1024}, // of the 1050 rows that 224 of 256 are
		{annotator.PictureThumb, 320, 320},
	} {
		img, _ := render(t, p, version, wide, c.kind)
		// The view is square on the network's side; in the original, whose long side is rounded, almost.
		if b := img.Bounds(); max(b.Dx(), b.Dy()) != max(c.width, c.height) || abs(b.Dx()-c.width) > 3 || abs(b.Dy()-c.height) > 3 {
			t.Errorf("%s is %v, want %d×%d", c.kind, b, c.width, c.height)
		}
	}
	if _, data := render(t, p, version, wide, annotator.PictureOriginal); !bytes.Equal(data, store["wide"]) {
		t.Error("the original is not the file")
	}
	// The photograph's red grows with x, its green with y: so a pixel tells where it came from.
	view, err := p.View(version, wide)
	if err != nil {
		t.Fatal(err)
	}
	img, _ := render(t, p, version, wide, annotator.PictureView)
	b := img.Bounds()
	for _, at := range [][2]float64{{0.1, 0.1}, {0.5, 0.5}, {0.9, 0.2}, {0.3, 0.9}} {
		red, green, _, _ := img.At(int(at[0]*float64(b.Dx())), int(at[1]*float64(b.Dy()))).RGBA()
		wantRed := (view.X + at[0]*view.Width) / 2000 * 255
		wantGreen := (view.Y + at[1]*view.Height) / 1200 * 255
		if d := float64(red>>8) - wantRed; d > 6 || d < -6 {
			t.Errorf("at %v red is %d, want %.0f", at, red>>8, wantRed)
		}
		if d := float64(green>>8) - wantGreen; d > 6 || d < -6 {
			t.Errorf("at %v green is %d, want %.0f", at, green>>8, wantGreen)
		}
	}
	// A picture that the network sees padded is shown padded, and not enlarged.
	padded := annotator.Version{Manifest: manifestJSON(t, func(m *manifest.Manifest) { m.Resize = nil })}
	img, _ = render(t, p, padded, annotator.Image{Hash: "small", Width: 100, Height: 90}, annotator.PictureView)
	if b := img.Bounds(); b.Dx() != 224 || b.Dy() != 224 {
		t.Errorf("the padded view is %v", b)
	}
	if r, g, b, _ := img.At(20, 112).RGBA(); r>>8 > 16 || g>>8 > 16 || b>>8 > 16 {
		t.Error("beside the picture the view is not black")
	}
	if _, g, _, _ := img.At(112, 140).RGBA(); g>>8 < 100 {
		t.Error("within the picture the view is black")
	}
}

func abs(v int) int { return max(v, -v) }

func TestRenderingsAreKept(t *testing.T) {
	t.Parallel()
	store := blobs{"a": asPNG(t, photograph(64, 64))}
	dir := t.TempDir()
	version, img := annotator.Version{Manifest: manifestJSON(t, nil)}, annotator.Image{Hash: "a", Width: 64, Height: 64}
	var all sync.WaitGroup
	p := NewPictures(store, dir, 0, slog.New(slog.DiscardHandler))
	for range 4 {
		all.Go(func() {
			r, _, err := p.Render(t.Context(), version, img, annotator.PictureThumb)
			if err != nil {
				t.Error(err)
				return
			}
			r.Close()
		})
	}
	all.Wait()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v is kept (%v), want one file", files, err)
	}
	delete(store, "a")
	_, first := render(t, NewPictures(store, dir, 0, slog.New(slog.DiscardHandler)), version, img, annotator.PictureThumb) // from the folder alone
	kept, err := os.ReadFile(files[0])
	if err != nil || !bytes.Equal(first, kept) {
		t.Errorf("what is kept differs from what is served (%v)", err)
	}
	// Another crop is another picture, and there is no original to make it from.
	other := annotator.Version{Manifest: manifestJSON(t, func(m *manifest.Manifest) { m.Crop = [2]int{100, 100} })}
	if _, _, err := p.Render(t.Context(), other, img, annotator.PictureThumb); err == nil {
		t.Error("the rendering of another preprocessing was served")
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	p := NewPictures(blobs{"text": []byte("words"), "huge": pngHeader(50000, 50000), "ok": asPNG(t, photograph(8, 8))}, "", 0, slog.New(slog.DiscardHandler))
	version := annotator.Version{Manifest: manifestJSON(t, nil)}
	if _, _, err := p.Render(t.Context(), version, annotator.Image{Hash: "text"}, annotator.PictureThumb); !errors.Is(err, picture.ErrNotPicture) {
		t.Errorf("a text file: %v", err)
	}
	var large *picture.TooLargeError
	if _, _, err := p.Render(t.Context(), version, annotator.Image{Hash: "huge"}, annotator.PictureWhole); !errors.As(err, &large) {
		t.Errorf("a huge picture: %v", err)
	}
	var invalid *annotator.ValidationError
	if _, _, err := p.Render(t.Context(), version, annotator.Image{Hash: "ok"}, "poster"); !errors.As(err, &invalid) {
		t.Errorf("an unknown rendering: %v", err)
	}
	if _, err := p.View(version, annotator.Image{}); err == nil {
		t.Error("the view of a picture without pixels was computed")
	}
	if _, err := p.View(annotator.Version{Manifest: json.RawMessage("{")}, annotator.Image{Width: 1, Height: 1}); err == nil {
		t.Error("a broken manifest was accepted")
	}
}
