package step

import (
	"context"
	"math"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// fuser finds nodes that one operator of package blocked can replace, with as many passes over memory as one of them needs.
type fuser struct {
	*survey
	gone    map[*onnx.Node]bool
	instead map[*onnx.Node]*onnx.Node
	clipped map[string]*onnx.Node // BatchNormalizations that clip and add nothing, by their output
}

// fuseBlocked writes into a graph:
//
//	BatchNormalization, with the Add of a shortcut and the Relu or Clip that alone read it, as one BatchNormalization
//	the gradient of that Relu or Clip into the BatchNormalization's, where nothing else reads it and nothing was added
//	the Add of two gradients that only the gradient of a Relu or Clip reads, as part of it
func fuseBlocked(ctx context.Context, m *onnx.Model, block int64) error {
	s, err := surveyOf(ctx, m)
	if err != nil {
		return err
	}
	f := &fuser{survey: s, gone: map[*onnx.Node]bool{}, instead: map[*onnx.Node]*onnx.Node{}, clipped: map[string]*onnx.Node{}}
	for _, n := range m.Graph.Nodes {
		if n.IsOp("BatchNormalization") && gradient.BlockedImage(f.Shape(n.Inputs[0]), block) {
			f.normalization(n)
		}
	}
	for _, n := range m.Graph.Nodes {
		if isBlocked(n, gradient.BatchNormalizationGradient) {
			f.normalizationGradient(n)
		}
	}
	for _, n := range m.Graph.Nodes {
		if isBlocked(n, gradient.ClipGradient) && !f.gone[n] {
			f.clipGradient(n)
		}
	}
	var nodes []*onnx.Node
	for _, n := range m.Graph.Nodes {
		switch other := f.instead[n]; {
		case other != nil:
			nodes = append(nodes, other)
		case !f.gone[n]:
			nodes = append(nodes, n)
		}
	}
	m.Graph.Nodes = nodes
	return nil
}

// normalization replaces a BatchNormalization and the nodes fused with it, at the place of the last of them.
func (f *fuser) normalization(n *onnx.Node) {
	training := n.AttrInt("training_mode", 0)
	last, inputs, outputs := n, append(append([]string{}, n.Inputs[:5]...), ""), append([]string{}, n.Outputs...)
	if training != 0 {
		inputs[3], inputs[4] = "", "" // the running statistics are not used
	}
	take := func(reader *onnx.Node) {
		f.gone[last], last, outputs[0] = true, reader, reader.Outputs[0]
	}
	if add := f.onlyReader(outputs[0]); add != nil && add.IsOp("Add") && !f.gone[add] && f.instead[add] == nil && f.sameShapes(add) {
		residual := add.Inputs[0]
		if residual == outputs[0] {
			residual = add.Inputs[1]
		}
		if residual != outputs[0] {
			inputs[5] = residual
			take(add)
		}
	}
	low, high := math.Inf(-1), math.Inf(1)
	if clip := f.onlyReader(outputs[0]); clip != nil {
		if from, to, ok := clipBounds(f.Inferred, clip); ok {
			low, high = from, to
			take(clip)
		}
	}
	f.gone[last] = true
	fused := &onnx.Node{Op: "BatchNormalization", Domain: gradient.BlockedDomain, Name: n.Name, Inputs: inputs, Outputs: outputs, Attributes: []*onnx.Attribute{
		onnx.FloatAttr("epsilon", n.AttrFloat("epsilon", 1e-5)), onnx.IntAttr("training", training),
		onnx.FloatAttr("low", float32(low)), onnx.FloatAttr("high", float32(high)),
	}}
	for _, output := range outputs {
		if output != "" {
			f.declare(output, f.Shape(output))
		}
	}
	f.instead[last] = fused
	if inputs[5] == "" {
		f.clipped[outputs[0]] = fused
	}
}

func (f *fuser) sameShapes(n *onnx.Node) bool {
	shape := f.Shape(n.Outputs[0])
	return f.Shape(n.Inputs[0]).Equal(shape) && f.Shape(n.Inputs[1]).Equal(shape)
}

// clipBounds are those of a Relu or of a Clip to constants, which must be inputs, as they are from operator set 11 on.
func clipBounds(inferred *onnx.Inferred, n *onnx.Node) (low, high float64, ok bool) {
	low, high = math.Inf(-1), math.Inf(1)
	switch {
	case n.IsOp("Relu"):
		return 0, high, true
	case !n.IsOp("Clip") || n.Attr("min") != nil || n.Attr("max") != nil:
		return low, high, false
	}
	for i, bound := range []*float64{&low, &high} {
		name := n.Input(1 + i)
		if name == "" {
			continue
		}
		if *bound, ok = inferred.Number(name); !ok {
			return low, high, false
		}
	}
	return low, high, true
}

// normalizationGradient fuses the gradient of a clip into the gradient of the BatchNormalization before it.
func (f *fuser) normalizationGradient(n *onnx.Node) {
	clip := f.Producer[n.Inputs[0]]
	if !isBlocked(clip, gradient.ClipGradient) || f.onlyReader(n.Inputs[0]) != n {
		return
	}
	forward := f.clipped[clip.Inputs[0]]
	if forward == nil || forward.Inputs[0] != n.Inputs[1] || forward.Inputs[1] != n.Inputs[2] {
		return
	}
	f.gone[clip] = true
	fused := n.Clone()
	fused.Inputs[0] = clip.Inputs[1]
	fused.SetAttr(onnx.FloatAttr("low", clip.AttrFloat("low", float32(math.Inf(-1)))))
	fused.SetAttr(onnx.FloatAttr("high", clip.AttrFloat("high", float32(math.Inf(1)))))
	f.instead[n] = fused
}

// clipGradient fuses the sum of two gradients into the gradient of the clip that reads it.
func (f *fuser) clipGradient(n *onnx.Node) {
	add := f.Producer[n.Inputs[1]]
	if add == nil || !add.IsOp("Add") || f.gone[add] || f.instead[add] != nil || f.onlyReader(n.Inputs[1]) != n || !f.sameShapes(add) {
		return
	}
	f.gone[add] = true
	fused := n.Clone()
	fused.Inputs = []string{n.Inputs[0], add.Inputs[0], add.Inputs[1]}
	f.instead[n] = fused
}
