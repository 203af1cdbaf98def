package activation_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/activation"
	"github.com/abn-studio/studio/onnx/gradient"
)

// What would help is the derivative of the class's log probability by the map: differences of ONNX Runtime's own answers agree,
// under both mechanisms.
func TestHelpIsADerivative(t *testing.T) {
	t.Parallel()
	references(t, func(t *testing.T, abn *onnx.ABN) {
		testHelp(t, "(1+M)·g", abn)
		// M·g: the Add of g after the product is left out.
		g := abn.Perception.Graph
		for i, n := range g.Nodes {
			if product := g.Index().Producer[n.Input(0)]; n.IsOp("Add") && slices.Contains(n.Reads(), onnx.PortFeatures) && product.IsOp("Mul") {
				g.Nodes[i] = onnx.NewNode("Identity", n.Name, []string{product.Output(0)}, n.Outputs)
				testHelp(t, "M·g", abn)
				return
			}
		}
		t.Fatal("no (1+M)·g to make M·g of")
	})
}

func testHelp(t *testing.T, mechanism string, abn *onnx.ABN) {
	t.Helper()
	g, err := activation.Help(t.Context(), abn)
	if err != nil {
		t.Fatal(err)
	}
	s := sides(abn)[1]
	classes := []int64{int64(abn.Classes - 1), 1}
	got := run(t, g.Model, s.in, g.Inputs[len(g.Inputs)-1], classes, g.Output)[0]
	if want := []int64{2, 1, int64(abn.Height), int64(abn.Width)}; !slices.Equal(got.dims, want) {
		t.Fatalf("shape %v, want %v", got.dims, want)
	}
	grid := s.in[onnx.PortMap]
	log := func(cell int, by float32) [2]float64 {
		moved := array{slices.Clone(grid.data), grid.dims}
		for n := range classes {
			moved.data[n*abn.Height*abn.Width+cell] += by
		}
		logits := run(t, s.model, map[string]array{onnx.PortFeatures: s.in[onnx.PortFeatures], onnx.PortMap: moved}, "", nil, s.logits)[0].data
		var out [2]float64
		for n, k := range classes {
			var sum float64
			for _, y := range logits[n*abn.Classes : (n+1)*abn.Classes] {
				sum += math.Exp(float64(y))
			}
			out[n] = float64(logits[n*abn.Classes+int(k)]) - math.Log(sum)
		}
		return out
	}
	// A kink of a Relu within a step makes the two one-sided differences differ: the derivative is one of them, or between.
	const step = 1.0 / 64 // a shorter one meets what float32 rounds
	here := log(0, 0)
	low, high, largest := make([]float64, len(got.data)), make([]float64, len(got.data)), 0.
	for cell := range abn.Height * abn.Width {
		up, down := log(cell, step), log(cell, -step)
		for n := range classes {
			i := n*abn.Height*abn.Width + cell
			after, before := (up[n]-here[n])/step, (here[n]-down[n])/step
			low[i], high[i] = min(after, before), max(after, before)
			largest = max(largest, math.Abs(after+before)/2)
		}
	}
	if largest == 0 {
		t.Fatalf("∂ log p / ∂ M under %s: all that is wanted is 0, so that nothing is compared", mechanism)
	}
	for i, v := range got.data {
		if v := float64(v); v < low[i]-0.03*largest || v > high[i]+0.03*largest {
			t.Fatalf("∂ log p / ∂ M under %s: value %d is %v, want %v to %v (of values up to %.3g)", mechanism, i, v, low[i], high[i], largest)
		}
	}
}

// A network without that derivative is refused by the reason: an operator that has none, or a branch that does not read the map.
func TestHelpSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	abn := split(t, filepath.Join("testdata", "abn-vgg-tiny.onnx"))
	relu := slices.IndexFunc(abn.Perception.Graph.Nodes, func(n *onnx.Node) bool { return n.Name == "/Relu_1" })
	abn.Perception.Graph.Nodes[relu].Op = "Softsign"
	var unsupported *gradient.UnsupportedError
	if _, err := activation.Help(t.Context(), abn); !errors.As(err, &unsupported) || unsupported.Reasons[0].Node != "/Relu_1" || !strings.Contains(err.Error(), "what would help") {
		t.Errorf("through a Softsign: %v", err)
	}
	abn = split(t, filepath.Join("testdata", "abn-vgg-tiny.onnx"))
	for _, n := range abn.Perception.Graph.Nodes {
		for i, in := range n.Inputs {
			if in == onnx.PortMap {
				n.Inputs[i] = onnx.PortFeatures
			}
		}
	}
	if _, err := activation.Help(t.Context(), abn); !errors.Is(err, activation.ErrValue) || !strings.Contains(err.Error(), "what would help") || !strings.Contains(err.Error(), "do not depend on it") {
		t.Errorf("a branch that does not read the map: %v", err)
	}
}
