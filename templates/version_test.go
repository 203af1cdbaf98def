package templates

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// The page says if a version's manifest has a mean of pixels from 0 to 255, or its network one logit.
func TestVersionsThatCannotAnswerSaySo(t *testing.T) {
	t.Parallel()
	for manifest, says := range map[string]string{
		`{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "classes": ["a", "b"]}`:  "",
		`{"mean": [123.675, 116.28, 103.53], "std": [58.4, 57.1, 57.4], "classes": ["a", "b"]}`: "divide by 255",
		`{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["lesion"]}`:              "one logit",
	} {
		version := annotator.Version{ID: 1, Number: 1, State: annotator.VersionActive, Manifest: []byte(manifest)}
		doc := rendered(t, VersionsPage(frameOf(annotator.RoleAdmin), Versions{Versions: []annotator.Version{version}}))
		if told := textOf(doc, ".notice-bad"); says == "" && told != "" || !strings.Contains(told, says) {
			t.Errorf("%s: %q, want %q in it", manifest, told, says)
		}
	}
}

// The page explains a map's values by the version's own mechanism.
func TestVersionsTellTheirMechanism(t *testing.T) {
	t.Parallel()
	for gain, want := range map[attention.Gain][2]string{"1+M": {"(1+M)·g", "1 doubles it"}, "M": {"M·g", "0 hides"}, "softmax": {"softmax", "own, and whether 0 is the least"}, "": {"another", "own, and whether 0 is the least"}} {
		version := annotator.Version{ID: 1, Number: 1, State: annotator.VersionActive, Gain: gain}
		html, err := rendered(t, VersionsPage(frameOf(annotator.RoleAdmin), Versions{Versions: []annotator.Version{version}})).Html()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(html, "<dd>"+want[0]+"</dd>") || !strings.Contains(html, want[1]) {
			t.Errorf("gain %q: the page does not say %q", gain, want)
		}
	}
}

// Figures are ordered by importance: the test split first, accuracy first.
func TestFiguresInReadingOrder(t *testing.T) {
	t.Parallel()
	v := annotator.Version{Figures: map[string]float64{
		"train/accuracy": 1, "test/top5": 1, "test/attention_inside": 1, "pool/accuracy": 1, "test/accuracy": 1, "test/worst_group": 1, "test/unheard_of": 1,
	}}
	var got []string
	for _, r := range (Versions{A: &v, B: &v}).comparison(t.Context()) {
		got = append(got, r.name)
	}
	want := []string{"test/accuracy", "test/worst_group", "test/attention_inside", "test/top5", "test/unheard_of", "pool/accuracy", "train/accuracy"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
