package jobs

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/picture/picturetest"
)

// An example is shown as its EXIF orientation says: here what is stored as the left half is the upper one.
func TestExamplesStandUpright(t *testing.T) {
	t.Parallel()
	stored := image.NewGray(image.Rect(0, 0, 320, 160))
	for y := range 160 {
		for x := range 160 {
			stored.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, stored); err != nil {
		t.Fatal(err)
	}
	const turnRight = 6
	from, to := filepath.Join(t.TempDir(), "a.png"), filepath.Join(t.TempDir(), "examples", "0.jpg")
	if err := os.WriteFile(from, picturetest.PNGChunk(file.Bytes(), "eXIf", []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"+string(byte(turnRight))+"\x00\x00\x00\x00\x00\x00")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeExample(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	small, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	example, err := jpeg.Decode(small)
	if err != nil {
		t.Fatal(err)
	}
	grey := func(x, y int) uint8 { return color.GrayModel.Convert(example.At(x, y)).(color.Gray).Y } //nolint:forcetypeassert // the model's own colour
	if size := example.Bounds().Size(); size != image.Pt(80, 160) || grey(40, 20) < 200 || grey(40, 140) > 50 {
		t.Errorf("%v, above %d, below %d", size, grey(40, 20), grey(40, 140))
	}
}
