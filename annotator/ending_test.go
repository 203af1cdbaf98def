package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// A closed project is read as before and takes no change, whoever asks; leases end with their drafts kept. Once it is opened again, work
// goes on where it was.
func TestAClosedProjectDoesNotChange(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	only := func(_ any, err error) error { return err }
	held, err := s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	w.must(err)
	_, err = s.SaveDraft(ctx, w.Ada, held.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.75)})
	w.must(err)
	inReview, err := s.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"})
	w.must(err)
	draft, err := s.SaveDraft(ctx, w.Bob, inReview.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)})
	w.must(err)
	submitted, err := s.Submit(ctx, w.Bob, inReview.ID, draft.Revision)
	w.must(err)
	verdict, err := s.ProposeLabel(ctx, w.Ada, w.Images[5].ID, annotator.LabelProposal{Says: annotator.LabelIsNone})
	w.must(err)
	other, err := w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(2))
	w.must(err)

	_, err = s.CloseProject(ctx, w.Admin, "birds")
	w.must(err)
	if _, err := s.CloseProject(ctx, w.Admin, "birds"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("closed twice: %v", err)
	}
	if task, err := s.Task(ctx, w.Ada, held.ID); err != nil || task.Lease != nil || task.Edit == nil || task.Edit.Revision != 1 {
		t.Errorf("the task that was held: %+v, %v", task.Task, err)
	}
	if all, err := s.Projects(ctx, w.Ada, annotator.ProjectOpen); err != nil || len(all) != 0 {
		t.Errorf("open projects: %+v, %v", all, err)
	}
	if all, err := s.Projects(ctx, w.Ada, annotator.ProjectClosed); err != nil || len(all) != 1 || all[0].Images != 12 {
		t.Errorf("closed projects: %+v, %v", all, err)
	}
	pool := annotator.SplitPool
	image := w.Images[0].ID
	for name, change := range map[string]func() error{
		"NextTask":  func() error { return only(s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})) },
		"ClaimTask": func() error { return only(s.ClaimTask(ctx, w.Ada, held.ID)) },
		"SaveDraft": func() error {
			return only(s.SaveDraft(ctx, w.Ada, held.ID, annotator.Draft{BaseRevision: 1, Source: annotator.SourcePainted, Map: pgtest.Map(0.5)}))
		},
		"ChangeProject": func() error {
			name := "Other birds"
			return only(s.ChangeProject(ctx, w.Admin, "birds", annotator.ProjectChange{Name: &name}))
		},
		"SetStart": func() error {
			return only(s.SetStart(ctx, w.Admin, "birds", attention.Start{Method: attention.StartModel}))
		},
		"another program's": func() error {
			return w.Store.SetStart(ctx, w.Project.ID, attention.Start{Method: attention.StartMaximum, Radius: 1})
		},
		"Skip":     func() error { return s.Skip(ctx, w.Ada, held.ID, "blurred") },
		"TakeBack": func() error { return only(s.TakeBack(ctx, w.Bob, inReview.ID)) },
		"Review":   func() error { return only(s.Review(ctx, w.Reviewer, submitted.Edit.ID, annotator.VerdictApprove, "")) },
		"ProposeLabel": func() error {
			return only(s.ProposeLabel(ctx, w.Ada, image, annotator.LabelProposal{Says: annotator.LabelIsNone}))
		},
		"JudgeLabel":      func() error { return only(s.JudgeLabel(ctx, w.Reviewer, verdict.ID, annotator.LabelConfirm, "")) },
		"StartRound":      func() error { return only(s.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")) },
		"StartScan":       func() error { return only(s.StartScan(ctx, w.Admin, w.Version.ID)) },
		"ActivateVersion": func() error { return only(s.ActivateVersion(ctx, w.Admin, other.ID, "")) },
		"ChangeImage":     func() error { return only(s.ChangeImage(ctx, w.Admin, image, annotator.ImageChange{Split: &pool})) },
		"DeleteImages":    func() error { return only(s.DeleteImages(ctx, w.Admin, "birds", []int64{image})) },
		"RenameClass":     func() error { return only(s.RenameClass(ctx, w.Admin, "birds", 0, "wren")) },
		"ImportImages":    func() error { return only(s.ImportImages(ctx, w.Admin, "birds", annotator.ImageImport{}, nil)) },
		"UploadModel":     func() error { return only(s.UploadModel(ctx, w.Admin, "birds", nil)) },
		"AddImages": func() error {
			return only(w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{{Name: "new.png", Split: annotator.SplitTrain, Hash: pgtest.Hash(77), Width: 1, Height: 1}}))
		},
	} {
		var closed *annotator.ClosedError
		if err := change(); !errors.As(err, &closed) || closed.Slug != "birds" || !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("%s of a closed project: %v", name, err)
		}
	}
	if page, err := s.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds"}); err != nil || page.Total == 0 {
		t.Errorf("its tasks: %d, %v", page.Total, err)
	}

	_, err = s.ReopenProject(ctx, w.Admin, "birds")
	w.must(err)
	if _, err := s.ClaimTask(ctx, w.Ada, held.ID); err != nil {
		t.Errorf("after it was opened: %v", err)
	}
}

