package onnx

import (
	"context"
	"slices"
	"strings"
)

// AcrossBatch lists nodes that compute over the batch, so that an image's answer depends on which others are run with it: means, sums and
// softmaxes over the first axis. What its list lacks may do so in another way.
func (a *ABN) AcrossBatch(ctx context.Context) (nodes []string) {
	inferred, err := Infer(ctx, a.Whole, nil)
	if err != nil {
		return nil
	}
	for _, n := range a.Whole.Graph.Nodes {
		s := inferred.Shape(n.Input(0))
		if len(s) == 0 || s[0].Name != BatchName {
			continue
		}
		first := func(at int64) bool { return at == 0 || at == -int64(len(s)) }
		across := false
		switch {
		case strings.HasPrefix(n.Op, "Reduce") && n.IsOp(n.Op):
			axes := n.AttrInts("axes")
			if n.Input(1) != "" {
				axes, _ = inferred.Ints(n.Input(1))
			}
			across = slices.ContainsFunc(axes, first) || len(axes) == 0 && n.Input(1) == "" && n.AttrInt("noop_with_empty_axes", 0) == 0
		case n.IsOp("Softmax", "LogSoftmax", "Hardmax"):
			across = first(n.AttrInt("axis", softmaxAxis(a.Whole.Opset())))
		case n.IsOp("CumSum"):
			axes, _ := inferred.Ints(n.Input(1))
			across = slices.ContainsFunc(axes, first)
		}
		if across {
			nodes = append(nodes, n.String())
		}
	}
	return nodes
}
