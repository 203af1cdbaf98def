package onnx_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// Cut before its last blocks, a network computes what it computed, and every initializer of the extractor is in one of its halves.
func TestCutEarlierComputesTheSame(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, suffix := range []string{"", "-fused"} {
			t.Run(name+suffix, func(t *testing.T) {
				t.Parallel()
				npz := filepath.Join(fixture.Reference(t), name+".npz")
				abn := takeApart(t, mustRead(t, filepath.Join(fixture.Reference(t), name+suffix+".onnx")))
				image, edited := reference(t, npz, "image"), reference(t, npz, "edited")
				cut, err := abn.CutEarlier(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				features, attention, att, per := pieces(t, cut, image, nil)
				if got, want := features.dims[1:], cut.Features; got[0] != int64(want[0]) || got[1] != int64(want[1]) || got[2] != int64(want[2]) {
					t.Errorf("features of %v, want %v", got, want)
				}
				near(t, "map", attention.data, reference(t, npz, "attention").data, 1e-5)
				near(t, "attention logits", att.data, reference(t, npz, "logits_att").data, 1e-5)
				near(t, "perception logits", per.data, reference(t, npz, "logits_per").data, 1e-5)
				_, _, _, per = pieces(t, cut, image, &edited)
				near(t, "perception logits of edited maps", per.data, reference(t, npz, "logits_per_edited").data, 1e-5)
				if got := slices.Concat(cut.ExtractorInitializers, cut.Tail); len(cut.Tail) == 0 || !sameSet(got, abn.ExtractorInitializers) {
					t.Errorf("the extractor's initializers became %v and %v", cut.ExtractorInitializers, cut.Tail)
				}
				if cut.Height != abn.Height || cut.Width != abn.Width || len(abn.Tail) != 0 {
					t.Error("the map's grid changed, or the network that was cut")
				}
			})
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// A residual block counts once, and the normalisation and activation behind a convolution belong to its block.
func TestCutEarlierCountsBlocks(t *testing.T) {
	t.Parallel()
	for _, f := range listFamilies(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			abn := takeApart(t, m)
			_, err = abn.CutEarlier(t.Context(), 1000)
			if !errors.Is(err, onnx.ErrCut) {
				t.Fatalf("1000 blocks: %v, want ErrCut", err)
			}
			for blocks := 1; ; blocks++ {
				cut, err := abn.CutEarlier(t.Context(), blocks)
				if errors.Is(err, onnx.ErrCut) {
					return
				}
				if err != nil {
					t.Fatalf("%d blocks: %v", blocks, err)
				}
				last, first := cut.Extractor.Graph.Nodes[len(cut.Extractor.Graph.Nodes)-1], cut.Branches.Graph.Nodes[0]
				if last.IsOp("Conv") && first.IsOp("BatchNormalization", "Relu", "Clip", "Sigmoid") {
					t.Errorf("%d blocks begin with %v, which belongs to the block before", blocks, first)
				}
				if report := cut.Describe(t.Context()); len(report.Untold) > 0 {
					t.Errorf("shapes that are not known: %v", report.Untold)
				}
			}
		})
	}
}
