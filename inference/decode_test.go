package inference

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
)

// pngHeader is a PNG of which only the header exists.
func pngHeader(width, height uint32) []byte {
	body := []byte("IHDR")
	body = binary.BigEndian.AppendUint32(body, width)
	body = binary.BigEndian.AppendUint32(body, height)
	body = append(body, 8, 2, 0, 0, 0)
	out := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	out = append(out, body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
}

// photograph is a small synthetic colour picture.
func photograph(width, height int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), uint8((x ^ y) & 255), 255})
		}
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHugePictureIsRefusedFromItsHeader(t *testing.T) {
	t.Parallel()
	p := torchvision(t, nil)
	err := pixels(t, p, pngHeader(50000, 50000), make([]float32, p.Size()))
	var large *picture.TooLargeError
	if !errors.As(err, &large) || large.Header.Width != 50000 || large.Header.Height != 50000 {
		t.Fatalf("error %v, want *TooLargeError of 50000×50000", err)
	}
	for _, part := range []string{"50000×50000", "16.3 GiB", "make it smaller", "--max-picture-mb"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// pixels runs a preprocessor on a file's bytes.
func pixels(t testing.TB, p *Preprocessor, data []byte, dst []float32) error {
	t.Helper()
	return p.Pixels(t.Context(), bytes.NewReader(data), dst)
}

// viewOf is what the network sees of a file's bytes.
func viewOf(t testing.TB, p *Preprocessor, data []byte) (view *raster, err error) {
	t.Helper()
	err = p.view(t.Context(), bytes.NewReader(data), func(r *raster) error { view = r; return nil })
	return view, err
}

func TestBrokenPicturesAreErrors(t *testing.T) {
	t.Parallel()
	p := torchvision(t, nil)
	dst := make([]float32, p.Size())
	if err := pixels(t, p, []byte("this is a text file named photo.jpg\n"), dst); !errors.Is(err, picture.ErrNotPicture) {
		t.Errorf("a text file: %v, want ErrNotPicture", err)
	}
	if err := pixels(t, p, nil, dst); !errors.Is(err, picture.ErrNotPicture) {
		t.Errorf("an empty file: %v, want ErrNotPicture", err)
	}
	whole := map[string][]byte{"jpeg": asJPEG(t, photograph(300, 200)), "png": asPNG(t, photograph(300, 200))}
	for _, path := range pictures(t) {
		whole[filepath.Base(path)] = readFile(t, path)
	}
	for name, data := range whole {
		if err := pixels(t, p, data, dst); err != nil {
			t.Errorf("%s, whole: %v", name, err)
		}
		for _, keep := range []int{len(data) * 9 / 10, len(data) / 2, len(data) / 4, 30, 13} {
			if err := pixels(t, p, data[:keep], dst); err == nil {
				t.Errorf("%s cut to %d of %d bytes was accepted", name, keep, len(data))
			}
		}
	}
	if err := pixels(t, p, whole["jpeg"][:len(whole["jpeg"])/2], dst); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("half a JPEG: %v, want an error that says truncated", err)
	}
	if err := pixels(t, p, whole["jpeg"], dst[1:]); err == nil {
		t.Error("a destination that is too small was accepted")
	}
}

// withOrientation puts an EXIF segment behind a JPEG's first marker.
func withOrientation(jpeg []byte, orientation byte) []byte {
	segment := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
	out := append([]byte{}, jpeg[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(segment)))
	out = append(out, segment...)
	return append(out, jpeg[2:]...)
}

// TestOrientation has a picture that is bright in its upper left corner only.
func TestOrientation(t *testing.T) {
	t.Parallel()
	const w, h = 48, 32
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h / 4 {
		for x := range w / 4 {
			img.SetGray(x, y, color.Gray{255})
		}
	}
	upright := func(m *manifest.Manifest) { m.Resize, m.Crop, m.EXIF = nil, [2]int{w, w}, true }
	// Where the corner is once the picture is shown as the orientation says: right, bottom.
	for orientation, want := range map[byte][2]bool{
		1: {false, false}, 2: {true, false}, 3: {true, true}, 4: {false, true},
		5: {false, false}, 6: {true, false}, 7: {true, true}, 8: {false, true},
	} {
		data := withOrientation(asJPEG(t, img), orientation)
		var r *raster
		err := decode(t.Context(), bytes.NewReader(data), func(picture.Header) int64 { return 0 }, func(as *raster, h picture.Header) error {
			if h.Orientation != int(orientation) {
				t.Errorf("orientation %d read as %d", orientation, h.Orientation)
			}
			r = as.orient(h.Orientation)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if turned := orientation >= 5; turned != (r.width == h && r.height == w) {
			t.Errorf("orientation %d gives %d×%d", orientation, r.width, r.height)
		}
		for _, right := range []bool{false, true} {
			for _, bottom := range []bool{false, true} {
				x, y := 0, 0
				if right {
					x = r.width - 1
				}
				if bottom {
					y = r.height - 1
				}
				bright := r.pix[3*(y*r.width+x)] > 200
				if bright != (want == [2]bool{right, bottom}) {
					t.Errorf("orientation %d: corner right=%v bottom=%v bright is %v", orientation, right, bottom, bright)
				}
			}
		}
		asked, ignored := torchvision(t, upright), torchvision(t, func(m *manifest.Manifest) { upright(m); m.EXIF = false })
		a, err := viewOf(t, asked, data)
		if err != nil {
			t.Fatal(err)
		}
		b, err := viewOf(t, ignored, data)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(a.pix, b.pix); same != (orientation == 1) {
			t.Errorf("orientation %d: asked for and ignored give the same picture: %v", orientation, same)
		}
	}
}

// The expected numbers are what torchvision 0.14 computes.
func TestViewGeometry(t *testing.T) {
	t.Parallel()
	side := manifest.Shorter
	for _, c := range []struct {
		name          string
		resize        manifest.Size
		crop          [2]int
		width, height int
		want          annotator.ViewRegion
	}{
		// 640×480 → 341×256 (int(256·640/480) = 341), crop at (58, 16): round(58.5) is 58, to even.
		{"landscape", side(256), [2]int{224, 224}, 640, 480,
			annotator.ViewRegion{X: 58 * 640. / 341, Y: 16 * 480. / 256, Width: 224 * 640. / 341, Height: 224 * 480. / 256}},
		{"as it is", nil, [2]int{224, 224}, 224, 224, annotator.ViewRegion{Width: 224, Height: 224}},
		// 100 px into a crop of 224: padded by 62 on every side.
		{"padded", nil, [2]int{224, 224}, 100, 100, annotator.ViewRegion{X: -62, Y: -62, Width: 224, Height: 224}},
		{"odd padding", nil, [2]int{4, 4}, 3, 4, annotator.ViewRegion{X: 0, Y: 0, Width: 4, Height: 4}},
		{"portrait", side(8), [2]int{8, 8}, 10, 23, // 8×18 (int(18.4)), crop top 5
			annotator.ViewRegion{X: 0, Y: 5 * 23. / 18, Width: 10, Height: 8 * 23. / 18}},
	} {
		p := torchvision(t, func(m *manifest.Manifest) { m.Resize, m.Crop = c.resize, c.crop })
		got := p.View(c.width, c.height, 6) // the orientation is not asked for
		for _, d := range []float64{got.X - c.want.X, got.Y - c.want.Y, got.Width - c.want.Width, got.Height - c.want.Height} {
			if math.Abs(d) > 1e-9 {
				t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
				break
			}
		}
	}
	p := torchvision(t, func(m *manifest.Manifest) { m.EXIF, m.Resize = true, nil })
	if got, want := p.View(300, 500, 6), (annotator.ViewRegion{X: 138, Y: 38, Width: 224, Height: 224, Picture: [2]int{500, 300}}); got != want {
		t.Errorf("a quarter turn: %+v, want %+v", got, want)
	}
}

func TestChannelsAndNormalisation(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.RGBA{10, 20, 30, 255})
	img.Set(1, 0, color.RGBA{40, 50, 60, 255})
	data := asPNG(t, img)
	for channels, want := range map[string][]float32{
		"RGB": {10, 40, 20, 50, 30, 60},
		"BGR": {30, 60, 20, 50, 10, 40},
		"L":   {18, 48},
	} {
		p := torchvision(t, func(m *manifest.Manifest) {
			m.Resize, m.Crop, m.Channels = nil, [2]int{1, 2}, channels
			m.Mean, m.Std = []float32{0.5, 0.5, 0.5}, []float32{0.25, 0.25, 0.25}
			if channels == "L" {
				m.Mean, m.Std = m.Mean[:1], m.Std[:1]
			}
		})
		got := make([]float32, p.Size())
		if err := pixels(t, p, data, got); err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			if w := (v/255 - 0.5) / 0.25; math.Abs(float64(got[i]-w)) > 1e-5 {
				t.Errorf("%s: value %d is %v, want %v", channels, i, got[i], w)
			}
		}
	}
}

func TestManifestsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*manifest.Manifest){
		"interpolation": func(m *manifest.Manifest) { m.Interpolation = "box" },
		"channels":      func(m *manifest.Manifest) { m.Channels = "CMYK" },
		"crop":          func(m *manifest.Manifest) { m.Crop = [2]int{0, 224} },
		"resize":        func(m *manifest.Manifest) { m.Resize = manifest.Shorter(0) },
		"std":           func(m *manifest.Manifest) { m.Std = []float32{1, 0, 1} },
		"mean":          func(m *manifest.Manifest) { m.Mean = []float32{0.5} },
	} {
		m := manifest.Manifest{Crop: [2]int{224, 224}}
		change(&m)
		if _, err := NewPreprocessor(m); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a bad %s: %v, want an error that names it", name, err)
		}
	}
}

