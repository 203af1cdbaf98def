package blocked_test

import (
	"sync"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// The first sessions with the domain may be opened at the same time, as a round and a scan do that begin together.
func TestFirstSessionsAtOnce(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	data, err := (&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Nodes:  []*onnx.Node{onnx.NewNode("Relu", "", []string{"x"}, []string{"y"})},
		Inputs: []*onnx.ValueInfo{onnx.NewValue("x", onnx.Float, onnx.ShapeOf(1))}, Outputs: []*onnx.ValueInfo{onnx.NewValue("y", onnx.Float, nil)},
	}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := ort.Open(data, []string{"x"}, []string{"y"}, ort.Options{IntraOpThreads: 1, BlockedDomain: gradient.BlockedDomain})
			if err != nil {
				t.Error(err)
				return
			}
			_ = s.Close()
		})
	}
	group.Wait()
}
