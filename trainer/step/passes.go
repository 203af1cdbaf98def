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

// rewrite runs passes over a model in their order. Each is given a copy of the graph before it, so that m stays as it is and
// after, where it is not nil, may keep what it is shown: the graph behind each pass.
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

// raise writes a graph in the operator set that gradients are written for.
func raise(_ context.Context, m *onnx.Model) error { return gradient.Raise(m) }

// blockPasses write images in blocks of channels, where the target has them: last, since no pass knows of blocks.
func (t Target) blockPasses() []pass {
	if t.Block == 0 {
		return nil
	}
	return []pass{
		{"fuse", func(ctx context.Context, m *onnx.Model) error { return fuseBlocked(ctx, m, t.Block) }},
		{"block", func(ctx context.Context, m *onnx.Model) error { return layOut(ctx, m, t.Block, t.Threads) }},
	}
}
