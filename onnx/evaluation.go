package onnx

import "slices"

// evaluationMode puts a graph that was exported in training mode into evaluation mode: a BatchNormalization uses its running
// statistics and a Dropout passes its input on. It returns the number of nodes it changed. People export that way to keep the
// BatchNorms from being folded into convolutions; run as it is, an image's answer would depend on the other images of its batch.
// The order of the nodes is kept, and so are outputs that another node reads. A BatchNormalization whose statistics the graph computes, as of a
// weight that is standardised, has them in either mode, and is not counted.
func evaluationMode(g *Graph) (changed int) {
	read, made := map[string]bool{}, computedIn(g)
	for _, v := range g.Outputs {
		read[v.Name] = true
	}
	for _, n := range g.Nodes {
		for _, in := range n.Reads() {
			read[in] = true
		}
	}
	for _, n := range g.Nodes {
		before := len(n.Outputs)
		switch {
		case n.IsOp("BatchNormalization"):
			training := n.AttrInt("training_mode", 0) != 0
			if !training && before == 1 {
				continue
			}
			if training {
				n.SetAttr(IntAttr("training_mode", 0))
			}
			if !made[n.Input(3)] {
				changed++
			}
		case n.IsOp("Dropout") && n.Input(2) != "":
			n.Inputs = n.Inputs[:2] // without the third it is in evaluation mode
			changed++
		case n.IsOp("Dropout"):
		default:
			continue
		}
		for len(n.Outputs) > 1 && !read[n.Outputs[len(n.Outputs)-1]] {
			n.Outputs = slices.Delete(n.Outputs, len(n.Outputs)-1, len(n.Outputs))
		}
	}
	return changed
}

// InTrainingMode reports whether a file has a BatchNormalization that takes the batch's statistics in place of running ones. The exporter that
// wrote it ran the module in that mode, which moved the running statistics.
func (m *Model) InTrainingMode() bool {
	made := computedIn(m.Graph)
	return slices.ContainsFunc(m.Graph.Nodes, func(n *Node) bool {
		return n.IsOp("BatchNormalization") && n.AttrInt("training_mode", 0) != 0 && !made[n.Input(3)]
	})
}

// computedIn are the values that a graph computes.
func computedIn(g *Graph) map[string]bool {
	made := map[string]bool{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			made[out] = !n.IsOp("Constant", "Identity")
		}
	}
	return made
}
