package t81

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// fixtures are JPEGs of every coding (internal/picture/testdata/make.py). Package inference compares their pixels with PIL's.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../testdata/pictures/*.jpg")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		if out[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// A file that ends anywhere before its end is an error, whatever its coding.
func TestEndsEarly(t *testing.T) {
	t.Parallel()
	for name, data := range fixtures(t) {
		if _, err := Decode(t.Context(), data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for cut := 2; cut < len(data); cut++ {
			if _, err := Decode(t.Context(), data[:cut]); err == nil {
				t.Fatalf("%s cut to %d of %d bytes was accepted", name, cut, len(data))
			}
		}
	}
}

// Data that is cut short within a whole file is an error too: the marker behind it comes too early. In arithmetic coding that is
// how scans end, so there it may go unnoticed.
func TestScanEndsEarly(t *testing.T) {
	t.Parallel()
	for name, data := range fixtures(t) {
		frame, err := ReadFrame(bytes.NewReader(data))
		if err != nil || frame.Arithmetic() {
			continue
		}
		last := bytes.LastIndex(data, []byte{0xff, EOI})
		short := append(append([]byte{}, data[:last-12]...), 0xff, EOI)
		if _, err := Decode(t.Context(), short); err == nil {
			t.Errorf("%s without the last bytes of its last scan was accepted", name)
		}
	}
}

func TestDecodingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	gone := errors.New("the visitor left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := Decode(ctx, fixtures(t)["arithmetic.jpg"]); !errors.Is(err, gone) {
		t.Errorf("%v, want the context's", err)
	}
}

// Ordinary files give what the standard library's decoder gives, but for the rounding of the inverse transform.
func TestOrdinaryFiles(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 45, 37))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i / 7)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	ours, err := Decode(t.Context(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 37 {
		for x := range 45 {
			a, b := ours.(*image.Gray).GrayAt(x, y).Y, theirs.(*image.Gray).GrayAt(x, y).Y
			if max(a, b)-min(a, b) > 2 {
				t.Fatalf("(%d,%d) is %d and theirs %d", x, y, a, b)
			}
		}
	}
}

// FuzzDecode: whatever the bytes, an image of the frame's sides or an error.
func FuzzDecode(f *testing.F) {
	for _, data := range fixtures(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := ReadFrame(bytes.NewReader(data))
		if err != nil || frame.Check() != nil || frame.Weight() > 4<<20 || bytes.Count(data, []byte{0xff, SOS}) > 20 {
			return // package picture refuses what has many scans
		}
		img, err := Decode(t.Context(), data)
		if err != nil {
			return
		}
		if size := img.Bounds().Size(); size.X != frame.Width || size.Y != frame.Height {
			t.Fatalf("decoded to %v, the frame says %d×%d", size, frame.Width, frame.Height)
		}
		for y := range frame.Height { // every pixel is there
			for x := range frame.Width {
				img.At(x, y)
			}
		}
	})
}
