package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// gemmSide is the side of the square matrices that the runtime's best rate is measured with.
const gemmSide = 2048

// productRuns is how many products are timed together.
const productRuns = 4

// largeProduct is one MatMul of two square matrices on ONNX Runtime.
type largeProduct struct {
	session *ort.Session
	inputs  []*ort.Tensor
	outputs []*ort.Tensor
}

func openProduct(threads int) (*largeProduct, error) {
	matrix := onnx.ShapeOf(gemmSide, gemmSide)
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:    "product",
		Nodes:   []*onnx.Node{onnx.NewNode("MatMul", "product", []string{"a", "b"}, []string{"c"})},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("a", onnx.Float, matrix), onnx.NewValue("b", onnx.Float, matrix)},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("c", onnx.Float, matrix)},
	}}
	data, err := model.Marshal()
	if err != nil {
		return nil, err
	}
	p := &largeProduct{}
	if p.session, err = ort.Open(data, []string{"a", "b"}, []string{"c"}, ort.Options{Name: "large product", IntraOpThreads: threads}); err != nil {
		return nil, err
	}
	for i := range 3 {
		data := make([]float32, gemmSide*gemmSide)
		for j := range data {
			data[j] = rand.Float32()
		}
		t, err := ort.Float32s(data, gemmSide, gemmSide)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		if i < 2 {
			p.inputs = append(p.inputs, t)
		} else {
			p.outputs = append(p.outputs, t)
		}
	}
	return p, nil
}

// step implements stepRunner. It returns the times of one product.
func (p *largeProduct) step(ctx context.Context) (seconds, processor float64, err error) {
	start, used := time.Now(), processorSeconds()
	for range productRuns {
		if err := p.session.Run(ctx, p.inputs, p.outputs); err != nil {
			return 0, 0, err
		}
	}
	return time.Since(start).Seconds() / productRuns, (processorSeconds() - used) / productRuns, nil
}

func (p *largeProduct) close() error {
	for _, t := range slices.Concat(p.inputs, p.outputs) {
		_ = t.Close()
	}
	return p.session.Close()
}
