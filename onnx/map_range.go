package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// MapRange is the range of a map's values for any picture, as far as the operators that compute it show. Maps are painted and shown
// from 0 to 1.
type MapRange string

// RangeUnit is the range that maps are painted in.
const RangeUnit MapRange = "0…1"

// maxRangeDepth bounds how many nodes back a range is followed.
const maxRangeDepth = 12

// interval is a range as numbers; either end may be infinite.
type interval struct{ low, high float64 }

var (
	anything    = interval{math.Inf(-1), math.Inf(1)}
	unit        = interval{0, 1}
	signed      = interval{-1, 1}
	notNegative = interval{0, math.Inf(1)}
)

// text spells a range. What lies within 0 to 1 is RangeUnit.
func (s interval) text() MapRange {
	if s.low >= 0 && s.high <= 1 {
		return RangeUnit
	}
	end := func(v float64) string {
		if math.IsInf(v, 0) {
			return map[bool]string{true: "∞", false: "−∞"}[v > 0]
		}
		return strings.Replace(fmt.Sprintf("%.4g", v), "-", "−", 1)
	}
	return MapRange(end(s.low) + "…" + end(s.high))
}

// bounded reports whether both ends are finite.
func (s interval) bounded() bool { return !math.IsInf(s.low, 0) && !math.IsInf(s.high, 0) }

// hull is the range of f(a,b) for a and b of two ranges, where f is monotonous in each.
func hull(a, b interval, f func(a, b float64) float64) interval {
	out := interval{math.Inf(1), math.Inf(-1)}
	for _, x := range []float64{a.low, a.high} {
		for _, y := range []float64{b.low, b.high} {
			v := f(x, y)
			if math.IsNaN(v) {
				return anything
			}
			out.low, out.high = min(out.low, v), max(out.high, v)
		}
	}
	return out
}

func times(a, b float64) float64 {
	if a == 0 || b == 0 { // 0·∞: the factors are numbers
		return 0
	}
	return a * b
}

// rangeOf finds a value's range from the nodes that compute it, looking depth nodes back at most.
func (f *finder) rangeOf(name string, depth int) interval {
	if v, ok := f.inferred.Number(name); ok {
		return interval{v, v}
	}
	n := f.index.Producer[name]
	if n == nil || depth == 0 {
		return anything
	}
	of := func(i int) interval { return f.rangeOf(n.Input(i), depth-1) }
	rising := func(g func(float64) float64) interval {
		s := of(0)
		return interval{g(s.low), g(s.high)}
	}
	switch {
	case n.IsOp("Sigmoid", "HardSigmoid", "Softmax", "Hardmax"), f.isSigmoid(n), f.isMinMax(n):
		return unit
	case f.isOverNorm(n, depth-1):
		if of(0).low >= 0 {
			return unit
		}
		return signed
	case n.IsOp("Tanh", "Softsign", "Erf"):
		if of(0).low >= 0 {
			return unit
		}
		return signed
	case n.IsOp("Sin", "Cos"):
		return signed
	case n.IsOp("Clip"):
		s := of(0)
		if low, known := f.bound(n, "min", 1); known {
			s.low, s.high = max(s.low, low), max(s.high, low)
		}
		if high, known := f.bound(n, "max", 2); known {
			s.low, s.high = min(s.low, high), min(s.high, high)
		}
		return s
	case n.IsOp("Min"), n.IsOp("Max"):
		s := of(0)
		for i := range n.Inputs[1:] {
			pick := func(a, b float64) float64 { return max(a, b) }
			if n.IsOp("Min") {
				pick = func(a, b float64) float64 { return min(a, b) }
			}
			s = hull(s, of(i+1), pick)
		}
		return s
	case f.reshapes(n), n.IsOp("Expand", "Tile", "Transpose", "Slice", "Split", "Gather", "GatherND", "MaxPool", "ReduceMean", "ReduceMax", "ReduceMin", "GlobalAveragePool", "GlobalMaxPool"),
		n.IsOp("Resize") && n.AttrStr("mode", "nearest") != "cubic":
		return of(0)
	case n.IsOp("AveragePool"): // it may count its padding, of zeros
		s := of(0)
		return interval{min(0, s.low), max(0, s.high)}
	case n.IsOp("Relu"):
		return rising(func(v float64) float64 { return max(0, v) })
	case n.IsOp("LeakyRelu"):
		if slope := float64(n.AttrFloat("alpha", 0.01)); slope >= 0 {
			return rising(func(v float64) float64 { return max(min(v, 0)*slope, v) })
		}
	case n.IsOp("Elu", "Celu", "Selu"):
		scale, alpha, width := 1.0, float64(n.AttrFloat("alpha", 1)), 1.0
		switch {
		case n.IsOp("Selu"):
			scale, alpha = float64(n.AttrFloat("gamma", 1.05070102)), float64(n.AttrFloat("alpha", 1.67326319))
		case n.IsOp("Celu"):
			width = alpha
		}
		if scale >= 0 && alpha > 0 {
			return rising(func(v float64) float64 { return scale * (max(0, v) + alpha*math.Expm1(min(0, v)/width)) })
		}
	case n.IsOp("HardSwish"):
		return f.bent(of(0), -0.375)
	case n.IsOp("Gelu"):
		return f.bent(of(0), -0.1701)
	case n.IsOp("Mish"):
		return f.bent(of(0), -0.3089)
	case n.IsOp("Swish"), f.isSilu(n):
		return f.bent(of(0), -0.2785)
	case n.IsOp("Where"):
		a, b := f.whereAbove(n, of(1)), of(2)
		return interval{min(a.low, b.low), max(a.high, b.high)}
	case n.IsOp("Pow"):
		p, known := f.inferred.Number(n.Input(1))
		s := of(0)
		switch {
		case known && p > 0 && s.low >= 0:
			return rising(func(v float64) float64 { return math.Pow(v, p) })
		case known && p > 0 && math.Mod(p, 2) == 0:
			return interval{0, math.Pow(max(-s.low, s.high), p)}
		}
	case n.IsOp("Exp"):
		return rising(math.Exp)
	case n.IsOp("Softplus"):
		return rising(func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) })
	case n.IsOp("Sqrt"):
		return rising(func(v float64) float64 { return math.Sqrt(max(0, v)) })
	case n.IsOp("Log"):
		return rising(func(v float64) float64 { return math.Log(max(0, v)) })
	case n.IsOp("Abs"):
		if s := of(0); s.low >= 0 {
			return s
		}
		return notNegative
	case n.IsOp("ReduceSumSquare", "ReduceL2", "ReduceL1"):
		return notNegative
	case n.IsOp("Neg"):
		s := of(0)
		return interval{-s.high, -s.low}
	case n.IsOp("Add"):
		return hull(of(0), of(1), func(a, b float64) float64 { return a + b })
	case n.IsOp("Sub"):
		return hull(of(0), of(1), func(a, b float64) float64 { return a - b })
	case n.IsOp("Mul") && n.Input(0) == n.Input(1):
		s := of(0)
		end := max(s.high*s.high, s.low*s.low)
		return interval{0, end}
	case n.IsOp("Mul"):
		return hull(of(0), of(1), times)
	case n.IsOp("Div"):
		if below := of(1); below.low > 0 {
			return hull(of(0), interval{1 / below.high, 1 / below.low}, times)
		}
	case n.IsOp("ReduceSum"):
		if s := of(0); s.low >= 0 {
			return notNegative
		}
	}
	return anything
}

