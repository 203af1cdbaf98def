package onnx

import (
	"fmt"
	"slices"
)

// conv infers [N,C,spatial...] ∗ [M,C/group,kernel...] → [N,M,spatial'...].
func conv(c *call) error {
	x := c.in[0]
	w, err := c.need(1)
	if err != nil {
		return err
	}
	out := c.out[0]
	out.dtype = x.dtype
	if x.shape == nil || w.shape == nil {
		return nil
	}
	if len(x.shape) < 3 || len(x.shape) != len(w.shape) {
		return fmt.Errorf("%w: input %v, weight %v", ErrShape, x.shape, w.shape)
	}
	group := c.AttrInt("group", 1)
	channels, perGroup := x.shape[1], w.shape[1]
	if group < 1 || group > MaxElements || channels.Known() && perGroup.Known() && channels.Size != perGroup.Size*group ||
		w.shape[0].Known() && w.shape[0].Size%group != 0 {
		return fmt.Errorf("%w: input %v, weight %v, group %d", ErrShape, x.shape, w.shape, group)
	}
	if b := c.input(2); b != nil && b.shape != nil && !slices.Equal(b.shape, w.shape[:1]) {
		return fmt.Errorf("%w: bias %v for weight %v", ErrShape, b.shape, w.shape)
	}
	kernel, err := c.kernel(w.shape[2:])
	if err != nil {
		return err
	}
	window, err := c.window(kernel)
	if err != nil {
		return err
	}
	spatial, err := window.sizes(x.shape[2:], false)
	out.shape = append(Shape{x.shape[0], w.shape[0]}, spatial...)
	return err
}

// kernel is the kernel_shape attribute, or the weight's.
func (c *call) kernel(weight Shape) ([]int64, error) {
	sizes, known := weight.Sizes()
	kernel := c.AttrInts("kernel_shape", sizes...)
	if len(kernel) != len(weight) || known && !slices.Equal(kernel, sizes) {
		return nil, fmt.Errorf("%w: kernel_shape %v for a weight of %v", ErrShape, kernel, weight)
	}
	return kernel, nil
}

// window is how a convolution or pooling walks over its spatial axes.
type window struct {
	kernel, strides, dilations []int64
	pads                       []int64 // begins, then ends
	auto                       string
}

func (c *call) window(kernel []int64) (window, error) {
	rank := len(kernel)
	w := window{
		kernel:    kernel,
		strides:   c.AttrInts("strides", slices.Repeat([]int64{1}, rank)...),
		dilations: c.AttrInts("dilations", slices.Repeat([]int64{1}, rank)...),
		pads:      c.AttrInts("pads", slices.Repeat([]int64{0}, 2*rank)...),
		auto:      c.AttrStr("auto_pad", "NOTSET"),
	}
	if len(w.strides) != rank || len(w.dilations) != rank || len(w.pads) != 2*rank {
		return w, fmt.Errorf("%w: kernel %v, strides %v, dilations %v, pads %v", ErrShape, kernel, w.strides, w.dilations, w.pads)
	}
	for _, n := range slices.Concat(kernel, w.strides, w.dilations, w.pads) {
		if n < -MaxElements || n > MaxElements {
			return w, fmt.Errorf("%w: %d in kernel %v, strides %v, dilations %v, pads %v: at most %d is computed with", ErrLimit, n, kernel, w.strides, w.dilations, w.pads, int64(MaxElements))
		}
	}
	for i := range rank {
		if kernel[i] < 1 || w.strides[i] < 1 || w.dilations[i] < 1 {
			return w, fmt.Errorf("%w: kernel %v, strides %v, dilations %v", ErrShape, kernel, w.strides, w.dilations)
		}
	}
	return w, nil
}

