package annotator

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/abn-studio/studio/internal/attention"
)

// SegmenterKind is a form in which interactive segmenters are exported.
type SegmenterKind string

// The kinds. MobileSAM has SAM's form.
const (
	SegmenterSAM       SegmenterKind = "sam"
	SegmenterEfficient SegmenterKind = "efficientsam"
)

// SegmenterKinds are all of them.
var SegmenterKinds = []SegmenterKind{SegmenterSAM, SegmenterEfficient}

// Name is the kind's name as people read it.
func (k SegmenterKind) Name() string {
	if k == SegmenterEfficient {
		return "EfficientSAM"
	}
	return "SAM"
}

// SegmenterPixels is how an encoder takes a picture's values.
type SegmenterPixels string

// The ways. The encoder's graph tells which (inference.ReadSegmenter), unless one is named.
const (
	PixelsNormalised SegmenterPixels = "normalised" // (v−mean)/std with SAM's own figures
	PixelsBytes      SegmenterPixels = "0-255"
	PixelsUnit       SegmenterPixels = "0-1"
)

// SegmenterPixelWays are all of them.
var SegmenterPixelWays = []SegmenterPixels{PixelsNormalised, PixelsBytes, PixelsUnit}

// Segmenter is the studio's interactive segmenter: an encoder, which runs once for a picture, and a decoder, which answers clicks.
type Segmenter struct {
	Name         string          `json:"name" doc:"The encoder's file."`
	Kind         SegmenterKind   `json:"kind"`
	Pixels       SegmenterPixels `json:"pixels" doc:"How the encoder takes a picture's values."`
	EncoderHash  string          `json:"encoder_hash"`
	EncoderBytes int64           `json:"encoder_bytes"`
	DecoderHash  string          `json:"decoder_hash"`
	DecoderBytes int64           `json:"decoder_bytes"`
	AddedAt      time.Time       `json:"added_at"`
}

// Click is a place of the model's view, in shares of its width and height, and what a segmenter is told of it.
type Click struct {
	X   float64 `json:"x" bound:"share"`
	Y   float64 `json:"y" bound:"share"`
	Add bool    `json:"add" doc:"The region holds this place; else it does not."`
}

// LargerSegmenters says what to do about one whose files are beyond DefaultMaxModelBytes.
const LargerSegmenters = "add it on the server with 'studio model segmenter', or start the server with a larger --max-model-mb"

// MaxClicks bounds the clicks of one region.
const MaxClicks = 64

// Segment is what a segmenter answers to clicks: how much of each cell of the version's grid lies in the mask, by area.
type Segment struct {
	Height       int       `json:"h"`
	Width        int       `json:"w"`
	Coverage     []float32 `json:"coverage" doc:"h·w shares, row by row."`
	Encoder      string    `json:"encoder" doc:"The segmenter's encoder, by its hash."`
	Milliseconds float64   `json:"milliseconds"` // time the segmenter took
}

// SegmenterError is the error of a segmenter that is there and cannot be used. Everything else goes on working.
type SegmenterError struct {
	Name string // the segmenter's
	Err  error
}

func (e *SegmenterError) Error() string {
	return fmt.Sprintf("the segmenter %s does not work: %v. “Select what looks alike” (Q) still does", e.Name, e.Err)
}
func (e *SegmenterError) Unwrap() error { return e.Err }

// Segmenting answers clicks (inference.Segmenters). Errors: *ValidationError of field "clicks", *SegmenterError, *PictureError, or the
// context's cause.
type Segmenting interface {
	// Prepare takes a picture through the encoder, so that a click on it costs a run of the decoder.
	Prepare(ctx context.Context, segmenter Segmenter, version Version, image Image) error
	Segment(ctx context.Context, segmenter Segmenter, version Version, image Image, clicks []Click) (attention.Map, error)
}

// SegmenterStore keeps the studio's segmenter.
type SegmenterStore interface {
	// Segmenter returns ErrNotFound where there is none.
	Segmenter(ctx context.Context) (Segmenter, error)
	// SaveSegmenter replaces the one there was.
	SaveSegmenter(ctx context.Context, s Segmenter) error
	DeleteSegmenter(ctx context.Context) error
}

var errNoSegmenter = fmt.Errorf("the studio's segmenter: %w: an admin can add one", ErrNotFound)

// Segmenter returns the studio's segmenter, ErrNotFound where it has none.
func (s *Service) Segmenter(ctx context.Context, actor User) (Segmenter, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return Segmenter{}, err
	}
	found, err := s.store.Segmenter(ctx)
	if isNotFound(err) {
		err = errNoSegmenter
	}
	return found, err
}

// HasSegmenter reports whether the studio has a segmenter.
func (s *Service) HasSegmenter(ctx context.Context, actor User) (bool, error) {
	_, err := s.Segmenter(ctx, actor)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// SendSegmenter makes files that somebody sends the studio's segmenter, in place of the one there was (admin). next returns them
// (Models.ReceiveSegmenter).
func (s *Service) SendSegmenter(ctx context.Context, actor User, next func() (SentFile, error)) (Segmenter, error) {
	return s.setSegmenter(ctx, actor, func() (Segmenter, error) { return s.models.ReceiveSegmenter(ctx, next) })
}

// SegmenterToAdd is a segmenter on the server's own disk.
type SegmenterToAdd struct {
	Name             string // the encoder's file
	Encoder, Decoder []byte
	Pixels           SegmenterPixels // "": as the graph tells
}

// AddSegmenter makes files of the server's own disk the studio's segmenter, in place of the one there was (admin).
func (s *Service) AddSegmenter(ctx context.Context, actor User, add SegmenterToAdd) (Segmenter, error) {
	return s.setSegmenter(ctx, actor, func() (Segmenter, error) { return s.models.TrySegmenter(ctx, add) })
}

func (s *Service) setSegmenter(ctx context.Context, actor User, take func() (Segmenter, error)) (Segmenter, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return Segmenter{}, err
	}
	if s.models == nil {
		return Segmenter{}, fmt.Errorf("reading a segmenter: %w: this process reads none", ErrUnavailable)
	}
	found, err := take()
	if err != nil {
		return Segmenter{}, err
	}
	if found.Name, err = BoundFileName.check("encoder", found.Name); err != nil {
		return Segmenter{}, err
	}
	found.AddedAt = s.now()
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := tx.SaveSegmenter(ctx, found); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "segmenter.set", fmt.Sprintf("the segmenter %s", found.Name), found.Kind.Name())
	})
	return found, err
}

