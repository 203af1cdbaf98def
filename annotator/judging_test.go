package annotator_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A person who drew a revision since the last verdict may not judge, whether or not it is the submitted one. A person who drew only before
// that verdict may, unless the submitted map is the same as theirs.
func TestWhoDrewSinceTheLastVerdictDoesNotJudge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Reviewer)
	w.save(w.Reviewer, d.ID, 0, 0.75)
	w.release(w.Reviewer, d.ID)
	w.claim(w.Ada, d.ID)
	w.save(w.Ada, d.ID, 1, 0.25) // another map than Rose's
	w.submit(w.Ada, d.ID, 2)
	w.judges(d.ID, w.Admin)
	if _, err := w.Service.Review(ctx, w.Admin, w.latest(d.ID).ID, annotator.VerdictReject, "again"); err != nil {
		t.Fatal(err)
	}

	w.claim(w.Ada, d.ID)
	w.save(w.Ada, d.ID, 2, 0.5)
	w.submit(w.Ada, d.ID, 3)
	w.judges(d.ID, w.Admin, w.Reviewer) // Rose's map was judged, with what was drawn over it
	if _, err := w.Service.Review(ctx, w.Reviewer, w.latest(d.ID).ID, annotator.VerdictReject, "once more"); err != nil {
		t.Fatal(err)
	}

	w.claim(w.Ada, d.ID)
	w.save(w.Ada, d.ID, 3, 0.75)
	w.submit(w.Ada, d.ID, 4)
	w.judges(d.ID, w.Admin) // it is Rose's first map again
}

