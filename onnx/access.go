package onnx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Opset is the version of the ai.onnx operator set the model is written for; 0 where it names none.
func (m *Model) Opset() int64 {
	for _, o := range m.Opsets {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			return o.Version
		}
	}
	return 0
}

// MetadataValue looks up an entry of metadata_props.
func (m *Model) MetadataValue(key string) (value string, ok bool) {
	for _, e := range m.Metadata {
		if e.Key == key {
			return e.Value, true
		}
	}
	return "", false
}

// SetMetadata replaces the entry of metadata_props with this key, or adds it at the end.
func (m *Model) SetMetadata(key, value string) {
	for i := range m.Metadata {
		if m.Metadata[i].Key == key {
			m.Metadata[i].Value = value
			return
		}
	}
	m.Metadata = append(m.Metadata, Metadata{Key: key, Value: value})
}

// Initializer finds a constant by name; nil where there is none.
func (g *Graph) Initializer(name string) *Tensor {
	for _, t := range g.Initializers {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Output finds a graph output by name; nil where there is none.
func (g *Graph) Output(name string) *ValueInfo {
	for _, v := range g.Outputs {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Feeds lists the inputs a caller must give: those that are no initializers.
func (g *Graph) Feeds() []*ValueInfo {
	constant := make(map[string]bool, len(g.Initializers))
	for _, t := range g.Initializers {
		constant[t.Name] = true
	}
	var feeds []*ValueInfo
	for _, v := range g.Inputs {
		if !constant[v.Name] {
			feeds = append(feeds, v)
		}
	}
	return feeds
}

// Index is a graph's values by name: who makes each and who reads it. It does not follow later changes.
type Index struct {
	Producer     map[string]*Node
	Consumers    map[string][]*Node // in graph order; a node that reads a value twice stands once
	Initializers map[string]*Tensor
	Position     map[*Node]int
}

// Index builds the index of a graph. Values that the subgraphs of control flow capture count as read.
func (g *Graph) Index() *Index {
	x := &Index{
		Producer:     make(map[string]*Node, len(g.Nodes)),
		Consumers:    make(map[string][]*Node, len(g.Nodes)),
		Initializers: make(map[string]*Tensor, len(g.Initializers)),
		Position:     make(map[*Node]int, len(g.Nodes)),
	}
	for _, t := range g.Initializers {
		x.Initializers[t.Name] = t
	}
	for i, n := range g.Nodes {
		x.Position[n] = i
		for _, out := range n.Outputs {
			if out != "" {
				x.Producer[out] = n
			}
		}
		for _, in := range n.Reads() {
			if c := x.Consumers[in]; len(c) == 0 || c[len(c)-1] != n {
				x.Consumers[in] = append(c, n)
			}
		}
	}
	return x
}

// valueOf is a value by which a node can be found again in another model with the same graph: one that no other node makes; "" if
// there is none.
func (x *Index) valueOf(n *Node) string {
	for _, out := range n.Outputs {
		if out != "" && x.Producer[out] == n {
			return out
		}
	}
	return ""
}

// Input is the name of the i-th input; "" where it is left out.
func (n *Node) Input(i int) string {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// Output is the name of the i-th output; "" where it is left out.
func (n *Node) Output(i int) string {
	if i < len(n.Outputs) {
		return n.Outputs[i]
	}
	return ""
}

// String names the node as error messages do: its op, then its name or, without one, what it makes.
func (n *Node) String() string {
	op := n.Op
	if n.Domain != "" && n.Domain != "ai.onnx" {
		op = n.Domain + "." + op
	}
	if n.Name != "" {
		return fmt.Sprintf("%s %q", op, n.Name)
	}
	return fmt.Sprintf("%s that makes %q", op, n.Output(0))
}

// IsOp reports whether the node applies one of these operators of the ai.onnx domain.
func (n *Node) IsOp(ops ...string) bool {
	return (n.Domain == "" || n.Domain == "ai.onnx") && slices.Contains(ops, n.Op)
}

// Attr finds an attribute by name; nil where there is none.
func (n *Node) Attr(name string) *Attribute {
	for _, a := range n.Attributes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// SetAttr replaces the attribute of that name, or adds it.
func (n *Node) SetAttr(a *Attribute) {
	for i, old := range n.Attributes {
		if old.Name == a.Name {
			n.Attributes[i] = a
			return
		}
	}
	n.Attributes = append(n.Attributes, a)
}

// AttrInt is the value of an integer attribute, or missing where the node has none of that name.
func (n *Node) AttrInt(name string, missing int64) int64 {
	if a := n.Attr(name); a != nil && a.Type == AttributeInt {
		return a.Int
	}
	return missing
}

// AttrInts is the value of an attribute that lists integers, or missing.
func (n *Node) AttrInts(name string, missing ...int64) []int64 {
	if a := n.Attr(name); a != nil && a.Type == AttributeInts {
		return a.Ints
	}
	return missing
}

// AttrFloat is the value of a float attribute, or missing.
func (n *Node) AttrFloat(name string, missing float32) float32 {
	if a := n.Attr(name); a != nil && a.Type == AttributeFloat {
		return a.Float
	}
	return missing
}

// AttrStr is the value of a string attribute, or missing.
func (n *Node) AttrStr(name, missing string) string {
	if a := n.Attr(name); a != nil && a.Type == AttributeString {
		return string(a.String)
	}
	return missing
}

// AttrTensor is the value of a tensor attribute, or nil.
func (n *Node) AttrTensor(name string) *Tensor {
	if a := n.Attr(name); a != nil && a.Type == AttributeTensor {
		return a.Tensor
	}
	return nil
}

// Known reports whether the axis has a fixed size.
func (d Dim) Known() bool { return d.Name == "" && d.Size >= 0 }

// Unknown is an axis of which nothing is known.
func Unknown() Dim { return Dim{Size: -1} }

// String is the axis as a person writes it: 3, N or ?.
func (d Dim) String() string {
	switch {
	case d.Name != "":
		return d.Name
	case d.Size < 0:
		return "?"
	}
	return strconv.FormatInt(d.Size, 10)
}

// String is the shape as a person writes it: (N,1,14,14), or "unknown shape".
func (s Shape) String() string {
	if s == nil {
		return "unknown shape"
	}
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// Sizes are the axes as numbers, with ok false where one is not known.
func (s Shape) Sizes() (sizes []int64, ok bool) {
	if s == nil {
		return nil, false
	}
	sizes = make([]int64, len(s))
	for i, d := range s {
		if !d.Known() {
			return nil, false
		}
		sizes[i] = d.Size
	}
	return sizes, true
}

// Equal reports whether two shapes are the same, names of symbolic axes included.
func (s Shape) Equal(other Shape) bool {
	return (s == nil) == (other == nil) && slices.Equal(s, other)
}
