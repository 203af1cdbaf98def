package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/sample"
	"github.com/abn-studio/studio/trainer/step"
)

// attachedSpec trains a plain residual classifier of 32×32 pixels, given an attention branch, to tell pictures that are red
// at the left from those that are green at the right.
func attachedSpec(t *testing.T) ScratchSpec {
	t.Helper()
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		t.Fatal(err)
	}
	a := architecture.Architecture{Name: "classifier", ImageSize: 32, Width: 4, Blocks: [4]int{1, 1, 1, 1}, StemKernel: 3, Gain: onnx.GainOnePlusM}
	abn, err := a.Build(5, 1)
	if err != nil {
		t.Fatal(err)
	}
	attached, err := onnx.Attach(t.Context(), classifier(abn), onnx.AttachSettings{Classes: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if attached.Cut.Height != 4 || attached.Cut.Channels != 16 {
		t.Fatalf("split at %v", attached.Cut)
	}
	file, err := attached.Model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	spec := ScratchSpec{
		Model: file, WorkDir: filepath.Join(t.TempDir(), "train"), Threads: 1,
		Manifest: manifest.Manifest{Crop: [2]int{32, 32}},
		Settings: completed(recipe.Settings{Epochs: 8, BatchSize: 8, LearningRate: 0.05, Seed: 3}),
		Pixels: func(_ context.Context, s sample.Sample, dst []float32) error {
			rng := rand.New(rand.NewPCG(uint64(s.ID), 1))
			for i := range dst {
				dst[i] = float32(rng.NormFloat64()) * 0.2
			}
			for y := 4; y < 28; y++ {
				for x := range 14 {
					dst[(s.Label*32+y)*32+s.Label*16+x]++
				}
			}
			return nil
		},
	}
	for i := range 48 {
		s := sample.Sample{ID: int64(i), Name: fmt.Sprint(i), Hash: fmt.Sprintf("%064x", i), Label: i % 2}
		if i < 32 {
			spec.Train = append(spec.Train, s)
		} else {
			spec.Heldout = append(spec.Heldout, s)
		}
	}
	return spec
}

// classifier is an Attention Branch Network without its attention branch and mechanism, as classifiers are published.
func classifier(abn *onnx.Model) *onnx.Model {
	g := abn.Graph
	index := g.Index()
	attended, features := "/residual", index.Producer["/attended"].Inputs[0]
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if in == attended {
				n.Inputs[i] = features
			}
		}
	}
	read := map[string]bool{"logits_per": true} // by what leads to the answer
	for _, n := range slices.Backward(g.Nodes) {
		if read[n.Outputs[0]] {
			for _, in := range n.Inputs {
				read[in] = true
			}
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool { return !read[n.Outputs[0]] })
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *onnx.Tensor) bool { return !read[t.Name] })
	g.Outputs = slices.DeleteFunc(g.Outputs, func(v *onnx.ValueInfo) bool { return !read[v.Name] })
	return abn
}

