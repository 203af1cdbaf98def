package annotator

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/attention"
)

var (
	ada = User{ID: 1, Name: "Ada", Role: RoleAnnotator}
	bob = User{ID: 2, Name: "Bob", Role: RoleAnnotator}

	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Minute)
)

// adas makes a task in a state; if a task in that state has an author, it is Ada.
func adas(state TaskState) Task {
	t := Task{ID: 5, State: state, UpdatedAt: noon}
	if state != TaskOpen {
		t.AuthorID, t.AuthorName = &ada.ID, ada.Name
	}
	switch state {
	case TaskLeased:
		until := noon.Add(LeaseDuration)
		t.LeaseExpiresAt = &until
	case TaskSkipped:
		t.SkipReason = "blurred"
	case TaskChangesRequested:
		t.Returned = true
	}
	return t
}

// Which calls are allowed on a task in which state, and their results, for its author and for another person.
func TestTaskStates(t *testing.T) {
	t.Parallel()
	type rule func(Task, User) (Task, error)
	calls := map[string]rule{
		"take": func(t Task, u User) (Task, error) {
			if err := t.MayTake(u, 0); err != nil {
				return t, err
			}
			return t.Lease(u, later), nil
		},
		"give back": func(t Task, u User) (Task, error) { return t.GiveBack(u, later) },
		"skip":      func(t Task, u User) (Task, error) { return t.Skip(u, "dark", later) },
		"reopen":    func(t Task, _ User) (Task, error) { return t.Reopen(later) },
		"submit":    func(t Task, u User) (Task, error) { return t.Submit(u, later) },
		"take back": func(t Task, u User) (Task, error) { return t.TakeBack(u, false, 0, later) },
		"retract":   func(t Task, _ User) (Task, error) { return t.Retract(later) },
	}
	allowed := map[string]map[TaskState]TaskState{ // to its author
		"take":      {TaskOpen: TaskLeased, TaskLeased: TaskLeased, TaskChangesRequested: TaskLeased},
		"give back": {TaskLeased: TaskOpen},
		"skip":      {TaskOpen: TaskSkipped, TaskLeased: TaskSkipped},
		"reopen":    {TaskSkipped: TaskOpen, TaskChangesRequested: TaskOpen},
		"submit":    {TaskLeased: TaskSubmitted},
		"take back": {TaskSubmitted: TaskLeased},
		"retract":   {TaskApproved: TaskSubmitted, TaskChangesRequested: TaskSubmitted},
	}
	for call, do := range calls {
		for _, from := range []TaskState{TaskOpen, TaskLeased, TaskSubmitted, TaskApproved, TaskChangesRequested, TaskSkipped} {
			for _, who := range []User{ada, bob} {
				want, ok := allowed[call][from]
				if who.ID == bob.ID && from != TaskOpen && call != "reopen" && call != "retract" {
					ok = false
				}
				got, err := do(adas(from), who)
				switch {
				case !ok && !errors.Is(err, ErrConflict):
					t.Errorf("%s may %s Ada's task that is %s: %v", who.Name, call, from, err)
				case ok && (err != nil || got.State != want || !got.UpdatedAt.Equal(later)):
					t.Errorf("%s may not %s Ada's task that is %s: %+v, %v; want it %s", who.Name, call, from, got, err, want)
				}
				if err != nil {
					continue
				}
				owner := who
				if call == "retract" { // it stays its painter's
					owner = ada
				}
				if mine := got.State != TaskOpen; mine != got.by(owner) || !mine && got.AuthorID != nil {
					t.Errorf("%s on a task that is %s: it is %d's", call, from, ptrOr(got.AuthorID))
				}
				if (got.State == TaskLeased) != (got.LeaseExpiresAt != nil) || (got.State == TaskSkipped) != (got.SkipReason != "") {
					t.Errorf("%s on a task that is %s: %+v", call, from, got)
				}
			}
		}
	}
	var held *LeaseError
	if _, err := adas(TaskLeased).Skip(bob, "x", later); !errors.As(err, &held) || held.Holder != "Ada" {
		t.Errorf("skipping another's task: %v, want who holds it", err)
	}
}

func TestLeasesAreBounded(t *testing.T) {
	t.Parallel()
	for state, free := range map[TaskState]bool{TaskOpen: false, TaskChangesRequested: false, TaskLeased: true} {
		var full *LeaseLimitError
		if err := adas(state).MayTake(ada, MaxLeases); (err == nil) != free || err != nil && !errors.As(err, &full) {
			t.Errorf("a person who holds %d takes one that is %s: %v", MaxLeases, state, err)
		}
		if err := adas(state).MayTake(ada, MaxLeases-1); err != nil {
			t.Errorf("a person who holds %d takes one that is %s: %v", MaxLeases-1, state, err)
		}
	}
	if got := nextStates(MaxLeases); !slices.Equal(got, []TaskState{TaskLeased}) {
		t.Errorf("a person who holds %d is offered one that is %v", MaxLeases, got)
	}
	if got := nextStates(0); !slices.Equal(got, []TaskState{TaskChangesRequested, TaskLeased, TaskOpen}) {
		t.Errorf("a person who holds none is offered one that is %v", got)
	}
}

