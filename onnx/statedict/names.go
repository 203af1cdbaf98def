package statedict

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

var (
	// torchName is what a tensor of a state_dict is called: modules, then the tensor.
	torchName = regexp.MustCompile(`^[A-Za-z_]\w*(\.\w+)*$`)
	// madeName matches the names of tensors that exporters made themselves.
	madeName = regexp.MustCompile(`^(val|const|_?tensor_constant|lifted_tensor|c_lifted_tensor|[a-z]+)_?\d+$|_const`)
	// rewritten matches the names that torch.export gives to a node made of several.
	rewritten = regexp.MustCompile(`^node_(Conv|ConvTranspose|Gemm)_\d+$`)
)

// byNames is the state_dict of a network that has all of PyTorch's names: every BatchNorm is kept, and no layer has another's tensor.
func byNames(layers []*layer, parameters map[string]bool) (Dict, *Report, error) {
	w := &writing{matcher: &matcher{homes: map[*layer]*home{}}, values: map[string][]float32{}, from: map[string]*layer{}}
	tensors := map[string]*onnx.Tensor{}
	var order []string
	put := func(l *layer, name string, values []float32, dims []int64) error {
		if err := w.put(name, values, l); err != nil {
			return err
		}
		if tensors[name] == nil {
			order = append(order, name)
			tensors[name] = &onnx.Tensor{Name: name, Type: onnx.Float, Dims: dims, Raw: raw(values)}
		}
		return nil
	}
	for _, l := range layers {
		names, err := ownNames(l, parameters)
		if err != nil {
			return nil, nil, err
		}
		for i, c := range l.constants() {
			values, err := c.value.Float32s()
			if err != nil {
				return nil, nil, err
			}
			dims := c.value.Dims
			if l.kind == product && i == 0 {
				values, dims = l.torchOrder(c.value)
			}
			if l.kind == loose && ofGroupNorm(l.nodes[0]) {
				dims = long(dims)
			}
			if err := put(l, names[i], values, dims); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(order) == 0 {
		return nil, nil, fmt.Errorf("it has no weights by PyTorch's names: it %w", ErrNeedsReference)
	}
	report := &Report{Tensors: len(order), Trained: order, Epsilon: []float64{}, Kept: []string{}, Rescale: []string{}}
	d := make(Dict, len(order))
	for i, name := range order {
		d[i] = tensors[name]
	}
	return d, report, nil
}

// ofGroupNorm reports whether a node is part of a GroupNorm, whose parameters torch.export writes as (C,1,1). PyTorch has (C).
func ofGroupNorm(n *onnx.Node) bool {
	text, _ := n.MetadataValue("pkg.torch.onnx.fx_node")
	return n.IsOp("Mul", "Add") && strings.Contains(text, "group_norm")
}

// ownNames are the names that a layer's tensors have without a reference, in their order; the error wraps ErrNeedsReference. A bias that
// the exporter added is taken from the layer.
func ownNames(l *layer, parameters map[string]bool) ([]string, error) {
	if l.kind == product && l.bias != nil && l.bias.own && madeName.MatchString(l.bias.name) {
		if values, err := l.bias.value.Float32s(); err == nil && zeros(values) { // what torch.export gives a convolution that has none
			l.bias = nil
		}
	}
	if err := keptAsItWas(l); err != nil {
		return nil, err
	}
	names, err := namesOf(l)
	if err != nil {
		return nil, err
	}
	for i, c := range l.constants() {
		if c.copied && names[i] != c.names[len(c.names)-1] && !parameters[underscored(names[i])] {
			return nil, fmt.Errorf("%v was trained apart from another layer that read %q too, and the file does not show that the module has a tensor %q of its own: it %w",
				l, c.names[len(c.names)-1], names[i], ErrNeedsReference)
		}
		if name := names[i]; !torchName.MatchString(name) || !strings.Contains(name, ".") && madeName.MatchString(name) {
			return nil, fmt.Errorf("%v reads %q, which is no name of PyTorch's: it %w", l, name, ErrNeedsReference)
		}
	}
	return names, nil
}

// keptAsItWas refuses a layer into which a BatchNorm may have been folded. torch.export keeps the convolution's name for the
// folded weight: loaded by that name, the BatchNorm would be applied twice.
func keptAsItWas(l *layer) error {
	if l.kind != product || l.bias == nil && !l.folded || !slices.ContainsFunc(l.nodes, func(n *onnx.Node) bool { return !n.IsOp("MatMul") }) { // exporters fold into no MatMul
		return nil
	}
	suspect := l.folded
	if l.after == nil && !l.kept {
		for _, n := range l.nodes {
			out := n.Output(0)
			suspect = suspect || !slices.ContainsFunc(l.bias.names, func(name string) bool { return strings.HasSuffix(name, dotBias) }) ||
				rewritten.MatchString(n.Name) || strings.HasPrefix(out, "getitem") || strings.Contains(out, "batch_norm") || n.Name == ""
		}
	}
	if suspect {
		return fmt.Errorf("%v seems to hold a folded BatchNorm, under the layer's own name: it %w", l, ErrNeedsReference)
	}
	return nil
}

// namesOf are PyTorch's names for a layer's constants, in their order.
func namesOf(l *layer) ([]string, error) {
	list := l.constants()
	names := make([]string, len(list))
	suffixes := [][]string{product: {dotWeight, dotBias}, batchNorm: normParts, loose: {""}}[l.kind]
	var modules []string
	add := func(module string) {
		if module != "" && !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	if len(l.nodes) > 1 && len(l.scopes) == 0 {
		return nil, fmt.Errorf("%v and %v read the same tensors (%s), and whether they are one module is not told: it %w", l, l.nodes[1], list[0].name, ErrNeedsReference)
	}
	if l.kind == loose {
		c := l.weight
		switch {
		case c.own:
			names[0] = c.names[len(c.names)-1]
		case len(c.names) > 1 && c.names[0] != c.name: // what an Identity calls it
			names[0] = c.names[0]
		case len(l.scopes) == 1 && l.role != "":
			names[0] = l.scopes[0] + "." + l.role
		default:
			return nil, fmt.Errorf("%v reads %q, which other layers had too: it %w", l, c.name, ErrNeedsReference)
		}
		return names, nil
	}
	for i, c := range list {
		for _, name := range c.names {
			if module, ok := strings.CutSuffix(name, suffixes[i]); ok && (c.own || name != c.names[len(c.names)-1]) {
				add(module)
			}
		}
	}
	for _, scope := range l.scopes { // of a node from another module, such as a function's, the tensors' own names say more
		if len(modules) == 0 {
			add(scope)
		}
	}
	if len(modules) != 1 {
		return nil, fmt.Errorf("which module %v is cannot be told from the names of its tensors (%s): it %w", l, list[0].name, ErrNeedsReference)
	}
	for i, c := range list {
		names[i] = modules[0] + suffixes[i]
		if !c.own || slices.Contains(c.names, names[i]) {
			continue
		}
		if !torchName.MatchString(c.name) || madeName.MatchString(c.name) {
			return nil, fmt.Errorf("%v reads %q, a name that the exporter made, as it does for transposed, merged and constant ones; the file does not tell which tensor of the module %q that is: it %w",
				l, c.name, modules[0], ErrNeedsReference)
		}
		return nil, fmt.Errorf("%v of the module %q reads %q, which is not its %s: it %w", l, modules[0], c.name, suffixes[i][1:], ErrNeedsReference)
	}
	return names, nil
}
