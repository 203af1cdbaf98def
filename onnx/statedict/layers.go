package statedict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// constant is a float32 constant that a node reads.
type constant struct {
	name    string       // of the initializer, or of the Constant node's output
	value   *onnx.Tensor // in the file at hand
	start   *onnx.Tensor // before training, where that is known; else value
	names   []string     // names on the way from initializer to node, and before untying; any may be PyTorch's
	own     bool         // only one node reads it, here and in the exported file
	copied  bool         // the exported file had one for several layers, which have one each now
	flipped bool         // a matrix, transposed on its way
}

// changed reports whether training is known to have changed it.
func (c *constant) changed() bool {
	return c.start != c.value && string(c.start.Raw) != string(c.value.Raw)
}

// kind is what a layer is in PyTorch.
type kind int

const (
	product   kind = iota // a convolution or linear layer: weight and perhaps bias
	batchNorm             // four tensors
	loose                 // a constant by itself: in weight
)

// layer is a module's share of the graph: constants that are read together. Nodes that read the same ones are one layer, which is
// applied several times.
type layer struct {
	kind                         kind
	nodes                        []*onnx.Node
	weight, bias, mean, variance *constant
	scopes                       []string // of its nodes, without repetitions
	channels                     int64    // of a product or BatchNorm
	axis                         int      // of the output channels in a product's weight, in PyTorch's order
	flipped                      bool     // a matrix that stands as (in, out), where PyTorch has (out, in)
	folded                       bool     // the exporter says that a BatchNorm was folded in
	kept                         bool     // the exporter says that no BatchNorm was folded in
	scaled                       bool     // a Gemm that multiplies by more than its weights
	epsilon                      float64
	told                         float64 // ε of the BatchNorm that was folded in, as the file says it; -1 where it does not
	before                       *layer  // of a BatchNorm: the product whose only reader it is
	after                        *layer  // of a product: that BatchNorm
	role                         string  // of a loose constant: weight or bias, where the operator tells
	number                       bool    // a loose constant that is one number, such as a learned scale, by a name that may be PyTorch's
}

// String names the layer for messages.
func (l *layer) String() string {
	n := l.nodes[0]
	name := n.Name
	if name == "" {
		name = n.Output(0)
	}
	return fmt.Sprintf("%s (%s)", name, n.Op)
}

// constants are those the layer has, in PyTorch's order.
func (l *layer) constants() []*constant {
	return slices.DeleteFunc([]*constant{l.weight, l.bias, l.mean, l.variance}, func(c *constant) bool { return c == nil })
}

// changed reports whether training is known to have changed any of its constants.
func (l *layer) changed() bool { return slices.ContainsFunc(l.constants(), (*constant).changed) }

// survey finds the layers of a graph.
type survey struct {
	graph, parent      *onnx.Graph // parent: the same nodes before training; the graph itself where that is not at hand
	index, parentIndex *onnx.Index
	constantNodes      map[string]*onnx.Tensor
	parentConstants    map[string]*onnx.Tensor
	readers            map[string]int // layers by initializer
	copied             map[string]bool
}

// passed are operators that make no layer of the constants they read. resolve follows some of them, a Shape reads no values, and
// the floats of a Resize are places, not weights.
var passed = []string{"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Shape", "Size", "Resize", "Upsample"}

// layersOf finds the layers of m. parent, which may be nil, is the file before training: the same graph with other values. Nodes that
// read the same constants are one layer; with byName only if the file also calls them and their module the same.
func layersOf(m, parent *onnx.Model, byName bool) ([]*layer, error) {
	s := &survey{graph: m.Graph, parent: m.Graph, index: m.Graph.Index(), constantNodes: constantNodes(m.Graph), readers: map[string]int{}, copied: map[string]bool{}}
	s.parentIndex, s.parentConstants = s.index, s.constantNodes
	if parent != nil {
		if err := sameGraph(m.Graph, parent.Graph); err != nil {
			return nil, err
		}
		s.parent, s.parentIndex, s.parentConstants = parent.Graph, parent.Graph.Index(), constantNodes(parent.Graph)
	}
	var layers []*layer
	known := map[string]*layer{}
	taken := map[*onnx.Node]bool{} // an Add that is a MatMul's bias
	madeBy := map[string]*layer{}
	for i, n := range m.Graph.Nodes {
		if taken[n] {
			continue
		}
		for _, l := range s.layersAt(i, n, taken) {
			key := fmt.Sprint(l.kind)
			for _, c := range l.constants() {
				key += "\x00" + c.name
				if byName {
					key += "\x00" + c.names[0]
				}
			}
			if byName {
				key += "\x00" + strings.Join(l.scopes, "\x00")
			}
			if first := known[key]; first != nil && l.kind == first.kind {
				first.nodes = append(first.nodes, l.nodes...)
				first.folded, first.kept = first.folded || l.folded, first.kept && l.kept
				first.addScopes(l.scopes)
				if first.told != l.told {
					first.told = -1
				}
				l = first
			} else {
				known[key] = l
				layers = append(layers, l)
			}
			if l.kind == product {
				madeBy[n.Output(0)] = l
			} else if before := madeBy[n.Input(0)]; l.kind == batchNorm && before != nil && len(s.index.Consumers[n.Input(0)]) == 1 && before.channels == l.channels && m.Graph.Output(n.Input(0)) == nil {
				l.before, before.after = before, l
			}
		}
	}
	for _, l := range layers {
		for _, c := range l.constants() {
			s.readers[c.name]++
		}
	}
	for _, l := range layers {
		for _, c := range l.constants() {
			c.copied = s.copied[c.name]
			c.own = s.readers[c.name] == 1 && !c.copied && len(l.nodes) == 1
		}
	}
	return layers, nil
}

