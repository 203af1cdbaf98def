package main

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// form is a way to write an operator that cannot be trained through. The page quotes the reason the code gives.
type form struct {
	name   string
	op     string
	opset  int64    // 0: 17
	dims   []int64  // of the input x
	inputs []string // behind x; "w" and "n" are fed: trained, and a number that a run decides; others are constants
	w      []int64  // dims of w
	fixed  []*onnx.Tensor
	a      []*onnx.Attribute
}

func ints(name string, list ...int64) *onnx.Tensor {
	return onnx.NewInt64(name, []int64{int64(len(list))}, list)
}

// refusedForms are the forms of operators with a rule that it does not cover, as far as exporters are known to write them.
func refusedForms() []form {
	image := []int64{2, 4, 8, 8}
	axes := ints("axes", 1)
	return []form{
		{name: "training mode", op: "Dropout", dims: image, inputs: []string{"", "training"}, fixed: []*onnx.Tensor{{Name: "training", Type: onnx.Bool, Raw: []byte{1}}}},
		{name: "computed bounds", op: "Clip", dims: image, inputs: []string{"w"}},
		{name: "a trained exponent", op: "Pow", dims: image, inputs: []string{"w"}},
		{name: "`auto_pad`, `output_shape`", op: "ConvTranspose", dims: image, inputs: []string{"w"}, w: []int64{4, 3, 2, 2}, a: []*onnx.Attribute{onnx.StrAttr("auto_pad", "SAME_UPPER"), onnx.IntsAttr("strides", 2, 2)}},
		{name: "a vector", op: "MatMul", dims: []int64{3, 4}, inputs: []string{"w"}, w: []int64{4}},
		{name: "`storage_order` 1", op: "MaxPool", dims: image, a: []*onnx.Attribute{onnx.IntsAttr("kernel_shape", 2, 2), onnx.IntAttr("storage_order", 1)}},
		{name: "three spatial axes", op: "AveragePool", dims: []int64{1, 2, 4, 4, 4}, a: []*onnx.Attribute{onnx.IntsAttr("kernel_shape", 2, 2, 2)}},
		{name: "a trained value", op: "Pad", dims: image, inputs: []string{"pads", "w"}, fixed: []*onnx.Tensor{ints("pads", 0, 0, 1, 1, 0, 0, 1, 1)}},
		{name: "a count that a run decides", op: "Tile", dims: image, inputs: []string{"n"}},
		{name: "`antialias`", op: "Resize", opset: 18, dims: image, inputs: []string{"", "twice"}, fixed: []*onnx.Tensor{onnx.NewFloat32("twice", []int64{4}, []float32{1, 1, 2, 2})},
			a: []*onnx.Attribute{onnx.StrAttr("mode", "linear"), onnx.IntAttr("antialias", 1)}},
		{name: "`tf_crop_and_resize`", op: "Resize", dims: image, inputs: []string{"", "twice"}, fixed: []*onnx.Tensor{onnx.NewFloat32("twice", []int64{4}, []float32{1, 1, 2, 2})},
			a: []*onnx.Attribute{onnx.StrAttr("coordinate_transformation_mode", "tf_crop_and_resize")}},
		{name: "a diagonal or an ellipsis", op: "Einsum", dims: image, a: []*onnx.Attribute{onnx.StrAttr("equation", "...w->...")}},
		{name: "bounds that a run decides", op: "Slice", dims: image, inputs: []string{"n", "n", "axes"}, fixed: []*onnx.Tensor{axes}},
		{name: "indices that a run decides", op: "Gather", dims: image, inputs: []string{"n"}, a: []*onnx.Attribute{onnx.IntAttr("axis", 1)}},
		{name: "`batch_dims`", op: "GatherND", dims: image, inputs: []string{"table"}, fixed: []*onnx.Tensor{onnx.NewInt64("table", []int64{2, 1}, []int64{0, 1})}, a: []*onnx.Attribute{onnx.IntAttr("batch_dims", 1)}},
		{name: "causal, capped, with earlier or shared keys", op: "Attention", opset: 23, dims: image, inputs: []string{"x", "x"}, a: []*onnx.Attribute{onnx.IntAttr("is_causal", 1)}},
		{name: "axes that a run decides", op: "ReduceMean", opset: 18, dims: image, inputs: []string{"n"}},
		{name: "axes that a run decides", op: "ReduceSum", dims: image, inputs: []string{"n"}},
	}
}

// reason is what gradient.Unsupported says of a form.
func (f form) reason() (string, error) {
	opset := f.opset
	if opset == 0 {
		opset = 17
	}
	x := onnx.ShapeOf(f.dims...)
	x[0] = onnx.Batch()
	n := onnx.NewNode(f.op, "node", append([]string{"x"}, f.inputs...), []string{"y"}, f.a...)
	w := f.w
	if w == nil {
		w = []int64{}
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: opset}}, Graph: &onnx.Graph{
		Nodes: []*onnx.Node{n}, Initializers: f.fixed, Outputs: []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, nil)},
		Inputs: []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, x), onnx.NewValue("w", onnx.Float, onnx.ShapeOf(w...)), onnx.NewValue("n", onnx.Int64, onnx.ShapeOf(1))},
	}}
	reasons, err := gradient.Unsupported(context.Background(), m, []string{"y"}, []string{"x", "w"})
	if err != nil {
		return "", fmt.Errorf("%s, %s: %w", f.op, f.name, err)
	}
	if len(reasons) != 1 {
		return "", fmt.Errorf("%s, %s: want one reason, got %v: is the form supported now? Then take it off the list", f.op, f.name, reasons)
	}
	return reasons[0].Why, nil
}
