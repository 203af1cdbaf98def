package gradient

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// builder adds gradient nodes to a graph.
type builder struct {
	graph    *onnx.Graph
	inferred *onnx.Inferred
	info     map[string]onnx.ValueInfo // types and shapes of the forward values
	forward  []*onnx.Node              // the nodes as they were before any was added
	maker    map[string]*onnx.Node     // who computes a forward value
	editor   *onnx.Editor
	block    int64 // channels in a block of BlockedDomain's operators; 0: none are written

	depends map[string]bool     // values that depend on what is differentiated by
	parts   map[string][]string // contributions to a value's gradient
	shared  map[string]string   // values that several rules use
	reasons []Reason

	added map[string]bool // outputs of the nodes that were added
	made  int64           // elements of the constants that were added
	err   error           // the first bound that was reached; what is added after it is not used
}

// newBuilder raises m, infers its shapes and finds what depends on wrt.
func newBuilder(ctx context.Context, m *onnx.Model, wrt []string) (*builder, error) {
	if err := Raise(m); err != nil {
		return nil, err
	}
	inferred, err := onnx.Infer(ctx, m, nil)
	if err != nil {
		return nil, fmt.Errorf("inferring shapes before differentiating: %w", err)
	}
	b := &builder{
		graph: m.Graph, inferred: inferred, info: inferred.Values, forward: slices.Clone(m.Graph.Nodes),
		maker: map[string]*onnx.Node{}, editor: onnx.Edit(m.Graph, "gradient"),
		added: map[string]bool{}, depends: map[string]bool{}, parts: map[string][]string{}, shared: map[string]string{},
	}
	for _, name := range wrt {
		b.depends[name] = true
	}
	for _, n := range b.forward {
		touched := false
		for i, input := range n.Inputs {
			touched = touched || b.depends[input] && carriesGradient(n, i)
		}
		for _, read := range n.Reads() { // by the graphs of control flow as well
			touched = touched || b.depends[read] && !slices.Contains(n.Inputs, read)
		}
		for _, output := range n.Outputs {
			b.maker[output] = n
			if touched && output != "" {
				b.depends[output] = true
			}
		}
	}
	return b, nil
}

// give adds a contribution to the gradient of value, if value depends on wrt.
func (b *builder) give(value, gradient string) {
	if value != "" && b.depends[value] {
		b.parts[value] = append(b.parts[value], gradient)
	}
}

// gradient is the sum of what was given to value, or "" if nothing was.
func (b *builder) gradient(value string) string {
	parts := b.parts[value]
	if len(parts) == 0 {
		return ""
	}
	sum := parts[0]
	for _, p := range parts[1:] {
		sum = b.node("Add", []string{sum, p})
	}
	b.parts[value] = []string{sum}
	return sum
}

// node adds a node with one output and returns the output's name.
func (b *builder) node(op string, inputs []string, attributes ...*onnx.Attribute) string {
	name := b.editor.Fresh(op)
	b.append(onnx.NewNode(op, name, inputs, []string{name}, attributes...))
	return name
}