func (l *layer) addScopes(scopes []string) {
	for _, scope := range scopes {
		if !slices.Contains(l.scopes, scope) {
			l.scopes = append(l.scopes, scope)
		}
	}
}

// sameGraph reports where a file's nodes are not its parent's.
func sameGraph(g, parent *onnx.Graph) error {
	if len(g.Nodes) != len(parent.Nodes) {
		return fmt.Errorf("the parent has %d nodes, the network %d: it is not the file that was fine-tuned", len(parent.Nodes), len(g.Nodes))
	}
	for i, n := range g.Nodes {
		if p := parent.Nodes[i]; p.Op != n.Op || !slices.Equal(p.Outputs, n.Outputs) || len(p.Inputs) != len(n.Inputs) {
			return fmt.Errorf("node %d is %v in the parent and %v in the network: it is not the file that was fine-tuned", i, p, n)
		}
	}
	return nil
}

// constantNodes are the tensors that Constant nodes make.
func constantNodes(g *onnx.Graph) map[string]*onnx.Tensor {
	found := map[string]*onnx.Tensor{}
	for _, n := range g.Nodes {
		if n.IsOp("Constant") {
			if t := n.AttrTensor("value"); t != nil {
				found[n.Output(0)] = t
			}
		}
	}
	return found
}

