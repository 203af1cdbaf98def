package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
)

// ErrNotPicture is a file that is none of the formats the studio reads.
var ErrNotPicture = errors.New("not a picture (" + FormatList + ")")

// Header is what a file says of itself.
type Header struct {
	Format        string // "jpeg", "png", "webp", "bmp", "tiff"
	Width, Height int    // pixels as stored
	Orientation   int    // EXIF orientation 1 to 8; 1 where there is none
	Bytes         int64  // of the file
	Weight        int64  // bytes that decoding takes at most, the file's among them
	Kind          string // what makes it heavier than its pixels: "progressive", "interlaced", …; "" for nothing
	Laborious     bool   // another encoding of the same pixels, without Kind, would be lighter
	Frames        int    // pictures in the file: frames of an animation, pages of a TIFF; the first is the one that is decoded

	decode decodeFunc
}

// Pixels is how many there are.
func (h Header) Pixels() int64 { return int64(h.Width) * int64(h.Height) }

func (h Header) describe() string {
	if h.Kind == "" {
		return h.Format
	}
	return h.Kind + " " + h.Format
}

// format is one kind of file: how it is called, how to know it, and how to read it.
type format struct {
	name     string
	suffixes []string // in lower case, the usual one first
	magic    func(head []byte) bool
	// read completes a header of which Format and Bytes are known: sides, Weight (the decoder's alone) and decode, and what of the
	// rest is not as in most pictures. What will not be decoded is an error here that names it.
	read func(file *io.SectionReader, h *Header) error
}

// decodeFunc decodes a file that is held whole.
type decodeFunc func(ctx context.Context, data []byte) (image.Image, error)

// streamed is a decoder that reads as it goes; its reading ends with the context.
func streamed(decode func(io.Reader) (image.Image, error)) decodeFunc {
	return func(ctx context.Context, data []byte) (image.Image, error) {
		return decode(&interruptible{Reader: bytes.NewReader(data), ctx: ctx})
	}
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
	{"jpeg", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, prefix("\xff\xd8\xff"), readJPEG},
	{"png", []string{".png"}, prefix("\x89PNG\r\n\x1a\n"), readPNG},
	{"webp", []string{".webp"}, func(d []byte) bool { return len(d) >= 12 && string(d[:4]) == "RIFF" && string(d[8:12]) == "WEBP" }, readWebP},
	{"bmp", []string{".bmp", ".dib"}, prefix("BM"), readBMP},
	{"tiff", []string{".tif", ".tiff"}, prefix("II*\x00", "MM\x00*", "II+\x00", "MM\x00+"), readTIFF},
}

// others are pictures that are not read, by how their files begin and from where on.
var others = []struct {
	name, magic string
	at          int
}{
	{"a GIF", "GIF8", 0},
	{"an AVIF", "ftypavi", 4},
	{"a HEIC", "ftyphe", 4}, {"a HEIF", "ftypmif1", 4}, {"a HEIF", "ftypmsf1", 4},
	{"a JPEG XL", "\xff\x0a", 0}, {"a JPEG XL", "\x00\x00\x00\x0cJXL ", 0},
	{"a JPEG 2000", "\x00\x00\x00\x0cjP  ", 0}, {"a JPEG 2000", "\xff\x4f\xff\x51", 0},
	{"a Photoshop file", "8BPS", 0},
	{"an icon", "\x00\x00\x01\x00", 0},
	{"an SVG", "<svg", 0},
	{"a PDF", "%PDF", 0},
}

// notPicture is ErrNotPicture for a file that begins so, with what it is instead where that is known.
func notPicture(head []byte) error {
	for _, o := range others {
		if o.at < len(head) && bytes.HasPrefix(head[o.at:], []byte(o.magic)) {
			return fmt.Errorf("%w: it is %s; save it as PNG or JPEG", ErrNotPicture, o.name)
		}
	}
	return ErrNotPicture
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

// Frames is Header's, for whoever needs nothing else: frames of an animation, pages of a TIFF; 1 where it cannot be told. It reads
// a few places of the file.
func Frames(file io.ReadSeeker) (n int) {
	defer func() {
		if recover() != nil {
			n = 1
		}
	}()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 1
	}
	section := io.NewSectionReader(readerAt(file), 0, size)
	switch Format(span(section, 0, 16)) {
	case "png":
		return pngFrames(section)
	case "webp":
		return max(1, webpFrame(section).frames)
	case "tiff":
		return tiffPages(section)
	}
	return 1
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
		h = Header{Format: f.name, Orientation: 1, Bytes: size, Frames: 1}
		if err := f.read(section, &h); err != nil {
			return h, fmt.Errorf("reading the %s header: %w", f.name, truncation(err))
		}
		if h.Width < 1 || h.Height < 1 || h.Width > maxSide || h.Height > maxSide {
			return h, fmt.Errorf("reading the %s header: the picture is %d×%d pixels", f.name, h.Width, h.Height)
		}
		h.Weight += size + overhead
		return h, nil
	}
	return h, notPicture(head)
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
