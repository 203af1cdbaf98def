package onnx

import (
	"encoding/binary"
	"math"
	"slices"
)

// NewNode makes a node of the default operator set.
func NewNode(op, name string, inputs, outputs []string, attributes ...*Attribute) *Node {
	return &Node{Op: op, Name: name, Inputs: inputs, Outputs: outputs, Attributes: attributes}
}

// IntAttr makes an integer attribute.
func IntAttr(name string, v int64) *Attribute {
	return &Attribute{Name: name, Type: AttributeInt, Int: v}
}

// IntsAttr makes an attribute that is a list of integers.
func IntsAttr(name string, v ...int64) *Attribute {
	return &Attribute{Name: name, Type: AttributeInts, Ints: v}
}

// FloatAttr makes a float attribute.
func FloatAttr(name string, v float32) *Attribute {
	return &Attribute{Name: name, Type: AttributeFloat, Float: v}
}

// FloatsAttr makes an attribute that is a list of floats.
func FloatsAttr(name string, v ...float32) *Attribute {
	return &Attribute{Name: name, Type: AttributeFloats, Floats: v}
}

// StrAttr makes a string attribute.
func StrAttr(name, v string) *Attribute {
	return &Attribute{Name: name, Type: AttributeString, String: []byte(v)}
}

// TensorAttr makes an attribute that is a tensor, such as the value of a Constant node.
func TensorAttr(name string, t *Tensor) *Attribute {
	return &Attribute{Name: name, Type: AttributeTensor, Tensor: t}
}

// NewFloat32 makes a float32 tensor of data in row-major order; data is copied. Marshal refuses a tensor
// whose data does not fill its dims. Nil dims make a scalar.
func NewFloat32(name string, dims []int64, data []float32) *Tensor {
	t := &Tensor{Name: name, Type: Float, Dims: slices.Clone(dims)}
	t.SetFloat32s(data)
	return t
}

// NewInt64 makes an int64 tensor of data in row-major order; data is copied.
func NewInt64(name string, dims []int64, data []int64) *Tensor {
	raw := make([]byte, 0, 8*len(data))
	for _, v := range data {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return &Tensor{Name: name, Type: Int64, Dims: slices.Clone(dims), Raw: raw}
}

// SetFloat32s makes data the tensor's elements, as float32 whatever type it had; dims stay as they are.
func (t *Tensor) SetFloat32s(data []float32) {
	raw := make([]byte, 4*len(data))
	for i, v := range data {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	t.Type, t.Raw = Float, raw
}

// NewValue makes the description of a graph input or output.
func NewValue(name string, dtype DataType, shape Shape) *ValueInfo {
	return &ValueInfo{Name: name, Type: dtype, Shape: shape}
}

// Batch is the axis whose size differs from run to run, conventionally named "N".
func Batch() Dim { return Dim{Name: BatchName} }

// BatchName is the conventional name of the batch axis.
const BatchName = "N"

// Fixed is an axis of a known size.
func Fixed(size int64) Dim { return Dim{Size: size} }

// BatchOf is the shape [N, sizes...].
func BatchOf(sizes ...int64) Shape {
	s := Shape{Batch()}
	for _, n := range sizes {
		s = append(s, Fixed(n))
	}
	return s
}

// ShapeOf is a shape without a symbolic axis.
func ShapeOf(sizes ...int64) Shape {
	s := make(Shape, len(sizes))
	for i, n := range sizes {
		s[i] = Fixed(n)
	}
	return s
}

// Clone copies a model so that changing the copy's graph, nodes and lists leaves the original alone.
// The bytes of tensors are shared: replace Raw, never write into it.
func (m *Model) Clone() *Model {
	c := *m
	c.Opsets = slices.Clone(m.Opsets)
	c.Metadata = slices.Clone(m.Metadata)
	c.Graph = cloneIf(m.Graph, (*Graph).Clone)
	c.Functions = cloneAll(m.Functions, (*Function).Clone)
	c.Training = cloneAll(m.Training, func(t *TrainingInfo) *TrainingInfo {
		c := *t
		c.Initialization, c.Algorithm = cloneIf(t.Initialization, (*Graph).Clone), cloneIf(t.Algorithm, (*Graph).Clone)
		return &c
	})
	return &c
}

// Clone copies a function as Model.Clone does.
func (f *Function) Clone() *Function {
	c := *f
	c.Inputs, c.Outputs, c.Attributes, c.Opsets = slices.Clone(f.Inputs), slices.Clone(f.Outputs), slices.Clone(f.Attributes), slices.Clone(f.Opsets)
	c.Defaults = cloneAll(f.Defaults, (*Attribute).Clone)
	c.Nodes = cloneAll(f.Nodes, (*Node).Clone)
	c.ValueInfo = cloneAll(f.ValueInfo, (*ValueInfo).Clone)
	return &c
}

// Clone copies a graph as Model.Clone does.
func (g *Graph) Clone() *Graph {
	c := *g
	c.Nodes = cloneAll(g.Nodes, (*Node).Clone)
	c.Initializers = cloneAll(g.Initializers, (*Tensor).Clone)
	c.SparseInitializers = cloneAll(g.SparseInitializers, (*SparseTensor).Clone)
	c.Inputs = cloneAll(g.Inputs, (*ValueInfo).Clone)
	c.Outputs = cloneAll(g.Outputs, (*ValueInfo).Clone)
	c.ValueInfo = cloneAll(g.ValueInfo, (*ValueInfo).Clone)
	return &c
}

// Clone copies a node with its attributes.
func (n *Node) Clone() *Node {
	c := *n
	c.Inputs = slices.Clone(n.Inputs)
	c.Outputs = slices.Clone(n.Outputs)
	c.Attributes = cloneAll(n.Attributes, (*Attribute).Clone)
	return &c
}

// Clone copies an attribute; a tensor's bytes are shared.
func (a *Attribute) Clone() *Attribute {
	c := *a
	c.Floats = slices.Clone(a.Floats)
	c.Ints = slices.Clone(a.Ints)
	c.Strings = slices.Clone(a.Strings)
	c.Tensor, c.Tensors = cloneIf(a.Tensor, (*Tensor).Clone), cloneAll(a.Tensors, (*Tensor).Clone)
	c.Graph, c.Graphs = cloneIf(a.Graph, (*Graph).Clone), cloneAll(a.Graphs, (*Graph).Clone)
	c.Sparse, c.Sparses = cloneIf(a.Sparse, (*SparseTensor).Clone), cloneAll(a.Sparses, (*SparseTensor).Clone)
	return &c
}

// Clone copies a sparse tensor's description; the bytes are shared.
func (t *SparseTensor) Clone() *SparseTensor {
	c := *t
	c.Values, c.Indices, c.Dims = cloneIf(t.Values, (*Tensor).Clone), cloneIf(t.Indices, (*Tensor).Clone), slices.Clone(t.Dims)
	return &c
}

// Clone copies a tensor's description; its bytes are shared.
func (t *Tensor) Clone() *Tensor {
	c := *t
	c.Dims = slices.Clone(t.Dims)
	return &c
}

// Clone copies a value's description.
func (v *ValueInfo) Clone() *ValueInfo {
	c := *v
	c.Shape = slices.Clone(v.Shape)
	return &c
}

func cloneIf[T any](v *T, clone func(*T) *T) *T {
	if v == nil {
		return nil
	}
	return clone(v)
}

func cloneAll[T any](list []*T, clone func(*T) *T) []*T {
	if list == nil {
		return nil
	}
	out := make([]*T, len(list))
	for i, v := range list {
		out[i] = clone(v)
	}
	return out
}
