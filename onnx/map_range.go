package onnx

// MapRange is the range of a map's values for any picture, as far as the operators that compute it show.
type MapRange string

// The ranges. Maps are painted and shown from 0 to 1.
const (
	RangeUnit     MapRange = "0…1"
	RangeSigned   MapRange = "−1…1"
	RangePositive MapRange = "0…∞"
	RangeAny      MapRange = "−∞…∞"
)

// maxRangeDepth bounds how many nodes back a range is followed.
const maxRangeDepth = 12

// rangeOf finds a value's range from the nodes that compute it, looking depth nodes back at most.
func (f *finder) rangeOf(name string, depth int) MapRange {
	n := f.index.Producer[name]
	if n == nil || depth == 0 {
		return RangeAny
	}
	of := func(i int) MapRange { return f.rangeOf(n.Input(i), depth-1) }
	switch {
	case n.IsOp("Sigmoid", "HardSigmoid", "Softmax", "Hardmax"), f.isSigmoid(n), f.isMinMax(n), f.isOverMax(n, depth-1):
		return RangeUnit
	case n.IsOp("Tanh", "Softsign", "Sin", "Cos", "Erf"):
		return RangeSigned
	case n.IsOp("Clip"):
		low, lowKnown := f.bound(n, "min", 1)
		high, highKnown := f.bound(n, "max", 2)
		switch {
		case lowKnown && highKnown && low >= 0 && high <= 1:
			return RangeUnit
		case lowKnown && low >= 0:
			return RangePositive
		}
		return of(0)
	case f.reshapes(n), n.IsOp("Expand", "Tile", "Transpose", "MaxPool", "AveragePool", "ReduceMean", "ReduceMax", "ReduceMin", "GlobalAveragePool", "GlobalMaxPool"),
		n.IsOp("Resize") && n.AttrStr("mode", "nearest") != "cubic":
		return of(0)
	case n.IsOp("Relu", "Softplus", "Exp", "Abs", "ReduceSumSquare", "ReduceL2", "ReduceL1"):
		if n.IsOp("Relu", "Abs") && of(0) == RangeUnit {
			return RangeUnit
		}
		return RangePositive
	case n.IsOp("Sqrt"):
		if of(0) == RangeUnit {
			return RangeUnit
		}
		return RangePositive
	case n.IsOp("Mul"):
		switch a, b := of(0), of(1); {
		case a == RangeUnit && b == RangeUnit:
			return RangeUnit
		case (a == RangeUnit || a == RangePositive) && (b == RangeUnit || b == RangePositive):
			return RangePositive
		}
	case n.IsOp("ReduceSum") && (of(0) == RangeUnit || of(0) == RangePositive):
		return RangePositive
	case n.IsOp("Log") && f.isAboveOne(n.Input(0), depth-1):
		return RangePositive
	}
	return RangeAny
}

// isAboveOne reports whether a value is 1 plus what is not negative.
func (f *finder) isAboveOne(name string, depth int) bool {
	n := f.index.Producer[name]
	if n == nil || !n.IsOp("Add") {
		return false
	}
	for _, in := range n.Inputs {
		if r := f.rangeOf(otherInput(n, in), depth); f.isOne(in) && (r == RangeUnit || r == RangePositive) {
			return true
		}
	}
	return false
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

// isOverMax reports whether a node computes x / max x for an x that is not negative.
func (f *finder) isOverMax(n *Node, depth int) bool {
	below := f.index.Producer[n.Input(1)]
	if !n.IsOp("Div") || below == nil || !below.IsOp("ReduceMax") || below.Input(0) != n.Input(0) {
		return false
	}
	r := f.rangeOf(n.Input(0), depth)
	return r == RangeUnit || r == RangePositive
}

// beforeReshaping goes back past nodes that only reshape.
func (f *finder) beforeReshaping(name string) string {
	for n := f.index.Producer[name]; n != nil && f.reshapes(n); n = f.index.Producer[name] {
		name = n.Input(0)
	}
	return name
}
