package annotator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A map that waits for review is one reviewer's at a time: they keep it while they renew it, and it is free again once they have judged it,
// left it, or their lease has run out.
func TestAReviewIsOneReviewersAtATime(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	first, second := w.submitted(w.Ada), w.submitted(w.Bob)
	roses, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0)
	if err != nil || roses.ID != first.ID || roses.State != annotator.TaskSubmitted || roses.Lease == nil || !roses.Lease.Mine ||
		!roses.Lease.ExpiresAt.Equal(w.Clock.Now().Add(annotator.LeaseDuration)) {
		t.Fatalf("Rose's next review: task %d, %+v, %v", roses.ID, roses.Lease, err)
	}
	if again, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0); err != nil || again.ID != first.ID {
		t.Errorf("asked again, Rose gets %d, %v; want what she has, %d", again.ID, err, first.ID)
	}
	if beside, err := w.Service.NextReview(ctx, w.Reviewer, "birds", first.ID, first.ID); err != nil || beside.ID != second.ID {
		t.Errorf("beside %d Rose gets %d, %v", first.ID, beside.ID, err)
	}
	if _, err := w.Service.NextReview(ctx, w.Admin, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("the admin's next review: %v, want none: Rose has both", err)
	}
	seen, err := w.Service.Task(ctx, w.Admin, first.ID)
	if err != nil || seen.Lease == nil || seen.Lease.Mine || seen.Lease.UserName != "Rose" {
		t.Errorf("the admin sees the lease %+v, %v; want Rose's", seen.Lease, err)
	}

	// A verdict of somebody else says who has it and what to do; nothing is judged.
	w.Clock.Add(5 * time.Minute)
	var held *annotator.LeaseError
	_, err = w.Service.Review(ctx, w.Admin, first.Edit.ID, annotator.VerdictReject, "too wide")
	if want := fmt.Sprintf("Rose is reviewing task %d: go on to the next one, or come back when it is free, in 11 min unless they go on with it", first.ID); !errors.As(err, &held) || held.Error() != want {
		t.Errorf("the admin's verdict: %v, want %q", err, want)
	}
	if _, err := w.Service.ClaimReview(ctx, w.Admin, first.ID); !errors.As(err, &held) {
		t.Errorf("the admin taking it: %v, want a *LeaseError", err)
	}
	if _, err := w.Service.RenewReview(ctx, w.Admin, first.ID); !errors.As(err, &held) {
		t.Errorf("the admin renewing it: %v, want a *LeaseError", err)
	}
	if err := w.Service.ReleaseReview(ctx, w.Admin, first.ID); !errors.As(err, &held) {
		t.Errorf("the admin leaving it: %v, want a *LeaseError", err)
	}

	// What is renewed stays, what is left is free at once, what is not renewed is free in the end.
	if lease, err := w.Service.RenewReview(ctx, w.Reviewer, first.ID); err != nil || !lease.ExpiresAt.Equal(w.Clock.Now().Add(annotator.LeaseDuration)) {
		t.Errorf("renewed: %+v, %v", lease, err)
	}
	w.must(w.Service.ReleaseReview(ctx, w.Reviewer, second.ID))
	if free, err := w.Service.NextReview(ctx, w.Admin, "birds", 0); err != nil || free.ID != second.ID {
		t.Errorf("after Rose left it the admin gets %d, %v; want %d", free.ID, err, second.ID)
	}
	w.Clock.Add(annotator.LeaseDuration - time.Second)
	if _, err := w.Service.ClaimReview(ctx, w.Admin, first.ID); !errors.As(err, &held) {
		t.Errorf("in the last second of Rose's lease: %v, want a *LeaseError", err)
	}
	w.Clock.Add(time.Second)
	if got, err := w.Service.Task(ctx, w.Ada, first.ID); err != nil || got.Lease != nil || got.ReviewerID != nil {
		t.Errorf("after Rose's lease: %+v, %v", got.Lease, err)
	}
	if got, err := w.Service.ClaimReview(ctx, w.Admin, first.ID); err != nil || !got.Lease.Mine {
		t.Errorf("after Rose's lease: %+v, %v", got.Lease, err)
	}
	if _, err := w.Service.RenewReview(ctx, w.Reviewer, first.ID); !errors.As(err, &held) || held.Holder != "Grace" {
		t.Errorf("Rose renewing what the admin has: %v", err)
	}
	done, err := w.Service.Review(ctx, w.Admin, first.Edit.ID, annotator.VerdictApprove, "")
	if err != nil || done.Lease != nil || done.LeaseExpiresAt != nil || done.ReviewerID != nil {
		t.Errorf("judged: %+v, %v", done.Task, err)
	}
	_, err = w.Service.Review(ctx, w.Reviewer, first.Edit.ID, annotator.VerdictApprove, "")
	if want := fmt.Sprintf("Grace has judged edit %d of task %d already: it is approved. Go on to the next one", first.Edit.ID, first.ID); !errors.Is(err, annotator.ErrConflict) || err.Error() != want {
		t.Errorf("a second verdict: %v, want %q", err, want)
	}
	_, err = w.Service.Review(ctx, w.Admin, first.Edit.ID, annotator.VerdictReject, "too wide")
	if want := fmt.Sprintf("you have judged edit %d of task %d already, in another window: it is approved. Go on to the next one", first.Edit.ID, first.ID); !errors.Is(err, annotator.ErrConflict) || err.Error() != want {
		t.Errorf("a second verdict of the same person: %v, want %q", err, want)
	}
	// Whoever takes a verdict back has the map to judge again.
	if back, err := w.Service.Retract(ctx, w.Admin, first.Edit.ID); err != nil || back.Lease == nil || !back.Lease.Mine {
		t.Errorf("taken back: %+v, %v", back.Lease, err)
	}
}

