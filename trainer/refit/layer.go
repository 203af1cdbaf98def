package refit

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// ErrNoLayer says that the class scores of a perception branch are not made by one linear layer of its own.
var ErrNoLayer = errors.New("its class scores do not come from one linear layer")

// Layer is the last linear layer of a perception branch.
type Layer struct {
	Weight string // the initializer, [K, D] or, if Transposed, [D, K]
	Bias   string // the initializer, [K]; "": none

	Transposed bool
	Inputs     int // D
	Classes    int // K

	// Graph makes the layer's input, [N, D] or [N, D, 1, 1], of features [N, C, h, w]. Its input is onnx.PortFeatures, its first output
	// Output; the others are those of the branches.
	Graph  *onnx.Model
	Output string
	conv   bool
}

// OutputDims are the dims of Output for n images.
func (l *Layer) OutputDims(n int) []int64 {
	if l.conv {
		return []int64{int64(n), int64(l.Inputs), 1, 1}
	}
	return []int64{int64(n), int64(l.Inputs)}
}

// Find finds the last layer of a network's perception branch: a Gemm, a MatMul with or without an Add, or a 1×1 Conv of one cell,
// behind which nothing but the shape changes, with weights that no other layer reads. ErrNoLayer says what it is instead.
func Find(abn *onnx.ABN) (*Layer, error) {
	f := finder{index: abn.Branches.Graph.Index()}
	l := &Layer{Classes: abn.Classes}
	value := f.scores(onnx.PortLogitsPer)
	n := f.index.Producer[value]
	if n != nil && n.IsOp("Add") {
		for i := range 2 {
			if bias, _, ok := f.weight(n, i); ok && f.index.Initializers[bias] != nil && elements(f.index.Initializers[bias]) == l.Classes {
				l.Bias = bias
				n = f.index.Producer[f.scores(n.Input(1-i))]
				break
			}
		}
	}
	var weight int
	switch {
	case n == nil:
		return nil, ErrNoLayer
	case n.IsOp("Gemm") && l.Bias == "" && n.AttrFloat("alpha", 1) == 1 && n.AttrFloat("beta", 1) == 1 && n.AttrInt("transA", 0) == 0:
		l.Transposed = n.AttrInt("transB", 0) == 0
		weight = 1
	case n.IsOp("Conv") && l.Bias == "" && n.AttrInt("group", 1) == 1:
		weight = 1
	case n.IsOp("MatMul"):
		l.Transposed, weight = true, 1
	default:
		return nil, fmt.Errorf("%w: they come from %v", ErrNoLayer, n)
	}
	if n.IsOp("Gemm", "Conv") && n.Input(2) != "" {
		bias, _, ok := f.weight(n, 2)
		if !ok || elements(f.index.Initializers[bias]) != l.Classes {
			return nil, fmt.Errorf("%w: the bias of %v is not its own", ErrNoLayer, n)
		}
		l.Bias = bias
	}
	name, turned, ok := f.weight(n, weight)
	if !ok {
		return nil, fmt.Errorf("%w: the weights of %v are computed, or another layer has them too", ErrNoLayer, n)
	}
	l.Weight = name
	if turned {
		l.Transposed = !l.Transposed
	}
	size := elements(f.index.Initializers[name])
	if l.Inputs = size / l.Classes; l.Inputs == 0 || l.Inputs*l.Classes != size || n.IsOp("Conv") && !unitKernel(f.index.Initializers[name].Dims, l.Inputs) {
		return nil, fmt.Errorf("%w: the weights of %v are %v for %d classes", ErrNoLayer, n, f.index.Initializers[name].Dims, l.Classes)
	}
	l.Output, l.conv = n.Input(0), n.IsOp("Conv")
	shape := onnx.BatchOf(int64(l.Inputs))
	if l.conv {
		shape = onnx.BatchOf(int64(l.Inputs), 1, 1)
	}
	l.Graph = abn.Branches.Clone()
	l.Graph.Graph.Outputs = append([]*onnx.ValueInfo{onnx.NewValue(l.Output, onnx.Float, shape)}, l.Graph.Graph.Outputs...)
	return l, nil
}

// Set writes the layer's values into parameters by name; ok is false where weights or bias are not among them.
func (l *Layer) Set(parameters map[string][]float32, fitted Linear) (ok bool) {
	weight, bias := parameters[l.Weight], parameters[l.Bias]
	if len(weight) != len(fitted.Weight) || len(bias) != len(fitted.Bias) {
		return false
	}
	copy(bias, fitted.Bias)
	for k := range l.Classes {
		for d := range l.Inputs {
			at := k*l.Inputs + d
			if l.Transposed {
				at = d*l.Classes + k
			}
			weight[at] = fitted.Weight[k*l.Inputs+d]
		}
	}
	return true
}

type finder struct{ index *onnx.Index }

// scores goes back from a value over nodes that change nothing but the shape.
func (f finder) scores(value string) string {
	for n := f.index.Producer[value]; n != nil && n.IsOp("Identity", "Flatten", "Reshape", "Squeeze"); n = f.index.Producer[value] {
		value = n.Input(0)
	}
	return value
}

// weight is the initializer that an input of a node comes from, and whether it is read transposed; ok is false if it is computed
// or read by another node too.
func (f finder) weight(n *onnx.Node, input int) (name string, transposed, ok bool) {
	name = n.Input(input)
	for len(f.index.Consumers[name]) == 1 {
		if f.index.Initializers[name] != nil {
			return name, transposed, true
		}
		made := f.index.Producer[name]
		switch {
		case made == nil:
			return name, false, false
		case made.IsOp("Transpose"):
			transposed = !transposed
		case !made.IsOp("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"):
			return name, false, false
		}
		name = made.Input(0)
	}
	return name, false, false
}

func elements(t *onnx.Tensor) int {
	n, err := t.Elements()
	if err != nil {
		return 0
	}
	return int(n)
}

// unitKernel says whether dims are [K, D, 1, 1].
func unitKernel(dims []int64, inputs int) bool {
	return len(dims) == 4 && dims[1] == int64(inputs) && dims[2] == 1 && dims[3] == 1
}
