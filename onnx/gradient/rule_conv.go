package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// conv: Y [N,O,h,w] = X [N,C,H,W] * W [O,C/g,k…] + B [O]. Three gradients, each by the kernel of ONNX
// Runtime that was found fastest for it on a CPU:
//
//	dB  sums over h·w, then over N
//	dX  a Conv of dY with W's axes swapped and its kernel turned around, where the stride is 1;
//	    with one kernel element the same, then spread over the inputs that were visited;
//	    else ConvTranspose with W as it is
//	dW  for every kernel position one Gemm of dY with the inputs that position sees; as one
//	    Conv over transposed operands it is half as fast
func conv(b *builder, n *onnx.Node, dY string) error {
	x, w := n.Input(0), n.Input(1)
	shape := b.info[w].Shape
	dims, ok := shape.Sizes()
	if !ok || len(dims) < 3 {
		return fmt.Errorf("its weight has shape %s", shape)
	}
	g, err := b.windows(n, dims[2:])
	if err != nil {
		return err
	}
	if g.points() > onnx.MaxPositions {
		return fmt.Errorf("its kernel of %v has %d elements: at most %d are differentiated", g.kernel, g.points(), onnx.MaxPositions)
	}
	groups := n.AttrInt("group", 1)
	blocked := b.depends[w] && BlockedConv(dims, groups, b.block)
	if blocked { // before dX, so that dX can be computed after it and dY be freed after both
		b.convWeightBlocked(n, dY, dims, g, groups)
	} else if bias := n.Input(2); b.depends[bias] {
		b.give(bias, b.perChannel(dY, len(dims)))
	}
	if b.depends[x] {
		b.give(x, b.convInput(x, dY, w, dims, g, groups))
	}
	if b.depends[w] && !blocked {
		switch {
		case groups == 1:
			b.give(w, b.convWeight(dY, x, dims, g))
		case dims[0] == groups && dims[1] == 1 && g.rank() == 2 && b.room(g.out[1], g.in[1], g.kernel[1]):
			b.give(w, b.convWeightDepthwise(dY, x, dims, g))
		default:
			b.give(w, b.convWeightGrouped(dY, x, dims, g, groups))
		}
	}
	return nil
}

// convInput is dX of a convolution.
func (b *builder) convInput(x, dY, w string, dims []int64, g *geometry, groups int64) string {
	turned := g.dense()
	pads, extra := make([]int64, 2*g.rank()), make([]int64, g.rank())
	for i := range g.rank() {
		// A window of dY that ends at input i starts reach−1 before it.
		pads[i] = g.reach(i) - 1 - g.before[i]
		pads[g.rank()+i] = g.reach(i) - 1 - g.after[i]
		turned = turned && pads[i] >= 0 && pads[g.rank()+i] >= 0
		extra[i] = g.leftover(i)
	}
	if turned {
		return b.node("Conv", []string{dY, b.turnedKernel(w, dims, groups)},
			onnx.IntAttr("group", groups), onnx.IntsAttr("kernel_shape", g.kernel...),
			onnx.IntsAttr("dilations", g.dilation...), onnx.IntsAttr("pads", pads...),
			onnx.IntsAttr("strides", g.stride...))
	}
	if BlockedConv(dims, groups, b.block) {
		return b.convInputBlocked(x, dY, w, g, groups)
	}
	if g.points() == 1 && g.rank() == 2 && !g.padded() && b.room(g.out[1], g.stride[0], g.in[1]) {
		visited := b.node("Conv", []string{dY, b.turnedKernel(w, dims, groups)},
			onnx.IntAttr("group", groups), onnx.IntsAttr("kernel_shape", g.kernel...))
		return b.interleave(visited, dims[1]*groups, g)
	}
	return b.node("ConvTranspose", []string{dY, w},
		onnx.IntAttr("group", groups), onnx.IntsAttr("kernel_shape", g.kernel...),
		onnx.IntsAttr("dilations", g.dilation...), onnx.IntsAttr("strides", g.stride...),
		onnx.IntsAttr("pads", append(append([]int64{}, g.before...), g.after...)...),
		onnx.IntsAttr("output_padding", extra...))
}

