package statedict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// How the values of a loose constant are ordered in the reference.
const (
	asItIs = "as it is"
	turned = "transposed"
)

// matchLoose finds the home of single constants: parameters of normalisations other than BatchNorm, slopes, scales, positions.
// Constants that are no tensor of the reference get none, since a network has constants of its own.
func (m *matcher) matchLoose() error {
	var choices []choice
	orders := map[*layer]map[string]string{}
	used := map[string]bool{}
	for _, h := range m.homes {
		for _, name := range h.names() {
			used[name] = true
		}
	}
	for _, l := range m.of(loose) {
		c := choice{layer: l}
		orders[l] = map[string]string{}
		consider := func(name string) bool {
			t := m.ref.byName[name]
			if t == nil || used[name] || !t.Type.IsFloat() || elements(t) != elements(l.weight.value) {
				return false
			}
			if !slices.Contains(c.among, name) {
				c.among = append(c.among, name)
				if orders[l][name] = orderedAs(l.weight.start, t, m.ref.floats(name)); orders[l][name] == "" {
					orders[l][name] = orderedAs(l.weight.start, t, nil)
				}
			}
			return true
		}
		for _, name := range m.named(l.weight) {
			if l.weight.own && consider(name) {
				break
			}
			for _, same := range m.ref.sameAs(name) {
				consider(same)
			}
		}
		var scoped []string
		for _, scope := range m.scopes(l) {
			for _, role := range []string{dotWeight, dotBias} {
				if "."+l.role == role || l.role == "" {
					scoped = append(scoped, scope+role)
				}
			}
		}
		single := elements(l.weight.value) == 1 // a PReLU's slope, whose value may be another's by chance
		if len(c.among) == 0 && single && !m.parent && len(scoped) == 1 {
			consider(scoped[0])
		}
		if len(c.among) == 0 {
			for _, t := range m.ref.dict {
				if t.Type.IsFloat() && elements(t) == elements(l.weight.value) && (!single || strings.HasSuffix(t.Name, dotWeight)) && orderedAs(l.weight.start, t, m.ref.floats(t.Name)) != "" {
					consider(t.Name)
				}
			}
		}
		if len(c.among) == 0 && !m.parent && len(scoped) == 1 {
			consider(scoped[0])
		}
		for _, name := range scoped {
			if slices.Contains(c.among, name) {
				c.sure = append(c.sure, name)
			}
		}
		if len(c.among) > 0 {
			choices = append(choices, c)
		}
	}
	settled, err := settle(choices)
	if err != nil {
		return err
	}
	for l, names := range settled {
		list := make([]home, len(names))
		for i, name := range names {
			t := m.ref.byName[name]
			list[i] = home{weight: name, alike: orders[l][name], exact: orderedAs(l.weight.start, t, m.ref.floats(name)) != ""}
			if list[i].alike == "" {
				return fmt.Errorf("%w: %v has the shape %v, %s the shape %v", ErrUnknown, l, l.weight.value.Dims, name, t.Dims)
			}
			if m.parent && !list[i].exact && l.changed() {
				return fmt.Errorf("%w: %v is %s by its name, and the parent's values are not the reference's: it was exported from another state_dict%s", ErrUnknown, l, name, m.ref.doubt)
			}
		}
		list[0].others = list[1:]
		m.homes[l] = &list[0]
	}
	return nil
}

// orderedAs is how a constant's values are ordered in a tensor: as they are, or as a matrix the other way round; "" where it is
// not that tensor. With values it is asked by value, else by shape, in which axes of one do not count.
func orderedAs(c, t *onnx.Tensor, values []float32) string {
	a, b := long(c.Dims), long(t.Dims)
	var own []float32
	if values != nil {
		own, _ = c.Float32s()
	}
	same := func(list []float32) bool { return values == nil || slices.Equal(list, values) }
	if (slices.Equal(a, b) || values != nil) && same(own) {
		return asItIs
	}
	if len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0] && len(c.Dims) == 2 {
		if values != nil {
			own, _ = transposed(own, c.Dims)
		}
		if same(own) {
			return turned
		}
	}
	return ""
}

// long are the axes of more than one.
func long(dims []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(dims), func(d int64) bool { return d == 1 })
}
