package step

import (
	"context"

	"github.com/abn-studio/studio/onnx"
)

// PlainStatistics replaces every BatchNormalization in training mode by operators that all providers have: the batch's mean and
// variance, then the inference form with them in place of the running ones. ONNX Runtime's CPU provider has the training form and
// runs it in fewer passes over memory; its CUDA provider refuses it.
//
// The step graph's nodes have momentum 0, so that their second and third output are the batch's own statistics. The new nodes
// have outputs of the same names.
func plainStatistics(ctx context.Context, m *onnx.Model) error {
	info, err := onnx.InferShapes(ctx, m, nil)
	if err != nil {
		return err
	}
	g := m.Graph
	var nodes []*onnx.Node
	for _, n := range g.Nodes {
		if !n.IsOp("BatchNormalization") || n.AttrInt("training_mode", 0) == 0 {
			nodes = append(nodes, n)
			continue
		}
		x, mean, variance := n.Inputs[0], n.Outputs[1], n.Outputs[2]
		axes := []int64{0}
		for i := 2; i < len(info[x].Shape); i++ {
			axes = append(axes, int64(i))
		}
		at := func(value string) string { return "plain/" + n.Outputs[0] + "/" + value }
		channels := onnx.NewInt64(at("channels"), []int64{1}, []int64{-1})
		g.Initializers = append(g.Initializers, channels)
		reduce := func(value, from, to string) *onnx.Node { // the axes are an attribute up to operator set 17
			r := onnx.NewNode("ReduceMean", at(value), []string{from}, []string{to}, onnx.IntAttr("keepdims", 1))
			if m.Opset() < 18 {
				r.Attributes = append(r.Attributes, onnx.IntsAttr("axes", axes...))
				return r
			}
			list := onnx.NewInt64(at(value+"_axes"), []int64{int64(len(axes))}, axes)
			g.Initializers = append(g.Initializers, list)
			r.Inputs = append(r.Inputs, list.Name)
			return r
		}
		nodes = append(nodes,
			reduce("mean_node", x, at("mean")),
			onnx.NewNode("Sub", at("centred"), []string{x, at("mean")}, []string{at("centred")}),
			onnx.NewNode("Mul", at("squared"), []string{at("centred"), at("centred")}, []string{at("squared")}),
			reduce("variance_node", at("squared"), at("variance")),
			onnx.NewNode("Reshape", at("mean_list"), []string{at("mean"), channels.Name}, []string{mean}),
			onnx.NewNode("Reshape", at("variance_list"), []string{at("variance"), channels.Name}, []string{variance}),
			onnx.NewNode("BatchNormalization", n.Name, []string{x, n.Inputs[1], n.Inputs[2], mean, variance}, n.Outputs[:1],
				onnx.FloatAttr("epsilon", n.AttrFloat("epsilon", 1e-5))))
	}
	g.Nodes = nodes
	return nil
}
