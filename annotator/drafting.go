package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// EditStore keeps edits, which are only ever added to, and the reviews of them.
type EditStore interface {
	Edit(ctx context.Context, id int64) (Edit, error)
	// LatestEdit returns a task's latest revision with its history; ErrNotFound while it is untouched.
	LatestEdit(ctx context.Context, taskID int64) (Edit, error)
	// Revisions lists a task's edits, oldest first, without their histories.
	Revisions(ctx context.Context, taskID int64) ([]Edit, error)
	// InsertEdit adds a revision; its history replaces the one of the revision before.
	InsertEdit(ctx context.Context, e Edit) (Edit, error)
	// SubmitEdit moves a draft to submitted, and keeps the model's scores with its own map (before) and with the edit's (after); nil:
	// they were not computed.
	SubmitEdit(ctx context.Context, id int64, before, after *Scores, at time.Time) error
	// JudgeEdit adds a review and moves the submitted edit to approved, rejected or corrected.
	JudgeEdit(ctx context.Context, r Review) (Review, error)
	Reviews(ctx context.Context, taskID int64) ([]Review, error)
	// ReasonCounts counts the verdicts of a project that have a reason and were not taken back.
	ReasonCounts(ctx context.Context, projectID int64) (map[Reason]int, error)
	// TakeBackEdit moves a submitted edit to taken back.
	TakeBackEdit(ctx context.Context, id int64) error
	// LockVerdict returns the task of an edit, locked, and the number of the round that learns from the edit, 0 without one. No round of
	// the project starts until the transaction ends.
	LockVerdict(ctx context.Context, editID int64) (Task, int, error)
	// RetractReview marks the verdict on an edit as taken back, and moves the edit to submitted.
	RetractReview(ctx context.Context, editID, by int64, at time.Time) error
	// NextReview locks a task in review whose TaskCard.DrawnBy does not name the reviewer, skipping those that other transactions hold and
	// those of except: one that the reviewer has to judge already or, unless heldOnly, the first in an order that nobody has, first
	// among those after the given one (0: among all). ErrNoTask if there is none.
	NextReview(ctx context.Context, projectID, reviewerID int64, order ReviewOrder, after int64, except []int64, heldOnly bool, now time.Time) (Task, error)
	// CountReviews is CountLeases for the tasks in review that the user has to judge.
	CountReviews(ctx context.Context, userID int64, now time.Time) (int, error)
}

// Score returns the scores of the task's version with m, on the version's grid, in place of its own map. Nothing is stored. ErrForbidden
// where the project's feedback is not live.
func (s *Service) Score(ctx context.Context, actor User, taskID int64, m attention.Map) (Scores, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return Scores{}, err
	}
	card, version, project, err := s.scored(ctx, taskID)
	if err != nil {
		return Scores{}, err
	}
	if err := project.tells(); err != nil {
		return Scores{}, fmt.Errorf("scoring image %d: %w", card.Image.ID, err)
	}
	return s.score(ctx, version, card, project.Classes, m)
}

// scored loads what a live score of a task needs.
func (s *Service) scored(ctx context.Context, taskID int64) (card TaskCard, v Version, p Project, err error) {
	if card, err = s.store.TaskCard(ctx, taskID); err != nil {
		return
	}
	if v, err = s.store.Version(ctx, card.VersionID); err != nil {
		return
	}
	p, err = s.store.ProjectByID(ctx, card.ProjectID)
	return
}

// score is what a version says of a task's image with m in place of its own map.
func (s *Service) score(ctx context.Context, v Version, card TaskCard, classes []Class, m attention.Map) (Scores, error) {
	image := card.Image
	if err := m.ValidateOn(v.GridHeight, v.GridWidth); err != nil {
		return Scores{}, err
	}
	if s.scorer == nil {
		return Scores{}, fmt.Errorf("scoring image %d: %w: this process runs no model", image.ID, ErrUnavailable)
	}
	start := time.Now()
	probabilities, err := s.scorer.Score(ctx, v, image, m.InPlace(card.Prediction.Map))
	if err != nil {
		return Scores{}, fmt.Errorf("scoring image %d with version %d: %w", image.ID, v.ID, err)
	}
	scores := Scores{
		Probabilities: probabilities, Top: TopClasses(probabilities, 5), Label: image.Label,
		Milliseconds: float64(time.Since(start)) / float64(time.Millisecond),
	}
	nameClasses(scores.Top, classes)
	scores.Correct = image.Label != nil && len(scores.Top) > 0 && scores.Top[0].Class == *image.Label
	return scores, nil
}

