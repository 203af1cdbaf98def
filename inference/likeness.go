package inference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx/activation"
)

// likenessCells bounds the grid on which places are compared: the answer has a byte for each pair of cells. Finer maps are compared
// on every second cell, or third.
const likenessCells = 1024

// likenessGraphs is how many networks stay open for comparing places: each has the weights of the whole.
const likenessGraphs = 2

var _ annotator.Likener = (*LiveScorer)(nil)

// Likeness says how alike the places of an image are to the version's network: the cosine of the angle between what its values
// (activation.Likeness) hold there, each channel standardised over the picture and each value weighted alike. Errors are those of
// ActivationMap.
func (s *LiveScorer) Likeness(ctx context.Context, version annotator.Version, image annotator.Image) (annotator.Likeness, error) {
	l, err := s.likeness(ctx, version, image)
	if errors.Is(err, ort.ErrClosed) && !s.networks.isClosed() { // evicted between being found and being run
		l, err = s.likeness(ctx, version, image)
	}
	if err != nil {
		return annotator.Likeness{}, fmt.Errorf("comparing places of image %s with model %.12s: %w", image.Name, version.ModelHash, domainError(err))
	}
	return l, nil
}

func (s *LiveScorer) likeness(ctx context.Context, version annotator.Version, image annotator.Image) (none annotator.Likeness, err error) {
	network, err := s.network(ctx, version)
	if err != nil {
		return none, err
	}
	pixels := make([]float32, network.Preprocessor.Size())
	if err := onPicture(ctx, s.blobs, image, func(file io.ReadSeeker) error {
		return network.Preprocessor.Pixels(ctx, file, pixels)
	}); err != nil {
		return none, err
	}
	likener, err := s.likenesses.get(ctx, networkKey(version), func(ctx context.Context) (*likener, error) { return s.openLikener(ctx, version) })
	if err != nil {
		return none, err
	}
	values, err := likener.run(ctx, array{pixels, network.imageDims(1)})
	if err != nil {
		return none, err
	}
	rows, columns := likenessGrid(network.sizes.GridHeight, network.sizes.GridWidth)
	cosines, ok := cosines(likener.graph.Values, values, rows, columns)
	if !ok {
		return none, &annotator.ValidationError{Field: "version", Message: "the model's values for this image are not finite numbers"}
	}
	return annotator.Likeness{Height: rows, Width: columns, Cosines: cosines}, nil
}

// likenessGrid is the grid on which places of a map are compared.
func likenessGrid(height, width int) (rows, columns int) {
	for k := 1; ; k++ {
		if rows, columns = (height+k-1)/k, (width+k-1)/k; rows*columns <= likenessCells {
			return rows, columns
		}
	}
}

// likener is the graph of a network's values, ready to run.
type likener struct {
	graph   *activation.LikenessGraph // without its model once the session has its own copy
	session *ort.Session
}

// Close frees the session.
func (l *likener) Close() error { return l.session.Close() }

func (s *LiveScorer) openLikener(ctx context.Context, version annotator.Version) (*likener, error) {
	opened, err := s.opened.Open(ctx, version.ModelHash, version.Manifest)
	if err != nil {
		return nil, err
	}
	graph, err := activation.Likeness(ctx, opened.ABN())
	if errors.Is(err, activation.ErrValue) {
		return nil, &annotator.ValidationError{Field: "version", Message: err.Error()}
	}
	if err != nil {
		return nil, err
	}
	data, err := graph.Model.Marshal()
	if err != nil {
		return nil, err
	}
	outputs := make([]string, len(graph.Values))
	for i, v := range graph.Values {
		outputs[i] = v.Name
	}
	o := s.options.Session
	o.Name, o.NoSpinning = "the "+graph.Model.Graph.Name, true
	session, err := ort.Open(data, []string{graph.Input}, outputs, o)
	graph.Model = nil
	return &likener{graph, session}, err
}

