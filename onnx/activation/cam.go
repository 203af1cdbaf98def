package activation

import (
	"context"

	"github.com/abn-studio/studio/onnx"
)

// CAM makes the graph of a branch's class activation map, Σ_c w_{k,c}·A_c. A bias of the head is left out, as in the paper. The
// error is a *HeadError (ErrNoCAM) if the branch does not end in a global average pool and a linear head.
func CAM(ctx context.Context, abn *onnx.ABN, name Branch) (*Graph, error) {
	b, err := newBranch(ctx, abn, name)
	if err != nil {
		return nil, err
	}
	h, err := b.head(ctx)
	if err != nil {
		return nil, err
	}
	c, rows, columns, _ := b.sizes(h.pooled)
	if rows*columns == 1 {
		return nil, &HeadError{Branch: name, Why: "the value that is averaged has one cell, so that a map says nothing"}
	}
	class := b.classInput()
	var weights string
	if h.weights == nil {
		weights = b.chosen(class)
	} else {
		all := b.Constant(onnx.NewFloat32("", []int64{int64(b.parts.Classes), int64(c)}, h.weights))
		weights = b.Node("Gather", []string{all, class}, onnx.IntAttr("axis", 0))
	}
	return b.graph(class, b.weightedSum(weights, h.pooled), h.pooled), nil
}