// TopClasses returns the n largest of probabilities in falling order, equal ones in class order. Their Name is not set.
func TopClasses(probabilities []float32, n int) []ClassScore {
	top := make([]ClassScore, 0, n+1)
	for class, p := range probabilities {
		if math.IsNaN(float64(p)) || len(top) == n && p <= top[n-1].Probability {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, p, func(s ClassScore, p float32) int {
			if s.Probability >= p {
				return -1
			}
			return 1
		})
		top = slices.Insert(top, at, ClassScore{Class: class, Probability: p})
		top = top[:min(n, len(top))]
	}
	return top
}

// SaveDraft stores a new revision and renews the lease. *StaleError if the base is not the latest
// revision, *LeaseError if the actor does not hold the task, attention.ErrGrid or ErrValue for a bad map.
// The same save again, as after a lost answer, returns the revision it made the first time.
func (s *Service) SaveDraft(ctx context.Context, actor User, taskID int64, d Draft) (Edit, error) {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return Edit{}, err
	}
	if err := d.check(); err != nil {
		return Edit{}, err
	}
	var edit Edit
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := s.held(ctx, tx, actor, taskID)
		if err != nil {
			return err
		}
		latest, err := tx.LatestEdit(ctx, taskID)
		if err != nil && !isNotFound(err) {
			return err
		}
		if edit, err = s.revise(ctx, tx, actor, task, latest, d); err != nil || edit.ID == latest.ID {
			return err
		}
		return s.lease(ctx, tx, actor, task)
	})
	if err != nil {
		return Edit{}, err
	}
	return edit, nil
}

// revise adds the revision of a locked task that a draft makes of the latest one (zero if there is none), and returns it; latest itself if
// the draft is the save that made it, sent again.
func (s *Service) revise(ctx context.Context, tx Store, actor User, task Task, latest Edit, d Draft) (Edit, error) {
	version, err := tx.Version(ctx, task.VersionID)
	if err != nil {
		return Edit{}, err
	}
	var model attention.Map
	if d.Source == SourceModel || (d.Changes != nil && d.BaseRevision == 0) {
		prediction, err := tx.Prediction(ctx, task.VersionID, task.ImageID)
		if err != nil {
			return Edit{}, err
		}
		model = prediction.Map
	}
	if d.Changes != nil {
		base, err := d.base(ctx, tx, latest, model)
		if err != nil {
			return Edit{}, err
		}
		if d.Map, err = d.Changes.of(base); err != nil {
			return Edit{}, err
		}
	}
	d.Map.Marks = d.Map.Marks.Plain()
	if err := d.Map.ValidateOn(version.GridHeight, version.GridWidth); err != nil {
		return Edit{}, err
	}
	if repeat, err := d.follows(latest, actor); repeat || err != nil {
		return latest, err
	}
	if d.KeptSteps != nil {
		if d.History, err = d.KeptSteps.before(d.History, latest.History); err != nil {
			return Edit{}, err
		}
	}
	if d.Source == SourceModel && !model.Equal(d.Map) {
		return Edit{}, &ValidationError{Field: "source", Message: `is "model" only with the model's own map, unchanged`}
	}
	origin, err := d.begun(ctx, tx, actor, task, version, latest)
	if err != nil {
		return Edit{}, err
	}
	hints := HintsOf(d.Provenance).with(latest.Hints)
	if d.Provenance, err = madeWith(d.Provenance, version, origin, hints); err != nil {
		return Edit{}, err
	}
	return tx.InsertEdit(ctx, Edit{
		TaskID: task.ID, Revision: d.BaseRevision + 1, AuthorID: actor.ID, Author: actor.Name, State: EditTransitions.To(EventSave),
		Corrects: d.corrects, Source: d.Source, Map: d.Map, VersionID: task.VersionID, CreatedAt: s.now(),
		History: d.History, Provenance: d.Provenance, Origin: &origin, Hints: hints,
	})
}

