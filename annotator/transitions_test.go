package annotator

import (
	"slices"
	"testing"
)

// Every table names all states of its aggregate and no others, each event leads to one state and is named once for a state, and every
// state can be reached.
func TestTransitions(t *testing.T) {
	t.Parallel()
	checkTransitions(t, "task", TaskTransitions, TaskStates)
	checkTransitions(t, "edit", EditTransitions, EditStates)
	checkTransitions(t, "label", LabelTransitions, LabelStates)
	checkTransitions(t, "round", RoundTransitions, RoundStates)
	checkTransitions(t, "version", VersionTransitions, VersionStates)
	checkTransitions(t, "upload", UploadTransitions, UploadStates)
	checkTransitions(t, "job", JobTransitions, JobStates)
}

func checkTransitions[S ~string](t *testing.T, name string, all Transitions[S], states []S) {
	t.Helper()
	reached := map[S]bool{"": true}
	for range states {
		for _, row := range all {
			reached[row.To] = reached[row.To] || reached[row.From]
		}
	}
	for _, state := range states {
		if !reached[state] {
			t.Errorf("a %s is never %s", name, state)
		}
	}
	for i, row := range all {
		if row.From != "" && !slices.Contains(states, row.From) || !slices.Contains(states, row.To) {
			t.Errorf("%s: %v is of an unknown state", name, row)
		}
		for _, other := range all[:i] {
			if other.Event == row.Event && (other.From == row.From || other.To != row.To) {
				t.Errorf("%s: %v and %v", name, other, row)
			}
		}
	}
}

func TestTransitionsAnswer(t *testing.T) {
	t.Parallel()
	all := VersionTransitions
	if to, ok := all.Next(VersionArchived, EventActivate); to != VersionActive || !ok {
		t.Errorf("an archived version, activated: %s, %v", to, ok)
	}
	if to, ok := all.Next(VersionActive, EventActivate); to != VersionActive || ok || all.May(VersionActive, EventActivate) {
		t.Errorf("an active version, activated: %s, %v", to, ok)
	}
	if from := all.From(EventActivate); !slices.Equal(from, []VersionState{VersionCandidate, VersionArchived}) {
		t.Errorf("activated are %v", from)
	}
	if to := all.To(EventReplace); to != VersionArchived {
		t.Errorf("a replaced version is %s", to)
	}
	if to, from := all.To(EventSubmit), all.From(EventSubmit); to != "" || from != nil {
		t.Errorf("versions are not submitted: %v → %s", from, to)
	}
	if all.Follows(VersionCandidate, VersionArchived) || !all.Follows(VersionActive, VersionArchived) {
		t.Error("only an active version is archived")
	}
}

// walked is which states a call brought from which.
type walked[S ~string] map[[2]S]bool

// compare finds what calls did that the table does not have, and rows of the table that no call made. Rows that make something new,
// and those that leave the state as it is, are not compared.
func (w walked[S]) compare(t *testing.T, all Transitions[S]) {
	t.Helper()
	for step := range w {
		if step[0] != step[1] && !all.Follows(step[0], step[1]) {
			t.Errorf("a method went from %s to %s, which the table does not have", step[0], step[1])
		}
	}
	for _, row := range all {
		if row.From != "" && row.From != row.To && !w[[2]S{row.From, row.To}] {
			t.Errorf("no method goes from %s to %s (%s)", row.From, row.To, row.Event)
		}
	}
}

// The methods of a task, each called in each state, do what its table says and all of it.
func TestTasksFollowTheirTable(t *testing.T) {
	t.Parallel()
	program, checker := User{ID: 8, Generator: true}, User{ID: 9, Generator: true}
	must := func(next Task) (Task, error) { return next, nil }
	did := walked[TaskState]{}
	for _, state := range TaskStates {
		for _, returned := range []bool{false, true} {
			for _, reason := range []string{"blurred", string(WithdrawnGone)} {
				for _, do := range []func(Task) (Task, error){
					func(t Task) (Task, error) {
						if err := t.MayTake(ada, 0); err != nil {
							return t, err
						}
						return t.Lease(ada, later), nil
					},
					func(t Task) (Task, error) { return must(t.Expire(noon.Add(LeaseDuration))) },
					func(t Task) (Task, error) { return t.GiveBack(ada, later) },
					func(t Task) (Task, error) { return t.Skip(ada, "dark", later) },
					func(t Task) (Task, error) { return must(t.Withdraw(WithdrawnSplit, later)) },
					func(t Task) (Task, error) { return must(t.Restore(false, later)) },
					func(t Task) (Task, error) { return must(t.Restore(true, later)) },
					func(t Task) (Task, error) { return t.Reopen(later) },
					func(t Task) (Task, error) { return t.Submit(ada, later) },
					func(t Task) (Task, error) { return t.TakeBack(ada, false, 0, later) },
					func(t Task) (Task, error) { return t.Retract(later) },
					func(t Task) (Task, error) { return t.Judge(VerdictApprove, later) },
					func(t Task) (Task, error) { return t.Judge(VerdictReject, later) },
					func(t Task) (Task, error) { return t.Seed(program, checker, later) },
					func(t Task) (Task, error) { return t.Bring(program, noon, later) },
				} {
					task := adas(state)
					task.Returned = returned
					if state == TaskSkipped {
						task.SkipReason = reason
					}
					if next, err := do(task); err == nil {
						did[[2]TaskState{state, next.State}] = true
					} else if next.State != state {
						t.Errorf("a task that is %s became %s with the error %v", state, next.State, err)
					}
				}
			}
		}
	}
	did.compare(t, TaskTransitions)
}

// The methods of a round, each called in each state, do what its table says and all of it; and its job can follow it.
func TestRoundsFollowTheirTable(t *testing.T) {
	t.Parallel()
	claim := RoundClaim{RoundID: 7, Attempt: 2}
	did := walked[RoundState]{}
	for _, state := range RoundStates {
		for _, cancelling := range []bool{false, true} {
			for _, do := range []func(Round) (Round, error){
				Round.Claim,
				Round.Cancel,
				func(r Round) (Round, error) { return r.Evaluate(claim) },
				func(r Round) (Round, error) { return r.Finish(claim, RoundResult{}) },
				func(r Round) (Round, error) { return r.Fail(claim, "x") },
				func(r Round) (Round, error) { return r.Stop(claim) },
			} {
				round := Round{ID: 7, State: state, Attempt: claim.Attempt, Cancelling: cancelling && (state == RoundTraining || state == RoundEvaluating)}
				next, err := do(round)
				if err == nil {
					did[[2]RoundState{state, next.State}] = true
				}
			}
		}
	}
	did.compare(t, RoundTransitions)
	for _, row := range RoundTransitions {
		from, to := row.From.JobState(), row.To.JobState()
		if row.From != "" && from != to && !JobTransitions.Follows(from, to) {
			t.Errorf("%s: the job of a round goes from %s to %s, which its table does not have", row.Event, from, to)
		}
	}
}
