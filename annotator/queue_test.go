package annotator_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

func TestNextTaskGivesTheMostConfidentMistake(t *testing.T) {
	t.Parallel()
	w := setup(t)
	first := w.next(w.Ada)
	if first.Image.Name != "train/0.png" || first.LabelName != "Zero" || first.Prediction.Top[0].Name != "One" {
		t.Errorf("first task: image %s, label %s, answer %s", first.Image.Name, first.LabelName, first.Prediction.Top[0].Name)
	}
	if first.State != annotator.TaskLeased || first.Lease == nil || !first.Lease.Mine || first.Edit != nil {
		t.Errorf("first task: state %s, lease %+v, edit %v; want leased, mine, untouched", first.State, first.Lease, first.Edit)
	}
	if again := w.next(w.Ada); again.ID != first.ID {
		t.Errorf("asked again, Ada gets task %d, want the one she holds, %d", again.ID, first.ID)
	}
	// While she submits it she gets another.
	if next, err := w.Service.NextTask(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds", Except: first.ID}); err != nil || next.ID == first.ID || next.Lease == nil || !next.Lease.Mine {
		t.Errorf("beside task %d Ada gets %d, %+v, %v", first.ID, next.ID, next.Lease, err)
	}
	if other := w.next(w.Bob); other.ID == first.ID {
		t.Error("Bob got the task Ada holds")
	}
	seen, err := w.Service.Task(t.Context(), w.Bob, first.ID)
	if err != nil || seen.Lease == nil || seen.Lease.Mine || seen.Lease.UserName != "Ada" {
		t.Errorf("Bob sees the lease %+v, %v; want Ada's", seen.Lease, err)
	}
}

func TestNobodySharesATask(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// Eight tasks, ten people at once: eight get one each, two none.
	people := make([]annotator.User, 10)
	for i := range people {
		u, err := w.Store.InsertUser(t.Context(), annotator.User{Email: string(rune('a'+i)) + "@x.org", Name: "P", Role: annotator.RoleAnnotator, CreatedAt: w.Clock.Now()}, "-")
		if err != nil {
			t.Fatal(err)
		}
		w.must(w.Store.SetMember(t.Context(), w.Project.ID, u.ID, annotator.RoleAnnotator, nil, w.Clock.Now()))
		people[i] = u
	}
	var mu sync.Mutex
	holders := map[int64]int{}
	without := 0
	var all sync.WaitGroup
	for _, who := range people {
		all.Go(func() {
			d, err := w.Service.NextTask(t.Context(), who, annotator.TaskFilter{Project: "birds"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, annotator.ErrNoTask):
				without++
			case err != nil:
				t.Error(err)
			default:
				holders[d.ID]++
			}
		})
	}
	all.Wait()
	if len(holders) != 8 || without != 2 {
		t.Errorf("%d tasks were taken and %d people got none, want 8 and 2", len(holders), without)
	}
	for task, n := range holders {
		if n != 1 {
			t.Errorf("task %d was given to %d people", task, n)
		}
	}
}

func TestClaimOfTheSameTaskAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	page, err := w.Service.Tasks(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	task := page.Tasks[3].ID
	results := make(chan error, 2)
	for _, who := range []annotator.User{w.Ada, w.Bob} {
		go func() {
			_, err := w.Service.ClaimTask(t.Context(), who, task)
			results <- err
		}()
	}
	var refused *annotator.LeaseError
	for range 2 {
		if err := <-results; err != nil {
			if refused != nil || !errors.As(err, &refused) {
				t.Fatalf("ClaimTask: %v; want one success and one *LeaseError", err)
			}
		}
	}
	if refused == nil || refused.Holder == "" {
		t.Errorf("refusal %v names no holder", refused)
	}
}

func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	w.save(w.Ada, d.ID, 0, 0.25)
	w.Clock.Add(annotator.LeaseDuration - time.Second)
	if lease, err := w.Service.RenewLease(t.Context(), w.Ada, d.ID); err != nil || !lease.ExpiresAt.Equal(w.Clock.Now().Add(annotator.LeaseDuration)) {
		t.Fatalf("RenewLease = %+v, %v", lease, err)
	}
	w.Clock.Add(annotator.LeaseDuration)
	var lost *annotator.LeaseError
	if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, draft(1, 0.5)); !errors.As(err, &lost) || lost.Holder != "" {
		t.Errorf("a save after the lease ended: %v, want a *LeaseError without a holder", err)
	}
	if got := w.next(w.Bob); got.ID != d.ID || got.Edit == nil || got.Edit.Revision != 1 {
		t.Errorf("Bob gets task %d, want %d with Ada's draft", got.ID, d.ID)
	}
	if _, err := w.Service.SaveDraft(t.Context(), w.Ada, d.ID, draft(1, 0.5)); !errors.As(err, &lost) || lost.Holder != "Bob" {
		t.Errorf("a save on Bob's task: %v, want a *LeaseError that names him", err)
	}
}

