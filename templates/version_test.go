package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
)

// Figures stand in the order people judge by: test first, accuracy first.
func TestFiguresInReadingOrder(t *testing.T) {
	t.Parallel()
	v := annotator.Version{Figures: map[string]float64{
		"train/accuracy": 1, "test/top5": 1, "test/attention_inside": 1, "pool/accuracy": 1, "test/accuracy": 1, "test/worst_group": 1, "test/unheard_of": 1,
	}}
	var got []string
	for _, r := range (Versions{A: &v, B: &v}).comparison() {
		got = append(got, r.name)
	}
	want := []string{"test/accuracy", "test/worst_group", "test/attention_inside", "test/top5", "test/unheard_of", "pool/accuracy", "train/accuracy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
