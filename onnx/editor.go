package onnx

import "fmt"

// Editor adds to a graph under names that nothing in it has: values, initializers and nodes share one space of names here.
// Names that come into the graph in another way while it is edited are unknown to it, unless they are taken.
type Editor struct {
	graph *Graph
	space string
	taken map[string]bool
	count int
}

// Edit starts to edit g. space is what its own names begin with, such as "gradient".
func Edit(g *Graph, space string) *Editor {
	e := &Editor{graph: g, space: space, taken: map[string]bool{}}
	for _, t := range g.Initializers {
		e.taken[t.Name] = true
	}
	for _, v := range g.Inputs {
		e.taken[v.Name] = true
	}
	for _, n := range g.Nodes {
		e.taken[n.Name] = true
		e.Take(n.Outputs...)
	}
	return e
}

// Take keeps names from being given.
func (e *Editor) Take(names ...string) {
	for _, name := range names {
		e.taken[name] = true
	}
}

// Name gives the wanted name, with underscores behind it where something has it already.
func (e *Editor) Name(wanted string) string {
	for e.taken[wanted] {
		wanted += "_"
	}
	e.taken[wanted] = true
	return wanted
}

// Fresh names one more thing of a kind: space/kind_1, and so on.
func (e *Editor) Fresh(kind string) string {
	e.count++
	return e.Name(fmt.Sprintf("%s/%s_%d", e.space, kind, e.count))
}

// Node adds a node with one output, both of one fresh name, and returns it.
func (e *Editor) Node(op string, inputs []string, attributes ...*Attribute) string {
	name := e.Fresh(op)
	e.graph.Nodes = append(e.graph.Nodes, NewNode(op, name, inputs, []string{name}, attributes...))
	return name
}

// Constant adds an initializer under a fresh name and returns the name.
func (e *Editor) Constant(t *Tensor) string {
	t.Name = e.Fresh("constant")
	return e.Keep(t)
}

// Keep adds an initializer under the name it has, and returns the name.
func (e *Editor) Keep(t *Tensor) string {
	e.taken[t.Name] = true
	e.graph.Initializers = append(e.graph.Initializers, t)
	return t.Name
}
