package refit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/optimize"
)

// L2 is the weight of the squared weights beside the mean cross entropy, from the prototype on real photographs.
const L2 = 1e-3

// The search ends when no part of the gradient is larger than flat. One that ends before, by maxIterations or because float64 has no
// smaller loss along its line, has found the minimum where no part is larger than near; else there is no layer.
const (
	flat          = 1e-6
	near          = 1e-4
	maxIterations = 200
)

// spread is added to a feature's standard deviation, as a share of the root mean square over all features: what fires for one
// image in a thousand would otherwise count as much as everything else.
const spread = 1e-3

// Data are the inputs of a last layer.
type Data struct {
	Features []float32 // [N, D], finite
	Labels   []int64   // [N], each from 0 to Classes-1
	Classes  int       // K, each with at least one row
}

// Linear is a linear layer: logits = Weight·z + Bias.
type Linear struct {
	Weight []float32 // [K, D]
	Bias   []float32 // [K]; nil: none
}

// Of returns the logits of one input.
func (l Linear) Of(z []float32) []float32 {
	logits := make([]float32, len(l.Weight)/len(z))
	for k := range logits {
		var sum float64
		if l.Bias != nil {
			sum = float64(l.Bias[k])
		}
		for d, w := range l.Weight[k*len(z) : (k+1)*len(z)] {
			sum += float64(w) * float64(z[d])
		}
		logits[k] = float32(sum)
	}
	return logits
}

// NotFiniteError is the first feature that is no finite number.
type NotFiniteError struct{ Row, Feature int }

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("refitting a layer: feature %d of row %d is not finite", e.Feature, e.Row)
}

// Fit returns the layer that minimises
//
//	Σ_i w_i · CE(A·ẑ_i + b, y_i) + λ·‖A‖²
//
// where ẑ is z standardised over the rows, w_i = 1/(K·n) for the n rows of its class, so that each class has the same sum and all sum
// to 1; λ is L2, and b is not held back. Without a bias ẑ is scaled but not centred and b is 0. It is what scikit-learn's
// LogisticRegression(class_weight="balanced", C=1/(2·λ·N)) minimises on ẑ. The layer is returned for z itself. A feature that is the
// same in all rows gets weights of 0. The probabilities at the minimum are unique; the same data give the same bits. When ctx ends its
// cause is returned.
func Fit(ctx context.Context, d Data, bias bool) (Linear, error) {
	rows := len(d.Labels)
	if rows == 0 || d.Classes < 2 || len(d.Features)%rows != 0 {
		return Linear{}, fmt.Errorf("refitting a layer: %d features of %d rows for %d classes", len(d.Features), rows, d.Classes)
	}
	f, err := newFitting(d, bias)
	if err != nil {
		return Linear{}, err
	}
	x, err := f.search(ctx, maxIterations)
	if err != nil {
		return Linear{}, err
	}
	return f.layer(x)
}

// search is where the objective is smallest.
func (f *fitting) search(ctx context.Context, iterations int) ([]float64, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { f.at(x); return f.loss },
		Grad: func(grad, x []float64) { f.at(x); copy(grad, f.gradient) },
		Status: func() (optimize.Status, error) {
			if ctx.Err() != nil {
				return optimize.Failure, context.Cause(ctx)
			}
			return optimize.NotTerminated, nil
		},
	}
	found, err := optimize.Minimize(problem, make([]float64, len(f.gradient)), &optimize.Settings{
		GradientThreshold: flat, MajorIterations: iterations, Converger: optimize.NeverTerminate{},
	}, &optimize.LBFGS{})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && !errors.Is(err, optimize.ErrNoProgress) && !errors.Is(err, optimize.ErrLinesearcherFailure):
		return nil, fmt.Errorf("refitting a layer: %w", err)
	}
	f.at(found.X)
	steepest := 0.0
	for _, v := range f.gradient {
		steepest = max(steepest, math.Abs(v)) // NaN stays
	}
	if !(steepest <= near) {
		return nil, fmt.Errorf("refitting a layer: no minimum found in %d iterations: the gradient is still %.2g, not %g; train without refit", found.MajorIterations, steepest, near)
	}
	return found.X, nil
}

// fitting is the objective and where it was last asked for. Parameters are A [K, D], then b [K] if there is a bias.
type fitting struct {
	rows, dims, classes int
	bias                bool
	z                   []float64 // [N, D], standardised
	mean, scale         []float64 // [D]
	labels              []int64
	weights             []float64 // [N]

	x        []float64 // where loss and gradient are; nil before the first
	loss     float64
	gradient []float64
	scores   []float64 // [N, K]
}

