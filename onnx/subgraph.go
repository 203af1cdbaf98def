package onnx

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
		reads = append(reads, a.captured()...)
	}
	return reads
}

// captured lists the values that the attribute's graphs read and do not make.
func (a *Attribute) captured() []string {
	var free []string
	if a.Graph != nil {
		free = a.Graph.free()
	}
	for _, g := range a.Graphs {
		free = append(free, g.free()...)
	}
	return free
}

// free lists the values a subgraph reads that it does not make itself, each once.
func (g *Graph) free() []string {
	own := map[string]bool{"": true} // and those that are listed already
	for _, v := range g.Inputs {
		own[v.Name] = true
	}
	for _, t := range g.Initializers {
		own[t.Name] = true
	}
	for _, t := range g.SparseInitializers {
		if t.Values != nil {
			own[t.Values.Name] = true
		}
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			own[out] = true
		}
	}
	var free []string
	add := func(names ...string) {
		for _, name := range names {
			if !own[name] {
				own[name] = true
				free = append(free, name)
			}
		}
	}
	for _, n := range g.Nodes {
		add(n.Inputs...)
		for _, a := range n.Attributes {
			add(a.captured()...)
		}
	}
	for _, v := range g.Outputs {
		add(v.Name)
	}
	return free
}