// base is the map that a draft was made from; it need not be the latest any more.
func (d Draft) base(ctx context.Context, tx Store, latest Edit, model attention.Map) (attention.Map, error) {
	switch d.BaseRevision {
	case 0:
		return model, nil
	case latest.Revision:
		return latest.Map, nil
	}
	all, err := tx.Revisions(ctx, latest.TaskID)
	if err != nil {
		return attention.Map{}, err
	}
	for _, e := range all {
		if e.Revision == d.BaseRevision {
			return e.Map, nil
		}
	}
	return attention.Map{}, &ValidationError{Field: "base_revision", Message: "is no revision of this task"}
}

func (d Draft) check() error {
	if d.Changes == nil {
		if err := d.Map.Validate(); err != nil {
			return err
		}
	}
	if err := oneOf("source", d.Source, DraftSources); err != nil {
		return err
	}
	switch {
	case d.BaseRevision < 0:
		return &ValidationError{Field: "base_revision", Message: "is 0 or a revision"}
	case len(d.History) > MaxHistoryBytes:
		return &ValidationError{Field: "history", Message: fmt.Sprintf("has %s bytes, at most %s are kept", text.Count(len(d.History)), text.Count(MaxHistoryBytes))}
	case len(d.History) > 0 && !json.Valid(d.History):
		return &ValidationError{Field: "history", Message: "is not JSON"}
	case len(d.Provenance) > 64<<10:
		return &ValidationError{Field: "provenance", Message: "has more than 64 KiB"}
	case len(d.Provenance) > 0 && !json.Valid(d.Provenance):
		return &ValidationError{Field: "provenance", Message: "is not JSON"}
	}
	return nil
}

// Submit hands the latest revision (which must be revision) to review, scored before and after. Where
// somebody else drew that revision before giving the task back, or it was taken back from review, the submission is a new revision of
// the actor's own with the same map.
func (s *Service) Submit(ctx context.Context, actor User, taskID int64, revision int) (TaskDetail, error) {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return TaskDetail{}, err
	}
	if revision < 1 {
		return TaskDetail{}, &ValidationError{Field: "revision", Message: "paint or confirm the map before submitting it"}
	}
	// The scores are computed before the transaction, so that no lock is held meanwhile.
	card, version, project, err := s.scored(ctx, taskID)
	if err != nil {
		return TaskDetail{}, err
	}
	if (card.State == TaskSubmitted || card.State == TaskApproved) && ptrOr(card.AuthorID) == actor.ID {
		return s.resubmitted(ctx, actor, taskID, revision)
	}
	edit, err := s.store.LatestEdit(ctx, taskID)
	switch {
	case isNotFound(err):
		return TaskDetail{}, &ValidationError{Field: "revision", Message: "paint or confirm the map before submitting it"}
	case err != nil:
		return TaskDetail{}, err
	}
	if card.State != TaskLeased || ptrOr(card.AuthorID) != actor.ID {
		return TaskDetail{}, &LeaseError{Task: taskID, Holder: card.AuthorName}
	}
	if edit.Revision != revision {
		return TaskDetail{}, &StaleError{Base: revision, Current: edit}
	}
	if !EditTransitions.May(edit.State, EventSubmit) && edit.State != EditTakenBack {
		return TaskDetail{}, fmt.Errorf("revision %d of task %d was %s: change the map before submitting it again: %w",
			revision, taskID, edit.State, ErrConflict)
	}
	before, err := s.score(ctx, version, card, project.Classes, card.Prediction.Map)
	if err != nil {
		return TaskDetail{}, err
	}
	after, err := s.score(ctx, version, card, project.Classes, edit.Map)
	if err != nil {
		return TaskDetail{}, err
	}
	check := s.scoreCheck(ctx, card, version, edit.Map)
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := s.held(ctx, tx, actor, taskID)
		if err != nil {
			return err
		}
		latest, err := tx.LatestEdit(ctx, taskID)
		if err != nil {
			return err
		}
		if latest.ID != edit.ID {
			return &StaleError{Base: revision, Current: latest}
		}
		if latest.AuthorID != actor.ID || latest.State == EditTakenBack {
			own := latest
			own.Revision, own.AuthorID, own.Author, own.CreatedAt = latest.Revision+1, actor.ID, actor.Name, s.now()
			if latest, err = tx.InsertEdit(ctx, own); err != nil {
				return err
			}
		}
		now := s.now()
		if err := tx.SubmitEdit(ctx, latest.ID, &before, &after, now); err != nil {
			return err
		}
		if check != nil {
			if err := tx.InsertCheck(ctx, latest.ID, *check); err != nil {
				return err
			}
		}
		if task, err = task.Submit(actor, now); err != nil {
			return err
		}
		if err := tx.UpdateTask(ctx, task); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &task.ProjectID, "edit.submit", editSubject(latest.ID),
			fmt.Sprintf("task %d, revision %d", taskID, latest.Revision)); err != nil {
			return err
		}
		return s.sample(ctx, tx, actor, task, latest, now)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// TakeBack takes what the actor submitted out of review again, while nobody has judged it: they hold the task, and go on from the map that