// layersAt are the layers of one node; most have none.
func (s *survey) layersAt(i int, n *onnx.Node, taken map[*onnx.Node]bool) []*layer {
	at := func(input int) *constant { return s.constantAt(i, n, input) }
	made := func(k kind) *layer {
		l := &layer{kind: k, nodes: []*onnx.Node{n}, told: foldedEpsilon(n)}
		l.folded, l.kept = folded(n)
		if scope := scopeOf(n); scope != "" {
			l.scopes = []string{scope}
		}
		return l
	}
	var layers []*layer
	seen := map[int]bool{}
	switch {
	case n.IsOp("BatchNormalization"):
		l := made(batchNorm)
		l.weight, l.bias, l.mean, l.variance = at(1), at(2), at(3), at(4)
		if len(l.constants()) == 4 && len(l.weight.value.Dims) == 1 {
			l.channels, l.epsilon = l.weight.value.Dims[0], float64(n.AttrFloat("epsilon", 1e-5))
			layers, seen = append(layers, l), map[int]bool{1: true, 2: true, 3: true, 4: true}
		}
	case n.IsOp("Conv", "ConvTranspose", "Gemm", "MatMul"):
		l := made(product)
		if l.weight = at(1); l.weight == nil {
			break
		}
		seen[1] = true
		dims := l.weight.value.Dims
		switch {
		case n.IsOp("Conv", "ConvTranspose") && len(dims) >= 3 && !l.weight.flipped:
			if l.channels = dims[0]; n.IsOp("ConvTranspose") {
				l.axis, l.channels = 1, dims[1]
				if n.AttrInt("group", 1) != 1 { // its channels are spread over two axes
					l.scaled = true
				}
			}
			l.bias, seen[2] = at(2), true
		case n.IsOp("Gemm") && len(dims) == 2:
			l.flipped = (n.AttrInt("transB", 0) == 0) != l.weight.flipped
			l.scaled = n.AttrFloat("alpha", 1) != 1 || n.AttrFloat("beta", 1) != 1 || n.AttrInt("transA", 0) != 0
			l.bias, seen[2] = at(2), true
		case n.IsOp("MatMul") && len(dims) == 2:
			l.flipped = !l.weight.flipped
			if next := s.index.Consumers[n.Output(0)]; len(next) == 1 && next[0].IsOp("Add") && s.graph.Output(n.Output(0)) == nil {
				k := s.index.Position[next[0]]
				for input := range next[0].Inputs {
					if c := s.constantAt(k, next[0], input); c != nil && len(c.value.Dims) == 1 {
						l.bias, taken[next[0]] = c, true
					}
				}
			}
		default:
			l.kind = loose
		}
		if l.kind == product && l.channels == 0 {
			if l.channels = dims[0]; l.flipped {
				l.channels = dims[1]
			}
		}
		if b := l.bias; b != nil && (len(b.value.Dims) != 1 || b.value.Dims[0] != l.channels && l.axis == 0) {
			l.bias, seen[2] = nil, false
		}
		layers = append(layers, l)
	}
	for input := range n.Inputs {
		if seen[input] || n.IsOp(passed...) || isPlaceholder(n, input, at) {
			continue
		}
		c := at(input)
		if c == nil {
			continue
		}
		number := elements(c.value) <= 1 && !n.IsOp("PRelu")
		if number && !s.mayBeParameter(n, c) {
			continue
		}
		l := made(loose)
		l.weight, l.number = c, number
		switch {
		case input == 1 && n.IsOp("LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "PRelu"), n.IsOp("Mul"):
			l.role = "weight"
		case input == 2 && n.IsOp("LayerNormalization", "InstanceNormalization", "GroupNormalization"), n.IsOp("Add", "Sub", "Gemm"):
			l.role = "bias"
		}
		layers = append(layers, l)
	}
	for _, t := range s.inside(n) {
		l := made(loose)
		l.weight = t
		layers = append(layers, l)
	}
	return layers
}

// mayBeParameter reports whether a single number that n reads is a tensor of the module, and not a constant of the exporter's: an
// initializer by a name of PyTorch's, which torch.export also notes with the node.
func (s *survey) mayBeParameter(n *onnx.Node, c *constant) bool {
	if s.constantNodes[c.name] != nil || !torchName.MatchString(c.name) || madeName.MatchString(c.name) {
		return false
	}
	text, noted := n.MetadataValue("pkg.torch.onnx.fx_node")
	return !noted || slices.ContainsFunc(placeholder.FindAllStringSubmatch(text, -1), func(read []string) bool { return read[1] == underscored(c.name) })
}

// inside are the constants that the graphs of control flow hold or capture.
func (s *survey) inside(n *onnx.Node) (found []*constant) {
	add := func(c *constant) {
		if c != nil && elements(c.value) > 1 {
			c.start = c.value
			found = append(found, c)
		}
	}
	for _, name := range n.Reads() {
		if !slices.Contains(n.Inputs, name) {
			add(s.resolve(name, s.index, s.constantNodes))
		}
	}
	for _, a := range n.Attributes {
		for _, g := range append(slices.Clone(a.Graphs), a.Graph) {
			if g == nil {
				continue
			}
			for _, t := range g.Initializers {
				if t.Type == onnx.Float {
					add(&constant{name: t.Name, names: []string{t.Name}, value: t})
				}
			}
			for _, inner := range g.Nodes {
				found = append(found, s.inside(inner)...)
			}
		}
	}
	return found
}

// isPlaceholder reports the ones and zeros that exporters give an InstanceNormalization without weights of its own.
func isPlaceholder(n *onnx.Node, input int, at func(int) *constant) bool {
	if !n.IsOp("InstanceNormalization") || input == 0 {
		return false
	}
	c := at(input)
	if c == nil {
		return false
	}
	values, err := c.value.Float32s()
	return err == nil && !slices.ContainsFunc(values, func(v float32) bool { return v != float32(2-input) })
}

func elements(t *onnx.Tensor) int64 { return int64(len(t.Raw) / max(t.Type.Size(), 1)) }

// constantAt follows an input back to a constant; nil where it is computed.
func (s *survey) constantAt(i int, n *onnx.Node, input int) *constant {
	c := s.resolve(n.Input(input), s.index, s.constantNodes)
	if c == nil {
		return nil
	}
	c.start = c.value
	suffix := fmt.Sprintf("/%s/%d", n.Output(0), input)
	if before, ok := strings.CutSuffix(c.name, suffix); ok { // a layer's own copy of a tensor that was shared
		c.names = append(c.names, before)
		s.copied[c.name], s.copied[before] = true, true
	}
	if s.parent != s.graph {
		p := s.resolve(s.parent.Nodes[i].Input(input), s.parentIndex, s.parentConstants)
		if p == nil || !slices.Equal(p.value.Dims, c.value.Dims) || p.flipped != c.flipped {
			return nil
		}
		c.start = p.value
		for _, name := range p.names {
			if !slices.Contains(c.names, name) {
				c.names = append([]string{name}, c.names...)
			}
		}
	}
	return c
}

// resolve follows a value back past nodes that only pass it on.
func (s *survey) resolve(name string, index *onnx.Index, constants map[string]*onnx.Tensor) *constant {
	c := &constant{}
	for name != "" {
		c.names = append(c.names, name)
		t := index.Initializers[name]
		if t == nil {
			t = constants[name]
		}
		if t != nil {
			if t.Type != onnx.Float || int64(len(t.Raw)) == 0 {
				return nil
			}
			c.name, c.value = name, t
			return c
		}
		n := index.Producer[name]
		switch {
		case n == nil:
			return nil
		case n.IsOp("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"):
		case n.IsOp("Transpose") && slices.Equal(n.AttrInts("perm"), []int64{1, 0}):
			c.flipped = !c.flipped
		default:
			return nil
		}
		name = n.Input(0)
	}
	return nil
}