// sharesOut reports whether a map's cells add up to 1 in every picture, as a softmax over them does. Drawn maps do not.
func (f *finder) sharesOut(name string) bool {
	cells := f.inferred.Shape(name)
	if len(cells) != 4 || !isGrid(cells) || cells[2].Size*cells[3].Size < 2 {
		return false
	}
	for range maxRangeDepth {
		n := f.index.Producer[name]
		switch {
		case n == nil:
			return false
		case n.IsOp("Softmax"):
			return f.overAll(n, cells[2].Size*cells[3].Size)
		case n.IsOp("Div"):
			return f.isSumOf(n.Input(1), n.Input(0)) && f.rangeOf(n.Input(0), maxRangeDepth).low >= 0 && f.sumsAll(n.Input(1))
		case !f.reshapes(n):
			return false
		}
		name = n.Input(0)
	}
	return false
}

// overAll reports whether a Softmax is one over all cells of a picture.
func (f *finder) overAll(n *Node, cells int64) bool {
	s := f.inferred.Shape(n.Input(0))
	at, err := axis(n.AttrInt("axis", softmaxAxis(f.opset)), max(1, len(s)))
	if err != nil || len(s) < 2 || at < 1 {
		return false
	}
	over := s[at : at+1]
	if f.opset < 13 { // then over all axes from there on
		over = s[at:]
	}
	count := int64(1)
	for _, d := range over {
		count *= d.Size
	}
	return count == cells
}

// sumsAll reports whether a sum has one value for each picture.
func (f *finder) sumsAll(name string) bool {
	s := f.inferred.Shape(name)
	return len(s) > 0 && s[0].Name == BatchName && !slices.ContainsFunc(s[1:], func(d Dim) bool { return d != Fixed(1) })
}

// bound is a Clip's bound, an attribute before operator set 11 and an input from then on.
func (f *finder) bound(n *Node, attribute string, input int) (float64, bool) {
	if a := n.Attr(attribute); a != nil {
		return float64(a.Float), true
	}
	return f.inferred.Number(n.Input(input))
}

