package statedict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// account checks what is left over: constants of the graph that are no tensor of the reference, and float tensors of the
// reference that the graph does not read. Either could mean that the state_dict is another network's.
//
// One kind alone is allowed: networks have constants of their own, and modules have tensors that an exported network does not
// use. If there are both, the exporter may have made one from the other in a way that is not known here. Then only the parent can
// show that training changed none of them.
func (w *writing) account(o Options) error {
	used := map[string]bool{}
	for _, h := range w.homes {
		for _, name := range h.names() {
			used[name] = true
		}
	}
	for _, t := range w.ref.dict {
		if !used[t.Name] && t.Type.IsFloat() && elements(t) > 0 {
			w.report.Kept = append(w.report.Kept, t.Name)
		}
	}
	var left, trained []string
	for _, l := range w.layers {
		if h := w.homes[l]; h != nil {
			if first := l.constants()[0]; o.Parent == nil && !h.exact && slices.Contains(o.Frozen, first.name) {
				return fmt.Errorf("%w: %v, which no fine-tuning changes, is not what the reference's %s gives: the network was exported from another state_dict, or its extractor was trained too; then give the file before training with --parent%s",
					ErrUnknown, l, h.name(), w.ref.doubt)
			}
			continue
		}
		if name := w.byName(l); o.Parent != nil && name != "" && l.changed() {
			return fmt.Errorf("%w: %v is the reference's %s by its name, and the parent's values are not what the reference gives, alone or with a BatchNorm folded in: it was exported from another state_dict%s", ErrUnknown, l, name, w.ref.doubt)
		}
		for _, c := range l.constants() {
			what := fmt.Sprintf("%s of %v", c.name, l)
			if !slices.Contains(left, what) {
				left = append(left, what)
			}
			if o.Parent != nil && c.changed() || o.Parent == nil && !slices.Contains(o.Frozen, c.name) {
				trained = append(trained, what)
			}
		}
	}
	switch {
	case len(trained) > 0 && o.Parent != nil:
		return fmt.Errorf("%w: training changed %s, which is no tensor of the reference. Exporters compute weights of several tensors, %s. %s",
			ErrUnknown, onnx.Enumerate(trained, ", "), asParametrizations, keptApart)
	case o.Parent != nil && !slices.ContainsFunc(w.layers, func(l *layer) bool { return w.homes[l] == nil && l.kind != loose }):
		return nil
	case o.Parent != nil && len(w.report.Kept) > 0:
		return fmt.Errorf("%w: %s of the parent is no tensor of the reference, which has %s beside: the parent is not the file that was exported from it, or in a way that is not known here",
			ErrUnknown, onnx.Enumerate(left, ", "), onnx.Enumerate(w.report.Kept, ", "))
	case o.Parent != nil:
		return nil
	case len(left) > 0 && len(w.report.Kept) > 0:
		return fmt.Errorf("%w: %s of the network's constants are none of the reference's tensors (%s), and the reference's %s are not found in the network: give the file before fine-tuning with --parent, which shows whether training changed them",
			ErrUnknown, fmt.Sprint(len(left)), onnx.Enumerate(left, ", "), onnx.Enumerate(w.report.Kept, ", "))
	case len(trained) > 0:
		return fmt.Errorf("%w: %s is no tensor of the reference, and training may have changed it: give the file before fine-tuning with --parent", ErrUnknown, onnx.Enumerate(trained, ", "))
	}
	return nil
}

// byName is the tensor of the reference that a layer's first constant has the name and shape of; "" if there is none.
func (w *writing) byName(l *layer) string {
	first := l.constants()[0]
	dims := first.value.Dims
	if l.kind == product {
		_, dims = l.torchOrder(first.value)
	}
	for _, name := range w.named(first) {
		if slices.Equal(w.ref.byName[name].Dims, dims) {
			return name
		}
	}
	return ""
}

// doubtOf is why a network's values may not be those of the state_dict that a person believes it was exported from; "" if nothing is known.
func doubtOf(m *onnx.Model) string {
	if m.InTrainingMode() {
		return ". The file was exported in training mode, in which the exporter's own run of the module moves its running statistics: give the state_dict as it was after torch.onnx.export, or none"
	}
	if m.Widened() != m {
		return ". The file stores weights in float16 or bfloat16, and the reference's are not rounded so: fine-tune the float32 file that it was made from"
	}
	return ""
}

