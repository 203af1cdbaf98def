package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// propose says that the label of an image is wrong, as a person.
func propose(t *testing.T, w *pgtest.World, by annotator.User, image int64, p annotator.LabelProposal) annotator.LabelVerdict {
	t.Helper()
	v, err := w.Service.ProposeLabel(t.Context(), by, image, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// class is the proposal of a class.
func class(index int) annotator.LabelProposal {
	return annotator.LabelProposal{Says: annotator.LabelIsClass, Class: &index}
}

// A task whose image's label is said to be wrong is put aside. Once another person confirms it, the label changes with its history, the
// prediction is right, the task is closed with the reason, and the trail has each step. Figures are asked for once.
func TestALabelIsMendedByTwoPeople(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	if err := w.Store.SetFigures(ctx, w.Version.ID, map[string]float64{"train/accuracy": 0}); err != nil {
		t.Fatal(err)
	}
	task, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	before, answer := *task.Image.Label, task.Prediction.Class
	if _, err := w.Service.ProposeLabel(ctx, w.Bob, task.ImageID, class(answer)); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "being edited by Ada") {
		t.Errorf("somebody else paints it: %v", err)
	}
	v := propose(t, w, w.Ada, task.ImageID, class(answer))
	if v.State != annotator.LabelProposed || *v.Was != before || v.ClassName == "" || v.Author != "Ada" {
		t.Errorf("proposed: %+v", v)
	}
	aside, err := w.Service.Task(ctx, w.Ada, task.ID)
	if err != nil || aside.State != annotator.TaskSkipped || aside.SkipReason != string(annotator.WithdrawnQuestioned) {
		t.Errorf("its task: %+v, %v", aside.Task, err)
	}
	if _, err := w.Service.ProposeLabel(ctx, w.Bob, task.ImageID, class(answer)); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a second opinion meanwhile: %v", err)
	}
	if _, err := w.Service.JudgeLabel(ctx, w.Bob, v.ID, annotator.LabelConfirm, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an annotator confirms it: %v", err)
	}
	if _, err := w.Store.CreateTasks(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	if next, err := w.Service.NextLabelVerdict(ctx, w.Reviewer, "birds", 0); err != nil || next.ID != v.ID {
		t.Errorf("the next to judge: %+v, %v", next, err)
	}
	if v, err = w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelConfirm, "clearly"); err != nil || v.State != annotator.LabelConfirmed || v.Reviewer != "Rose" {
		t.Fatalf("confirmed: %+v, %v", v, err)
	}
	image, p, err := w.Service.Image(ctx, w.Ada, task.ImageID, nil)
	if err != nil || *image.Label != answer || *image.SourceLabel != before || !image.Corrected() || !p.Correct {
		t.Errorf("the image: %+v, %+v, %v", image, p, err)
	}
	closed, err := w.Service.Task(ctx, w.Ada, task.ID)
	if err != nil || closed.State != annotator.TaskSkipped || closed.SkipReason != string(annotator.WithdrawnRight) || *closed.Image.Label != answer {
		t.Errorf("its task: %+v, %v", closed.Task, err)
	}
	h, err := w.Service.LabelHistory(ctx, w.Ada, task.ImageID)
	if err != nil || h.Source != w.Project.Classes[before].Key || len(h.Verdicts) != 1 || len(h.Changes) != 1 ||
		h.Changes[0].Was != h.Source || h.Changes[0].Became != w.Project.Classes[answer].Key || *h.Changes[0].VerdictID != v.ID {
		t.Errorf("its history: %+v, %v", h, err)
	}
	evaluations := func() (n int) {
		t.Helper()
		jobs, err := w.Service.Jobs(ctx, w.Admin, "birds")
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range jobs {
			if j.Kind == annotator.JobEvaluate && j.State == annotator.JobQueued {
				n++
			}
		}
		return n
	}
	asked := evaluations()
	if asked == 0 {
		t.Error("no figures are asked for")
	}

	// Back again: the prediction is wrong, and the same task is open. The reviewer said it, so the admin confirms.
	back := propose(t, w, w.Reviewer, task.ImageID, class(before))
	if _, err := w.Service.JudgeLabel(ctx, w.Reviewer, back.ID, annotator.LabelConfirm, ""); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("their own: %v", err)
	}
	if _, err := w.Service.NextLabelVerdict(ctx, w.Reviewer, "birds", 0); !errors.Is(err, annotator.ErrNoTask) {
		t.Errorf("one's own is offered: %v", err)
	}
	if _, err := w.Service.JudgeLabel(ctx, w.Admin, back.ID, annotator.LabelConfirm, ""); err != nil {
		t.Fatal(err)
	}
	if open, err := w.Service.Task(ctx, w.Ada, task.ID); err != nil || open.State != annotator.TaskOpen {
		t.Errorf("its task: %+v, %v", open.Task, err)
	}
	if n := evaluations(); n != asked {
		t.Errorf("%d evaluations wait after the second change, %d after the first", n, asked)
	}
	trail, err := w.Service.Audit(ctx, w.Admin, "birds", 0)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range trail {
		if strings.HasPrefix(e.Action, "label.") {
			actions = append(actions, e.Actor+" "+e.Action)
		}
	}
	if want := []string{"Grace label.confirm", "Rose label.propose", "Rose label.confirm", "Ada label.propose"}; !slices.Equal(actions, want) {
		t.Errorf("the trail has %q, want %q", actions, want)
	}
}

