package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
)

// The true class is among the classes compared even if neither answer has it in its top five, and the likeliest come first.
func TestChangesHaveTheTrueClass(t *testing.T) {
	t.Parallel()
	scores := func(probabilities ...float32) *annotator.Scores {
		s := &annotator.Scores{Probabilities: probabilities}
		for class, p := range probabilities {
			if p >= 0.05 {
				s.Top = append(s.Top, annotator.ClassScore{Class: class, Name: string(rune('a' + class)), Probability: p})
			}
		}
		return s
	}
	label := 8
	v := Review{Task: &annotator.TaskDetail{
		TaskCard: annotator.TaskCard{Image: annotator.Image{Label: &label}, LabelName: "i"},
		Edit:     &annotator.Edit{Before: scores(0.5, 0.2, 0.1, 0.1, 0.1, 0, 0, 0, 0), After: scores(0.06, 0, 0.1, 0, 0, 0.3, 0.25, 0.24, 0.04)},
	}}
	var names []string
	for _, c := range v.changes() {
		names = append(names, c.class.Name)
	}
	if diff := cmp.Diff([]string{"a", "f", "g", "h", "b", "i"}, names); diff != "" {
		t.Errorf("the classes listed (−want +got):\n%s", diff)
	}
}
