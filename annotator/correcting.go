package annotator

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
)

// Correct puts a reviewer's revision in the place of a submitted edit, and approves it: the reviewer has changed the map themselves, in
// place of returning it. It is the one way in which somebody judges what they drew in (TaskCard.MayCorrect). The edit stays in the history
// as corrected, with what the reviewer says of it (j, whose Verdict is not read: it is VerdictCorrect), and the new revision names it.
// Where the project asks for a second reviewer, the new revision waits for another person's verdict instead. d.BaseRevision is the edit's;
// *ValidationError if nothing is changed, *LeaseError if somebody else has it to judge.
func (s *Service) Correct(ctx context.Context, actor User, editID int64, d Draft, j Judgement) (TaskDetail, error) {
	actor, err := s.holding(ctx, actor, ThingEdit.Of(editID))
	if err != nil {
		return TaskDetail{}, err
	}
	if err := d.check(); err != nil {
		return TaskDetail{}, err
	}
	if j, err = j.checkWords(); err != nil {
		return TaskDetail{}, err
	}
	// The scores are computed before the transaction, so that no lock is held meanwhile.
	edit, err := s.store.Edit(ctx, editID)
	if err != nil {
		return TaskDetail{}, err
	}
	card, version, project, err := s.scored(ctx, edit.TaskID)
	if err != nil {
		return TaskDetail{}, err
	}
	if d, err = d.correcting(edit); err != nil {
		return TaskDetail{}, err
	}
	if err := pinsOn(j.Pins, edit.Map); err != nil {
		return TaskDetail{}, err
	}
	if err := card.mayCorrectNow(ctx, s.store, actor, edit); err != nil {
		return TaskDetail{}, err
	}
	before, err := s.score(ctx, version, card, project.Classes, card.Prediction.Map)
	if err != nil {
		return TaskDetail{}, err
	}
	after, err := s.score(ctx, version, card, project.Classes, d.Map)
	if err != nil {
		return TaskDetail{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := tx.LockTask(ctx, edit.TaskID)
		if err != nil {
			return err
		}
		latest, err := tx.LatestEdit(ctx, task.ID)
		if err != nil {
			return err
		}
		if latest.ID != editID {
			return &StaleError{Base: edit.Revision, Current: latest}
		}
		card, err := tx.TaskCard(ctx, task.ID)
		if err != nil {
			return err
		}
		if err := card.mayCorrectNow(ctx, tx, actor, latest); err != nil {
			return err
		}
		now := s.now()
		task = task.Expire(now)
		if err := task.FreeToJudge(actor, now); err != nil {
			return err
		}
		if _, err := tx.JudgeEdit(ctx, Review{EditID: editID, ReviewerID: actor.ID, Verdict: VerdictCorrect, Comment: j.Comment, Reasons: j.Reasons, Pins: j.Pins, CreatedAt: now}); err != nil {
			return err
		}
		made, err := s.revise(ctx, tx, actor, task, latest, d)
		if err != nil {
			return err
		}
		if err := tx.SubmitEdit(ctx, made.ID, &before, &after, now); err != nil {
			return err
		}
		detail := fmt.Sprintf("task %d, revision %d, which corrects revision %d", task.ID, made.Revision, made.Corrects)
		if told := said(j.Comment, j.Reasons, j.Pins); told != "" {
			detail += ": " + told
		}
		if err := s.audit(ctx, tx, actor, &task.ProjectID, "edit.correct", editSubject(made.ID), detail); err != nil {
			return err
		}
		if project.SecondReviewer {
			return tx.UpdateTask(ctx, task.unheld())
		}
		if _, err := tx.JudgeEdit(ctx, Review{EditID: made.ID, ReviewerID: actor.ID, Verdict: VerdictApprove, CreatedAt: now}); err != nil {
			return err
		}
		if task, err = task.Judge(VerdictApprove, now); err != nil {
			return err
		}
		if err := tx.UpdateTask(ctx, task); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &task.ProjectID, "edit.approve", editSubject(made.ID), ""); err != nil {
			return err
		}
		return ConsiderForecast(ctx, tx, task.ProjectID)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, edit.TaskID)
}

// mayCorrectNow is MayCorrect for an edit that may have been judged meanwhile.
func (c TaskCard) mayCorrectNow(ctx context.Context, tx Store, actor User, edit Edit) error {
	if !EditTransitions.May(edit.State, EventCorrect) {
		return judgedAlready(ctx, tx, actor, edit)
	}
	return c.MayCorrect(actor)
}

// correcting returns the draft, which was made from an edit, as a correction of what was painted: with its map, and of the painter's
// revision, however often it has been corrected since.
func (d Draft) correcting(edit Edit) (Draft, error) {
	if d.BaseRevision != edit.Revision {
		return d, &StaleError{Base: d.BaseRevision, Current: edit}
	}
	if d.Changes != nil {
		var err error
		if d.Map, err = d.Changes.of(edit.Map); err != nil {
			return d, err
		}
		d.Changes = nil
	}
	if sameMap(d.Map, edit.Map) {
		return d, &ValidationError{Field: "map", Message: "is the submitted map, unchanged: approve that as it is"}
	}
	if d.corrects = edit.Corrects; d.corrects == 0 {
		d.corrects = edit.Revision
	}
	return d, nil
}

// sameMap reports whether two maps have the same cells and marks, however no mark at all is written.
func sameMap(a, b attention.Map) bool {
	a.Marks, b.Marks = a.Marks.Plain(), b.Marks.Plain()
	return a.Equal(b)
}