// interleave puts x [N,C,h,w] into zeros [N,C,H,W] where a window of one element, without padding, visits them: as a product
// of its rows with a matrix [w, stride·W] that is 1 at (j, j·stride) of the first of a stride's rows.
func (b *builder) interleave(x string, channels int64, g *geometry) string {
	rows, width := g.stride[0], g.in[1]
	matrix := b.filled(fmt.Sprint("every ", g.stride[1]), func(data []float32) {
		for j := range g.out[1] {
			data[j*rows*width+j*g.stride[1]] = 1
		}
	}, g.out[1], rows*width)
	flat := b.node("MatMul", []string{b.reshape(x, -1, g.out[1]), matrix})
	full := b.reshape(flat, -1, channels, g.out[0]*rows, width)
	if g.out[0]*rows == g.in[0] {
		return full
	}
	return b.slice(full, []int64{2}, []int64{0}, []int64{g.in[0]}, []int64{1})
}

// turnedKernel is W [O,C/g,k…] with its channels swapped within groups and its kernel turned by half a
// turn: [C,O/g,k…].
func (b *builder) turnedKernel(w string, dims []int64, groups int64) string {
	outputs, inputs := dims[0], dims[1] // inputs per group
	if BlockedConv(dims, groups, b.block) {
		swapped := onnx.ShapeOf(groups*inputs, outputs/groups, dims[2], dims[3])
		return b.blocked(TurnedWeight, []string{w}, []onnx.Shape{swapped}, onnx.IntAttr("group", groups))[0]
	}
	points := product(dims[2:])
	kernel := w
	if groups == 1 {
		kernel = b.reshape(kernel, outputs, inputs, points)
		kernel = b.transpose(kernel, 1, 0, 2)
	} else if outputs != groups || inputs != 1 {
		kernel = b.reshape(kernel, groups, outputs/groups, inputs, points)
		kernel = b.transpose(kernel, 0, 2, 1, 3)
	}
	swapped := []int64{groups * inputs, outputs / groups}
	if points > 1 {
		kernel = b.product2(b.reshape(kernel, -1, points), b.permutation(points, true), false, false, 1)
	}
	return b.reshape(kernel, append(swapped, dims[2:]...)...)
}

// convWeight is dW of a convolution without groups: for each kernel position one product of dY as
// O×(N·h·w) with the inputs that the position sees.
//
// Where there is one position they are C×(N·h·w), which like dY's form moves whole planes in memory. For more positions X is laid
// out with its channels last, so that what a position sees are whole rows of channels, cheap to cut out, and padding is cheap
// too. (Swapping two of three axes is the only transposition that the runtime does fast; transposing [N,C,H,W] in one go is four
// times as slow.)
func (b *builder) convWeight(dY, x string, dims []int64, g *geometry) string {
	outputs, inputs := dims[0], dims[1]
	left := b.planes(dY, outputs)
	if g.points() == 1 {
		cut := x
		if !g.plain() {
			cut = b.windowSlice(b.padSpatial(x, g, 2), g, make([]int64, g.rank()), 2)
		}
		return b.reshape(b.product2(left, b.planes(cut, inputs), false, true, 1), dims...)
	}
	last := b.once("channels last "+x+fmt.Sprint(g.before, g.after), func() string {
		rows := b.transpose(b.reshape(x, 0, inputs, -1), 0, 2, 1)
		return b.padSpatial(b.reshape(rows, append(append([]int64{-1}, g.in...), inputs)...), g, 1)
	})
	var positions []string
	g.each(func(position []int64) {
		cut := b.reshape(b.windowSlice(last, g, position, 1), -1, inputs)
		positions = append(positions, b.reshape(b.product2(left, cut, false, false, 1), 1, outputs*inputs))
	})
	all := b.node("Concat", positions, onnx.IntAttr("axis", 0)) // [k², O·C]
	// A transposition so lopsided is many times faster as a product with the identity.
	return b.reshape(b.product2(all, b.permutation(g.points(), false), true, false, 1), dims...)
}

