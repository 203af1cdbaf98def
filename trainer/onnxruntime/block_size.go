package onnxruntime

import (
	"context"
	"slices"
	"sync"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/ort/blocked"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/step"
)

// BlockSize is B of step.RuntimeBlocked on this machine. It is 0 if the runtime has no such convolutions (other processors, other
// providers, a later version without them) or package blocked has no operators for them.
func BlockSize() int64 { return blockSize() }

var blockSize = sync.OnceValue(func() int64 { // asked once
	if provider, err := ort.Active(); err != nil || !provider.IsCPU() {
		return 0
	}
	size, err := probeBlockSize()
	if err != nil || !blocked.Supported(size) {
		return 0
	}
	return size
})

// probeBlockSize finds B from where the layout puts the second pixel of the first channel: behind the first pixel of
// the B channels of a block.
func probeBlockSize() (int64, error) {
	const channels = 256
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: step.RuntimeBlocked, Version: 1}}, Graph: &onnx.Graph{
		Name:    "probe",
		Nodes:   []*onnx.Node{{Op: "ReorderInput", Domain: step.RuntimeBlocked, Name: "probe", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.ShapeOf(1, channels, 1, 2))},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, onnx.ShapeOf(1, channels, 1, 2))},
	}}
	data, err := model.Marshal()
	if err != nil {
		return 0, err
	}
	session, err := ort.Open(data, []string{"x"}, []string{"y"}, ort.Options{Name: "probe of blocked convolutions", IntraOpThreads: 1})
	if err != nil {
		return 0, err
	}
	defer session.Close()
	pixels := make([]float32, 2*channels)
	pixels[1] = 1
	x, err := ort.Float32s(pixels, 1, channels, 1, 2)
	if err != nil {
		return 0, err
	}
	defer x.Close()
	y := []*ort.Tensor{nil}
	if err := session.Run(context.Background(), []*ort.Tensor{x}, y); err != nil {
		return 0, err
	}
	defer y[0].Close()
	return int64(max(slices.Index(y[0].Float32(), 1), 0)), nil
}
