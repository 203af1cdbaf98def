package statedict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// What counts as near where training changed a layer: the share of a weight that may have changed, and how many times
// farther the next best must be.
const (
	farAway   = 0.5
	clearness = 3
)

// matchProducts finds the home of convolutions and linear layers: first the weight of each, then the BatchNorm that is folded
// into it. Layers that training did not change come first: they show ε, and leave fewer BatchNorms for the others.
func (m *matcher) matchProducts() error {
	products := m.of(product)
	choices := make([]choice, 0, len(products))
	for _, l := range products {
		c, err := m.weightsOf(l)
		if err != nil {
			return err
		}
		choices = append(choices, c)
	}
	settled, err := settle(choices)
	if err != nil {
		return err
	}
	var changed []*layer
	for _, l := range products {
		if settled[l] == nil {
			continue
		}
		exact, err := m.foldExactly(l, settled[l][0])
		if err != nil {
			return err
		}
		if !exact {
			changed = append(changed, l)
		}
	}
	for _, l := range changed {
		weight := settled[l][0]
		if m.parent {
			delete(settled, l)
			continue // account says so
		}
		if err := m.foldNearly(l, weight); err != nil {
			return err
		}
	}
	for l, names := range settled {
		for _, name := range names[1:] { // equal to the first in the reference; the file has them as one
			other := *m.homes[l]
			other.weight, other.others = name, nil
			if m.homes[l].bias != "" {
				other.bias = m.ref.sibling(name, l.channels)
			}
			m.homes[l].others = append(m.homes[l].others, other)
		}
	}
	return nil
}

// weightsOf finds what a product's weight could be.
func (m *matcher) weightsOf(l *layer) (choice, error) {
	c := choice{layer: l}
	start, dims := l.torchOrder(l.weight.start)
	fits := func(name string) bool {
		t := m.ref.byName[name]
		return t != nil && slices.Equal(t.Dims, dims) && t.Type.IsFloat()
	}
	var scoped []string
	for _, scope := range m.scopes(l) {
		if fits(scope + dotWeight) {
			scoped = append(scoped, scope+dotWeight)
		}
	}
	for _, name := range m.named(l.weight) {
		if !fits(name) {
			continue
		}
		if l.weight.own {
			c.among = []string{name}
			return c, nil
		}
		c.among = append(c.among, m.ref.sameAs(name)...)
	}
	if len(c.among) > 0 {
		for _, name := range scoped {
			if slices.Contains(c.among, name) {
				c.sure = append(c.sure, name)
			}
		}
		if len(c.sure) == 0 && l.folded { // the file names the BatchNorm, which stands beside its convolution
			for _, scope := range m.scopes(l) {
				for _, name := range c.among {
					parent, _ := cutLast(module(name))
					if beside, _ := cutLast(scope); parent == beside {
						c.sure = append(c.sure, name)
					}
				}
			}
			if len(c.sure) > 1 {
				c.sure = nil
			}
		}
		return c, nil
	}
	if len(scoped) > 0 {
		same := likenessOf(start, m.ref.floats(scoped[0]), dims, l.axis).difference(nil)
		if same <= rounding || !m.parent && same <= farAway {
			c.among, c.sure = m.ref.sameAs(scoped[0]), scoped
			return c, nil
		}
	}
	best, next := 2.0, 2.0
	for _, t := range m.ref.dict {
		if !fits(t.Name) || slices.Contains(c.among, t.Name) {
			continue
		}
		switch d := likenessOf(start, m.ref.floats(t.Name), dims, l.axis).difference(nil); {
		case d < best:
			best, next, c.among = d, best, m.ref.sameAs(t.Name)
		case d < next:
			next = d
		}
	}
	limit := rounding
	if !m.parent {
		limit = farAway
	}
	if best > limit || len(start)/int(l.channels) == 1 && next < 2 { // with one value a channel, any weight fits with some factor
		c.among = nil
	} else if next <= max(clearness*best, rounding) {
		return c, fmt.Errorf("%w: %v could be %s or another tensor of the reference: give the file before fine-tuning with --parent", ErrUnknown, l, onnx.Enumerate(c.among, ", "))
	}
	return c, nil
}

// candidate is a BatchNorm that may be folded into a layer, or none.
type candidate struct {
	norm       *norm
	epsilon    float64
	difference float64
}