// What people started stands in the way of closing and deleting; scans end, and are taken up again.
func TestWorkUnderWayAndClosing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	job, err := w.Store.BeginImport(ctx, w.Project.ID, 3)
	w.must(err)
	if _, err := s.CloseProject(ctx, w.Admin, "birds"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("closed while an import runs: %v", err)
	}
	if _, err := s.DeleteProject(ctx, w.Admin, "birds", "Birds"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("deleted while an import runs: %v", err)
	}
	w.must(w.Store.FailJob(ctx, job.ID, "enough"))
	_, err = w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{{Name: "new.png", Split: annotator.SplitTrain, Class: "class-0", Hash: pgtest.Hash(77), Width: 1, Height: 1}})
	w.must(err)
	scan, err := s.StartScan(ctx, w.Admin, w.Version.ID)
	w.must(err)
	_, err = s.CloseProject(ctx, w.Admin, "birds")
	w.must(err)
	if now, err := w.Store.Job(ctx, scan.ID); err != nil || now.State != annotator.JobCancelled {
		t.Errorf("the scan of a closed project: %+v, %v", now, err)
	}
	_, err = s.ReopenProject(ctx, w.Admin, "birds")
	w.must(err)
	again, err := s.Jobs(ctx, w.Admin, "birds")
	w.must(err)
	if again[0].Kind != annotator.JobScan || again[0].State != annotator.JobQueued || again[0].Total != 1 {
		t.Errorf("its scan after it was opened: %+v", again[0])
	}
}

