package gorgonia

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
)

// curveRule is an elementwise function that Gorgonia lacks, with its slope; both are computed in float64.
func curveRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	f, slope, err := b.curve(c)
	if err != nil {
		return nil, err
	}
	narrow := func(f func(float64) float64) func(float32) float32 {
		return func(x float32) float32 { return float32(f(float64(x))) }
	}
	y, err := b.broadcast(in[0], c.dims)
	if err != nil {
		return nil, err
	}
	return G.ApplyOp(newPointwise(c.Op, c.dims, narrow(f), narrow(slope)), y)
}

// Selu's constants, as ONNX has them.
const (
	seluAlpha = 1.67326319217681884765625
	seluGamma = 1.05070102214813232421875
)

func (b *builder) curve(c *ruleCall) (f, slope func(float64) float64, err error) {
	// bent is gamma·x above 0 and gamma·alpha·(e^{x/width} − 1) below.
	bent := func(alpha, width, gamma float64) (f, slope func(float64) float64) {
		f = func(x float64) float64 {
			if x > 0 {
				return gamma * x
			}
			return gamma * alpha * math.Expm1(x/width)
		}
		slope = func(x float64) float64 {
			if x > 0 {
				return gamma
			}
			return gamma * alpha / width * math.Exp(x/width)
		}
		return f, slope
	}
	switch c.Op {
	case "Elu":
		f, slope = bent(float64(c.AttrFloat("alpha", 1)), 1, 1)
	case "Celu":
		alpha := float64(c.AttrFloat("alpha", 1))
		f, slope = bent(alpha, alpha, 1)
	case "Selu":
		f, slope = bent(float64(c.AttrFloat("alpha", seluAlpha)), 1, float64(c.AttrFloat("gamma", seluGamma)))
	case "Erf":
		f, slope = math.Erf, func(x float64) float64 { return 2 / math.SqrtPi * math.Exp(-x*x) }
	case "Gelu":
		if form := c.AttrStr("approximate", "none"); form != "none" {
			return nil, nil, fmt.Errorf("its approximation is %q: only the exact form is had here", form)
		}
		below := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) } // Φ
		f = func(x float64) float64 { return x * below(x) }
		slope = func(x float64) float64 {
			return below(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		}
	case "Mish":
		soft := func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
		f = func(x float64) float64 { return x * math.Tanh(soft(x)) }
		slope = func(x float64) float64 {
			t := math.Tanh(soft(x))
			return t + x*(1-t*t)/(1+math.Exp(-x))
		}
	case "Pow":
		power, err := b.exponent(c)
		if err != nil {
			return nil, nil, err
		}
		f = func(x float64) float64 { return math.Pow(x, power) }
		slope = func(x float64) float64 { return power * math.Pow(x, power-1) }
	default:
		return nil, nil, fmt.Errorf("%s is no curve", c.Op)
	}
	return f, slope, nil
}

// exponent is a Pow's, one constant number.
func (b *builder) exponent(c *ruleCall) (float64, error) {
	if list, err := b.ints(c, 1); err == nil && len(list) == 1 {
		return float64(list[0]), nil
	}
	v, err := b.float(c, 1, 1)
	return float64(v), err
}

// preluRule is x above 0 and slope·x below, the slope trained: max(x, 0) − slope·max(−x, 0).
func preluRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0, 1)
	if err != nil {
		return nil, err
	}
	above := func(x *G.Node) (*G.Node, error) {
		return G.ApplyOp(newPointwise("Relu", c.dims, func(x float32) float32 { return max(x, 0) }, func(x float32) float32 { return max(sign(x), 0) }), x)
	}
	positive, err := above(in[0])
	if err != nil {
		return nil, err
	}
	negative, err := G.Neg(in[0])
	if err != nil {
		return nil, err
	}
	if negative, err = above(negative); err != nil {
		return nil, err
	}
	if negative, err = b.product(negative, in[1], c.dims); err != nil {
		return nil, err
	}
	return G.Sub(positive, negative)
}
