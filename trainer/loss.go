package trainer

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// rootFloor stands under the root of L_map's norm, so that a map that is met exactly has a gradient.
const rootFloor = 1e-12

// lossNames are the values of a step graph that the losses are computed from and appear as. Losses
// have shape [1].
type lossNames struct {
	logitsAtt, logitsPer string // [N, K]
	attention            string // the map, [N, 1, h, w] or [N, h, w]

	labels  string // [N], int64
	edited  string // [N, h·w]
	hasEdit string // [N], 0 or 1

	att, per    string // L_att, L_per
	mapDistance string // L_map with γ = 1
	total       string // L
}

// newLossNames gives the values that addLosses makes and reads their names.
func newLossNames(logitsAtt, logitsPer, attention string) lossNames {
	return lossNames{
		logitsAtt: logitsAtt, logitsPer: logitsPer, attention: attention,
		labels: "loss/labels", edited: "loss/edited", hasEdit: "loss/has_edit",
		att: "loss/att", per: "loss/per", mapDistance: "loss/map_distance", total: "loss/total",
	}
}

// lossShape is what the losses need to know of a network.
type lossShape struct {
	classes int64 // K
	cells   int64 // h·w
}

// addLosses adds the nodes of
//
//	L = L_att + L_per + γ·D,   D = (1/|S|) Σ_{i∈S} d(M′_i, M_i)
//
// to g: cross entropies averaged over the batch, and D over its edited rows S (0 where there is none).
// d is the unsquared L2 norm over the cells, the mean of the squares, or the mean of the absolute
// differences. Operators are written as operator sets 13 and later have them.
func addLosses(g *onnx.Graph, n lossNames, shape lossShape, form MapLoss, gamma float64) error {
	w := lossWriter{g}
	w.crossEntropy("att", n.logitsAtt, n.labels, n.att, shape.classes)
	w.crossEntropy("per", n.logitsPer, n.labels, n.per, shape.classes)

	w.ints("loss/flat", -1, shape.cells)
	w.node("Reshape", "loss/map", n.attention, "loss/flat")
	w.node("Sub", "loss/map_difference", "loss/map", n.edited)
	w.ints("loss/last", 1)
	power := "loss/map_power"
	switch form {
	case MapLossL1:
		w.node("Abs", power, "loss/map_difference")
	case MapLossL2, MapLossMSE:
		w.node("Mul", power, "loss/map_difference", "loss/map_difference")
	default:
		return fmt.Errorf("map loss %q: want %q, %q or %q", form, MapLossL2, MapLossMSE, MapLossL1)
	}
	w.node("ReduceSum", "loss/map_sum", power, "loss/last", onnx.IntAttr("keepdims", 0))
	if form == MapLossL2 {
		w.float("loss/floor", rootFloor)
		w.node("Add", "loss/map_floored", "loss/map_sum", "loss/floor")
		w.node("Sqrt", "loss/map_rows", "loss/map_floored")
	} else {
		w.float("loss/per_cell", 1/float64(shape.cells))
		w.node("Mul", "loss/map_rows", "loss/map_sum", "loss/per_cell")
	}
	w.node("Mul", "loss/map_edited", "loss/map_rows", n.hasEdit)
	w.node("ReduceSum", "loss/map_all", "loss/map_edited", onnx.IntAttr("keepdims", 1))
	w.node("ReduceSum", "loss/edits", n.hasEdit, onnx.IntAttr("keepdims", 1))
	w.float("loss/one", 1)
	w.node("Max", "loss/edits_or_one", "loss/edits", "loss/one")
	w.node("Div", n.mapDistance, "loss/map_all", "loss/edits_or_one")

	w.float("loss/gamma", gamma)
	w.node("Mul", "loss/map_scaled", n.mapDistance, "loss/gamma")
	w.node("Add", "loss/abn", n.att, n.per)
	w.node("Add", n.total, "loss/abn", "loss/map_scaled")
	return nil
}

// lossWriter adds nodes and constants to a graph.
type lossWriter struct{ graph *onnx.Graph }

// node adds a node: arguments are input names and attributes.
func (w lossWriter) node(op, output string, arguments ...any) {
	n := &onnx.Node{Op: op, Name: output, Outputs: []string{output}}
	for _, a := range arguments {
		switch a := a.(type) {
		case string:
			n.Inputs = append(n.Inputs, a)
		case *onnx.Attribute:
			n.Attributes = append(n.Attributes, a)
		}
	}
	w.graph.Nodes = append(w.graph.Nodes, n)
}

func (w lossWriter) ints(name string, v ...int64) {
	w.graph.Initializers = append(w.graph.Initializers, onnx.NewInt64(name, []int64{int64(len(v))}, v))
}

func (w lossWriter) float(name string, v float64) {
	w.graph.Initializers = append(w.graph.Initializers, onnx.NewFloat32(name, nil, []float32{float32(v)}))
}

// crossEntropy is −mean_i log softmax(logits_i)[label_i].
func (w lossWriter) crossEntropy(branch, logits, labels, loss string, classes int64) {
	at := func(value string) string { return "loss/" + branch + "_" + value }
	w.node("LogSoftmax", at("log"), logits, onnx.IntAttr("axis", 1))
	w.ints(at("classes"), classes)
	w.graph.Initializers = append(w.graph.Initializers, onnx.NewFloat32(at("values"), []int64{2}, []float32{0, -1}))
	w.node("OneHot", at("label"), labels, at("classes"), at("values"), onnx.IntAttr("axis", 1))
	w.node("Mul", at("terms"), at("log"), at("label"))
	w.ints(at("axis"), 1)
	w.node("ReduceSum", at("rows"), at("terms"), at("axis"), onnx.IntAttr("keepdims", 0))
	w.node("ReduceMean", loss, at("rows"), onnx.IntAttr("keepdims", 1))
}
