package onnx_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// storedShort keeps the weights of a model in a shorter type, cast to float32 where they are used. twice has every weight that is
// read by a Cast read by a second one too.
func storedShort(m *onnx.Model, to onnx.DataType, twice bool) *onnx.Model {
	m = m.Clone()
	var casts []*onnx.Node
	for _, t := range m.Graph.Initializers {
		if t.Type != onnx.Float || len(t.Dims) == 0 {
			continue
		}
		values, _ := t.Float32s()
		name, raw := t.Name, make([]byte, 0, 2*len(values))
		for i := range values { // 0.5, 1, 1.5 … to a sign, which both types hold exactly
			v := float32(i%5+1) / 2
			if i%2 == 1 {
				v = -v
			}
			bits := uint16(math.Float32bits(v) >> 16)
			if to == onnx.Float16 {
				b := math.Float32bits(v)
				bits = uint16(b>>16&0x8000 | ((b>>23&0xff)-112)<<10 | b>>13&0x3ff)
			}
			raw = append(raw, byte(bits), byte(bits>>8))
		}
		*t = onnx.Tensor{Name: name, Type: to, Dims: t.Dims, Raw: raw}
		cast := func(out string) {
			casts = append(casts, node("Cast", name, out, onnx.IntAttr("to", int64(onnx.Float))))
		}
		cast(name + ".cast")
		if twice {
			cast(name + ".again")
		}
		for k, n := range m.Graph.Nodes {
			for i, in := range n.Inputs {
				if in == name {
					if n.Inputs[i] = name + ".cast"; twice && k%2 == 1 {
						n.Inputs[i] = name + ".again"
					}
				}
			}
		}
	}
	m.Graph.Nodes = append(casts, m.Graph.Nodes...)
	return m
}

func TestStoredShortIsTrainedInFloat32(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	image := array{make([]float32, 2*3*8*6), []int64{2, 3, 8, 6}}
	for i := range image.data {
		image.data[i] = float32(math.Sin(float64(i)))
	}
	for _, test := range []struct {
		what  string
		to    onnx.DataType
		twice bool
	}{{"float16", onnx.Float16, false}, {"bfloat16", onnx.BFloat16, false}, {"float16, cast twice", onnx.Float16, true}} {
		m := storedShort(smallABN{}.model(), test.to, test.twice)
		before, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		abn, err := onnx.Split(t.Context(), m, parts)
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := m.Marshal(); !bytes.Equal(before, after) {
			t.Errorf("%s: finding parts changed the model", test.what)
		}
		want := run(t, m, map[string]array{"x": image}, "la", "lp", "m")
		got := run(t, abn.Whole, map[string]array{"image": image}, "logits_att", "logits_per", "map")
		for i := range want {
			near(t, test.what, got[i].data, want[i].data, 1e-6)
		}
		values := map[string][]float32{}
		for _, name := range slices.Concat(parts.AttentionInitializers, parts.PerceptionInitializers) {
			initial := abn.Branches.Graph.Initializer(name)
			if initial == nil || initial.Type != onnx.Float || len(initial.Dims) == 0 {
				continue
			}
			v, err := initial.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for i := range v {
				v[i] *= 1.25
			}
			values[name] = v
		}
		if len(values) < 4 {
			t.Errorf("%s: %d tensors to train", test.what, len(values))
		}
		version, err := onnx.WithInitializers(m, values, nil)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		trained, err := onnx.Split(t.Context(), version, parts)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			if own, _ := trained.Branches.Graph.Initializer(name).Float32s(); !slices.Equal(own, v) {
				t.Errorf("%s: %q has other values in the version", test.what, name)
			}
		}
		if trained.ExtractorHash() != abn.ExtractorHash() {
			t.Errorf("%s: the version has another extractor", test.what)
		}
		if again, err := onnx.FindParts(t.Context(), version, onnx.PartNames{}); err != nil || again.Names != parts.Names {
			t.Errorf("%s: %v, %v", test.what, again, err)
		}
		want = run(t, version, map[string]array{"x": image}, "la", "lp", "m")
		got = run(t, trained.Whole, map[string]array{"image": image}, "logits_att", "logits_per", "map")
		for i := range want {
			near(t, test.what+", trained", got[i].data, want[i].data, 1e-6)
		}
	}
}
