package statedict_test

import (
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// What Export would say after the training is said before it, of files as PyTorch writes them.
func TestWayHome(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		byName bool
		lost   int // weights
		reason string
	}{
		"plain-kept": {byName: true}, "bias-kept": {byName: true}, "copy-kept": {byName: true},
		"plain-dynamo": {reason: "folded BatchNorm"}, "plain-trace": {reason: "folded BatchNorm"},
		"slopes-dynamo": {reason: "folded BatchNorm"}, "shared-dynamo": {reason: "folded BatchNorm"},
		"normed-dynamo": {lost: 2, reason: "folded BatchNorm"}, "standardised-dynamo": {lost: 2, reason: "folded BatchNorm"}, "bare-dynamo": {reason: "folded BatchNorm"},
	} {
		parent := exported(t, name)
		opened, err := network.Open(t.Context(), parent, manifest.Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		way := opened.WayHome()
		if way.ByName != want.byName || len(way.Lost) != want.lost || (way.Reason == "") != want.byName || !strings.Contains(way.Reason, want.reason) {
			t.Errorf("%s: %+v", name, way)
		}
		told := strings.Contains(strings.Join(opened.Warnings(), "\n"), "do not go home")
		if told != (want.lost > 0) {
			t.Errorf("%s: warns %q", name, opened.Warnings())
		}
		child, frozen := trained(t, parent, 0.05)
		_, _, err = statedict.Export(t.Context(), child, statedict.Options{Frozen: frozen})
		if (err == nil) != way.ByName {
			t.Errorf("%s: by name: %v, and exporting it: %v", name, way.ByName, err)
		}
	}
}

// The linear layers of a transformer are products with transposed weights, by names that the exporter made. That is why the file alone does not
// show the way home; no BatchNorm is in it.
func TestWayHomeOfLinearLayers(t *testing.T) {
	t.Parallel()
	for weight, node := range map[string]string{"val_7": "node_MatMul_8", "onnx::MatMul_320": "/ext/q/MatMul"} {
		g := &onnx.Graph{
			Nodes: []*onnx.Node{
				onnx.NewNode("MatMul", node, []string{"x", weight}, []string{"product"}), onnx.NewNode("Add", "", []string{"product", "ext.in_proj_bias"}, []string{"y"}),
			},
			Initializers: []*onnx.Tensor{onnx.NewFloat32(weight, []int64{2, 2}, []float32{1, 2, 3, 4}), onnx.NewFloat32("ext.in_proj_bias", []int64{2}, []float32{1, 2})},
		}
		way := statedict.WayHome(&onnx.Model{Graph: g}, nil)
		if way.ByName || !strings.Contains(way.Reason, weight) || strings.Contains(way.Reason, "BatchNorm") || !strings.Contains(way.Reason, statedict.ErrNeedsReference.Error()) {
			t.Errorf("%s: %+v", weight, way)
		}
	}
}
