package inference

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/onnx"
)

// How SAM's own preprocessing normalises values of 0 to 255.
var (
	samMean = [3]float32{123.675, 116.28, 103.53}
	samStd  = [3]float32{58.395, 57.12, 57.375}
)

const (
	// segmenterSide is the longer side that a picture is brought to where the graphs do not tell: that of every published SAM.
	segmenterSide = 1024
	// maxSegmenterSide bounds what a graph may ask for.
	maxSegmenterSide = 4096
	// efficientPoints is how many points EfficientSAM's decoder reads; it drops the others without a word (decoder_max_num_input_points).
	efficientPoints = 6
)

// SegmenterGraphs says how the two graphs of a segmenter are fed. Both take and give float32: Cast nodes see to other types.
type SegmenterGraphs struct {
	Kind   annotator.SegmenterKind
	Pixels annotator.SegmenterPixels

	encoder, decoder       *onnx.Model
	image                  string // the encoder's input
	channelsFirst, batched bool   // of image: (1,3,H,W), (3,H,W), (1,H,W,3) or (H,W,3)
	height, width          int    // of image; 0: any
	side                   int    // SAM: the square in which points and masks are told
	embedding              string // the encoder's output
	embedded               []int64
	feeds                  []string // the decoder's inputs
	maskInput              []int64  // the shape of mask_input; nil: there is none
	points                 int      // how many a click has, padded with label −1; 0: as many as there are
	masks, scores          string   // the decoder's outputs; scores "": there is one mask
}

// What the decoders' inputs and outputs are called.
const (
	segEmbedding, segCoords, segLabels         = "image_embeddings", "point_coords", "point_labels"
	segMask, segHasMask, segSize               = "mask_input", "has_mask_input", "orig_im_size"
	segBatchedImages                           = "batched_images"
	segBatchedCoords, segBatchedLabels         = "batched_point_coords", "batched_point_labels"
	segLowRes, segMasks, segBatched, segScores = "low_res_masks", "masks", "output_masks", "iou_predictions"
)

const takenSegmenters = "SAM's and MobileSAM's, with point_coords, and EfficientSAM's, with batched_point_coords, are taken"

func wrongEncoder(format string, args ...any) error {
	return &annotator.ValidationError{Field: "encoder", Message: fmt.Sprintf(format, args...)}
}

func wrongDecoder(format string, args ...any) error {
	return &annotator.ValidationError{Field: "decoder", Message: fmt.Sprintf(format, args...)}
}

// ReadSegmenter tells how a segmenter's graphs are fed, and changes them so that they take and give float32. pixels "": the encoder's
// graph tells how it takes values. What is no segmenter, or not of one export, is a *annotator.ValidationError of the field "encoder",
// "decoder" or "pixels".
func ReadSegmenter(ctx context.Context, encoder, decoder *onnx.Model, pixels annotator.SegmenterPixels) (*SegmenterGraphs, error) {
	g := &SegmenterGraphs{encoder: encoder, decoder: decoder, Pixels: pixels}
	if err := g.readDecoder(); err != nil {
		return nil, err
	}
	if err := g.readEncoder(ctx); err != nil {
		return nil, err
	}
	if err := g.pair(); err != nil {
		return nil, err
	}
	for _, v := range encoder.Graph.Feeds() {
		feedFloats(encoder, v)
	}
	giveFloats(encoder, g.embedding, &g.embedding)
	for _, v := range decoder.Graph.Feeds() {
		feedFloats(decoder, v)
	}
	giveFloats(decoder, g.masks, &g.masks)
	if g.scores != "" {
		giveFloats(decoder, g.scores, &g.scores)
	}
	g.image = encoder.Graph.Feeds()[0].Name
	return g, nil
}

func names(values []*onnx.ValueInfo) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.Name
	}
	return strings.Join(list, ", ")
}

// fixedDim is the size of an axis; 0: it varies, or there is none.
func fixedDim(s onnx.Shape, axis int) int {
	if axis >= len(s) || !s[axis].Known() {
		return 0
	}
	return int(min(s[axis].Size, 1<<30))
}

