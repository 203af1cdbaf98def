package onnx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The names of the ports of the graphs that Split makes.
const (
	PortImage     = "image"      // [N, channels, H, W]
	PortFeatures  = "features"   // [N, C, h, w]
	PortMap       = "map"        // [N, 1, h, w]
	PortLogitsAtt = "logits_att" // [N, K]
	PortLogitsPer = "logits_per" // [N, K]

	// PortShared is a value inside the graphs of an ABN that CutEarlier made: the features that both branches read.
	PortShared = "shared_features"
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

	// Features are C, h and w of the features: those that the branches share, unless CutEarlier cut before them.
	Features [3]int
	// Tail lists the initializers of the extractor's last blocks, which are in the graphs of the branches; nil unless CutEarlier put
	// them there.
	Tail []string

	model *Model // as it was given to Split
}

// Split makes graphs of their own of a model's parts, in evaluation mode, with tensors of its own for every layer (untie) and
// with Loops that can be stopped (interruptible). m is the model that parts were found in, or one with the same graph and other
// initializers, such as a later version of it.
func Split(ctx context.Context, m *Model, parts *Parts) (*ABN, error) {
	return splitAt(ctx, m, parts, 0)
}

// splitAt is Split, with so many of the extractor's last blocks in the graphs of the branches.
func splitAt(ctx context.Context, m *Model, parts *Parts, blocks int) (*ABN, error) {
	abn := &ABN{Parts: *parts, Features: [3]int{parts.Channels, parts.Height, parts.Width}, model: m}
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
	cut := earlierCut{head: nodes[extractorPart], value: parts.Names.Features, dims: abn.Features}
	if blocks > 0 {
		if cut, err = cutEarlier(ctx, m, parts, nodes, blocks); err != nil {
			return nil, err
		}
	}
	widenFor(m.Graph, cut.tail, nodes[attentionPart], nodes[perceptionPart])
	untie(m.Graph, nodes)
	if blocks > 0 {
		abn.Features = cut.dims
		abn.ExtractorInitializers, abn.Tail = cut.divide(m.Graph)
	}
	if bytes := m.Graph.bytes(); bytes > maxFileBytes-trainedRoom {
		return nil, tooLarge(bytes)
	}
	interruptible(m)
	h, w, k := int64(parts.Height), int64(parts.Width), int64(parts.Classes)
	pixels := port{parts.Names.Image, PortImage, image.Shape}
	features := port{cut.value, PortFeatures, BatchOf(int64(cut.dims[0]), int64(cut.dims[1]), int64(cut.dims[2]))}
	grid := port{parts.Names.Map, PortMap, BatchOf(1, h, w)}
	att := port{parts.Names.LogitsAtt, PortLogitsAtt, BatchOf(k)}
	per := port{parts.Names.LogitsPer, PortLogitsPer, BatchOf(k)}

	head, attention, perception := cut.head, slices.Concat(cut.tail, nodes[attentionPart]), slices.Concat(cut.tail, nodes[perceptionPart])
	for _, part := range []struct {
		name    string
		into    **Model
		nodes   []*Node
		inputs  []port
		outputs []port
	}{
		{"extractor", &abn.Extractor, head, []port{pixels}, []port{features}},
		{"attention branch", &abn.Attention, attention, []port{features}, []port{grid, att}},
		{"perception branch", &abn.Perception, perception, []port{features, grid}, []port{per}},
		{"branches", &abn.Branches, slices.Concat(attention, perception), []port{features}, []port{grid, att, per}},
		{"network", &abn.Whole, slices.Concat(head, attention, perception), []port{pixels}, []port{grid, att, per}},
	} {
		belongs := map[*Node]bool{}
		for _, n := range part.nodes {
			belongs[n] = true
		}
		inner := map[string]string{}
		if blocks > 0 {
			inner[parts.Names.Features] = PortShared
		}
		if *part.into, err = extract(m, part.name, belongs, part.inputs, part.outputs, inner); err != nil {
			return nil, fmt.Errorf("splitting off the %s: %w", part.name, err)
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

// extract copies some nodes of a model, with the initializers they read, into a model of their own. inner are values inside it that
// get other names.
func extract(m *Model, name string, nodes map[*Node]bool, inputs, outputs []port, inner map[string]string) (*Model, error) {
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
	renamed := maps.Clone(inner)
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
	for _, name := range []string{PortImage, PortFeatures, PortMap, PortLogitsAtt, PortLogitsPer, PortShared} {
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
