package bench

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// openNetwork opens an ABN on the runtime. name is what errors call it.
func openNetwork(ctx context.Context, name string, model *onnx.Model, manifest manifest.Manifest, threads int) (*inference.Network, error) {
	opened, err := network.Open(ctx, model, manifest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ready, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: threads}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return ready, nil
}