// sizes are the spatial axes of the output.
func (w window) sizes(in Shape, ceil bool) (Shape, error) {
	if len(in) != len(w.kernel) {
		return nil, fmt.Errorf("%w: %d spatial axes for a kernel of %v", ErrShape, len(in), w.kernel)
	}
	out := make(Shape, len(in))
	for i, d := range in {
		extent := w.dilations[i]*(w.kernel[i]-1) + 1
		begin, end := w.pads[i], w.pads[i+len(in)]
		if w.auto == "VALID" {
			begin, end = 0, 0
		}
		switch {
		case !d.Known():
			out[i] = Unknown()
			if w.strides[i] == 1 && begin+end == extent-1 || w.strides[i] == 1 && (w.auto == "SAME_UPPER" || w.auto == "SAME_LOWER") {
				out[i] = d
			}
		case w.auto == "SAME_UPPER" || w.auto == "SAME_LOWER":
			out[i] = Fixed((d.Size + w.strides[i] - 1) / w.strides[i])
		default:
			room := d.Size + begin + end - extent
			if room < 0 {
				return nil, fmt.Errorf("%w: a window of %d over %d+%d+%d cells", ErrShape, extent, begin, d.Size, end)
			}
			n := room/w.strides[i] + 1
			if ceil && room%w.strides[i] != 0 && n*w.strides[i] < d.Size+begin { // the last window must start inside
				n++
			}
			out[i] = Fixed(n)
		}
	}
	return out, nil
}

func convTranspose(c *call) error {
	x := c.in[0]
	w, err := c.need(1)
	if err != nil {
		return err
	}
	out := c.out[0]
	out.dtype = x.dtype
	if x.shape == nil || w.shape == nil {
		return nil
	}
	group := c.AttrInt("group", 1)
	if len(x.shape) < 3 || len(x.shape) != len(w.shape) || group < 1 || group > MaxElements ||
		x.shape[1].Known() && w.shape[0].Known() && x.shape[1] != w.shape[0] {
		return fmt.Errorf("%w: input %v, weight %v, group %d", ErrShape, x.shape, w.shape, group)
	}
	kernel, err := c.kernel(w.shape[2:])
	if err != nil {
		return err
	}
	win, err := c.window(kernel)
	if err != nil {
		return err
	}
	rank := len(kernel)
	extra := c.AttrInts("output_padding", slices.Repeat([]int64{0}, rank)...)
	given := c.AttrInts("output_shape")
	for _, n := range extra {
		if n < -MaxElements || n > MaxElements {
			return fmt.Errorf("%w: output_padding %v", ErrLimit, extra)
		}
	}
	channels := Unknown()
	if w.shape[1].Known() {
		channels = Fixed(w.shape[1].Size * group)
	}
	out.shape = Shape{x.shape[0], channels}
	for i := range rank {
		d := x.shape[2+i]
		switch {
		case len(given) == rank:
			d = Fixed(given[i])
		case !d.Known() || len(extra) != rank:
			d = Unknown()
		case win.auto == "SAME_UPPER" || win.auto == "SAME_LOWER":
			d = Fixed(d.Size * win.strides[i])
		default:
			pads := win.pads[i] + win.pads[i+rank]
			if win.auto == "VALID" {
				pads = 0
			}
			d = Fixed(win.strides[i]*(d.Size-1) + extra[i] + win.dilations[i]*(kernel[i]-1) + 1 - pads)
		}
		out.shape = append(out.shape, d)
	}
	return nil
}

func pool(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	kernel := c.AttrInts("kernel_shape")
	if len(x.shape) < 3 || len(kernel) != len(x.shape)-2 {
		return fmt.Errorf("%w: kernel_shape %v over %v", ErrShape, kernel, x.shape)
	}
	w, err := c.window(kernel)
	if err != nil {
		return err
	}
	spatial, err := w.sizes(x.shape[2:], c.AttrInt("ceil_mode", 0) != 0)
	if err != nil {
		return err
	}
	out.shape = append(slices.Clone(x.shape[:2]), spatial...)
	if len(c.out) > 1 { // MaxPool's indices
		c.out[1].dtype, c.out[1].shape = Int64, out.shape
	}
	return nil
}

func globalPool(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	if len(x.shape) < 3 {
		return fmt.Errorf("%w: pooling over %v", ErrShape, x.shape)
	}
	out.shape = slices.Clone(x.shape[:2])
	for range x.shape[2:] {
		out.shape = append(out.shape, Fixed(1))
	}
	return nil
}

