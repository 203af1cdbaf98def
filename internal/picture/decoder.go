package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/abn-studio/studio/internal/memory"
)

// Limits bound what decoding takes, in bytes.
type Limits struct {
	One int64 // one picture; what weighs more is refused
	All int64 // all pictures that are decoded at the same time; what weighs more than that is decoded alone
}

// DefaultLimits follow from the memory there is: all pictures together take an eighth of it, one at most a quarter and at
// most 2 GiB, which is 100 megapixels of any format.
func DefaultLimits(memory int64) Limits {
	return Limits{One: min(memory/4, 2<<30), All: memory / 8}
}

// decodeWithin bounds the decoding of one picture: a hundred times what the largest takes.
const decodeWithin = 3 * time.Minute

// Decoder decodes pictures within limits. It is safe for concurrent use; whoever comes first is served first.
type Decoder struct {
	limits Limits
	memory *semaphore.Weighted
}

// NewDecoder makes a decoder with a budget of its own. A process has one: see Process. Limits of 0 are the defaults.
func NewDecoder(l Limits) *Decoder {
	standard := DefaultLimits(memory.Limit())
	if l.One <= 0 {
		l.One = standard.One
	}
	if l.All <= 0 {
		l.All = standard.All
	}
	return &Decoder{limits: l, memory: semaphore.NewWeighted(l.All)}
}

var process atomic.Pointer[Decoder]

// Process is the decoder that everything in this process shares.
func Process() *Decoder {
	if d := process.Load(); d != nil {
		return d
	}
	process.CompareAndSwap(nil, NewDecoder(Limits{}))
	return process.Load()
}

// SetLimits gives Process other limits. It is called once, before anything is decoded.
func SetLimits(l Limits) { process.Store(NewDecoder(l)) }

// TooLargeError is a picture that would take more memory than one picture may.
type TooLargeError struct {
	Header Header
	Weight int64 // bytes, with what the caller makes of the pixels
	Limit  int64
}

func (e *TooLargeError) Error() string {
	save := "make it smaller"
	if e.Header.Laborious {
		save = "make it smaller, save it without " + e.Header.Kind
	}
	return fmt.Sprintf("the picture is %d×%d pixels (%s) and takes %s to decode, over the limit of %s: %s, or raise --max-picture-mb (STUDIO_MAX_PICTURE_MB)",
		e.Header.Width, e.Header.Height, e.Header.describe(), size(e.Weight), size(e.Limit), save)
}

// size writes bytes for people.
func size(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", max(1, float64(bytes)/(1<<20)))
}

// Header reads what a file says of itself and refuses what Decode would refuse for its size. The pixels may still turn out
// to be broken. file is read from its start, wherever it stands.
func (d *Decoder) Header(file io.ReadSeeker) (Header, error) {
	h, err := readHeader(file)
	if err != nil {
		return h, err
	}
	return h, d.admit(h, h.Weight)
}

func (d *Decoder) admit(h Header, weight int64) error {
	if weight > d.limits.One {
		return &TooLargeError{Header: h, Weight: weight, Limit: d.limits.One}
	}
	return nil
}

// decodingKey marks the context of whoever holds a part of the budget.
type decodingKey struct{}

// Decode decodes a file and hands the pixels to use. They must not be kept: the memory is given back when use returns.
// own says what use allocates for itself, such as a copy of the pixels in another form (nil: nothing); it counts like the
// decoder's own. Decode waits for memory no longer than ctx, and within use it must not be called again: that could wait for itself.
//
// Errors: ErrNotPicture, *TooLargeError, what is wrong with the file, what use returns, or the context's.
func (d *Decoder) Decode(ctx context.Context, file io.ReadSeeker, own func(Header) int64, use func(context.Context, image.Image, Header) error) error {
	if ctx.Value(decodingKey{}) != nil {
		return errors.New("a picture was decoded while another one was held")
	}
	h, err := readHeader(file)
	if err != nil {
		return err
	}
	weight := h.Weight
	if own != nil {
		weight += own(h)
	}
	if err := d.admit(h, weight); err != nil {
		return err
	}
	weight = min(weight, d.limits.All) // more than all of it there is not: it has the budget to itself
	if err := d.memory.Acquire(ctx, weight); err != nil {
		return context.Cause(ctx)
	}
	defer func() {
		if weight >= d.limits.All/8 {
			// What is let go is garbage, and memory only once it has been collected: before others take it.
			runtime.GC()
		}
		d.memory.Release(weight)
	}()
	return decode(context.WithValue(ctx, decodingKey{}, true), file, h, use)
}

// decode is Decode once the memory is there.
func decode(ctx context.Context, file io.ReadSeeker, h Header, use func(context.Context, image.Image, Header) error) error {
	img, err := pixels(ctx, file, h)
	if err != nil {
		return err
	}
	return use(ctx, img, h)
}

// pixels reads a file whose header is known.
func pixels(ctx context.Context, file io.ReadSeeker, h Header) (img image.Image, err error) {
	// The codecs are other people's; whatever they do with hostile bytes becomes an error.
	defer recovered("decoding the "+h.Format, &err)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the picture: %w", err)
	}
	data := make([]byte, h.Bytes)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, fmt.Errorf("reading the picture: %w", err)
	}
	now, err := readHeader(bytes.NewReader(data))
	if err != nil || now.Weight > h.Weight {
		return nil, errors.New("the picture's file was changed while it was read")
	}
	if h.Format == "jpeg" {
		if data, err = boundScans(data, h); err != nil {
			return nil, err
		}
	}
	bounded, cancel := context.WithTimeoutCause(ctx, decodeWithin, fmt.Errorf("decoding the %s took more than %v", h.Format, decodeWithin))
	defer cancel()
	if img, err = now.decode(bounded, data); err != nil {
		err = fmt.Errorf("decoding the %s: %w", h.Format, truncation(err))
	}
	if bounded.Err() != nil {
		return nil, context.Cause(bounded)
	}
	return img, err
}

// interruptible ends the reading of a file when its context ends.
type interruptible struct {
	*bytes.Reader
	ctx context.Context
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// ReadAt implements io.ReaderAt, which package tiff uses where it is there.
func (r *interruptible) ReadAt(p []byte, at int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.ReadAt(p, at)
}

// recovered turns a panic of a codec into an error.
func recovered(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: the file is malformed: %v", doing, p)
	}
}

// truncation says in words what an early end of file means.
func truncation(err error) error {
	// The codecs' own words for an end within the pixels.
	shortScan, shortRows, shortData := jpeg.FormatError("short Huffman data"), png.FormatError("not enough pixel data"), png.FormatError(io.ErrUnexpectedEOF.Error())
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, shortScan) || errors.Is(err, shortRows) || errors.Is(err, shortData) {
		return fmt.Errorf("the file ends too early (truncated): %w", err)
	}
	return err
}
