package gradient

import (
	"fmt"
	"math"

	"github.com/abn-studio/studio/onnx"
)

// static is a small tensor known without running the graph. Integers up to 2^53 are exact.
type static struct {
	dims   []int64
	values []float64 // row-major
}

// staticLimit bounds how many elements are followed: pads, axes and shapes have few.
const staticLimit = 1 << 12

// known evaluates a value that rests on constants only, as exporters write pads and clip bounds; nil
// if it rests on inputs, on what is being differentiated by, or is large.
func (b *builder) known(name string) *static {
	if s, done := b.static[name]; done {
		return s
	}
	b.static[name] = nil // a cycle cannot be, but must not hang
	s := b.evaluate(name)
	if s != nil && len(s.values) > staticLimit {
		s = nil
	}
	b.static[name] = s
	return s
}

// knownInts is known for a list of integers; ok false if it is not known.
func (b *builder) knownInts(name string) (list []int64, ok bool) {
	s := b.known(name)
	if s == nil {
		return nil, false
	}
	list = make([]int64, len(s.values))
	for i, v := range s.values {
		list[i] = clampInt(v)
	}
	return list, true
}

// clampInt converts without overflow: "to the end" is written as the largest int64.
func clampInt(v float64) int64 {
	switch {
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return int64(v)
}

func (b *builder) evaluate(name string) *static {
	if t := b.fixed[name]; t != nil {
		return fromTensor(t)
	}
	n := b.maker[name]
	if n == nil || n.Output(0) != name || !n.IsOp(n.Op) {
		return nil
	}
	if n.Op == "Shape" {
		dims, ok := b.info[n.Input(0)].Shape.Sizes()
		if !ok || n.Attr("start") != nil || n.Attr("end") != nil {
			return nil
		}
		s := &static{dims: []int64{int64(len(dims))}}
		for _, d := range dims {
			s.values = append(s.values, float64(d))
		}
		return s
	}
	in := make([]*static, len(n.Inputs))
	for i, input := range n.Inputs {
		if input == "" {
			continue
		}
		if in[i] = b.known(input); in[i] == nil {
			return nil
		}
	}
	return evaluateNode(n, in)
}

func fromTensor(t *onnx.Tensor) *static {
	s := &static{dims: t.Dims}
	switch t.Type {
	case onnx.Float:
		if len(t.Raw) > 4*staticLimit {
			return nil
		}
		data, err := t.Float32s()
		if err != nil {
			return nil
		}
		for _, v := range data {
			s.values = append(s.values, float64(v))
		}
	case onnx.Int64, onnx.Int32:
		if len(t.Raw) > 8*staticLimit {
			return nil
		}
		data, err := t.Int64s()
		if err != nil {
			return nil
		}
		for _, v := range data {
			s.values = append(s.values, float64(v))
		}
	default:
		return nil
	}
	return s
}

// evaluateNode computes the few operators that exporters compute constants with; nil for others.
func evaluateNode(n *onnx.Node, in []*static) *static {
	switch n.Op {
	case "Constant":
		return constantNode(n)
	case "Identity", "Dropout":
		return in[0]
	case "Cast":
		return castStatic(in[0], onnx.DataType(n.AttrInt("to", 0)))
	case "ConstantOfShape":
		fill := 0.0
		if t := n.AttrTensor("value"); t != nil {
			if v := fromTensor(t); v != nil && len(v.values) == 1 {
				fill = v.values[0]
			}
		}
		s := &static{dims: ints(in[0])}
		count := product(s.dims)
		if count < 0 || count > staticLimit {
			return nil
		}
		for range count {
			s.values = append(s.values, fill)
		}
		return s
	case "Reshape":
		return in[0].reshape(ints(in[1]))
	case "Unsqueeze", "Squeeze":
		// Only lists and scalars occur: what matters is the elements.
		if n.Op == "Squeeze" && len(in[0].values) == 1 {
			return &static{values: in[0].values}
		}
		return &static{dims: []int64{int64(len(in[0].values))}, values: in[0].values}
	case "Concat":
		if n.AttrInt("axis", 0) != 0 {
			return nil
		}
		var values []float64
		for _, s := range in {
			if len(s.dims) != 1 {
				return nil
			}
			values = append(values, s.values...)
		}
		return &static{dims: []int64{int64(len(values))}, values: values}
	case "Transpose":
		return in[0].transpose(n.AttrInts("perm"))
	case "Slice":
		return in[0].slice(in[1:])
	case "Gather":
		if n.AttrInt("axis", 0) != 0 || len(in[0].dims) != 1 {
			return nil
		}
		s := &static{dims: in[1].dims}
		for _, i := range ints(in[1]) {
			if i < 0 {
				i += in[0].dims[0]
			}
			if i < 0 || i >= in[0].dims[0] {
				return nil
			}
			s.values = append(s.values, in[0].values[i])
		}
		return s
	case "Neg":
		s := &static{dims: in[0].dims}
		for _, v := range in[0].values {
			s.values = append(s.values, -v)
		}
		return s
	}
	return nil
}

func constantNode(n *onnx.Node) *static {
	if t := n.AttrTensor("value"); t != nil {
		return fromTensor(t)
	}
	s := &static{}
	for _, a := range n.Attributes {
		switch a.Name {
		case "value_float":
			s.values = []float64{float64(a.Float)}
		case "value_int":
			s.values = []float64{float64(a.Int)}
		case "value_ints":
			s.dims = []int64{int64(len(a.Ints))}
			for _, v := range a.Ints {
				s.values = append(s.values, float64(v))
			}
		case "value_floats":
			s.dims = []int64{int64(len(a.Floats))}
			for _, v := range a.Floats {
				s.values = append(s.values, float64(v))
			}
		}
	}
	if s.values == nil {
		return nil
	}
	return s
}

func castStatic(s *static, to onnx.DataType) *static {
	switch to {
	case onnx.Float, onnx.Double:
		return s
	case onnx.Int64, onnx.Int32:
		out := &static{dims: s.dims}
		for _, v := range s.values {
			out.values = append(out.values, math.Trunc(v))
		}
		return out
	}
	return nil
}

func (s *static) reshape(shape []int64) *static {
	dims, rest, open := make([]int64, len(shape)), int64(1), -1
	for i, d := range shape {
		switch {
		case d == 0 && i < len(s.dims):
			d = s.dims[i]
		case d == -1:
			open = i
			continue
		}
		dims[i] = d
		rest *= d
	}
	if open >= 0 && rest > 0 {
		dims[open] = int64(len(s.values)) / rest
	}
	if product(dims) != int64(len(s.values)) {
		return nil
	}
	return &static{dims: dims, values: s.values}
}

// transpose handles matrices (and what has no more than one axis), all that exporters need for pads.
func (s *static) transpose(perm []int64) *static {
	if len(s.dims) < 2 {
		return s
	}
	if len(s.dims) != 2 || (len(perm) == 2 && perm[0] == 0) {
		return nil
	}
	rows, columns := s.dims[0], s.dims[1]
	out := &static{dims: []int64{columns, rows}}
	for c := range columns {
		for r := range rows {
			out.values = append(out.values, s.values[r*columns+c])
		}
	}
	return out
}

// slice cuts along the first axis: in is starts, ends, axes, steps, the last two perhaps left out.
func (s *static) slice(in []*static) *static {
	if len(s.dims) == 0 || len(in) < 2 {
		return nil
	}
	start, end, step := ints(in[0]), ints(in[1]), []int64{1}
	if len(start) != 1 || len(end) != 1 {
		return nil
	}
	if len(in) > 2 && in[2] != nil && (len(in[2].values) != 1 || in[2].values[0] != 0) {
		return nil
	}
	if len(in) > 3 && in[3] != nil {
		step = ints(in[3])
	}
	span := sliceAxis(start[0], end[0], step[0], s.dims[0])
	width := product(s.dims[1:])
	out := &static{dims: append([]int64{span.count}, s.dims[1:]...)}
	for i := range span.count {
		at := (span.start + i*span.step) * width
		out.values = append(out.values, s.values[at:at+width]...)
	}
	return out
}

func ints(s *static) []int64 {
	list := make([]int64, len(s.values))
	for i, v := range s.values {
		list[i] = clampInt(v)
	}
	return list
}

func product(dims []int64) int64 {
	p := int64(1)
	for _, d := range dims {
		p *= d
	}
	return p
}

// span is one axis of a Slice: count elements from start, step apart.
type span struct{ start, step, count int64 }

// sliceAxis resolves negative and overlong bounds on an axis of size as ONNX's Slice does.
func sliceAxis(start, end, step, size int64) span {
	low, high := int64(0), size // where start and end may lie
	if step < 0 {
		low, high = -1, size-1
	}
	resolve := func(i int64) int64 {
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	start, end = resolve(start), resolve(end)
	if step < 0 && start < 0 {
		return span{0, step, 0}
	}
	count := int64(0)
	if step > 0 && end > start {
		count = (end - start + step - 1) / step
	} else if step < 0 && start > end {
		count = (start - end - step - 1) / -step
	}
	return span{start, step, count}
}

// knownFloat is the one element of a scalar constant.
func (b *builder) knownFloat(name string) (float64, error) {
	s := b.known(name)
	if s == nil || len(s.values) != 1 {
		return 0, fmt.Errorf("%s is not a constant number", name)
	}
	return s.values[0], nil
}
