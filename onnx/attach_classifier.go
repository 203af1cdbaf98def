package onnx

import (
	"context"
	"fmt"
	"slices"
)

// classifier is the part of a file that computes logits from an image, without its other outputs.
type classifier struct {
	model    *Model // a copy, its batch open
	index    *Index
	inferred *Inferred
	image    *ValueInfo
	varying  map[string]bool   // values that depend on the image
	moved    map[string]string // values of the file that had to make room

	logits  string // before any Softmax
	flatten bool   // they are (N,K,1,1)
	classes int    // K
	head    *Node  // the Gemm, MatMul or Conv that makes the classes
	bias    *Node  // an Add of constants behind a MatMul; nil without one

	grids  [][2]int64 // h×w of what convolutions and pools make
	cuts   []Cut
	copies map[*Node]*Node
}

func newClassifier(ctx context.Context, m *Model, names PartNames) (*classifier, error) {
	c := &classifier{model: m.Clone(), copies: map[*Node]*Node{}, moved: map[string]string{}}
	c.makeRoom()
	names.Image, names.LogitsPer = c.nameOf(names.Image), c.nameOf(names.LogitsPer)
	if feeds := c.model.Graph.Feeds(); len(feeds) != 1 && names.Image == "" {
		return nil, fmt.Errorf("%w: want one input, the image; inputs are %s", ErrAttach, describe(feeds))
	}
	var err error
	if c.image, err = findImage(c.model, names); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAttach, err)
	}
	if _, err = openBatch(ctx, c.model, c.image); err != nil {
		return nil, err
	}
	evaluationMode(c.model.Graph)
	c.materialise()
	widenAll(c.model.Graph)
	infer := func() error { return c.infer(ctx) }
	for _, step := range []func() error{infer, c.freeReshapes, func() error { return c.findLogits(names.LogitsPer) }, c.prune, infer, c.findHead, c.findCuts} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// makeRoom renames values that have the names the ABN's outputs will get.
func (c *classifier) makeRoom() {
	g := c.model.Graph
	taken := map[string]bool{}
	for _, n := range g.Nodes {
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			taken[name] = true
		}
	}
	for _, name := range outputNames {
		if !taken[name] {
			continue
		}
		to := name + "/classifier"
		for taken[to] {
			to += "_"
		}
		c.moved[name] = to
		renameValue(g.Nodes, name, to)
		for _, t := range g.Initializers {
			if t.Name == name {
				t.Name = to
			}
		}
		for _, v := range slices.Concat(g.Inputs, g.Outputs, g.ValueInfo) {
			if v.Name == name {
				v.Name = to
			}
		}
	}
}

// nameOf is what a value of the file is called here.
func (c *classifier) nameOf(name string) string {
	if to, ok := c.moved[name]; ok {
		return to
	}
	return name
}

// renameValue gives a value another name wherever nodes read or make it.
func renameValue(nodes []*Node, from, to string) {
	for _, n := range nodes {
		for _, list := range [][]string{n.Inputs, n.Outputs} {
			for i, name := range list {
				if name == from {
					list[i] = to
				}
			}
		}
	}
}

// freeReshapes lets Reshape nodes take the batch's size from their own input rather than from the image, as torch.export writes
// them. Otherwise every later node would depend on the image as well, and there would be no place to cut.
func (c *classifier) freeReshapes() error {
	for _, n := range c.model.Graph.Nodes {
		if !n.IsOp("Reshape") || !c.varying[n.Input(1)] {
			continue
		}
		if sizes := c.inferred.batchReshape(n); sizes != nil {
			reshapeTo(c.model.Graph, n, sizes)
		}
	}
	return nil
}

// infer works out shapes, and which values depend on the image.
func (c *classifier) infer(ctx context.Context) error {
	var err error
	if c.inferred, err = Infer(ctx, c.model, nil); err != nil {
		return err
	}
	c.index = c.model.Graph.Index()
	c.varying = (&finder{graph: c.model.Graph}).descendants(map[string]bool{c.image.Name: true})
	return nil
}

// materialise makes initializers of weights that a file keeps in Constant nodes, or as an Identity of another that
// had the same values: each layer then has tensors of its own to train.
func (c *classifier) materialise() {
	g := c.model.Graph
	constants := map[string]*Tensor{}
	for _, t := range g.Initializers {
		constants[t.Name] = t
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool {
		var t *Tensor
		switch {
		case n.IsOp("Identity"):
			t = constants[n.Input(0)]
		case n.IsOp("Constant"):
			t = n.AttrTensor("value")
		}
		if t == nil || t.Type != Float || len(t.Dims) == 0 || len(n.Outputs) != 1 || g.Output(n.Output(0)) != nil {
			return false
		}
		t = t.Clone()
		t.Name = n.Output(0)
		constants[t.Name] = t
		g.Initializers = append(g.Initializers, t)
		return true
	})
}

