package onnx_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// Each file is refused by its own name and with what to do about it.
func TestFilesAreRefusedByTheirOwnName(t *testing.T) {
	t.Parallel()
	image := func(dtype onnx.DataType, dims ...int64) *onnx.Model {
		m := smallABN{}.model()
		m.Graph.Inputs[0].Type, m.Graph.Inputs[0].Shape = dtype, onnx.ShapeOf(dims...)
		return m
	}
	format := func(ir, opset int64) *onnx.Model {
		m := smallABN{}.model()
		m.IRVersion, m.Opsets[0].Version = ir, opset
		return m
	}
	two := smallABN{}.model()
	two.Graph.Inputs = append(two.Graph.Inputs, onnx.NewValue("age", onnx.Float, onnx.BatchOf(1)))
	quantised := smallABN{}.model()
	quantised.Graph.Nodes[2].Op = "ConvInteger"
	fused := smallABN{}.model()
	fused.Graph.Nodes[2].Op, fused.Graph.Nodes[2].Domain = "FusedConv", "com.microsoft"
	custom := fused.Clone() // beside one that the optimizer wrote
	custom.Graph.Nodes[0].Op, custom.Graph.Nodes[0].Domain = "Zap", "acme.ops"
	wide := image(onnx.Float, 1, 3, 8, 6) // weights and arithmetic of the whole network in float64, between Casts
	wide.Graph.Inputs[0].Name = "pixels"
	for _, t := range wide.Graph.Initializers {
		if values, err := t.Float32s(); err == nil && t.Type == onnx.Float {
			*t = *doubles(t, values)
		}
	}
	wide.Graph.Nodes = append([]*onnx.Node{node("Cast", "pixels", "x", onnx.IntAttr("to", int64(onnx.Double)))}, wide.Graph.Nodes...)
	half := smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Cast", "gm", "h", onnx.IntAttr("to", int64(onnx.Float16))), node("Cast", "h", "attended", onnx.IntAttr("to", 1))}}.model()
	brain := smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Cast", "gm", "h", onnx.IntAttr("to", int64(onnx.BFloat16))), node("Cast", "h", "attended", onnx.IntAttr("to", 1))}}.model()
	noisy := smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("RandomUniformLike", "gm", "r"), node("Mul", "gm r", "attended")}}.model()
	unused := noisy.Clone() // drawn in the extractor, for the map
	unused.Graph.Nodes[1], unused.Graph.Nodes[9] = node("RandomUniformLike", "e", "g"), node("Identity", "g", "r")
	ints := func(name string, list ...int64) *onnx.Tensor {
		return onnx.NewInt64(name, []int64{int64(len(list))}, list)
	}
	tokens := smallABN{mechanism: []*onnx.Node{node("Reshape", "m column", "mt"), node("Mul", "t mt", "tm"), node("Transpose", "tm", "back", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "back grid", "attended")},
		constants: []*onnx.Tensor{ints("rows", 0, 4, 12), ints("column", 0, 12, 1), ints("grid", 0, 4, 4, 3)}}.model()
	tokens.Graph.Nodes = slices.Insert(tokens.Graph.Nodes, 1, node("Reshape", "e rows", "e1"), node("Transpose", "e1", "e2", onnx.IntsAttr("perm", 0, 2, 1)), node("Relu", "e2", "t"),
		node("Transpose", "t", "t1", onnx.IntsAttr("perm", 0, 2, 1)), node("Reshape", "t1 grid", "g"))
	tokens.Graph.Nodes = slices.Delete(tokens.Graph.Nodes, 6, 7)
	for name, test := range map[string]struct {
		model *onnx.Model
		want  []string
	}{
		"bfloat16 inside":      {brain, []string{"bfloat16 inside", "autocast"}},
		"drawn in a branch":    {noisy, []string{"answers differently each time", "RandomUniformLike", "model.eval()"}},
		"drawn before":         {unused, []string{"answers differently each time"}},
		"a map on tokens":      {tokens, []string{`the map "m" multiplies tokens (N,12,4) at Mul`, "g.flatten(2).transpose(1, 2)"}},
		"half":                 {image(onnx.Float16, 1, 3, 8, 6), []string{"float16", "model.float()"}},
		"bfloat16":             {image(onnx.BFloat16, 1, 3, 8, 6), []string{"bfloat16", "model.float()"}},
		"bytes":                {image(onnx.Uint8, 1, 3, 8, 6), []string{"uint8", "before they are scaled"}},
		"channels last":        {image(onnx.Float, 1, 8, 6, 3), []string{"channels last", "permute(0, 2, 3, 1)"}},
		"a volume":             {image(onnx.Float, 1, 3, 4, 8, 6), []string{"a volume or a video"}},
		"several inputs":       {two, []string{"several inputs", "age"}},
		"IR 14":                {format(14, 13), []string{"IR version 14", "m.ir_version = 10"}},
		"opset 27":             {format(10, 27), []string{"operator set 27", "opset_version=20"}},
		"quantised":            {quantised, []string{"quantised", "ConvInteger", "float32"}},
		"optimised":            {fused, []string{"com.microsoft", "FusedConv", "before it was optimised"}},
		"custom":               {custom, []string{`custom operators of the domain "acme.ops"`, "Zap", "operators of ONNX itself"}},
		"bytes, channels last": {image(onnx.Uint8, 1, 8, 6, 3), []string{"uint8", "channels last", "float32 input of (N,channels,H,W)"}},
		"double inside":        {wide, []string{"float64 inside", "Conv", "model.float()"}},
		"half inside":          {half, []string{"float16 inside", "float32 file"}},
	} {
		_, err := onnx.FindParts(t.Context(), test.model, onnx.PartNames{})
		if !errors.Is(err, onnx.ErrNoABN) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
	data, err := smallABN{}.model().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	for _, test := range []struct{ data, want string }{
		{"PK\x03\x04........abn/data.pkl....", "PyTorch checkpoint"}, {"\x80\x02}q\x00", "PyTorch checkpoint"}, {"PK\x03\x04model.json", "zip archive"},
		{"\x10\x00\x00\x00\x00\x00\x00\x00{\"w\": ...........", "safetensors"}, {"\x89HDF\r\n\x1a\n....", "tf2onnx"},
		{"", "an empty file"}, {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"},
		{"<!DOCTYPE html>\n<html>", "/resolve/"}, {"\n \n<HTML lang=en>", "a web page"}, {"<?xml version=\"1.0\"?><Error/>", "an XML text"}, {`{"error": "Repository not found"}`, "a JSON text"},
		{"Entry not found", `a text, which begins "Entry not found"`}, {string(make([]byte, 200)), "nothing but zeros"}, {"\x1f\x8b\x08\x00....", "unpack"}, {"\x1c\x00\x00\x00TFL3....", "tf2onnx (--tflite)"},
		{"\x20\x00\x00\x00ORTM....", "ONNX Runtime's own format"}, {"\x89PNG\r\n\x1a\n", "a picture"},
		{"\x9f\x3c\x11\x02\xe1\x77\xaa\x0d\x5b", "no ONNX file, nor another that is known (it begins 9f 3c 11 02 e1 77 aa 0d)"}, {"\x13 8 bytes and more", "no ONNX file, nor"}, {"GGUF\x03\x00", "GGUF"},
		{zipped(t, "abn/abn.onnx", "abn/abn.onnx.data"), "holds abn/abn.onnx"}, {zipped(t, "m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"), "TorchScript"},
		{zipped(t, "m/data.pkl", "m/version"), "PyTorch checkpoint"}, {zipped(t, "m/archive_format", "m/models/model.json"), "torch.export.load"}, {zipped(t, "a.npy"), "numpy's arrays"},
		{whole[:len(whole)/2], "cut off"}, {whole[:len(whole)-1], "goes on for 1 more"},
	} {
		if _, err := onnx.Read(t.Context(), []byte(test.data)); !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.data, err)
		}
	}
}

