package trainer

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// Export is parent with the values of parameters, in memory. It differs from parent in these
// initializers (and in the metadata given) only, and shares the bytes of all others with it.
func Export(parent *onnx.Model, parameters []Parameter, metadata []onnx.Metadata) (*onnx.Model, error) {
	out := parent.Clone()
	for _, p := range parameters {
		t := out.Graph.Initializer(p.Name)
		if t == nil {
			return nil, fmt.Errorf("exporting: the parent has no initializer %s", p.Name)
		}
		if n, err := t.Elements(); err != nil || n != int64(len(p.Value)) || t.Type != onnx.Float {
			return nil, fmt.Errorf("exporting %s: %d float32 values for the parent's %v: %w", p.Name, len(p.Value), t.Dims, onnx.ErrShape)
		}
		t.SetFloat32s(p.Value)
	}
	for _, e := range metadata {
		out.SetMetadata(e.Key, e.Value)
	}
	return out, nil
}
