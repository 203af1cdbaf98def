package statedict

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// The tensors of a BatchNorm in a state_dict. Without learned parameters it has the last two only.
const (
	dotWeight   = ".weight"
	dotBias     = ".bias"
	dotMean     = ".running_mean"
	dotVariance = ".running_var"
)

// reference is the state_dict of the module that a file was exported from.
type reference struct {
	dict   Dict
	byName map[string]*onnx.Tensor
	equal  map[uint64][]string // names by their tensors' shape and bytes
	seed   maphash.Seed
	norms  []string // modules that are BatchNorms, in the dict's order
	values map[string][]float32
	// Prefixes of names in the reference and in the file: a module may have been exported, or saved, as part of another.
	prefix, strip string
	doubt         string // why the network may not be of it, in a sentence
}

func newReference(d Dict) (*reference, error) {
	r := &reference{dict: d, byName: map[string]*onnx.Tensor{}, equal: map[uint64][]string{}, seed: maphash.MakeSeed(), values: map[string][]float32{}}
	for _, t := range d {
		if r.byName[t.Name] != nil {
			return nil, fmt.Errorf("%w: two tensors are called %q", ErrFormat, t.Name)
		}
		r.byName[t.Name] = t
	}
	for _, t := range d {
		key := r.key(t.Dims, t.Raw)
		r.equal[key] = append(r.equal[key], t.Name)
		if module, ok := strings.CutSuffix(t.Name, dotMean); ok && r.byName[module+dotVariance] != nil {
			r.norms = append(r.norms, module)
		}
	}
	return r, nil
}

func (r *reference) key(dims []int64, raw []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	fmt.Fprint(&h, dims)
	h.Write(raw)
	return h.Sum64()
}

// sameAs lists the tensors that are name's, bit for bit, itself among them.
func (r *reference) sameAs(name string) []string {
	t := r.byName[name]
	return slices.DeleteFunc(slices.Clone(r.equal[r.key(t.Dims, t.Raw)]), func(other string) bool { return string(r.byName[other].Raw) != string(t.Raw) })
}

// find is the reference's name for a name or module path of the file; "" if there is none.
func (r *reference) find(name string) string {
	if own, ok := strings.CutPrefix(name, r.strip); ok && name != "" {
		return r.prefix + own
	}
	return ""
}

// align finds the prefixes of names in the reference and in the file, from names in the file that look like PyTorch's.
func (r *reference) align(layers []*layer) {
	var names []string
	for _, l := range layers {
		for _, c := range l.constants() {
			names = append(names, c.names...)
		}
		for _, scope := range l.scopes {
			names = append(names, scope+dotWeight)
		}
	}
	prefixes, strips := []string{""}, []string{""}
	if first, _, ok := strings.Cut(r.dict[0].Name, "."); ok && !slices.ContainsFunc(r.dict, func(t *onnx.Tensor) bool { return !strings.HasPrefix(t.Name, first+".") }) {
		prefixes = append(prefixes, first+".")
	}
	for _, name := range names {
		if first, _, ok := strings.Cut(name, "."); ok && first != "" && !slices.Contains(strips, first+".") && len(strips) < 64 {
			strips = append(strips, first+".")
		}
	}
	best := -1
	for _, strip := range strips {
		for _, prefix := range prefixes {
			hits := 0
			for _, name := range names {
				if own, ok := strings.CutPrefix(name, strip); ok && r.byName[prefix+own] != nil {
					hits++
				}
			}
			if hits > best {
				best, r.prefix, r.strip = hits, prefix, strip
			}
		}
	}
}

// withoutOwn leaves out single numbers that are not the reference's by their names: networks have such constants of their own.
func (r *reference) withoutOwn(layers []*layer) []*layer {
	return slices.DeleteFunc(layers, func(l *layer) bool {
		return l.number && !slices.ContainsFunc(l.weight.names, func(name string) bool {
			t := r.byName[r.find(name)]
			return t != nil && elements(t) == 1
		})
	})
}

// floats are a tensor's values; nil where they are no floats.
func (r *reference) floats(name string) []float32 {
	if v, ok := r.values[name]; ok {
		return v
	}
	v, err := r.byName[name].Float32s()
	if err != nil {
		v = nil
	}
	r.values[name] = v
	return v
}

// norm is a BatchNorm of the reference.
type norm struct {
	module                       string
	weight, bias, mean, variance []float32
}

// normOf is a module as a BatchNorm, if it is one of this many channels.
func (r *reference) normOf(module string, channels int64) *norm {
	n := &norm{module: module}
	c := int(channels)
	for _, part := range []struct {
		suffix  string
		into    *[]float32
		missing float32
	}{{dotWeight, &n.weight, 1}, {dotBias, &n.bias, 0}, {dotMean, &n.mean, 0}, {dotVariance, &n.variance, 1}} {
		name := module + part.suffix
		if r.byName[name] == nil {
			if part.suffix == dotMean || part.suffix == dotVariance {
				return nil
			}
			*part.into = slices.Repeat([]float32{part.missing}, c)
			continue
		}
		if *part.into = r.floats(name); len(*part.into) != c {
			return nil
		}
	}
	return n
}
