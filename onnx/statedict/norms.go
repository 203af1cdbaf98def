package statedict

import (
	"fmt"
	"slices"
	"strings"
)

// matchNorms finds the home of BatchNorms that were not folded.
func (m *matcher) matchNorms() error {
	var choices []choice
	for _, l := range m.of(batchNorm) {
		c := choice{layer: l}
		exact := m.exactNorms(l)
		if m.parent {
			c.among = exact
		} else if c.among = m.namedNorms(l); len(c.among) == 0 {
			c.among = exact
		}
		for _, scope := range m.scopes(l) {
			if slices.Contains(c.among, scope) || len(c.among) == 0 && !m.parent && m.ref.normOf(scope, l.channels) != nil {
				c.sure = append(c.sure, scope)
			}
		}
		if len(c.sure) == 0 {
			c.sure = m.ownNorms(l, c.among)
		}
		if len(c.among) == 0 && len(c.sure) == 0 {
			if m.parent {
				continue // account says so
			}
			return fmt.Errorf("%w: %v is none of the reference's BatchNorms of %d channels", ErrUnknown, l, l.channels)
		}
		choices = append(choices, c)
	}
	settled, err := settle(choices)
	if err != nil {
		return err
	}
	for l, modules := range settled {
		exact := m.exactNorms(l)
		list := make([]home, len(modules))
		for i, module := range modules {
			list[i] = home{norm: module, epsilon: l.epsilon, exact: slices.Contains(exact, module)}
			delete(m.free, module)
		}
		list[0].others = list[1:]
		m.homes[l] = &list[0]
	}
	return nil
}

var normParts = []string{dotWeight, dotBias, dotMean, dotVariance}

// exactNorms are the BatchNorms whose values a layer had before training.
func (m *matcher) exactNorms(l *layer) (modules []string) {
	for _, module := range m.ref.norms {
		n := m.ref.normOf(module, l.channels)
		if n == nil {
			continue
		}
		same := true
		for i, want := range [][]float32{n.weight, n.bias, n.mean, n.variance} {
			got, err := l.constants()[i].start.Float32s()
			same = same && err == nil && slices.Equal(got, want)
		}
		if same {
			modules = append(modules, module)
		}
	}
	return modules
}

// namedNorms are the BatchNorms that a layer may be by the names of its tensors. Each must have the name of the module's tensor,
// or of one that is equal in the reference, since a file may have equal tensors once.
func (m *matcher) namedNorms(l *layer) (modules []string) {
	for _, module := range m.ref.norms {
		if m.ref.normOf(module, l.channels) == nil {
			continue
		}
		fits, some := true, false
		for i, part := range normParts {
			names, own := m.named(l.constants()[i]), m.ref.byName[module+part]
			if own == nil || len(names) == 0 {
				continue
			}
			some = true
			fits = fits && slices.ContainsFunc(names, func(name string) bool { return slices.Contains(m.ref.sameAs(name), own.Name) })
		}
		if fits && some {
			modules = append(modules, module)
		}
	}
	return modules
}

// ownNorms are those of the modules whose name a tensor has that only this layer reads.
func (m *matcher) ownNorms(l *layer, among []string) (modules []string) {
	for i, c := range l.constants() {
		if !c.own {
			continue
		}
		for _, name := range m.named(c) {
			if module, ok := strings.CutSuffix(name, normParts[i]); ok && slices.Contains(among, module) && !slices.Contains(modules, module) {
				modules = append(modules, module)
			}
		}
	}
	if len(modules) != 1 { // the layer has no one name
		return nil
	}
	return modules
}
