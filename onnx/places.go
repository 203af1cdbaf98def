package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// place is where something is in a model, innermost first.
type place struct {
	outer *place
	text  func() string // made when somebody asks
}

func (p *place) within(text func() string) *place { return &place{p, text} }

func (p *place) node(n *Node) *place {
	return p.within(func() string {
		name := n.Name
		if name == "" {
			name = n.Output(0)
		}
		return fmt.Sprintf("node %s (%s)", plain(name), plain(n.Op))
	})
}

func (p *place) String() string {
	var parts []string
	for ; p != nil; p = p.outer {
		parts = append(parts, p.text())
	}
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// of names a tensor at the place.
func (p *place) of(t *Tensor) string {
	name := p.String()
	if t.Name != "" {
		name += " " + plain(t.Name)
	}
	return name
}

// plain is a name for a sentence, quoted if it could be misread.
func plain(name string) string {
	odd := func(r rune) bool { return r <= ' ' || r == ',' || r == '"' || r == 0x7f || r == '\ufffd' }
	if name == "" || strings.ContainsFunc(name, odd) {
		return fmt.Sprintf("%q", cut(name))
	}
	return cut(name)
}

// tensorVisit is called with a tensor and where it stands.
type tensorVisit func(t *Tensor, where *place) error

// eachTensor calls visit for every tensor of the model, in all places that can have one, until visit fails.
func (m *Model) eachTensor(visit tensorVisit) error {
	if err := visit.graph(m.Graph, nil); err != nil {
		return err
	}
	for _, f := range m.Functions {
		in := (*place)(nil).within(func() string { return "function " + plain(f.Name) })
		if err := visit.nodes(f.Nodes, in); err != nil {
			return err
		}
		if err := visit.attributes(f.Defaults, in); err != nil {
			return err
		}
	}
	for i, t := range m.Training {
		in := (*place)(nil).within(func() string { return fmt.Sprintf("training_info %d", i) })
		for _, part := range []struct {
			name  string
			graph *Graph
		}{{"initialization", t.Initialization}, {"algorithm", t.Algorithm}} {
			if err := visit.graph(part.graph, in.within(func() string { return part.name })); err != nil {
				return err
			}
		}
	}
	return nil
}

func (visit tensorVisit) graph(g *Graph, in *place) error {
	if g == nil {
		return nil
	}
	here := in.within(func() string { return "initializer" })
	for _, t := range g.Initializers {
		if err := visit(t, here); err != nil {
			return err
		}
	}
	for _, t := range g.SparseInitializers {
		if err := visit.sparse(t, in.within(func() string { return "sparse initializer" })); err != nil {
			return err
		}
	}
	return visit.nodes(g.Nodes, in)
}

func (visit tensorVisit) nodes(nodes []*Node, in *place) error {
	for _, n := range nodes {
		if len(n.Attributes) == 0 {
			continue
		}
		if err := visit.attributes(n.Attributes, in.node(n)); err != nil {
			return err
		}
	}
	return nil
}

func (visit tensorVisit) attributes(list []*Attribute, in *place) error {
	for _, a := range list {
		at := in.within(func() string { return plain(a.Name) })
		if a.Tensor != nil {
			if err := visit(a.Tensor, at); err != nil {
				return err
			}
		}
		for _, t := range a.Tensors {
			if err := visit(t, at); err != nil {
				return err
			}
		}
		for _, t := range append([]*SparseTensor{a.Sparse}, a.Sparses...) {
			if err := visit.sparse(t, at); err != nil {
				return err
			}
		}
		for _, g := range append([]*Graph{a.Graph}, a.Graphs...) {
			if err := visit.graph(g, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (visit tensorVisit) sparse(t *SparseTensor, in *place) error {
	if t == nil {
		return nil
	}
	for _, part := range []struct {
		name   string
		tensor *Tensor
	}{{"values", t.Values}, {"indices", t.Indices}} {
		if part.tensor == nil {
			continue
		}
		if err := visit(part.tensor, in.within(func() string { return part.name })); err != nil {
			return err
		}
	}
	return nil
}
