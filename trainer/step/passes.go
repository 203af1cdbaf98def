package step

import (
	"context"

	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// pass is one rewriting of a graph on its way to the runtime.
type pass struct {
	name string
	run  func(ctx context.Context, m *onnx.Model) error // rewrites the graph it is given
}

// rewrite runs passes over a model in their order. Each gets a copy of the graph before it, so that m does not change. after is
// called with the graph after each pass, unless it is nil, and may keep it.
func rewrite(ctx context.Context, m *onnx.Model, passes []pass, after func(pass string, m *onnx.Model)) (*onnx.Model, error) {
	for _, p := range passes {
		m = m.Clone()
		if err := p.run(ctx, m); err != nil {
			return nil, err
		}
		if after != nil {
			after(p.name, m)
		}
	}
	return m, nil
}

// raise brings a graph to the operator set that gradients are written for.
func raise(_ context.Context, m *onnx.Model) error { return gradient.Raise(m) }

// blockPasses put images into blocks of channels, if the target has them. They come last, since other passes do not know blocks.
func (t Target) blockPasses() []pass {
	if t.Block == 0 {
		return nil
	}
	return []pass{
		{"fuse", func(ctx context.Context, m *onnx.Model) error { return fuseBlocked(ctx, m, t.Block) }},
		{"block", func(ctx context.Context, m *onnx.Model) error { return layOut(ctx, m, t.Block, t.Threads) }},
	}
}
