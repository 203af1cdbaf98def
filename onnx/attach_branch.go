package onnx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// copyStage appends a copy of the stage, from the cut to the copy's end and without its strides, and returns the name of its last
// value. Every float tensor is copied, so that training one branch does not change the other.
func (a *attachment) copyStage(stage []*Node) (string, error) {
	needed := (&finder{index: a.index}).ancestors([]string{a.end.Value}, a.cut.Value)
	inStage := map[*Node]bool{}
	for _, n := range stage {
		inStage[n] = needed[n] && a.cut.Value != a.end.Value
	}
	names := map[string]string{a.cut.Value: a.cut.Value}
	tensors := map[string]string{}
	for _, n := range stage {
		if !inStage[n] {
			continue
		}
		if a.padsShrinking(n, inStage) {
			names[n.Output(0)] = names[n.Input(0)]
			continue
		}
		c := n.Clone()
		a.copies[c] = n
		c.Name = a.editor.Name(copyName(cmp.Or(n.Name, n.Output(0))))
		for i, in := range n.Inputs {
			switch t := a.index.Initializers[in]; {
			case names[in] != "":
				c.Inputs[i] = names[in]
			case t != nil && t.Type == Float && len(t.Dims) > 0:
				if tensors[in] == "" {
					tensors[in] = a.copyTensor(t, "attention."+strings.TrimPrefix(in, "perception."))
				}
				c.Inputs[i] = tensors[in]
			}
		}
		for i, out := range n.Outputs {
			if out != "" {
				c.Outputs[i] = a.editor.Name(copyName(out))
				names[out] = c.Outputs[i]
			}
		}
		if err := a.keepSize(c, n, inStage); err != nil {
			return "", err
		}
		a.nodes = append(a.nodes, c)
	}
	return names[a.end.Value], nil
}

// copyName names the copy of a node or value.
func copyName(name string) string {
	return "/attention/" + strings.TrimPrefix(name, "/")
}

// shrinks reports whether a convolution or pool makes another grid of the one it reads; a Pad in front of it counts as its own.
func (a *attachment) shrinks(n *Node, inStage map[*Node]bool) (from, to Shape, ok bool) {
	if !n.IsOp("Conv", "MaxPool", "AveragePool", "LpPool") {
		return nil, nil, false
	}
	in := n.Input(0)
	if pad := a.index.Producer[in]; pad != nil && pad.IsOp("Pad") && inStage[pad] {
		in = pad.Input(0)
	}
	from, to = a.inferred.Shape(in), a.inferred.Shape(n.Output(0))
	if !isPlane(from) || len(to) != 4 {
		return nil, nil, false
	}
	return from, to, from[2] != to[2] || from[3] != to[3]
}

// padsShrinking reports whether a Pad is read only by layers whose copies do their own padding.
func (a *attachment) padsShrinking(n *Node, inStage map[*Node]bool) bool {
	from, to := a.inferred.Shape(n.Input(0)), a.inferred.Shape(n.Output(0))
	if !n.IsOp("Pad") || !isPlane(from) || !isPlane(to) || from[1] != to[1] {
		return false
	}
	return !slices.ContainsFunc(a.index.Consumers[n.Output(0)], func(reader *Node) bool {
		_, _, shrinks := a.shrinks(reader, inStage)
		return !shrinks
	})
}

// keepSize takes the stride out of a copied node c of n, so that the copy stays on the cut's grid.
func (a *attachment) keepSize(c, n *Node, inStage map[*Node]bool) error {
	switch {
	case n.IsOp("Reshape"):
		a.keepReshape(c, n)
		return nil
	case n.IsOp("Slice"):
		return a.keepSlice(c, n)
	}
	from, to, shrinks := a.shrinks(n, inStage)
	if !shrinks {
		if n.IsOp("Resize", "Upsample", "DepthToSpace", "SpaceToDepth") && isPlane(a.inferred.Shape(n.Input(0))) {
			in, out := a.inferred.Shape(n.Input(0)), a.inferred.Shape(n.Output(0))
			if len(out) != 4 || in[2] != out[2] || in[3] != out[3] {
				return fmt.Errorf("%w: %v makes %v of %v, and only convolutions and pools can be copied without their stride", ErrAttach, n, out, in)
			}
		}
		return nil
	}
	if !isPlane(to) { // a pool over the whole grid stays one
		switch {
		case n.IsOp("AveragePool"):
			c.Op, c.Attributes = "GlobalAveragePool", nil
		case n.IsOp("MaxPool"):
			c.Op, c.Attributes, c.Outputs = "GlobalMaxPool", nil, c.Outputs[:1]
		default:
			return fmt.Errorf("%w: %v makes %v of %v", ErrAttach, n, to, from)
		}
		return nil
	}
	kernel := n.AttrInts("kernel_shape")
	if weight := a.inferred.Shape(n.Input(1)); n.IsOp("Conv") && len(weight) == 4 {
		kernel = []int64{weight[2].Size, weight[3].Size}
	}
	if len(kernel) != 2 {
		return fmt.Errorf("%w: %v has a kernel of %v", ErrAttach, n, kernel)
	}
	if n.IsOp("MaxPool") && len(n.Outputs) > 1 && n.Output(1) != "" && len(a.index.Consumers[n.Output(1)]) > 0 {
		return fmt.Errorf("%w: the indices %v makes are read", ErrAttach, n)
	}
	dilations := n.AttrInts("dilations", 1, 1)
	pads := make([]int64, 4)
	for i := range 2 {
		extent := dilations[i] * (kernel[i] - 1)
		pads[i], pads[i+2] = extent/2, extent-extent/2
	}
	c.Attributes = slices.DeleteFunc(c.Attributes, func(at *Attribute) bool {
		return at.Name == "auto_pad" || at.Name == "ceil_mode"
	})
	c.SetAttr(IntsAttr("strides", 1, 1))
	c.SetAttr(IntsAttr("pads", pads...))
	return nil
}

// keepReshape puts the cut's grid into the constant sizes of a Reshape, which a file exported for one image size has.
func (a *attachment) keepReshape(c, n *Node) {
	target := a.inferred.Constant(n.Input(1))
	if target == nil || a.varying[n.Input(1)] {
		return
	}
	sizes, err := target.Int64s()
	if err != nil || len(sizes) < 4 { // sizes that are no integers: Infer says so
		return
	}
	grid := sizes[len(sizes)-2:]
	if !slices.Contains(a.grids, [2]int64(grid)) {
		return
	}
	grid[0], grid[1] = int64(a.cut.Height), int64(a.cut.Width)
	c.Inputs[1] = a.editor.Keep(NewInt64(a.editor.Name(copyName(n.Output(0))+"/shape"), []int64{int64(len(sizes))}, sizes))
}

// keepSlice turns x[:, :, ::2, ::2], the parameterless shortcut of CIFAR's ResNets, into all of x.
func (a *attachment) keepSlice(c, n *Node) error {
	in, out := a.inferred.Shape(n.Input(0)), a.inferred.Shape(n.Output(0))
	if !isPlane(in) || len(out) != 4 || in[2] == out[2] && in[3] == out[3] {
		return nil
	}
	steps := a.inferred.Constant(n.Input(4))
	if steps != nil && in[0] == out[0] && in[1] == out[1] {
		if list, err := steps.Int64s(); err == nil && slices.Min(list) > 0 {
			c.Op, c.Inputs = "Identity", c.Inputs[:1]
			return nil
		}
	}
	return fmt.Errorf("%w: %v makes %v of %v, and only convolutions, pools and every n-th cell can be copied without their stride", ErrAttach, n, out, in)
}
