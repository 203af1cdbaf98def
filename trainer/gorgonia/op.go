package gorgonia

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/abn-studio/studio/trainer/engine"
)

// ownOp is what the operators that we add to Gorgonia have in common: float32 tensors of fixed shapes in,
// one out, and nothing overwritten.
type ownOp struct {
	name   string
	from   []tensor.Shape
	to     tensor.Shape
	serial uint64
}

var ownOps atomic.Uint64

// newOwnOp gives every operator an identity of its own. Gorgonia merges nodes whose hash and shapes are equal, even if their
// inputs differ.
func newOwnOp(name string, to tensor.Shape, from ...tensor.Shape) ownOp {
	return ownOp{name: name, from: from, to: to, serial: ownOps.Add(1)}
}

func (o ownOp) Arity() int                                     { return len(o.from) }
func (o ownOp) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.to, nil }
func (o ownOp) ReturnsPtr() bool                               { return true }
func (o ownOp) CallsExtern() bool                              { return false }
func (o ownOp) OverwritesInput() int                           { return -1 }
func (o ownOp) String() string                                 { return fmt.Sprintf("%s %v", o.name, o.to) }
func (o ownOp) WriteHash(h hash.Hash)                          { fmt.Fprintf(h, "%s %v %v %d", o.name, o.from, o.to, o.serial) }

func (o ownOp) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o ownOp) Type() hm.Type {
	types := make([]hm.Type, 0, len(o.from)+1)
	for _, s := range append(o.from[:len(o.from):len(o.from)], o.to) {
		types = append(types, G.TensorType{Dims: s.Dims(), Of: tensor.Float32})
	}
	return hm.NewFnType(types...)
}

// arguments are the elements of an operator's inputs, row-major.
func (o ownOp) arguments(values []G.Value) ([][]float32, error) {
	if len(values) != len(o.from) {
		return nil, fmt.Errorf("%s: %d inputs, want %d", o.name, len(values), len(o.from))
	}
	out := make([][]float32, len(values))
	for i, v := range values {
		data, ok := v.Data().([]float32)
		if !ok || len(data) != o.from[i].TotalSize() {
			return nil, fmt.Errorf("%s: input %d is %T of shape %v, want float32 of %v", o.name, i, v.Data(), v.Shape(), o.from[i])
		}
		out[i] = data
	}
	return out, nil
}

// result wraps an operator's output.
func (o ownOp) result(data []float32) G.Value {
	return tensor.New(tensor.WithShape(o.to...), tensor.WithBacking(data))
}

// linearMap is y = A·x. Its gradient is the transposed map: dX = Aᵀ·dY. Convolution windows, broadcasts and their sums, average
// pools, transpositions, padding and cutting are all linear maps: each needs a map and its transpose, and the test is ⟨A·x, y⟩ =
// ⟨x, Aᵀ·y⟩.
type linearMap struct {
	ownOp
	apply      func(y, x []float32) // y is 0 before
	transposed func(x, y []float32) // x is 0 before
}

func newLinearMap(name string, from, to []int, apply func(y, x []float32), transposed func(x, y []float32)) *linearMap {
	return &linearMap{ownOp: newOwnOp(name, to, from), apply: apply, transposed: transposed}
}

// transpose is x = Aᵀ·y.
func (m *linearMap) transpose() *linearMap {
	return newLinearMap(m.name+"ᵀ", m.to, m.from[0], m.transposed, m.apply)
}

// Do implements gorgonia.Op.
func (m *linearMap) Do(values ...G.Value) (G.Value, error) {
	in, err := m.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, m.to.TotalSize())
	m.apply(y, in[0])
	return m.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (m *linearMap) DiffWRT(int) []bool { return []bool{true} }

// SymDiff implements gorgonia.SDOp.
func (m *linearMap) SymDiff(_ G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	return applyAll(m.transpose(), dY)
}

// reshaped is the same elements, in the same order, under another shape; they are not copied.
type reshaped struct{ ownOp }

func newReshaped(from, to []int) *reshaped { return &reshaped{newOwnOp("reshape", to, from)} }

// Do implements gorgonia.Op.
func (r *reshaped) Do(values ...G.Value) (G.Value, error) {
	in, err := r.arguments(values)
	if err != nil {
		return nil, err
	}
	return r.result(in[0]), nil
}

// DiffWRT implements gorgonia.SDOp.
func (r *reshaped) DiffWRT(int) []bool { return []bool{true} }

// SymDiff implements gorgonia.SDOp.
func (r *reshaped) SymDiff(_ G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	return applyAll(newReshaped(r.to, r.from[0]), dY)
}

// pointwise is y_i = f(x_i) with a slope that is a function of x_i. The slope is treated as a constant in second derivatives.
type pointwise struct {
	ownOp
	f, slope func(float32) float32 // slope is nil where there is no gradient
}

func newPointwise(name string, shape []int, f, slope func(float32) float32) *pointwise {
	return &pointwise{newOwnOp(name, shape, shape), f, slope}
}

// Do implements gorgonia.Op.
func (p *pointwise) Do(values ...G.Value) (G.Value, error) {
	in, err := p.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, len(in[0]))
	inStretches(len(y), func(start, end int) {
		for i, x := range in[0][start:end] {
			y[start+i] = p.f(x)
		}
	})
	return p.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (p *pointwise) DiffWRT(int) []bool { return []bool{p.slope != nil} }

// SymDiff implements gorgonia.SDOp.
func (p *pointwise) SymDiff(in G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	slope, err := G.ApplyOp(newPointwise("slope of "+p.name, p.to, p.slope, nil), in[0])
	if err != nil {
		return nil, err
	}
	dX, err := G.HadamardProd(dY, slope)
	return G.Nodes{dX}, err
}

// detached is any function of one input through which no gradient flows.
type detached struct {
	ownOp
	f func(y, x []float32)
}

// Do implements gorgonia.Op.
func (d *detached) Do(values ...G.Value) (G.Value, error) {
	in, err := d.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, d.to.TotalSize())
	d.f(y, in[0])
	return d.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (d *detached) DiffWRT(int) []bool { return []bool{false} }

// SymDiff implements gorgonia.SDOp.
func (d *detached) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) { return G.Nodes{nil}, nil }

// applyAll is an operator's node as a list of one gradient.
func applyAll(op G.Op, in ...*G.Node) (G.Nodes, error) {
	n, err := G.ApplyOp(op, in...)
	if err != nil {
		return nil, err
	}
	return G.Nodes{n}, nil
}

// inStretches cuts 0 … n into stretches and works on them on all cores.
func inStretches(n int, work func(start, end int)) {
	const stretch = 1 << 15
	if n <= stretch {
		work(0, n)
		return
	}
	engine.OnAllCores((n+stretch-1)/stretch, func(i int) { work(i*stretch, min((i+1)*stretch, n)) })
}
