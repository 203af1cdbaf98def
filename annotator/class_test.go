package annotator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
)

// named makes classes by key, as a project has them.
func named(keys ...string) []annotator.Class {
	classes := make([]annotator.Class, len(keys))
	for i, key := range keys {
		classes[i] = annotator.Class{Index: i, Key: key, Name: key}
	}
	return classes
}

func TestClassFinder(t *testing.T) {
	t.Parallel()
	find := annotator.ClassFinder([]annotator.Class{
		{Index: 0, Key: "n01", Name: "Black Bird"}, {Index: 1, Key: "Black Bird", Name: "n03"}, {Index: 2, Key: "n03", Name: "tench"}, {Index: 3, Key: "blackbird", Name: "tench"},
	})
	for name, want := range map[string]int{
		"n01":        0,
		"Black Bird": 1, // a key goes before a name
		"n03":        2,
		"tench":      2, // of two with one name the first
		"black_bird": 0, // loosely, the first of three
		"black-BIRD": 0,
		"blackbird":  3,
		"N 01":       0,
		"carp":       -1,
		"":           -1,
	} {
		if got, ok := find(name); !ok && want >= 0 || ok && got != want {
			t.Errorf("find(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
}

func TestChangeClasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now, classes []annotator.Class
		hasModel     bool
		want         annotator.ClassChange
		problem      string // part of it
	}{
		"none": {problem: "are missing"},
		"the first ones": {
			classes: []annotator.Class{{Key: " owl "}, {Name: "Tit"}, {Index: 9, Key: "wren", Name: "Wren"}},
			want: annotator.ClassChange{
				Classes: []annotator.Class{{Index: 0, Key: "owl", Name: "owl"}, {Index: 1, Key: "Tit", Name: "Tit"}, {Index: 2, Key: "wren", Name: "Wren"}},
				Labels:  map[int]int{},
			},
		},
		"one without a word":        {classes: []annotator.Class{{Key: "owl"}, {Key: " "}}, problem: "number 1 has no name"},
		"two of one key":            {classes: named("owl", "owl"), problem: "the same name"},
		"the same":                  {now: named("owl", "tit"), classes: named("owl", "tit")},
		"the same of a model":       {now: named("owl", "tit"), classes: named("owl", "tit"), hasModel: true},
		"a model's, spelled anew":   {now: named("owl", "tit"), classes: []annotator.Class{{Key: "owl", Name: "Owl"}, {Key: "tit", Name: "Tit"}}, hasModel: true},
		"a model's, others":         {now: named("a", "b", "c", "d"), classes: named("b", "a"), hasModel: true, problem: "it has 4 (a, b, c, …), the model 2 (b, a)"},
		"folders in another order":  {now: named("owl", "black_bird"), classes: named("Black Bird", "tit", "owl"), want: annotator.ClassChange{Classes: named("Black Bird", "tit", "owl"), Labels: map[int]int{0: 2, 1: 0}}},
		"folders in the same order": {now: named("owl"), classes: named("owl", "tit"), want: annotator.ClassChange{Classes: named("owl", "tit"), Labels: map[int]int{}}},
		"a folder nobody knows":     {now: named("owl", "whale"), classes: named("owl", "tit"), problem: `a class "whale"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := annotator.ChangeClasses(c.now, c.classes, c.hasModel)
			var invalid *annotator.ValidationError
			if c.problem != "" && (!errors.As(err, &invalid) || invalid.Field != "classes" || !strings.Contains(invalid.Message, c.problem)) || c.problem == "" && err != nil {
				t.Fatalf("error %v, want one of classes with %q", err, c.problem)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the change (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabelImages(t *testing.T) {
	t.Parallel()
	images := []annotator.NewImage{{Class: "whale"}, {Class: ""}, {Class: "OWL"}, {Class: "carp"}, {Class: "whale"}}
	labels, added, err := annotator.LabelImages(named("owl"), false, images)
	if err != nil {
		t.Fatal(err)
	}
	index := func(i int) *int { return &i }
	if diff := cmp.Diff([]*int{index(2), nil, index(0), index(1), index(2)}, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]annotator.Class{{Index: 1, Key: "carp", Name: "carp"}, {Index: 2, Key: "whale", Name: "whale"}}, added); diff != "" {
		t.Errorf("added classes (-want +got):\n%s", diff)
	}
	var invalid *annotator.ValidationError
	if _, _, err := annotator.LabelImages(named("owl"), true, images); !errors.As(err, &invalid) || invalid.Field != "class" || !strings.HasPrefix(invalid.Message, `"carp" is none of the 1 classes that the project's model tells apart (owl): leave its pictures out`) {
		t.Errorf("with a model: %v", err)
	}
}
