package families

import (
	"errors"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// Endless is how a model never answers.
type Endless struct {
	Always bool // to no picture; else to those with a positive pixel
	Idle   bool // and does nothing meanwhile: the Loop's body hands on what it gets
}

// Of returns a copy of a model whose answer never comes: before the graph goes on with its image, a Loop without end hands it
// round. It is a legal file, which opens and whose parts are found.
func (e Endless) Of(m *onnx.Model) (*onnx.Model, error) {
	m = m.Clone()
	g := m.Graph
	feeds := g.Feeds()
	if len(feeds) != 1 {
		return nil, errors.New("a model of one input is wanted")
	}
	image := feeds[0].Name
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if in == image {
				n.Inputs[i] = "endless.image"
			}
		}
	}
	body := &onnx.Graph{
		Name: "endless",
		Inputs: []*onnx.ValueInfo{onnx.NewValue("endless.round", onnx.Int64, onnx.ShapeOf()), onnx.NewValue("endless.go", onnx.Bool, onnx.ShapeOf()),
			onnx.NewValue("endless.in", onnx.Float, feeds[0].Shape)},
		Nodes: []*onnx.Node{
			onnx.NewNode("Identity", "endless.again", []string{"endless.go"}, []string{"endless.goes"}),
			onnx.NewNode("Identity", "endless.keep", []string{"endless.in"}, []string{"endless.out"}),
		},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("endless.goes", onnx.Bool, onnx.ShapeOf()), onnx.NewValue("endless.out", onnx.Float, feeds[0].Shape)},
	}
	if e.Idle {
		body.Nodes = nil
		body.Outputs[0].Name, body.Outputs[1].Name = "endless.go", "endless.in"
	}
	attribute := &onnx.Attribute{Name: "body", Type: onnx.AttributeGraph, Graph: body}
	begins := []*onnx.Node{
		onnx.NewNode("ReduceMax", "endless.brightest", []string{image}, []string{"endless.max"}, onnx.IntAttr("keepdims", 0)),
		onnx.NewNode("Greater", "endless.begins", []string{"endless.max", "endless.zero"}, []string{"endless.first"}),
	}
	zero := float32(0)
	if e.Always {
		zero = -1e30
	}
	g.Initializers = append(g.Initializers, onnx.NewInt64("endless.rounds", nil, []int64{1 << 62}), onnx.NewFloat32("endless.zero", nil, []float32{zero}))
	loop := onnx.NewNode("Loop", "endless", []string{"endless.rounds", "endless.first", image}, []string{"endless.image"}, attribute)
	g.Nodes = slices.Concat(begins, []*onnx.Node{loop}, g.Nodes)
	g.ValueInfo = append(g.ValueInfo, onnx.NewValue("endless.image", onnx.Float, feeds[0].Shape))
	return m, nil
}