func newFitting(d Data, bias bool) (*fitting, error) {
	f := &fitting{rows: len(d.Labels), classes: d.Classes, bias: bias, labels: d.Labels}
	f.dims = len(d.Features) / f.rows
	count := make([]int, d.Classes)
	for i, y := range d.Labels {
		if y < 0 || y >= int64(d.Classes) {
			return nil, fmt.Errorf("refitting a layer: row %d has label %d of %d classes", i, y, d.Classes)
		}
		count[y]++
	}
	f.weights = make([]float64, f.rows)
	for i, y := range d.Labels {
		f.weights[i] = 1 / float64(count[y]*d.Classes)
	}
	for k, n := range count {
		if n == 0 {
			return nil, fmt.Errorf("refitting a layer: class %d has no row", k)
		}
	}
	if err := f.standardise(d.Features); err != nil {
		return nil, err
	}
	size := f.classes * f.dims
	if bias {
		size += f.classes
	}
	f.gradient, f.scores = make([]float64, size), make([]float64, f.rows*f.classes)
	return f, nil
}

// standardise fills in z, mean and scale.
func (f *fitting) standardise(features []float32) error {
	f.z, f.mean, f.scale = make([]float64, len(features)), make([]float64, f.dims), make([]float64, f.dims)
	for i, v := range features {
		f.z[i] = float64(v)
		if math.IsNaN(f.z[i]) || math.IsInf(f.z[i], 0) {
			return &NotFiniteError{Row: i / f.dims, Feature: i % f.dims}
		}
		f.mean[i%f.dims] += f.z[i]
	}
	for i := range f.mean { // of the sum, which is exact for a feature that never changes: its z is 0
		f.mean[i] /= float64(f.rows)
	}
	var square float64
	for i, v := range f.z {
		d := v - f.mean[i%f.dims]
		f.scale[i%f.dims] += d * d / float64(max(1, f.rows-1))
	}
	for _, v := range f.scale {
		square += v / float64(f.dims)
	}
	if square == 0 {
		return errors.New("refitting a layer: all images have the same features")
	}
	for i, v := range f.scale {
		f.scale[i] = math.Sqrt(v) + spread*math.Sqrt(square)
	}
	if !f.bias {
		clear(f.mean)
	}
	for i := range f.z {
		f.z[i] = (f.z[i] - f.mean[i%f.dims]) / f.scale[i%f.dims]
	}
	return nil
}

// at computes loss and gradient at x, unless they are known.
func (f *fitting) at(x []float64) {
	if slices.Equal(f.x, x) {
		return
	}
	f.x = append(f.x[:0], x...)
	size := f.classes * f.dims
	z := blas64.General{Rows: f.rows, Cols: f.dims, Stride: f.dims, Data: f.z}
	a := blas64.General{Rows: f.classes, Cols: f.dims, Stride: f.dims, Data: f.x[:size]}
	s := blas64.General{Rows: f.rows, Cols: f.classes, Stride: f.classes, Data: f.scores}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, z, a, 0, s)
	clear(f.gradient)
	f.loss = 0
	for i, label := range f.labels { // scores become w·(softmax − one-hot)
		row := f.scores[i*f.classes : (i+1)*f.classes]
		if f.bias {
			for k := range row {
				row[k] += f.x[size+k]
			}
		}
		f.loss += f.weights[i] * softmax(row, int(label))
		row[label]--
		for k := range row {
			row[k] *= f.weights[i]
			if f.bias {
				f.gradient[size+k] += row[k]
			}
		}
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, s, z, 0, blas64.General{Rows: f.classes, Cols: f.dims, Stride: f.dims, Data: f.gradient[:size]})
	for i, v := range f.x[:size] {
		f.loss += L2 * v * v
		f.gradient[i] += 2 * L2 * v
	}
}

// softmax makes scores probabilities and returns −log of the label's.
func softmax(scores []float64, label int) float64 {
	top := math.Inf(-1)
	for _, v := range scores {
		top = max(top, v)
	}
	var sum float64
	own := scores[label] - top
	for k, v := range scores {
		scores[k] = math.Exp(v - top)
		sum += scores[k]
	}
	for k := range scores {
		scores[k] /= sum
	}
	return math.Log(sum) - own
}

// layer is x as a layer of features that are not standardised. Features near float32's smallest
// numbers need weights that it does not have.
func (f *fitting) layer(x []float64) (Linear, error) {
	out := Linear{Weight: make([]float32, f.classes*f.dims)}
	if f.bias {
		out.Bias = make([]float32, f.classes)
	}
	for k := range f.classes {
		shift := 0.0
		for d := range f.dims {
			w := x[k*f.dims+d] / f.scale[d]
			out.Weight[k*f.dims+d] = float32(w)
			shift += w * f.mean[d]
		}
		if f.bias {
			out.Bias[k] = float32(x[f.classes*f.dims+k] - shift)
		}
	}
	for _, v := range slices.Concat(out.Weight, out.Bias) {
		if math.IsInf(float64(v), 0) {
			return Linear{}, errors.New("refitting a layer: its features are so small that float32 cannot hold its weights")
		}
	}
	return out, nil
}
