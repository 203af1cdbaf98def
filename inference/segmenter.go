package inference

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/lru"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
)

const (
	// embeddingBytes bounds the embeddings that are kept: 64 of SAM's, which has 4 MiB.
	embeddingBytes = 256 << 20
	// maxEmbedding bounds the values of one.
	maxEmbedding = 16 << 20
	// openSegmenters is how many stay open: the studio has one, and for a moment another when it is replaced.
	openSegmenters = 1
)

// Segmenters answers clicks on pictures. A picture goes through the encoder once, even if several people ask at the same time, and its
// embedding is kept, so that further clicks cost a run of the decoder. It implements annotator.Segmenting and is safe for concurrent use.
type Segmenters struct {
	blobs      annotator.Blobs
	path       func(ctx context.Context, hash string) (string, error)
	open       *openCache[*segmenter]
	embeddings *lru.Cache[embeddingKey, []float32]
	flights    flight.Group[embeddingKey, []float32]
	encoding   chan struct{} // holds a token while an encoder runs: one takes gigabytes
}

var _ annotator.Segmenting = (*Segmenters)(nil)

// embeddingKey says what an embedding is of.
type embeddingKey struct {
	encoder string // by hash, and how it takes pixels
	image   string // by hash
	upright bool   // turned as its EXIF orientation says
}

// NewSegmenters reads pictures from blobs and finds the files of segmenters by path (blob.Store.Path).
func NewSegmenters(blobs annotator.Blobs, path func(ctx context.Context, hash string) (string, error)) *Segmenters {
	return &Segmenters{
		blobs: blobs, path: path, open: newOpenCache[*segmenter](openSegmenters), encoding: make(chan struct{}, 1),
		embeddings: lru.New[embeddingKey](embeddingBytes, func(e []float32) int64 { return 4 * int64(len(e)) }),
	}
}

// Close frees what is open. Clicks after it fail with ort.ErrClosed.
func (s *Segmenters) Close() error { return s.open.close() }

// Segment implements annotator.Segmenting.
func (s *Segmenters) Segment(ctx context.Context, g annotator.Segmenter, version annotator.Version, img annotator.Image, clicks []annotator.Click) (m attention.Map, err error) {
	err = s.attempt(ctx, g, func() error {
		m, err = s.segment(ctx, g, version, img, clicks)
		return err
	})
	return m, err
}

// Prepare implements annotator.Segmenting.
func (s *Segmenters) Prepare(ctx context.Context, g annotator.Segmenter, version annotator.Version, img annotator.Image) error {
	return s.attempt(ctx, g, func() error {
		m, err := version.ReadManifest()
		if err != nil {
			return err
		}
		opened, err := s.opened(ctx, g)
		if err != nil {
			return err
		}
		_, err = s.embedding(ctx, opened, keyOf(g, m, img), img)
		return err
	})
}

// attempt runs something with a segmenter, once more if that was closed meanwhile, and says in words why it does not work.
func (s *Segmenters) attempt(ctx context.Context, g annotator.Segmenter, run func() error) error {
	err := run()
	if errors.Is(err, ort.ErrClosed) && !s.open.isClosed() { // evicted between being found and being run
		err = run()
	}
	var wrong *annotator.ValidationError
	var picture *annotator.PictureError
	if err == nil || ctx.Err() != nil || errors.As(err, &wrong) || errors.As(err, &picture) || errors.Is(err, annotator.ErrFull) {
		return err
	}
	return &annotator.SegmenterError{Name: g.Name, Err: segmenterCause(err)}
}

func keyOf(g annotator.Segmenter, m manifest.Manifest, img annotator.Image) embeddingKey {
	return embeddingKey{g.EncoderHash + " " + string(g.Pixels), img.Hash, m.EXIF}
}

func (s *Segmenters) opened(ctx context.Context, g annotator.Segmenter) (*segmenter, error) {
	return s.open.get(ctx, g.EncoderHash+" "+g.DecoderHash+" "+string(g.Pixels), func(ctx context.Context) (*segmenter, error) { return s.openSegmenter(ctx, g) })
}

