package gradient_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// TestUnsupportedNamesEveryNode finds all that stands in the way, in order, and leaves what is not on
// the path alone.
func TestUnsupportedNamesEveryNode(t *testing.T) {
	t.Parallel()
	e := example{feeds: []feed{x(2, 3), w(3)}, nodes: []*onnx.Node{
		onnx.NewNode("Softsign", "first", in("x"), in("a")),
		onnx.NewNode("Relu", "", in("a"), in("b")),
		onnx.NewNode("Mystery", "elsewhere", in("w"), in("aside")),
		onnx.NewNode("Hardmax", "second", in("b"), in("y")),
	}}
	reasons, err := gradient.Unsupported(t.Context(), e.model(), []string{"y"}, []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range reasons {
		names = append(names, r.Node+" "+r.Op)
		if r.Why == "" {
			t.Errorf("%s without a reason", r.Node)
		}
	}
	if want := []string{"first Softsign", "second Hardmax"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	m := e.model()
	m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("ReduceSum", "", in("y"), in("loss"), onnx.IntAttr("keepdims", 0)))
	if _, err := gradient.Append(t.Context(), m, "loss", []string{"x"}); !errors.Is(err, gradient.ErrUnsupported) {
		t.Errorf("Append: %v", err)
	}
}

// What control flow reads by itself counts: left out, its share of the gradient would be missing without a word.
func TestControlFlowIsNotPassedOver(t *testing.T) {
	t.Parallel()
	branch := func(name, op string) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttributeGraph, Graph: &onnx.Graph{Name: name, Nodes: []*onnx.Node{onnx.NewNode(op, "", in("a"), in(name))},
			Outputs: []*onnx.ValueInfo{onnx.NewValue(name, onnx.Float, onnx.BatchOf(3))}}}
	}
	e := example{feeds: []feed{x(2, 3)}, fixed: []*onnx.Tensor{{Name: "c", Type: onnx.Bool, Raw: []byte{1}}}, nodes: []*onnx.Node{
		onnx.NewNode("Sigmoid", "", in("x"), in("a")), onnx.NewNode("If", "choice", in("c"), in("b"), branch("then_branch", "Exp"), branch("else_branch", "Neg")), node("Mul", in("a", "b")),
	}}
	reasons, err := gradient.Unsupported(t.Context(), e.model(), []string{"y"}, []string{"x"})
	if err != nil || len(reasons) == 0 || reasons[0].Node != "choice" || !strings.Contains(reasons[0].Why, "control flow is not differentiated") {
		t.Errorf("%v, %v", reasons, err)
	}
}

