package step

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// simplify replaces two nodes by one that does the same in fewer passes over memory:
//
//	a Pad with zeros before a Conv    the Conv with more padding (windows that PyTorch or TensorFlow pad unevenly)
//	a Relu before a Clip              the Clip from 0 (ReLU6)
//
// Values and gradients are the same to the bit.
func simplify(ctx context.Context, m *onnx.Model) error {
	s, err := surveyOf(ctx, m)
	if err != nil {
		return fmt.Errorf("shapes of the branches: %w", err)
	}
	folded := map[*onnx.Node]bool{}
	for _, n := range m.Graph.Nodes {
		if len(n.Inputs) == 0 || s.onlyReader(n.Inputs[0]) != n {
			continue
		}
		before := s.Producer[n.Inputs[0]]
		if before != nil && (s.padConv(before, n) || s.clipFromZero(before, n)) {
			n.Inputs[0] = before.Inputs[0]
			folded[before] = true
		}
	}
	m.Graph.Nodes = slices.DeleteFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return folded[n] })
	return nil
}

// padConv gives a Conv the padding of a Pad, if that is what the two are.
func (s *survey) padConv(pad, conv *onnx.Node) bool {
	if !pad.IsOp("Pad") || !conv.IsOp("Conv") || conv.AttrStr("auto_pad", "NOTSET") != "NOTSET" {
		return false
	}
	pads, ok := zeroPadding(s.Inferred, pad)
	if !ok {
		return false
	}
	own := conv.AttrInts("pads", make([]int64, len(pads))...)
	if len(own) != len(pads) {
		return false
	}
	for i := range pads {
		pads[i] += own[i]
	}
	conv.SetAttr(onnx.IntsAttr("pads", pads...))
	return true
}

// clipFromZero raises the lower bound of a Clip behind a Relu to 0, if that is what the two are.
func (s *survey) clipFromZero(relu, clip *onnx.Node) bool {
	if !relu.IsOp("Relu") || !clip.IsOp("Clip") || s.Values[clip.Inputs[0]].Type != onnx.Float {
		return false
	}
	low, high, ok := clipBounds(s.Inferred, clip)
	if !ok || low > 0 || high <= 0 {
		return false
	}
	zero := onnx.NewFloat32(clip.Outputs[0]+"/zero", nil, []float32{0})
	s.graph.Initializers = append(s.graph.Initializers, zero)
	clip.Inputs = append(clip.Inputs, "", "")[:3]
	clip.Inputs[1] = zero.Name
	return true
}

// zeroPadding are the zeros that a Pad puts around the spatial axes, all of which it names, in the order of Conv's pads; not ok where
// it does anything else.
func zeroPadding(inferred *onnx.Inferred, pad *onnx.Node) (pads []int64, ok bool) {
	if pad.AttrStr("mode", "constant") != "constant" || pad.Input(1) == "" || pad.Input(3) != "" {
		return nil, false
	}
	if value := pad.Input(2); value != "" {
		if zero, ok := inferred.Number(value); !ok || zero != 0 {
			return nil, false
		}
	}
	sizes, ok := inferred.Ints(pad.Input(1))
	rank := len(sizes) / 2
	if !ok || rank < 3 || slices.Min(sizes) < 0 || sizes[0] != 0 || sizes[1] != 0 || sizes[rank] != 0 || sizes[rank+1] != 0 {
		return nil, false
	}
	return slices.Concat(sizes[2:rank], sizes[rank+2:]), true
}
