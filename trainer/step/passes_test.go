package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// TestPasses follows a step through its passes. With -v it prints the graph behind each: what one of them did is the difference
// between two of these.
func TestPasses(t *testing.T) {
	t.Parallel()
	var passes []string
	section := map[string]string{}
	buildStep(t, "tiny", Target{}, func(pass string, m *onnx.Model) {
		passes, section[pass] = append(passes, pass), listing(m)
		if testing.Verbose() {
			t.Logf("behind %q:\n%s", pass, section[pass])
		}
	})
	if want := []string{"raise", "simplify", "choose", "losses", "differentiate", "outputs"}; !slices.Equal(passes, want) {
		t.Fatalf("passes are %v, want %v", passes, want)
	}
	for value, from := range map[string]string{"batch/bn_att2": "choose", "loss/total = Add(": "losses", "gradient/": "differentiate"} {
		for i, pass := range passes {
			if got, want := strings.Contains(section[pass], value), i >= slices.Index(passes, from); got != want {
				t.Errorf("%s behind %q: %v", value, pass, got)
			}
		}
	}
}

// TestWinogradInAStep asks for Winograd's algorithm wherever it pays: going forward, going back, and for weights.
func TestWinogradInAStep(t *testing.T) {
	t.Parallel()
	var last *onnx.Model
	buildStep(t, "resnet18", Target{Block: 16, Threads: 2}, func(_ string, m *onnx.Model) { last = m })
	count := map[string]int{}
	for _, n := range last.Graph.Nodes {
		kernel := n.AttrInts("kernel_shape", 1, 1)
		switch {
		case n.Op == "Conv" && n.AttrStr("auto_pad", "NOTSET") == "NOTSET" && kernel[0] == 3 && n.AttrInts("strides", 1, 1)[0] == 1:
			count["without"]++
		case n.Op == "ConvWeightGradient" && n.AttrInt("winograd", 0) == 1:
			count["weights' gradients"]++
		case n.Op == "WinogradConv" || n.Op == "WinogradWeight":
			count[n.Op]++
		}
	}
	// Of each branch's four 3×3 convolutions the perception branch's first has stride 2; the attention branch's first needs no dX, since
	// nothing before it is trained. The convolution of the 5 classes, forward and back, has no whole blocks.
	if want := map[string]int{"without": 2, "weights' gradients": 7, "WinogradConv": 13, "WinogradWeight": 13}; !maps.Equal(count, want) {
		t.Errorf("%v, want %v", count, want)
	}
}

// buildStep builds the step of a new network of five classes, and shows the graph behind each pass.
func buildStep(t *testing.T, network string, target Target, behind func(pass string, m *onnx.Model)) {
	t.Helper()
	a, err := architecture.Named(network)
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Build(5, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 1}
	if _, err := build(t.Context(), SourceOf(enginetest.Split(t, m), s.Strategy), s, target, behind); err != nil {
		t.Fatal(err)
	}
}

// listing writes a graph's nodes, one a line.
func listing(m *onnx.Model) string {
	var text strings.Builder
	for _, n := range m.Graph.Nodes {
		op := n.Op
		if n.Domain != "" {
			op = n.Domain + "." + op
		}
		fmt.Fprintf(&text, "%s = %s(%s)\n", strings.Join(n.Outputs, ", "), op, strings.Join(n.Inputs, ", "))
	}
	return text.String()
}