// zipped is an archive of files by these names.
func zipped(t *testing.T, names ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// doubles is a tensor in float64.
func doubles(t *onnx.Tensor, values []float32) *onnx.Tensor {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(float64(v)))
	}
	return &onnx.Tensor{Name: t.Name, Type: onnx.Double, Dims: t.Dims, Raw: raw}
}

// What is taken and odd is told.
func TestOwnersAreToldHowTheirFileIsRead(t *testing.T) {
	t.Parallel()
	inside := smallABN{outputs: outputs("la", "lp")}.model()
	unbounded := smallABN{outputs: outputs("la", "lp"), mechanism: []*onnx.Node{node("Mul", "g s", "attended")}}.model()
	shared := smallABN{mechanism: []*onnx.Node{node("Mul", "g m", "gm"), node("Conv", "gm a.weight", "six", onnx.IntsAttr("pads", 1, 1, 1, 1)), node("Conv", "six back", "attended")},
		constants: []*onnx.Tensor{weight("back", 4, 6, 1, 1)}}.model()
	half := smallABN{mechanism: []*onnx.Node{node("Add", "half m", "h"), node("Exp", "h", "eh"), node("Mul", "g eh", "attended")}, constants: []*onnx.Tensor{onnx.NewFloat32("half", nil, []float32{0.5})}}.model()
	for name, test := range map[string]struct {
		model *onnx.Model
		want  string
	}{
		"a gain of its own": {half, "a cell of 0 multiplies the features by 1.65, one of 1 by 4.48"},

		"a map inside": {inside, `the map is no output of the file: "m" is the value inside`}, "a map without bounds": {unbounded, "not bounded to 0…1"},
		"a bounded map": {smallABN{outputs: outputs("la", "lp"), mechanism: []*onnx.Node{node("Clip", "s low high", "mm"), node("Mul", "g mm", "attended")},
			constants: []*onnx.Tensor{onnx.NewFloat32("low", nil, []float32{0}), onnx.NewFloat32("high", nil, []float32{6})}}.model(), "the map's values may be 0…6:"},
		"a softmax over cells": {smallABN{outputs: outputs("la", "lp"), mechanism: []*onnx.Node{node("Reshape", "s line", "sl"), node("Softmax", "sl", "ml", onnx.IntAttr("axis", 1)), node("Reshape", "ml grid", "mm"), node("Mul", "g mm", "attended")},
			constants: []*onnx.Tensor{onnx.NewInt64("line", []int64{2}, []int64{0, -1}), onnx.NewInt64("grid", []int64{4}, []int64{-1, 1, 4, 3})}}.model(), "a softmax over its 12 cells"},
		"a shared stage": {shared, "both branches have weights in common (1, such as \"a.weight\")"}, "nothing odd": {smallABN{}.model(), ""},
	} {
		notes := strings.Join(takeApart(t, test.model).Describe(t.Context()).Notes, "\n")
		if !strings.Contains(notes, test.want) || test.want == "" && notes != "" {
			t.Errorf("%s: %q does not say %q", name, notes, test.want)
		}
	}
	m := smallABN{}.model()
	*m.Graph.Initializers[1] = *onnx.NewFloat32("a.weight", []int64{6, 4, 3, 3}, make([]float32, 6*4*9))
	m.Graph.Initializers = append(m.Graph.Initializers, onnx.NewFloat32("norm.bias", []int64{6, 1, 1}, make([]float32, 6)))
	m.ProducerName, m.ProducerVersion = "pytorch", "2.9.1"
	m.Graph.Nodes[0].Unknown = []byte("\x4a\x3e\x0a\x1apkg.torch.onnx.stack_trace\x12\x20 File \"/home/eve/abn.py\", line 3")
	if notes := strings.Join(onnx.Describe(t.Context(), m).Notes, "\n"); !strings.Contains(notes, "1 of its 5 tensors of weights hold nothing but zeros, such as \"a.weight\"") || !strings.Contains(notes, "PyTorch 2.9") || !strings.Contains(notes, "/home/eve/abn.py") {
		t.Errorf("%q", notes)
	}
}
