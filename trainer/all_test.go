package trainer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
)

// The gradients of the extractor's last blocks are those of finite differences, on each engine. They move at a tenth of the rate.
func TestLastBlocksLearn(t *testing.T) {
	t.Parallel()
	model := enginetest.Micro(t)
	for _, norm := range []recipe.BatchNorm{recipe.BatchNormFrozen, recipe.BatchNormBatch} {
		s := recipe.Settings{Strategy: recipe.StrategyAll, Blocks: 1, BatchNorm: norm, MapLoss: recipe.MapLossL2, Gamma: 0.7, Rates: recipe.RatesOne}
		b := enginetest.Noise(t, model, s, 1, 6)[0]
		tail := enginetest.Parts(t, model, s).Tail
		eachEngine(t, string(norm), func(t *testing.T, which recipe.Engine) {
			s := s
			s.Engine = which
			e := openNamed(t, model, s)
			found := 0
			for _, p := range e.Parameters() {
				if slices.Contains(tail, p.Name) && p.Momentum != nil {
					found++
					if p.Rate != 0.1 {
						t.Errorf("%s learns at %g of the rate", p.Name, p.Rate)
					}
				}
			}
			if found == 0 {
				t.Fatalf("none of %v is trained", tail)
			}
			checkGradients(t, withOneRate{e}, b, 4e-3, func(i, length int) []int { return []int{i % length, length / 2} })
		})
	}
}

