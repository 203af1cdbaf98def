package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/internal/picture/picturetest"
)

// fixtures are the files of a folder of testdata, by name, without the references of pictures/.
func fixtures(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	must(t, err)
	out := map[string][]byte{}
	for _, path := range paths {
		name := filepath.Base(path)
		if filepath.Ext(strings.TrimSuffix(name, ".png")) != "" && strings.HasSuffix(name, ".png") {
			continue
		}
		data, err := os.ReadFile(path)
		must(t, err)
		out[name] = data
	}
	if len(out) == 0 {
		t.Fatalf("testdata/%s is empty", folder)
	}
	return out
}

// What is not read is refused by name from its header, when it is imported and not when it is scanned.
func TestWhatIsNotReadIsRefusedByName(t *testing.T) {
	t.Parallel()
	says := map[string]string{
		"12-bits.jpg": "12 bits a sample", "hierarchical.jpg": "hierarchical",
		"16-bits.bmp": "16 bits a pixel", "os2.bmp": "OS/2", "runs.bmp": "RLE",
		"big.tif": "BigTIFF", "cmyk.tif": "CMYK", "float.tif": "no whole numbers", "grey-alpha.tif": "2 samples a pixel",
		"jpeg.tif": "compressed with JPEG", "ycbcr.tif": "YCbCr", "zstd.tif": "Zstandard",
		"animated.gif": "a GIF", "photograph.avif": "an AVIF",
	}
	files := fixtures(t, "refused")
	for name, data := range files {
		_, err := NewDecoder(Limits{}).Header(bytes.NewReader(data))
		if err == nil || says[name] == "" || !strings.Contains(err.Error(), says[name]) || !strings.Contains(err.Error(), "save it") {
			t.Errorf("%s: %v, want an error that says %q and what to do", name, err, says[name])
		}
		if suffix := filepath.Ext(name); (suffix == ".gif" || suffix == ".avif") != errors.Is(err, ErrNotPicture) {
			t.Errorf("%s: ErrNotPicture or not: %v", name, err)
		}
	}
	for name := range says {
		if files[name] == nil {
			t.Errorf("%s is not there", name)
		}
	}
}

// What the header accepts is decoded, to the sides that it said, and how many pictures there are is told.
func TestWhatIsReadIsDecoded(t *testing.T) {
	t.Parallel()
	frames := map[string]int{"pages.tif": 2, "animated.png": 2}
	d := NewDecoder(Limits{})
	for name, data := range fixtures(t, "pictures") {
		err := d.Decode(t.Context(), bytes.NewReader(data), nil, func(_ context.Context, img image.Image, h Header) error {
			want := max(1, frames[name])
			if filepath.Ext(name) == ".webp" {
				want = 2
			}
			if n := Frames(bytes.NewReader(data)); n != want {
				t.Errorf("%s: %d pictures, want %d", name, n, want)
			}
			if size := img.Bounds().Size(); size.X != h.Width || size.Y != h.Height || h.Frames != want {
				t.Errorf("%s: %v of %d pictures, the header says %d×%d and %d", name, size, want, h.Width, h.Height, h.Frames)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, keep := range []int{len(data) / 2, len(data) / 4, 40} {
			if name == "pages.tif" || name == "animated.png" || filepath.Ext(name) == ".webp" {
				continue // what is gone may be behind the first picture
			}
			if err := d.Decode(t.Context(), bytes.NewReader(data[:keep]), nil, func(context.Context, image.Image, Header) error { return nil }); err == nil {
				t.Errorf("%s cut to %d of %d bytes was accepted", name, keep, len(data))
			}
		}
	}
}

// A picture that package t81 decodes is weighed before, and its decoding ends with the context.
func TestUnevenPicturesAreBounded(t *testing.T) {
	t.Parallel()
	huge := picturetest.JPEG{Width: 40000, Height: 40000, Sampling: []byte{0x22, 0x21, 0x12}}.Encode()
	var large *TooLargeError
	if _, err := NewDecoder(Limits{One: 2 << 30}).Header(bytes.NewReader(huge)); !errors.As(err, &large) || large.Weight < 5*40000*40000 {
		t.Errorf("40000×40000 pixels in uneven proportions: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the visitor left")
	time.AfterFunc(10*time.Millisecond, func() { cancel(gone) })
	slow := picturetest.JPEG{Width: 12000, Height: 12000, Sampling: []byte{0x22, 0x21, 0x12}}.Encode()
	begun := time.Now()
	err := NewDecoder(Limits{One: 2 << 30, All: 2 << 30}).Decode(ctx, bytes.NewReader(slow), nil, func(context.Context, image.Image, Header) error { return nil })
	if !errors.Is(err, gone) {
		t.Errorf("who left while it was decoded has %v after %v", err, time.Since(begun))
	}
}

// A WebP that is cut off is refused from its header, also behind the first frame of an animation, as libwebp and PIL do.
func TestCutOffWebPIsRefused(t *testing.T) {
	t.Parallel()
	whole := fixtures(t, "pictures")["animated.webp"]
	behind := bytes.LastIndex(whole, []byte("ANMF"))
	if Frames(bytes.NewReader(whole)) < 2 || behind < 0 {
		t.Fatal("no animation to cut")
	}
	for _, n := range []int{behind, len(whole) - 1} {
		if _, err := NewDecoder(Limits{}).Header(bytes.NewReader(whole[:n])); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	if _, err := NewDecoder(Limits{}).Header(bytes.NewReader(append(bytes.Clone(whole), 0, 0))); err != nil {
		t.Errorf("with bytes behind its end: %v", err)
	}
}
