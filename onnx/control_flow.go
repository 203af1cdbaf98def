package onnx

import "fmt"

// interruptible adds an operator to the body of every Loop that the runtime cannot optimise away. The runtime checks between
// operators whether a run was cancelled, so that a Loop whose body has no operator, only inputs that are passed on, could not be
// stopped. What a Loop computes, and how many times, does not change.
func interruptible(m *Model) {
	guard := loopGuard{}
	guard.nodes(m.Graph.Nodes)
	for _, f := range m.Functions {
		guard.nodes(f.Nodes)
	}
}

// loopGuard counts the Loops it has seen: names differ across a graph and all within it.
type loopGuard struct{ loops int }

func (l *loopGuard) nodes(nodes []*Node) {
	for _, n := range nodes {
		for _, a := range n.Attributes {
			if a.Graph != nil {
				l.nodes(a.Graph.Nodes)
			}
			for _, g := range a.Graphs {
				l.nodes(g.Nodes)
			}
		}
		if body := n.Attr("body"); n.IsOp("Loop") && body != nil && body.Graph != nil {
			l.body(body.Graph)
		}
	}
}

// body adds a comparison of the iteration number with itself to the condition of a Loop.
func (l *loopGuard) body(g *Graph) {
	if len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return // no Loop's body; the runtime refuses it
	}
	l.loops++
	name := func(what string) string { return fmt.Sprintf("studio/loop-%d/%s", l.loops, what) }
	round, goesOn := g.Inputs[0].Name, *g.Outputs[0]
	g.Initializers = append(g.Initializers, NewInt64(name("scalar"), []int64{0}, nil))
	g.Nodes = append(g.Nodes,
		NewNode("Equal", name("equal"), []string{round, round}, []string{name("same")}),
		NewNode("Reshape", name("reshape"), []string{name("same"), name("scalar")}, []string{name("true")}),
		NewNode("And", name("and"), []string{goesOn.Name, name("true")}, []string{name("goes-on")}))
	goesOn.Name = name("goes-on")
	g.Outputs[0] = &goesOn
}
