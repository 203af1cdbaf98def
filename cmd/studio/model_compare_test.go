package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/npy"
	"github.com/abn-studio/studio/onnx"
)

// scores makes a reference file from what PyTorch computed for a reference network; change may alter its arrays.
func scores(t *testing.T, name string, change func([]npy.Array) []npy.Array) string {
	t.Helper()
	stored, err := npy.ReadArchive(filepath.Join(fixture.Reference(t), name+".npz"), 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]string{"image": "input", "logits_att": "out_logits_att", "logits_per": "out_logits_per", "attention": "out_attention"}
	var arrays []npy.Array
	for _, a := range stored {
		if a.Name = called[a.Name]; a.Name != "" {
			arrays = append(arrays, a)
		}
	}
	if change != nil {
		arrays = change(arrays)
	}
	var file bytes.Buffer
	if err := npy.WriteArchive(&file, arrays); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scores.npz")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func compare(t *testing.T, model, reference string) (comparison, string, error) {
	t.Helper()
	var out, words bytes.Buffer
	c := modelCompareCommand{Model: filepath.Join(fixture.Reference(t), model+".onnx"), Reference: reference, Tolerance: 1e-4, Threads: 1, JSON: true}
	err := c.Run(t.Context(), &stdio{Out: &out})
	c.JSON = false
	if again := c.Run(t.Context(), &stdio{Out: &words}); (again == nil) != (err == nil) {
		t.Fatalf("%v, %v", err, again)
	}
	if out.Len() == 0 {
		return comparison{}, "", err
	}
	return decodeJSON[comparison](t, out.String()), words.String(), err
}

func TestModelCompareAgreesWithPyTorch(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, file := range []string{name, name + "-fused"} {
			got, words, err := compare(t, file, scores(t, name, nil))
			if err != nil || !got.Agree || len(got.Outputs) != 3 || len(got.NoArray)+len(got.NoOutput) > 0 || got.Images < 2 {
				t.Errorf("%s: %v, %+v", file, err, got)
			}
			if strings.Count(words, "agrees") != 3 {
				t.Errorf("%s", words)
			}
		}
	}
}

// The export of a file in training mode moved the running statistics: scores that were saved before it differ.
func TestModelCompareNamesTrainingMode(t *testing.T) {
	t.Parallel()
	name := fixture.ReferenceModels(t)[0]
	network, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Reference(t), name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	network.Opsets[0].Version = 17 // in which a BatchNormalization has the mode
	for _, n := range network.Graph.Nodes {
		if n.IsOp("BatchNormalization") {
			n.SetAttr(onnx.IntAttr("training_mode", 1))
		}
	}
	model := filepath.Join(t.TempDir(), "abn.onnx")
	if err := network.WriteFile(model); err != nil {
		t.Fatal(err)
	}
	if code, said, _ := runStudio(t, "model", "compare", "--model", model, "--reference", scores(t, name, nil)); code != exitOK {
		t.Errorf("it is run in evaluation mode: exit code %d: %s", code, said)
	}
	_, _, said := runStudio(t, "model", "compare", "--model", model, "--reference", scores(t, name, nil), "--tolerance", "0")
	if !strings.Contains(said, "exported in training mode") {
		t.Errorf("it said %s", said)
	}
}

// What is known against a network is told also where the answers agree: what was wrong when it was exported may be wrong in both.
func TestModelCompareWarns(t *testing.T) {
	t.Parallel()
	name := fixture.ReferenceModels(t)[0]
	network, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Reference(t), name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	network.ProducerName, network.ProducerVersion = "pytorch", "2.9.1"
	model := filepath.Join(t.TempDir(), "abn.onnx")
	if err := network.WriteFile(model); err != nil {
		t.Fatal(err)
	}
	reference := scores(t, name, nil)
	code, said, _ := runStudio(t, "model", "compare", "--model", model, "--reference", reference)
	if code != exitOK || !strings.Contains(said, "warning  PyTorch 2.9 exported it") {
		t.Errorf("exit code %d: %s", code, said)
	}
	_, document, _ := runStudio(t, "model", "compare", "--model", model, "--reference", reference, "--json")
	if got := decodeJSON[comparison](t, document); !got.Agree || len(got.Warnings) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestModelCompareNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	set := func(a npy.Array, at int, v float32) {
		binary.LittleEndian.PutUint32(a.Data[4*at:], math.Float32bits(v))
	}
	name := fixture.ReferenceModels(t)[0]
	find := func(arrays []npy.Array, name string) npy.Array {
		return arrays[slices.IndexFunc(arrays, func(a npy.Array) bool { return a.Name == name })]
	}
	got, words, err := compare(t, name, scores(t, name, func(arrays []npy.Array) []npy.Array {
		set(find(arrays, "out_logits_per"), 4, 77)
		return slices.DeleteFunc(append(arrays, npy.Array{Name: "out_other", Kind: 'f', Size: 4, Shape: []int{1}, Data: make([]byte, 4)}),
			func(a npy.Array) bool { return a.Name == "out_attention" })
	}))
	if !errors.Is(err, errDiffers) || got.Agree || !slices.Equal(got.NoOutput, []string{"out_other"}) || !slices.Equal(got.NoArray, []string{"attention"}) {
		t.Errorf("%v, %+v", err, got)
	}
	if !strings.Contains(words, "DIFFERS  logits_per") || !strings.Contains(words, "want 77") || !strings.Contains(words, "no output other") || !strings.Contains(words, "no array out_attention") {
		t.Errorf("%s", words)
	}
	got, _, err = compare(t, name, scores(t, name, func(arrays []npy.Array) []npy.Array {
		set(find(arrays, "out_attention"), 0, float32(math.NaN()))
		return arrays
	}))
	if i := slices.IndexFunc(got.Outputs, func(o comparedOutput) bool { return o.Name == "attention" }); !errors.Is(err, errDiffers) || got.Outputs[i].Finite || got.Outputs[i].Want != "NaN" {
		t.Errorf("NaN: %v, %+v", err, got)
	}
	for what, test := range map[string]struct {
		change func([]npy.Array) []npy.Array
		want   string
	}{
		"no arrays": {func(a []npy.Array) []npy.Array { return nil }, `want the array "input"`},
		"shape": {func(arrays []npy.Array) []npy.Array {
			for i, a := range arrays {
				if a.Name == "out_attention" {
					arrays[i].Shape = []int{len(a.Data) / 4}
				}
			}
			return arrays
		}, "out_attention has shape"},
		"pixels": {func(arrays []npy.Array) []npy.Array {
			for i, a := range arrays {
				if a.Name == "input" {
					arrays[i].Shape = []int{a.Shape[0] * a.Shape[1], 1, a.Shape[2], a.Shape[3]}
				}
			}
			return arrays
		}, "as the network takes it"},
	} {
		if _, _, err := compare(t, name, scores(t, name, test.change)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
