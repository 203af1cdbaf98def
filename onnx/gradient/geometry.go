package gradient

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// geometry is how a window moves over the spatial axes of a convolution or a pool, one entry an axis.
type geometry struct {
	in, out, kernel, stride, dilation []int64
	before, after                     []int64 // padding
}

// windows reads n's attributes; kernel is used where n has no kernel_shape. The spatial axes of X and
// Y must be known.
func (b *builder) windows(n *onnx.Node, kernel []int64) (*geometry, error) {
	in, err := b.spatial(n.Input(0))
	if err != nil {
		return nil, err
	}
	out, err := b.spatial(n.Outputs[0])
	if err != nil {
		return nil, err
	}
	rank := len(in)
	ones, zeros := make([]int64, rank), make([]int64, 2*rank)
	for i := range ones {
		ones[i] = 1
	}
	g := &geometry{
		in: in, out: out, kernel: n.AttrInts("kernel_shape", kernel...),
		stride: n.AttrInts("strides", ones...), dilation: n.AttrInts("dilations", ones...),
	}
	pads := n.AttrInts("pads", zeros...)
	if len(g.kernel) != rank || len(g.stride) != rank || len(g.dilation) != rank || len(pads) != 2*rank {
		return nil, fmt.Errorf("its window's attributes do not fit %d spatial axes", rank)
	}
	if _, ok := onnx.Product(g.kernel...); !ok {
		return nil, fmt.Errorf("its window of %v has more than %d elements", g.kernel, int64(onnx.MaxElements))
	}
	g.before, g.after = append([]int64{}, pads[:rank]...), append([]int64{}, pads[rank:]...)
	switch pad := n.AttrStr("auto_pad", "NOTSET"); pad {
	case "NOTSET", "":
	case "VALID":
		g.before, g.after = make([]int64, rank), make([]int64, rank)
	case "SAME_UPPER", "SAME_LOWER":
		for i := range rank {
			total := max((g.out[i]-1)*g.stride[i]+g.reach(i)-g.in[i], 0)
			g.before[i], g.after[i] = total/2, total-total/2
			if pad == "SAME_LOWER" {
				g.before[i], g.after[i] = g.after[i], g.before[i]
			}
		}
	default:
		return nil, fmt.Errorf("auto_pad is %q", pad)
	}
	return g, nil
}

// spatial are the axes of a forward value after batch and channels.
func (b *builder) spatial(value string) ([]int64, error) {
	shape := b.info[value].Shape
	if len(shape) < 3 {
		return nil, fmt.Errorf("%s has shape %s: it has no spatial axes", value, shape)
	}
	dims, ok := shape[2:].Sizes()
	if !ok {
		return nil, fmt.Errorf("the height and width of %s are not known: its shape is %s", value, shape)
	}
	return dims, nil
}

// channels is the size of a forward value's second axis.
func (b *builder) channels(value string) (int64, error) {
	shape := b.info[value].Shape
	if len(shape) < 2 || !shape[1].Known() {
		return 0, fmt.Errorf("the channels of %s are not known: its shape is %s", value, shape)
	}
	return shape[1].Size, nil
}

// reach is how many inputs a window spans.
func (g *geometry) reach(axis int) int64 { return (g.kernel[axis]-1)*g.dilation[axis] + 1 }

// leftover is how many padded inputs at the end no window reaches; negative where the last window
// reaches past them (ceil_mode).
func (g *geometry) leftover(axis int) int64 {
	return g.before[axis] + g.in[axis] + g.after[axis] - (g.out[axis]-1)*g.stride[axis] - g.reach(axis)
}

func (g *geometry) rank() int { return len(g.in) }

// points is the number of kernel elements.
func (g *geometry) points() int64 { return product(g.kernel) }

// plain is a window of one element that visits every input in place.
func (g *geometry) plain() bool {
	for i := range g.in {
		if g.kernel[i] != 1 || g.stride[i] != 1 || g.before[i] != 0 || g.after[i] != 0 {
			return false
		}
	}
	return true
}

func (g *geometry) dense() bool {
	for _, s := range g.stride {
		if s != 1 {
			return false
		}
	}
	return true
}

func (g *geometry) padded() bool {
	for i := range g.in {
		if g.before[i] != 0 || g.after[i] != 0 {
			return true
		}
	}
	return false
}

// each calls visit with every kernel position, the last axis fastest.
func (g *geometry) each(visit func(position []int64)) {
	position := make([]int64, g.rank())
	for {
		visit(position)
		axis := g.rank() - 1
		for ; axis >= 0; axis-- {
			if position[axis]++; position[axis] < g.kernel[axis] {
				break
			}
			position[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// padSpatial puts zeros around the spatial axes of x, which start at first, as the window sees them. x has
// two axes besides: batch and channels, the latter behind the spatial ones where first is 1.
func (b *builder) padSpatial(x string, g *geometry, first int) string {
	if !g.padded() {
		return x
	}
	rank := 2 + g.rank()
	pads := make([]int64, 2*rank)
	for i := range g.rank() {
		pads[first+i], pads[rank+first+i] = g.before[i], g.after[i]
	}
	return b.node("Pad", []string{x, b.ints(pads...)}, onnx.StrAttr("mode", "constant"))
}

// windowSlice is the inputs that one kernel position sees: x, whose padded spatial axes start at
// first, cut to the output's size.
func (b *builder) windowSlice(x string, g *geometry, position []int64, first int) string {
	var axes, starts, ends, steps []int64
	for i := range g.rank() {
		start := position[i] * g.dilation[i]
		end := start + (g.out[i]-1)*g.stride[i] + 1
		if start == 0 && end == g.in[i]+g.before[i]+g.after[i] && g.stride[i] == 1 {
			continue
		}
		axes, starts = append(axes, int64(first+i)), append(starts, start)
		ends, steps = append(ends, end), append(steps, g.stride[i])
	}
	if len(axes) == 0 {
		return x
	}
	return b.slice(x, axes, starts, ends, steps)
}
