package inference

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/onnx"
)

const segmenterFiles = "testdata/segmenters"

// countedBlobs counts how often a picture is opened: once for each time that it goes through an encoder.
type countedBlobs struct {
	annotator.Blobs
	opened atomic.Int64
}

func (b *countedBlobs) Open(ctx context.Context, hash string) (io.ReadSeekCloser, error) {
	b.opened.Add(1)
	return b.Blobs.Open(ctx, hash)
}

// segmenting is a segmenter over a picture of one thing, a green rectangle on red ground, with the thing's mask.
type segmenting struct {
	*Segmenters
	blobs   *countedBlobs
	version annotator.Version
	image   annotator.Image
	mask    *image.Gray
	region  [4]float64
}

func newSegmenting(t *testing.T, width, height int, thing image.Rectangle, m manifest.Manifest) *segmenting {
	t.Helper()
	img, mask := image.NewRGBA(image.Rect(0, 0, width, height)), image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{200, 40, 40, 255})
			if image.Pt(x, y).In(thing) {
				img.SetRGBA(x, y, color.RGBA{40, 200, 90, 255})
				mask.SetGray(x, y, color.Gray{255})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	pre, err := NewPreprocessor(m)
	if err != nil {
		t.Fatal(err)
	}
	s := &segmenting{
		blobs:   &countedBlobs{Blobs: blobs{"picture": file.Bytes()}},
		version: annotator.Version{Manifest: stored, GridHeight: 7, GridWidth: 7},
		image:   annotator.Image{Name: "picture", Hash: "picture", Width: width, Height: height},
		mask:    mask,
		region:  pre.region(picture.Header{Width: width, Height: height, Orientation: 1}),
	}
	s.Segmenters = NewSegmenters(s.blobs, func(_ context.Context, hash string) (string, error) {
		return filepath.Join(segmenterFiles, hash+".onnx"), nil
	})
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *segmenting) click(t *testing.T, g annotator.Segmenter, clicks ...annotator.Click) []float32 {
	t.Helper()
	m, err := s.Segment(t.Context(), g, s.version, s.image, clicks)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateOn(s.version.GridHeight, s.version.GridWidth); err != nil {
		t.Fatal(err)
	}
	return m.Values
}

var testSegmenters = []annotator.Segmenter{
	{Name: "padded outside", EncoderHash: "sam_encoder", DecoderHash: "sam_decoder"},
	{Name: "with its preprocessing", EncoderHash: "sam_encoder_hwc", DecoderHash: "sam_decoder"},
	{Name: "of bytes", EncoderHash: "sam_encoder_bytes", DecoderHash: "sam_decoder"},
	{Name: "EfficientSAM", EncoderHash: "efficient_encoder", DecoderHash: "efficient_decoder"},
}

func TestAClickSelectsTheThing(t *testing.T) {
	t.Parallel()
	whole := manifest.Manifest{Resize: manifest.Size{112, 112}, Crop: manifest.Crop{112, 112}, Interpolation: "bilinear", Channels: "RGB"}
	middle := manifest.Manifest{Resize: manifest.Size{128}, Crop: manifest.Crop{112, 112}, Interpolation: "bilinear", Channels: "RGB"}
	// The test networks see cells of 1/16 of the longer side (EfficientSAM's: of each side): things lie on them.
	for _, c := range []struct {
		name          string
		width, height int
		thing         image.Rectangle
		manifest      manifest.Manifest
	}{
		{"landscape", 320, 160, image.Rect(80, 40, 160, 100), whole},
		{"portrait", 160, 320, image.Rect(40, 80, 100, 160), whole},
		{"landscape, cropped", 320, 160, image.Rect(100, 40, 180, 100), middle},
	} {
		for _, g := range testSegmenters {
			t.Run(c.name+", "+g.Name, func(t *testing.T) {
				t.Parallel()
				s := newSegmenting(t, c.width, c.height, c.thing, c.manifest)
				at := func(x, y int, add bool) annotator.Click { // in pixels of the picture
					return annotator.Click{X: (float64(x)/float64(c.width) - s.region[0]) / s.region[2], Y: (float64(y)/float64(c.height) - s.region[1]) / s.region[3], Add: add}
				}
				inside, outside := at(c.thing.Min.X+30, c.thing.Min.Y+30, true), at(c.width/2, c.height-5, true)
				want := attention.FromMask(s.mask, s.region, 7, 7).Values
				near(t, "inside", s.click(t, g, inside), want, 0.02)
				near(t, "inside and not outside", s.click(t, g, inside, annotator.Click{X: outside.X, Y: outside.Y}), want, 0.02)
				others := make([]float32, len(want))
				for i, v := range want {
					others[i] = 1 - v
				}
				near(t, "outside", s.click(t, g, outside), others, 0.02)
				for i, v := range s.click(t, g, inside, outside) {
					if v < 0.98 {
						t.Errorf("cell %d of thing and ground is %v", i, v)
					}
				}
				if n := s.blobs.opened.Load(); n != 1 {
					t.Errorf("four clicks took the picture through the encoder %d times", n)
				}
			})
		}
	}
}