// segmenterCause puts what usually keeps a segmenter from working into words.
func segmenterCause(err error) error {
	said := strings.ToLower(err.Error())
	var why string
	switch {
	case errors.Is(err, annotator.ErrMissing):
		why = "a file of it is missing from the blob store; an admin adds it again"
	case errors.Is(err, annotator.ErrDamaged):
		why = "a file of it is damaged in the blob store; an admin adds it again"
	case errors.Is(err, ort.ErrTooLong):
		why = "it did not answer in time; a smaller one, such as MobileSAM or EfficientSAM-Ti, does"
	case strings.Contains(said, "allocate memory"), strings.Contains(said, "bad_alloc"), strings.Contains(said, "out of memory"):
		why = "it takes more memory than there is; a smaller one, such as MobileSAM or EfficientSAM-Ti, takes less"
	default:
		return errors.New(text.Cut(err.Error(), 300))
	}
	return fmt.Errorf("%s (%s)", why, text.Cut(err.Error(), 200))
}

func (s *Segmenters) segment(ctx context.Context, g annotator.Segmenter, version annotator.Version, img annotator.Image, clicks []annotator.Click) (none attention.Map, err error) {
	m, err := version.ReadManifest()
	if err != nil {
		return none, err
	}
	pre, err := NewPreprocessor(m.Unscaled())
	if err != nil {
		return none, err
	}
	opened, err := s.opened(ctx, g)
	if err != nil {
		return none, err
	}
	if err := opened.graphs.checkClicks(len(clicks)); err != nil {
		return none, err
	}
	header := picture.Header{Width: img.Width, Height: img.Height, Orientation: 1}
	if m.EXIF { // only then the file has to be read
		if err := onPicture(ctx, s.blobs, img, func(file io.ReadSeeker) error {
			header, err = picture.Process().Header(file)
			return err
		}); err != nil {
			return none, err
		}
	}
	embedding, err := s.embedding(ctx, opened, keyOf(g, m, img), img)
	if err != nil {
		return none, err
	}
	region := pre.region(header)
	width, height := header.Width, header.Height
	if m.EXIF {
		width, height = header.Shown()
	}
	points := make([]point, len(clicks))
	for i, c := range clicks {
		points[i] = point{region[0] + c.X*region[2], region[1] + c.Y*region[3], c.Add}
	}
	mask, err := opened.decode(ctx, embedding, opened.graphs.frame(width, height), points)
	if err != nil {
		return none, err
	}
	return attention.FromMask(mask, region, version.GridHeight, version.GridWidth), nil
}

// embedding returns what the encoder makes of an image. A computation goes on to its end though whoever asked has left: they ask again.
func (s *Segmenters) embedding(ctx context.Context, opened *segmenter, key embeddingKey, img annotator.Image) ([]float32, error) {
	if kept, ok := s.embeddings.Get(key); ok {
		return kept, nil
	}
	return s.flights.Finish(ctx, key, func(ctx context.Context) ([]float32, error) {
		if kept, ok := s.embeddings.Get(key); ok {
			return kept, nil
		}
		s.encoding <- struct{}{}
		defer func() { <-s.encoding }()
		var f frame
		var pixels []float32
		if err := onPicture(ctx, s.blobs, img, func(file io.ReadSeeker) error {
			return decode(ctx, file, opened.graphs.weigh, func(r *raster, h picture.Header) error {
				if key.upright {
					r = r.orient(h.Orientation)
				}
				f = opened.graphs.frame(r.width, r.height)
				pixels = opened.graphs.pixels(r, f)
				return nil
			})
		}); err != nil {
			return nil, err
		}
		embedding, err := opened.encode(ctx, f, pixels)
		if err == nil {
			s.embeddings.Put(key, embedding)
		}
		return embedding, err
	})
}

func (s *Segmenters) openSegmenter(ctx context.Context, g annotator.Segmenter) (*segmenter, error) {
	read := func(hash string) (*onnx.Model, error) {
		path, err := s.path(ctx, hash)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", annotator.ErrMissing, err)
		}
		return onnx.ReadWhole(ctx, path)
	}
	encoder, err := read(g.EncoderHash)
	if err != nil {
		return nil, err
	}
	decoder, err := read(g.DecoderHash)
	if err != nil {
		return nil, err
	}
	graphs, err := ReadSegmenter(ctx, encoder, decoder, g.Pixels)
	if err != nil {
		return nil, errors.New(err.Error()) // no fault of the click
	}
	return newSegmenter(graphs, max(2, runtime.GOMAXPROCS(0)/2))
}

