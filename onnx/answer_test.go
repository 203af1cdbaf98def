package onnx_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// lastNodes are nodes behind the perception logits lp (N,5), which make out.
type lastNodes struct {
	name      string
	nodes     []*onnx.Node
	constants []*onnx.Tensor
}

func axisOf(n int64) *onnx.Attribute { return onnx.IntAttr("axis", n) }

func (e lastNodes) model() *onnx.Model {
	return smallABN{ends: e.nodes, outputs: outputs("la", "out", "m"), constants: e.constants}.model()
}

// Of an output that ends in a softmax, however it is written, the logits are read; their softmax is the output.
func TestProbabilitiesAreReadByTheirLogits(t *testing.T) {
	t.Parallel()
	all, axes := ints("all", 0, 5), ints("axes", 1)
	low := onnx.NewFloat32("low", nil, []float32{1e-6})
	for _, test := range []lastNodes{
		{"softmax", []*onnx.Node{node("Softmax", "lp", "out", axisOf(1))}, nil},
		{"over the last axis", []*onnx.Node{node("Softmax", "lp", "out")}, nil},
		{"softmax, reshaped", []*onnx.Node{node("Softmax", "lp", "pz", axisOf(-1)), node("Reshape", "pz all", "out")}, []*onnx.Tensor{all}},
		{"softmax, bounded", []*onnx.Node{node("Softmax", "lp", "pz"), node("Clip", "pz low", "out")}, []*onnx.Tensor{low}},
		{"softmax, bounded by Max", []*onnx.Node{node("Softmax", "lp", "pz"), node("Max", "pz low", "out")}, []*onnx.Tensor{low}},
		{"softmax, cast and named", []*onnx.Node{node("Softmax", "lp", "pz"), node("Cast", "pz", "q", onnx.IntAttr("to", 1)), node("Identity", "q", "out")}, nil},
		{"exp of log-softmax", []*onnx.Node{node("LogSoftmax", "lp", "l"), node("Exp", "l", "out")}, nil},
		{"exp over its sum", []*onnx.Node{node("Exp", "lp", "ez"), node("ReduceSum", "ez axes", "sz"), node("Div", "ez sz", "out")}, []*onnx.Tensor{axes}},
		{"shifted exp over its sum", []*onnx.Node{node("ReduceMax", "lp", "top", onnx.IntsAttr("axes", 1)), node("Sub", "lp top", "z"), node("Exp", "z", "ez"),
			node("ReduceSum", "ez axes", "sz"), node("Div", "ez sz", "out")}, []*onnx.Tensor{axes}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := test.model()
			abn := takeApart(t, m)
			image := noise(3, 3, 8, 6)
			want := run(t, m, map[string]array{"x": image}, "out")[0].data
			_, _, _, logits := pieces(t, abn, image, nil)
			near(t, "probabilities", softmaxRows(logits.data, 5), want, 2e-6)
		})
	}
	for _, test := range []lastNodes{ // whose softmax is the file's own all the same
		{"log-softmax", []*onnx.Node{node("LogSoftmax", "lp", "out")}, nil},
		{"log of softmax", []*onnx.Node{node("Softmax", "lp", "pz"), node("Log", "pz", "out")}, nil},
		{"log of bounded softmax", []*onnx.Node{node("Softmax", "lp", "pz"), node("Clip", "pz low", "q"), node("Log", "q", "out")}, []*onnx.Tensor{low}},
		{"less the log of the sum", []*onnx.Node{node("ReduceLogSumExp", "lp", "sz", onnx.IntsAttr("axes", 1)), node("Sub", "lp sz", "out")}, nil},
		{"bounded", []*onnx.Node{node("Relu", "lp", "r"), node("Clip", "r low", "out")}, []*onnx.Tensor{low}},
		{"gated", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Mul", "lp sz", "out")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := test.model()
			abn := takeApart(t, m)
			image := noise(3, 3, 8, 6)
			want := run(t, m, map[string]array{"x": image}, "out")[0].data
			_, _, _, logits := pieces(t, abn, image, nil)
			near(t, "softmax", softmaxRows(logits.data, 5), softmaxRows(want, 5), 2e-6)
		})
	}
}

