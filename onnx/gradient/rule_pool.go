package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// maxPool adds dY to zeros at the places of the maxima, which the node is made to return as its second output: the first of equal
// ones, as in PyTorch. Windows may overlap.
func maxPool(b *builder, n *onnx.Node, dY string) error {
	if n.AttrInt("storage_order", 0) != 0 {
		return errors.New("it counts column by column (storage_order 1)")
	}
	for len(n.Outputs) < 2 {
		n.Outputs = append(n.Outputs, "")
	}
	if n.Outputs[1] == "" {
		n.Outputs[1] = b.editor.Fresh("indices")
	}
	x := n.Input(0)
	size := b.node("Size", []string{x})
	zeros := b.node("ConstantOfShape", []string{b.reshape(size, 1)},
		onnx.TensorAttr("value", onnx.NewFloat32("", []int64{1}, []float32{0})))
	sum := b.node("ScatterElements", []string{zeros, b.reshape(n.Outputs[1], -1), b.reshape(dY, -1)},
		onnx.IntAttr("axis", 0), onnx.StrAttr("reduction", "add"))
	b.give(x, b.reshapeLike(sum, x))
	return nil
}

// averagePool divides dY by the number of inputs of each window and spreads it over the window by a ConvTranspose with a kernel
// of ones, with all channels folded into the batch.
func averagePool(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	g, err := b.windows(n, nil)
	if err != nil {
		return err
	}
	if g.rank() > 2 {
		return fmt.Errorf("it pools over %d axes: one or two are differentiated", g.rank())
	}
	channels, err := b.channels(x)
	if err != nil {
		return err
	}
	if _, ok := onnx.Product(g.out...); !ok || !b.room(g.out...) || !b.room(g.kernel...) {
		return fmt.Errorf("its window %v over %v is too large to be differentiated", g.kernel, g.in)
	}
	includePad := n.AttrInt("count_include_pad", 0) != 0
	weights, same := g.shares(includePad)
	if len(weights) == 0 {
		return fmt.Errorf("it makes nothing: %v of %v", g.out, g.in)
	}
	share := float32(1)
	if same {
		share = weights[0]
	} else {
		dY = b.mul(dY, b.floats(weights, append([]int64{1, 1}, g.out...)...))
	}
	pads, extra := append(append([]int64{}, g.before...), g.after...), make([]int64, g.rank())
	for i := range g.rank() {
		extra[i] = g.leftover(i)
		if extra[i] < 0 { // the last window reaches past the end: cut off as if it were padding
			pads[g.rank()+i] -= extra[i]
			extra[i] = 0
		}
	}
	folded := b.reshape(dY, append([]int64{-1, 1}, g.out...)...)
	spread := b.node("ConvTranspose", []string{folded, b.full(share, append([]int64{1, 1}, g.kernel...)...)},
		onnx.IntsAttr("kernel_shape", g.kernel...), onnx.IntsAttr("strides", g.stride...),
		onnx.IntsAttr("dilations", g.dilation...), onnx.IntsAttr("pads", pads...),
		onnx.IntsAttr("output_padding", extra...))
	b.give(x, b.reshape(spread, append([]int64{-1, channels}, g.in...)...))
	return nil
}

// ceilDivide is a/b, rounded up, for a positive b.
func ceilDivide(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// shares is 1/(how many inputs the window averages) for every output place, row-major, and whether all
// are the same. With includePad the padding counts as inputs, but not what ceil_mode adds beyond it.
func (g *geometry) shares(includePad bool) (weights []float32, same bool) {
	counts := make([][]int64, g.rank())
	for i := range g.rank() {
		low, high := int64(0), g.in[i]
		if includePad {
			low, high = -g.before[i], g.in[i]+g.after[i]
		}
		for o := range g.out[i] {
			// The k from 0 to kernel−1 with low ≤ first + k·dilation < high.
			first, step := o*g.stride[i]-g.before[i], g.dilation[i]
			from := max(0, ceilDivide(low-first, step))
			to := min(g.kernel[i], ceilDivide(high-first, step))
			counts[i] = append(counts[i], max(0, to-from))
		}
	}
	weights = []float32{1}
	for _, axis := range counts {
		var next []float32
		for _, w := range weights {
			for _, c := range axis {
				next = append(next, w/float32(c))
			}
		}
		weights = next
	}
	same = true
	for _, w := range weights {
		same = same && w == weights[0]
	}
	return weights, same
}
