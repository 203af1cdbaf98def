package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// The names of the ports of the graphs that Split makes.
const (
	PortImage     = "image"      // [N, channels, H, W]
	PortFeatures  = "features"   // [N, C, h, w]
	PortMap       = "map"        // [N, 1, h, w]
	PortLogitsAtt = "logits_att" // [N, K]
	PortLogitsPer = "logits_per" // [N, K]
)

// ABN is a network taken apart into graphs that run by themselves. Initializers keep the names they have in
// the file, values do not. Every graph takes batches of any size.
type ABN struct {
	Parts
	Extractor  *Model // image → features
	Attention  *Model // features → map, logits_att
	Perception *Model // features, map → logits_per; the attention mechanism is in it
	Branches   *Model // features → map, logits_att, logits_per
	Whole      *Model // image → map, logits_att, logits_per
}

// Split makes graphs of their own of a model's parts, in evaluation mode, with tensors of its own for every layer (untie) and
// with Loops that can be stopped (interruptible). m is the model that parts were found in, or one with the same graph and other
// initializers, such as a later version of it.
func Split(ctx context.Context, m *Model, parts *Parts) (*ABN, error) {
	m = m.Clone()
	image, err := findImage(m, PartNames{Image: parts.Names.Image, Size: &[2]int{parts.ImageHeight, parts.ImageWidth}})
	if err != nil {
		return nil, err
	}
	if _, err := openBatch(ctx, m, image); err != nil {
		return nil, err
	}
	evaluationMode(m.Graph)
	index := m.Graph.Index()
	for _, n := range m.Graph.Nodes {
		if r, ok := parts.reshapes[index.valueOf(n)]; ok {
			r.apply(m.Graph, n)
		}
	}
	if len(parts.batchReads) > 0 {
		for _, r := range parts.batchReads {
			if n := index.Producer[r.node]; n == nil || r.input >= len(n.Inputs) {
				return nil, fmt.Errorf("%w: parts were found in another graph: nothing makes %q here", ErrGraph, r.node)
			}
		}
		readBatch(m.Graph, parts.Names.Features, parts.batchReads)
		index = m.Graph.Index()
	}
	nodes, err := parts.in(index)
	if err != nil {
		return nil, err
	}
	widenFor(m.Graph, nodes[attentionPart], nodes[perceptionPart])
	untie(m.Graph, nodes)
	if bytes := m.Graph.bytes(); bytes > maxFileBytes-trainedRoom {
		return nil, tooLarge(bytes)
	}
	interruptible(m)
	c, h, w, k := int64(parts.Channels), int64(parts.Height), int64(parts.Width), int64(parts.Classes)
	pixels := port{parts.Names.Image, PortImage, image.Shape}
	features := port{parts.Names.Features, PortFeatures, BatchOf(c, h, w)}
	grid := port{parts.Names.Map, PortMap, BatchOf(1, h, w)}
	att := port{parts.Names.LogitsAtt, PortLogitsAtt, BatchOf(k)}
	per := port{parts.Names.LogitsPer, PortLogitsPer, BatchOf(k)}

	abn := &ABN{Parts: *parts}
	for _, cut := range []struct {
		name    string
		into    **Model
		parts   []int
		inputs  []port
		outputs []port
	}{
		{"extractor", &abn.Extractor, []int{extractorPart}, []port{pixels}, []port{features}},
		{"attention branch", &abn.Attention, []int{attentionPart}, []port{features}, []port{grid, att}},
		{"perception branch", &abn.Perception, []int{perceptionPart}, []port{features, grid}, []port{per}},
		{"branches", &abn.Branches, []int{attentionPart, perceptionPart}, []port{features}, []port{grid, att, per}},
		{"network", &abn.Whole, []int{extractorPart, attentionPart, perceptionPart}, []port{pixels}, []port{grid, att, per}},
	} {
		belongs := map[*Node]bool{}
		for _, part := range cut.parts {
			for _, n := range nodes[part] {
				belongs[n] = true
			}
		}
		if *cut.into, err = extract(m, cut.name, belongs, cut.inputs, cut.outputs); err != nil {
			return nil, fmt.Errorf("splitting off the %s: %w", cut.name, err)
		}
	}
	return abn, nil
}

// port is a value at the edge of a cut-out graph: its name in the file, and the one it gets.
type port struct {
	value, name string
	shape       Shape
}

// in finds the nodes of the parts in a graph.
func (p *Parts) in(x *Index) (nodes [3][]*Node, err error) {
	for part, values := range p.nodes {
		for _, value := range values {
			n := x.Producer[value]
			if n == nil {
				return nodes, fmt.Errorf("%w: parts were found in another graph: nothing makes %q here", ErrGraph, value)
			}
			nodes[part] = append(nodes[part], n)
		}
	}
	return nodes, nil
}

// extract copies some nodes of a model, with the initializers they read, into a model of their own.
func extract(m *Model, name string, nodes map[*Node]bool, inputs, outputs []port) (*Model, error) {
	if len(nodes) == 0 {
		return nil, errors.New("it has no nodes")
	}
	g := &Graph{Name: name}
	reads := map[string]bool{}
	for _, n := range m.Graph.Nodes {
		if !nodes[n] {
			continue
		}
		n = n.Clone()
		g.Nodes = append(g.Nodes, n)
		for _, in := range n.Reads() {
			reads[in] = true
		}
	}
	constants := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		if reads[t.Name] {
			g.Initializers = append(g.Initializers, t)
			constants[t.Name] = true
		}
	}
	renamed := map[string]string{}
	for _, p := range slices.Concat(inputs, outputs) {
		renamed[p.value] = p.name
	}
	if err := rename(g, renamed, constants); err != nil {
		return nil, err
	}
	for _, p := range inputs {
		g.Inputs = append(g.Inputs, NewValue(p.name, Float, p.shape))
	}
	for _, p := range outputs {
		g.Outputs = append(g.Outputs, NewValue(p.name, Float, p.shape))
	}
	return &Model{
		IRVersion: max(m.IRVersion, 4), // before version 4 initializers had to be inputs as well
		Opsets:    slices.Clone(m.Opsets),
		Graph:     g,
		Functions: m.Functions, // that the nodes may call
		Unknown:   m.Unknown,
	}, nil
}

// rename gives values their new names, and renames another value that has one of these names already.
func rename(g *Graph, names map[string]string, constants map[string]bool) error {
	taken := map[string]bool{}
	for _, n := range g.Nodes {
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			taken[name] = true
		}
	}
	for _, name := range []string{PortImage, PortFeatures, PortMap, PortLogitsAtt, PortLogitsPer} {
		if _, moved := names[name]; moved || !taken[name] {
			continue
		}
		if constants[name] {
			return fmt.Errorf("%w: an initializer is named %q, as the port is", ErrGraph, name)
		}
		free := name + "/inner"
		for taken[free] {
			free += "_"
		}
		names[name] = free
	}
	replace := func(list []string) {
		for i, name := range list {
			if to, ok := names[name]; ok && name != "" {
				list[i] = to
			}
		}
	}
	for _, n := range g.Nodes {
		for _, a := range n.Attributes {
			for _, name := range a.captured() {
				if to, ok := names[name]; ok && to != name {
					return fmt.Errorf("%w: control flow in %v reads %q", ErrNoABN, n, name)
				}
			}
		}
		replace(n.Inputs)
		replace(n.Outputs)
	}
	return nil
}
