package gorgonia

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
)

// arithmeticRule broadcasts both operands and leaves the rest to Gorgonia.
func arithmeticRule(b *builder, c *ruleCall) (*G.Node, error) {
	if c.Op == "Mul" {
		in, err := b.inputs(c, 0, 1)
		if err != nil {
			return nil, err
		}
		return b.product(in[0], in[1], c.dims)
	}
	op := map[string]func(x, y *G.Node) (*G.Node, error){
		"Add": G.Add, "Sum": G.Add, "Mean": G.Add, "Sub": G.Sub, "Div": G.HadamardDiv,
	}[c.Op]
	var y *G.Node
	for i := range c.Inputs {
		in, err := b.inputs(c, i)
		if err != nil {
			return nil, err
		}
		x, err := b.broadcast(in[0], c.dims)
		if err != nil {
			return nil, err
		}
		if y == nil {
			y = x
		} else if y, err = op(y, x); err != nil {
			return nil, err
		}
	}
	if c.Op == "Mean" {
		return b.scale(y, 1/float32(len(c.Inputs)))
	}
	return y, nil
}

// smoothRule leaves the node and its gradient to Gorgonia.
func smoothRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	return map[string]func(*G.Node) (*G.Node, error){
		"Sigmoid": G.Sigmoid, "Tanh": G.Tanh, "Exp": G.Exp, "Log": G.Log, "Sqrt": G.Sqrt, "Neg": G.Neg, "Softplus": G.Softplus, "Reciprocal": G.Inverse, "Sin": G.Sin, "Cos": G.Cos,
	}[c.Op](in[0])
}

// kinkRule is a piecewise linear function. At a kink its slope is 0, as in PyTorch; Gorgonia's Rectify has 1.
func kinkRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	f, slope, err := b.kink(c)
	if err != nil {
		return nil, err
	}
	return G.ApplyOp(newPointwise(c.Op, c.dims, f, slope), in[0])
}

func (b *builder) kink(c *ruleCall) (f, slope func(float32) float32, err error) {
	between := func(low, high, inside float32) func(float32) float32 {
		return func(x float32) float32 {
			if x > low && x < high {
				return inside
			}
			return 0
		}
	}
	infinite := float32(math.Inf(1))
	switch c.Op {
	case "Relu":
		return func(x float32) float32 { return max(x, 0) }, between(0, infinite, 1), nil
	case "Abs":
		return abs, sign, nil
	case "LeakyRelu":
		alpha := c.AttrFloat("alpha", 0.01)
		slope := func(x float32) float32 {
			if x > 0 {
				return 1
			}
			return alpha
		}
		return func(x float32) float32 { return x * slope(x) }, slope, nil
	case "Clip":
		low, err := b.float(c, 1, -infinite)
		if err != nil {
			return nil, nil, err
		}
		high, err := b.float(c, 2, infinite)
		if err != nil {
			return nil, nil, err
		}
		return func(x float32) float32 { return min(max(x, low), high) }, between(low, high, 1), nil
	case "HardSigmoid":
		alpha, beta := c.AttrFloat("alpha", 0.2), c.AttrFloat("beta", 0.5)
		if alpha <= 0 {
			return nil, nil, fmt.Errorf("its alpha is %g", alpha)
		}
		return func(x float32) float32 { return min(max(alpha*x+beta, 0), 1) }, between(-beta/alpha, (1-beta)/alpha, alpha), nil
	case "HardSwish":
		slope := func(x float32) float32 {
			switch {
			case x <= -3:
				return 0
			case x >= 3:
				return 1
			}
			return x/3 + 0.5
		}
		return func(x float32) float32 { return x * min(max(x/6+0.5, 0), 1) }, slope, nil
	}
	return nil, nil, fmt.Errorf("%s is not a function of pieces", c.Op)
}

func abs(x float32) float32 { return max(x, -x) }

func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// softmaxRule is e^{x−max}/Σ e^{x−max} along an axis, or its logarithm.
func softmaxRule(b *builder, c *ruleCall) (*G.Node, error) {
	in, err := b.inputs(c, 0)
	if err != nil {
		return nil, err
	}
	axis, err := axisOf(c.AttrInt("axis", -1), len(c.dims))
	if err != nil {
		return nil, err
	}
	shifted, sum, err := b.exponentials(in[0], axis)
	if err != nil {
		return nil, err
	}
	if c.Op == "LogSoftmax" {
		logarithm, err := G.Log(sum)
		if err != nil {
			return nil, err
		}
		if logarithm, err = b.broadcast(logarithm, c.dims); err != nil {
			return nil, err
		}
		return G.Sub(shifted, logarithm)
	}
	powers, err := G.Exp(shifted)
	if err != nil {
		return nil, err
	}
	if sum, err = b.broadcast(sum, c.dims); err != nil {
		return nil, err
	}
	return G.HadamardDiv(powers, sum)
}

// exponentials are x − max x along an axis, whose exponential cannot overflow, and Σ e^{x − max x}, with size 1 along the axis.
// The maximum cancels in everything that is computed from both, so that no gradient has to go through it.
func (b *builder) exponentials(x *G.Node, axis int) (shifted, sum *G.Node, err error) {
	shape := x.Shape()
	top, err := G.ApplyOp(largestAlong(shape, axis), x)
	if err != nil {
		return nil, nil, err
	}
	if shifted, err = G.Sub(x, top); err != nil {
		return nil, nil, err
	}
	powers, err := G.Exp(shifted)
	if err != nil {
		return nil, nil, err
	}
	small := shape.Clone()
	small[axis] = 1
	sum, err = G.ApplyOp(total(shape, small, 1), powers)
	return shifted, sum, err
}

// largestAlong replaces every element by the largest along an axis.
func largestAlong(shape []int, axis int) *detached {
	size, inner := shape[axis], 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	return &detached{newOwnOp("largest", shape, shape), func(y, x []float32) {
		for start := 0; start < len(x); start += size * inner {
			for i := range inner {
				top := x[start+i]
				for k := range size {
					top = max(top, x[start+k*inner+i])
				}
				for k := range size {
					y[start+k*inner+i] = top
				}
			}
		}
	}}
}

// axisOf resolves a possibly negative axis.
func axisOf(axis int64, rank int) (int, error) {
	if axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d of a value with %d axes", axis, rank)
	}
	return int(axis), nil
}