// RemoveSegmenter leaves the studio without a segmenter (admin); ErrNotFound where it has none.
func (s *Service) RemoveSegmenter(ctx context.Context, actor User) error {
	if err := may(actor, RoleAdmin); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Store) error {
		was, err := tx.Segmenter(ctx)
		if isNotFound(err) {
			return errNoSegmenter
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteSegmenter(ctx); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "segmenter.remove", fmt.Sprintf("the segmenter %s", was.Name), "")
	})
}

// PrepareSegmenter takes a task's image through the encoder of the studio's segmenter before anybody has clicked on it, and returns when a
// click would be answered at once. Nothing is stored.
func (s *Service) PrepareSegmenter(ctx context.Context, actor User, taskID int64) error {
	segmenter, card, version, err := s.segmented(ctx, actor, taskID)
	if err != nil {
		return err
	}
	if err := s.segmenting.Prepare(ctx, segmenter, version, card.Image); err != nil {
		return fmt.Errorf("preparing image %d for clicks: %w", card.Image.ID, err)
	}
	return nil
}

// segmented loads what clicks on a task's image need.
func (s *Service) segmented(ctx context.Context, actor User, taskID int64) (g Segmenter, card TaskCard, v Version, err error) {
	if actor, err = s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID)); err != nil {
		return
	}
	if g, err = s.Segmenter(ctx, actor); err != nil {
		return
	}
	if card, v, _, err = s.scored(ctx, taskID); err == nil && s.segmenting == nil {
		err = fmt.Errorf("segmenting image %d: %w: this process runs no segmenter", card.Image.ID, ErrUnavailable)
	}
	return
}

// Segment answers clicks on a task's image with the region that the studio's segmenter sees there. Nothing is stored.
func (s *Service) Segment(ctx context.Context, actor User, taskID int64, clicks []Click) (Segment, error) {
	if err := checkClicks(clicks); err != nil {
		return Segment{}, err
	}
	segmenter, card, version, err := s.segmented(ctx, actor, taskID)
	if err != nil {
		return Segment{}, err
	}
	start := time.Now()
	m, err := s.segmenting.Segment(ctx, segmenter, version, card.Image, clicks)
	if err != nil {
		return Segment{}, fmt.Errorf("segmenting image %d: %w", card.Image.ID, err)
	}
	return Segment{Height: m.Height, Width: m.Width, Coverage: m.Values, Encoder: segmenter.EncoderHash,
		Milliseconds: float64(time.Since(start)) / float64(time.Millisecond)}, nil
}

func checkClicks(clicks []Click) error {
	wrong := func(format string, args ...any) error {
		return &ValidationError{Field: "clicks", Message: fmt.Sprintf(format, args...)}
	}
	if len(clicks) > MaxClicks {
		return wrong("has %d, at most %d are taken: deselect, and begin again with fewer", len(clicks), MaxClicks)
	}
	some := false
	for i, c := range clicks {
		if !(c.X >= 0 && c.X <= 1 && c.Y >= 0 && c.Y <= 1) || math.IsNaN(c.X+c.Y) {
			return wrong("click %d is at %v, %v: shares of the view's width and height, 0 to 1", i+1, c.X, c.Y)
		}
		some = some || c.Add
	}
	if !some {
		return wrong("none of them adds: a region needs a place that it holds")
	}
	return nil
}

// The kinds of files that a segmenter is sent as, beside SentData.
const (
	SentEncoder SentKind = "encoder" // its ONNX file: one
	SentDecoder SentKind = "decoder" // its ONNX file: one
	SentPixels  SentKind = "pixels"  // a SegmenterPixels, where the encoder's graph does not tell
)

// Segmenters takes in the files of segmenters (internal/jobs).
type Segmenters interface {
	// ReceiveSegmenter stores a segmenter that is sent, each graph as one file, once it has answered a click in a process of its own.
	// next returns its files in any order, and then io.EOF. What cannot be used is a *ValidationError of the field "encoder", "decoder" or
	// "pixels", and what is too large ErrTooLarge; nothing is stored then.
	ReceiveSegmenter(ctx context.Context, next func() (SentFile, error)) (Segmenter, error)
	// TrySegmenter does the same with files of the server's own disk, in this process.
	TrySegmenter(ctx context.Context, add SegmenterToAdd) (Segmenter, error)
}

// ReadSegmenterPixels reads a way in which an encoder takes pixels, as it was sent; "" means that its graph tells.
func ReadSegmenterPixels(r io.Reader) (SegmenterPixels, error) {
	word, err := io.ReadAll(io.LimitReader(r, 32))
	if err != nil || len(word) == 0 {
		return "", err
	}
	pixels := SegmenterPixels(word)
	return pixels, oneOf("pixels", pixels, SegmenterPixelWays)
}