// An image that the model was right about, and is wrong about once its label is corrected, gets a task.
func TestACorrectedLabelMakesATask(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	task, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	// The label is the answer from the start, so that there is no task.
	u := annotator.ImageUpdate{ID: task.ImageID, NewImage: annotator.NewImage{Name: task.Image.Name, Split: task.Image.Split, Class: w.Project.Classes[task.Prediction.Class].Key, Hash: task.Image.Hash, Width: 64, Height: 48}}
	if err := w.Store.UpdateImages(ctx, w.Project.ID, []annotator.ImageUpdate{u}, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Pool().Exec(ctx, `DELETE FROM tasks WHERE image_id = $1`, task.ImageID); err != nil {
		t.Fatal(err)
	}
	v := propose(t, w, w.Ada, task.ImageID, class(*task.Image.Label))
	if _, err := w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelConfirm, ""); err != nil {
		t.Fatal(err)
	}
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskOpen}})
	if err != nil || !slices.ContainsFunc(page.Tasks, func(c annotator.TaskCard) bool { return c.ImageID == task.ImageID }) {
		t.Errorf("the image has no open task: %v", err)
	}
}

// What is rejected or taken back leaves the label as it is, and the task comes back. A decided verdict stays what it is.
func TestALabelThatStays(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	task, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	open := func(what string) {
		t.Helper()
		d, err := w.Service.Task(ctx, w.Ada, task.ID)
		if err != nil || d.State != annotator.TaskOpen || *d.Image.Label != *task.Image.Label || !d.Image.Measured() {
			t.Errorf("%s: %+v, %v", what, d.Task, err)
		}
	}
	var invalid *annotator.ValidationError
	v := propose(t, w, w.Ada, task.ImageID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous})
	if _, err := w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelReject, " "); !errors.As(err, &invalid) || invalid.Field != "comment" {
		t.Errorf("rejected without a word: %v", err)
	}
	if _, err := w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelReject, "look at its beak"); err != nil {
		t.Fatal(err)
	}
	open("rejected")
	if _, err := w.Service.JudgeLabel(ctx, w.Admin, v.ID, annotator.LabelConfirm, ""); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("confirmed after it was rejected: %v", err)
	}
	v = propose(t, w, w.Ada, task.ImageID, class((*task.Image.Label+1)%3))
	if _, err := w.Service.WithdrawLabel(ctx, w.Bob, v.ID); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("taken back by another: %v", err)
	}
	if _, err := w.Service.WithdrawLabel(ctx, w.Ada, v.ID); err != nil {
		t.Fatal(err)
	}
	open("withdrawn")
	vouched := propose(t, w, w.Ada, task.ImageID, annotator.LabelProposal{Says: annotator.LabelIsRight})
	if vouched.State != annotator.LabelVouched {
		t.Errorf("vouched for: %+v", vouched)
	}
	open("vouched for")
	for field, p := range map[string]annotator.LabelProposal{
		"class": class(*task.Image.Label), "says": {Says: "odd"}, "comment": {Says: annotator.LabelIsNone, Comment: strings.Repeat("x", annotator.BoundComment.Most+1)},
	} {
		if _, err := w.Service.ProposeLabel(ctx, w.Ada, task.ImageID, p); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, sql := range []string{
		`DELETE FROM label_verdicts`, `UPDATE label_verdicts SET comment = 'x'`, `UPDATE label_verdicts SET state = 'proposed' WHERE state = 'vouched'`,
	} {
		refused(t, w, "label_verdicts_append_only", sql)
	}
	refused(t, w, "label_changes_append_only", `TRUNCATE label_changes`)
}

