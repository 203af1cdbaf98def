package step

import (
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
)

// RootFloor is added under the root of L_map's norm, so that there is a gradient where a map equals its target.
const RootFloor = 1e-12

// ShareFloor is added to both sums of the energy loss, so that a share is a number where no attention is left, and so that an
// edited map of zeros, which has no inside, pulls all attention to 0.
const ShareFloor = 1e-6

// lossNames are the names of the values that the losses are computed from, and of the losses. Losses have shape [1].
type lossNames struct {
	logitsAtt, logitsPer string // [N, K]
	attention            string // the map, [N, 1, h, w] or [N, h, w]

	labels  string // [N], int64
	edited  string // [N, h·w]
	known   string // [N, h·w], k: 1 where the target is one, else 0
	avoided string // [N, h·w], n/max(1, Σn): the cells not to be looked at, as shares of a mean
	hasEdit string // [N], 0 or 1
	weight  string // [N], of the edited rows; only graphs with weights by class have this input
	// Anchored marks the rows without an edit whose target in edited is the parent's own map: [N], 0 or 1. Only graphs with an
	// anchor have this input, and the value anchorDistance.
	anchored string

	att, per       string // L_att, L_per
	mapDistance    string // the first part of L_map with γ = 1
	avoidance      string // the second part with γ_n = 1
	anchorDistance string // L_anchor with a scale of 1
	total          string // L
}

// newLossNames gives the values that addLosses makes and reads their names.
func newLossNames(logitsAtt, logitsPer, attention string) lossNames {
	return lossNames{
		logitsAtt: logitsAtt, logitsPer: logitsPer, attention: attention,
		labels: "loss/labels", edited: "loss/edited", known: "loss/known", avoided: "loss/avoided", hasEdit: "loss/has_edit", weight: "loss/row_weight", anchored: "loss/anchored",
		att: "loss/att", per: "loss/per", mapDistance: "loss/map_distance", avoidance: "loss/avoidance", anchorDistance: "loss/anchor_distance", total: "loss/total",
	}
}

// addLosses adds the nodes of
//
//	L = L_att + L_per + γ·D(S, M′) + γ_n·(1/|S|) Σ_{i∈S} (n_i · M_i)/max(1, Σn_i) + α·D(A, M°),   D(R, T) = (1/|R|) Σ_{i∈R} d(k_i⊙T_i, k_i⊙M_i)
//
// to g: cross entropies averaged over the batch, D over its edited rows S with the edited maps M′ and, where the anchor α is not
// 0, over its anchored rows A with the parent's maps M° (0 over no rows). d is the unsquared L2 norm over the cells, the mean of
// the squares, the mean of the absolute differences, or the energy
//
//	log(ε + Σ k_i⊙M_i) − log(ε + Σ k_i⊙T_i⊙M_i)    ε: ShareFloor
//
// (of the anchor: AnchorForm). With weights by class the mean over S is (1/|S|) Σ w_i …, with weights by grid the norm is times
// NormScale. With α = 0 the graph does not have the last term. Operators are written as operator sets 13 and
// later have them.
func addLosses(g *onnx.Graph, n lossNames, sizes Sizes, s recipe.Settings) error {
	w := lossWriter{g}
	w.crossEntropy("att", n.logitsAtt, n.labels, n.att, sizes.Classes)
	w.crossEntropy("per", n.logitsPer, n.labels, n.per, sizes.Classes)

	w.ints("loss/flat", -1, sizes.Cells())
	w.node("Reshape", "loss/map", n.attention, "loss/flat")
	w.ints("loss/last", 1)
	if err := w.distances("map", s.MapLoss, n, sizes, s.MapWeight); err != nil {
		return err
	}
	w.float("loss/one", 1)
	weight := n.hasEdit
	if s.MapWeight.ByClass() {
		weight = "loss/edit_weight"
		w.node("Mul", weight, n.hasEdit, n.weight)
	}
	w.meanOver("map", "loss/map_rows", weight, n.hasEdit, n.mapDistance)
	w.node("Mul", "loss/avoided_map", "loss/map", n.avoided)
	w.node("ReduceSum", "loss/avoided_rows", "loss/avoided_map", "loss/last", onnx.IntAttr("keepdims", 0))
	w.meanOver("avoided", "loss/avoided_rows", weight, n.hasEdit, n.avoidance)

	w.float("loss/gamma", s.Gamma)
	w.node("Mul", "loss/distance_scaled", n.mapDistance, "loss/gamma")
	w.float("loss/gamma_avoid", s.GammaAvoid)
	w.node("Mul", "loss/avoidance_scaled", n.avoidance, "loss/gamma_avoid")
	w.node("Add", "loss/map_scaled", "loss/distance_scaled", "loss/avoidance_scaled")
	w.node("Add", "loss/abn", n.att, n.per)
	if s.Anchor == 0 {
		w.node("Add", n.total, "loss/abn", "loss/map_scaled")
		return nil
	}
	anchored := "loss/map_rows"
	if form := AnchorForm(s.MapLoss); form != s.MapLoss {
		anchored = "loss/anchor_rows"
		if err := w.distances("anchor", form, n, sizes, s.MapWeight); err != nil {
			return err
		}
	}
	w.meanOver("anchor", anchored, n.anchored, n.anchored, n.anchorDistance)
	w.float("loss/alpha", s.Anchor)
	w.node("Mul", "loss/anchor_scaled", n.anchorDistance, "loss/alpha")
	w.node("Add", "loss/maps", "loss/map_scaled", "loss/anchor_scaled")
	w.node("Add", n.total, "loss/abn", "loss/maps")
	return nil
}

