package statedict

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// ErrUnknown says that a tensor's place in the state_dict is not certain.
var ErrUnknown = errors.New("cannot be brought home")

// home is where a layer's constants belong.
type home struct {
	weight, bias string // tensors of the reference; bias "" where the module has none
	norm         string // of a BatchNorm: its module; of a product: the BatchNorm that is folded in, "" without one
	epsilon      float64
	exact        bool   // its values before training are the reference's, bit for bit or folded
	alike        string // of a loose constant: how its values are ordered, see loose.go
	others       []home // equal tensors of the reference that the file has as one
}

// names are the tensors of a home and of those equal to it.
func (h home) names() []string {
	names := []string{h.weight, h.bias}
	if h.norm != "" {
		for _, part := range normParts {
			names = append(names, h.norm+part)
		}
	}
	for _, other := range h.others {
		names = append(names, other.names()...)
	}
	return names
}

// matcher finds out which layer is which module's.
type matcher struct {
	ref    *reference
	layers []*layer
	homes  map[*layer]*home
	parent bool // starts are the values before training, which must be the reference's
	free   map[string]bool
	// eps are the ε that fit all folded BatchNorms that training did not change; nil: none was seen.
	eps []float64
}

// match finds the home of every layer that it can. account checks the layers left without one.
func match(ref *reference, layers []*layer, parent bool) (*matcher, error) {
	m := &matcher{ref: ref, layers: layers, homes: map[*layer]*home{}, parent: parent, free: map[string]bool{}}
	for _, module := range ref.norms {
		m.free[module] = true
	}
	for _, step := range []func() error{m.matchNorms, m.matchProducts, m.matchLoose} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// of lists the layers of a kind.
func (m *matcher) of(k kind) []*layer {
	return slices.DeleteFunc(slices.Clone(m.layers), func(l *layer) bool { return l.kind != k })
}

// named lists the tensors of the reference that a constant's names point to, the most certain first.
func (m *matcher) named(c *constant) (names []string) {
	for _, name := range c.names {
		if found := m.ref.find(name); m.ref.byName[found] != nil && !slices.Contains(names, found) {
			names = append(names, found)
		}
	}
	return names
}

// scopes are the modules of the reference that a layer's nodes came from.
func (m *matcher) scopes(l *layer) (modules []string) {
	for _, scope := range l.scopes {
		if module := m.ref.find(scope); module != "" {
			modules = append(modules, module)
		}
	}
	return modules
}

// choice is what a layer could be.
type choice struct {
	layer *layer
	among []string // each would do by value and name
	sure  []string // of these, what the file says it is
}

// settle picks one choice for every layer: the one that the file says; else the only one, or the only one that no other layer
// takes. If several layers with equal values have the same choices, any assignment will do. If their values differ, it is an
// error.
func settle(choices []choice) (map[*layer][]string, error) {
	settled, taken := map[*layer][]string{}, map[string]bool{}
	for _, c := range choices {
		if len(c.sure) > 0 {
			settled[c.layer] = c.sure
		} else if len(c.among) == 1 {
			settled[c.layer] = c.among
		}
		for _, name := range settled[c.layer] {
			taken[name] = true
		}
	}
	for again := true; again; {
		again = false
		for _, c := range choices {
			left := slices.DeleteFunc(slices.Clone(c.among), func(name string) bool { return taken[name] })
			if settled[c.layer] == nil && len(left) == 1 {
				settled[c.layer], taken[left[0]], again = left, true, true
			}
		}
	}
	for i, c := range choices {
		if settled[c.layer] != nil || len(c.among) == 0 {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(c.among), func(name string) bool { return taken[name] })
		if len(left) == 0 { // more layers than modules: one module for all, as long as they are equal
			left = c.among
		}
		for _, other := range choices[i+1:] {
			if settled[other.layer] == nil && slices.ContainsFunc(other.among, func(name string) bool { return slices.Contains(left, name) }) && !sameValues(c.layer, other.layer) {
				return nil, fmt.Errorf("%w: %v and %v read what is equal in the reference, and which of them is %s cannot be told: the file does not name its modules, as torch.onnx.export writes them down",
					ErrUnknown, c.layer, other.layer, onnx.Enumerate(left, " and which "))
			}
		}
		settled[c.layer] = left
	}
	return settled, nil
}

// sameValues reports whether two layers' constants are equal now.
func sameValues(a, b *layer) bool {
	return slices.EqualFunc(a.constants(), b.constants(), func(a, b *constant) bool { return string(a.value.Raw) == string(b.value.Raw) })
}

// module is the module of a tensor's name.
func module(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

// sibling is the bias beside a weight; "" where the module has none.
func (r *reference) sibling(weight string, channels int64) string {
	if before, ok := strings.CutSuffix(weight, "weight"); ok {
		if t := r.byName[before+"bias"]; t != nil && slices.Equal(t.Dims, []int64{channels}) {
			return t.Name
		}
	}
	return ""
}
