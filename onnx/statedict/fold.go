package statedict

import (
	"math"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// Exporters compute a convolution and the BatchNorm behind it as one. With one factor an output channel,
//
//	s = γ/√(σ²+ε)    W = s·W₀    b = β + (b₀ − μ)·s
//
// where b₀ is the convolution's own bias, 0 without one. The way back keeps γ, μ, σ² and b₀, and puts what training
// did into W₀ = W/s and β = b − (b₀ − μ)·s. A BatchNorm without learned parameters (affine=False) has γ = 1 and no β: there
// it is b₀ = b/s + μ.

// factors are s for every channel. Sums are exact enough in float64 to be written as float32.
func (n *norm) factors(epsilon float64) []float64 {
	s := make([]float64, len(n.weight))
	for c := range s {
		s[c] = float64(n.weight[c]) / math.Sqrt(float64(n.variance[c])+epsilon)
	}
	return s
}

// shift is b for every channel, and how large the terms are that it is a sum of.
func (n *norm) shift(s []float64, own []float32) (b, size []float64) {
	b, size = make([]float64, len(s)), make([]float64, len(s))
	for c := range s {
		b0 := 0.0
		if own != nil {
			b0 = float64(own[c])
		}
		b[c] = float64(n.bias[c]) + (b0-float64(n.mean[c]))*s[c]
		size[c] = math.Abs(float64(n.bias[c])) + (math.Abs(b0)+math.Abs(float64(n.mean[c])))*math.Abs(s[c])
	}
	return b, size
}

// rows walks over a weight's values by output channel: visit gets the channel of each.
func rows(dims []int64, axis int, visit func(channel, i int)) {
	inner, n := 1, 1
	for k, d := range dims {
		if n *= int(d); k > axis {
			inner *= int(d)
		}
	}
	channels := int(dims[axis])
	for i := range n {
		visit(i/inner%channels, i)
	}
}

// torchOrder is a product's weight in PyTorch's order: values and shape. Applied twice it gives the weight back.
func (l *layer) torchOrder(t *onnx.Tensor) ([]float32, []int64) {
	values, err := t.Float32s()
	if err != nil {
		return nil, nil
	}
	if !l.flipped {
		return values, t.Dims
	}
	return transposed(values, t.Dims)
}

func transposed(values []float32, dims []int64) ([]float32, []int64) {
	h, w := int(dims[0]), int(dims[1])
	out := make([]float32, len(values))
	for i := range h {
		for k := range w {
			out[k*h+i] = values[i*w+k]
		}
	}
	return out, []int64{dims[1], dims[0]}
}

// likeness says how near a weight is to another if each channel may be multiplied by any factor.
type likeness struct {
	factor  []float64 // the best one for each channel; 0 where the other has zeros only
	rest    []float64 // per channel, the squares that remain
	squares []float64 // per channel, of the other
	total   float64   // squares of the weight itself
}

func likenessOf(w, w0 []float32, dims []int64, axis int) likeness {
	n := int(dims[axis])
	l := likeness{factor: make([]float64, n), rest: make([]float64, n), squares: make([]float64, n)}
	own := make([]float64, n)
	rows(dims, axis, func(c, i int) {
		a, b := float64(w[i]), float64(w0[i])
		l.factor[c] += a * b
		l.squares[c] += b * b
		own[c] += a * a
	})
	for c := range n {
		l.total += own[c]
		if l.squares[c] > 0 {
			l.factor[c] /= l.squares[c]
		}
	}
	rows(dims, axis, func(c, i int) {
		d := float64(w[i]) - l.factor[c]*float64(w0[i])
		l.rest[c] += d * d
	})
	return l
}

// difference is the part of the weight that remains, 0 to 1, if each channel was multiplied by s; nil: by the best factors.
func (l likeness) difference(s []float64) float64 {
	if l.total == 0 { // a factor of 0 gives this for any weight
		for c := range s {
			if s[c] != 0 && l.squares[c] != 0 {
				return 1
			}
		}
		return 0
	}
	rest := 0.0
	for c := range l.rest {
		rest += l.rest[c]
		if s != nil {
			d := s[c] - l.factor[c]
			rest += d * d * l.squares[c]
		}
	}
	return math.Sqrt(rest / l.total)
}

// rounding is what float32 may make of a product or sum, relative to the largest term: exporters fold in float32, in several steps.
const rounding = 2e-6

// near reports whether values are a sum of terms of this size, but for rounding.
func near(got []float32, want, size []float64) bool {
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= rounding*math.Max(size[i], math.Abs(want[i]))+1e-30) {
			return false
		}
	}
	return true
}

// nearRows reports whether every value of w is s·w0 but for rounding; each relative to the largest of its channel.
func nearRows(w, w0 []float32, s []float64, dims []int64, axis int) bool {
	return farthest(w, w0, s, dims, axis) <= rounding
}

// farthest is the largest distance of w from s·w0, relative to the largest value of its channel.
func farthest(w, w0 []float32, s []float64, dims []int64, axis int) float64 {
	largest, distance := make([]float64, dims[axis]), make([]float64, dims[axis])
	rows(dims, axis, func(c, i int) {
		want := float64(w0[i])
		if s != nil {
			want *= s[c]
		}
		largest[c] = math.Max(largest[c], math.Max(math.Abs(want), math.Abs(float64(w[i]))))
		distance[c] = math.Max(distance[c], math.Abs(float64(w[i])-want))
	})
	worst := 0.0
	for c, d := range distance {
		if d > 1e-30 {
			worst = math.Max(worst, d/largest[c])
		}
	}
	return worst
}

// epsilons are those in common use.
var epsilons = []float64{1e-5, 1e-3, 1e-4, 1e-6, 1e-2, 1e-7, 1e-8, 1e-12, 0}

// epsilonOf is the ε with which n was folded, from the factors that were found. It says nothing of whether they are n's.
func (n *norm) epsilonsOf(factor []float64) []float64 {
	var fits []float64
	for c, s := range factor {
		if s != 0 && n.weight[c] != 0 {
			q := float64(n.weight[c]) / s
			fits = append(fits, q*q-float64(n.variance[c]))
		}
	}
	if len(fits) == 0 {
		return epsilons
	}
	// Channels of small variance show it best. In most networks a median over all channels would show rounding errors only.
	least, at := math.Inf(1), 0
	k := 0
	for c, s := range factor {
		if s != 0 && n.weight[c] != 0 {
			if v := math.Abs(float64(n.variance[c])); v < least {
				least, at = v, k
			}
			k++
		}
	}
	if e := fits[at]; e > 0 {
		scale := math.Pow(10, math.Floor(math.Log10(e))-1)
		return append(slices.Clone(epsilons), math.Round(e/scale)*scale, e)
	}
	return epsilons
}