// On batch statistics the extractor's last block has PyTorch's losses, gradients and statistics, on each engine.
func TestLastBlocksArePyTorchs(t *testing.T) {
	t.Parallel()
	var want struct {
		Batch struct {
			Features, Edited []float32
			Labels           []int64
			HasEdit          []float32 `json:"has_edit"`
		}
		Losses                [3]float64
		Gradients, Statistics map[string][]float32
	}
	data, err := os.ReadFile(filepath.Join("testdata", "lastblocks", "case.json"))
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := engine.Batch{Size: len(want.Batch.Labels), Inputs: want.Batch.Features, Labels: want.Batch.Labels, Edited: want.Batch.Edited, HasEdit: want.Batch.HasEdit}
	model := enginetest.ReadModel(t, filepath.Join("testdata", "lastblocks", "tiny.onnx"))
	eachEngine(t, "step", func(t *testing.T, which recipe.Engine) {
		e := withOneRate{openNamed(t, model, recipe.Settings{Engine: which, Strategy: recipe.StrategyAll, Blocks: 1, BatchNorm: recipe.BatchNormBatch, MapLoss: recipe.MapLossL2, Gamma: 0.7, BatchSize: b.Size})}
		before := enginetest.Clone(e.Parameters())
		r, err := e.Step(t.Context(), b, engine.Update{Step: 1, LearningRate: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range []float64{r.LossAtt, r.LossPer, r.LossMap} {
			if math.Abs(got-want.Losses[i]) > 1e-5*want.Losses[i] {
				t.Errorf("loss %d is %g, PyTorch has %g", i, got, want.Losses[i])
			}
		}
		after := e.Parameters()
		if len(after) != len(want.Gradients)+len(want.Statistics) {
			t.Errorf("%d parameters, PyTorch has %d and %d statistics", len(after), len(want.Gradients), len(want.Statistics))
		}
		for i, p := range before {
			if statistics, kept := want.Statistics[p.Name]; kept {
				enginetest.Near(t, p.Name, after[i].Value, statistics, 2e-6)
				continue
			}
			for j := range p.Value {
				p.Value[j] -= after[i].Value[j]
			}
			enginetest.Near(t, "the gradient of "+p.Name, p.Value, want.Gradients[p.Name], 1e-5)
		}
	})
}

// withOneRate undoes the parameters' own rates after a step, such that one at rate 1 moves a weight by its gradient.
type withOneRate struct{ engine.Engine }

func (e withOneRate) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	before := enginetest.Clone(e.Parameters())
	r, err := e.Engine.Step(ctx, b, u)
	if err != nil || u.LearningRate == 0 {
		return r, err
	}
	after := enginetest.Clone(e.Parameters())
	for i, p := range after {
		if p.Rate != 0 {
			for k := range p.Value {
				p.Value[k] = before[i].Value[k] + (p.Value[k]-before[i].Value[k])/float32(p.Rate)
			}
		}
	}
	return r, e.Load(after)
}

// A round with the strategy all changes the extractor's last blocks and nothing before them, hands out a file of the same graph that
// answers as was measured, and says that features have to be computed anew.
func TestRoundOfTheExtractorsEnd(t *testing.T) {
	t.Parallel()
	spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
	spec.Settings.Strategy, spec.Settings.Blocks = recipe.StrategyAll, 1
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := network.Read(t.Context(), spec.Model, spec.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	candidate, err := network.Read(t.Context(), out.Model, spec.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := parent.ABN().CutEarlier(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]bool{}
	for i, before := range parent.Model().Graph.Initializers {
		changed[before.Name] = !bytes.Equal(before.Raw, candidate.Model().Graph.Initializers[i].Raw)
	}
	for _, name := range cut.ExtractorInitializers {
		if changed[name] {
			t.Errorf("%s, before the last blocks, changed", name)
		}
	}
	if !slices.ContainsFunc(cut.Tail, func(name string) bool { return changed[name] }) {
		t.Errorf("none of the last blocks' %v changed", cut.Tail)
	}
	if out.ExtractorHash != candidate.ExtractorHash() || out.ExtractorHash == parent.ExtractorHash() {
		t.Error("the features of the new extractor would be taken for the parent's")
	}
	if candidate.Frozen() != nil || parent.Frozen() == nil {
		t.Error("the file does not say that its extractor was trained")
	}
	checkExported(t, spec, out) // cut again
	whole := spec
	whole.Settings.Strategy = recipe.StrategyBoth
	net, err := openNetwork(t.Context(), nil, out.Model, whole.Manifest, whole.Settings, nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer net.close()
	checkAnswers(t, net, whole, out)
}

// However far from the end the network is cut, and however fine its features are there, maps have their own grid.
func TestMapsOfTheExtractorsEnd(t *testing.T) {
	t.Parallel()
	spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
	parent, err := network.Read(t.Context(), spec.Model, spec.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	grid, finer := parent.ABN(), false
	spec.Settings.Strategy, spec.Settings.Epochs = recipe.StrategyAll, 1
	for blocks := recipe.Blocks(1); ; blocks++ {
		spec.Settings.Blocks = blocks
		if net, err := openNetwork(t.Context(), nil, spec.Model, spec.Manifest, spec.Settings, nil, "", 0); err == nil {
			finer = finer || net.features[1] > grid.Height
			net.close()
		}
		out, err := RunRound(t.Context(), spec, Observer{})
		var refused *recipe.Error
		if errors.As(err, &refused) && blocks > 1 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Shown) == 0 {
			t.Errorf("%d blocks: no image is shown", blocks)
		}
		for _, i := range out.Shown {
			if m := i.Candidate.Map; m.Height != grid.Height || m.Width != grid.Width || len(m.Values) != grid.Height*grid.Width {
				t.Fatalf("%d blocks: a map of %d×%d, %d values", blocks, m.Height, m.Width, len(m.Values))
			}
		}
	}
	if !finer {
		t.Error("no cut has finer features than the map's grid: this test shows nothing")
	}
}

// More blocks than a network has are refused before anything is computed, with how many there are.
func TestMoreBlocksThanThereAre(t *testing.T) {
	t.Parallel()
	spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
	spec.Settings.Strategy, spec.Settings.Blocks = recipe.StrategyAll, 999
	_, err := RunRound(t.Context(), spec, Observer{})
	var refused *recipe.Error
	if !errors.As(err, &refused) || refused.Field != "blocks" || !strings.Contains(err.Error(), "of the last ones, not 999") {
		t.Errorf("%v, want an error that names blocks", err)
	}
}
