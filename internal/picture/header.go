package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// ErrNotPicture is a file that is none of the formats the studio reads.
var ErrNotPicture = errors.New("not a picture (JPEG, PNG, WebP, BMP or TIFF)")

// Header is what a file says of itself.
type Header struct {
	Format        string // "jpeg", "png", "webp", "bmp", "tiff"
	Width, Height int    // pixels as stored
	Orientation   int    // EXIF orientation 1 to 8; 1 where there is none
	Bytes         int64  // of the file
	Weight        int64  // bytes that decoding takes at most, the file's among them
	Kind          string // what makes it heavier than its pixels: "progressive", "interlaced", …; "" for nothing
	Laborious     bool   // another encoding of the same pixels, without Kind, would be lighter
}

// Pixels is how many there are.
func (h Header) Pixels() int64 { return int64(h.Width) * int64(h.Height) }

func (h Header) describe() string {
	if h.Kind == "" {
		return h.Format
	}
	return h.Kind + " " + h.Format
}

// format is one kind of file: how to know it, how to read it, and what that takes.
type format struct {
	name   string
	magic  func(head []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	// weigh completes a header whose format and size are known: Weight (the decoder's alone), Kind and Orientation.
	weigh func(file *io.SectionReader, c image.Config, h *Header)
}

func prefix(magics ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, m := range magics {
			if bytes.HasPrefix(head, []byte(m)) {
				return true
			}
		}
		return false
	}
}

var formats = []format{
	{"jpeg", prefix("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, weighJPEG},
	{"png", prefix("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, weighPNG},
	{"webp", func(d []byte) bool { return len(d) >= 12 && string(d[:4]) == "RIFF" && string(d[8:12]) == "WEBP" }, webp.DecodeConfig, webp.Decode, weighWebP},
	{"bmp", prefix("BM"), bmp.DecodeConfig, bmp.Decode, weighBMP},
	{"tiff", prefix("II*\x00", "MM\x00*"), tiff.DecodeConfig, tiff.Decode, weighTIFF},
}

// Format names the kind of file that begins with head (16 bytes are enough), "" for none that is read.
func Format(head []byte) string {
	for _, f := range formats {
		if f.magic(head) {
			return f.name
		}
	}
	return ""
}

// overhead is what any decoder takes beside its pixels: tables, windows, buffers.
const overhead = 512 << 10

// maxSide keeps products of sides and bytes within an int64, and refuses what no format but a forged one has.
const maxSide = 1 << 24

// readHeader reads what a file says of itself, in a few places and not the whole file.
func readHeader(file io.ReadSeeker) (h Header, err error) {
	defer recovered("reading the header", &err)
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return h, fmt.Errorf("reading the picture: %w", err)
	}
	section := io.NewSectionReader(readerAt(file), 0, size)
	head := make([]byte, min(16, size))
	if _, err := section.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, fmt.Errorf("reading the picture: %w", err)
	}
	for _, f := range formats {
		if !f.magic(head) {
			continue
		}
		c, err := f.config(section)
		if err != nil {
			return h, fmt.Errorf("reading the %s header: %w", f.name, truncation(err))
		}
		if f.name == "webp" { // the canvas and the frame within may disagree
			frame := webpFrame(section)
			c.Width, c.Height = max(c.Width, frame.width), max(c.Height, frame.height)
		}
		if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
			return h, fmt.Errorf("reading the %s header: the picture is %d×%d pixels", f.name, c.Width, c.Height)
		}
		h = Header{Format: f.name, Width: c.Width, Height: c.Height, Orientation: 1, Bytes: size}
		f.weigh(section, c, &h)
		h.Weight += size + overhead
		return h, nil
	}
	return h, ErrNotPicture
}

// readerAt reads a file at offsets.
func readerAt(file io.ReadSeeker) io.ReaderAt {
	if r, ok := file.(io.ReaderAt); ok {
		return r
	}
	return &seeking{file}
}

// seeking reads at offsets by seeking; one goroutine only.
type seeking struct{ file io.ReadSeeker }

func (s *seeking) ReadAt(p []byte, at int64) (int, error) {
	if _, err := s.file.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.file, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// span reads up to n bytes at an offset; fewer where the file ends.
func span(file *io.SectionReader, at int64, n int) []byte {
	if at < 0 || at >= file.Size() {
		return nil
	}
	p := make([]byte, min(int64(n), file.Size()-at))
	got, _ := file.ReadAt(p, at)
	return p[:got]
}

// bytesPerPixel of the image a decoder makes, by its colour model.
func bytesPerPixel(m color.Model) int64 {
	switch m {
	case color.GrayModel, color.AlphaModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	return 4
}

// weighBMP: one image, row by row.
func weighBMP(_ *io.SectionReader, c image.Config, h *Header) {
	h.Weight = h.Pixels()*bytesPerPixel(c.ColorModel) + 4*int64(h.Width)
}
