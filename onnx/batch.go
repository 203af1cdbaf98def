package onnx

import (
	"fmt"
	"slices"
)

// openBatch gives the image input a symbolic batch axis "N". In a file that was exported for one batch size
// the Reshape nodes that repeat that size copy their input's first axis instead; it returns the size, 0 where the
// batch was open already. Nodes keep their places.
func openBatch(m *Model, image *ValueInfo) (fixed int64, err error) {
	batch := image.Shape[0]
	if !batch.Known() {
		image.Shape[0] = Batch()
		return 0, nil
	}
	before, err := Infer(m, nil) // with the file's own size
	if err != nil {
		return 0, err
	}
	image.Shape[0] = Batch()
	varying := map[string]bool{image.Name: true}
	for _, n := range m.Graph.Nodes {
		if !slices.ContainsFunc(n.Inputs, func(in string) bool { return varying[in] }) {
			continue
		}
		for _, out := range n.Outputs {
			varying[out] = true
		}
		if !n.IsOp("Reshape") || !varying[n.Input(0)] || n.AttrInt("allowzero", 0) != 0 {
			continue
		}
		x, target := before.Shape(n.Input(0)), before.Constant(n.Input(1))
		if len(x) == 0 || x[0] != batch || target == nil {
			continue
		}
		sizes, err := target.Int64s()
		if err != nil || len(sizes) == 0 || sizes[0] != batch.Size {
			continue
		}
		sizes[0] = 0 // Reshape's way of saying: as it is in the input
		name := fmt.Sprintf("%s/open_batch_shape", n.Output(0))
		m.Graph.Initializers = append(m.Graph.Initializers, NewInt64(name, []int64{int64(len(sizes))}, sizes))
		n.Inputs[1] = name
	}
	return batch.Size, nil
}