// After any sequence of actions on a task, the domain, the queue, the database and a literal reading of the rule agree on who may judge.
func TestEverybodyAgreesWhoMayJudge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	random := rand.New(rand.NewPCG(9, 21))
	people := []annotator.User{w.Admin, w.Reviewer, w.Ada, w.Bob}
	maps := []float32{0.25, 0.5, 0.75}
	page, err := w.Service.Tasks(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds", Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, card := range page.Tasks {
		task := card.ID
		type revision struct {
			author int64
			value  float32
		}
		var drawn []revision // all of them
		since := 0           // where those since the last verdict begin
		for range 2 {
			var painter annotator.User
			for range 1 + random.IntN(3) {
				painter = people[random.IntN(len(people))]
				w.claim(painter, task)
				value := maps[random.IntN(len(maps))]
				w.save(painter, task, len(drawn), value)
				drawn = append(drawn, revision{painter.ID, value})
				w.release(painter, task)
			}
			w.claim(painter, task)
			w.submit(painter, task, len(drawn))
			var may []annotator.User
			for _, u := range people {
				hand := slices.ContainsFunc(drawn[since:], func(r revision) bool { return r.author == u.ID }) ||
					slices.Contains(drawn, revision{u.ID, drawn[len(drawn)-1].value})
				if u.Role.May(annotator.RoleReviewer) && !hand {
					may = append(may, u)
				}
			}
			w.judges(task, may...)
			if len(may) == 0 { // a third reviewer would be needed; the next task
				break
			}
			if _, err := w.Service.Review(t.Context(), may[0], w.latest(task).ID, annotator.VerdictReject, "again"); err != nil {
				t.Fatal(err)
			}
			since = len(drawn)
			if err := w.Service.Reopen(t.Context(), w.Reviewer, task); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// judges fails unless exactly these people may judge the task's submitted edit: by the rule itself, by the queue of reviews, and by the
// database when it is written to directly.
func (w *world) judges(task int64, may ...annotator.User) {
	w.t.Helper()
	ctx := w.t.Context()
	edit := w.latest(task)
	for _, u := range []annotator.User{w.Admin, w.Reviewer, w.Ada, w.Bob} {
		allowed := slices.ContainsFunc(may, func(m annotator.User) bool { return m.ID == u.ID })
		d, err := w.Service.Task(ctx, u, task)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := d.MayJudge(u); (err == nil) != allowed || err != nil && !errors.Is(err, annotator.ErrForbidden) {
			w.t.Errorf("task %d: MayJudge(%s) = %v, drawn by %v; allowed: %t", task, u.Name, err, d.DrawnBy, allowed)
		}
		offered := false
		for seen := []int64{}; ; {
			next, err := w.Service.NextReview(ctx, u, "birds", 0, seen...)
			if err != nil {
				break
			}
			offered, seen = offered || next.ID == task, append(seen, next.ID)
			if err := next.MayJudge(u); err != nil {
				w.t.Errorf("task %d: %s is offered it and refused: %v", next.ID, u.Name, err)
			}
			if err := w.Service.ReleaseReview(ctx, u, next.ID); err != nil {
				w.t.Fatal(err)
			}
		}
		if offered != allowed {
			w.t.Errorf("task %d: the queue offers it to %s: %t, allowed: %t", task, u.Name, offered, allowed)
		}
		tx, err := w.Store.Pool().Begin(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO reviews (edit_id, reviewer_id, verdict) VALUES ($1, $2, 'approve')`, edit.ID, u.ID)
		if (err == nil) != allowed {
			w.t.Errorf("task %d: the database says to a review by %s: %v, allowed: %t", task, u.Name, err, allowed)
		}
		if err := tx.Rollback(ctx); err != nil {
			w.t.Fatal(err)
		}
		if !allowed {
			if _, err := w.Service.Review(ctx, u, edit.ID, annotator.VerdictApprove, ""); !errors.Is(err, annotator.ErrForbidden) {
				w.t.Errorf("task %d: a review by %s: %v, want ErrForbidden", task, u.Name, err)
			}
		}
	}
}

func (w *world) claim(who annotator.User, task int64) {
	w.t.Helper()
	if _, err := w.Service.ClaimTask(w.t.Context(), who, task); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) release(who annotator.User, task int64) {
	w.t.Helper()
	if err := w.Service.GiveBack(w.t.Context(), who, task); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) submit(who annotator.User, task int64, revision int) {
	w.t.Helper()
	if _, err := w.Service.Submit(w.t.Context(), who, task, revision); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) latest(task int64) annotator.Edit {
	w.t.Helper()
	e, err := w.Store.LatestEdit(w.t.Context(), task)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// A person holds at most MaxLeases tasks, in all projects together, even if they send many requests at once.
func TestAPersonHoldsABoundedNumberOfTasks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	var tasks []int64
	for i, slug := range []string{"birds", "fish"} { // eight tasks each
		if i > 0 {
			w.AnotherProject(t, slug)
		}
		page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: slug})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Tasks {
			tasks = append(tasks, c.ID)
		}
	}
	if len(tasks) <= annotator.MaxLeases {
		t.Fatalf("%d tasks cannot exceed %d leases", len(tasks), annotator.MaxLeases)
	}
	results := make(chan error, len(tasks))
	for _, id := range tasks {
		go func() {
			_, err := w.Service.ClaimTask(ctx, w.Ada, id)
			results <- err
		}()
	}
	taken := 0
	var limit *annotator.LeaseLimitError
	for range tasks {
		switch err := <-results; {
		case err == nil:
			taken++
		case !errors.As(err, &limit) || !errors.Is(err, annotator.ErrConflict):
			t.Errorf("claiming: %v, want a *LeaseLimitError", err)
		}
	}
	if taken != annotator.MaxLeases {
		t.Fatalf("%d tasks were taken at once, want %d", taken, annotator.MaxLeases)
	}
	if want := fmt.Sprintf("you hold %d tasks, as many as one person may: submit, skip or put back one of them", annotator.MaxLeases); limit.Error() != want {
		t.Errorf("the refusal is %q, want %q", limit, want)
	}

	// The next task is one of those held; a project in which none is held has none to give.
	held := w.next(w.Ada)
	w.claim(w.Ada, held.ID) // taking what one holds is no further lease
	w.AnotherProject(t, "ships")
	if _, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "ships"}); !errors.As(err, &limit) {
		t.Errorf("the next task of a project where none is held: %v, want a *LeaseLimitError", err)
	}
	w.release(w.Ada, held.ID)
	if _, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "ships"}); err != nil {
		t.Errorf("after one was put back: %v", err)
	}
	// Leases that ran out do not count; others are free to take theirs.
	w.next(w.Bob)
	w.Clock.Add(annotator.LeaseDuration)
	w.claim(w.Ada, tasks[0])
}

// An open task can be skipped without taking it first, so that a person who holds MaxLeases tasks can still tidy the queue.
func TestSkippingAnOpenTask(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	mine := w.next(w.Ada)
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskOpen}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Service.Skip(ctx, w.Ada, page.Tasks[0].ID, "the label is wrong"); err != nil {
		t.Fatal(err)
	}
	var held *annotator.LeaseError
	if err := w.Service.Skip(ctx, w.Bob, mine.ID, "not mine"); !errors.As(err, &held) || held.Holder != "Ada" {
		t.Errorf("skipping what Ada paints: %v, want a *LeaseError that names her", err)
	}
	if err := w.Service.Skip(ctx, w.Bob, page.Tasks[0].ID, "again"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("skipping twice: %v, want ErrConflict", err)
	}
}
