package activation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// ErrNoCAM says that CAM is not defined for a branch; a *HeadError names the node.
var ErrNoCAM = errors.New("CAM is not possible")

// HeadError names the node between a branch's logits and a global average pool that CAM cannot pass.
type HeadError struct {
	Branch   Branch
	Node, Op string // "" if no node makes the logits
	Why      string
}

func (e *HeadError) Error() string {
	at := ""
	if e.Op != "" {
		at = fmt.Sprintf("%s (%s): ", e.Node, e.Op)
	}
	return fmt.Sprintf("%v for the %s branch: %s%s. CAM needs a global average pool and a linear head; Grad-CAM needs neither",
		ErrNoCAM, e.Branch, at, e.Why)
}

// Unwrap makes errors.Is(err, ErrNoCAM) hold.
func (e *HeadError) Unwrap() error { return ErrNoCAM }

// head is the end of a branch: logits = weights·mean(pooled) + bias.
type head struct {
	pooled  string    // A [N,C,h,w], what the global average pool reads
	weights []float32 // [K,C]; nil if the averages are the logits, K = C
}

// head follows the logits back to the global average pool, multiplying the linear operators on the way.
func (b *branch) head(ctx context.Context) (*head, error) {
	classes := b.parts.Classes
	h, width, layers := &head{}, classes, 0 // width: the columns of weights so far
	for value := b.logits; ; {
		n := b.index.Producer[value]
		if n == nil {
			return nil, &HeadError{Branch: b.name, Why: fmt.Sprintf("%q is not made by a global average pool", b.fileName(value))}
		}
		if b.poolsGlobally(n) {
			h.pooled = n.Input(0)
			return h, nil
		}
		next, factor, err := b.linear(n, width)
		if err != nil {
			name := n.Name
			if name == "" {
				name = n.Output(0)
			}
			return nil, &HeadError{Branch: b.name, Node: name, Op: n.Op, Why: err.Error()}
		}
		if factor != nil {
			if layers++; layers > maxLayers {
				return nil, &HeadError{Branch: b.name, Why: fmt.Sprintf("it has more than %d linear layers", maxLayers)}
			}
			if h.weights, err = times(ctx, h.weights, factor, classes, width); err != nil {
				return nil, err
			}
			width = len(factor) / width
		}
		value = next
	}
}

// maxLayers bounds the linear layers of a head, one after the other. More than one could be written as one.
const maxLayers = 8

// times is the product [rows,inner]·[inner,columns], summed in float64; a nil left side is the identity.
func times(ctx context.Context, left, right []float32, rows, inner int) ([]float32, error) {
	if left == nil {
		return right, nil
	}
	columns := len(right) / inner
	out := make([]float32, rows*columns)
	for r := range rows {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for c := range columns {
			var sum float64
			for i := range inner {
				sum += float64(left[r*inner+i]) * float64(right[i*columns+c])
			}
			out[r*columns+c] = float32(sum)
		}
	}
	return out, nil
}

// poolsGlobally reports whether a node averages all cells of a value (N,C,h,w).
func (b *branch) poolsGlobally(n *onnx.Node) bool {
	_, h, w, ok := b.sizes(n.Input(0))
	if !ok {
		return false
	}
	switch {
	case n.IsOp("GlobalAveragePool"):
		return true
	case n.IsOp("ReduceMean"):
		axes := n.AttrInts("axes")
		if list, ok := b.inferred.Ints(n.Input(1)); ok { // an input since operator set 18
			axes = list
		}
		axes = slices.Clone(axes)
		for i, a := range axes {
			axes[i] = (a + 4) % 4
		}
		slices.Sort(axes)
		return slices.Equal(axes, []int64{2, 3})
	case n.IsOp("AveragePool"):
		pads := n.AttrInts("pads")
		return slices.Equal(n.AttrInts("kernel_shape"), []int64{int64(h), int64(w)}) &&
			!slices.ContainsFunc(pads, func(p int64) bool { return p != 0 }) &&
			slices.Contains([]string{"NOTSET", "VALID"}, n.AttrStr("auto_pad", "NOTSET"))
	}
	return false
}

