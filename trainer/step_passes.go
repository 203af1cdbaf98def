package trainer

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// pass is one rewriting of a graph on its way to the runtime. Run changes the model it is given.
type pass struct {
	Name string
	Run  func(ctx context.Context, m *onnx.Model) error
}

// rewrite runs passes over a model in their order. after, where it is not nil, sees the graph behind each.
func rewrite(ctx context.Context, m *onnx.Model, passes []pass, after func(pass string, m *onnx.Model)) error {
	for _, p := range passes {
		if err := p.Run(ctx, m); err != nil {
			return err
		}
		if after != nil {
			after(p.Name, m)
		}
	}
	return nil
}

// Print compiles the training step of an ABN and writes its graph behind each pass to w, a node a line. It is for who works on
// the passes: what one of them did is the difference between two of its sections. portable keeps to standard operators, as
// ORTOptions.Portable does.
func Print(ctx context.Context, w io.Writer, abn *onnx.ABN, s recipe.Settings, portable bool) error {
	t := ORTOptions{Portable: portable}.target()
	_, err := buildStep(ctx, sourceOf(abn, s.Strategy), s, t, func(pass string, m *onnx.Model) {
		fmt.Fprintf(w, "# %s: %d nodes, %d constants\n", pass, len(m.Graph.Nodes), len(m.Graph.Initializers))
		for _, n := range m.Graph.Nodes {
			op := n.Op
			if n.Domain != "" {
				op = n.Domain + "." + op
			}
			fmt.Fprintf(w, "%s = %s(%s)\n", strings.Join(n.Outputs, ", "), op, strings.Join(n.Inputs, ", "))
		}
	})
	return err
}

// raise writes a graph in the operator set that gradients are written for.
func raise(_ context.Context, m *onnx.Model) error { return gradient.Raise(m) }

// blockPasses write images in blocks of channels, where the target has them: last, since no pass knows of blocks.
func (t target) blockPasses() []pass {
	if t.block == 0 {
		return nil
	}
	return []pass{
		{"fuse", func(ctx context.Context, m *onnx.Model) error { return fuseBlocked(ctx, m, t.block) }},
		{"block", func(ctx context.Context, m *onnx.Model) error { return layOut(ctx, m, t.block, t.threads) }},
	}
}