// What is computed in another precision is named, rather than left for the runtime to stumble over.
func TestGradientsAreOfFloat32(t *testing.T) {
	t.Parallel()
	e := example{feeds: []feed{x(2, 3)}, nodes: []*onnx.Node{
		onnx.NewNode("Cast", "", in("x"), in("a"), onnx.IntAttr("to", int64(onnx.Double))), onnx.NewNode("Relu", "wide", in("a"), in("b")), node("Cast", in("b"), onnx.IntAttr("to", 1)),
	}}
	reasons, err := gradient.Unsupported(t.Context(), e.model(), []string{"y"}, []string{"x"})
	if err != nil || len(reasons) != 1 || reasons[0].Node != "wide" || !strings.Contains(reasons[0].Why, "it computes in float64") {
		t.Errorf("%v, %v", reasons, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	sum := onnx.NewNode("ReduceSum", "", in("y"), in("loss"), onnx.IntAttr("keepdims", 0))
	model := func() *onnx.Model {
		m := example{feeds: []feed{x(2, 3), w(3)}, nodes: []*onnx.Node{node("Relu", in("x"))}}.model()
		m.Graph.Nodes = append(m.Graph.Nodes, sum)
		return m
	}
	if _, err := gradient.Append(t.Context(), model(), "loss", in("w")); !errors.Is(err, gradient.ErrNoPath) {
		t.Errorf("a value off the path: %v", err)
	}
	for _, c := range [][2]string{{"y", "x"}, {"nothing", "x"}, {"loss", "nothing"}} {
		if _, err := gradient.Append(t.Context(), model(), c[0], in(c[1])); err == nil {
			t.Errorf("%s by %s: no error", c[0], c[1])
		}
	}
	old := model()
	old.Opsets[0].Version = 6
	if _, err := gradient.Append(t.Context(), old, "loss", in("x")); err == nil {
		t.Error("operator set 6: no error")
	}
}

// TestDerivativesAreValuesOfTheirOwn asks for two whose derivatives are the same, and for the loss itself.
func TestDerivativesAreValuesOfTheirOwn(t *testing.T) {
	t.Parallel()
	e := example{feeds: []feed{x(2, 3), {name: "z", dims: []int64{2, 3}, batch: true}}, nodes: []*onnx.Node{node("Add", in("x", "z"))}}
	m := e.model()
	m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("ReduceSum", "", in("y"), in("loss"), onnx.IntAttr("keepdims", 1)))
	wrt := in("x", "z", "loss")
	d, err := gradient.Append(t.Context(), m, "loss", wrt)
	if err != nil {
		t.Fatal(err)
	}
	if d["x"] == d["z"] {
		t.Errorf("x and z share %s", d["x"])
	}
	m.Graph.Outputs = nil
	var names []string
	for _, name := range wrt {
		names = append(names, d[name])
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue(d[name], onnx.Float, nil))
	}
	out := e.open(t, m, names)(map[string][]float32{"x": make([]float32, 6), "z": make([]float32, 6)})
	for i, name := range wrt {
		if got := out[i].Float32(); len(got) == 0 || slices.Max(got) != 1 || slices.Min(got) != 1 {
			t.Errorf("by %s: %v, want ones", name, got)
		}
	}
}

// TestKinksAreThoseOfPyTorch: nothing passes at a Relu's 0 and at a Clip's bounds; a MaxPool's gradient
// goes to the first of equals, and is summed where windows overlap.
func TestKinksAreThoseOfPyTorch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		node    *onnx.Node
		fixed   []*onnx.Tensor
		dims    []int64
		x, want []float32
	}{
		{"Relu", node("Relu", in("x")), nil, []int64{1, 4}, []float32{-1, 0, 1e-30, 2}, []float32{0, 0, 1, 1}},
		{"Clip", node("Clip", in("x", "low", "high")), []*onnx.Tensor{f32("low", 0), f32("high", 6)}, []int64{1, 6},
			[]float32{-1, 0, 1e-6, 5.9999995, 6, 7}, []float32{0, 0, 1, 1, 0, 0}},
		{"Clip at odd bounds", node("Clip", in("x", "low", "high")), []*onnx.Tensor{f32("low", -0.3), f32("high", 0.7)}, []int64{1, 6},
			[]float32{-0.4, -0.3, -0.29999998, 0.69999993, 0.7, 0.8}, []float32{0, 0, 1, 1, 0, 0}},
		{"MaxPool", node("MaxPool", in("x"), onnx.IntsAttr("kernel_shape", 2), onnx.IntsAttr("strides", 1)), nil, []int64{1, 1, 5},
			[]float32{3, 3, 5, 1, 1}, []float32{1, 0, 2, 1, 0}},
	} {
		e := example{name: c.name, feeds: []feed{x(c.dims...)}, nodes: []*onnx.Node{c.node}, fixed: c.fixed}
		m := e.model()
		m.Graph.Nodes = append(m.Graph.Nodes, onnx.NewNode("ReduceSum", "", in("y"), in("loss"), onnx.IntAttr("keepdims", 0)))
		d, err := gradient.Append(t.Context(), m, "loss", in("x"))
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Outputs = []*onnx.ValueInfo{onnx.NewValue(d["x"], onnx.Float, nil)}
		if got := e.open(t, m, in(d["x"]))(map[string][]float32{"x": c.x})[0].Float32(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