// permutation is the identity [n,n], or with its columns in reverse order.
func (b *builder) permutation(n int64, reverse bool) string {
	return b.filled(fmt.Sprint("permutation ", reverse), func(data []float32) {
		for i := range n {
			if reverse {
				data[i*n+n-1-i] = 1
			} else {
				data[i*n+i] = 1
			}
		}
	}, n, n)
}

// planes is x [N,C,…] as [C, N·…].
func (b *builder) planes(x string, channels int64) string {
	return b.once("planes "+x, func() string {
		return b.reshape(b.transpose(b.reshape(x, 0, channels, -1), 1, 0, 2), channels, -1)
	})
}

// convWeightGrouped is dW with groups: per kernel position a stack of g products of (O/g)×(N·h·w) with
// (N·h·w)×(C/g).
func (b *builder) convWeightGrouped(dY, x string, dims []int64, g *geometry, groups int64) string {
	outputs, inputs := dims[0]/groups, dims[1]
	first := b.channelsFirst(g.rank())
	left := b.reshape(b.transpose(dY, first...), groups, outputs, -1) // [g, O/g, N·h·w]
	right := b.transpose(b.padSpatial(x, g, 2), first...)             // [C, N, H, W]
	var positions []string
	g.each(func(position []int64) {
		cut := b.reshape(b.windowSlice(right, g, position, 2), groups, inputs, -1)
		product := b.node("MatMul", []string{left, b.transpose(cut, 0, 2, 1)})
		positions = append(positions, b.reshape(product, groups*outputs, inputs, 1))
	})
	all := positions[0]
	if len(positions) > 1 {
		all = b.node("Concat", positions, onnx.IntAttr("axis", 2))
	}
	return b.reshape(all, dims...)
}

func (b *builder) channelsFirst(spatial int) []int64 {
	perm := []int64{1, 0}
	for i := range spatial {
		perm = append(perm, int64(i+2))
	}
	return perm
}

// convTranspose: the roles of Conv's X and Y exchanged. Y [N,O,H,W] from X [N,C,h,w], W [C,O/g,k…].
func convTranspose(b *builder, n *onnx.Node, dY string) error {
	x, w := n.Input(0), n.Input(1)
	dims, ok := b.info[w].Shape.Sizes()
	if !ok || len(dims) < 3 {
		return fmt.Errorf("its weight has shape %s", b.info[w].Shape)
	}
	if pad := n.AttrStr("auto_pad", "NOTSET"); pad != "NOTSET" || n.Attr("output_shape") != nil {
		return errors.New("auto_pad and output_shape are not differentiated")
	}
	forward, err := b.windows(n, dims[2:])
	if err != nil {
		return err
	}
	if forward.points() > onnx.MaxPositions {
		return fmt.Errorf("its kernel of %v has %d elements: at most %d are differentiated", forward.kernel, forward.points(), onnx.MaxPositions)
	}
	// The convolution that would lead from Y to X.
	g := *forward
	g.in, g.out = forward.out, forward.in
	groups := n.AttrInt("group", 1)
	if bias := n.Input(2); b.depends[bias] {
		b.give(bias, b.perChannel(dY, len(dims)))
	}
	if b.depends[x] {
		b.give(x, b.node("Conv", []string{dY, w}, onnx.IntAttr("group", groups),
			onnx.IntsAttr("kernel_shape", g.kernel...), onnx.IntsAttr("dilations", g.dilation...),
			onnx.IntsAttr("strides", g.stride...),
			onnx.IntsAttr("pads", append(append([]int64{}, g.before...), g.after...)...)))
	}
	if b.depends[w] {
		b.give(w, b.convWeightGrouped(x, dY, dims, &g, groups))
	}
	return nil
}