// isMinMax reports whether a node computes (x − min x) / (max x − min x), with or without a small constant added to the divisor.
func (f *finder) isMinMax(n *Node) bool {
	if !n.IsOp("Div") {
		return false
	}
	above, below := f.index.Producer[n.Input(0)], f.index.Producer[n.Input(1)]
	if below != nil && below.IsOp("Add") {
		for _, in := range below.Inputs {
			if v, ok := f.inferred.Number(in); ok && v >= 0 {
				below = f.index.Producer[otherInput(below, in)]
				break
			}
		}
	}
	if below != nil && below.IsOp("Clip", "Max") {
		below = f.index.Producer[below.Input(0)]
	}
	if above == nil || below == nil || !above.IsOp("Sub") || !below.IsOp("Sub") {
		return false
	}
	extreme := func(name, op string) string {
		e := f.index.Producer[name]
		for e != nil && f.reshapes(e) {
			e = f.index.Producer[e.Input(0)]
		}
		if e == nil || !e.IsOp(op) {
			return ""
		}
		return f.beforeReshaping(e.Input(0))
	}
	x := f.beforeReshaping(above.Input(0))
	return x != "" && extreme(above.Input(1), "ReduceMin") == x && extreme(below.Input(0), "ReduceMax") == x && extreme(below.Input(1), "ReduceMin") == x
}

// bent is the range of a function that is smooth where a Relu has its kink: it falls to least first, and then rises to its argument at most.
func (f *finder) bent(of interval, least float64) interval {
	if of.low >= 0 {
		return interval{0, of.high}
	}
	return interval{least, max(0, of.high)}
}

// isSilu reports whether a node computes x·sigmoid(x), of its first input.
func (f *finder) isSilu(n *Node) bool {
	if !n.IsOp("Mul") || len(n.Inputs) != 2 {
		return false
	}
	s := f.index.Producer[n.Input(1)]
	return s != nil && s.IsOp("Sigmoid") && s.Input(0) == n.Input(0)
}

// whereAbove is the range of a Where's first choice, if it is taken only where it is itself above a number, as torch.export writes a
// softplus: x where β·x > 20.
func (f *finder) whereAbove(n *Node, of interval) interval {
	c := f.index.Producer[n.Input(0)]
	if c == nil || !c.IsOp("Greater", "GreaterOrEqual") {
		return of
	}
	above, known := f.inferred.Number(c.Input(1))
	x := c.Input(0)
	if scaled := f.index.Producer[x]; scaled != nil && scaled.IsOp("Mul") && x != n.Input(1) {
		times, ok := f.inferred.Number(otherInput(scaled, n.Input(1)))
		if !ok || times <= 0 {
			return of
		}
		above, x = above/times, n.Input(1)
	}
	if !known || x != n.Input(1) {
		return of
	}
	return interval{max(of.low, above), max(of.high, above)}
}

// isOverNorm reports whether a node divides x by a norm of it, which no element of x exceeds: the root of the sum of its squares, the sum of its
// absolute values, the largest of these, or the sum or the largest of an x that is not negative. The norm may be kept from 0.
func (f *finder) isOverNorm(n *Node, depth int) bool {
	if !n.IsOp("Div") {
		return false
	}
	of := func(name string) string { return f.beforeReshaping(name) }
	x, root := of(n.Input(0)), false
	for name := n.Input(1); ; {
		below := f.index.Producer[name]
		switch {
		case below == nil:
			return false
		case f.reshapes(below), below.IsOp("Expand"):
			name = below.Input(0)
		case below.IsOp("Clip") && below.Input(2) == "" && below.Attr("max") == nil:
			name = below.Input(0)
		case below.IsOp("Add", "Max") && len(below.Inputs) == 2:
			if v, ok := f.inferred.Number(below.Input(1)); !ok || v < 0 {
				return false
			}
			name = below.Input(0)
		case below.IsOp("Sqrt") && !root:
			name, root = below.Input(0), true
		case below.IsOp("ReduceSumSquare"):
			return root && of(below.Input(0)) == x
		case below.IsOp("ReduceL1", "ReduceL2"):
			return !root && of(below.Input(0)) == x
		case below.IsOp("ReduceSum", "ReduceMax"):
			inner := f.index.Producer[below.Input(0)]
			squares := inner != nil && (inner.IsOp("Pow") || inner.IsOp("Mul") && inner.Input(0) == inner.Input(1))
			switch {
			case root && squares && below.IsOp("ReduceSum"):
				p, ok := f.inferred.Number(inner.Input(1))
				return of(inner.Input(0)) == x && (inner.IsOp("Mul") || ok && p == 2)
			case root:
				return false
			case inner != nil && inner.IsOp("Abs") && of(inner.Input(0)) == x:
				return true
			}
			return of(below.Input(0)) == x && f.rangeOf(n.Input(0), depth).low >= 0
		default:
			return false
		}
	}
}

// beforeReshaping goes back past nodes that only reshape.
func (f *finder) beforeReshaping(name string) string {
	for n := f.index.Producer[name]; n != nil && f.reshapes(n); n = f.index.Producer[name] {
		name = n.Input(0)
	}
	return name
}
