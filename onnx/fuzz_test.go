package onnx_test

import (
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// FuzzFindParts takes whatever parses as a model apart: forged graphs must give errors, not crashes, and what
// splits must be writable.
func FuzzFindParts(f *testing.F) {
	one := ints("one", 1)
	for _, abn := range []smallABN{
		{},
		{batch: onnx.Fixed(1), flatten: []*onnx.Node{node("Reshape", "pooled target", "flat")}, constants: []*onnx.Tensor{ints("target", 1, -1)}},
		{flatten: []*onnx.Node{
			node("Shape", "pooled", "shape"), node("Slice", "shape one one -", "rest"), node("Concat", "one rest", "target", onnx.IntAttr("axis", 0)),
			node("Transpose", "pooled", "t", onnx.IntsAttr("perm", 0, 1, 3, 2)), node("Where", "one one one", "w"), node("Reshape", "t target", "flat"),
		}, constants: []*onnx.Tensor{one}},
		{mechanism: []*onnx.Node{node("Tile", "m one", "mm"), node("Expand", "mm one", "me"), node("Mul", "g me", "attended")}, constants: []*onnx.Tensor{one}},
	} {
		data, err := abn.model().Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Read(t.Context(), data)
		if err != nil {
			return
		}
		parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{Size: &[2]int{8, 8}})
		if err != nil {
			return
		}
		abn, err := onnx.Split(t.Context(), m, parts)
		if err != nil {
			return
		}
		for _, part := range []*onnx.Model{abn.Extractor, abn.Attention, abn.Perception, abn.Branches, abn.Whole} {
			if _, err := part.Marshal(); err != nil {
				t.Errorf("cannot write the %s: %v", part.Graph.Name, err)
			}
		}
		if onnx.Describe(t.Context(), m).Nodes == 0 || len(abn.Describe(t.Context()).Parts) != 3 || len(abn.ExtractorHash()) != 64 {
			t.Error("no report, or no hash")
		}
	})
}
