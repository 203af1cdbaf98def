package annotator_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
)

// held is a round that is held by its second attempt.
func held(state annotator.RoundState) annotator.Round {
	return annotator.Round{
		ID: 7, State: state, ParentVersion: 3, Attempt: 2,
		Progress: annotator.RoundProgress{Phase: "candidate", Fraction: 0.5, RemainingSeconds: 60},
	}
}

// cancelling is a round whose worker is to stop.
func cancelling(r annotator.Round) annotator.Round {
	r.Cancelling = true
	return r
}

// The result of each call for a round in each state.
func TestRoundStates(t *testing.T) {
	t.Parallel()
	claim := annotator.RoundClaim{RoundID: 7, Attempt: 2}
	calls := map[string]func(annotator.Round) (annotator.Round, error){
		"Claim":    annotator.Round.Claim,
		"Cancel":   annotator.Round.Cancel,
		"Check":    func(r annotator.Round) (annotator.Round, error) { return r, r.Check(claim) },
		"Report":   func(r annotator.Round) (annotator.Round, error) { return r.Report(claim, annotator.RoundProgress{}) },
		"LeaveOut": func(r annotator.Round) (annotator.Round, error) { return r.LeaveOut(claim, annotator.Unreadable{}) },
		"Evaluate": func(r annotator.Round) (annotator.Round, error) { return r.Evaluate(claim) },
		"Finish":   func(r annotator.Round) (annotator.Round, error) { return r.Finish(claim, annotator.RoundResult{}) },
		"Fail":     func(r annotator.Round) (annotator.Round, error) { return r.Fail(claim, "x") },
		"Stop":     func(r annotator.Round) (annotator.Round, error) { return r.Stop(claim) },
	}
	type outcome struct {
		state annotator.RoundState
		err   error
	}
	queued := annotator.Round{ID: 7, State: annotator.RoundQueued}
	training, evaluating := held(annotator.RoundTraining), held(annotator.RoundEvaluating)
	lost := training
	lost.Attempt++
	for name, c := range map[string]struct {
		round annotator.Round
		want  map[string]outcome
	}{
		"queued": {queued, map[string]outcome{
			"Claim": {state: annotator.RoundTraining}, "Cancel": {state: annotator.RoundCancelled},
			"": {err: annotator.ErrSuperseded},
		}},
		"training": {training, map[string]outcome{
			"Claim": {state: annotator.RoundTraining}, "Cancel": {state: annotator.RoundTraining},
			"Evaluate": {state: annotator.RoundEvaluating}, "Finish": {state: annotator.RoundFinished}, "Fail": {state: annotator.RoundFailed},
			"Stop": {err: annotator.ErrConflict}, "": {state: annotator.RoundTraining},
		}},
		"evaluating": {evaluating, map[string]outcome{
			"Claim": {state: annotator.RoundTraining}, "Cancel": {state: annotator.RoundEvaluating},
			"Finish": {state: annotator.RoundFinished}, "Fail": {state: annotator.RoundFailed},
			"Stop": {err: annotator.ErrConflict}, "": {state: annotator.RoundEvaluating},
		}},
		"cancelling": {cancelling(training), map[string]outcome{
			"Claim": {state: annotator.RoundCancelled}, "Cancel": {state: annotator.RoundTraining},
			"Fail": {state: annotator.RoundCancelled}, "Stop": {state: annotator.RoundCancelled}, "": {err: annotator.ErrRoundCancelled},
		}},
		"of another attempt": {lost, map[string]outcome{
			"Claim": {state: annotator.RoundTraining}, "Cancel": {state: annotator.RoundTraining}, "": {err: annotator.ErrSuperseded},
		}},
		"of another attempt, cancelling": {cancelling(lost), map[string]outcome{
			"Claim": {state: annotator.RoundCancelled}, "Cancel": {state: annotator.RoundTraining}, "": {err: annotator.ErrSuperseded},
		}},
		"finished":  {held(annotator.RoundFinished), map[string]outcome{"Claim": {err: annotator.ErrRoundOver}, "Cancel": {err: annotator.ErrConflict}, "": {err: annotator.ErrSuperseded}}},
		"cancelled": {held(annotator.RoundCancelled), map[string]outcome{"Claim": {err: annotator.ErrRoundOver}, "Cancel": {err: annotator.ErrConflict}, "": {err: annotator.ErrSuperseded}}},
		"failed":    {held(annotator.RoundFailed), map[string]outcome{"Claim": {err: annotator.ErrRoundOver}, "Cancel": {err: annotator.ErrConflict}, "": {err: annotator.ErrSuperseded}}},
	} {
		for call, do := range calls {
			want, named := c.want[call]
			if !named {
				want = c.want[""]
			}
			got, err := do(c.round)
			switch {
			case want.err != nil && !errors.Is(err, want.err):
				t.Errorf("%s of one that is %s: %v, want %v", call, name, err, want.err)
			case want.err == nil && (err != nil || got.State != want.state):
				t.Errorf("%s of one that is %s: %s, %v; want %s", call, name, got.State, err, want.state)
			case want.err == nil && got.State.Over() && got.Cancelling:
				t.Errorf("%s of one that is %s: it is over, and still cancelling", call, name)
			}
		}
	}
}

