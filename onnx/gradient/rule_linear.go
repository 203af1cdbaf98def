package gradient

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// Operators that move or mix elements along an axis by constant weights. Each is a product with one matrix per axis, and its
// gradient is the product with the transposed matrix.

// along is one axis's matrix [out][in], row after row.
type along struct {
	out, in int64
	weights []float32
}

func newAlong(out, in int64) along { return along{out, in, make([]float32, out*in)} }

func (m along) add(out, in int64, weight float64) { m.weights[out*m.in+in] += float32(weight) }

// backAlong computes dX = Mᵀ·dY along one axis of a value of this rank.
func (b *builder) backAlong(dY string, m along, axis, rank int) string {
	matrix := b.floats(m.weights, m.out, m.in)
	if axis == rank-1 {
		return b.node("MatMul", []string{dY, matrix})
	}
	if axis == rank-2 {
		return b.node("MatMul", []string{b.transpose(matrix, 1, 0), dY})
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[axis], perm[rank-1] = perm[rank-1], perm[axis]
	return b.transpose(b.node("MatMul", []string{b.transpose(dY, perm...), matrix}), perm...)
}

// fits refuses a matrix for which there is no room.
func (b *builder) fits(out, in int64) error {
	if out < 1 || in < 1 || !b.room(out, in) {
		return fmt.Errorf("a matrix of %d×%d is too large", out, in)
	}
	return nil
}

// mirroredPad is the gradient of a padding that repeats elements of the input: reflect, edge or wrap.
func mirroredPad(b *builder, n *onnx.Node, dY, mode string) error {
	shape := b.info[n.Input(0)].Shape
	pads, known := b.knownInts(n.Input(1))
	if n.Input(1) == "" {
		pads, known = n.AttrInts("pads"), true
	}
	axes, listed := b.knownInts(n.Input(3))
	if n.Input(3) == "" {
		listed = true
		for i := range shape {
			axes = append(axes, int64(i))
		}
	}
	if shape == nil || !known || !listed || len(pads) != 2*len(axes) {
		return fmt.Errorf("how far it pads a value of shape %s is not known", shape)
	}
	for k, a := range axes {
		before, after := pads[k], pads[k+len(axes)]
		if before == 0 && after == 0 {
			continue
		}
		if a < 0 {
			a += int64(len(shape))
		}
		if a < 0 || a >= int64(len(shape)) || !shape[a].Known() || before < 0 || after < 0 {
			return fmt.Errorf("it pads axis %d of %s by %d and %d: with mode %q only known axes are widened", a, shape, before, after, mode)
		}
		size := shape[a].Size
		if err := b.fits(size+before+after, size); err != nil {
			return err
		}
		m := newAlong(size+before+after, size)
		for out := range m.out {
			from := out - before
			switch mode {
			case "edge":
				from = min(max(from, 0), size-1)
			case "wrap":
				from = ((from % size) + size) % size
			default: // reflect: … 2 1 0 1 2 …
				if period := 2 * (size - 1); period > 0 {
					from = ((from % period) + period) % period
					from = min(from, period-from)
				} else {
					from = 0
				}
			}
			m.add(out, from, 1)
		}
		dY = b.backAlong(dY, m, int(a), len(shape))
	}
	b.give(n.Input(0), dY)
	return nil
}

// tile sums over the copies.
func tile(b *builder, n *onnx.Node, dY string) error {
	shape := b.info[n.Input(0)].Shape
	repeats, known := b.knownInts(n.Input(1))
	if shape == nil || !known || len(repeats) != len(shape) {
		return fmt.Errorf("how often it repeats a value of shape %s is not known", shape)
	}
	var split, axes []int64
	open := 0
	for i, r := range repeats {
		if r != 1 {
			axes = append(axes, int64(len(split)))
			split = append(split, r)
		}
		if !shape[i].Known() {
			open++
			split = append(split, -1)
		} else {
			split = append(split, shape[i].Size)
		}
	}
	if open > 1 || slices.Contains(split, 0) {
		return fmt.Errorf("its input has shape %s", shape)
	}
	if len(axes) == 0 {
		b.give(n.Input(0), dY)
		return nil
	}
	sum := b.node("ReduceSum", []string{b.reshape(dY, split...), b.ints(axes...)}, onnx.IntAttr("keepdims", 0))
	b.give(n.Input(0), sum)
	return nil
}

// resize is the gradient of an interpolation, one axis after the other: nearest, linear or cubic.
func resize(b *builder, n *onnx.Node, dY string) error {
	x, y := n.Input(0), n.Outputs[0]
	from, to := b.info[x].Shape, b.info[y].Shape
	if from == nil || len(from) != len(to) {
		return fmt.Errorf("the shapes of %s and %s cannot be inferred", x, y)
	}
	if n.AttrInt("antialias", 0) != 0 {
		return errors.New("it smooths (antialias), which is not differentiated")
	}
	if policy := n.AttrStr("keep_aspect_ratio_policy", "stretch"); policy != "stretch" {
		return fmt.Errorf("its keep_aspect_ratio_policy is %q, which is not differentiated", policy)
	}
	axes := n.AttrInts("axes")
	if axes == nil {
		for i := range from {
			axes = append(axes, int64(i))
		}
	}
	var scales []float32
	if name := n.Input(2); name != "" && n.Input(3) == "" {
		if t := b.constant(name); t != nil {
			scales, _ = t.Float32s()
		}
		if len(scales) != len(axes) {
			return fmt.Errorf("its scales %s are not constant", name)
		}
	}
	for k, a := range axes {
		if a < 0 {
			a += int64(len(from))
		}
		if a < 0 || a >= int64(len(from)) {
			return fmt.Errorf("axis %d is not one of %s", a, from)
		}
		if from[a] == to[a] && from[a] != onnx.Unknown() && (scales == nil || scales[k] == 1) {
			continue
		}
		if !from[a].Known() || !to[a].Known() {
			return fmt.Errorf("it makes %s of %s: the sizes are not known", to, from)
		}
		out, in := to[a].Size, from[a].Size
		if err := b.fits(out, in); err != nil {
			return err
		}
		scale := float32(out) / float32(in)
		if scales != nil {
			scale = scales[k]
		}
		m, err := interpolation(n, out, in, scale)
		if err != nil {
			return err
		}
		dY = b.backAlong(dY, m, int(a), len(from))
	}
	b.give(x, dY)
	return nil
}

// interpolation is a Resize's matrix along one axis.
func interpolation(n *onnx.Node, out, in int64, scale float32) (along, error) {
	m := newAlong(out, in)
	mode, transformation := n.AttrStr("mode", "nearest"), n.AttrStr("coordinate_transformation_mode", "half_pixel")
	for i := range out {
		position, err := original(transformation, float32(i), float32(out), float32(in), scale)
		if err != nil {
			return m, err
		}
		at := float64(position)
		inside := func(v float64) int64 { return int64(min(max(v, 0), float64(in-1))) }
		switch mode {
		case "nearest":
			switch rounding := n.AttrStr("nearest_mode", "round_prefer_floor"); rounding {
			case "floor":
				at = math.Floor(at)
			case "ceil":
				at = math.Ceil(at)
			case "round_prefer_ceil":
				at = math.Floor(at + 0.5)
			case "round_prefer_floor":
				at = math.Ceil(at - 0.5)
			default:
				return m, fmt.Errorf("its nearest_mode is %q, which is not differentiated", rounding)
			}
			m.add(i, inside(at), 1)
		case "linear":
			at = min(max(at, 0), float64(in-1))
			low := math.Floor(at)
			m.add(i, inside(low), 1-(at-low))
			m.add(i, inside(low+1), at-low)
		case "cubic":
			if n.AttrInt("exclude_outside", 0) != 0 {
				return m, errors.New("it leaves out what lies outside (exclude_outside), which is not differentiated")
			}
			a, low := float64(n.AttrFloat("cubic_coeff_a", -0.75)), math.Floor(at)
			for k := -1.0; k <= 2; k++ {
				m.add(i, inside(low+k), cubicWeight(math.Abs(at-low-k), a))
			}
		default:
			return m, fmt.Errorf("its mode is %q, which is not differentiated", mode)
		}
	}
	return m, nil
}

// original is the coordinate in the input of an output's element along an axis. It is computed in float32, as the runtime does,
// since which element is nearest depends on the last bit.
func original(transformation string, i, out, in, scale float32) (float32, error) {
	half := func() float32 { return float32(float32(i+0.5)/scale) - 0.5 }
	switch transformation {
	case "half_pixel":
		return half(), nil
	case "pytorch_half_pixel":
		if out > 1 {
			return half(), nil
		}
		return 0, nil
	case "half_pixel_symmetric":
		adjustment, center := float32(out/float32(scale*in)), in/2
		return float32(center*(1-adjustment)) + half(), nil
	case "asymmetric":
		return i / scale, nil
	case "align_corners":
		if out > 1 {
			return float32(i*(in-1)) / (out - 1), nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("its coordinate_transformation_mode is %q, which is not differentiated", transformation)
}

// cubicWeight is Keys's kernel at a distance of 0 to 2.
func cubicWeight(d, a float64) float64 {
	if d <= 1 {
		return ((a+2)*d-(a+3))*d*d + 1
	}
	return ((a*d-5*a)*d+8*a)*d - 4*a
}
