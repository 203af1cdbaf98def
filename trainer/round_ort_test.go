package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine/enginetest"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// referenceSpec is a round on a reference network and its images: the first half trains, three of them edited; the
// second half, with noise, is held out.
func referenceSpec(t *testing.T, name string) RoundSpec {
	t.Helper()
	dir := fixture.Reference(t)
	file, err := os.ReadFile(filepath.Join(dir, name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	a := enginetest.ReadArchive(t, enginetest.OpenArchive(t, filepath.Join(dir, name+".npz")))
	model := enginetest.ReadModel(t, filepath.Join(dir, name+".onnx"))
	parts, err := onnx.FindParts(t.Context(), model, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	size, cells := len(a.Image)/a.N, parts.Height*parts.Width
	pictures := map[string][]float32{}
	spec := RoundSpec{
		Model: file, WorkDir: filepath.Join(t.TempDir(), "round"),
		Settings: completed(recipe.Settings{Gamma: 0.5, Epochs: 2, BatchSize: 4, LearningRate: 0.01, Seed: 9, Flip: true}),
		Pixels: func(_ context.Context, s sample.Sample, dst []float32) error {
			copy(dst, pictures[s.Hash])
			return nil
		},
		Lineage: Lineage{Round: 3, Project: "birds"},
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range a.N {
		s := sample.Sample{ID: int64(i), Name: fmt.Sprint("image ", i), Hash: fmt.Sprintf("%064x", i), Label: int(a.Label[i])}
		picture := slices.Clone(a.Image[i*size : (i+1)*size])
		if i < 3 {
			s.Edited = attention.Map{Height: parts.Height, Width: parts.Width, Values: a.Edited[i*cells : (i+1)*cells]}
		}
		pictures[s.Hash] = picture
		spec.Train = append(spec.Train, s)
		noisy := slices.Clone(picture)
		for j := range noisy {
			noisy[j] += float32(rng.NormFloat64() * 0.1)
		}
		s.ID, s.Hash, s.Edited = s.ID+1000, s.Hash+"noisy", attention.Map{}
		pictures[s.Hash] = noisy
		spec.Heldout = append(spec.Heldout, s)
	}
	return spec
}

// A round on the runtime: extractor, store, engine, export. The candidate must be what the trainer
// evaluated, differ from its parent in the branches alone, and resume to the bit.
func TestRoundOnTheRuntime(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := referenceSpec(t, name)
			whole, err := RunRound(t.Context(), spec, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			checkLineage(t, spec, whole)
			checkExported(t, spec, whole)

			shutdown := errors.New("the worker shuts down")
			ctx, cancel := context.WithCancelCause(t.Context())
			again := referenceSpec(t, name)
			_, err = RunRound(ctx, again, Observer{Point: func(p Point) {
				if p.Arm == arms.Control && p.Step == 2 {
					cancel(shutdown)
				}
			}})
			if !errors.Is(err, shutdown) {
				t.Fatalf("not cut off: %v", err)
			}
			resumed, err := RunRound(t.Context(), again, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(resumed.Model, whole.Model) || !bytes.Equal(resumed.Control, whole.Control) {
				t.Error("the resumed round made other files")
			}
		})
	}
}

func checkLineage(t *testing.T, spec RoundSpec, out RoundOutcome) {
	t.Helper()
	model, err := onnx.Read(t.Context(), out.Model)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"abn.parent": hexHash(spec.Model), "abn.round": "3", "abn.project": "birds", "abn.edits": "3", "abn.seed": "9", "abn.gamma": "0.5", "abn.arm": "candidate",
	} {
		if got, _ := model.MetadataValue(key); got != want {
			t.Errorf("metadata %s is %q, want %q", key, got, want)
		}
	}
	parent, err := onnx.Read(t.Context(), spec.Model)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), parent, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i, before := range parent.Graph.Initializers {
		after := model.Graph.Initializers[i]
		if before.Name != after.Name {
			t.Fatalf("initializer %d is called %s, was %s", i, after.Name, before.Name)
		}
		if !bytes.Equal(before.Raw, after.Raw) {
			changed++
			if slices.Contains(parts.ExtractorInitializers, before.Name) {
				t.Errorf("%s of the extractor changed", before.Name)
			}
		}
	}
	if changed == 0 {
		t.Error("nothing was trained")
	}
}

// checkExported runs the candidate as a file of its own over the held-out images.
func checkExported(t *testing.T, spec RoundSpec, out RoundOutcome) {
	t.Helper()
	net, err := openNetwork(t.Context(), nil, out.Model, spec.Manifest, spec.Settings, nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer net.close()
	parent, err := openNetwork(t.Context(), nil, spec.Model, spec.Manifest, spec.Settings, nil, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.close()
	if net.extractorHash != parent.extractorHash {
		t.Error("the candidate's extractor has another hash: its features would be computed again")
	}
	checkAnswers(t, net, spec, out)
}

// checkAnswers holds the answers of the candidate's file over the held-out images to those that the trainer had.
func checkAnswers(t *testing.T, net *parent, spec RoundSpec, out RoundOutcome) {
	t.Helper()
	engine, err := net.newEngine(t.Context(), spec.Settings)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	f := &sampleFeatures{&features.Reader{Extractor: net.extractor, Input: net.input, Dims: net.features}, spec.Pixels}
	e, err := measure.Evaluate(t.Context(), engine, featureInputs{f, spec.Heldout}, spec.Heldout, net.classes, net.grid[0], net.grid[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range e.Results {
		want := out.CandidateEvaluation.Results[i]
		if off := r.Confidence - want.Confidence; off > 2e-3 || off < -2e-3 || r.Predicted != want.Predicted { // features of float16 on one side
			t.Errorf("image %d: the file answers %d with %.4f, the trainer had %d with %.4f", i, r.Predicted, r.Confidence, want.Predicted, want.Confidence)
		}
	}
}

func TestSuggestedLearningRateKnowsFoldedNetworks(t *testing.T) {
	t.Parallel()
	dir := fixture.Reference(t)
	for _, name := range fixture.ReferenceModels(t) {
		for suffix, want := range map[string]float64{"": recipe.Defaults().LearningRate, "-fused": recipe.Defaults().LearningRate / 10} {
			file, err := os.ReadFile(filepath.Join(dir, name+suffix+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			opened, err := network.Read(t.Context(), file, manifest.Manifest{})
			if err != nil {
				t.Fatal(err)
			}
			abn := opened.ABN()
			if got := SuggestedLearningRate(abn, recipe.OptimizerSGD, recipe.RatesOne); got != want {
				t.Errorf("%s%s: %v, want %v", name, suffix, got, want)
			}
			if got := SuggestedLearningRate(abn, recipe.OptimizerNesterov, recipe.RatesOne); got != want {
				t.Errorf("%s%s, nesterov: %v, want %v", name, suffix, got, want)
			}
			byLayer := want
			if suffix != "" && name != "abn-mobilenet-tiny" { // whose last BatchNorm is folded too: no layer is told from another
				byLayer = recipe.Defaults().LearningRate / 4
			}
			if got := SuggestedLearningRate(abn, recipe.OptimizerSGD, recipe.RatesByLayer); got != byLayer {
				t.Errorf("%s%s, by layer: %v, want %v", name, suffix, got, byLayer)
			}
			// A share of the weights, which are of the order of 0.1 in all of them.
			low, high := 0.002, 0.03
			if suffix != "" {
				low, high = 0.00003, 0.0005
			}
			if got := SuggestedLearningRate(abn, recipe.OptimizerAdamW, recipe.RatesByLayer); got < low || got > high {
				t.Errorf("%s%s, adamw: %v, want between %v and %v", name, suffix, got, low, high)
			}
		}
	}
}

func TestAdamWsRateIsMeasuredInWeights(t *testing.T) {
	t.Parallel()
	g := &onnx.Graph{Initializers: []*onnx.Tensor{
		onnx.NewFloat32("conv", []int64{1, 2}, []float32{0.3, -0.4}),
		onnx.NewFloat32("bias", []int64{2}, []float32{70, 80}), // of one axis: not a weight
	}}
	if got, want := weightSize(g), 0.25*math.Sqrt2; math.Abs(got-want) > 1e-7 {
		t.Errorf("the weights' size is %v, want %v", got, want)
	}
	for v, want := range map[float64]float64{0.0046: 0.005, 0.00101: 0.001, 0.0096: 0.01} {
		if got := oneDigit(v); got != want {
			t.Errorf("%v to one digit is %v, want %v", v, got, want)
		}
	}
}