// A deleted project, and what it has, is not found by anybody; restored, it is as it was. It is purged after ProjectKept, and its slug is
// free then.
func TestDeleteRestoreAndPurge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	w.must(err)
	s := annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: blobs, Clock: w.Clock.Now})
	task, err := s.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	w.must(err)
	edit, err := s.SaveDraft(ctx, w.Ada, task.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.75)})
	w.must(err)
	put := func(content string) string {
		hash, _, err := blobs.Put(ctx, strings.NewReader(content))
		w.must(err)
		return hash
	}
	own, mask, shared := put("a picture"), put("its mask"), put("a picture that another project has too")
	_, err = w.Store.AddImages(ctx, w.Project.ID, []annotator.NewImage{
		{Name: "own.png", Split: annotator.SplitTrain, Hash: own, MaskHash: mask, Clicks: [][2]float64{{0.5, 0.5}}, Width: 1, Height: 1},
		{Name: "shared.png", Split: annotator.SplitTrain, Hash: shared, Width: 1, Height: 1},
	})
	w.must(err)
	_, err = w.Store.Pool().Exec(ctx, `
		WITH round AS (INSERT INTO rounds (project_id, number, settings, parent_version, started_by_name, last_image_id, edits, images, state, finished_at)
			SELECT project_id, 1, '{}', id, '', 0, 1, 1, 'cancelled', now() FROM versions RETURNING id)
		INSERT INTO round_rows (round_id, images, packed) SELECT id, '{}', 'answers' FROM round`)
	w.must(err)
	left := func() (all []string) {
		t.Helper()
		for _, hash := range []string{own, mask, shared} {
			there, err := blobs.Exists(ctx, hash)
			w.must(err)
			if there {
				all = append(all, hash)
			}
		}
		return all
	}
	other, err := s.CreateProject(ctx, w.Admin, "other", "Other", "")
	w.must(err)
	_, err = w.Store.AddImages(ctx, other.ID, []annotator.NewImage{{Name: "same.png", Split: annotator.SplitTrain, Hash: shared, Width: 1, Height: 1}})
	w.must(err)

	var invalid *annotator.ValidationError
	if _, err := s.DeleteProject(ctx, w.Admin, "birds", "birds"); !errors.As(err, &invalid) || invalid.Field != "name" {
		t.Errorf("deleted without its name: %v", err)
	}
	if err := s.PurgeProject(ctx, w.Admin, "birds", "Birds"); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("purged before it was deleted: %v", err)
	}
	_, err = s.CloseProject(ctx, w.Admin, "birds")
	w.must(err)
	_, err = s.DeleteProject(ctx, w.Admin, "birds", "Birds")
	w.must(err)
	only := func(_ any, err error) error { return err }
	image := w.Images[0].ID
	for name, read := range map[string]func() error{
		"Project":       func() error { return only(s.Project(ctx, w.Admin, "birds")) },
		"Tasks":         func() error { return only(s.Tasks(ctx, w.Admin, annotator.TaskFilter{Project: "birds"})) },
		"Task":          func() error { return only(s.Task(ctx, w.Ada, task.ID)) },
		"Revisions":     func() error { return only(s.Revisions(ctx, w.Ada, task.ID)) },
		"ClaimTask":     func() error { return only(s.ClaimTask(ctx, w.Ada, task.ID)) },
		"Score":         func() error { return only(s.Score(ctx, w.Ada, task.ID, attention.Map{})) },
		"ImageDetail":   func() error { return only(s.ImageDetail(ctx, w.Ada, image)) },
		"Picture":       func() error { _, _, err := s.Picture(ctx, w.Ada, image, annotator.PictureThumb); return err },
		"Mask":          func() error { return only(s.Mask(ctx, w.Ada, image)) },
		"Version":       func() error { _, _, err := s.Version(ctx, w.Ada, w.Version.ID); return err },
		"Download":      func() error { return only(s.Download(ctx, w.Ada, w.Version.ID, "")) },
		"ReopenProject": func() error { return only(s.ReopenProject(ctx, w.Admin, "birds")) },
	} {
		if err := read(); !errors.Is(err, annotator.ErrNotFound) {
			t.Errorf("%s of a deleted project: %v", name, err)
		}
	}
	if _, err := s.CreateProject(ctx, w.Admin, "birds", "Birds", ""); !errors.As(err, &invalid) || invalid.Field != "slug" {
		t.Errorf("another under the slug of a deleted one: %v", err)
	}
	if restored, err := s.RestoreProject(ctx, w.Admin, "birds"); err != nil || restored.State() != annotator.ProjectClosed {
		t.Errorf("restored: %+v, %v", restored, err)
	}
	if got, err := s.Revisions(ctx, w.Ada, task.ID); err != nil || len(got) != 1 || got[0].ID != edit.ID {
		t.Errorf("the revisions of a restored project: %+v, %v", got, err)
	}

	_, err = s.DeleteProject(ctx, w.Admin, "birds", "Birds")
	w.must(err)
	w.Clock.Add(annotator.ProjectKept - time.Minute)
	if n, err := s.PurgeDeletedProjects(ctx, annotator.System); err != nil || n != 0 || len(left()) != 3 {
		t.Errorf("%d purged too early, %v", n, err)
	}
	w.Clock.Add(2 * time.Minute)
	if n, err := s.PurgeDeletedProjects(ctx, annotator.System); err != nil || n != 1 {
		t.Fatalf("%d purged, %v", n, err)
	}
	if got := left(); !slices.Equal(got, []string{shared}) {
		t.Errorf("the files %v are left", got)
	}
	kept, err := w.Store.ReferencedBlobs(ctx)
	w.must(err)
	if _, there := kept[shared]; !there || len(kept) != 1 {
		t.Errorf("files in use: %v", kept)
	}
	if _, err := s.RestoreProject(ctx, w.Admin, "birds"); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("restored after it was purged: %v", err)
	}
	all, err := s.Projects(ctx, w.Admin, annotator.ProjectDeleted)
	w.must(err)
	if len(all) != 1 || all[0].PurgedAt == nil || all[0].Name != "Birds" {
		t.Errorf("the record of it: %+v", all)
	}
	for table, want := range map[string]int{"edits": 1, "image_clicks": 0, "edit_histories": 0, "predictions": 8, "images": 15, "rounds": 1, "round_rows": 0} {
		var n int
		w.must(w.Store.Pool().QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n))
		if n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
	again, err := s.CreateProject(ctx, w.Admin, "birds", "Birds", "")
	w.must(err)
	if found, err := s.Project(ctx, w.Ada, "birds"); err != nil || found.ID != again.ID {
		t.Errorf("another under the slug: %+v, %v", found.Project, err)
	}
	entries, err := w.Store.AuditEntries(ctx, w.Project.ID, 0, 100)
	w.must(err)
	var told []string
	for _, e := range slices.Backward(entries) {
		if e.Subject == "project birds" {
			told = append(told, e.Action)
		}
	}
	want := []string{"project.create", "project.close", "project.delete", "project.restore", "project.delete", "project.purge"}
	if !slices.Equal(told, want) {
		t.Errorf("the trail has %v, want %v", told, want)
	}
}