// run computes the values of one image, each [Channels, Height, Width].
func (l *likener) run(ctx context.Context, pixels array) ([][]float32, error) {
	inputs, err := tensors([]array{pixels})
	defer func() { closeAll(inputs) }()
	if err != nil {
		return nil, err
	}
	values := make([][]float32, len(l.graph.Values))
	arrays := make([]array, len(values))
	for i, v := range l.graph.Values {
		values[i] = make([]float32, v.Channels*v.Height*v.Width)
		arrays[i] = array{values[i], dims(1, v.Channels, v.Height, v.Width)}
	}
	outputs, err := tensors(arrays)
	defer func() { closeAll(outputs) }()
	if err != nil {
		return nil, err
	}
	return values, l.session.Run(ctx, inputs, outputs)
}

// cosines compares every two cells of a grid, [rows·columns, rows·columns], in steps of 1/127. ok is false where a value is no
// finite number.
func cosines(of []activation.LikenessValue, values [][]float32, rows, columns int) (compared []byte, ok bool) {
	cells := rows * columns
	length := 0
	for _, v := range of {
		length += v.Channels
	}
	vectors := make([]float32, cells*length) // [cells, length]
	at := 0
	for i, v := range of {
		for c := range v.Channels {
			channel := resized(values[i][c*v.Height*v.Width:(c+1)*v.Height*v.Width], v.Height, v.Width, rows, columns)
			standardise(channel, 1/math.Sqrt(float64(v.Channels)))
			for cell, x := range channel {
				vectors[cell*length+at] = x
			}
			at++
		}
	}
	for cell := range cells {
		row := vectors[cell*length : (cell+1)*length]
		square := 0.0
		for _, x := range row {
			square += float64(x) * float64(x)
		}
		if math.IsNaN(square) || math.IsInf(square, 0) {
			return nil, false
		}
		if square > 0 {
			for i := range row {
				row[i] /= float32(math.Sqrt(square))
			}
		}
	}
	compared = make([]byte, cells*cells)
	for a := range cells {
		left := vectors[a*length : (a+1)*length]
		for b := range a + 1 {
			right := vectors[b*length : (b+1)*length][:len(left)]
			var sum float32
			for i, x := range left {
				sum += x * right[i]
			}
			cosine := byte(int8(math.Round(127 * float64(min(1, max(-1, sum))))))
			compared[a*cells+b], compared[b*cells+a] = cosine, cosine
		}
	}
	return compared, true
}

// standardise gives a channel the mean 0 and the deviation given. A channel that is the same everywhere becomes 0.
func standardise(channel []float32, deviation float64) {
	var sum, squares float64
	for _, x := range channel {
		sum += float64(x)
	}
	mean := sum / float64(len(channel))
	for _, x := range channel {
		squares += (float64(x) - mean) * (float64(x) - mean)
	}
	by := math.Sqrt(squares / float64(len(channel)))
	for i, x := range channel {
		if by > 1e-6 || math.IsNaN(by) {
			channel[i] = float32((float64(x) - mean) / by * deviation)
		} else {
			channel[i] = 0
		}
	}
}

// resized brings a channel to another grid: by area along an axis that shrinks, linearly between the cells' middles along one that
// grows.
func resized(channel []float32, height, width, rows, columns int) []float32 {
	across := make([]float32, height*columns)
	for column, from := range shares(width, columns) {
		for row := range height {
			for _, s := range from {
				across[row*columns+column] += channel[row*width+s.cell] * s.share
			}
		}
	}
	out := make([]float32, rows*columns)
	for row, from := range shares(height, rows) {
		for column := range columns {
			for _, s := range from {
				out[row*columns+column] += across[s.cell*columns+column] * s.share
			}
		}
	}
	return out
}

// portion is how much of a cell goes into another.
type portion struct {
	cell  int
	share float32
}

// shares says of which cells of an axis each cell of another length is made.
func shares(from, to int) [][]portion {
	out := make([][]portion, to)
	scale := float64(from) / float64(to)
	for i := range out {
		if scale < 1 {
			at := (float64(i)+0.5)*scale - 0.5
			low := math.Floor(at)
			out[i] = []portion{
				{min(from-1, max(0, int(low))), float32(1 - (at - low))}, {min(from-1, max(0, int(low)+1)), float32(at - low)},
			}
			continue
		}
		begin, end := float64(i)*scale, float64(i+1)*scale
		for cell := int(begin); cell < from && float64(cell) < end; cell++ {
			inside := min(end, float64(cell+1)) - max(begin, float64(cell))
			out[i] = append(out[i], portion{cell, float32(inside / scale)})
		}
	}
	return out
}
