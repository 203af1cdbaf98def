package step

import (
	"context"

	"github.com/abn-studio/studio/onnx"
)

// What tests see that run graphs on the runtime, beside an engine that imports this package.

func Simplify(ctx context.Context, m *onnx.Model) error { return simplify(ctx, m) }

// InBlocks writes images in blocks of channels.
func InBlocks(ctx context.Context, m *onnx.Model, t Target) (*onnx.Model, error) {
	return rewrite(ctx, m, t.blockPasses(), nil)
}
