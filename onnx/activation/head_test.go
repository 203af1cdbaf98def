package activation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/activation"
)

// The small networks of these tests: features [N,3,4,5], A [N,3,4,5] by a Relu, 2 classes.
const headChannels, headRows, headColumns, headClasses = 3, 4, 5, 2

// ending is an attention branch that ends in some nodes, from "a" to "logits_att".
func ending(opset int64, constants []*onnx.Tensor, nodes ...*onnx.Node) *onnx.ABN {
	g := &onnx.Graph{
		Name:         "attention branch",
		Nodes:        append([]*onnx.Node{onnx.NewNode("Relu", "relu", []string{onnx.PortFeatures}, []string{"a"})}, nodes...),
		Initializers: constants,
		Inputs:       []*onnx.ValueInfo{onnx.NewValue(onnx.PortFeatures, onnx.Float, onnx.BatchOf(headChannels, headRows, headColumns))},
		Outputs:      []*onnx.ValueInfo{onnx.NewValue(onnx.PortLogitsAtt, onnx.Float, onnx.BatchOf(headClasses))},
	}
	parts := onnx.Parts{Channels: headChannels, Height: headRows, Width: headColumns, Classes: headClasses}
	return &onnx.ABN{Parts: parts, Attention: &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: opset}}, Graph: g}}
}

func op(name string, inputs []string, output string, attributes ...*onnx.Attribute) *onnx.Node {
	return onnx.NewNode(name, "the "+name, inputs, []string{output}, attributes...)
}

func in(names ...string) []string { return names }

// CAM reads the weights off the graph, Grad-CAM differentiates it: each form of a linear head must give both the same.
func TestFormsOfAHead(t *testing.T) {
	t.Parallel()
	const y = onnx.PortLogitsAtt
	w := onnx.NewFloat32("w", []int64{2, 3}, []float32{1, -2, 3, -1, 0.5, 2})
	wT := onnx.NewFloat32("w", []int64{3, 2}, []float32{1, -1, -2, 0.5, 3, 2})
	kernel := onnx.NewFloat32("w", []int64{2, 3, 1, 1}, []float32{1, -2, 3, -1, 0.5, 2})
	b := onnx.NewFloat32("b", []int64{2}, []float32{0.25, -4})
	pool := op("GlobalAveragePool", in("a"), "p")
	flat := op("Flatten", in("p"), "f")
	for name, abn := range map[string]*onnx.ABN{
		"Gemm, weights transposed":          ending(13, []*onnx.Tensor{w, b}, pool, flat, op("Gemm", in("f", "w", "b"), y, onnx.IntAttr("transB", 1))),
		"Gemm, weights as they are, scaled": ending(13, []*onnx.Tensor{wT, b}, pool, flat, op("Gemm", in("f", "w", "b"), y, onnx.FloatAttr("alpha", 0.5))),
		"MatMul and a bias":                 ending(11, []*onnx.Tensor{wT, b}, pool, flat, op("MatMul", in("f", "w"), "m"), op("Add", in("b", "m"), y)),
		"1×1 convolution of one cell":       ending(13, []*onnx.Tensor{kernel, b}, pool, op("Conv", in("p", "w", "b"), "c"), op("Flatten", in("c"), y)),
		"1×1 convolution before the pool":   ending(13, []*onnx.Tensor{kernel, b}, op("Conv", in("a", "w", "b"), "c"), op("GlobalAveragePool", in("c"), "p"), flat, op("Identity", in("f"), y)),
		"ReduceMean with axes as an attribute": ending(13, []*onnx.Tensor{w}, op("ReduceMean", in("a"), "f", onnx.IntsAttr("axes", -1, 2), onnx.IntAttr("keepdims", 0)),
			op("Gemm", in("f", "w"), y, onnx.IntAttr("transB", 1))),
		"ReduceMean with axes as an input": ending(18, []*onnx.Tensor{w, onnx.NewInt64("axes", []int64{2}, []int64{2, 3})},
			op("ReduceMean", in("a", "axes"), "p"), op("Reshape", in("p", "shape"), "f"), op("Gemm", in("f", "w"), y, onnx.IntAttr("transB", 1))),
		"AveragePool over all cells": ending(13, []*onnx.Tensor{w}, op("AveragePool", in("a"), "p", onnx.IntsAttr("kernel_shape", headRows, headColumns)), flat,
			op("Gemm", in("f", "w"), y, onnx.IntAttr("transB", 1))),
		"two linear layers": ending(13, []*onnx.Tensor{w, onnx.NewFloat32("v", []int64{2, 2}, []float32{1, 2, -3, 1})}, pool, flat,
			op("Gemm", in("f", "w"), "g", onnx.IntAttr("transB", 1)), op("Dropout", in("g"), "d"), op("MatMul", in("d", "v"), y)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			abn.Attention.Graph.Initializers = append(abn.Attention.Graph.Initializers, onnx.NewInt64("shape", []int64{2}, []int64{0, -1}))
			cam, err := activation.CAM(t.Context(), abn, activation.Attention)
			if err != nil {
				t.Fatal(err)
			}
			grad, err := activation.GradCAM(t.Context(), abn, activation.Attention, "")
			if err != nil {
				t.Fatal(err)
			}
			features := map[string]array{onnx.PortFeatures: noise(3, 2, headChannels, headRows, headColumns)}
			want := run(t, cam.Model, features, cam.Inputs[1], []int64{1, 0}, cam.Output)[0].data
			for i, v := range want {
				want[i] = max(0, v) / (headRows * headColumns)
			}
			near(t, "Grad-CAM", run(t, grad.Model, features, grad.Inputs[1], []int64{1, 0}, grad.Output)[0].data, want, 2e-6)
		})
	}
}

func TestHeadsThatCAMRefuses(t *testing.T) {
	t.Parallel()
	const y = onnx.PortLogitsAtt
	w := onnx.NewFloat32("w", []int64{2, 60}, make([]float32, 120))
	small := onnx.NewFloat32("w", []int64{2, 3}, make([]float32, 6))
	for why, abn := range map[string]*onnx.ABN{
		"cells side by side":             ending(13, []*onnx.Tensor{w}, op("Flatten", in("a"), "f"), op("Gemm", in("f", "w"), y, onnx.IntAttr("transB", 1))),
		"neither a global":               ending(13, []*onnx.Tensor{small}, op("GlobalMaxPool", in("a"), "p"), op("Flatten", in("p"), "f"), op("Gemm", in("f", "w"), y, onnx.IntAttr("transB", 1))),
		"both depend on the image":       ending(13, []*onnx.Tensor{small}, op("GlobalAveragePool", in("a"), "p"), op("Flatten", in("p"), "f"), op("Add", in("f", "f"), "d"), op("Gemm", in("d", "w"), y, onnx.IntAttr("transB", 1))),
		"no global average pool follows": ending(13, []*onnx.Tensor{onnx.NewFloat32("w", []int64{2, 3, 4, 5}, make([]float32, 120))}, op("Conv", in("a", "w"), "c"), op("Flatten", in("c"), y)),
	} {
		_, err := activation.CAM(t.Context(), abn, activation.Attention)
		var head *activation.HeadError
		if !errors.As(err, &head) || head.Node == "" || head.Op == "" || !strings.Contains(head.Why, why) {
			t.Errorf("%v: want a *HeadError that names a node and says %q", err, why)
		}
	}
}
