package jobs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
)

// TestMain is also the process that looks at an uploaded model.
func TestMain(m *testing.M) {
	Inspect()
	inspectForTest()
	os.Exit(pgtest.Main(m))
}

// tinyABN is a small network for the fourteen birds, and its manifest.
func tinyABN(t *testing.T) (*onnx.Model, manifest.Manifest) {
	t.Helper()
	a, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	model, err := a.Build(14, 1)
	if err != nil {
		t.Fatal(err)
	}
	manifest := manifest.Manifest{
		Crop: [2]int{112, 112}, Interpolation: "bilinear", Channels: "RGB",
		Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.25, 0.25, 0.25},
	}
	for _, bird := range aviary.Birds() {
		manifest.Classes = append(manifest.Classes, bird.Name)
	}
	return model, manifest
}

// A model that cannot be run, split or trained is refused by name when it is added, and nothing is stored.
func TestAddModelRefuses(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	store, folder := pgtest.Store(t), t.TempDir()
	blobs, err := blob.Open(t.Context(), folder, blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	project, err := store.InsertProject(t.Context(), annotator.Project{Slug: "birds", Name: "Birds"})
	if err != nil {
		t.Fatal(err)
	}
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Blobs: blobs, Models: NewModels(blobs, t.TempDir(), 0)})
	add := func(file []byte, own manifest.Manifest) (annotator.Version, error) {
		beside, err := json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		return service.AddModel(t.Context(), annotator.System, "birds", annotator.ModelToAdd{Name: "m.onnx", File: file, Manifest: beside})
	}
	file := func(m *onnx.Model) []byte {
		data, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	good, own := tinyABN(t)

	classifier := good.Clone() // the map multiplies nothing: no ABN any more
	for _, n := range classifier.Graph.Nodes {
		if n.Op == "Mul" {
			n.Op = "Add"
		}
	}
	odd := good.Clone() // an operator of the attention branch that has no gradient here
	changed := ""
	parts, err := onnx.FindParts(t.Context(), odd, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	abn, err := onnx.Split(t.Context(), odd, parts)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range abn.Attention.Graph.Nodes {
		if n.Op == "Relu" {
			changed = n.Name
			break
		}
	}
	for _, n := range odd.Graph.Nodes {
		if n.Name == changed && changed != "" {
			n.Op = "Softsign"
		}
	}
	several := good.Clone() // sigmoids behind the perception logits
	for _, v := range several.Graph.Outputs {
		if v.Name == parts.Names.LogitsPer {
			v.Name = "several"
		}
	}
	several.Graph.Nodes = append(several.Graph.Nodes, &onnx.Node{Op: "Sigmoid", Name: "each", Inputs: []string{parts.Names.LogitsPer}, Outputs: []string{"several"}})
	pixels := own
	pixels.Mean = []float32{123.675, 116.28, 103.53}
	labels := own
	labels.Head = manifest.HeadSigmoid
	fewer := own
	fewer.Classes = own.Classes[:3]

	for name, c := range map[string]struct {
		file     []byte
		manifest manifest.Manifest
		says     []string
	}{
		"no ONNX":         {[]byte("a text file"), own, nil},
		"a reference npz": {readReference(t), own, nil},
		"no ABN":          {file(classifier), own, []string{"no ABN", "never multiplies"}},
		"untrainable op":  {file(odd), own, []string{"could not be trained", changed, "Softsign"}},
		"sigmoids":        {file(several), own, []string{"no usable logits", "each", manifest.SeveralLabels}},
		"several labels":  {file(good), labels, []string{"head", manifest.SeveralLabels}},
		"of 0 to 255":     {file(good), pixels, []string{"mean", "divide by 255"}},
		"other classes":   {file(good), fewer, []string{"classes"}},
	} {
		_, err := add(c.file, c.manifest)
		if err == nil {
			t.Errorf("%s: it was added", name)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q does not name %q", name, err, text)
			}
		}
	}
	if versions, err := store.Versions(t.Context(), project.ID); err != nil || len(versions) != 0 {
		t.Errorf("%d versions of refused models, %v", len(versions), err)
	}
	if kept, _ := filepath.Glob(filepath.Join(folder, "*", "*", "*")); len(kept) != 0 {
		t.Errorf("files of refused models: %v", kept)
	}

	version, err := add(file(good), own)
	if err != nil {
		t.Fatalf("a good one: %v", err)
	}
	if version.Number != 1 || version.State != annotator.VersionActive || version.GridHeight != 14 || version.GridWidth != 14 {
		t.Errorf("v%d %s on a grid of %d×%d, want the active v1 on 14×14", version.Number, version.State, version.GridHeight, version.GridWidth)
	}
	if ok, err := blobs.Exists(t.Context(), version.ModelHash); err != nil || !ok {
		t.Errorf("its file is not in the blob store: %v", err)
	}
}

func readReference(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".npz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// An upload is refused in the same words as on the command line; if only its manifest is at fault, the form shows them.
func TestUploadsOfSeveralLabels(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	good, own := tinyABN(t)
	own.Head = manifest.HeadSigmoid
	beside, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	found, err := inspectModel(t.Context(), good, "m.onnx", beside, manifest.PartNames{})
	if p := found.Report.ManifestProblem; err != nil || p == nil || p.Field != "head" || p.Message != manifest.SeveralLabels {
		t.Errorf("by its manifest: %v, %+v", err, p)
	}
	for file, says := range map[string]string{"answers-sigmoid": manifest.SeveralLabels, "answers-one-logit": manifest.OneLogit} {
		path := filepath.Join(fixture.Root(), "onnx", "testdata", "exports", file+".onnx")
		if _, err := inspectFile(t.Context(), path, nil, manifest.PartNames{}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "model attach") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
