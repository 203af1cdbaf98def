package statedict

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/onnx"
)

// Options are what a person knows about a network.
type Options struct {
	// Reference is the state_dict of the module that the network was exported from, as it was then. Without it, only a network
	// that kept all its BatchNorms can be exported.
	Reference Dict
	// Parent is the network as it was exported, before fine-tuning; nil if it is not available. With it, layers are recognised by
	// their exact values.
	Parent *onnx.Model
	// Copies says that modules with equal weights in the reference are separate modules. The file may not show whether they are,
	// or are one module that the network uses twice.
	Copies bool
	// Frozen names initializers that no training changes: the extractor's.
	Frozen []string
}

// Report is what Export did.
type Report struct {
	Tensors int       `json:"tensors"`          // of the state_dict
	Trained []string  `json:"trained"`          // those that differ from the reference; all if there is none
	Folded  int       `json:"folded"`           // BatchNorms that were folded, and are undone
	Epsilon []float64 `json:"epsilon"`          // the ε of the folded BatchNorms, each once and in order: parts of a network may differ in it
	Kept    []string  `json:"kept"`             // tensors of the reference that the network does not read, copied as they are
	Rescale []string  `json:"rescaled"`         // BatchNorms with channels whose γ was 0 and had to be changed, since training gave the channel weights
	Largest float64   `json:"largest_distance"` // between a written weight, folded again, and the network's; relative to the largest of its channel
}

// ErrNeedsReference says that the names in the file are not enough, and a reference is needed.
var ErrNeedsReference = errors.New("needs the state_dict that it was exported from")

