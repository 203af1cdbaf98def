package onnx

import (
	"fmt"
	"slices"
)

// Rules for operators that are rare in a branch: those that move a grid, order values, attend, or go along a sequence.

// predicate is unary for operators that answer yes or no.
func predicate(c *call) error {
	c.out[0].dtype, c.out[0].shape = Bool, c.in[0].shape
	return nil
}

// gridSample takes values of [N,C,…] at the places of a grid [N,places…,2 or 3].
func gridSample(c *call) error {
	x := c.in[0]
	grid, err := c.need(1)
	if err != nil {
		return err
	}
	c.out[0].dtype = x.dtype
	if x.shape == nil || grid.shape == nil {
		return nil
	}
	if len(x.shape) < 3 || len(grid.shape) != len(x.shape) {
		return fmt.Errorf("%w: values of %v at the places of a grid %v", ErrShape, x.shape, grid.shape)
	}
	c.out[0].shape = append(slices.Clone(x.shape[:2]), grid.shape[1:len(grid.shape)-1]...)
	return nil
}

// affineGrid makes a grid [N,places…,2 or 3] for an image of the size [N,C,places…].
func affineGrid(c *call) error {
	c.out[0].dtype = c.in[0].dtype
	size, err := c.need(1)
	if err != nil || size.ints() == nil {
		return err
	}
	s, err := shapeFrom(size.ints())
	if err != nil {
		return err
	}
	if len(s) < 3 {
		return fmt.Errorf("%w: a grid for an image of %v", ErrShape, s)
	}
	c.out[0].shape = append(append(Shape{s[0]}, s[2:]...), Fixed(int64(len(s)-2)))
	return nil
}

// topK keeps the k largest or smallest along an axis, and says where they were. k was an attribute up to operator set 9.
func topK(c *call) error {
	x := c.in[0]
	c.out[0].dtype = x.dtype
	if x.shape != nil {
		at, err := axis(c.AttrInt("axis", -1), len(x.shape))
		if err != nil {
			return err
		}
		s := slices.Clone(x.shape)
		s[at] = Unknown()
		if k := c.input(1); k != nil && len(k.ints()) == 1 {
			s[at] = k.ints()[0].dim()
		} else if a := c.Attr("k"); a != nil && a.Int >= 0 {
			s[at] = Fixed(a.Int)
		}
		c.out[0].shape = s
	}
	for _, out := range c.out[1:] {
		out.dtype, out.shape = Int64, c.out[0].shape
	}
	return nil
}

// attend is [N,heads,queries,width] of values [N,heads,keys,width], or [N,queries,heads·width].
func attend(c *call) error {
	q := c.in[0]
	v, err := c.need(2)
	if err != nil {
		return err
	}
	c.out[0].dtype = q.dtype
	if q.shape == nil || v.shape == nil {
		return nil
	}
	out := slices.Clone(q.shape)
	switch heads, of := c.AttrInt("q_num_heads", 0), c.AttrInt("kv_num_heads", 0); {
	case len(q.shape) != len(v.shape) || len(q.shape) != 3 && len(q.shape) != 4:
		return fmt.Errorf("%w: queries %v and values %v", ErrShape, q.shape, v.shape)
	case len(q.shape) == 4 || heads == of:
		out[len(out)-1] = v.shape[len(out)-1]
	case v.shape[2].Known() && heads > 0 && heads <= MaxElements && of > 0:
		width, ok := Product(v.shape[2].Size/of, heads)
		if !ok {
			return fmt.Errorf("%w: %d heads of values %v", ErrShape, heads, v.shape)
		}
		out[2] = Fixed(width)
	default:
		out[2] = Unknown()
	}
	c.out[0].shape = out
	return nil
}

// recurrent is what RNN, GRU and LSTM make of [steps,N,width]: of every step, and the last state of each direction.
func recurrent(c *call) error {
	x := c.in[0]
	for _, out := range c.out {
		out.dtype = x.dtype
	}
	hidden := c.AttrInt("hidden_size", 0)
	if x.shape == nil || hidden < 1 || c.AttrInt("layout", 0) != 0 {
		return nil
	}
	if len(x.shape) != 3 {
		return fmt.Errorf("%w: a sequence of %v, want [steps,N,width]", ErrShape, x.shape)
	}
	directions := Fixed(1)
	if c.AttrStr("direction", "forward") == "bidirectional" {
		directions = Fixed(2)
	}
	for i, out := range c.out {
		if out.shape = (Shape{directions, x.shape[1], Fixed(hidden)}); i == 0 {
			out.shape = append(Shape{x.shape[0]}, out.shape...)
		}
	}
	return nil
}

// col2Im adds the blocks [N,C·block,places] of an image up, which is torch's Fold.
func col2Im(c *call) error {
	x := c.in[0]
	image, err := c.need(1)
	if err != nil {
		return err
	}
	block, err := c.need(2)
	if err != nil {
		return err
	}
	c.out[0].dtype = x.dtype
	if x.shape == nil || image.ints() == nil || block.ints() == nil {
		return nil
	}
	sizes, err := shapeFrom(image.ints())
	if err != nil {
		return err
	}
	if len(x.shape) != 3 {
		return fmt.Errorf("%w: blocks of %v, want [N,C·block,places]", ErrShape, x.shape)
	}
	channels := x.shape[1]
	for _, b := range block.ints() {
		d := b.dim()
		if !channels.Known() || !d.Known() || d.Size < 1 || channels.Size%d.Size != 0 {
			channels = Unknown()
			break
		}
		channels = Fixed(channels.Size / d.Size)
	}
	c.out[0].shape = append(Shape{x.shape[0], channels}, sizes...)
	return nil
}
