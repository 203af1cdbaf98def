package onnx

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
	"strings"
)

// WithInitializers is a later version of a model: the same graph, with other values in some initializers and entries of
// metadata_props set. Everything else is written as it was read. A name that is no float32 initializer, a value of another
// length, and a value that is not finite are errors: such a file must not leave the studio. If the name is one that untie made,
// for a layer's own copy of a shared tensor, the copy is added to the model; if it is the result of a Cast of a weight that is stored
// in float16, the weight is stored in float32 (widen).
func WithInitializers(original *Model, values map[string][]float32, metadata []Metadata) (*Model, error) {
	m := original.Clone()
	left := maps.Clone(values)
	wanted := func(name string) bool { _, ok := values[name]; return ok }
	widenAs(m.Graph, wanted)
	untieAs(m.Graph, wanted)
	for i, t := range m.Graph.Initializers {
		data, ok := left[t.Name]
		if !ok {
			continue
		}
		delete(left, t.Name)
		n, err := t.Elements()
		switch {
		case err != nil:
			return nil, err
		case t.Type != Float:
			return nil, fmt.Errorf("initializer %q: %w: %v, want float32", t.Name, ErrType, t.Type)
		case int64(len(data)) != n:
			return nil, fmt.Errorf("initializer %q: %w: %d values for %v", t.Name, ErrSize, len(data), t.Dims)
		}
		for k, v := range data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("initializer %q: value %d is %v", t.Name, k, v)
			}
		}
		m.Graph.Initializers[i].SetFloat32s(data)
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%w: no initializers named %s", ErrGraph, strings.Join(slices.Sorted(maps.Keys(left)), ", "))
	}
	for _, e := range metadata {
		m.SetMetadata(e.Key, e.Value)
	}
	return m, nil
}

// ExtractorHash is the SHA-256, in hexadecimal, of what the extractor computes: its operators with attributes, how they are
// connected, its constants, and the shape of its input. Names and the rest of the file play no part, so
// that all versions that descend from one import have the same, and features cached for one serve them all.
func (a *ABN) ExtractorHash() string {
	h := canonicalHash{Hash: sha256.New(), number: map[string]uint64{}}
	g := a.Extractor.Graph
	h.text("studio extractor 1")
	h.integer(a.Extractor.Opset())
	h.text(g.Inputs[0].Shape.String())
	h.value(g.Inputs[0].Name)
	constants := g.Index().Initializers
	for _, n := range g.Nodes {
		h.text(n.Domain)
		h.text(n.Op)
		for _, in := range n.Inputs {
			if t, ok := constants[in]; ok {
				h.tensor(t)
			} else {
				h.value(in)
			}
		}
		attributes := slices.Clone(n.Attributes)
		slices.SortFunc(attributes, func(a, b *Attribute) int { return strings.Compare(a.Name, b.Name) })
		for _, a := range attributes {
			h.attribute(a)
		}
		for _, out := range n.Outputs {
			h.value(out)
		}
	}
	h.value(g.Outputs[0].Name)
	return hex.EncodeToString(h.Sum(nil))
}

// canonicalHash hashes a graph with its values numbered in the order they appear. Every item is preceded by its length, so that
// two different graphs cannot give the same bytes.
type canonicalHash struct {
	hash.Hash
	number map[string]uint64
}

func (h *canonicalHash) integer(v int64) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func (h *canonicalHash) bytes(b []byte) {
	h.integer(int64(len(b)))
	h.Write(b)
}

func (h *canonicalHash) text(s string) { h.bytes([]byte(s)) }

func (h *canonicalHash) value(name string) {
	n, ok := h.number[name]
	switch {
	case name == "":
		n = 0
	case !ok:
		n = uint64(len(h.number) + 1)
		h.number[name] = n
	}
	h.text("value")
	h.integer(int64(n))
}

func (h *canonicalHash) tensor(t *Tensor) {
	h.text("constant")
	h.integer(int64(t.Type))
	h.integer(int64(len(t.Dims)))
	for _, d := range t.Dims {
		h.integer(d)
	}
	h.bytes(t.Raw)
}

func (h *canonicalHash) attribute(a *Attribute) {
	h.text("attribute")
	h.text(a.Name)
	h.integer(int64(a.Type))
	h.integer(int64(math.Float32bits(a.Float)))
	h.integer(a.Int)
	h.bytes(a.String)
	h.integer(int64(len(a.Floats)))
	for _, v := range a.Floats {
		h.integer(int64(math.Float32bits(v)))
	}
	h.integer(int64(len(a.Ints)))
	for _, v := range a.Ints {
		h.integer(v)
	}
	h.integer(int64(len(a.Strings)))
	for _, s := range a.Strings {
		h.bytes(s)
	}
	if a.Tensor != nil {
		h.tensor(a.Tensor)
	}
	further, _ := a.further() // an attribute that cannot be written cannot be run either, and is left out
	h.bytes(further)
}
