package statedict

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// Way is how the weights of a network can go home once it is trained, as far as its file shows that before.
type Way struct {
	ByName bool   `json:"by_name"`          // by the names in the file, without a reference
	Reason string `json:"reason,omitempty"` // why not
	// Lost are weights that cannot go home at all where they are trained, with the layers that read them.
	Lost []string `json:"lost,omitempty"`
}

// WayHome tells the way home of a network. frozen names initializers that no training changes.
func WayHome(m *onnx.Model, frozen []string) Way {
	m = m.Widened()
	layers, err := layersOf(m, nil, true)
	if err != nil {
		return Way{Reason: err.Error()}
	}
	var way Way
	parameters := parametersOf(m.Graph)
	for _, l := range layers {
		if c := l.weight; computed(l, func(string) bool { return false }) && !slices.Contains(frozen, c.name) {
			if what := fmt.Sprintf("%q of %v", c.name, l); !slices.Contains(way.Lost, what) {
				way.Lost = append(way.Lost, what)
			}
		}
	}
	for _, d := range derivedOf(m.Graph) {
		if !slices.Contains(frozen, d.weight) {
			way.Lost = append(way.Lost, d.String())
		}
	}
	named := 0
	for _, l := range layers {
		names, err := ownNames(l, parameters)
		if err != nil {
			way.Reason = err.Error()
			return way
		}
		named += len(names)
	}
	if way.ByName = named > 0; !way.ByName {
		way.Reason = fmt.Sprintf("it has no weights by PyTorch's names: it %v", ErrNeedsReference)
	}
	return way
}

// Warning says before a training what Export would refuse after it; "" where that is nothing.
func (w Way) Warning() string {
	if len(w.Lost) == 0 {
		return ""
	}
	return fmt.Sprintf("once trained its weights do not go home to PyTorch: the exporter computed %s of several tensors, %s. %s",
		onnx.Enumerate(w.Lost, ", "), asParametrizations, keptApart)
}

// refuseComputed refuses weights that an exporter computed of several tensors, and that were trained or may have been. One of the
// tensors may have held the same values before, as original1 of weight_norm does: it would be taken for the weight, and the module
// would compute another one of it.
func (r *reference) refuseComputed(g *onnx.Graph, layers []*layer, o Options) error {
	var lost []string
	known := func(name string) bool { return r.byName[r.find(name)] != nil }
	for _, d := range derivedOf(g) {
		if o.Parent == nil && !slices.Contains(o.Frozen, d.weight) || o.Parent != nil && changedSince(o.Parent.Graph, g, d.weight) {
			lost = append(lost, d.String())
		}
	}
	for _, l := range layers {
		if !computed(l, known) {
			continue
		}
		if o.Parent != nil && l.weight.changed() || o.Parent == nil && !slices.Contains(o.Frozen, l.weight.name) {
			lost = append(lost, fmt.Sprintf("%q of %v", l.weight.name, l))
		}
	}
	switch {
	case len(lost) == 0:
		return nil
	case o.Parent == nil:
		return fmt.Errorf("%w: the exporter computed %s of several tensors, %s. If training left it alone, give the file before fine-tuning with --parent. Else: %s",
			ErrUnknown, onnx.Enumerate(lost, ", "), asParametrizations, keptApart)
	}
	return fmt.Errorf("%w: the exporter computed %s of several tensors, %s, and training changed it, or what it was computed of. %s",
		ErrUnknown, onnx.Enumerate(lost, ", "), asParametrizations, keptApart)
}

// derived is a constant that the older exporter computed beforehand, and that multiplies or divides a weight: the norm of a weight
// that is normalised in every pass. PyTorch computes it anew of the trained weight, the file keeps it.
type derived struct {
	node             *onnx.Node
	constant, weight string
}

func (d derived) String() string {
	return fmt.Sprintf("%q (by which %v scales %q)", d.constant, d.node, d.weight)
}

// derivedOf finds them by their names: what the older exporter folds is called onnx::OPERATOR_NUMBER, and no tensor of a module is.
func derivedOf(g *onnx.Graph) (found []derived) {
	index := g.Index()
	several := func(name string) bool {
		t := index.Initializers[name]
		if t == nil {
			return false
		}
		n, err := t.Elements()
		return err == nil && n > 1
	}
	for _, n := range g.Nodes {
		if !n.IsOp("Mul", "Div") || !several(n.Input(0)) || !several(n.Input(1)) {
			continue
		}
		for i := range 2 {
			if strings.HasPrefix(n.Input(i), "onnx::") && !strings.HasPrefix(n.Input(1-i), "onnx::") {
				found = append(found, derived{n, n.Input(i), n.Input(1 - i)})
			}
		}
	}
	return found
}

// changedSince reports whether an initializer has other values than it had before the training.
func changedSince(before, after *onnx.Graph, name string) bool {
	a, b := before.Initializer(name), after.Initializer(name)
	return a == nil || b == nil || !bytes.Equal(a.Raw, b.Raw)
}

// What is said of weights that are computed of several tensors, or of one that is standardised or normalised, and what to do about them.
const (
	asParametrizations = "as for weight_norm, spectral_norm and other parametrizations, and for layers that standardise or normalise their weight in forward, which cannot be taken apart again"
	keptApart          = "Export with torch.onnx.export(…, optimize=False), which leaves that arithmetic in the file, so that the tensors themselves are trained; or without it (torch.nn.utils.parametrize.remove_parametrizations, remove_weight_norm). Fine-tune that"
)

// result matches the names that torch.export gives to the results of arithmetic.
var result = regexp.MustCompile(`^(mul|div)(_\d+)?$`)

// plain matches the name of a value of torch.export's own graph.
var plain = regexp.MustCompile(`^\w+$`)

// computed reports whether a layer's weight is what an exporter computed of several tensors. torch.export notes what a node reads: a
// parameter as %p_NAME, a result by its own name. Where a BatchNorm was folded in as well, the note is of that: then a name without a dot is a
// result's, unless the module is known to have a parameter of it.
func computed(l *layer, known func(name string) bool) bool {
	if l.kind != product || l.weight == nil {
		return false
	}
	name := l.weight.names[len(l.weight.names)-1] // before untying: a copy is of the same tensors
	if !plain.MatchString(name) {                 // a tensor of a module has a dot in its name
		return false
	}
	if result.MatchString(name) || l.folded && !known(name) {
		return true
	}
	read := regexp.MustCompile(`[(, ]%` + name + `[,)]`) // name has nothing that is special
	for _, n := range l.nodes {
		if text, ok := n.MetadataValue("pkg.torch.onnx.fx_node"); ok && read.MatchString(text) {
			return true
		}
	}
	return false
}
