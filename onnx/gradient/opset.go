package gradient

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// Level is the operator set that gradients are written for: the first with a ScatterElements that
// adds, and with a BatchNormalization that trains. Models of later sets stay where they are.
const Level = 17

// oldest is the first operator set whose arithmetic broadcasts as numpy does.
const oldest = 7

// Raise rewrites m's nodes so that the model computes the same in operator set Level. Between 7 and 17 a number of operators took
// their constants from attributes first and from inputs later; those that networks use are translated. A node that would compute
// something else is an error that names it. A model of Level or later is not changed.
func Raise(m *onnx.Model) error {
	from := m.Opset()
	if from >= Level {
		return nil
	}
	if from < oldest {
		return fmt.Errorf("the model is written for operator set %d: export it for 9 or later", from)
	}
	r := raiser{editor: onnx.Edit(m.Graph, "raised"), from: from}
	for _, n := range m.Graph.Nodes {
		if n.IsOp(n.Op) {
			if err := r.raise(n); err != nil {
				return fmt.Errorf("raising %s from operator set %d to %d: %w", n, from, Level, err)
			}
		}
	}
	for i := range m.Opsets {
		if m.Opsets[i].Domain == "" || m.Opsets[i].Domain == "ai.onnx" {
			m.Opsets[i].Version = Level
		}
	}
	// Operator set 17 came with IR version 8; below 4 initializers had to be inputs too.
	m.IRVersion = max(m.IRVersion, 8)
	return nil
}

type raiser struct {
	editor *onnx.Editor
	from   int64
}

func (r *raiser) raise(n *onnx.Node) error {
	switch n.Op {
	case "Squeeze", "Unsqueeze", "ReduceSum":
		if r.from < 13 {
			r.listInput(n, "axes", 1)
		}
	case "Split":
		if r.from < 13 {
			r.listInput(n, "split", 1)
		}
	case "Softmax", "LogSoftmax", "Hardmax":
		// Before 13 the axes from axis on were taken as one, which is the same if axis is the last.
		if r.from < 13 {
			n.SetAttr(onnx.IntAttr("axis", n.AttrInt("axis", 1)))
		}
	case "Clip":
		if r.from < 11 {
			for i, bound := range []string{"min", "max"} {
				if a := n.Attr(bound); a != nil {
					r.input(n, 1+i, onnx.NewFloat32(r.editor.Fresh(bound), nil, []float32{a.Float}))
					drop(n, bound)
				}
			}
		}
	case "Pad":
		if r.from < 11 {
			r.listInput(n, "pads", 1)
			if a := n.Attr("value"); a != nil {
				r.input(n, 2, onnx.NewFloat32(r.editor.Fresh("value"), nil, []float32{a.Float}))
				drop(n, "value")
			}
		}
	case "Slice":
		if r.from < 10 {
			r.listInput(n, "starts", 1)
			r.listInput(n, "ends", 2)
			r.listInput(n, "axes", 3)
		}
	case "Dropout":
		drop(n, "ratio") // in evaluation it passes its input on
	case "BatchNormalization":
		if n.AttrInt("spatial", 1) != 1 {
			return fmt.Errorf("spatial=0 has no later form")
		}
		drop(n, "spatial")
		if len(n.Outputs) > 1 && r.from < 14 {
			return fmt.Errorf("it has %d outputs: export the model in evaluation mode", len(n.Outputs))
		}
	case "Scan", "Loop":
		return fmt.Errorf("the operator changed between the two: export the model for operator set %d", Level)
	case "Upsample", "Resize":
		if r.from < 11 {
			r.enlarge(n)
		}
	case "TopK":
		if r.from < 10 {
			return fmt.Errorf("the operator changed in 10: export the model for operator set %d", Level)
		}
	}
	return nil
}

// enlarge makes a Resize of set 11 of what computed, before it, the coordinates of a pixel as its place over the scale, without half a pixel.
func (r *raiser) enlarge(n *onnx.Node) {
	if a := n.Attr("scales"); a != nil { // an Upsample up to 8
		r.input(n, 2, onnx.NewFloat32(r.editor.Fresh("scales"), []int64{int64(len(a.Floats))}, a.Floats))
		drop(n, "scales")
	} else {
		n.Inputs = []string{n.Input(0), "", n.Input(1)}
	}
	n.Op = "Resize"
	n.SetAttr(onnx.StrAttr("coordinate_transformation_mode", "asymmetric"))
	n.SetAttr(onnx.StrAttr("nearest_mode", "floor"))
}

// listInput turns a list attribute into the input at position i.
func (r *raiser) listInput(n *onnx.Node, name string, i int) {
	if a := n.Attr(name); a != nil {
		r.input(n, i, onnx.NewInt64(r.editor.Fresh(name), []int64{int64(len(a.Ints))}, a.Ints))
		drop(n, name)
	}
}

func (r *raiser) input(n *onnx.Node, i int, t *onnx.Tensor) {
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, "")
	}
	n.Inputs[i] = r.editor.Keep(t)
}

func drop(n *onnx.Node, attribute string) {
	n.Attributes = slices.DeleteFunc(n.Attributes, func(a *onnx.Attribute) bool { return a.Name == attribute })
}