// An image of none of the classes is neither trained nor measured on, and has no task, until another verdict gives it a class. That it is
// like a training image is remembered meanwhile.
func TestLabelsThatLeaveImagesOut(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	train, test := w.Images[0], w.Images[8]
	if _, err := w.Store.LeaveOut(ctx, w.Project.ID, []int64{test.ID}, annotator.LeftOutLeakage, true); err != nil {
		t.Fatal(err)
	}
	data := func() annotator.RoundData {
		t.Helper()
		d, err := w.Store.RoundData(ctx, w.Project.ID)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := data()
	confirm := func(v annotator.LabelVerdict) {
		t.Helper()
		if _, err := w.Service.JudgeLabel(ctx, w.Reviewer, v.ID, annotator.LabelConfirm, ""); err != nil {
			t.Fatal(err)
		}
	}
	confirm(propose(t, w, w.Ada, train.ID, annotator.LabelProposal{Says: annotator.LabelIsNone}))
	confirm(propose(t, w, w.Ada, test.ID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous}))
	confirm(propose(t, w, w.Ada, w.Images[9].ID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous}))
	if d := data(); d.Images != before.Images-1 || d.Heldout != before.Heldout-1 || d.LeftOut != before.LeftOut+1 {
		t.Errorf("a round would have %+v, before %+v", d, before)
	}
	page, err := w.Service.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", States: []annotator.TaskState{annotator.TaskSkipped}})
	if err != nil || page.Total != 1 || page.Tasks[0].ImageID != train.ID || page.Tasks[0].SkipReason != string(annotator.WithdrawnNone) {
		t.Errorf("put aside: %+v, %v", page.Tasks, err)
	}
	if n, err := w.Service.TakeIn(ctx, w.Admin, "birds", nil); err != nil || n != 1 {
		t.Errorf("%d taken in after leakage, %v", n, err)
	}
	if i, err := w.Store.Image(ctx, test.ID); err != nil || !slices.Equal(i.LeftOut, []annotator.LeftOut{annotator.LeftOutAmbiguous}) {
		t.Errorf("the test image: %+v, %v", i, err)
	}
	confirm(propose(t, w, w.Ada, train.ID, class(*train.Label)))
	confirm(propose(t, w, w.Ada, test.ID, class(*test.Label)))
	confirm(propose(t, w, w.Ada, w.Images[9].ID, class(*w.Images[9].Label)))
	if d := data(); d.Images != before.Images || d.Heldout != before.Heldout+1 || d.LeftOut != 0 {
		t.Errorf("afterwards %+v, before %+v", d, before)
	}
	if open, err := w.Service.Task(ctx, w.Ada, page.Tasks[0].ID); err != nil || open.State != annotator.TaskOpen {
		t.Errorf("its task: %+v, %v", open.Task, err)
	}
}