// foldExactly finds the home of a layer whose values before training are the reference's weight, alone or with a BatchNorm folded
// in.
func (m *matcher) foldExactly(l *layer, weight string) (bool, error) {
	start, dims := l.torchOrder(l.weight.start)
	w0, bias := m.ref.floats(weight), m.ref.sibling(weight, l.channels)
	b0 := m.ref.floats2(bias)
	var b []float32
	if l.bias != nil {
		b, _ = l.bias.start.Float32s()
	}
	if slices.Equal(start, w0) && (b == nil && zeros(b0) || b != nil && (b0 == nil && zeros(b) || slices.Equal(b, b0))) {
		m.homes[l] = &home{weight: weight, bias: bias, exact: true}
		return true, nil
	}
	if l.scaled {
		return false, nil
	}
	if b == nil {
		b = make([]float32, l.channels) // an exporter leaves a bias of zeros out
	}
	like := likenessOf(start, w0, dims, l.axis)
	if like.difference(nil) > rounding {
		return false, nil
	}
	var found []candidate
	var fitting [][]float64
	for _, n := range m.freeNorms(l) {
		var eps []float64
		for _, e := range n.epsilonsOf(like.factor) {
			s := n.factors(e)
			want, size := n.shift(s, b0)
			if near(b, want, size) && nearRows(start, w0, s, dims, l.axis) {
				eps = append(eps, e)
			}
		}
		if len(eps) > 0 {
			found, fitting = append(found, candidate{norm: n, epsilon: eps[0]}), append(fitting, eps)
		}
	}
	if len(found) == 0 {
		return false, nil
	}
	at := slices.IndexFunc(found, func(c candidate) bool { return partners(module(weight), c.norm.module) })
	if at < 0 {
		if len(found) > 1 && l.changed() { // if training changed nothing, none of them is written
			return false, fmt.Errorf("%w: %v has the weight %s, and %s or %s folded in: both have the same effect in the reference", ErrUnknown, l, weight, found[0].name(), found[1].name())
		}
		at = 0
	}
	if m.eps == nil {
		m.eps = fitting[at]
	} else {
		m.eps = slices.DeleteFunc(slices.Clone(m.eps), func(e float64) bool { return !slices.Contains(fitting[at], e) })
	}
	m.homes[l] = &home{weight: weight, bias: bias, norm: found[at].norm.module, epsilon: found[at].epsilon, exact: true}
	delete(m.free, found[at].norm.module)
	return true, nil
}

// floats2 is floats, nil for the empty name.
func (r *reference) floats2(name string) []float32 {
	if name == "" {
		return nil
	}
	return r.floats(name)
}

func zeros(list []float32) bool {
	return !slices.ContainsFunc(list, func(v float32) bool { return v != 0 })
}

// freeNorms are the BatchNorms that could be folded into a layer. If the file says which one is, it is the only one.
func (m *matcher) freeNorms(l *layer) (norms []*norm) {
	if l.folded {
		for _, scope := range m.scopes(l) {
			if n := m.ref.normOf(scope, l.channels); n != nil && m.free[scope] {
				return []*norm{n}
			}
		}
	}
	for _, module := range m.ref.norms {
		if n := m.ref.normOf(module, l.channels); n != nil && m.free[module] {
			norms = append(norms, n)
		}
	}
	return norms
}

// partners reports whether a convolution and a BatchNorm have names that usually go together: conv1 and bn1, 0 and 1. It decides
// if values and other names leave several choices.
func partners(conv, norm string) bool {
	parent, own := cutLast(conv)
	beside, other := cutLast(norm)
	if parent != beside {
		return false
	}
	if i, err := strconv.Atoi(own); err == nil {
		k, err := strconv.Atoi(other)
		return err == nil && k == i+1
	}
	for _, called := range []string{"bn", "norm", "batchnorm", "batch_norm"} {
		if strings.Replace(own, "conv", called, 1) == other || own == "fc" && called == other {
			return true
		}
	}
	return false
}

