package gradient

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// ErrUnsupported says that a graph cannot be differentiated; an *UnsupportedError names the nodes.
var ErrUnsupported = errors.New("graph cannot be differentiated")

// Reason names a node that stands between a trained value and the loss and cannot be differentiated.
type Reason struct {
	Node string `json:"node"` // the node's name, or its first output's where it has none
	Op   string `json:"op"`
	Why  string `json:"why"`
}

func (r Reason) String() string {
	if r.Node == "" && r.Op == "" { // about the graph as a whole
		return r.Why
	}
	return fmt.Sprintf("%s (%s): %s", r.Node, r.Op, r.Why)
}

// UnsupportedError lists all nodes that keep a graph from being differentiated.
type UnsupportedError struct{ Reasons []Reason }

func (e *UnsupportedError) Error() string {
	lines := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		lines[i] = r.String()
	}
	return ErrUnsupported.Error() + ": " + onnx.Enumerate(lines, "; ")
}

// Unwrap makes errors.Is(err, ErrUnsupported) hold.
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// Unsupported lists, in the graph's order, the nodes that keep outputs from being differentiated by wrt; none if outputs can be.
// The model is not changed. An error means that the model itself cannot be read: its operator set or its shapes.
func Unsupported(ctx context.Context, m *onnx.Model, outputs, wrt []string) ([]Reason, error) {
	b, err := newBuilder(ctx, m.Clone(), wrt)
	if err != nil {
		return nil, err
	}
	for _, output := range outputs {
		if b.depends[output] {
			// The seed's value does not matter, since nothing is run.
			b.give(output, output)
		}
	}
	err = b.walk(ctx)
	return b.reasons, err
}
