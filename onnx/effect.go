package onnx

import "math"

// ownGain is the gain of a mechanism that is written in its own way, with its effect if that has no name.
func (f *finder) ownGain(perception map[*Node]bool) (Gain, *[2]float64) {
	constant, slope, ok := f.told(perception)
	switch {
	case ok && constant == 1 && slope == 1:
		return GainOnePlusM, nil
	case ok && constant == 0 && slope == 1:
		return GainM, nil
	case ok:
		return GainOther, &[2]float64{constant, constant + slope}
	}
	return GainOther, f.effect(perception)
}

// effect is what features are multiplied by in a cell of 0 and in a cell of 1. It is known if the mechanism is one product of the
// features with a value that elementwise arithmetic makes of the map alone; nil otherwise.
func (f *finder) effect(perception map[*Node]bool) *[2]float64 {
	var meeting *Node
	for _, n := range f.index.Consumers[f.parts.Names.Features] {
		if !perception[n] || n.IsOp("Shape", "Size", "CastLike") {
			continue
		}
		if meeting != nil || !n.IsOp("Mul") || !f.ofMap[otherInput(n, f.parts.Names.Features)] {
			return nil
		}
		meeting = n
	}
	if meeting == nil || len(f.mechanism) != 1 {
		return nil
	}
	var out [2]float64
	for i := range out {
		v, ok := f.evaluate(otherInput(meeting, f.parts.Names.Features), float64(i), maxRangeDepth)
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		out[i] = v
	}
	return &out
}

// evaluate computes a value for a map that is the same in all cells; ok is false if the value is not made by elementwise
// arithmetic.
func (f *finder) evaluate(name string, of float64, depth int) (v float64, ok bool) {
	if name == f.cut {
		return of, true
	}
	if v, ok := f.inferred.Number(name); ok {
		return v, true
	}
	n := f.index.Producer[name]
	if n == nil || depth == 0 {
		return 0, false
	}
	in := func(i int) float64 {
		v, known := f.evaluate(n.Input(i), of, depth-1)
		ok = ok && known
		return v
	}
	ok = true
	switch {
	case f.reshapes(n), n.IsOp("Expand", "Tile", "Transpose"):
		v = in(0)
	case n.IsOp("Add"):
		v = in(0) + in(1)
	case n.IsOp("Sub"):
		v = in(0) - in(1)
	case n.IsOp("Mul"):
		v = in(0) * in(1)
	case n.IsOp("Div"):
		v = in(0) / in(1)
	case n.IsOp("Pow"):
		v = math.Pow(in(0), in(1))
	case n.IsOp("Exp"):
		v = math.Exp(in(0))
	case n.IsOp("Sqrt"):
		v = math.Sqrt(in(0))
	case n.IsOp("Neg"):
		v = -in(0)
	default:
		return 0, false
	}
	return v, ok
}
