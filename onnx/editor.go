package onnx

import "fmt"

// Editor adds nodes and initializers to a graph under names that are still free. It counts a name as used whether a value, an
// initializer or a node has it. It reads the graph's names once, in Edit: a name that is added later without the Editor must be
// given to Take, or the Editor may use it again.
type Editor struct {
	graph *Graph
	space string
	taken map[string]bool
	count int
}

// Edit starts to edit g. The names that Fresh makes begin with space, such as "gradient".
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

// Take marks names as used, so that Name and Fresh do not return them.
func (e *Editor) Take(names ...string) {
	for _, name := range names {
		e.taken[name] = true
	}
}

// Name returns the wanted name, with underscores appended until it is free, and marks it as used.
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

// sort puts nodes behind those that make what they read, and otherwise leaves them in their order.
func (g *Graph) sort() {
	index := g.Index()
	done := map[*Node]bool{}
	sorted := make([]*Node, 0, len(g.Nodes))
	type step struct {
		node *Node
		next int // of what it reads
	}
	for _, n := range g.Nodes {
		for stack := []step{{n, 0}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			reads := top.node.Reads()
			switch {
			case done[top.node]:
				stack = stack[:len(stack)-1]
			case top.next < len(reads):
				made := index.Producer[reads[top.next]]
				top.next++
				if made != nil && !done[made] && len(stack) <= len(g.Nodes) { // a circle is left to whoever checks the order
					stack = append(stack, step{made, 0})
				}
			default:
				done[top.node] = true
				sorted = append(sorted, top.node)
				stack = stack[:len(stack)-1]
			}
		}
	}
	g.Nodes = sorted
}