// A picture that is stored on its side is clicked as it is shown, where the model sees it so, and as it is stored, where not.
func TestAClickOnATurnedPicture(t *testing.T) {
	t.Parallel()
	for _, upright := range []bool{true, false} {
		m := manifest.Manifest{Resize: manifest.Size{112, 112}, Crop: manifest.Crop{112, 112}, Interpolation: "bilinear", Channels: "RGB", EXIF: upright}
		s := newSegmenting(t, 320, 160, image.Rect(80, 40, 160, 100), m)
		stored, err := png.Decode(bytes.NewReader(s.blobs.Blobs.(blobs)["picture"]))
		if err != nil {
			t.Fatal(err)
		}
		s.blobs.Blobs = blobs{"picture": withOrientation(asJPEG(t, stored), 6)}
		pre, err := NewPreprocessor(m)
		if err != nil {
			t.Fatal(err)
		}
		mask, region := pre.ViewOfMask(s.mask, picture.Header{Width: 320, Height: 160, Orientation: 6})
		click := annotator.Click{X: 0.35, Y: 0.4, Add: true}
		if upright { // a quarter turn to the right
			click.X, click.Y = 1-click.Y, click.X
		}
		near(t, "a turned picture", s.click(t, testSegmenters[0], click), attention.FromMask(mask, region, 7, 7).Values, 0.05)
	}
}