// Nobody has to take a map before they judge it: looking at one takes nothing, and who is first to judge it has judged it.
func TestALookTakesNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.submitted(w.Ada)
	for _, u := range []annotator.User{w.Reviewer, w.Admin} {
		if got, err := w.Service.Task(ctx, u, d.ID); err != nil || got.Lease != nil {
			t.Errorf("%s looking: %+v, %v", u.Name, got.Lease, err)
		}
	}
	if _, err := w.Service.RenewReview(ctx, w.Reviewer, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("renewing what nobody has: %v, want ErrConflict", err)
	}
	if _, err := w.Service.Review(ctx, w.Admin, d.Edit.ID, annotator.VerdictApprove, ""); err != nil {
		t.Errorf("judged at sight: %v", err)
	}
	if _, err := w.Service.ClaimReview(ctx, w.Reviewer, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("taking what is judged: %v, want ErrConflict", err)
	}
	mine := w.submitted(w.Reviewer)
	if _, err := w.Service.ClaimReview(ctx, w.Reviewer, mine.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("taking one's own: %v, want ErrForbidden", err)
	}
}

// The lease of a review ends with what it is about: the map is taken back by its painter, the image leaves the project, the project is
// closed, the reviewer goes.
func TestALeaseOfAReviewEndsWithIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	taken := func() annotator.TaskDetail {
		t.Helper()
		w.submitted(w.Ada)
		d, err := w.Service.NextReview(ctx, w.Reviewer, "birds", 0)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	free := func(what string, task int64) {
		t.Helper()
		got, err := w.Store.Task(ctx, task)
		if err != nil || got.ReviewerID != nil {
			t.Errorf("%s: reviewed by %q still, %v", what, got.ReviewerName, err)
		}
	}
	d := taken()
	if back, err := w.Service.TakeBack(ctx, w.Ada, d.ID); err != nil || back.Lease == nil || !back.Lease.Mine {
		t.Errorf("Ada takes it back: %+v, %v", back.Lease, err)
	}
	free("taken back by its painter", d.ID)
	if _, err := w.Service.RenewReview(ctx, w.Reviewer, d.ID); err == nil || !strings.Contains(err.Error(), "Ada is painting task") {
		t.Errorf("its reviewer is told %v", err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, d.Edit.ID, annotator.VerdictApprove, ""); err == nil || !strings.Contains(err.Error(), "Ada has taken edit") {
		t.Errorf("its reviewer, who judges it, is told %v", err)
	}
	w.must(w.Service.Skip(ctx, w.Ada, d.ID, "later"))

	d = taken()
	if _, err := w.Service.DeleteImages(ctx, w.Admin, "birds", []int64{d.ImageID}); err != nil {
		t.Fatal(err)
	}
	free("its image was deleted", d.ID)

	d = taken()
	gone, err := w.Service.CreateUser(ctx, annotator.System, annotator.NewUser{Email: "zed@example.org", Name: "Zed", Password: "a long enough password 7", Role: annotator.RoleReviewer})
	w.must(err)
	w.must(w.Service.ReleaseReview(ctx, w.Reviewer, d.ID))
	if _, err := w.Service.ClaimReview(ctx, gone, d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.RemovePerson(ctx, w.Admin, gone.ID, gone.Email); err != nil {
		t.Fatal(err)
	}
	free("its reviewer was removed", d.ID)

	if _, err := w.Service.ClaimReview(ctx, w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.CloseProject(ctx, w.Admin, "birds"); err != nil {
		t.Fatal(err)
	}
	free("its project was closed", d.ID)
}

func TestAPersonHasABoundedNumberOfReviews(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	load := newReviewLoad(t, w, annotator.MaxLeases+1, 1)
	var held []int64
	for range annotator.MaxLeases {
		d, err := w.Service.NextReview(ctx, load.reviewers[0], load.slug, 0, held...)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, d.ID)
	}
	var limit *annotator.LeaseLimitError
	if _, err := w.Service.NextReview(ctx, load.reviewers[0], load.slug, 0, held...); !errors.As(err, &limit) || !strings.Contains(limit.Error(), "10 maps to review") {
		t.Errorf("one more: %v, want a *LeaseLimitError", err)
	}
	if d, err := w.Service.NextReview(ctx, load.reviewers[0], load.slug, 0); err != nil || d.ID != held[0] {
		t.Errorf("asked again: task %d, %v; want %d", d.ID, err, held[0])
	}
}

// reviewLoad is a project with maps that wait for review, and people to judge them.
type reviewLoad struct {
	slug      string
	edits     int
	reviewers []annotator.User
}

func newReviewLoad(t testing.TB, w *world, edits, reviewers int) reviewLoad {
	t.Helper()
	ctx := t.Context()
	load := reviewLoad{slug: "reviews", edits: edits}
	project, version, images := w.ProjectOf(t, load.slug, edits, 0, 0)
	err := w.Store.InTx(ctx, func(tx annotator.Store) error {
		var ids []int64
		for _, image := range images {
			ids = append(ids, image.ID)
		}
		tasks, err := tx.LockUntouchedOf(ctx, version, ids)
		if err != nil {
			return err
		}
		var all []annotator.Brought
		for i, id := range ids {
			task, at := tasks[id], w.Clock.Now().Add(time.Duration(i)*time.Second)
			task.State, task.AuthorID, task.SubmittedAt, task.UpdatedAt = annotator.TaskSubmitted, &w.Ada.ID, &at, at
			all = append(all, annotator.Brought{Task: task, Submitted: at, Edit: annotator.Edit{
				TaskID: task.ID, Revision: 1, AuthorID: w.Ada.ID, State: annotator.EditSubmitted, Source: annotator.SourcePainted, Map: pgtest.Map(0.5), CreatedAt: at,
			}})
		}
		return tx.InsertBrought(ctx, version, all)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range reviewers {
		u, err := w.Store.InsertUser(ctx, annotator.User{Email: fmt.Sprintf("reviewer-%d@example.org", i), Name: fmt.Sprint("Reviewer ", i), Role: annotator.RoleReviewer, CreatedAt: w.Clock.Now()}, "-")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store.SetMember(ctx, project.ID, u.ID, annotator.RoleReviewer, nil, w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		load.reviewers = append(load.reviewers, u)
	}
	return load
}

// Five reviewers at once judge two hundred maps, each with the next one taken ahead, as the page does. Every map is judged once, no verdict
// is refused, and nobody is given what somebody else has. With -v it prints how long the steps took; the figures judge nothing.
func TestFiveReviewersNeverCollide(t *testing.T) {
	t.Parallel()
	w := setup(t)
	newReviewLoad(t, w, 200, 5).judge(t, w)
}

// judge has every reviewer judge until nothing waits any more.
func (l reviewLoad) judge(t testing.TB, w *world) {
	t.Helper()
	ctx := t.Context()
	var mu sync.Mutex
	judged := map[int64]string{}
	times := map[string][]time.Duration{}
	measure := func(step string, start time.Time) {
		mu.Lock()
		times[step] = append(times[step], time.Since(start))
		mu.Unlock()
	}
	next := func(u annotator.User, except ...int64) (annotator.TaskDetail, bool) {
		start := time.Now()
		d, err := w.Service.NextReview(ctx, u, l.slug, 0, except...)
		if errors.Is(err, annotator.ErrNoTask) {
			return d, false
		}
		if err != nil {
			t.Error(err)
			return d, false
		}
		measure("next", start)
		return d, true
	}
	var all sync.WaitGroup
	for _, u := range l.reviewers {
		all.Go(func() {
			d, waits := next(u)
			for i := 0; waits; i++ {
				ahead, more := next(u, d.ID)
				verdict, comment := annotator.VerdictApprove, ""
				if i%3 == 2 {
					verdict, comment = annotator.VerdictReject, "too wide"
				}
				start := time.Now()
				if _, err := w.Service.Review(ctx, u, d.Edit.ID, verdict, comment); err != nil {
					t.Errorf("%s judging task %d: %v", u.Name, d.ID, err)
				}
				measure("verdict", start)
				mu.Lock()
				if by := judged[d.ID]; by != "" {
					t.Errorf("task %d is judged by %s and by %s", d.ID, by, u.Name)
				}
				judged[d.ID] = u.Name
				mu.Unlock()
				if d, waits = ahead, more; !waits {
					d, waits = next(u)
				}
			}
		})
	}
	all.Wait()
	for step, took := range times {
		slices.Sort(took)
		t.Logf("%s: p50 %.1f ms, p95 %.1f ms of %d, by %d people at once", step, ms(took[len(took)/2]), ms(took[len(took)*95/100]), len(took), len(l.reviewers))
	}
	if len(judged) != l.edits {
		t.Errorf("%d of %d maps are judged", len(judged), l.edits)
	}
	by := map[string]int{}
	for _, name := range judged {
		by[name]++
	}
	for _, u := range l.reviewers {
		if by[u.Name] == 0 {
			t.Errorf("%s judged none", u.Name)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