// Export is the state_dict of m: the one that the PyTorch module it was exported from would have after the same training. If it
// cannot be made, the error names the layer or tensor and wraps ErrUnknown or ErrNeedsReference.
func Export(ctx context.Context, m *onnx.Model, o Options) (Dict, *Report, error) {
	if o.Reference == nil && o.Parent != nil {
		return nil, nil, errors.New("a parent is of use with a reference only: give --reference too")
	}
	doubt := doubtOf(m)
	if m = m.Widened(); o.Parent != nil {
		o.Parent = o.Parent.Widened()
	}
	layers, err := layersOf(m, o.Parent, o.Reference == nil)
	if err != nil {
		return nil, nil, err
	}
	if o.Reference == nil {
		return byNames(layers, parametersOf(m.Graph))
	}
	ref, err := newReference(o.Reference)
	if err != nil {
		return nil, nil, err
	}
	ref.doubt = doubt
	ref.align(layers)
	layers = ref.withoutOwn(layers)
	if err := ref.refuseComputed(m.Graph, layers, o); err != nil {
		return nil, nil, err
	}
	matched, err := match(ref, layers, o.Parent != nil)
	if err != nil {
		return nil, nil, err
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	w := &writing{matcher: matched, values: map[string][]float32{}, from: map[string]*layer{}, report: &Report{Tensors: len(o.Reference), Trained: []string{}, Epsilon: []float64{}, Kept: []string{}, Rescale: []string{}}}
	if err := w.account(o); err != nil {
		return nil, nil, err
	}
	for _, l := range layers {
		h := matched.homes[l]
		if h == nil {
			continue
		}
		for _, one := range append([]home{*h}, h.others...) {
			if err := w.layer(l, one); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := w.twins(); err != nil {
		return nil, nil, err
	}
	if err := w.apart(m.Graph, o); err != nil {
		return nil, nil, err
	}
	dict := w.dict()
	return dict, w.report, w.verify(dict)
}

// writing collects the values of a state_dict.
type writing struct {
	*matcher
	values map[string][]float32
	from   map[string]*layer
	report *Report
}

// put sets a tensor's values. Layers that are one module in PyTorch must have the same.
func (w *writing) put(name string, values []float32, l *layer) error {
	if before, ok := w.values[name]; ok && !slices.Equal(before, values) {
		return fmt.Errorf("%w: %s is one tensor in PyTorch, which %v and %v both read, and they were trained apart: export the network with modules of their own (copy.deepcopy), and fine-tune that",
			ErrUnknown, name, w.from[name], l)
	}
	w.values[name], w.from[name] = values, l
	return nil
}

// layer puts the tensors of the module that a layer's constants belong to.
func (w *writing) layer(l *layer, h home) error {
	if h.exact && !l.changed() && !w.absorbs(l) {
		return w.keep(l, h)
	}
	switch l.kind {
	case batchNorm:
		return w.norm(l, h)
	case product:
		return w.product(l, h)
	}
	values, err := l.weight.value.Float32s()
	if err != nil {
		return err
	}
	if h.alike == turned {
		values, _ = transposed(values, l.weight.value.Dims)
	}
	return w.put(h.weight, values, l)
}

// keep puts the reference's own values, which training left alone.
func (w *writing) keep(l *layer, h home) error {
	for _, name := range h.names() {
		if w.ref.byName[name] == nil {
			continue
		}
		if err := w.put(name, w.ref.floats(name), l); err != nil {
			return err
		}
	}
	return nil
}

// ownBias is a bias that an exporter added to a convolution whose module has none; nil if there is none, or if it is 0.
func (w *writing) ownBias(l *layer) []float32 {
	h := w.homes[l]
	if l == nil || l.kind != product || l.bias == nil || h == nil || h.bias != "" || h.norm != "" {
		return nil
	}
	values, err := l.bias.value.Float32s()
	if err != nil || zeros(values) {
		return nil
	}
	return values
}

// absorbs reports whether a BatchNorm has to include the bias of the convolution before it.
func (w *writing) absorbs(l *layer) bool { return l.kind == batchNorm && w.ownBias(l.before) != nil }

func (w *writing) norm(l *layer, h home) error {
	missing := []float32{1, 0}
	for i, part := range normParts {
		values, err := l.constants()[i].value.Float32s()
		if err != nil {
			return err
		}
		if part == dotMean {
			for c, b := range w.ownBias(l.before) { // (x+b) − μ = x − (μ−b)
				values[c] -= b
			}
		}
		if name := h.norm + part; w.ref.byName[name] != nil {
			if err := w.put(name, values, l); err != nil {
				return err
			}
		} else if !slices.Equal(values, slices.Repeat(missing[i:i+1], len(values))) {
			return fmt.Errorf("%w: %v was trained, and the module %s has no %s", ErrUnknown, l, h.norm, part[1:])
		}
	}
	return nil
}

func (w *writing) product(l *layer, h home) error {
	values, dims := l.torchOrder(l.weight.value)
	var b []float32
	var err error
	if l.bias != nil {
		if b, err = l.bias.value.Float32s(); err != nil {
			return err
		}
	}
	if h.norm == "" {
		switch {
		case h.bias != "" && b != nil:
			err = w.put(h.bias, b, l)
		case h.bias != "":
			err = w.put(h.bias, w.ref.floats(h.bias), l) // zeros, which the exporter left out
		case w.ownBias(l) != nil && l.after == nil:
			err = fmt.Errorf("%w: %v was given a bias by the exporter, which training changed, and the module of %s has none: export with torch.onnx.export's own optimization (optimize=True)", ErrUnknown, l, h.weight)
		}
		if err != nil {
			return err
		}
		return w.put(h.weight, values, l)
	}
	w.report.Folded++
	if at, known := slices.BinarySearch(w.report.Epsilon, h.epsilon); !known {
		w.report.Epsilon = slices.Insert(w.report.Epsilon, at, h.epsilon)
	}
	n := *w.ref.normOf(h.norm, l.channels)
	b0 := w.ref.floats2(h.bias)
	s := n.factors(h.epsilon)
	n.weight, n.bias = slices.Clone(n.weight), slices.Clone(n.bias)
	if w.openChannels(&n, s, values, dims, l.axis, h.epsilon) {
		w.report.Rescale = append(w.report.Rescale, h.norm)
		if err := w.putNorm(h.norm, dotWeight, n.weight, l); err != nil {
			return err
		}
	} else if err := w.putNorm(h.norm, dotWeight, w.ref.normOf(h.norm, l.channels).weight, l); err != nil {
		return err
	}
	if b == nil {
		b = make([]float32, l.channels)
	}
	w0 := w.ref.floats(h.weight)
	out := make([]float32, len(values))
	rows(dims, l.axis, func(c, i int) {
		if out[i] = w0[i]; s[c] != 0 {
			out[i] = float32(float64(values[i]) / s[c])
		}
	})
	if b0 != nil && w.ref.byName[h.norm+dotBias] == nil { // affine=False: only the convolution's bias can hold what training did
		b0 = slices.Clone(b0)
		for c := range b0 {
			if s[c] != 0 {
				b0[c] = float32((float64(b[c])-float64(n.bias[c]))/s[c] + float64(n.mean[c]))
			}
		}
	} else {
		for c := range n.bias {
			shift := -float64(n.mean[c])
			if b0 != nil {
				shift += float64(b0[c])
			}
			n.bias[c] = float32(float64(b[c]) - shift*s[c])
		}
	}
	for part, values := range map[string][]float32{dotBias: n.bias, dotMean: n.mean, dotVariance: n.variance} {
		if err := w.putNorm(h.norm, part, values, l); err != nil {
			return err
		}
	}
	if h.bias != "" {
		if err := w.put(h.bias, b0, l); err != nil {
			return err
		}
	}
	return w.put(h.weight, out, l)
}

// putNorm puts a BatchNorm's tensor. One without learned parameters cannot take any.
func (w *writing) putNorm(module, part string, values []float32, l *layer) error {
	if w.ref.byName[module+part] != nil {
		return w.put(module+part, values, l)
	}
	if n := w.ref.normOf(module, l.channels); part == dotBias && slices.ContainsFunc(values, func(v float32) bool { return math.Abs(float64(v)) > rounding }) ||
		part == dotWeight && !slices.Equal(values, n.weight) {
		return fmt.Errorf("%w: %v was trained with the BatchNorm %s folded in, which has no %s to keep that in: export the network with affine=True in this BatchNorm, or with a bias in the layer before it, and fine-tune that", ErrUnknown, l, module, part[1:])
	}
	return nil
}

// openChannels changes γ for channels whose γ is 0, but which training gave weights: with a factor of 0 no weights of the
// convolution could give them. γ becomes the value with which the factor is 1. It reports whether there were any.
func (w *writing) openChannels(n *norm, s []float64, values []float32, dims []int64, axis int, epsilon float64) bool {
	largest := make([]float64, len(s))
	rows(dims, axis, func(c, i int) { largest[c] = math.Max(largest[c], math.Abs(float64(values[i]))) })
	opened := false
	for c := range s {
		if largest[c] > 0 && largest[c]/math.Abs(s[c]) > math.MaxFloat32/1e8 {
			n.weight[c] = float32(math.Sqrt(float64(n.variance[c]) + epsilon))
			s[c], opened = float64(n.weight[c])/math.Sqrt(float64(n.variance[c])+epsilon), true
		}
	}
	return opened
}

// dict is the reference with the values that were put in their place.
func (w *writing) dict() Dict {
	d := make(Dict, len(w.ref.dict))
	for i, t := range w.ref.dict {
		d[i] = t
		if values, ok := w.values[t.Name]; ok && !slices.Equal(values, w.ref.floats(t.Name)) {
			d[i] = &onnx.Tensor{Name: t.Name, Type: onnx.Float, Dims: t.Dims, Raw: raw(values)}
			w.report.Trained = append(w.report.Trained, t.Name)
		}
	}
	return d
}

func raw(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