func TestAPictureIsEncodedOnce(t *testing.T) {
	t.Parallel()
	s := newSegmenting(t, 320, 160, image.Rect(80, 40, 160, 100), manifest.Manifest{Crop: manifest.Crop{160, 320}, Channels: "RGB"})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if i%2 == 0 { // the tool has been chosen, and nothing clicked
				if err := s.Prepare(t.Context(), testSegmenters[0], s.version, s.image); err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := s.Segment(t.Context(), testSegmenters[0], s.version, s.image, []annotator.Click{{X: 0.3, Y: 0.4, Add: true}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.blobs.opened.Load(); n != 1 {
		t.Errorf("eight people took the picture through the encoder %d times", n)
	}
	start := time.Now()
	s.click(t, testSegmenters[0], annotator.Click{X: 0.3, Y: 0.4, Add: true})
	t.Logf("a further click: %v", time.Since(start))
	s.click(t, testSegmenters[1], annotator.Click{X: 0.3, Y: 0.4, Add: true}) // the first is closed
	s.click(t, testSegmenters[0], annotator.Click{X: 0.3, Y: 0.4, Add: true})
	if n := s.blobs.opened.Load(); n != 2 {
		t.Errorf("two encoders and one picture: %d times", n)
	}
}

func TestASegmenterThatDoesNotWork(t *testing.T) {
	t.Parallel()
	s := newSegmenting(t, 320, 160, image.Rect(80, 40, 160, 100), manifest.Manifest{Crop: manifest.Crop{160, 320}, Channels: "RGB"})
	click := []annotator.Click{{X: 0.3, Y: 0.4, Add: true}}
	var broken *annotator.SegmenterError
	gone := annotator.Segmenter{Name: "mobile.onnx", EncoderHash: "gone", DecoderHash: "sam_decoder"}
	if _, err := s.Segment(t.Context(), gone, s.version, s.image, click); !errors.As(err, &broken) || !strings.Contains(err.Error(), "missing from the blob store; an admin adds it again") || !strings.Contains(err.Error(), "(Q) still does") {
		t.Errorf("a file that is gone: %v", err)
	}
	if err := s.Prepare(t.Context(), gone, s.version, s.image); !errors.As(err, &broken) {
		t.Errorf("preparing it: %v", err)
	}
	if got := segmenterCause(errors.New("Failed to allocate memory for requested buffer of size 1610612736")).Error(); !strings.Contains(got, "more memory than there is") {
		t.Error(got)
	}
	var picture *annotator.PictureError
	if _, err := s.Segment(t.Context(), testSegmenters[0], s.version, annotator.Image{Name: "lost", Hash: "lost", Width: 9, Height: 9}, click); !errors.As(err, &picture) || errors.As(err, &broken) {
		t.Errorf("a picture that is lost: %v", err)
	}
	var wrong *annotator.ValidationError
	many := make([]annotator.Click, 7)
	many[0].Add = true
	if _, err := s.Segment(t.Context(), testSegmenters[3], s.version, s.image, many); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "at most 6") {
		t.Errorf("EfficientSAM reads six points and drops others: %v", err)
	}
	if got := s.click(t, testSegmenters[0], append([]annotator.Click{{X: 0.3, Y: 0.4, Add: true}}, many...)...); len(got) != 49 {
		t.Error("SAM reads as many as there are")
	}
}

func readSegmenterFile(t *testing.T, name string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(t.Context(), filepath.Join(segmenterFiles, name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scaled puts a factor behind the graph's value that its output is.
func scaled(m *onnx.Model, output string, by float32) {
	for _, n := range m.Graph.Nodes {
		for i, out := range n.Outputs {
			if out == output {
				n.Outputs[i] = output + "_before"
			}
		}
	}
	m.Graph.Initializers = append(m.Graph.Initializers, onnx.NewFloat32("by", []int64{1}, []float32{by}))
	m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("Mul", "scaled", []string{output + "_before", "by"}, []string{output}))
}

func TestWhatIsNoSegmenterIsRefused(t *testing.T) {
	t.Parallel()
	input := func(m *onnx.Model, name string) *onnx.ValueInfo {
		for _, v := range m.Graph.Inputs {
			if v.Name == name {
				return v
			}
		}
		return nil
	}
	inf := func() float32 { var zero float32; return 1 / zero }()
	for _, c := range []struct {
		name, encoder, decoder string
		change                 func(encoder, decoder *onnx.Model)
		pixels                 annotator.SegmenterPixels
		field, says            string
	}{
		{name: "swapped", encoder: "sam_decoder", decoder: "sam_encoder", field: "decoder", says: "its inputs are input_image"},
		{name: "the decoder twice", encoder: "sam_decoder", decoder: "sam_decoder", field: "encoder", says: "takes points (point_coords)"},
		{name: "SAM 2", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "high_res_feats_0 is none of",
			change: func(_, d *onnx.Model) { input(d, "mask_input").Name = "high_res_feats_0" }},
		{name: "no labels", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "no input point_labels",
			change: func(_, d *onnx.Model) { d.Graph.Inputs = append(d.Graph.Inputs[:2], d.Graph.Inputs[3:]...) }},
		{name: "in one", encoder: "sam_encoder", decoder: "efficient_decoder", field: "decoder", says: "as two files",
			change: func(_, d *onnx.Model) { input(d, "image_embeddings").Name = "batched_images" }},
		{name: "two exports", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "of two segmenters",
			change: func(e, _ *onnx.Model) { e.Graph.Outputs[0].Shape = onnx.ShapeOf(1, 3, 64, 64) }},
		{name: "two exports, not declared", encoder: "sam_encoder", decoder: "sam_decoder", field: "encoder", says: "the decoder takes [1 3 16 16]",
			change: func(e, _ *onnx.Model) {
				e.Graph.Inputs[0].Shape, e.Graph.Outputs[0].Shape = onnx.ShapeOf(1, 3, 128, 128), onnx.Shape{onnx.Fixed(1), onnx.Unknown(), onnx.Unknown(), onnx.Unknown()}
			}},
		{name: "an encoder of SAM and a decoder of EfficientSAM", encoder: "sam_encoder", decoder: "efficient_decoder", field: "encoder", says: "input is batched_images, not input_image"},
		{name: "an encoder of EfficientSAM and a decoder of SAM", encoder: "efficient_encoder", decoder: "sam_decoder", field: "decoder", says: "the encoder is EfficientSAM's"},
		{name: "no size", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "how large the embedding is",
			change: func(e, d *onnx.Model) {
				vague := onnx.Shape{onnx.Fixed(1), onnx.Unknown(), onnx.Unknown(), onnx.Unknown()}
				e.Graph.Outputs[0].Shape, input(d, "image_embeddings").Shape = vague, vague
			}},
		{name: "no picture", encoder: "sam_encoder", decoder: "sam_decoder", field: "encoder", says: "want (1,3,H,W) or (H,W,3)",
			change: func(e, _ *onnx.Model) { e.Graph.Inputs[0].Shape = onnx.ShapeOf(1, 1, 256, 256) }},
		{name: "huge", encoder: "sam_encoder", decoder: "sam_decoder", field: "encoder", says: "at most 4096",
			change: func(e, _ *onnx.Model) { e.Graph.Inputs[0].Shape = onnx.ShapeOf(1, 3, 8192, 8192) }},
		{name: "no masks", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "none is low_res_masks or masks",
			change: func(_, d *onnx.Model) { d.Graph.Outputs = d.Graph.Outputs[1:2] }},
		{name: "pixels", encoder: "sam_encoder", decoder: "sam_decoder", pixels: "0-256", field: "pixels", says: `"0-256" is none of`},
		{name: "no number in the embedding", encoder: "sam_encoder", decoder: "sam_decoder", field: "encoder", says: "no finite numbers",
			change: func(e, _ *onnx.Model) { scaled(e, "image_embeddings", inf) }},
		{name: "no number in the mask", encoder: "sam_encoder", decoder: "sam_decoder", field: "decoder", says: "its mask holds values that are no finite numbers",
			change: func(_, d *onnx.Model) { scaled(d, "low_res_masks", inf) }},
		{name: "masks without scores", encoder: "efficient_encoder", decoder: "efficient_decoder", field: "decoder", says: "not as many iou_predictions",
			change: func(_, d *onnx.Model) { d.Graph.Outputs = d.Graph.Outputs[:1] }},
		{name: "an unknown operator", encoder: "sam_encoder", decoder: "sam_decoder", field: "encoder", says: "ONNX Runtime cannot open it",
			change: func(e, _ *onnx.Model) { e.Graph.Nodes[0].Op = "Segment" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			encoder, decoder := readSegmenterFile(t, c.encoder), readSegmenterFile(t, c.decoder)
			if c.change != nil {
				c.change(encoder, decoder)
			}
			graphs, err := ReadSegmenter(t.Context(), encoder, decoder, c.pixels)
			if err == nil {
				err = TrySegmenter(t.Context(), graphs, 1)
			}
			var wrong *annotator.ValidationError
			if !errors.As(err, &wrong) || wrong.Field != c.field || !strings.Contains(wrong.Message, c.says) {
				t.Errorf("%v, want of %s: %s", err, c.field, c.says)
			}
		})
	}
}

func TestHowGraphsAreFed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encoder, decoder string
		kind             annotator.SegmenterKind
		pixels           annotator.SegmenterPixels
		frame            frame // of a picture of 500×250
	}{
		{"sam_encoder", "sam_decoder", annotator.SegmenterSAM, annotator.PixelsNormalised, frame{256, 256, 256, 128}},
		{"sam_encoder_hwc", "sam_decoder", annotator.SegmenterSAM, annotator.PixelsBytes, frame{256, 128, 256, 128}},
		{"sam_encoder_bytes", "sam_decoder", annotator.SegmenterSAM, annotator.PixelsBytes, frame{256, 128, 256, 128}},
		{"efficient_encoder", "efficient_decoder", annotator.SegmenterEfficient, annotator.PixelsUnit, frame{1024, 512, 1024, 512}},
	} {
		g, err := ReadSegmenter(t.Context(), readSegmenterFile(t, c.encoder), readSegmenterFile(t, c.decoder), "")
		if err != nil {
			t.Fatal(err)
		}
		if g.Kind != c.kind || g.Pixels != c.pixels || g.frame(500, 250) != c.frame {
			t.Errorf("%s: %s, %s, %v, want %v", c.encoder, g.Kind, g.Pixels, g.frame(500, 250), c)
		}
		if err := TrySegmenter(t.Context(), g, 1); err != nil {
			t.Error(err)
		}
	}
}

func TestTheBestMask(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   annotator.SegmenterKind
		scores []float32
		points int
		want   int
	}{
		{annotator.SegmenterSAM, []float32{0.99, 0.2, 0.8, 0.5}, 1, 2}, // of one point, the three that may be meant
		{annotator.SegmenterSAM, []float32{0.1, 0.2, 0.8, 0.5}, 2, 0},
		{annotator.SegmenterEfficient, []float32{0.1, 0.9, 0.3}, 3, 1},
		{annotator.SegmenterSAM, []float32{0.7}, 1, 0},
	} {
		if got := bestMask(c.kind, c.scores, c.points); got != c.want {
			t.Errorf("%v: mask %d", c, got)
		}
	}
}
