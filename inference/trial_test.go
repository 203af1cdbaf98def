package inference

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
)

// changed is a small network for three classes with nodes put behind a value, which others then read in its place: the last of the
// nodes makes "changed" of "value".
func changed(t *testing.T, value func(*onnx.Parts) string, nodes ...*onnx.Node) *onnx.Model {
	t.Helper()
	a, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Build(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	name := value(parts)
	output := false
	for _, v := range m.Graph.Outputs {
		output = output || v.Name == name
	}
	var out []*onnx.Node
	for _, n := range m.Graph.Nodes {
		made := false
		for i := range n.Outputs {
			if n.Outputs[i] == name {
				made = true
				if output {
					n.Outputs[i] = "value"
				}
			}
		}
		for i := range n.Inputs {
			if n.Inputs[i] == name && !output {
				n.Inputs[i] = "changed"
			}
		}
		if out = append(out, n); made {
			for _, more := range nodes {
				for i := range more.Inputs {
					if more.Inputs[i] == "value" && !output {
						more.Inputs[i] = name
					}
				}
				for i := range more.Outputs {
					if more.Outputs[i] == "changed" && output {
						more.Outputs[i] = name
					}
				}
				out = append(out, more)
			}
		}
	}
	m.Graph.Nodes = out
	m.Graph.Initializers = append(m.Graph.Initializers, onnx.NewFloat32("half", nil, []float32{0.5}), onnx.NewFloat32("none", nil, []float32{0}))
	return m
}

func node(op, inputs, output string, attributes ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{Op: op, Name: op + " to " + output, Inputs: strings.Fields(inputs), Outputs: []string{output}, Attributes: attributes}
}

// What a graph does not show is found out by running it.
func TestTrial(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	features := func(p *onnx.Parts) string { return p.Names.Features }
	scores := func(p *onnx.Parts) string { return p.Names.LogitsPer }
	attention := func(p *onnx.Parts) string { return p.Names.LogitsAtt }
	over := func(axis int64) *onnx.Attribute { return onnx.IntAttr("axis", axis) }
	ensemble := func() []*onnx.Node {
		return []*onnx.Node{node("Neg", "value", "other"), node("Softmax", "value", "p", over(1)), node("Softmax", "other", "q", over(1)), node("Add", "p q", "pq"), node("Mul", "pq half", "changed")}
	}
	exported := changed(t, scores, node("Identity", "value", "changed"))
	exported.ProducerName, exported.ProducerVersion = "pytorch", "2.9.0"
	for name, test := range map[string]struct {
		model   *onnx.Model
		refused []string
		warns   string
	}{
		"as it is":               {changed(t, scores, node("Identity", "value", "changed")), nil, ""},
		"an ensemble's mean":     {changed(t, scores, ensemble()...), []string{"perception branch's answers add up to 1", "the mean of the logits"}, ""},
		"of attention":           {changed(t, attention, ensemble()...), []string{"attention branch's answers add up to 1"}, ""},
		"a mean over the batch":  {changed(t, features, node("ReduceMean", "value", "mean", onnx.IntsAttr("axes", 0, 2, 3), onnx.IntAttr("keepdims", 1)), node("Sub", "value mean", "changed")), []string{"which pictures are run together", `ReduceMean "ReduceMean to mean"`, "model.eval()"}, ""},
		"a softmax over images":  {changed(t, scores, node("LogSoftmax", "value", "p", over(0)), node("Add", "value p", "changed")), []string{"perception branch's scores differ by", "where a picture is one of", `LogSoftmax "LogSoftmax to p"`}, ""},
		"scores of nothing":      {changed(t, scores, node("Mul", "value none", "changed")), nil, "the perception branch's scores are the same for every test picture"},
		"scores of a bias alone": {changed(t, scores, node("Mul", "value none", "nothing"), node("Add", "nothing half", "changed")), nil, "the perception branch's scores are the same for every test picture"},
		"scores that are no sum": {changed(t, scores, node("Div", "value none", "changed")), []string{"perception branch's answers hold", "weights must be numbers"}, ""},
		"weights of PyTorch 2.9": {exported, nil, "PyTorch 2.9 exported it"},
	} {
		opened, err := network.Open(t.Context(), test.model, manifest.Manifest{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found, err := TryOpened(t.Context(), opened, NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
		if (err != nil) != (test.refused != nil) || err != nil && !errors.Is(err, ErrTrial) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, says := range test.refused {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q does not say %q", name, err, says)
			}
		}
		if warned := strings.Join(found.Warnings, "\n"); !strings.Contains(warned, test.warns) || test.warns == "" && warned != "" {
			t.Errorf("%s: warns %q, want %q", name, warned, test.warns)
		}
		if err == nil && !(found.Map[0] > 0 && found.Map[0] < found.Map[1] && found.Map[1] < 1 && found.MapSums[0] > 14*14*float64(found.Map[0])) {
			t.Errorf("%s: the map from %v, sums %v", name, found.Map, found.MapSums)
		}
	}
}
