package onnx_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// takeApart finds the parts of a model and splits it.
func takeApart(t testing.TB, m *onnx.Model) *onnx.ABN {
	t.Helper()
	parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	abn, err := onnx.Split(t.Context(), m, parts)
	if err != nil {
		t.Fatal(err)
	}
	return abn
}

// pieces runs extractor, attention and perception one after the other; a map that is given replaces the network's.
func pieces(t testing.TB, abn *onnx.ABN, image array, edited *array) (features, attention, att, per array) {
	t.Helper()
	features = run(t, abn.Extractor, map[string]array{onnx.PortImage: image}, onnx.PortFeatures)[0]
	out := run(t, abn.Attention, map[string]array{onnx.PortFeatures: features}, onnx.PortMap, onnx.PortLogitsAtt)
	attention, att = out[0], out[1]
	given := attention
	if edited != nil {
		given = *edited
	}
	per = run(t, abn.Perception, map[string]array{onnx.PortFeatures: features, onnx.PortMap: given}, onnx.PortLogitsPer)[0]
	return features, attention, att, per
}

func TestSplitAgreesWithPyTorch(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, suffix := range []string{"", "-fused"} {
			t.Run(name+suffix, func(t *testing.T) {
				t.Parallel()
				npz := filepath.Join(fixture.Reference(t), name+".npz")
				abn := takeApart(t, mustRead(t, filepath.Join(fixture.Reference(t), name+suffix+".onnx")))
				image, edited := reference(t, npz, "image"), reference(t, npz, "edited")
				features, attention, att, per := pieces(t, abn, image, nil)
				near(t, "features", features.data, reference(t, npz, "features").data, 1e-5)
				near(t, "map", attention.data, reference(t, npz, "attention").data, 1e-5)
				near(t, "attention logits", att.data, reference(t, npz, "logits_att").data, 1e-5)
				near(t, "perception logits", per.data, reference(t, npz, "logits_per").data, 1e-5)
				_, _, _, per = pieces(t, abn, image, &edited)
				near(t, "perception logits of edited maps", per.data, reference(t, npz, "logits_per_edited").data, 1e-5)
				if abn.Gain != onnx.GainOnePlusM {
					t.Errorf("gain %s, want 1+M", abn.Gain)
				}
				for _, size := range []struct {
					what string
					got  int
					of   array
					axis int
				}{
					{"C", abn.Channels, features, 1}, {"h", abn.Height, attention, 2}, {"w", abn.Width, attention, 3},
					{"K", abn.Classes, per, 1}, {"H", abn.ImageHeight, image, 2}, {"W", abn.ImageWidth, image, 3},
				} {
					if int64(size.got) != size.of.dims[size.axis] {
						t.Errorf("%s is %d, want %d", size.what, size.got, size.of.dims[size.axis])
					}
				}
			})
		}
	}
}

func TestSplitAgreesWithTheWholeFile(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.ABNs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			m := mustRead(t, path)
			abn := takeApart(t, m)
			image := noise(2, int64(abn.ImageChannels), int64(abn.ImageHeight), int64(abn.ImageWidth))
			want := run(t, m, map[string]array{abn.Names.Image: image}, abn.Names.Map, abn.Names.LogitsAtt, abn.Names.LogitsPer)
			features, attention, att, per := pieces(t, abn, image, nil)
			check := func(what string, got ...array) {
				for i, port := range []string{"map", "attention logits", "perception logits"} {
					near(t, port+" of the "+what, got[i].data, want[i].data, 1e-5)
				}
			}
			check("pieces", attention, att, per)
			check("branches", run(t, abn.Branches, map[string]array{onnx.PortFeatures: features}, onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer)...)
			check("whole", run(t, abn.Whole, map[string]array{onnx.PortImage: image}, onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer)...)
		})
	}
}

// The exporter's names say which part an initializer belongs to, except for those it made up while folding.
func TestInitializersAreAssignedToTheirParts(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.ABNs(t) {
		m := mustRead(t, path)
		abn := takeApart(t, m)
		all := 0
		for prefix, names := range map[string][]string{"extractor.": abn.ExtractorInitializers, "attention.": abn.AttentionInitializers, "perception.": abn.PerceptionInitializers} {
			all += len(names)
			for _, name := range names {
				if !strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "onnx::") {
					t.Errorf("%s: %q was assigned to the part whose names start with %q", filepath.Base(path), name, prefix)
				}
			}
		}
		if all != len(m.Graph.Initializers) {
			t.Errorf("%s: %d of %d initializers assigned", filepath.Base(path), all, len(m.Graph.Initializers))
		}
	}
}

// Parts are named by values: they are found again in the same graph with nodes at other places, and not in another one.
func TestPartsAreFoundByName(t *testing.T) {
	t.Parallel()
	m := smallABN{}.model()
	abn := takeApart(t, m)
	moved := m.Clone()
	moved.Graph.Nodes = slices.Insert(moved.Graph.Nodes, 0, onnx.NewNode("Identity", "unread", []string{moved.Graph.Feeds()[0].Name}, []string{"unread"}))
	again, err := onnx.Split(t.Context(), moved, &abn.Parts)
	if err != nil {
		t.Fatal(err)
	}
	if again.ExtractorHash() != abn.ExtractorHash() || len(again.Whole.Graph.Nodes) != len(abn.Whole.Graph.Nodes) {
		t.Error("a node that nobody reads changed the parts")
	}
	other := m.Clone()
	other.Graph.Nodes = other.Graph.Nodes[:2]
	if _, err := onnx.Split(t.Context(), other, &abn.Parts); !errors.Is(err, onnx.ErrGraph) {
		t.Errorf("in another graph: %v, want ErrGraph", err)
	}
}