func (g *SegmenterGraphs) readDecoder() error {
	feeds := map[string]*onnx.ValueInfo{}
	list := g.decoder.Graph.Feeds()
	for _, v := range list {
		feeds[v.Name] = v
		g.feeds = append(g.feeds, v.Name)
	}
	var coords, labels string
	var axes int // of the points' coordinates
	switch {
	case feeds[segCoords] != nil:
		g.Kind, coords, labels, axes = annotator.SegmenterSAM, segCoords, segLabels, 3
	case feeds[segBatchedCoords] != nil && feeds[segBatchedImages] != nil:
		return wrongDecoder("it takes the picture as well as the points: export encoder and decoder as two files, so that the encoder runs once for a picture")
	case feeds[segBatchedCoords] != nil:
		g.Kind, coords, labels, axes = annotator.SegmenterEfficient, segBatchedCoords, segBatchedLabels, 4
	default:
		return wrongDecoder("its inputs are %s: %s", names(list), takenSegmenters)
	}
	known := []string{segEmbedding, coords, labels, segMask, segHasMask, segSize}
	for _, v := range list {
		if !slices.Contains(known, v.Name) {
			return wrongDecoder("its input %s is none of %s: %s; SAM 2 and HQ-SAM, which hand more than one embedding over, are not", v.Name, strings.Join(known, ", "), takenSegmenters)
		}
	}
	for _, name := range []string{segEmbedding, labels} {
		if feeds[name] == nil {
			return wrongDecoder("it has no input %s: %s", name, takenSegmenters)
		}
	}
	if s := feeds[coords].Shape; s != nil && (len(s) != axes || fixedDim(s, axes-1) != 0 && fixedDim(s, axes-1) != 2) {
		return wrongDecoder("its input %s has the shape %v, want (1,N,2) of SAM or (1,1,N,2) of EfficientSAM", coords, s)
	}
	g.points = fixedDim(feeds[coords].Shape, axes-2)
	if s := feeds[segEmbedding].Shape; s != nil && len(s) != 4 {
		return wrongDecoder("its input %s has the shape %v, want (1,C,h,w)", segEmbedding, s)
	}
	if v := feeds[segMask]; v != nil {
		h, w := fixedDim(v.Shape, 2), fixedDim(v.Shape, 3)
		if len(v.Shape) != 4 || h == 0 || h != w || h > maxSegmenterSide {
			return wrongDecoder("its input %s has the shape %v, want (1,1,s,s) with s fixed, as SAM's 256", segMask, v.Shape)
		}
		g.maskInput, g.side = []int64{1, 1, int64(h), int64(w)}, 4*h
	}
	outputs := []string{segLowRes, segMasks}
	if g.Kind == annotator.SegmenterEfficient {
		outputs = []string{segBatched}
	}
	for _, name := range outputs {
		if g.decoder.Graph.Output(name) != nil {
			g.masks = name
			break
		}
	}
	if g.masks == "" {
		return wrongDecoder("its outputs are %s, of which none is %s: give the masks that name (output_names of torch.onnx.export)", names(g.decoder.Graph.Outputs), strings.Join(outputs, " or "))
	}
	if g.decoder.Graph.Output(segScores) != nil {
		g.scores = segScores
	}
	return nil
}

func (g *SegmenterGraphs) readEncoder(ctx context.Context) error {
	feeds := g.encoder.Graph.Feeds()
	if len(feeds) != 1 {
		for _, v := range feeds {
			if strings.HasSuffix(v.Name, segCoords) {
				return wrongEncoder("it takes points (%s): send the file without them as the encoder, and this one as the decoder", v.Name)
			}
		}
		return wrongEncoder("its inputs are %s: a segmenter's encoder takes the picture alone", names(feeds))
	}
	image := feeds[0]
	s := image.Shape
	g.batched = len(s) == 4
	rows := len(s) - 3 // the axis of rows where colours come last, and of colours where they come first
	switch {
	case len(s) != 3 && len(s) != 4, g.batched && fixedDim(s, 0) > 1, fixedDim(s, rows) != 3 && fixedDim(s, rows+2) != 3:
		return wrongEncoder("its input %s has the shape %v, want (1,3,H,W) or (H,W,3) of one picture in three colours", image.Name, s)
	case fixedDim(s, rows) == 3:
		g.channelsFirst, g.height, g.width = true, fixedDim(s, rows+1), fixedDim(s, rows+2)
	default:
		g.height, g.width = fixedDim(s, rows), fixedDim(s, rows+1)
	}
	if g.height > maxSegmenterSide || g.width > maxSegmenterSide || (g.height == 0) != (g.width == 0) {
		return wrongEncoder("its input %s has the shape %v: height and width are both fixed, at most %d, or both vary", image.Name, s, maxSegmenterSide)
	}
	if g.height > 0 {
		g.side = max(g.height, g.width)
	} else if g.side == 0 {
		g.side = segmenterSide
	}
	if err := g.readPixels(image); err != nil {
		return err
	}
	switch outputs := g.encoder.Graph.Outputs; {
	case g.encoder.Graph.Output(segEmbedding) != nil:
		g.embedding = segEmbedding
	case len(outputs) == 1:
		g.embedding = outputs[0].Name
	default:
		return wrongEncoder("its outputs are %s, of which none is %s: %s; SAM 2 and HQ-SAM, which hand more than one embedding over, are not", names(outputs), segEmbedding, takenSegmenters)
	}
	return g.readEmbedding(ctx)
}