// they submitted. ErrConflict once it is judged, *LeaseError if somebody else submitted it, *LeaseLimitError if they hold MaxLeases others.
func (s *Service) TakeBack(ctx context.Context, actor User, taskID int64) (TaskDetail, error) {
	actor, err := s.painting(ctx, actor, ThingTask.Of(taskID))
	if err != nil {
		return TaskDetail{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		leases, err := tx.CountLeases(ctx, actor.ID, s.now())
		if err != nil {
			return err
		}
		task, err := tx.LockTask(ctx, taskID)
		if err != nil {
			return err
		}
		reviews, err := tx.Reviews(ctx, taskID)
		if err != nil {
			return err
		}
		due := slices.ContainsFunc(reviews, func(r Review) bool { return r.Verdict == VerdictReject && r.TakenBackAt == nil })
		if task, err = task.TakeBack(actor, due, leases, s.now()); err != nil {
			return err
		}
		edit, err := tx.LatestEdit(ctx, taskID)
		if err != nil {
			return err
		}
		if edit.Corrects > 0 {
			return Conflict("%s has corrected your map of task %d, and it waits for a second reviewer", edit.Author, taskID)
		}
		if err := tx.TakeBackEdit(ctx, edit.ID); err != nil {
			return err
		}
		if err := tx.UpdateTask(ctx, task); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &task.ProjectID, "edit.recall", editSubject(edit.ID), fmt.Sprintf("task %d, revision %d", taskID, edit.Revision))
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// resubmitted returns the result of a submission that arrives a second time, as when the first answer was lost.
func (s *Service) resubmitted(ctx context.Context, actor User, taskID int64, revision int) (TaskDetail, error) {
	d, err := s.taskDetail(ctx, actor, taskID)
	if err != nil {
		return TaskDetail{}, err
	}
	if d.Edit == nil || d.Edit.Revision != revision || d.State != TaskSubmitted && !approvedByRule(d) {
		return TaskDetail{}, fmt.Errorf("task %d is in review already, or judged: %w", taskID, ErrConflict)
	}
	return d, nil
}

// approvedByRule reports whether a task's latest edit is approved by a rule.
func approvedByRule(d TaskDetail) bool {
	return d.State == TaskApproved && slices.ContainsFunc(d.Reviews, func(r Review) bool { return r.EditID == d.Edit.ID && r.Rule != "" && r.TakenBackAt == nil })
}

// Revisions lists a task's edits, oldest first.
func (s *Service) Revisions(ctx context.Context, actor User, taskID int64) ([]Edit, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return nil, err
	}
	task, err := s.store.Task(ctx, taskID)
	if err != nil {
		return nil, err
	}
	project, err := s.store.ProjectByID(ctx, task.ProjectID)
	if err != nil {
		return nil, err
	}
	if task.hidesFrom(actor) {
		return nil, fmt.Errorf("%w: task %d is one of several maps of its image by different people, who see each other's once all are approved", ErrForbidden, taskID)
	}
	all, err := s.store.Revisions(ctx, taskID)
	for i := range all {
		project.withhold(actor, &all[i])
	}
	return all, err
}

func editSubject(id int64) string { return fmt.Sprintf("edit %d", id) }

// ptrOr is what p points at, or 0, which is nobody's id.
func ptrOr(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}