// batchNormalization keeps the shape; further outputs are statistics per channel.
func batchNormalization(c *call) error {
	x := c.in[0]
	for i := 1; i < 5; i++ {
		v, err := c.need(i)
		if err != nil {
			return err
		}
		if len(x.shape) > 1 && v.shape != nil &&
			(len(v.shape) != 1 || v.shape[0].Known() && x.shape[1].Known() && v.shape[0] != x.shape[1]) {
			return fmt.Errorf("%w: %v for an input of %v", ErrShape, v.shape, x.shape)
		}
	}
	for _, out := range c.out[1:] {
		out.dtype, out.shape = c.in[1].dtype, c.in[1].shape
	}
	return unary(c)
}

// layerNormalization keeps the shape; in mean and deviation the normalised axes are 1.
func layerNormalization(c *call) error {
	x := c.in[0]
	if x.shape != nil && len(c.out) > 1 {
		first, err := axis(c.AttrInt("axis", -1), len(x.shape))
		if err != nil {
			return err
		}
		stats := slices.Clone(x.shape)
		for i := first; i < len(stats); i++ {
			stats[i] = Fixed(1)
		}
		for _, out := range c.out[1:] {
			out.dtype, out.shape = Float, stats
		}
	}
	return unary(c)
}

// resize computes the output from constant sizes or scales. Inputs were reordered between versions 10 and 11.
func resize(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	out.shape = slices.Repeat(Shape{Unknown()}, len(x.shape))
	list := c.AttrInts("axes")
	if c.Attr("axes") == nil {
		for i := range x.shape {
			list = append(list, int64(i))
		}
	} else {
		out.shape = slices.Clone(x.shape)
		for _, a := range list {
			i, err := axis(a, len(x.shape))
			if err != nil {
				return err
			}
			out.shape[i] = Unknown()
		}
	}
	scales, sizes := c.input(2), c.input(3)
	if c.opset < 11 {
		scales, sizes = c.input(1), nil
	}
	switch {
	case c.AttrStr("keep_aspect_ratio_policy", "stretch") != "stretch":
	case sizes != nil && len(sizes.ints()) == len(list):
		for k, e := range sizes.ints() {
			i, _ := axis(list[k], len(x.shape))
			out.shape[i] = e.dim()
		}
	case scales != nil && len(scales.floats()) == len(list):
		for k, f := range scales.floats() {
			i, _ := axis(list[k], len(x.shape))
			out.shape[i] = x.shape[i].scaled(f)
		}
	}
	return nil
}

// scaled is an axis f times as long.
func (d Dim) scaled(f float64) Dim {
	switch {
	case f == 1:
		return d
	case d.Known() && f > 0 && f < 1<<16:
		return Fixed(int64(float64(d.Size) * f))
	}
	return Unknown()
}

// upsample infers what Resize was called before operator set 10. Its scales are an attribute up to 8.
func upsample(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	var scales []float64
	if a := c.Attr("scales"); a != nil {
		for _, f := range a.Floats {
			scales = append(scales, float64(f))
		}
	} else if given := c.input(1); given != nil {
		scales = given.floats()
	}
	if x.shape == nil || len(scales) != len(x.shape) {
		return nil
	}
	out.shape = make(Shape, len(scales))
	for i, f := range scales {
		out.shape[i] = x.shape[i].scaled(f)
	}
	return nil
}

// blocks infers DepthToSpace, [N,C·b·b,H,W] → [N,C,H·b,W·b], and its inverse SpaceToDepth.
func blocks(c *call) error {
	x, out := c.in[0], c.out[0]
	out.dtype = x.dtype
	if x.shape == nil {
		return nil
	}
	b := c.AttrInt("blocksize", 0)
	if len(x.shape) != 4 || b < 1 || b > MaxElements {
		return fmt.Errorf("%w: input %v, blocksize %d", ErrShape, x.shape, b)
	}
	toSpace := c.IsOp("DepthToSpace")
	out.shape = Shape{x.shape[0], Unknown(), Unknown(), Unknown()}
	for i, d := range x.shape[1:] {
		if !d.Known() {
			continue
		}
		factors, divides := []int64{b}, i > 0 != toSpace
		if i == 0 {
			factors = []int64{b, b}
		}
		size := d.Size
		for _, factor := range factors {
			switch n, ok := Product(size, factor); {
			case !divides && ok:
				size = n
			case divides && size%factor == 0:
				size /= factor
			default:
				return fmt.Errorf("%w: input %v, blocksize %d", ErrShape, x.shape, b)
			}
		}
		out.shape[i+1] = Fixed(size)
	}
	return nil
}
