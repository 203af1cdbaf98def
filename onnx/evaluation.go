package onnx

import "slices"

// evaluationMode makes a graph that was exported in training mode answer as the network does once it is trained: a
// BatchNormalization takes its running statistics and a Dropout passes its input on. It counts the nodes it changed. People
// export that way to keep the BatchNorms from being folded; run as written, an image's answer would depend on the other
// images of its batch. Nodes keep their places; outputs that somebody reads stay.
func evaluationMode(g *Graph) (changed int) {
	read := map[string]bool{}
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
			changed++
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
