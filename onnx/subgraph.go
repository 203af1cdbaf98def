package onnx

import "slices"

// maxSubgraphDepth bounds how deep control flow may nest; what lies deeper is not searched for captured values.
const maxSubgraphDepth = 16

// Reads lists the values the node depends on: its inputs, and what the subgraphs of control flow (If, Loop,
// Scan) take from outside themselves. Left-out inputs are not among them.
func (n *Node) Reads() []string {
	var reads []string
	for _, in := range n.Inputs {
		if in != "" {
			reads = append(reads, in)
		}
	}
	for _, a := range n.Attributes {
		reads = append(reads, a.captured(0)...)
	}
	return reads
}

// captured lists what the attribute's graphs read without making it.
func (a *Attribute) captured(depth int) []string {
	if len(a.Unknown) == 0 || depth > maxSubgraphDepth {
		return nil
	}
	var free []string
	r := reader{external: func(t *Tensor, _ externalData) error { // only names matter here
		t.Type = String
		return nil
	}}
	_ = r.fields(a.Unknown, 0, func(f wireField) error { // what does not parse captures nothing
		if f.number != 6 && f.number != 11 { // g, graphs
			return nil
		}
		g := &Graph{}
		if err := r.graph(g, f.data, f.start); err != nil {
			return err
		}
		free = append(free, g.free(depth+1)...)
		return nil
	})
	return free
}

// free lists the values a subgraph reads that it does not make itself.
func (g *Graph) free(depth int) []string {
	own := map[string]bool{"": true}
	for _, v := range g.Inputs {
		own[v.Name] = true
	}
	for _, t := range g.Initializers {
		own[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			own[out] = true
		}
	}
	var free []string
	add := func(names ...string) {
		for _, name := range names {
			if !own[name] && !slices.Contains(free, name) {
				free = append(free, name)
			}
		}
	}
	for _, n := range g.Nodes {
		add(n.Inputs...)
		for _, a := range n.Attributes {
			add(a.captured(depth)...)
		}
	}
	for _, v := range g.Outputs {
		add(v.Name)
	}
	return free
}
