package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

func TestModelInspectDescribesTheReferenceModels(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		path := filepath.Join(fixture.Reference(t), name+".onnx")
		var out bytes.Buffer
		command := modelInspectCommand{File: path, JSON: true}
		if err := command.Run(t.Context(), &stdio{Out: &out}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got struct {
			Opset int64
			ABN   struct {
				Gain  string
				Parts []struct{ Parameters int64 }
			}
			Training []struct {
				Engine string
				OK     bool
			}
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Opset == 0 || got.ABN.Gain != "1+M" || len(got.ABN.Parts) != 3 || len(got.Training) != 8 {
			t.Errorf("%s: %+v", name, got)
		}
		for _, training := range got.Training {
			if !training.OK && training.Engine == "ort" {
				t.Errorf("%s: ort cannot train it", name)
			}
		}
		out.Reset()
		command.JSON = false
		if err := command.Run(t.Context(), &stdio{Out: &out}); err != nil || !strings.Contains(out.String(), "(1+M)·g") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
}

func TestModelInspectSaysWhyAFileIsNoABN(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plain.onnx")
	plain := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Nodes: []*onnx.Node{
			onnx.NewNode("GlobalAveragePool", "pool", []string{"x"}, []string{"p"}),
			onnx.NewNode("Flatten", "flatten", []string{"p"}, []string{"logits"}),
		},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.BatchOf(3, 8, 8))},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("logits", onnx.Float, onnx.BatchOf(3))},
	}}
	if err := plain.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := (&modelInspectCommand{File: path, JSON: true}).Run(t.Context(), &stdio{Out: &out})
	if !errors.Is(err, onnx.ErrNoABN) || !strings.Contains(err.Error(), "logits (N,3)") {
		t.Errorf("got %v, want ErrNoABN that lists the outputs", err)
	}
	if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"problem"`) {
		t.Errorf("printed %s", out.String())
	}
}

// TestModelInspectNamesWhatCannotBeTrained puts an operator without a gradient into a perception branch: training the
// attention branch sends a gradient through it too, and both ways name it; the file is described and no failure.
func TestModelInspectNamesWhatCannotBeTrained(t *testing.T) {
	t.Parallel()
	model, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Reference(t), fixture.ReferenceModels(t)[0]+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for _, n := range model.Graph.Nodes {
		if n.Op == "Relu" {
			name = n.Name
		}
	}
	for _, n := range model.Graph.Nodes {
		if n.Name == name {
			n.Op = "Softsign"
		}
	}
	path := filepath.Join(t.TempDir(), "softsign.onnx")
	if err := model.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&modelInspectCommand{File: path, JSON: true}).Run(t.Context(), &stdio{Out: &out}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Obstacles []struct {
			Node, Op, Why string
			Cases         []string
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, o := range got.Obstacles {
		found = found || o.Node == name && o.Op == "Softsign" && o.Why != "" && len(o.Cases) > 0 && o.Cases[0] == "ort"
	}
	if !found {
		t.Errorf("want Softsign %q as an obstacle for ort: %+v", name, got.Obstacles)
	}
	out.Reset()
	if err := (&modelInspectCommand{File: path}).Run(t.Context(), &stdio{Out: &out}); err != nil || !strings.Contains(out.String(), name+" (Softsign): ") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// strange is a small network, untrained, whose file gives reason to warn, with its manifest and some pictures: zeros for weights, an
// exporter that is known to write wrong ones, and names that a terminal would obey.
func strange(t *testing.T) (model, images string) {
	t.Helper()
	model, images = smallSubject(t)
	network, err := onnx.ReadFile(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), network, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	const named = "per\x1b[2J\xff"
	for _, n := range network.Graph.Nodes {
		for i := range n.Outputs {
			if n.Outputs[i] == parts.Names.LogitsPer {
				n.Outputs[i] = named
			}
		}
	}
	network.Graph.Output(parts.Names.LogitsPer).Name = named
	network.ProducerName, network.ProducerVersion = "pytorch", "2.9.1"
	for _, i := range network.Graph.Initializers {
		if len(i.Dims) == 4 {
			i.Raw = make([]byte, len(i.Raw))
		}
	}
	if err := network.WriteFile(model); err != nil {
		t.Fatal(err)
	}
	return model, images
}

// What is known against a network is told by every command that opens one, and no name in its file reaches the terminal as it is.
func TestWarningsOnANetworkAreToldEverywhere(t *testing.T) {
	t.Parallel()
	model, images := strange(t)
	dir := t.TempDir()
	maps := filepath.Join(dir, "maps")
	if err := os.Mkdir(maps, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"inspect":  {"model", "inspect", model},
		"predict":  {"predict", "--model", model, "--images", images, "--out", filepath.Join(dir, "p.jsonl")},
		"evaluate": {"evaluate", "--model", model, "--images", images},
		"train":    {"train", "--from", model, "--images", images, "--out", filepath.Join(dir, "t.onnx"), "--epochs", "1"},
		"finetune": {"finetune", "--model", model, "--images", images, "--maps", maps, "--out", filepath.Join(dir, "f.onnx")}, // it has no maps, and is told before
	} {
		_, out, err := runStudio(t, args...)
		said := out + err
		for _, want := range []string{"PyTorch 2.9", "hold nothing but zeros", "are the same for every test picture"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, said)
			}
		}
		if strings.Contains(said, "\x1b") || !utf8.ValidString(said) {
			t.Errorf("%s writes a name of the file as it is: %q", name, said)
		}
	}
}
