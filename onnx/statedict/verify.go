package statedict

import (
	"errors"
	"fmt"
	"math"
)

// ErrMismatch says that the state_dict that was made does not give the network back. Such a state_dict is not returned.
var ErrMismatch = errors.New("the state_dict does not give the network back")

// verify folds what is written again, from the float32 values of the file, and compares every layer with the network's.
func (w *writing) verify(d Dict) error {
	written, err := newReference(d)
	if err != nil {
		return err
	}
	for _, l := range w.layers {
		h := w.homes[l]
		if h == nil {
			continue
		}
		for _, one := range append([]home{*h}, h.others...) {
			far, err := w.distance(written, l, one)
			if err != nil {
				return err
			}
			w.report.Largest = math.Max(w.report.Largest, far)
			if !(far <= rounding) {
				return fmt.Errorf("%w: %v differs by %.3g of its largest value from what %s makes of it", ErrMismatch, l, far, one.name())
			}
		}
	}
	return nil
}

// name is what a home is called in messages.
func (h home) name() string {
	switch {
	case h.weight == "":
		return h.norm
	case h.norm != "":
		return h.weight + " with " + h.norm
	}
	return h.weight
}

// distance is how far a layer's constants are from what the written tensors give, relative to the largest of a channel.
func (w *writing) distance(written *reference, l *layer, h home) (float64, error) {
	switch l.kind {
	case batchNorm:
		n := written.normOf(h.norm, l.channels)
		if n == nil {
			return math.Inf(1), nil
		}
		worst := 0.0
		extra := w.ownBias(l.before)
		for i, got := range [][]float32{n.weight, n.bias, n.mean, n.variance} {
			want, err := l.constants()[i].value.Float32s()
			if err != nil {
				return 0, err
			}
			for c := range want {
				size, g := math.Abs(float64(want[c])), float64(got[c])
				if i == 2 && extra != nil {
					g += float64(extra[c])
					size += math.Abs(float64(extra[c]))
				}
				worst = math.Max(worst, apart(g, float64(want[c]), size))
			}
		}
		return worst, nil
	case product:
		values, dims := l.torchOrder(l.weight.value)
		var s []float64
		b0 := written.floats2(h.bias)
		want, size := make([]float64, l.channels), make([]float64, l.channels)
		for c := range b0 {
			want[c], size[c] = float64(b0[c]), math.Abs(float64(b0[c]))
		}
		if h.norm != "" {
			n := written.normOf(h.norm, l.channels)
			if n == nil {
				return math.Inf(1), nil
			}
			s = n.factors(h.epsilon)
			want, size = n.shift(s, b0)
		}
		worst := farthest(values, written.floats(h.weight), s, dims, l.axis)
		if l.bias == nil || w.ownBias(l) != nil && l.after != nil {
			return worst, nil
		}
		b, err := l.bias.value.Float32s()
		if err != nil {
			return 0, err
		}
		for c := range want {
			worst = math.Max(worst, apart(float64(b[c]), want[c], size[c]))
		}
		return worst, nil
	}
	values, err := l.weight.value.Float32s()
	if err != nil {
		return 0, err
	}
	if h.alike == turned {
		values, _ = transposed(values, l.weight.value.Dims)
	}
	worst, got := 0.0, written.floats(h.weight)
	for i := range values {
		worst = math.Max(worst, apart(float64(got[i]), float64(values[i]), math.Abs(float64(values[i]))))
	}
	return worst, nil
}

// apart is the distance between two numbers, relative to the size of the terms they are sums of. For NaN it is infinite.
func apart(a, b, size float64) float64 {
	d := math.Abs(a - b)
	if d <= 1e-30 {
		return 0
	}
	if math.IsNaN(d) {
		return math.Inf(1)
	}
	return d / math.Max(size, math.Max(math.Abs(a), math.Abs(b)))
}