func TestALeaseExpires(t *testing.T) {
	t.Parallel()
	leased, end := adas(TaskLeased), noon.Add(LeaseDuration)
	if diff := cmp.Diff(leased, leased.Expire(end.Add(-time.Nanosecond))); diff != "" {
		t.Errorf("before its end (-was +is):\n%s", diff)
	}
	if got := leased.Expire(end); got.State != TaskOpen || got.AuthorID != nil || got.AuthorName != "" || got.LeaseExpiresAt != nil {
		t.Errorf("at its end: %+v, want it open to everybody", got)
	}
	returned := leased
	returned.Returned = true
	if got := returned.Expire(end); got.State != TaskChangesRequested || !got.by(ada) || got.LeaseExpiresAt != nil {
		t.Errorf("at its end, with changes due: %+v, want it with its author", got)
	}
	if got, err := returned.GiveBack(ada, later); err != nil || got.State != TaskChangesRequested || !got.by(ada) {
		t.Errorf("given back, with changes due: %+v, %v; want it with its author", got, err)
	}
	if got := adas(TaskSubmitted).Expire(end); got.State != TaskSubmitted {
		t.Errorf("one in review expired: %+v", got)
	}
	renewed := leased.Lease(ada, end)
	if got := renewed.Expire(end); got.State != TaskLeased || !got.LeaseExpiresAt.Equal(end.Add(LeaseDuration)) {
		t.Errorf("renewed at its end: %+v", got)
	}
}

func TestAVerdict(t *testing.T) {
	t.Parallel()
	submitted := adas(TaskSubmitted)
	if got, err := submitted.Judge(VerdictApprove, later); err != nil || got.State != TaskApproved || got.Returned {
		t.Errorf("approved: %+v, %v", got, err)
	}
	if got, err := submitted.Judge(VerdictReject, later); err != nil || got.State != TaskChangesRequested || !got.Returned || !got.by(ada) {
		t.Errorf("rejected: %+v, %v", got, err)
	}
	for verdict, want := range map[Verdict]EditState{VerdictApprove: EditApproved, VerdictReject: EditRejected} {
		if got, ok := EditTransitions.Next(EditSubmitted, verdict.Event()); !ok || got != want {
			t.Errorf("an edit that got %s is %s", verdict, got)
		}
	}
	for _, state := range []TaskState{TaskOpen, TaskLeased, TaskApproved, TaskChangesRequested, TaskSkipped} {
		if got, err := adas(state).Judge(VerdictApprove, later); !errors.Is(err, ErrConflict) || got.State != state {
			t.Errorf("judging one that is %s: %+v, %v; want ErrConflict", state, got, err)
		}
	}
}

func TestASaveFollowsTheLatestRevision(t *testing.T) {
	t.Parallel()
	grid := func(v float32) attention.Map { return attention.Map{Height: 1, Width: 2, Values: []float32{v, v}} }
	latest := Edit{Revision: 3, AuthorID: ada.ID, State: EditDraft, Source: SourcePainted, Map: grid(1)}
	submitted := latest
	submitted.State = EditSubmitted
	var stale *StaleError
	var invalid *ValidationError
	for name, c := range map[string]struct {
		latest Edit
		draft  Draft
		by     User
		repeat bool
		as     any
	}{
		"the first":               {Edit{}, Draft{}, ada, false, nil},
		"one on nothing":          {Edit{}, Draft{BaseRevision: 1}, ada, false, &invalid},
		"the next":                {latest, Draft{BaseRevision: 3}, bob, false, nil},
		"one on an older one":     {latest, Draft{BaseRevision: 1, Source: SourcePainted, Map: grid(1)}, ada, false, &stale},
		"the same again":          {latest, Draft{BaseRevision: 2, Source: SourcePainted, Map: grid(1)}, ada, true, nil},
		"the same of another":     {latest, Draft{BaseRevision: 2, Source: SourcePainted, Map: grid(1)}, bob, false, &stale},
		"another map":             {latest, Draft{BaseRevision: 2, Source: SourcePainted, Map: grid(0)}, ada, false, &stale},
		"of another source":       {latest, Draft{BaseRevision: 2, Source: SourceModel, Map: grid(1)}, ada, false, &stale},
		"the same, now in review": {submitted, Draft{BaseRevision: 2, Source: SourcePainted, Map: grid(1)}, ada, false, &stale},
	} {
		repeat, err := c.draft.follows(c.latest, c.by)
		if repeat != c.repeat || (err == nil) != (c.as == nil) || err != nil && !errors.As(err, c.as) {
			t.Errorf("%s: a repeat %v, %v", name, repeat, err)
		}
	}
}

// Only an open task can be seeded, and only with a map that one program made and another one approved.
func TestOnlyProgramsSeed(t *testing.T) {
	t.Parallel()
	maker := User{ID: 8, Name: "Generator", Role: RoleReviewer, Generator: true}
	checker := User{ID: 9, Name: "Mask check", Role: RoleReviewer, Generator: true}
	got, err := adas(TaskOpen).Seed(maker, checker, later)
	want := Task{ID: 5, State: TaskApproved, AuthorID: &maker.ID, AuthorName: maker.Name, SubmittedAt: &later, UpdatedAt: later}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("an open task, seeded: %v\n%s", err, diff)
	}
	for _, pair := range [][2]User{{ada, checker}, {maker, ada}, {maker, maker}} {
		if _, err := adas(TaskOpen).Seed(pair[0], pair[1], later); !errors.Is(err, ErrForbidden) {
			t.Errorf("%s's map, approved by %s: %v, want ErrForbidden", pair[0].Name, pair[1].Name, err)
		}
	}
	for _, state := range []TaskState{TaskLeased, TaskSubmitted, TaskApproved, TaskChangesRequested, TaskSkipped} {
		if _, err := adas(state).Seed(maker, checker, later); !errors.Is(err, ErrConflict) {
			t.Errorf("seeding one that is %s: %v, want ErrConflict", state, err)
		}
	}
}
