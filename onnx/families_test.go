package onnx_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

func listFamilies(t testing.TB) []families.Family {
	t.Helper()
	list, err := families.List(filepath.Join(fixture.Root(), "onnx", "testdata", "families"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestFamiliesComeApart finds the parts of every export, and splits it into graphs whose shapes are known throughout.
func TestFamiliesComeApart(t *testing.T) {
	t.Parallel()
	for _, f := range listFamilies(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			p, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
			if err != nil {
				t.Fatal(err)
			}
			got := [...]int{p.ImageChannels, p.ImageHeight, p.ImageWidth, p.Channels, p.Height, p.Width, p.Classes}
			want := [...]int{3, f.Image, f.Image, f.Channels, f.Height, f.Width, f.Classes}
			if got != want || p.Gain != f.WantGain() {
				t.Errorf("image, features, classes %v and gain %s; want %v and %s", got, p.Gain, want, f.WantGain())
			}
			if size, fixed := f.Batch.(float64); fixed != (p.BatchWasFixed > 0) || int64(size) != p.BatchWasFixed {
				t.Errorf("batch was fixed to %d, want %v", p.BatchWasFixed, f.Batch)
			}
			abn, err := onnx.Split(t.Context(), m, p)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.ExtractorInitializers) == 0 || len(p.AttentionInitializers) == 0 || len(p.PerceptionInitializers) == 0 {
				t.Errorf("a part has no initializers: %d, %d, %d", len(p.ExtractorInitializers), len(p.AttentionInitializers), len(p.PerceptionInitializers))
			}
			if report := abn.Describe(t.Context()); len(report.Untold) > 0 {
				t.Errorf("shapes that are not known: %v", report.Untold)
			}
			for _, n := range abn.Whole.Graph.Nodes {
				if n.IsOp("BatchNormalization") && (n.AttrInt("training_mode", 0) != 0 || len(n.Outputs) > 1) {
					t.Errorf("%v is in training mode", n)
				}
			}
		})
	}
}

// TestFamiliesAnswerTheSameInParts runs narrow exports as they are and taken apart: extractor, then both branches. Those in training
// mode answer otherwise as they are (by the batch's statistics): of these the parts are compared with the whole network in
// evaluation mode. A test run takes every third, STUDIO_ALL_FAMILIES=1 all.
func TestFamiliesAnswerTheSameInParts(t *testing.T) {
	t.Parallel()
	for i, f := range listFamilies(t) {
		if f.Size != "small" || (i+i/6)%3 != 0 && os.Getenv("STUDIO_ALL_FAMILIES") == "" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Model()
			if err != nil {
				t.Fatal(err)
			}
			p, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
			if err != nil {
				t.Fatal(err)
			}
			abn, err := onnx.Split(t.Context(), m, p)
			if err != nil {
				t.Fatal(err)
			}
			batch := int64(3)
			if p.BatchWasFixed > 0 {
				batch = p.BatchWasFixed
			}
			image := noise(batch, 3, int64(f.Image), int64(f.Image))
			features := run(t, abn.Extractor, map[string]array{onnx.PortImage: image}, onnx.PortFeatures)[0]
			got := run(t, abn.Branches, map[string]array{onnx.PortFeatures: features}, onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer)
			var want []array
			if f.Norm == "training" {
				want = run(t, abn.Whole, map[string]array{onnx.PortImage: image}, onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer)
			} else {
				want = run(t, m, map[string]array{"image": image}, "attention", "logits_att", "logits_per")
			}
			if f.Answers == "probabilities" {
				got[1].data, got[2].data = softmax(got[1].data, f.Classes), softmax(got[2].data, f.Classes)
			}
			for k, what := range []string{"map", "attention logits", "perception logits"} {
				near(t, what, got[k].data, want[k].data, 1e-4)
			}
		})
	}
}

// softmax turns rows of logits into probabilities.
func softmax(logits []float32, classes int) []float32 {
	out := make([]float32, len(logits))
	for row := 0; row < len(logits); row += classes {
		sum := 0.0
		for _, v := range logits[row : row+classes] {
			sum += math.Exp(float64(v))
		}
		for k, v := range logits[row : row+classes] {
			out[row+k] = float32(math.Exp(float64(v)) / sum)
		}
	}
	return out
}
