package gradient

import (
	"errors"
	"math"

	"github.com/abn-studio/studio/onnx"
)

func passOn(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), dY)
	return nil
}

func dropout(b *builder, n *onnx.Node, dY string) error {
	if training := n.Input(2); training != "" {
		if s := b.constant(training); s == nil || len(s.Raw) == 0 || s.Raw[0] != 0 {
			return errors.New("it is in training mode, and its mask would not repeat: export the model in evaluation mode")
		}
	}
	return passOn(b, n, dY)
}

func cast(b *builder, n *onnx.Node, dY string) error {
	x := b.info[n.Input(0)].Type
	if n.AttrInt("to", 0) == int64(x) {
		b.give(n.Input(0), dY)
		return nil
	}
	b.give(n.Input(0), b.node("Cast", []string{dY}, onnx.IntAttr("to", int64(x))))
	return nil
}

func isReal(t onnx.DataType) bool {
	return t == onnx.Float || t == onnx.Double || t == onnx.Float16 || t == onnx.BFloat16
}

// above is the mask of y > bound, and below of y < bound: a HardSigmoid that is steep enough to be a step. It is one pass over
// memory; Greater and Where take five times as long. Steepness is a power of two, so that steepness·bound is exact and the step
// is exactly at the bound. The nearest other numbers to a bound b are at least |b|·2⁻²⁴ from it, and 2⁻¹²⁶ from 0 (smaller ones
// give a value between 0 and 1).
func (b *builder) above(y string, bound float64) string {
	k := steepness(bound)
	return b.node("HardSigmoid", []string{y}, onnx.FloatAttr("alpha", float32(k)), onnx.FloatAttr("beta", float32(-bound*k)))
}

func (b *builder) below(y string, bound float64) string {
	k := steepness(bound)
	return b.node("HardSigmoid", []string{y}, onnx.FloatAttr("alpha", float32(-k)), onnx.FloatAttr("beta", float32(bound*k)))
}

func steepness(bound float64) float64 {
	if bound == 0 {
		return math.Ldexp(1, 126)
	}
	_, exponent := math.Frexp(bound)
	return math.Ldexp(1, 100-exponent)
}

func relu(b *builder, n *onnx.Node, dY string) error {
	if d := b.within(n.Outputs[0], dY, 0, math.Inf(1)); d != "" {
		b.give(n.Input(0), d)
		return nil
	}
	b.give(n.Input(0), b.mul(dY, b.above(n.Outputs[0], 0)))
	return nil
}

func clip(b *builder, n *onnx.Node, dY string) error {
	if len(n.Inputs) > 1 && (b.depends[n.Input(1)] || b.depends[n.Input(2)]) {
		return errors.New("its bounds are computed from what is trained")
	}
	y := n.Outputs[0]
	low, high := math.Inf(-1), math.Inf(1)
	for i, bound := range []*float64{&low, &high} {
		if value := n.Input(1 + i); value != "" {
			known, err := b.knownFloat(value)
			if err != nil {
				return err
			}
			if math.Abs(known) < math.MaxFloat32 {
				*bound = known
			}
		}
	}
	// After a Relu, a lower bound of 0 or less has no effect.
	if maker := b.maker[n.Input(0)]; maker != nil && maker.IsOp("Relu") && low <= 0 {
		low = math.Inf(-1)
	}
	if d := b.within(y, dY, low, high); d != "" {
		b.give(n.Input(0), d)
		return nil
	}
	if !math.IsInf(low, 0) {
		dY = b.mul(dY, b.above(y, low))
	}
	if !math.IsInf(high, 0) {
		dY = b.mul(dY, b.below(y, high))
	}
	b.give(n.Input(0), dY)
	return nil
}

// sigmoid: dX = dY·y·(1−y), as dY·(y − y²).
func sigmoid(b *builder, n *onnx.Node, dY string) error {
	y := n.Outputs[0]
	b.give(n.Input(0), b.mul(dY, b.sub(y, b.mul(y, y))))
	return nil
}

func hardSigmoid(b *builder, n *onnx.Node, dY string) error {
	y := n.Outputs[0]
	inside := b.mul(b.above(y, 0), b.below(y, 1))
	b.give(n.Input(0), b.mul(b.scaled(dY, float64(n.AttrFloat("alpha", 0.2))), inside))
	return nil
}

// hardSwish: y = x·s(x) with s = clip(x/6 + ½, 0, 1), so dX = dY·(s + x/6 where 0 < s < 1).
func hardSwish(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	s := b.node("HardSigmoid", []string{x}, onnx.FloatAttr("alpha", 1.0/6), onnx.FloatAttr("beta", 0.5))
	inside := b.mul(b.above(s, 0), b.below(s, 1))
	b.give(x, b.mul(dY, b.add(s, b.mul(b.scaled(x, 1.0/6), inside))))
	return nil
}

// leakyRelu: the slope is alpha + (1−alpha)·1(x > 0).
func leakyRelu(b *builder, n *onnx.Node, dY string) error {
	alpha := float64(n.AttrFloat("alpha", 0.01))
	slope := b.add(b.scaled(b.above(n.Input(0), 0), 1-alpha), b.scalar(alpha))
	b.give(n.Input(0), b.mul(dY, slope))
	return nil
}

func tanh(b *builder, n *onnx.Node, dY string) error {
	y := n.Outputs[0]
	b.give(n.Input(0), b.sub(dY, b.mul(dY, b.mul(y, y))))
	return nil
}

func exponential(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.mul(dY, n.Outputs[0]))
	return nil
}

func logarithm(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.div(dY, n.Input(0)))
	return nil
}

// squareRoot: dX = dY / (2·√x).
func squareRoot(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.div(b.scaled(dY, 0.5), n.Outputs[0]))
	return nil
}

func negate(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.neg(dY))
	return nil
}

func absolute(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.mul(dY, b.node("Sign", []string{n.Input(0)})))
	return nil
}

func reciprocal(b *builder, n *onnx.Node, dY string) error {
	y := n.Outputs[0]
	b.give(n.Input(0), b.neg(b.mul(dY, b.mul(y, y))))
	return nil
}

// errorFunction: dX = dY·2/√π·e^(−x²), part of a GELU.
func errorFunction(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	bell := b.node("Exp", []string{b.neg(b.mul(x, x))})
	b.give(x, b.mul(dY, b.scaled(bell, 2/math.Sqrt(math.Pi))))
	return nil
}