// changed says which parts' initializers differ from those of another version.
func changed(t *testing.T, before, after []byte) (extractor, attention, perception bool) {
	t.Helper()
	was, is := readBytes(t, before), readBytes(t, after)
	parts, err := onnx.FindParts(t.Context(), is, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	differs := func(names []string) bool {
		for _, name := range names {
			if !bytes.Equal(was.Graph.Initializer(name).Raw, is.Graph.Initializer(name).Raw) {
				return true
			}
		}
		return false
	}
	return differs(parts.ExtractorInitializers), differs(parts.AttentionInitializers), differs(parts.PerceptionInitializers)
}

func readBytes(t *testing.T, data []byte) *onnx.Model {
	t.Helper()
	m, err := onnx.Read(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAttachedNetworkTrainsFrozen(t *testing.T) {
	t.Parallel()
	spec := attachedSpec(t)
	spec.Frozen = true
	whole, err := TrainScratch(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if extractor, attention, perception := changed(t, spec.Model, whole.Model); extractor || !attention || !perception {
		t.Errorf("changed: extractor %v, attention branch %v, perception branch %v; want the branches alone", extractor, attention, perception)
	}
	first, last := whole.Curve[0], whole.Curve[len(whole.Curve)-1]
	if !(last.LossAtt < 0.7*first.LossAtt) || !(last.LossPer < 0.5*first.LossPer) {
		t.Errorf("from %+v to %+v", first, last)
	}
	if whole.Evaluation.Top1 < 0.9 || whole.Settings.Strategy != recipe.StrategyBoth || whole.Steps != 32 {
		t.Errorf("%+v after %d steps, %+v", whole.Evaluation, whole.Steps, whole.Settings)
	}
	shutdown := errors.New("the worker shuts down")
	ctx, cancel := context.WithCancelCause(t.Context())
	again := attachedSpec(t)
	again.Frozen = true
	_, err = TrainScratch(ctx, again, Observer{Point: func(p Point) {
		if p.Step == 18 {
			cancel(shutdown)
		}
	}})
	if !errors.Is(err, shutdown) {
		t.Fatalf("not cut off: %v", err)
	}
	resumed, err := TrainScratch(t.Context(), again, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(resumed.Model, whole.Model) {
		t.Error("the resumed training made another file")
	}
}

// Mirror images and crops go through the extractor, too, and the extractor's values stay.
func TestFrozenTrainingTakesAugmentedPictures(t *testing.T) {
	t.Parallel()
	for _, crop := range []float64{0, 0.6} {
		spec := attachedSpec(t)
		spec.Frozen, spec.Settings.Flip, spec.Settings.Crop, spec.Settings.Epochs = true, true, crop, 1
		out, err := TrainScratch(t.Context(), spec, Observer{})
		if err != nil {
			t.Fatal(err)
		}
		if extractor, _, perception := changed(t, spec.Model, out.Model); extractor || !perception {
			t.Errorf("crop %v: changed: extractor %v, perception branch %v", crop, extractor, perception)
		}
	}
	spec := attachedSpec(t)
	spec.Frozen, spec.Shift = true, 2
	if _, err := TrainScratch(t.Context(), spec, Observer{}); err == nil || !strings.Contains(err.Error(), "shift") {
		t.Errorf("moved pictures: %v", err)
	}
}

func TestAttachedNetworkTrainsWhole(t *testing.T) {
	t.Parallel()
	spec := attachedSpec(t)
	opened, err := network.Read(t.Context(), spec.Model, spec.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	spec.Settings = Suggest(opened.ABN(), spec.Settings, []string{"learning_rate"})
	out, err := TrainScratch(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if extractor, attention, perception := changed(t, spec.Model, out.Model); !extractor || !attention || !perception {
		t.Errorf("changed: extractor %v, attention branch %v, perception branch %v; want all", extractor, attention, perception)
	}
	if out.Settings.LearningRate != recipe.Defaults().LearningRate || out.Settings.Strategy != recipe.StrategyScratch || out.Evaluation.Top1 < 0.9 {
		t.Errorf("%+v, top-1 %.2f", out.Settings, out.Evaluation.Top1)
	}
}

// Every classifier of torchvision that can be attached to can be trained, its extractor frozen or not.
func TestAttachedClassifiersCanBeTrained(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join("..", "onnx", "testdata", "classifiers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			attached, err := onnx.Attach(t.Context(), m, onnx.AttachSettings{Classes: 10, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			parts, err := onnx.FindParts(t.Context(), attached.Model, onnx.PartNames{})
			if err != nil {
				t.Fatal(err)
			}
			abn, err := onnx.Split(t.Context(), attached.Model, parts)
			if err != nil {
				t.Fatal(err)
			}
			for _, strategy := range []recipe.Strategy{recipe.StrategyBoth, recipe.StrategyScratch} {
				for _, norm := range []recipe.BatchNorm{recipe.BatchNormBatch, recipe.BatchNormFrozen} {
					if reasons, err := step.Untrainable(t.Context(), abn, strategy, norm); err != nil || len(reasons) > 0 {
						t.Errorf("%s, BatchNorm %s: %v, %v", strategy, norm, reasons, err)
					}
				}
			}
		})
	}
}