func (b *builder) append(n *onnx.Node) {
	if len(b.added) >= onnx.MaxGradientNodes {
		b.fail(fmt.Errorf("%w: it takes more than %d nodes to differentiate", onnx.ErrLimit, onnx.MaxGradientNodes))
		return
	}
	for _, output := range n.Outputs {
		b.added[output] = true
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// room reports whether a constant of these dims may be added.
func (b *builder) room(dims ...int64) bool {
	n, ok := onnx.Product(dims...)
	return ok && b.made+n <= onnx.MaxMade
}

// filled is a constant of these dims that fill writes the elements of. The same kind and dims give the same constant. If there is
// no room for it, err is set.
func (b *builder) filled(kind string, fill func(data []float32), dims ...int64) string {
	return b.once(fmt.Sprint(kind, dims), func() string {
		if !b.room(dims...) {
			b.fail(fmt.Errorf("%w: a constant of %v, and all that differentiating adds has at most %d elements", onnx.ErrLimit, dims, int64(onnx.MaxMade)))
			return ""
		}
		data := make([]float32, product(dims))
		fill(data)
		return b.constantOf(data, dims)
	})
}

func (b *builder) constantOf(data []float32, dims []int64) string {
	b.made += int64(len(data))
	return b.editor.Constant(onnx.NewFloat32("", dims, data))
}

// full is a constant of one number.
func (b *builder) full(v float32, dims ...int64) string {
	return b.filled(fmt.Sprint("full of ", v), func(data []float32) {
		for i := range data {
			data[i] = v
		}
	}, dims...)
}

// once is node that adds nothing if the same node was added before: it then returns that one's output.
func (b *builder) once(key string, add func() string) string {
	if value, ok := b.shared[key]; ok {
		return value
	}
	value := add()
	b.shared[key] = value
	return value
}

// floats adds a float32 constant; without dims it is a scalar.
func (b *builder) floats(data []float32, dims ...int64) string {
	return b.once(fmt.Sprint("floats", dims, digest(data)), func() string { return b.constantOf(data, dims) })
}

func (b *builder) scalar(v float64) string { return b.floats([]float32{float32(v)}) }

// ints adds a one-dimensional int64 constant.
func (b *builder) ints(data ...int64) string {
	return b.once(fmt.Sprint("ints", len(data), digest(data)), func() string {
		b.made += int64(len(data))
		return b.editor.Constant(onnx.NewInt64("", []int64{int64(len(data))}, data))
	})
}

// digest tells lists apart.
func digest[T float32 | int64](data []T) [sha256.Size]byte {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, data) // writing to a hash does not fail
	return [sha256.Size]byte(h.Sum(nil))
}

func (b *builder) mul(x, y string) string { return b.node("Mul", []string{x, y}) }
func (b *builder) add(x, y string) string { return b.node("Add", []string{x, y}) }
func (b *builder) sub(x, y string) string { return b.node("Sub", []string{x, y}) }
func (b *builder) div(x, y string) string { return b.node("Div", []string{x, y}) }
func (b *builder) neg(x string) string    { return b.node("Neg", []string{x}) }

// scaled is x·factor, and x itself for 1.
func (b *builder) scaled(x string, factor float64) string {
	if factor == 1 {
		return x
	}
	return b.mul(x, b.scalar(factor))
}

func (b *builder) transpose(x string, perm ...int64) string {
	return b.node("Transpose", []string{x}, onnx.IntsAttr("perm", perm...))
}

func (b *builder) reshape(x string, shape ...int64) string {
	return b.node("Reshape", []string{x, b.ints(shape...)})
}

// slice cuts [starts, ends) with steps out of axes.
func (b *builder) slice(x string, axes, starts, ends, steps []int64) string {
	return b.node("Slice", []string{x, b.ints(starts...), b.ints(ends...), b.ints(axes...), b.ints(steps...)})
}

// reshapeLike gives x, which has as many elements, the shape of the forward value like.
func (b *builder) reshapeLike(x, like string) string {
	shape, unknown := b.info[like].Shape, 0
	target := make([]int64, len(shape))
	for i, d := range shape {
		if target[i] = d.Size; !d.Known() {
			target[i] = -1
			unknown++
		}
	}
	if shape == nil || unknown > 1 || slices.Contains(target, 0) {
		return b.node("Reshape", []string{x, b.shapeOf(like)})
	}
	return b.reshape(x, target...)
}

// shapeOf is the forward value's shape as a value of the graph.
func (b *builder) shapeOf(value string) string {
	return b.once("shape "+value, func() string {
		if shape := b.info[value].Shape; shape != nil {
			if dims, ok := shape.Sizes(); ok {
				return b.ints(dims...)
			}
		}
		return b.node("Shape", []string{value})
	})
}