// readPixels tells how the encoder takes values. A graph that begins with a subtraction of three figures normalises them itself, and
// the figures say whether of 0 to 255 or of 0 to 1; so does a division by 255. SAM's image encoder alone has neither.
func (g *SegmenterGraphs) readPixels(image *onnx.ValueInfo) error {
	if g.Pixels != "" {
		if !slices.Contains(annotator.SegmenterPixelWays, g.Pixels) {
			return &annotator.ValidationError{Field: "pixels", Message: fmt.Sprintf("%q is none of %v", g.Pixels, annotator.SegmenterPixelWays)}
		}
		return nil
	}
	switch g.Pixels = annotator.PixelsNormalised; {
	case g.Kind == annotator.SegmenterEfficient:
		g.Pixels = annotator.PixelsUnit
	case image.Type == onnx.Uint8, !g.channelsFirst:
		g.Pixels = annotator.PixelsBytes
	}
	index := g.encoder.Graph.Index()
	for name := image.Name; ; {
		readers := index.Consumers[name]
		if len(readers) != 1 {
			return nil
		}
		n := readers[0]
		switch {
		case n.IsOp("Cast", "Transpose", "Unsqueeze", "Squeeze", "Reshape", "Identity", "Resize", "Pad"):
		case n.IsOp("Sub", "Div", "Mul"):
			figures := constantOf(index, n, name)
			switch {
			case n.IsOp("Sub") && len(figures) == 3 && figures[0] > 1, n.IsOp("Div") && len(figures) == 1 && figures[0] == 255, n.IsOp("Mul") && len(figures) == 1 && figures[0] < 0.005:
				g.Pixels = annotator.PixelsBytes
			case n.IsOp("Sub") && len(figures) == 3:
				g.Pixels = annotator.PixelsUnit
			}
			return nil
		default:
			return nil
		}
		name = n.Output(0)
	}
}

// constantOf returns the constant that a node computes with beside a value; nil: it is none.
func constantOf(index *onnx.Index, n *onnx.Node, beside string) []float32 {
	for _, in := range n.Inputs {
		t := index.Initializers[in]
		if p := index.Producer[in]; t == nil && p != nil && p.IsOp("Constant") {
			t = p.AttrTensor("value")
		}
		if t != nil && in != beside {
			if figures, err := t.Float32s(); err == nil {
				return figures
			}
		}
	}
	return nil
}

// pair refuses two graphs that would run together and are of two exports, which the encoders' inputs tell apart.
func (g *SegmenterGraphs) pair() error {
	image := g.encoder.Graph.Feeds()[0].Name
	if efficient := image == segBatchedImages; efficient != (g.Kind == annotator.SegmenterEfficient) {
		if efficient {
			return wrongDecoder("it is SAM's, and the encoder is EfficientSAM's, whose input is %s: send both files of one export", segBatchedImages)
		}
		return wrongEncoder("the decoder is EfficientSAM's, whose encoder's input is %s, not %s: send both files of one export, or give the input that name (input_names of torch.onnx.export)", segBatchedImages, image)
	}
	return nil
}

// readEmbedding finds the shape of the embedding, which both graphs have to agree on.
func (g *SegmenterGraphs) readEmbedding(ctx context.Context) error {
	taken, given := onnx.Shape{}, g.encoder.Graph.Output(g.embedding).Shape
	for _, v := range g.decoder.Graph.Feeds() {
		if v.Name == segEmbedding {
			taken = v.Shape
		}
	}
	if shapes, err := onnx.InferShapes(ctx, g.encoder, nil); err == nil && len(given) != 4 {
		given = shapes[g.embedding].Shape
	}
	g.embedded = []int64{1}
	for axis := 1; axis < 4; axis++ {
		out, in := fixedDim(given, axis), fixedDim(taken, axis)
		if out != 0 && in != 0 && out != in {
			return wrongDecoder("it takes %s of %v, the encoder gives %v: they are of two segmenters; send both files of one export", segEmbedding, taken, given)
		}
		if out = max(out, in); out == 0 {
			return wrongDecoder("neither its input %s %v nor the encoder's output %s %v says how large the embedding is: leave its size fixed when exporting (dynamic_axes)", segEmbedding, taken, g.embedding, given)
		}
		g.embedded = append(g.embedded, int64(out))
	}
	if n := g.embedded[1] * g.embedded[2] * g.embedded[3]; n > maxEmbedding {
		return wrongEncoder("its embedding has %d values, at most %d are kept; SAM's has 1048576", n, maxEmbedding)
	}
	return nil
}

// feedFloats makes a graph take an input of another type as float32.
func feedFloats(m *onnx.Model, v *onnx.ValueInfo) {
	if v.Type == onnx.Float {
		return
	}
	cast := onnx.NewNode("Cast", v.Name+"_cast", []string{v.Name + "_float"}, []string{v.Name}, onnx.IntAttr("to", int64(v.Type)))
	m.Graph.Nodes = slices.Insert(m.Graph.Nodes, 0, cast)
	at := slices.Index(m.Graph.Inputs, v)
	m.Graph.Inputs[at] = onnx.NewValue(v.Name+"_float", onnx.Float, v.Shape)
}

// giveFloats makes a graph give an output of another type as float32, under the name that renamed gets.
func giveFloats(m *onnx.Model, name string, renamed *string) {
	at := slices.IndexFunc(m.Graph.Outputs, func(v *onnx.ValueInfo) bool { return v.Name == name })
	if at < 0 || m.Graph.Outputs[at].Type == onnx.Float {
		return
	}
	*renamed = name + "_float"
	m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("Cast", name+"_cast", []string{name}, []string{*renamed}, onnx.IntAttr("to", int64(onnx.Float))))
	m.Graph.Outputs[at] = onnx.NewValue(*renamed, onnx.Float, m.Graph.Outputs[at].Shape)
}