// twins is for a module that has two names in the reference, of which the network reads the first. The second gets the same
// values, since load_state_dict loads both.
func (w *writing) twins() error {
	type pair struct{ from, to string }
	var modules []pair
	for _, name := range w.report.Kept {
		values := w.ref.floats(name)
		if !slices.ContainsFunc(values, func(v float32) bool { return v != values[0] }) {
			continue
		}
		for _, other := range w.ref.sameAs(name) {
			if _, ok := w.values[other]; !ok || !w.ref.couldBeOne(name, other) {
				continue
			}
			from, to := strings.Split(other, "."), strings.Split(name, ".")
			for len(from) > 1 && len(to) > 1 && from[len(from)-1] == to[len(to)-1] {
				from, to = from[:len(from)-1], to[:len(to)-1]
			}
			if p := (pair{strings.Join(from, "."), strings.Join(to, ".")}); !slices.Contains(modules, p) {
				modules = append(modules, p)
			}
		}
	}
	kept := []string{}
	for _, name := range w.report.Kept {
		found := false
		for _, p := range modules {
			own, ok := strings.CutPrefix(name, p.to)
			first := p.from + own
			if values, used := w.values[first]; ok && used && slices.Contains(w.ref.sameAs(name), first) {
				if err := w.put(name, values, w.from[first]); err != nil {
					return err
				}
				found = true
			}
		}
		if !found {
			kept = append(kept, name)
			for _, other := range w.ref.sameAs(name) {
				l, used := w.from[other]
				if used && slices.ContainsFunc(l.constants(), func(c *constant) bool { return !c.own }) && !slices.Equal(w.values[other], w.ref.floats(other)) {
					return fmt.Errorf("%w: %s is equal to %s in the reference, which the file has once for several layers, and was trained: whether one of them is %s cannot be told", ErrUnknown, name, other, name)
				}
			}
		}
	}
	w.report.Kept = kept
	return nil
}

// couldBeOne reports whether two names whose tensors are equal could be one module's: the last parts of the names are the same,
// and all tensors of the two modules are equal. Single tensors may be equal by chance, as in many new networks.
func (r *reference) couldBeOne(a, b string) bool {
	first, second := module(a), module(b)
	if strings.TrimPrefix(a, first) != strings.TrimPrefix(b, second) {
		return false
	}
	for _, t := range r.dict {
		own, ok := strings.CutPrefix(t.Name, first+".")
		if other := r.byName[second+"."+own]; ok && module(t.Name) == first && (other == nil || string(other.Raw) != string(t.Raw)) {
			return false
		}
	}
	return true
}

// apart refuses tensors that are equal in the reference but would differ in the state_dict, unless the file shows that they are
// separate tensors of the module. If the two names are one module, load_state_dict would load the second over the first. Tensors
// with a single value, such as those of new BatchNorms, are equal by chance.
func (w *writing) apart(g *onnx.Graph, o Options) error {
	if o.Copies {
		return nil
	}
	parameters := parametersOf(g)
	if o.Parent != nil {
		maps.Copy(parameters, parametersOf(o.Parent.Graph))
	}
	shown := map[string]bool{} // tensors of every layer of which the file names at least one
	for _, h := range w.homes {
		for _, one := range append([]home{*h}, h.others...) {
			names := one.names()
			if slices.ContainsFunc(names, func(name string) bool {
				own, ok := strings.CutPrefix(name, w.ref.prefix)
				return ok && name != "" && parameters[underscored(w.ref.strip+own)]
			}) {
				for _, name := range names {
					shown[name] = true
				}
			}
		}
	}
	for name, values := range w.values {
		before := w.ref.floats(name)
		if !slices.ContainsFunc(before, func(v float32) bool { return v != before[0] }) {
			continue
		}
		for _, other := range w.ref.sameAs(name) {
			if second, ok := w.values[other]; ok && other != name && w.ref.couldBeOne(name, other) && !slices.Equal(values, second) && (!shown[name] || !shown[other]) {
				first, second := min(name, other), max(name, other)
				return fmt.Errorf("%w: %s and %s are equal in the reference, and were trained apart. If they are one module that the network has twice, export it with two (copy.deepcopy), and fine-tune that; if they are two, say that they are copies (--copies)",
					ErrUnknown, first, second)
			}
		}
	}
	return nil
}
