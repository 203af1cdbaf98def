package trainer

import (
	"fmt"

	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
)

// Export is parent with the values of parameters. It differs from parent only in these initializers and in metadata, and shares
// the bytes of all others. For tensors that the parent has once for several layers see onnx.WithInitializers.
func Export(parent *onnx.Model, parameters []engine.Parameter, metadata []onnx.Metadata) (*onnx.Model, error) {
	values := make(map[string][]float32, len(parameters))
	for _, p := range parameters {
		values[p.Name] = p.Value
	}
	out, err := onnx.WithInitializers(parent, values, metadata)
	if err != nil {
		return nil, fmt.Errorf("exporting: %w", err)
	}
	return out, nil
}

// extractorTrained is the metadata of a file whose extractor is not its parent's.
func extractorTrained(what string) onnx.Metadata {
	return onnx.Metadata{Key: network.ExtractorTrained, Value: what}
}
