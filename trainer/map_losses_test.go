package trainer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
	"github.com/abn-studio/studio/trainer/sample"
	"github.com/abn-studio/studio/trainer/step"
)

// mapLosses is testdata/maploss/cases.json: what PyTorch says of a batch. make.py there writes it.
type mapLosses struct {
	Batch struct {
		Features, Edited, Known, Avoided, Anchored, Weights []float32
		HasEdit                                             []float32 `json:"has_edit"`
		Labels                                              []int64
	}
	Cases []struct {
		Settings  json.RawMessage
		Losses    [4]float64 // L_att, L_per, L_map, L_anchor
		Gradients map[string][]float32
	}
}

func readMapLosses(t *testing.T) (list mapLosses, b engine.Batch) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "maploss", "cases.json"))
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list, engine.Batch{
		Size: len(list.Batch.Labels), Inputs: list.Batch.Features, Labels: list.Batch.Labels, Edited: list.Batch.Edited,
		Known: list.Batch.Known, Avoided: list.Batch.Avoided, HasEdit: list.Batch.HasEdit, Anchored: list.Batch.Anchored, Weights: list.Batch.Weights,
	}
}

// Every form and weight of L_map has PyTorch's losses and gradients, on each engine.
func TestMapLossesArePyTorchs(t *testing.T) {
	t.Parallel()
	list, b := readMapLosses(t)
	model := enginetest.ReadModel(t, filepath.Join("testdata", "maploss", "tiny.onnx"))
	seen := map[string]bool{}
	for _, c := range list.Cases {
		s := recipe.Settings{Strategy: recipe.StrategyBoth, BatchNorm: recipe.BatchNormFrozen, BatchSize: b.Size}
		if err := json.Unmarshal(c.Settings, &s); err != nil {
			t.Fatal(err)
		}
		seen[string(s.MapLoss)], seen[string(s.MapWeight)] = true, true
		eachEngine(t, string(c.Settings), func(t *testing.T, which recipe.Engine) {
			s := s
			s.Engine = which
			e := openNamed(t, model, s)
			before := enginetest.Clone(e.Parameters())
			r, err := e.Step(t.Context(), b, engine.Update{Step: 1, LearningRate: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range []float64{r.LossAtt, r.LossPer, r.LossMap, r.LossAnchor} {
				if math.Abs(got-c.Losses[i]) > 1e-5*math.Abs(c.Losses[i]) {
					t.Errorf("loss %d is %g, PyTorch has %g", i, got, c.Losses[i])
				}
			}
			after := e.Parameters()
			if len(after) != len(c.Gradients) {
				t.Errorf("%d parameters, PyTorch has %d", len(after), len(c.Gradients))
			}
			for i, p := range before { // a step of plain descent at rate 1 moves a weight by its gradient
				for j := range p.Value {
					p.Value[j] -= after[i].Value[j]
				}
				enginetest.Near(t, "the gradient of "+p.Name, p.Value, c.Gradients[p.Name], 2e-6)
			}
		})
	}
	for _, name := range []string{"map_loss", "map_weight"} {
		f, _ := recipe.FieldNamed(name)
		for _, word := range f.Words() {
			if !seen[word] {
				t.Errorf("no case has the %s %s", name, word)
			}
		}
	}
}

// The gradient of every form and weight of L_map is that of finite differences, on each engine.
func TestMapLossGradients(t *testing.T) {
	t.Parallel()
	_, b := readMapLosses(t)
	model := enginetest.ReadModel(t, filepath.Join("testdata", "maploss", "tiny.onnx"))
	forms, _ := recipe.FieldNamed("map_loss")
	weights, _ := recipe.FieldNamed("map_weight")
	for _, form := range forms.Words() {
		for _, weight := range weights.Words() {
			s := recipe.Settings{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen, BatchSize: b.Size, MapLoss: recipe.MapLoss(form), MapWeight: recipe.MapWeight(weight), Gamma: 3, GammaAvoid: 1, Anchor: 0.5}
			eachEngine(t, form+" "+weight, func(t *testing.T, which recipe.Engine) {
				s := s
				s.Engine = which
				checkGradients(t, openNamed(t, model, s), b, 2e-3, func(i, length int) []int { return []int{i % length, length / 2} })
			})
		}
	}
}

// An image's weight by class is what PyTorch's fixture makes of the labels, and what a run hands its engine, every time the image is
// shown; without weights by class there are none.
func TestWeightsByClass(t *testing.T) {
	t.Parallel()
	_, b := readMapLosses(t)
	samples := make([]sample.Sample, b.Size)
	for i := range samples {
		samples[i] = sample.Sample{Label: int(b.Labels[i])}
		if b.HasEdit[i] != 0 {
			samples[i].Edited = attention.Map{Height: 1, Width: 1, Values: []float32{float32(i)}}
		}
	}
	enginetest.Near(t, "the weights", classWeights(samples), b.Weights, 1e-6)
	mean, edits := 0.0, 0.0
	for i, w := range classWeights(samples) {
		mean, edits = mean+float64(w), edits+float64(b.HasEdit[i])
	}
	if math.Abs(mean/edits-1) > 1e-6 {
		t.Errorf("they have the mean %g", mean/edits)
	}
	for _, weight := range []recipe.MapWeight{recipe.MapWeightNone, recipe.MapWeightGrid, recipe.MapWeightClass, recipe.MapWeightClassAndGrid} {
		s := recipe.Settings{MapWeight: weight, BatchSize: 4, EditRepeat: 3, Epochs: 1}
		l := &loop{settings: s, samples: samples, inputs: blankRows{}, cells: 1}
		l.begin()
		err := l.feed(t.Context(), l.order.epoch(0), 0, func(got engine.Batch) error {
			if (got.Weights != nil) != weight.ByClass() {
				t.Errorf("%s: the weights are %v", weight, got.Weights)
			}
			for i, w := range got.Weights {
				want := float32(0)
				if got.HasEdit[i] != 0 {
					want = b.Weights[int(got.Edited[i])]
				}
				if math.Abs(float64(w-want)) > 1e-6 {
					t.Errorf("%s: a row's weight is %g, want %g", weight, w, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Maps that are off by the same in every cell have one L_map from 7×7 to 56×56 with weights by grid, and that of the paper's norm
// at 14×14.
func TestNormIsThatOf14x14(t *testing.T) {
	t.Parallel()
	const off = 0.3
	for _, side := range []int64{7, 14, 28, 56} {
		cells := side * side
		norm := off * math.Sqrt(float64(cells))
		if got := norm * step.NormScale(cells); math.Abs(got-14*off) > 1e-12 {
			t.Errorf("%d×%d: %g, want %g", side, side, got, 14*off)
		}
	}
	if step.NormScale(196) != 1 {
		t.Error("a map of 14×14 is scaled")
	}
}

// checkGradients holds the gradients of some elements of each weight, which places gives, to differences of the loss.
func checkGradients(t *testing.T, e engine.Engine, b engine.Batch, bound float64, places func(parameter, length int) []int) {
	t.Helper()
	before := enginetest.Clone(e.Parameters())
	still := engine.Update{Step: 1} // a rate of 0 changes nothing
	// One step of plain gradient descent at rate 1 moves a weight by its gradient.
	if _, err := e.Step(t.Context(), b, engine.Update{Step: 1, LearningRate: 1}); err != nil {
		t.Fatal(err)
	}
	after := enginetest.Clone(e.Parameters())
	const apart = 1e-3
	for i, p := range before {
		if p.Momentum == nil {
			continue // a statistic
		}
		for _, at := range places(i, len(p.Value)) {
			moved := func(by float32) float64 {
				list := enginetest.Clone(before)
				list[i].Value[at] += by
				if err := e.Load(list); err != nil {
					t.Fatal(err)
				}
				r, err := e.Step(t.Context(), b, still)
				if err != nil {
					t.Fatal(err)
				}
				return r.Total()
			}
			want := (moved(apart) - moved(-apart)) / (2 * apart)
			if gradient := float64(before[i].Value[at] - after[i].Value[at]); math.Abs(gradient-want) > bound+0.02*math.Abs(want) {
				t.Errorf("the gradient of %s[%d] is %g, finite differences say %g", p.Name, at, gradient, want)
			}
		}
	}
}

// The energy of cases worked by hand: a region with a sharp edge, a soft one, one beside cells of which nothing is known, none known
// at all, and a map of zeros, which pulls all attention to 0.
func TestEnergyByHand(t *testing.T) {
	t.Parallel()
	_, all := readMapLosses(t)
	model := enginetest.ReadModel(t, filepath.Join("testdata", "maploss", "tiny.onnx"))
	abn := enginetest.Split(t, model)
	cells, size := abn.Height*abn.Width, len(all.Inputs)/all.Size
	s := recipe.Settings{Strategy: recipe.StrategyAttention, BatchNorm: recipe.BatchNormFrozen, BatchSize: 1, MapLoss: recipe.MapLossEnergy, Gamma: 2}
	eachEngine(t, "energy", func(t *testing.T, which recipe.Engine) {
		s := s
		s.Engine = which
		e := openNamed(t, model, s)
		out, err := e.Forward(t.Context(), 1, all.Inputs[:size])
		if err != nil {
			t.Fatal(err)
		}
		sum := func(first, end int) (sum float64) {
			for _, v := range out.Maps[first:end] {
				sum += float64(v)
			}
			return sum
		}
		half := cells / 2
		for name, c := range map[string]struct {
			upper, lower float32 // of the edited map
			known        int     // the first cells
			want         float64
		}{
			"a region":                        {1, 0, cells, -math.Log(sum(0, half) / sum(0, cells))},
			"half as strong":                  {0.5, 0, cells, -math.Log(sum(0, half) / 2 / sum(0, cells))},
			"soft":                            {0.8, 0.2, cells, -math.Log((0.8*sum(0, half) + 0.2*sum(half, cells)) / sum(0, cells))},
			"everywhere":                      {1, 1, cells, 0},
			"known above and a row below":     {1, 0, half + abn.Width, -math.Log(sum(0, half) / sum(0, half+abn.Width))},
			"nothing is known":                {1, 0, 0, 0},
			"zeros":                           {0, 0, cells, math.Log(sum(0, cells)/1e-6 + 1)},
			"zeros, above; nothing is below":  {0, 0, half, math.Log(sum(0, half)/1e-6 + 1)},
			"a region of which nothing known": {0, 1, half, math.Log(sum(0, half)/1e-6 + 1)},
		} {
			b := engine.Batch{Size: 1, Inputs: all.Inputs[:size], Labels: all.Labels[:1], HasEdit: []float32{1}, Edited: make([]float32, cells), Known: make([]float32, cells), Avoided: make([]float32, cells)}
			for i := range cells {
				b.Edited[i] = c.upper
				if i >= half {
					b.Edited[i] = c.lower
				}
				if i < c.known {
					b.Known[i] = 1
				}
			}
			r, err := e.Step(t.Context(), b, engine.Update{Step: 1})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(r.MapDistance-c.want) > 2e-6*math.Max(1, c.want) || math.Abs(r.LossMap-2*c.want) > 4e-6*math.Max(1, c.want) {
				t.Errorf("%s: energy %g, L_map %g; want %g and twice it", name, r.MapDistance, r.LossMap, c.want)
			}
		}
		b := engine.Batch{Size: 1, Inputs: all.Inputs[:size], Labels: all.Labels[:1], HasEdit: []float32{1}, Edited: make([]float32, cells)}
		for step := range 200 {
			if _, err := e.Step(t.Context(), b, engine.Update{Step: step + 1, LearningRate: 0.05, Momentum: 0.9}); err != nil {
				t.Fatal(err)
			}
		}
		was := sum(0, cells)
		if out, err = e.Forward(t.Context(), 1, all.Inputs[:size]); err != nil {
			t.Fatal(err)
		}
		if is := sum(0, cells); is > 0.05*was {
			t.Errorf("an edited map of zeros left %g of %g attention", is, was)
		}
	})
}