func cutLast(path string) (parent, own string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// foldNearly finds the home of a layer that training may have changed, without the file from before training.
func (m *matcher) foldNearly(l *layer, weight string) error {
	start, dims := l.torchOrder(l.weight.start)
	w0, bias := m.ref.floats(weight), m.ref.sibling(weight, l.channels)
	b0 := m.ref.floats2(bias)
	plain := &home{weight: weight, bias: bias}
	norms := m.freeNorms(l)
	b := make([]float32, l.channels)
	var err error
	if l.bias != nil {
		if b, err = l.bias.start.Float32s(); err != nil {
			return err
		}
	} else if norms = m.silentNorms(norms, b0); len(norms) == 0 {
		if !zeros(b0) || l.folded {
			return fmt.Errorf("%w: %v is %s and has no bias, which it would have of the reference's tensors", ErrUnknown, l, weight)
		}
		m.homes[l] = plain
		return nil
	}
	absorbed := l.after != nil && bias == "" // a bias that the exporter added before a BatchNorm that was kept
	if l.after != nil || l.scaled || len(norms) == 0 || l.kept {
		if l.bias != nil && bias == "" && !absorbed {
			return fmt.Errorf("%w: %v has a bias, %s has none beside it, and no BatchNorm of the reference that could be folded into it is left", ErrUnknown, l, weight)
		}
		m.homes[l] = plain
		return nil
	}
	epsilon := l.told
	if epsilon < 0 && len(m.eps) > 0 {
		epsilon = m.eps[0] // good enough to recognise a BatchNorm, not to undo it: branches may have another ε than the extractor
	}
	if epsilon < 0 {
		return fmt.Errorf("%w: a BatchNorm seems to be folded into %v, and no layer tells with which ε (those that training left alone do, if they are the reference's): give the file before fine-tuning with --parent",
			ErrUnknown, l)
	}
	like := likenessOf(start, w0, dims, l.axis)
	if like.difference(nil) > farAway {
		return fmt.Errorf("%w: %v is %s by its name, and not by its values: is the reference the state_dict that it was exported from? If so, give the file before fine-tuning with --parent",
			ErrUnknown, l, weight)
	}
	var all []candidate
	if (bias != "" || l.bias == nil) && !l.folded {
		ones := slices.Repeat([]float64{1}, len(b))
		want := make([]float64, len(b))
		for c := range b0 {
			want[c] = float64(b0[c])
		}
		all = append(all, candidate{difference: like.difference(ones) + distance(b, want)})
	}
	for _, n := range norms {
		s := n.factors(epsilon)
		want, _ := n.shift(s, b0)
		all = append(all, candidate{norm: n, epsilon: epsilon, difference: like.difference(s) + distance(b, want)})
	}
	at := 0
	for i, c := range all {
		if c.difference < all[at].difference {
			at = i
		}
	}
	for i, c := range all {
		if i != at && c.difference < clearness*all[at].difference && (all[at].norm == nil || !partners(module(weight), all[at].norm.module)) {
			return fmt.Errorf("%w: which BatchNorm is folded into %v, whose weight is %s, cannot be told: %s or %s: give the file before fine-tuning with --parent",
				ErrUnknown, l, weight, all[at].name(), c.name())
		}
	}
	if n := all[at].norm; n != nil {
		if l.told < 0 {
			return fmt.Errorf("%w: the BatchNorm %s is folded into %v, which was trained, and the file does not say with which ε, as torch.export's do: give the file before fine-tuning with --parent", ErrUnknown, n.module, l)
		}
		plain.norm, plain.epsilon = n.module, all[at].epsilon
		delete(m.free, n.module)
	}
	m.homes[l] = plain
	return nil
}

// silentNorms are those of the BatchNorms that would fold to a bias of 0.
func (m *matcher) silentNorms(norms []*norm, b0 []float32) []*norm {
	return slices.DeleteFunc(slices.Clone(norms), func(n *norm) bool {
		want, size := n.shift(n.factors(epsilons[0]), b0)
		return !near(make([]float32, len(want)), want, size)
	})
}

func (c candidate) name() string {
	if c.norm == nil {
		return "none"
	}
	return c.norm.module
}

// distance is between a bias and its expected value, relative to its size.
func distance(b []float32, want []float64) float64 {
	var d, size float64
	for c := range want {
		d += (float64(b[c]) - want[c]) * (float64(b[c]) - want[c])
		size += want[c]*want[c] + float64(b[c])*float64(b[c])
	}
	if size == 0 {
		return 0
	}
	return d / size
}
