package gradient

import (
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

func transpose(b *builder, n *onnx.Node, dY string) error {
	rank := len(b.info[n.Input(0)].Shape)
	perm := n.AttrInts("perm")
	if perm == nil {
		for i := range rank {
			perm = append(perm, int64(rank-1-i))
		}
	}
	if len(perm) != rank || rank == 0 {
		return fmt.Errorf("its input has shape %s for the order %v", b.info[n.Input(0)].Shape, perm)
	}
	inverse := make([]int64, rank)
	for i, p := range perm {
		inverse[p] = int64(i)
	}
	b.give(n.Input(0), b.transpose(dY, inverse...))
	return nil
}

// concat gives every input its slice of dY.
func concat(b *builder, n *onnx.Node, dY string) error {
	rank := int64(len(b.info[n.Outputs[0]].Shape))
	axis := n.AttrInt("axis", 0)
	if axis < 0 {
		axis += rank
	}
	start := int64(0)
	for _, x := range n.Inputs {
		shape := b.info[x].Shape
		if int64(len(shape)) <= axis || !shape[axis].Known() {
			return fmt.Errorf("the size of %s along axis %d is not known: its shape is %s", x, axis, shape)
		}
		end := start + shape[axis].Size
		if b.depends[x] && end > start {
			b.give(x, b.slice(dY, []int64{axis}, []int64{start}, []int64{end}, []int64{1}))
		}
		start = end
	}
	return nil
}

// split is concat backwards; outputs the loss does not depend on count as zeros.
func split(b *builder, n *onnx.Node, _ string) error {
	parts := make([]string, len(n.Outputs))
	for i, y := range n.Outputs {
		if parts[i] = b.gradient(y); parts[i] == "" {
			parts[i] = b.node("ConstantOfShape", []string{b.shapeOf(y)},
				onnx.TensorAttr("value", onnx.NewFloat32("", []int64{1}, []float32{0})))
		}
	}
	b.give(n.Input(0), b.node("Concat", parts, onnx.IntAttr("axis", n.AttrInt("axis", 0))))
	return nil
}

// pad: what was added is cut off by a Pad with negative amounts. Modes that repeat values are in rule_linear.go.
func pad(b *builder, n *onnx.Node, dY string) error {
	if mode := n.AttrStr("mode", "constant"); mode != "constant" {
		return mirroredPad(b, n, dY, mode)
	}
	if b.depends[n.Input(2)] {
		return errors.New("the value it pads with is trained")
	}
	inputs := []string{dY, "", ""}
	if pads, ok := b.knownInts(n.Input(1)); ok {
		negative := make([]int64, len(pads))
		for i, p := range pads {
			negative[i] = -p
		}
		inputs[1] = b.ints(negative...)
	} else {
		inputs[1] = b.neg(n.Input(1))
	}
	if axes := n.Input(3); axes != "" {
		inputs = append(inputs, axes)
	} else {
		inputs = inputs[:2]
	}
	b.give(n.Input(0), b.node("Pad", inputs, onnx.StrAttr("mode", "constant")))
	return nil
}

// slice puts dY back between zeros. Elements that are a step apart are spread, and negative steps reversed.
func slice(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	shape := b.info[x].Shape
	spans, err := b.slicedSpans(n, shape)
	if err != nil {
		return err
	}
	pads := make([]int64, 2*len(shape))
	padded := false
	for axis, s := range spans {
		if s == nil {
			continue
		}
		a, size := int64(axis), shape[axis].Size
		if s.count == 0 {
			return fmt.Errorf("it keeps nothing of axis %d", axis)
		}
		if s.step < 0 {
			dY = b.slice(dY, []int64{a}, []int64{-1}, []int64{-1 << 62}, []int64{-1})
			s.start, s.step = s.start+(s.count-1)*s.step, -s.step
		}
		length := s.count
		if s.step > 1 && s.count > 1 {
			dY = b.spread(dY, n.Outputs[0], axis, s.step)
			length = (s.count-1)*s.step + s.step
		}
		// The last spread element is followed by step−1 zeros, which may reach past the end; Pad cuts them off.
		pads[axis], pads[len(shape)+axis] = s.start, size-s.start-length
		padded = padded || pads[axis] != 0 || pads[len(shape)+axis] != 0
	}
	if padded {
		dY = b.node("Pad", []string{dY, b.ints(pads...)}, onnx.StrAttr("mode", "constant"))
	}
	b.give(x, dY)
	return nil
}

// slicedSpans resolves a Slice's constants; an axis that is not cut has none.
func (b *builder) slicedSpans(n *onnx.Node, shape onnx.Shape) ([]*span, error) {
	var lists [4][]int64 // starts, ends, axes, steps
	for i := range lists {
		if input := n.Input(1 + i); input != "" {
			list, ok := b.knownInts(input)
			if !ok {
				return nil, fmt.Errorf("where it cuts (%s) is not constant", input)
			}
			lists[i] = list
		}
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	if len(starts) != len(ends) {
		return nil, fmt.Errorf("it has %d starts and %d ends", len(starts), len(ends))
	}
	spans := make([]*span, len(shape))
	for i := range starts {
		axis, step := int64(i), int64(1)
		if axes != nil {
			if axis = axes[i]; axis < 0 {
				axis += int64(len(shape))
			}
		}
		if steps != nil {
			step = steps[i]
		}
		if axis < 0 || axis >= int64(len(shape)) || step == 0 {
			return nil, fmt.Errorf("it cuts axis %d of %d by steps of %d", axis, len(shape), step)
		}
		if !shape[axis].Known() {
			if starts[i] == 0 && ends[i] >= 1<<31-1 && step == 1 {
				continue // all of it
			}
			return nil, fmt.Errorf("it cuts axis %d, whose size is not known", axis)
		}
		s := sliceAxis(starts[i], ends[i], step, shape[axis].Size)
		spans[axis] = &s
	}
	return spans, nil
}

// spread puts step−1 zeros after every element along axis of d, which so far has, along axis and what
// follows it, the shape of the forward value y; axes before it may have been treated already.
func (b *builder) spread(d, y string, axis int, step int64) string {
	shape := b.info[y].Shape
	rank := int64(len(shape))
	d = b.node("Unsqueeze", []string{d, b.ints(int64(axis) + 1)})
	pads := make([]int64, 2*(rank+1))
	pads[rank+1+int64(axis)+1] = step - 1
	d = b.node("Pad", []string{d, b.ints(pads...)}, onnx.StrAttr("mode", "constant"))
	// In Reshape, 0 keeps the axes before, and −1 is the merged axis.
	target := slices.Repeat([]int64{0}, axis)
	target = append(target, -1)
	if axis+1 == len(shape) {
		return b.reshape(d, target...)
	}
	// The axes after it have moved by one, so that 0 would mean another axis: they are moved to the front.
	rest := shape[axis+1:]
	if dims, ok := rest.Sizes(); ok {
		return b.reshape(d, append(target, dims...)...)
	}
	tail := b.node("Slice", []string{b.node("Shape", []string{d}), b.ints(int64(axis) + 2), b.ints(rank + 1), b.ints(0)})
	head := b.node("Concat", []string{b.ints(target...), tail}, onnx.IntAttr("axis", 0))
	return b.node("Reshape", []string{d, head})
}

// depthToSpace moves elements only: its derivative moves them back. In the order DCR that is SpaceToDepth; for CRD, PyTorch's
// pixel_shuffle, ONNX has no inverse.
func depthToSpace(b *builder, n *onnx.Node, dY string) error {
	size := n.AttrInt("blocksize", 0)
	if n.AttrStr("mode", "DCR") == "DCR" {
		b.give(n.Input(0), b.node("SpaceToDepth", []string{dY}, onnx.IntAttr("blocksize", size)))
		return nil
	}
	x := b.info[n.Input(0)].Shape
	if len(x) != 4 || !x[2].Known() || !x[3].Known() {
		return fmt.Errorf("the height and width of its input are not known: its shape is %s", x)
	}
	split := b.reshape(dY, 0, 0, x[2].Size, size, x[3].Size, size)
	b.give(n.Input(0), b.reshapeLike(b.transpose(split, 0, 1, 3, 5, 2, 4), n.Input(0)))
	return nil
}

// spaceToDepth is DepthToSpace backwards, in the order DCR.
func spaceToDepth(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.node("DepthToSpace", []string{dY}, onnx.IntAttr("blocksize", n.AttrInt("blocksize", 0)), onnx.StrAttr("mode", "DCR")))
	return nil
}