// TrySegmenter opens a segmenter, lets it answer one click on a made picture, and closes it. What cannot be used is a
// *annotator.ValidationError of the field "encoder" or "decoder".
func TrySegmenter(ctx context.Context, g *SegmenterGraphs, threads int) (err error) {
	opened, err := newSegmenter(g, threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	r := newRaster(60, 40)
	for i := range r.pix { // a light square on dark ground
		if x, y := i/3%r.width, i/3/r.width; x > 20 && x < 40 && y > 10 && y < 30 {
			r.pix[i] = 230
		}
	}
	f := g.frame(r.width, r.height)
	embedding, err := opened.encode(ctx, f, g.pixels(r, f))
	if err != nil {
		return wrongEncoder("it does not run: %v", err)
	}
	if _, err := opened.decode(ctx, embedding, f, []point{{0.5, 0.5, true}}); err != nil {
		return wrongDecoder("it does not answer a click: %v", err)
	}
	return nil
}

// segmenter is an open segmenter.
type segmenter struct {
	graphs           *SegmenterGraphs
	encoder, decoder *ort.Session
}

func newSegmenter(g *SegmenterGraphs, threads int) (*segmenter, error) {
	open := func(m *onnx.Model, what string, outputs []string) (*ort.Session, error) {
		data, err := m.Marshal()
		if err != nil {
			return nil, err
		}
		inputs := []string{}
		for _, v := range m.Graph.Feeds() {
			inputs = append(inputs, v.Name)
		}
		return ort.Open(data, inputs, outputs, ort.Options{Name: "the segmenter's " + what, IntraOpThreads: threads, NoSpinning: true, NoArena: what == "encoder"})
	}
	s := &segmenter{graphs: g}
	var err error
	if s.encoder, err = open(g.encoder, "encoder", []string{g.embedding}); err != nil {
		return nil, wrongEncoder("ONNX Runtime cannot open it: %v", err)
	}
	outputs := []string{g.masks}
	if g.scores != "" {
		outputs = append(outputs, g.scores)
	}
	if s.decoder, err = open(g.decoder, "decoder", outputs); err != nil {
		return nil, errors.Join(wrongDecoder("ONNX Runtime cannot open it: %v", err), s.encoder.Close())
	}
	g.encoder, g.decoder = nil, nil // the sessions have copies of their own
	return s, nil
}

// Close frees the sessions.
func (s *segmenter) Close() error { return errors.Join(s.encoder.Close(), s.decoder.Close()) }

// frame is how a picture lies in what the encoder takes: width × height pixels, of which the picture has the inner ones at the top left.
type frame struct {
	width, height           int
	innerWidth, innerHeight int
}

// frame brings the longer side of a picture to the segmenter's, rounded as SAM does. A SAM's fixed input is padded; EfficientSAM
// stretches the picture to a square itself, so that its fixed input is filled.
func (g *SegmenterGraphs) frame(width, height int) frame {
	if g.Kind == annotator.SegmenterEfficient && g.height > 0 {
		return frame{g.width, g.height, g.width, g.height}
	}
	room := [2]float64{float64(g.side), float64(g.side)}
	if g.height > 0 {
		room = [2]float64{float64(g.width), float64(g.height)}
	}
	scale := min(room[0]/float64(width), room[1]/float64(height))
	f := frame{innerWidth: max(1, int(float64(width)*scale+0.5)), innerHeight: max(1, int(float64(height)*scale+0.5))}
	f.width, f.height = f.innerWidth, f.innerHeight
	switch {
	case g.height > 0:
		f.width, f.height = g.width, g.height
	case g.Kind == annotator.SegmenterSAM && g.channelsFirst: // SAM's image encoder takes its square only; with its preprocessing, it pads
		f.width, f.height = g.side, g.side
	}
	return f
}

// weigh is the memory that pixels needs.
func (g *SegmenterGraphs) weigh(h picture.Header) int64 {
	side := int64(max(g.side, g.height, g.width))
	return 3*h.Pixels() + 3*side*max(int64(h.Width), int64(h.Height)) + 15*side*side
}

// pixels brings a picture into its frame, as values that the encoder takes.
func (g *SegmenterGraphs) pixels(r *raster, f frame) []float32 {
	part := resample(r, kernels[manifest.Bilinear], f.innerWidth, f.innerHeight, 0, 0, f.innerWidth, f.innerHeight)
	out := make([]float32, 3*f.width*f.height)
	for y := range f.innerHeight {
		for x := range f.innerWidth {
			for c := range 3 {
				v := float32(part.pix[3*(y*part.width+x)+c])
				switch g.Pixels {
				case annotator.PixelsNormalised:
					v = (v - samMean[c]) / samStd[c]
				case annotator.PixelsUnit:
					v /= 255
				}
				if g.channelsFirst {
					out[(c*f.height+y)*f.width+x] = v
				} else {
					out[(y*f.width+x)*3+c] = v
				}
			}
		}
	}
	return out
}

// encode runs the encoder.
func (s *segmenter) encode(ctx context.Context, f frame, pixels []float32) ([]float32, error) {
	shape := dims(f.height, f.width, 3)
	if s.graphs.channelsFirst {
		shape = dims(3, f.height, f.width)
	}
	if s.graphs.batched {
		shape = append([]int64{1}, shape...)
	}
	out, err := runFloats(ctx, s.encoder, []array{{pixels, shape}}, 1)
	if err != nil {
		return nil, err
	}
	want := 1
	for _, n := range s.graphs.embedded {
		want *= int(n)
	}
	if len(out[0].data) != want {
		return nil, fmt.Errorf("its embedding has the shape %v, the decoder takes %v", out[0].dims, s.graphs.embedded)
	}
	if !finite(out[0].data) {
		return nil, errors.New("its embedding holds values that are no finite numbers: does it take pixels in another way (pixels)?")
	}
	return out[0].data, nil
}

// point is a place of a picture, in shares of its width and height.
type point struct {
	x, y float64
	add  bool
}

// checkClicks refuses more clicks than a segmenter reads.
func (g *SegmenterGraphs) checkClicks(n int) error {
	most := g.points
	if g.Kind == annotator.SegmenterEfficient && (most == 0 || most > efficientPoints) {
		most = efficientPoints
	}
	if most > 0 && n > most {
		return &annotator.ValidationError{Field: "clicks", Message: fmt.Sprintf("this segmenter reads at most %d: Esc lets them go, or fill what is selected and go on", most)}
	}
	return nil
}

// decode answers points with a mask over the picture: 255 inside and 0 outside.
func (s *segmenter) decode(ctx context.Context, embedding []float32, f frame, points []point) (*image.Gray, error) {
	g := s.graphs
	n := len(points)
	if g.Kind == annotator.SegmenterSAM {
		n++ // where there is no box, a point with label −1 stands in its place
	}
	if g.points > 0 {
		n = g.points
	}
	coords, labels := make([]float32, 2*n), make([]float32, n)
	for i := range labels {
		if i >= len(points) {
			labels[i] = -1
			continue
		}
		p := points[i]
		coords[2*i], coords[2*i+1] = float32(p.x*float64(f.innerWidth)), float32(p.y*float64(f.innerHeight))
		if p.add {
			labels[i] = 1
		}
	}
	// The masks of SAM are asked for over all of its square, so that only what is known here is cut off.
	asked, span := [2]float32{float32(g.side), float32(g.side)}, [2]int{g.side, g.side}
	one := []int64{1}
	if g.Kind == annotator.SegmenterEfficient {
		asked, span = [2]float32{float32(f.height), float32(f.width)}, [2]int{f.width, f.height}
		one = []int64{1, 1}
	}
	inputs := make([]array, len(g.feeds))
	for i, name := range g.feeds {
		switch name {
		case segEmbedding:
			inputs[i] = array{embedding, g.embedded}
		case segCoords, segBatchedCoords:
			inputs[i] = array{coords, append(one[:len(one):len(one)], int64(n), 2)}
		case segLabels, segBatchedLabels:
			inputs[i] = array{labels, append(one[:len(one):len(one)], int64(n))}
		case segMask:
			inputs[i] = array{make([]float32, g.maskInput[2]*g.maskInput[3]), g.maskInput}
		case segHasMask:
			inputs[i] = array{[]float32{0}, []int64{1}}
		case segSize:
			inputs[i] = array{asked[:], []int64{2}}
		}
	}
	outputs := 1
	if g.scores != "" {
		outputs = 2
	}
	out, err := runFloats(ctx, s.decoder, inputs, outputs)
	if err != nil {
		return nil, err
	}
	shape := out[0].dims
	if len(shape) != 3+len(one) {
		return nil, fmt.Errorf("its masks have the shape %v, want (1,M,H,W) of SAM or (1,1,M,H,W) of EfficientSAM", shape)
	}
	count, height, width := int(shape[len(one)]), int(shape[len(one)+1]), int(shape[len(one)+2])
	if count < 1 || len(out[0].data) != count*height*width || height < 1 || width < 1 {
		return nil, fmt.Errorf("its masks have the shape %v, want those of one picture", shape)
	}
	best := 0
	if count > 1 {
		if outputs == 1 || len(out[1].data) != count {
			return nil, fmt.Errorf("it gives %d masks and not as many %s, by which one is chosen", count, segScores)
		}
		best = bestMask(g.Kind, out[1].data, len(points))
	}
	mask := out[0].data[best*height*width:][:height*width]
	if !finite(mask) {
		return nil, errors.New("its mask holds values that are no finite numbers")
	}
	return covers(mask, width, height, span, f), nil
}

// bestMask chooses among several masks as SAM does: the best scored. SAM's decoder gives four, of which the first is meant for several
// points and the others for a single one, which may mean a thing, a part or a part's part.
func bestMask(kind annotator.SegmenterKind, scores []float32, points int) int {
	from := 0
	if kind == annotator.SegmenterSAM && len(scores) == 4 {
		if points > 1 {
			return 0
		}
		from = 1
	}
	best := from
	for i := from; i < len(scores); i++ {
		if scores[i] > scores[best] {
			best = i
		}
	}
	return best
}

// covers draws where logits, width × height of them over a span of the frame, are above 0, over the picture in it.
func covers(logits []float32, width, height int, span [2]int, f frame) *image.Gray {
	mask := image.NewGray(image.Rect(0, 0, f.innerWidth, f.innerHeight))
	type between struct {
		low, high int
		share     float32
	}
	places := func(n, from, of int) []between {
		out := make([]between, n)
		for i := range out {
			at := min(float64(from-1), max(0, (float64(i)+0.5)*float64(from)/float64(of)-0.5))
			low := int(at)
			out[i] = between{low, min(low+1, from-1), float32(at - float64(low))}
		}
		return out
	}
	columns, rows := places(f.innerWidth, width, span[0]), places(f.innerHeight, height, span[1])
	for y, row := range rows {
		upper, lower := logits[row.low*width:][:width], logits[row.high*width:][:width]
		to := mask.Pix[y*mask.Stride:]
		for x, c := range columns {
			a := upper[c.low] + (upper[c.high]-upper[c.low])*c.share
			b := lower[c.low] + (lower[c.high]-lower[c.low])*c.share
			if a+(b-a)*row.share > 0 {
				to[x] = 255
			}
		}
	}
	return mask
}

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// runFloats runs a session whose outputs have shapes that are known afterwards.
func runFloats(ctx context.Context, session *ort.Session, inputs []array, outputs int) ([]array, error) {
	in, err := tensors(inputs)
	defer func() { closeAll(in) }()
	if err != nil {
		return nil, err
	}
	out := make([]*ort.Tensor, outputs)
	err = session.Run(ctx, in, out)
	defer func() { closeAll(out) }()
	if err != nil {
		return nil, err
	}
	arrays := make([]array, outputs)
	for i, t := range out {
		arrays[i] = array{t.Float32(), t.Dims()}
	}
	return arrays, nil
}
