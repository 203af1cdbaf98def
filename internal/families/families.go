// Package families reads onnx/testdata/families: the graphs that torch.onnx.export writes of Attention Branch Networks
// over the families of image classifiers they are published with, kept without their weights. Tests fill the
// weights in; docs/operators.md lists what there is.
package families

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/onnx"
)

// Family is one export: what was exported, in which form, and what must be found in it. The fields are those of
// onnx/testdata/families/networks.py.
type Family struct {
	Name     string `json:"name"`
	Family   string `json:"family"`   // resnet50, densenet121, …
	Size     string `json:"size"`     // "full": as published; "small": the same structure, narrow
	Exporter string `json:"exporter"` // "trace" (TorchScript) or "export" (torch.export)
	Torch    string `json:"torch"`    // PyTorch's version
	Opset    int64  `json:"opset"`
	Norm     string `json:"norm"`  // BatchNorm "folded" where the exporter could, "kept", or exported in "training" mode
	Batch    any    `json:"batch"` // "dynamic", or the size it was exported for
	Head     string `json:"head"`  // "published" and "short" with BatchNorm, "plain" without
	Pool     string `json:"pool"`  // how the logits are averaged: "adaptive", "window", "mean"
	Map      string `json:"map"`   // "grid": (N,1,h,w); "squeezed": (N,h,w) handed out; "flat first": (N,h,w) computed, too
	Gain     string `json:"gain"`  // "g*M+g", "(1+M)*g", "g*M"
	// Weights are "trained", each tensor with values of its own, or "fresh": equal ones, which the exporter writes once.
	Weights string `json:"weights"`
	Answers string `json:"answers"` // what stands in the outputs: "logits", "probabilities", or "both"

	Classes  int `json:"classes"`  // K
	Image    int `json:"image"`    // H = W
	Channels int `json:"channels"` // C
	Height   int `json:"height"`   // h
	Width    int `json:"width"`    // w

	path string
}

// List reads what the folder's families*.json name.
func List(dir string) ([]Family, error) {
	tables, err := filepath.Glob(filepath.Join(dir, "families*.json"))
	if err != nil || len(tables) == 0 {
		return nil, fmt.Errorf("no families*.json in %s: %w", dir, os.ErrNotExist)
	}
	var list []Family
	for _, table := range tables {
		data, err := os.ReadFile(table)
		if err != nil {
			return nil, err
		}
		var part []Family
		if err := json.Unmarshal(data, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		list = append(list, part...)
	}
	for i := range list {
		list[i].path = filepath.Join(dir, list[i].Name+".onnx.gz")
	}
	return list, nil
}

// WantGain is the mechanism as the onnx package names it.
func (f Family) WantGain() onnx.Gain {
	if f.Gain == "g*M" {
		return onnx.GainM
	}
	return onnx.GainOnePlusM
}

// Structure reads the graph with zeros for weights, which all share one piece of memory: enough for
// everything but running it.
func (f Family) Structure() (*onnx.Model, error) {
	var zeros []byte
	return f.read(func(t *onnx.Tensor) error {
		n, err := t.Elements()
		if n *= int64(t.Type.Size()); err == nil && n > int64(len(zeros)) {
			zeros = make([]byte, n)
		}
		t.Raw = zeros[:n]
		return err
	})
}

// Model reads the graph and fills the weights with seeded values such as a trained network has: He's for weights, small
// ones for biases, a BatchNorm's scale near 1 and its variance between ½ and 1½.
func (f Family) Model() (*onnx.Model, error) {
	var missing []*onnx.Tensor
	m, err := f.read(func(t *onnx.Tensor) error {
		n, err := t.Elements()
		t.Raw = make([]byte, n*int64(t.Type.Size()))
		missing = append(missing, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	roles := rolesOf(m.Graph)
	r := rand.New(rand.NewPCG(7, 11))
	for _, t := range missing {
		fill(t, roles[t.Name], r)
	}
	return m, nil
}

func (f Family) read(load func(t *onnx.Tensor) error) (*onnx.Model, error) {
	file, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	unzip, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	data, err := io.ReadAll(unzip)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	m, err := onnx.ReadWith(context.Background(), data, func(t *onnx.Tensor, _ string, _ int64) error { return load(t) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return m, nil
}

// role is what an initializer is to the node that reads it: operator and input.
type role struct {
	op    string
	input int
}

// rolesOf follows initializers through the nodes that only rename or turn them.
func rolesOf(g *onnx.Graph) map[string]role {
	roles, source := map[string]role{}, map[string]string{}
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if from, ok := source[in]; ok {
				in = from
			}
			if i == 0 && n.IsOp("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze") {
				source[n.Output(0)] = in
			} else if _, ok := roles[in]; !ok {
				roles[in] = role{n.Op, i}
			}
		}
	}
	return roles
}

// fill writes into a float32 tensor's own memory.
func fill(t *onnx.Tensor, is role, r *rand.Rand) {
	fan := int64(1)
	for _, d := range t.Dims[min(1, len(t.Dims)):] {
		fan *= d
	}
	if is.op == "MatMul" || len(t.Dims) == 1 {
		fan = t.Dims[0]
	}
	value := func() float64 { return r.NormFloat64() * math.Sqrt(2/float64(max(fan, 1))) }
	switch {
	case is.op == "BatchNormalization" && is.input == 4:
		value = func() float64 { return 0.5 + r.Float64() }
	case is.op == "BatchNormalization" && is.input == 1:
		value = func() float64 { return 1 + 0.1*r.NormFloat64() }
	case is.op == "Mul" || is.op == "Div": // a scale, where the exporter wrote a BatchNorm out
		value = func() float64 { return 0.7 + 0.6*r.Float64() }
	case is.input > 1 || len(t.Dims) == 1:
		value = func() float64 { return 0.1 * r.NormFloat64() }
	}
	for i := 0; i+4 <= len(t.Raw); i += 4 {
		binary.LittleEndian.PutUint32(t.Raw[i:], math.Float32bits(float32(value())))
	}
}