// TestCropWithoutResizing checks single pixels: nothing is moved or filtered, and what lies beyond the
// picture is black.
func TestCropWithoutResizing(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{40, 60}, {60, 40}, {30, 20}, {61, 75}, {48, 48}} {
		width, height := size[0], size[1]
		img := photograph(width, height).(*image.RGBA)
		p := torchvision(t, func(m *manifest.Manifest) { m.Resize, m.Crop = nil, [2]int{48, 48} })
		view, err := viewOf(t, p, asPNG(t, img))
		if err != nil {
			t.Fatal(err)
		}
		region := p.View(width, height, 1)
		for y := range 48 {
			for x := range 48 {
				want := img.RGBAAt(int(region.X)+x, int(region.Y)+y) // zero outside
				if got := view.pix[3*(48*y+x):][:3]; got[0] != want.R || got[1] != want.G || got[2] != want.B {
					t.Fatalf("%v: pixel (%d,%d) is %v, want %v", size, x, y, got, want)
				}
			}
		}
	}
}

// FuzzPreprocess feeds bytes from outside to every codec, to EXIF and to the resampling behind them.
func FuzzPreprocess(f *testing.F) {
	f.Add(asJPEG(f, photograph(9, 7)))
	f.Add(withOrientation(asJPEG(f, photograph(9, 7)), 6))
	f.Add(asPNG(f, photograph(5, 3)))
	f.Add(pngHeader(50000, 50000))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x00\x00"))
	f.Add([]byte("BM"))
	f.Add(readFile(f, filepath.Join(fixture.Reference(f), "preprocess", "tiny.png")))
	files, err := filepath.Glob("../internal/picture/testdata/*/*.*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no pictures: %v", err)
	}
	for _, file := range files {
		if data := readFile(f, file); len(data) < 2000 {
			f.Add(data)
		}
	}
	p, err := NewPreprocessor(manifest.Manifest{Resize: manifest.Shorter(16), Crop: [2]int{12, 20}, EXIF: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		header, err := picture.Process().Header(bytes.NewReader(data))
		if err == nil && header.Weight > 16<<20 {
			return // a real, large picture: package picture's tests have those
		}
		dst := make([]float32, p.Size())
		if err := pixels(t, p, data, dst); err != nil {
			return
		}
		for i, v := range dst {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("value %d is %v", i, v)
			}
		}
		if err != nil {
			t.Fatalf("a picture that decodes has no header: %v", err)
		}
		if v := p.View(header.Width, header.Height, header.Orientation); !(v.Width > 0 && v.Height > 0) {
			t.Fatalf("the view is empty: %+v", v)
		}
	})
}

func BenchmarkPreprocess(b *testing.B) {
	p := torchvision(b, nil)
	for _, path := range pictures(b) {
		data := readFile(b, path)
		b.Run(filepath.Base(path), func(b *testing.B) {
			dst := make([]float32, p.Size())
			for b.Loop() {
				if err := pixels(b, p, data, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