// referenceCells is the grid on which γ's default was found, 14×14.
const referenceCells = 14 * 14

// NormScale is what recipe.MapWeightGrid multiplies the l2 norm by: the norm of differences of one size grows with the root of the
// number of cells, and is scaled to that of a map of 14×14.
func NormScale(cells int64) float64 { return math.Sqrt(referenceCells / float64(cells)) }

// AnchorForm is the form of d that L_anchor has beside a form of L_map. The energy of a map beside itself is not 0 and can be
// lowered, so it would not hold a map where it is: the anchor then has the paper's norm.
func AnchorForm(form recipe.MapLoss) recipe.MapLoss {
	if form == recipe.MapLossEnergy {
		return recipe.MapLossL2
	}
	return form
}

// UnknownForm is the error of a form that there is not.
func UnknownForm(form recipe.MapLoss) error {
	return fmt.Errorf("map loss %q: want %q, %q, %q or %q", form, recipe.MapLossL2, recipe.MapLossMSE, recipe.MapLossL1, recipe.MapLossEnergy)
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

// distances are d of each row, "loss/NAME_rows" [N].
func (w lossWriter) distances(name string, form recipe.MapLoss, n lossNames, sizes Sizes, weight recipe.MapWeight) error {
	at := func(value string) string { return "loss/" + name + "_" + value }
	sum := func(output, values string) {
		w.node("ReduceSum", output, values, "loss/last", onnx.IntAttr("keepdims", 0))
	}
	if form == recipe.MapLossEnergy {
		w.float(at("share_floor"), ShareFloor)
		logarithm := func(part, values string) {
			sum(at(part+"_sum"), values)
			w.node("Add", at(part+"_floored"), at(part+"_sum"), at("share_floor"))
			w.node("Log", at(part+"_log"), at(part+"_floored"))
		}
		w.node("Mul", at("known"), "loss/map", n.known)
		w.node("Mul", at("inside"), at("known"), n.edited)
		logarithm("everywhere", at("known"))
		logarithm("inside", at("inside"))
		w.node("Sub", at("rows"), at("everywhere_log"), at("inside_log"))
		return nil
	}
	w.node("Sub", at("difference_everywhere"), "loss/map", n.edited)
	w.node("Mul", at("difference"), at("difference_everywhere"), n.known)
	switch form {
	case recipe.MapLossL1:
		w.node("Abs", at("power"), at("difference"))
	case recipe.MapLossL2, recipe.MapLossMSE:
		w.node("Mul", at("power"), at("difference"), at("difference"))
	default:
		return UnknownForm(form)
	}
	sum(at("sum"), at("power"))
	if form == recipe.MapLossL2 {
		w.float("loss/floor", RootFloor)
		w.node("Add", at("floored"), at("sum"), "loss/floor")
		if !weight.ByGrid() {
			w.node("Sqrt", at("rows"), at("floored"))
			return nil
		}
		w.float("loss/norm_scale", NormScale(sizes.Cells()))
		w.node("Sqrt", at("norms"), at("floored"))
		w.node("Mul", at("rows"), at("norms"), "loss/norm_scale")
	} else {
		w.float("loss/per_cell", 1/float64(sizes.Cells()))
		w.node("Mul", at("rows"), at("sum"), "loss/per_cell")
	}
	return nil
}

// meanOver averages a value of the rows that a mask of zeros and ones marks, by weights that are 0 for the others; 0 if there are none.
// It is divided by the number of rows, not by the sum of their weights. rows is for the nodes' names.
func (w lossWriter) meanOver(rows, values, weights, mask, mean string) {
	at := func(value string) string { return "loss/" + rows + "_" + value }
	w.node("Mul", at("marked"), values, weights)
	w.node("ReduceSum", at("all"), at("marked"), onnx.IntAttr("keepdims", 1))
	w.node("ReduceSum", at("count"), mask, onnx.IntAttr("keepdims", 1))
	w.node("Max", at("count_or_one"), at("count"), "loss/one")
	w.node("Div", mean, at("all"), at("count_or_one"))
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