func TestRoundOfAnAttempt(t *testing.T) {
	t.Parallel()
	claim := annotator.RoundClaim{RoundID: 7, Attempt: 2}
	r := held(annotator.RoundTraining)
	r.Unreadable = &annotator.Unreadable{Count: 1}
	if next, err := r.Claim(); err != nil || next.Attempt != 3 || next.Unreadable != nil || next.Progress.Fraction != 0.5 {
		t.Errorf("taken over: %+v, %v", next, err)
	}
	for share, want := range map[float64]float64{0.1: 0.5, 0.75: 0.75} {
		if got, err := r.Report(claim, annotator.RoundProgress{Phase: "control", Fraction: share}); err != nil || got.Progress.Fraction != want || got.Progress.Phase != "control" {
			t.Errorf("a progress of %v after one of 0.5: %+v, %v", share, got.Progress, err)
		}
	}
	if got, err := r.Finish(claim, annotator.RoundResult{Images: 4}); err != nil || got.Result.Images != 4 || got.Progress.Fraction != 1 || got.Progress.RemainingSeconds != 0 {
		t.Errorf("finished: %+v, %v", got, err)
	}
	if got, err := r.Fail(claim, ""); err != nil || got.Error == "" {
		t.Errorf("failed without a word: %+v, %v", got, err)
	}
	if got, err := cancelling(r).Fail(claim, "x"); err != nil || got.Error != "" {
		t.Errorf("failed while it was to stop: %+v, %v", got, err)
	}
	v := r.Candidate(annotator.NewVersion{Classes: named("owl")})
	if *v.ParentID != 3 || *v.RoundID != 7 || v.Classes != nil {
		t.Errorf("its candidate: %+v", v)
	}
}

func TestWhatARoundIsMeasuredOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		test, patience int
		split          annotator.Split
		looks          bool
		arms           arms.Set
	}{
		{test: 4, arms: 1, split: annotator.SplitTest, looks: true},
		{test: 4, patience: 2, split: annotator.SplitTest, looks: true},
		{test: 4, split: annotator.SplitTest},
		{patience: 2, split: annotator.SplitValidation},
		{split: annotator.SplitValidation},
	} {
		split := annotator.MeasuredOn(c.test)
		if looks := (annotator.Round{Settings: recipe.Settings{Patience: c.patience, Arms: c.arms}}).LooksAtValidation(split); split != c.split || looks != c.looks {
			t.Errorf("%d test images, patience %d: measured on %s, looks at validation %v", c.test, c.patience, split, looks)
		}
	}
}
