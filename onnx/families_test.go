package onnx_test

import (
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
			p, err := onnx.FindParts(m, onnx.PartNames{})
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
			abn, err := onnx.Split(m, p)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.ExtractorInitializers) == 0 || len(p.AttentionInitializers) == 0 || len(p.PerceptionInitializers) == 0 {
				t.Errorf("a part has no initializers: %d, %d, %d", len(p.ExtractorInitializers), len(p.AttentionInitializers), len(p.PerceptionInitializers))
			}
			report, err := onnx.Inspect(m, onnx.PartNames{})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.ABN.Untold) > 0 {
				t.Errorf("shapes that are not known: %v", report.ABN.Untold)
			}
			for _, n := range abn.Whole.Graph.Nodes {
				if n.IsOp("BatchNormalization") && (n.AttrInt("training_mode", 0) != 0 || len(n.Outputs) > 1) {
					t.Errorf("%v is in training mode", n)
				}
			}
		})
	}
}