// findLogits finds the output (N,K), before any Softmax.
func (c *classifier) findLogits(named string) error {
	f := &finder{graph: c.model.Graph, index: c.index, inferred: c.inferred, opset: c.model.Opset()}
	var found, single []string
	for _, out := range c.model.Graph.Outputs {
		s := c.inferred.Shape(out.Name)
		flat := len(s) == 2 || len(s) == 4 && s[2] == Fixed(1) && s[3] == Fixed(1)
		if !flat || s[0].Name != BatchName || !s[1].Known() || !c.varying[out.Name] {
			continue
		}
		list := &found
		if s[1].Size < 2 {
			list = &single
		}
		if name := f.beforeSoftmax(out.Name); !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	if len(found) == 0 {
		found = single // to be refused by what it is
	}
	outputs := func() string {
		list := make([]*ValueInfo, len(c.model.Graph.Outputs))
		for i, v := range c.model.Graph.Outputs {
			list[i] = &ValueInfo{Name: v.Name, Shape: c.inferred.Shape(v.Name)}
		}
		return describe(list)
	}
	switch {
	case named != "":
		if c.index.Producer[named] == nil {
			return fmt.Errorf("%w: no node makes %q, which was named as the logits", ErrAttach, named)
		}
		c.logits = f.beforeSoftmax(named)
	case len(found) == 1:
		c.logits = found[0]
	case len(found) == 0:
		return fmt.Errorf("%w: it is no classifier: no output of shape (N,K); outputs are %s", ErrAttach, outputs())
	default:
		return fmt.Errorf("%w: %d outputs could be the logits (%s); name one", ErrAttach, len(found), Enumerate(found, ", "))
	}
	if err := f.checkLogits("logits", "logits_per", c.logits); err != nil {
		return err
	}
	s := c.inferred.Shape(c.logits)
	if len(s) != 2 && len(s) != 4 || !s[1].Known() {
		return fmt.Errorf("%w: the logits %q have shape %v, want (N,K)", ErrAttach, c.logits, s)
	}
	c.flatten, c.classes = len(s) == 4, int(s[1].Size)
	return nil
}

// prune drops nodes that the logits do not depend on, such as probabilities and auxiliary heads.
func (c *classifier) prune() error {
	g := c.model.Graph
	needed := (&finder{index: c.index}).ancestors([]string{c.logits})
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *Node) bool { return !needed[n] })
	g.Outputs = []*ValueInfo{NewValue(c.logits, Float, nil)}
	return nil
}

// findHead walks back from the logits, past pooling and nodes that keep the order of the classes, to the layer that computes
// them.
func (c *classifier) findHead() error {
	for name := c.logits; ; {
		n := c.index.Producer[name]
		if n == nil || !c.varying[name] {
			return fmt.Errorf("%w: it is no classifier: no layer makes the logits %q", ErrAttach, c.logits)
		}
		var inputs []string
		for _, in := range n.Inputs {
			if c.varying[in] {
				inputs = append(inputs, in)
			}
		}
		switch {
		case n.IsOp("Gemm", "MatMul", "Conv"):
			c.head = n
			return c.checkHead()
		case n.IsOp("Add") && len(inputs) == 1:
			c.bias = n
		case n.IsOp("Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Relu", "Clip", "GlobalAveragePool", "AveragePool", "ReduceMean", "Mul", "Div") &&
			(len(inputs) == 1 || n.IsOp("Reshape")): // a Reshape's sizes may come from the image's
		default:
			return fmt.Errorf("%w: it is no classifier: %v stands between its last layer and the logits %q", ErrAttach, n, c.logits)
		}
		name = n.Input(0)
		if len(inputs) > 0 && !c.varying[name] {
			name = inputs[0]
		}
	}
}

func (c *classifier) checkHead() error {
	n := c.head
	weight := c.inferred.Shape(n.Input(1))
	if !c.varying[n.Input(0)] || c.varying[n.Input(1)] || len(weight) < 2 {
		return fmt.Errorf("%w: %v makes the logits without weights of its own", ErrAttach, n)
	}
	if n.IsOp("Conv") && n.AttrInt("group", 1) != 1 {
		return fmt.Errorf("%w: %v makes the logits in %d groups", ErrAttach, n, n.AttrInt("group", 1))
	}
	if !n.IsOp("MatMul") || c.bias != nil && !slices.Contains(c.bias.Inputs, n.Output(0)) {
		c.bias = nil // an Add behind another layer is no part of it
	}
	return nil
}

// behind are the nodes that depend on a value.
func (c *classifier) behind(value string) map[*Node]bool {
	reached := map[string]bool{value: true}
	nodes := map[*Node]bool{}
	for _, n := range c.model.Graph.Nodes {
		if slices.ContainsFunc(n.Reads(), func(in string) bool { return reached[in] }) {
			nodes[n] = true
			for _, out := range n.Outputs {
				reached[out] = true
			}
		}
	}
	return nodes
}
