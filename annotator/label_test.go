package annotator

import (
	"errors"
	"slices"
	"testing"
)

// The methods of a verdict on a label, each called in each state, do what its table says and all of it.
func TestLabelsFollowTheirTable(t *testing.T) {
	t.Parallel()
	author, reviewer := User{ID: 1, Role: RoleReviewer}, User{ID: 2, Role: RoleReviewer}
	did := walked[LabelState]{}
	for _, state := range LabelStates {
		for _, do := range []func(LabelVerdict) (LabelVerdict, error){
			func(v LabelVerdict) (LabelVerdict, error) { return v.Judge(reviewer, LabelConfirm, "", later) },
			func(v LabelVerdict) (LabelVerdict, error) { return v.Judge(reviewer, LabelReject, "no", later) },
			func(v LabelVerdict) (LabelVerdict, error) { return v.Withdraw(author, later) },
		} {
			next, err := do(LabelVerdict{State: state, AuthorID: author.ID})
			if err == nil {
				did[[2]LabelState{state, next.State}] = true
			} else if next.State != state || !errors.Is(err, ErrConflict) {
				t.Errorf("a verdict that is %s became %s with the error %v", state, next.State, err)
			}
		}
	}
	did.compare(t, LabelTransitions)
}

// What a confirmed verdict does to an image, and what it refuses.
func TestAVerdictIsApplied(t *testing.T) {
	t.Parallel()
	label := func(n int) *int { return &n }
	image := Image{Name: "a", Label: label(1), SourceLabel: label(1), LeftOut: []LeftOut{LeftOutLeakage, LeftOutNone}}
	for name, c := range map[string]struct {
		verdict LabelVerdict
		label   int
		leftOut []LeftOut
	}{
		"a class":   {LabelVerdict{Says: LabelIsClass, Class: label(2), Was: label(1)}, 2, []LeftOut{LeftOutLeakage}},
		"ambiguous": {LabelVerdict{Says: LabelIsAmbiguous, Was: label(1)}, 1, []LeftOut{LeftOutLeakage, LeftOutAmbiguous}},
	} {
		got, err := c.verdict.Apply(image)
		if err != nil || *got.Label != c.label || !slices.Equal(got.LeftOut, c.leftOut) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if len(image.LeftOut) != 2 {
		t.Errorf("the image that it was applied to has changed: %+v", image)
	}
	if _, err := (LabelVerdict{Says: LabelIsClass, Class: label(2), Was: label(0)}).Apply(image); !errors.Is(err, ErrConflict) {
		t.Errorf("the label has changed since: %v", err)
	}
}

// A task is put aside for the first reason there is, and comes back when there is none.
func TestTasksFollowTheirImages(t *testing.T) {
	t.Parallel()
	zero := 0
	image := func(change func(*Image)) Image {
		i := Image{Split: SplitPool, Label: &zero}
		change(&i)
		return i
	}
	as := func(*Image) {}
	for why, p := range map[Withdrawal]Painting{
		WithdrawnReplaced:   {Image: image(func(i *Image) { i.Retired = string(RetiredReplaced) }), Right: true},
		WithdrawnGone:       {Image: image(func(i *Image) { i.Retired = string(RetiredGone) })},
		WithdrawnSplit:      {Image: image(func(i *Image) { i.Split = SplitTest })},
		WithdrawnNone:       {Image: image(func(i *Image) { i.LeftOut = []LeftOut{LeftOutNone} }), Right: true},
		WithdrawnAmbiguous:  {Image: image(func(i *Image) { i.LeftOut = []LeftOut{LeftOutAmbiguous} })},
		WithdrawnQuestioned: {Image: image(as), Questioned: true, Right: true},
		WithdrawnRight:      {Image: image(as), Right: true, InReview: true},
		"":                  {Image: image(func(i *Image) { i.LeftOut = []LeftOut{LeftOutLeakage} })},
	} {
		aside := adas(TaskLeased).Follow(p, later)
		want := TaskSkipped
		if why == "" {
			want = TaskLeased
		}
		if aside.State != want || aside.SkipReason != string(why) {
			t.Errorf("%q: the task is %s: %q", why, aside.State, aside.SkipReason)
		}
		back := aside.Follow(Painting{Image: image(as)}, later)
		if why != "" && back.State != TaskOpen {
			t.Errorf("after %q the task is %s", why, back.State)
		}
	}
	skipped := adas(TaskSkipped)
	skipped.SkipReason = "dark"
	if again := skipped.Follow(Painting{Image: image(as)}, later); again.State != TaskSkipped || again.SkipReason != "dark" {
		t.Errorf("a task that a person skipped is %s: %q", again.State, again.SkipReason)
	}
}