func softmaxRows(logits []float32, k int) []float32 {
	out := slices.Clone(logits)
	for row := range slices.Chunk(out, k) {
		var sum float64
		for _, v := range row {
			sum += math.Exp(float64(v))
		}
		for i, v := range row {
			row[i] = float32(math.Exp(float64(v)) / sum)
		}
	}
	return out
}

func TestWhatIsNoLogitsIsRefused(t *testing.T) {
	t.Parallel()
	axes, shape := ints("axes", 1), ints("shape", 0, 5)
	one := onnx.NewFloat32("one", nil, []float32{1})
	yes := &onnx.Tensor{Name: "yes", Type: onnx.Bool, Dims: []int64{}, Raw: []byte{1}}
	branch := func(name, output string, nodes ...*onnx.Node) *onnx.Attribute {
		return &onnx.Attribute{Name: name, Type: onnx.AttributeGraph, Graph: &onnx.Graph{Name: name, Nodes: nodes, Outputs: []*onnx.ValueInfo{onnx.NewValue(output, onnx.Float, onnx.BatchOf(5))}}}
	}
	tests := map[string]lastNodes{
		"Sigmoid":                               {"sigmoids", []*onnx.Node{node("Sigmoid", "lp", "out")}, nil},
		"by itself":                             {"sigmoids, reshaped", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Reshape", "sz shape", "r"), node("Identity", "r", "out")}, []*onnx.Tensor{shape}},
		"several classes may hold":              {"sigmoids, bounded", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Clip", "sz", "out")}, nil},
		"HardSigmoid":                           {"hard sigmoids", []*onnx.Node{node("HardSigmoid", "lp", "out")}, nil},
		"Reciprocal":                            {"sigmoids spelled out", []*onnx.Node{node("Neg", "lp", "n"), node("Exp", "n", "ez"), node("Add", "ez one", "sz"), node("Reciprocal", "sz", "out")}, []*onnx.Tensor{one}},
		"Div":                                   {"sigmoids as a quotient", []*onnx.Node{node("Neg", "lp", "n"), node("Exp", "n", "ez"), node("Add", "one ez", "sz"), node("Div", "one sz", "out")}, []*onnx.Tensor{one}},
		"of each class":                         {"log of sigmoids", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Log", "sz", "out")}, nil},
		"shares":                                {"sigmoids over their sum", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("ReduceSum", "sz axes", "t"), node("Div", "sz t", "out")}, []*onnx.Tensor{axes}},
		"not over the classes":                  {"softmax over the batch", []*onnx.Node{node("Softmax", "lp", "out", axisOf(0))}, nil},
		"another softmax":                       {"softmax of softmax", []*onnx.Node{node("Softmax", "lp", "pz"), node("Softmax", "pz", "out")}, nil},
		"choice":                                {"hardmax", []*onnx.Node{node("Hardmax", "lp", "out")}, nil},
		"probabilities of each class by itself": {"sigmoids times one", []*onnx.Node{node("Sigmoid", "lp", "s1"), node("Mul", "one s1", "out")}, []*onnx.Tensor{one}},
		"each class by itself, so several": {"sigmoids and zero", []*onnx.Node{node("Sigmoid", "lp", "s2"), node("Add", "s2 none", "s6"), node("Transpose", "s6", "s7", onnx.IntsAttr("perm", 0, 1)), node("Gather", "s7 places", "out", axisOf(1))},
			[]*onnx.Tensor{onnx.NewFloat32("none", nil, []float32{0}), ints("places", 0, 1, 2, 3, 4)}},
		"is taken or not": {"a softmax times one", []*onnx.Node{node("Softmax", "lp", "s3"), node("Mul", "s3 one", "out")}, []*onnx.Tensor{one}},
		"of each class by itself, so several classes may hold": {"sigmoids in a branch", []*onnx.Node{{Op: "If", Name: "choose", Inputs: []string{"yes"}, Outputs: []string{"out"}, Attributes: []*onnx.Attribute{
			branch("then_branch", "s4", node("Sigmoid", "lp", "s4")), branch("else_branch", "s5", node("Identity", "lp", "s5"))}}}, []*onnx.Tensor{yes}},
		"export what goes into the sigmoid": {"the complement", []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Sub", "one sz", "out")}, []*onnx.Tensor{one}},
	}
	for says, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := test.model()
			m.Graph.Output("out").Shape = onnx.BatchOf(5) // as exporters write it: nothing is inferred through an If
			_, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
			if !errors.Is(err, onnx.ErrLogits) || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want ErrLogits that says %q", err, says)
			}
			// Logits that a person names are taken as such.
			if _, err := onnx.FindParts(t.Context(), test.model(), onnx.PartNames{LogitsPer: "lp"}); err != nil {
				t.Errorf("with the logits named: %v", err)
			}
		})
	}
	attention := smallABN{ends: []*onnx.Node{node("Sigmoid", "la", "sa")}, outputs: outputs("sa", "lp", "m")}
	if _, err := onnx.FindParts(t.Context(), attention.model(), onnx.PartNames{}); !errors.Is(err, onnx.ErrLogits) || !strings.Contains(err.Error(), "attention logits") {
		t.Errorf("sigmoids of the attention branch: %v", err)
	}
	single := smallABN{}.model()
	for i, t := range single.Graph.Initializers {
		switch t.Name {
		case "cls.weight":
			single.Graph.Initializers[i] = weight(t.Name, 1, 6, 1, 1)
		case "fc.weight":
			single.Graph.Initializers[i] = weight(t.Name, 7, 1)
		}
	}
	if _, err := onnx.FindParts(t.Context(), single, onnx.PartNames{}); !errors.Is(err, onnx.ErrLogits) || !strings.Contains(err.Error(), "one logit") || !strings.Contains(err.Error(), "two classes") {
		t.Errorf("one logit: %v", err)
	}
	// And as a list (N), which is how a binary loss takes it.
	single.Graph.Nodes = append(single.Graph.Nodes, node("Squeeze", "la last", "att1"), node("Squeeze", "lp last", "per1"))
	single.Graph.Initializers, single.Graph.Outputs = append(single.Graph.Initializers, onnx.NewInt64("last", []int64{1}, []int64{1})), outputs("att1", "per1", "m")
	if _, err := onnx.FindParts(t.Context(), single, onnx.PartNames{}); !errors.Is(err, onnx.ErrSigmoid) || !strings.Contains(err.Error(), "one logit") {
		t.Errorf("one logit (N): %v", err)
	}
	// Two classes as a sigmoid and what is left of 1.
	two := smallABN{ends: []*onnx.Node{node("Sigmoid", "lp", "sz"), node("Sub", "one sz", "r"), node("Concat", "r sz", "out", axisOf(1))}, outputs: outputs("la", "out", "m"), constants: []*onnx.Tensor{one}}.model()
	for i, t := range two.Graph.Initializers {
		switch t.Name {
		case "cls.weight":
			two.Graph.Initializers[i] = weight(t.Name, 2, 6, 1, 1)
		case "fc.weight":
			two.Graph.Initializers[i] = weight(t.Name, 7, 1)
		}
	}
	if _, err := onnx.FindParts(t.Context(), two, onnx.PartNames{}); !errors.Is(err, onnx.ErrLogits) || !strings.Contains(err.Error(), "Sigmoid") {
		t.Errorf("1−p beside p: %v", err)
	}
}

// What a classifier gives out is judged before a branch is attached to it.
func TestAttachRefusesWhatIsNoLogits(t *testing.T) {
	t.Parallel()
	m := smallClassifier()
	last := m.Graph.Outputs[0].Name
	m.Graph.Nodes = append(m.Graph.Nodes, node("Sigmoid", last, "sigmoids"))
	m.Graph.Outputs = outputs("sigmoids")
	if _, err := onnx.Attach(t.Context(), m, onnx.AttachSettings{Seed: 1}); !errors.Is(err, onnx.ErrLogits) {
		t.Errorf("sigmoids: %v", err)
	}
}