// linear goes back past one node of a head, which maps rows of numbers to rows of width numbers. next is its input; factor
// [width,columns] is what it multiplies by, nil if it multiplies by nothing.
func (b *branch) linear(n *onnx.Node, width int) (next string, factor []float32, err error) {
	switch {
	case n.IsOp("Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze"):
		if _, rows, columns, ok := b.sizes(n.Input(0)); ok && rows*columns > 1 {
			return "", nil, fmt.Errorf("it lays %d×%d cells side by side, so that the head weights each cell by itself", rows, columns)
		}
		if in, ok := b.rowLength(n.Input(0)); !ok || in != width {
			return "", nil, fmt.Errorf("it makes rows of %d numbers of %v", width, b.inferred.Shape(n.Input(0)))
		}
		return n.Input(0), nil, nil
	case n.IsOp("Add", "Sub"): // a bias, which is the same at all places
		if b.inferred.Constant(n.Input(1)) != nil {
			return n.Input(0), nil, nil
		}
		if b.inferred.Constant(n.Input(0)) != nil && n.Op == "Add" {
			return n.Input(1), nil, nil
		}
		return "", nil, errors.New("it adds two values that both depend on the image")
	case n.IsOp("Gemm"):
		if n.AttrInt("transA", 0) != 0 {
			return "", nil, errors.New("it transposes what it reads")
		}
		transposed := n.AttrInt("transB", 0) == 0 // stored as [columns,width]
		return b.multiplied(n, width, transposed, n.AttrFloat("alpha", 1))
	case n.IsOp("MatMul"):
		return b.multiplied(n, width, true, 1)
	case n.IsOp("Conv"):
		if _, h, w, ok := b.sizes(n.Input(0)); !ok || h*w != 1 {
			return "", nil, errors.New("no global average pool follows it")
		}
		t := b.inferred.Constant(n.Input(1))
		if n.AttrInt("group", 1) != 1 || t == nil || len(t.Dims) != 4 || t.Dims[2]*t.Dims[3] != 1 {
			return "", nil, errors.New("it is no 1×1 convolution of all channels")
		}
		return b.multiplied(n, width, false, 1)
	}
	return "", nil, errors.New("it is neither a global average pool nor part of a linear head")
}

// multiplied reads a node's second input as the factor [width,columns].
func (b *branch) multiplied(n *onnx.Node, width int, transposed bool, scale float32) (string, []float32, error) {
	t := b.inferred.Constant(n.Input(1))
	if t == nil {
		return "", nil, errors.New("its weights are computed while the network runs")
	}
	stored, err := t.Float32s()
	if err != nil {
		return "", nil, fmt.Errorf("its weights can't be read: %w", err)
	}
	rows, ok := b.rowLength(n.Input(0))
	if !ok || rows*width != len(stored) {
		return "", nil, fmt.Errorf("its %d weights don't take rows of %v to rows of %d", len(stored), b.inferred.Shape(n.Input(0)), width)
	}
	factor := make([]float32, len(stored))
	for k := range width {
		for c := range rows {
			at := k*rows + c
			if transposed {
				at = c*width + k
			}
			factor[k*rows+c] = scale * stored[at]
		}
	}
	return n.Input(0), factor, nil
}

// rowLength is how many numbers a value has for each image.
func (b *branch) rowLength(value string) (int, bool) {
	s := b.inferred.Shape(value)
	if len(s) < 2 || s[0].Name != onnx.BatchName {
		return 0, false
	}
	length := int64(1)
	for _, d := range s[1:] {
		if !d.Known() {
			return 0, false
		}
		length *= d.Size
	}
	return int(length), true
}
