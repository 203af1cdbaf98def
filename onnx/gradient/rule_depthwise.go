package gradient

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// convWeightDepthwise is dW [C,1,k,l] of a convolution with one channel a group. For kernel row i the products of all
// pairs of a column of dY and a column of X, over images and rows,
//
//	G_i[c, x, x′] = Σ_{n,y} dY[n,c,y,x] · X[n,c, y·stride+i, x′]
//
// are one matrix product a channel, and dW[c,i,j] adds up those with x′ = x·stride+j: These are k slices of whole rows. Cutting
// out every kernel position would take k·l slices of parts of rows, which cost more than all the sums.
func (b *builder) convWeightDepthwise(dY, x string, dims []int64, g *geometry) string {
	channels := dims[0]
	rows, columns := &geometry{
		in: g.in[:1], out: g.out[:1], kernel: g.kernel[:1], stride: g.stride[:1], dilation: g.dilation[:1],
		before: g.before[:1], after: g.after[:1],
	}, g.in[1]
	left := b.once("depthwise left "+dY, func() string { // [C, w, N·h]
		return b.transpose(b.reshape(b.planes(dY, channels), channels, -1, g.out[1]), 0, 2, 1)
	})
	right := b.once(fmt.Sprint("depthwise right ", x, rows.before, rows.after), func() string { // [C, N, H, W]
		return b.padSpatial(b.reshape(b.planes(x, channels), channels, -1, g.in[0], columns), &geometry{
			in: g.in, before: []int64{g.before[0], 0}, after: []int64{g.after[0], 0},
			kernel: g.kernel, out: g.out, stride: g.stride, dilation: g.dilation,
		}, 2)
	})
	diagonals := b.diagonals(g)
	var parts []string
	rows.each(func(position []int64) {
		cut := b.reshape(b.windowSlice(right, rows, position, 2), channels, -1, columns) // [C, N·h, W]
		pairs := b.node("MatMul", []string{left, cut})
		parts = append(parts, b.product2(b.reshape(pairs, channels, -1), diagonals, false, false, 1)) // [C, l]
	})
	all := parts[0]
	if len(parts) > 1 {
		all = b.node("Concat", parts, onnx.IntAttr("axis", 1))
	}
	return b.reshape(all, dims...)
}

// diagonals is the matrix [w·W, l] that is 1 at (x·W+x′, j) where output column x sees input column x′ through the
// kernel's column j.
func (b *builder) diagonals(g *geometry) string {
	w, width, kernel := g.out[1], g.in[1], g.kernel[1]
	return b.filled(fmt.Sprint("diagonals ", w, g.stride[1], g.dilation[1], g.before[1]), func(data []float32) {
		for x := range w {
			for j := range kernel {
				if seen := x*g.stride[1] + j*g.dilation[1] - g.before[1]; seen >= 0 && seen < width {
					data[(x*width+seen)*kernel+j] = 1
				}
			}
		}
	}, w*width, kernel)
}