func TestSaveRenewsTheLease(t *testing.T) {
	t.Parallel()
	w := setup(t)
	d := w.next(w.Ada)
	for i := range 4 {
		w.Clock.Add(annotator.LeaseDuration / 2)
		w.save(w.Ada, d.ID, i, float32(i)/10)
	}
}

func TestSkipReopenRelease(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	d := w.next(w.Ada)
	var invalid *annotator.ValidationError
	if err := w.Service.Skip(ctx, w.Ada, d.ID, "  "); !errors.As(err, &invalid) || invalid.Field != "reason" {
		t.Errorf("skipping without a reason: %v", err)
	}
	if err := w.Service.Skip(ctx, w.Ada, d.ID, "the label is wrong"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.ClaimTask(ctx, w.Bob, d.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("claiming a skipped task: %v, want ErrConflict", err)
	}
	if err := w.Service.Reopen(ctx, w.Ada, d.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an annotator reopening: %v, want ErrForbidden", err)
	}
	if err := w.Service.Reopen(ctx, w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	got := w.next(w.Bob)
	if got.ID != d.ID || got.SkipReason != "" {
		t.Errorf("after reopening Bob gets task %d (%q), want %d", got.ID, got.SkipReason, d.ID)
	}
	if err := w.Service.GiveBack(ctx, w.Bob, got.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Service.GiveBack(ctx, w.Bob, got.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("releasing twice: %v, want ErrConflict", err)
	}
}

func TestTasksPagesAndFacets(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	w.next(w.Ada)
	var names []string
	f := annotator.TaskFilter{Project: "birds", Limit: 3}
	for pages := 0; ; pages++ {
		page, err := w.Service.Tasks(ctx, w.Ada, f)
		if err != nil || page.Total != 8 || pages > 3 {
			t.Fatalf("page %d: total %d, %v", pages, page.Total, err)
		}
		for _, c := range page.Tasks {
			names = append(names, c.Image.Name)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	want := []string{"train/0.png", "train/1.png", "train/2.png", "train/3.png", "train/4.png", "train/5.png", "pool/0.png", "pool/1.png"}
	if len(names) != len(want) {
		t.Fatalf("pages hold %q", names)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("place %d: %s, want %s", i, names[i], want[i])
		}
	}

	label, predicted := 0, 1
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Label: &label, Predicted: &predicted, Search: "TRAIN"})
	if err != nil || page.Total != 2 {
		t.Errorf("class 0 taken for 1 in train: %d, %v; want 2", page.Total, err)
	}
	facets, err := w.Service.Facets(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Label: &label})
	if err != nil {
		t.Fatal(err)
	}
	if facets.States[annotator.TaskOpen] != 2 || facets.States[annotator.TaskLeased] != 1 {
		t.Errorf("states with label 0: %v, want 2 open and 1 leased", facets.States)
	}
	if facets.Labels[0] != 3 || facets.Labels[1] != 3 || facets.Labels[2] != 2 {
		t.Errorf("labels, without the filter on themselves: %v", facets.Labels)
	}
	if len(facets.Confusion) != 3 || facets.Confusion[0] != (annotator.ConfusionPair{Label: 0, Predicted: 1, Count: 3}) {
		t.Errorf("confusion: %v", facets.Confusion)
	}
	if facets.Histogram[9] != 3 && facets.Histogram[8]+facets.Histogram[9] != 3 {
		t.Errorf("confidence: %v", facets.Histogram)
	}
	if len(facets.Authors) != 1 || facets.Authors[0].Name != "Ada" {
		t.Errorf("authors: %v", facets.Authors)
	}
	var invalid *annotator.ValidationError
	for _, f := range []annotator.TaskFilter{
		{Project: "birds", Cursor: "nonsense"}, {Project: "birds", Limit: 201}, {Project: "birds", States: []annotator.TaskState{"gone"}},
	} {
		if _, err := w.Service.Tasks(ctx, w.Ada, f); !errors.As(err, &invalid) {
			t.Errorf("Tasks(%+v) = %v, want a *ValidationError", f, err)
		}
	}
}
