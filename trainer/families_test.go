package trainer

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

func listFamilies(t testing.TB) []families.Family {
	t.Helper()
	list, err := families.List(filepath.Join(fixture.Root(), "onnx", "testdata", "families"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestFamiliesCanBeTrained compiles the training step of every export at its published size, by both strategies, BatchNorm frozen
// and on the batch's statistics, and as a whole from pixels.
func TestFamiliesCanBeTrained(t *testing.T) {
	t.Parallel()
	for _, f := range listFamilies(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			abn := splitModel(t, m)
			for _, s := range []recipe.Settings{
				{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch}, {Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen},
				{Strategy: recipe.StrategyScratch, BatchNorm: recipe.BatchNormBatch},
				{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen}, {Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch},
			}[:map[string]int{"full": 5, "small": 3}[f.Size]] { // the narrow ones are run below
				if reasons, err := Lacks(t.Context(), abn, completed(s)); err != nil || len(reasons) > 0 {
					t.Errorf("%s, BatchNorm %s: %v %v", s.Strategy, s.BatchNorm, reasons, err)
				}
			}
		})
	}
}

// TestFamiliesLearn runs the step of every narrow export on ONNX Runtime and compares what it reports with what the loss does:
// along two directions through all parameters by central differences, and over one small step. STUDIO_ALL_FAMILIES=1 takes all of
// them rather than every third.
func TestFamiliesLearn(t *testing.T) {
	t.Parallel()
	ways := []recipe.Settings{
		{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen}, {Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch},
		{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormBatch}, {Strategy: recipe.StrategyScratch, BatchNorm: recipe.BatchNormBatch},
		{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen},
	}
	for i, f := range listFamilies(t) {
		// Every third one, in turn, so that each network meets a third of the forms and each form a third of the networks.
		if f.Size != "small" || (i+i/6)%3 != 1 && os.Getenv("STUDIO_ALL_FAMILIES") == "" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Model()
			if err != nil {
				t.Fatal(err)
			}
			if f.Opset == 18 && f.Exporter == "trace" {
				m.Opsets[0].Version = 19 // which no exporter here writes; what these graphs hold is the same in both
			}
			s := ways[(i+i/len(ways))%len(ways)] // every form and every network meets several
			s.Gamma, s.MapLoss = 0.5, recipe.MapLossL2
			abn := splitModel(t, m)
			e, err := NewORTEngine(t.Context(), abn, s, ORTOptions{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			checkStep(t, e.(*ortEngine), strategyBatch(abn, s.Strategy, 6))
		})
	}
}

// familyBatch is a batch of features as an extractor that ends in a ReLU has them; half of its rows carry an edit.
func familyBatch(abn *onnx.ABN, n int) engine.Batch {
	return strategyBatch(abn, recipe.StrategyBoth, n)
}

// strategyBatch is familyBatch, or the same of pixels where the strategy starts from them.
func strategyBatch(abn *onnx.ABN, strategy recipe.Strategy, n int) engine.Batch {
	r := rand.New(rand.NewPCG(3, 5))
	b := engine.Batch{Size: n, Labels: make([]int64, n), HasEdit: make([]float32, n)}
	size, least := abn.Channels*abn.Height*abn.Width, 0.0
	if strategy == recipe.StrategyScratch {
		size, least = abn.ImageChannels*abn.ImageHeight*abn.ImageWidth, -3
	}
	for range n * size {
		b.Inputs = append(b.Inputs, float32(math.Max(least, r.NormFloat64())))
	}
	for range n * abn.Height * abn.Width {
		b.Edited = append(b.Edited, float32(r.Float64()))
	}
	for i := range n {
		b.Labels[i], b.HasEdit[i] = int64(r.IntN(abn.Classes)), float32(i%2)
	}
	return b
}

// checkStep compares an engine's gradients with its losses. The first direction moves every tensor uphill by the same share of its
// length, so that the loss changes by Σ|g|·|p| and no tensor hides behind another; the second flips half of them.
func checkStep(t *testing.T, e *ortEngine, b engine.Batch) {
	t.Helper()
	start := cloneParameters(e.Parameters())
	first, err := e.Step(context.Background(), b, engine.Update{})
	if err != nil {
		t.Fatal(err)
	}
	if v := first.Total(); math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 {
		t.Fatalf("loss %g", v)
	}
	gradients := map[string][]float32{}
	for i, p := range e.weights {
		gradients[p.Name] = slices.Clone(e.gradients[i])
	}
	// A step against the gradient so small that the loss falls by a thousandth, if the gradient is right.
	squares := 0.0
	for _, g := range gradients {
		squares += norm(g) * norm(g)
	}
	u := engine.Update{LearningRate: 1e-3 * first.Total() / squares}
	var losses [2]float64
	for i := range losses {
		result, err := e.Step(context.Background(), b, u)
		if err != nil {
			t.Fatal(err)
		}
		losses[i] = result.Total()
	}
	if fall := (losses[0] - losses[1]) / first.Total(); losses[0] != first.Total() || math.Abs(fall-1e-3) > 2e-4 {
		t.Errorf("losses %v after %g: it falls by %.3g of itself in one step, want 1e-3", losses, first.Total(), fall)
	}
	// moved is the loss with every tensor moved by step·sign·|p|/|g| along its gradient, and the slope the gradients promise.
	r := rand.New(rand.NewPCG(1, 9))
	for _, mixed := range []bool{false, true} {
		scale, slope, whole := map[string]float64{}, 0.0, 0.0
		for _, p := range start {
			g := gradients[p.Name]
			length, size := norm(g), norm(p.Value)
			if length == 0 {
				continue
			}
			scale[p.Name] = size / length
			if mixed && r.IntN(2) == 0 {
				scale[p.Name] = -scale[p.Name]
			}
			slope += scale[p.Name] * length * length
			whole += size * length
		}
		moved := func(step float64) float64 {
			list := cloneParameters(start)
			for _, p := range list {
				for i, g := range gradients[p.Name] { // running statistics have none
					p.Value[i] += float32(step * scale[p.Name] * float64(g))
				}
			}
			if err := e.Load(list); err != nil {
				t.Fatal(err)
			}
			result, err := e.Step(context.Background(), b, engine.Update{})
			if err != nil {
				t.Fatal(err)
			}
			return result.Total()
		}
		step := 3e-4 * first.Total() / whole // small enough for a network of many layers, large beside float32's rounding
		measured := (moved(step) - moved(-step)) / (2 * step)
		if off := math.Abs(measured - slope); !(off <= 0.02*whole) {
			t.Errorf("the loss changes by %.4g along a direction in which the gradients say %.4g (of %.4g in all)", measured, slope, whole)
		}
	}
}

func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// TestFreshNetworksAreUntied trains networks of which the exporter has written equal tensors once: the attention branch, still a
// copy of the last stage, and every BatchNorm get tensors of their own, and the exported file answers as the engine does.
func TestFreshNetworksAreUntied(t *testing.T) {
	t.Parallel()
	found := 0
	for _, f := range listFamilies(t) {
		if f.Weights != "fresh" || f.Size != "small" {
			continue
		}
		found++
		parent, err := f.Model()
		if err != nil {
			t.Fatal(err)
		}
		abn := splitModel(t, parent)
		attention := readBy(abn.Attention.Graph)
		for name := range readBy(abn.Perception.Graph) {
			if attention[name] {
				t.Errorf("%s: both branches read %s", f.Name, name)
			}
		}
		e, err := NewORTEngine(t.Context(), abn, recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}, ORTOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		b := familyBatch(abn, 6)
		for range 3 {
			if _, err := e.Step(context.Background(), b, engine.Update{LearningRate: 1e-3}); err != nil {
				t.Fatal(err)
			}
		}
		child, err := Export(parent, e.Parameters(), nil)
		if err != nil {
			t.Fatal(err)
		}
		reloaded := splitModel(t, child)
		again, err := NewORTEngine(t.Context(), reloaded, recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2}, ORTOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		want, err := e.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.LogitsPer, want.LogitsPer) || !slices.Equal(got.LogitsAtt, want.LogitsAtt) || !slices.Equal(got.Maps, want.Maps) {
			t.Errorf("%s: the exported file answers differently", f.Name)
		}
		if len(again.Parameters()) != len(e.Parameters()) || reloaded.ExtractorHash() != abn.ExtractorHash() {
			t.Errorf("%s: %d parameters, then %d; or another extractor", f.Name, len(e.Parameters()), len(again.Parameters()))
		}
	}
	if found == 0 {
		t.Error("no fresh export")
	}
}

// readBy are a graph's initializers of more than one element that its convolutions and BatchNorms read.
func readBy(g *onnx.Graph) map[string]bool {
	read := map[string]bool{}
	for _, n := range g.Nodes {
		if n.IsOp("Conv", "BatchNormalization", "Gemm") {
			for _, in := range n.Inputs[1:] {
				read[in] = g.Initializer(in) != nil
			}
		}
	}
	return read
}
