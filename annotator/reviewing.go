package annotator

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MayJudge reports whether a user may judge the submitted edit of a task: nil, or ErrForbidden or ErrConflict with the reason.
// Reviewers judge what others drew. Who drew a revision since the last verdict, or drew the very same map before it, took part in
// the edit and may not judge it. The database enforces the same rule (task_drawn_by in migration 21), and the queue of reviews
// offers only edits that pass it.
func (c TaskCard) MayJudge(u User) error {
	if err := may(u, RoleReviewer); err != nil {
		return err
	}
	switch {
	case u.ID == 0:
		return fmt.Errorf("%w: only a person reviews", ErrForbidden)
	case c.State != TaskSubmitted:
		return c.notInReview()
	case c.Among.Painters > 0 && slices.Contains(c.DrawnBy, u.ID):
		return fmt.Errorf("%w: you paint one of the maps of the image of task %d, so somebody else judges them", ErrForbidden, c.ID)
	case slices.Contains(c.DrawnBy, u.ID):
		return fmt.Errorf("%w: you drew a map of task %d since its last verdict, so somebody else judges it", ErrForbidden, c.ID)
	}
	return nil
}

// MayCorrect reports whether a user may correct the submitted edit of a task and so have a hand in it and judge it: nil, or the error of
// MayJudge. It is for those who may judge it, and for reviewers who have corrected it before: not for whoever painted it. The database
// enforces the same rule (task_painted_by in migration 46).
func (c TaskCard) MayCorrect(u User) error {
	if c.Among.Painters > 0 {
		return Conflict("task %d is of an image that several people painted: approve or return each map as it is, and adopt one or their mean", c.ID)
	}
	if c.State == TaskSubmitted && !slices.Contains(c.PaintedBy, u.ID) {
		c.DrawnBy = nil // all that this person did to it is correct it
	}
	return c.MayJudge(u)
}

// Review judges a submitted edit, where TaskCard.MayJudge allows it; *LeaseError where somebody else has it to judge. A rejection needs a
// comment, a reason or a pin, and sends the task back to its author.
func (s *Service) Review(ctx context.Context, actor User, editID int64, v Verdict, comment string, reasons ...Reason) (TaskDetail, error) {
	return s.Judge(ctx, actor, editID, Judgement{Verdict: v, Comment: comment, Reasons: reasons})
}

// Judgement is what a reviewer says of an edit.
type Judgement struct {
	Verdict Verdict
	Comment string
	Reasons []Reason
	Pins    []Pin // on the edit's map
}

// check refuses what is no judgement, and returns it as it is kept.
func (j Judgement) check() (Judgement, error) {
	if err := oneOf("verdict", j.Verdict, GivenVerdicts); err != nil {
		return j, err
	}
	j, err := j.checkWords()
	if err != nil {
		return j, err
	}
	if j.Comment == "" && len(j.Reasons) == 0 && len(j.Pins) == 0 && j.Verdict == VerdictReject {
		return j, &ValidationError{Field: "comment", Message: "say what should change, choose a reason or pin a cell: a rejection goes back to its author"}
	}
	return j, nil
}

// checkWords is check for all but the verdict.
func (j Judgement) checkWords() (Judgement, error) {
	var err error
	if j.Comment, err = BoundComment.check("comment", j.Comment); err != nil {
		return j, err
	}
	if j.Reasons, err = checkReasons(j.Reasons); err != nil {
		return j, err
	}
	j.Pins, err = checkPins(j.Pins)
	return j, err
}

// Judge is Review with pins on cells of the map.
func (s *Service) Judge(ctx context.Context, actor User, editID int64, j Judgement) (TaskDetail, error) {
	actor, err := s.in(ctx, actor, RoleReviewer, ThingEdit.Of(editID))
	if err != nil {
		return TaskDetail{}, err
	}
	j, err = j.check()
	if err != nil {
		return TaskDetail{}, err
	}
	var taskID int64
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := s.judge(ctx, tx, actor, Review{EditID: editID, Verdict: j.Verdict, Comment: j.Comment, Reasons: j.Reasons, Pins: j.Pins}, said(j.Comment, j.Reasons, j.Pins))
		if err != nil {
			return err
		}
		if taskID = task.ID; j.Verdict != VerdictApprove {
			return nil
		}
		return ConsiderForecast(ctx, tx, task.ProjectID)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// judge writes a person's verdict, which is checked, in a transaction, and returns the task after it. told is what the trail says of it.
func (s *Service) judge(ctx context.Context, tx Store, actor User, r Review, told string) (Task, error) {
	edit, err := tx.Edit(ctx, r.EditID)
	if err != nil {
		return Task{}, err
	}
	task, err := tx.LockTask(ctx, edit.TaskID)
	if err != nil {
		return Task{}, err
	}
	if edit, err = tx.Edit(ctx, r.EditID); err != nil { // read again, now that the task is locked
		return Task{}, err
	}
	if !EditTransitions.May(edit.State, r.Verdict.Event()) {
		return Task{}, judgedAlready(ctx, tx, actor, edit)
	}
	if err := pinsOn(r.Pins, edit.Map); err != nil {
		return Task{}, err
	}
	card, err := tx.TaskCard(ctx, task.ID)
	if err != nil {
		return Task{}, err
	}
	if err := card.MayJudge(actor); err != nil {
		return Task{}, err
	}
	if card.adopts() && r.Verdict == VerdictReject {
		return Task{}, Conflict("task %d has what was adopted of several maps, which goes back to nobody: adopt another one", task.ID)
	}
	now := s.now()
	task = task.Expire(now)
	if err := task.FreeToJudge(actor, now); err != nil {
		return Task{}, err
	}
	r.ReviewerID, r.CreatedAt = actor.ID, now
	if _, err := tx.JudgeEdit(ctx, r); err != nil {
		return Task{}, err
	}
	action := "edit.approve"
	if r.Verdict == VerdictReject {
		action = "edit.reject"
	}
	if task, err = task.Judge(r.Verdict, now); err != nil {
		return Task{}, err
	}
	author, err := tx.User(ctx, ptrOr(task.AuthorID)) // who painted it, also where a reviewer has corrected it
	if err != nil {
		return Task{}, err
	}
	gone, err := s.gone(ctx, tx, author, task.ID)
	if err != nil {
		return Task{}, err
	}
	if gone {
		task = task.Free(now)
	}
	if err := tx.UpdateTask(ctx, task); err != nil {
		return Task{}, err
	}
	return task, s.audit(ctx, tx, actor, &task.ProjectID, action, editSubject(r.EditID), told)
}

// said is what a verdict says beside being one: "too wide: the tail is not the tree's (row 5, column 9: here)".
func said(comment string, reasons []Reason, pins []Pin) string {
	words := make([]string, len(reasons))
	for i, reason := range reasons {
		words[i] = string(reason)
	}
	all := strings.Join(words, ", ")
	if len(words) > 0 && comment != "" {
		all += ": "
	}
	if all += comment; len(pins) == 0 {
		return all
	}
	return strings.TrimSpace(all + " (" + pinWords(pins) + ")")
}

// SaidReasons is the other way for the reasons with which a verdict's line in the trail begins, and the rest of it.
func SaidReasons(told string) (reasons []Reason, rest string) {
	for rest = told; ; {
		after := rest
		if len(reasons) > 0 {
			after = strings.TrimPrefix(rest, ", ")
		}
		at := slices.IndexFunc(Reasons, func(r Reason) bool {
			left, begins := strings.CutPrefix(after, string(r))
			return begins && (left == "" || strings.ContainsRune(",: ", rune(left[0])))
		})
		if at < 0 {
			return reasons, rest
		}
		reasons, rest = append(reasons, Reasons[at]), strings.TrimPrefix(after, string(Reasons[at]))
	}
}

// ReasonCounts counts the reasons of a project's verdicts, each reason of Reasons in its place.
func (s *Service) ReasonCounts(ctx context.Context, actor User, slug string) ([]ReasonCount, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.ReasonCounts(ctx, project.ID)
	if err != nil {
		return nil, err
	}
	all := make([]ReasonCount, len(Reasons))
	for i, reason := range Reasons {
		all[i] = ReasonCount{reason, counts[reason]}
	}
	return all, nil
}

// judgedAlready is the ErrConflict of an edit that does not wait for review: it says who has judged it, if somebody has, who
// may be the actor, in another window.
func judgedAlready(ctx context.Context, tx Store, actor User, edit Edit) error {
	reviews, err := tx.Reviews(ctx, edit.TaskID)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(reviews) {
		if r.EditID != edit.ID || r.TakenBackAt != nil {
			continue
		}
		switch r.ReviewerID {
		case 0:
			return Conflict("edit %d of task %d is %s already, by the rule that reviews a part of the maps. Go on to the next one", edit.ID, edit.TaskID, edit.State)
		case actor.ID:
			return Conflict("you have judged edit %d of task %d already, in another window: it is %s. Go on to the next one", edit.ID, edit.TaskID, edit.State)
		default:
			return Conflict("%s has judged edit %d of task %d already: it is %s. Go on to the next one", r.Reviewer, edit.ID, edit.TaskID, edit.State)
		}
	}
	if edit.State == EditTakenBack {
		return Conflict("%s has taken edit %d of task %d back. Go on to the next one", edit.Author, edit.ID, edit.TaskID)
	}
	return Conflict("edit %d is %s, not waiting for review", edit.ID, edit.State)
}

// Retract takes a verdict back: its edit waits for review again, and the verdict stays in the history. Whoever gave it has the edit to judge
// again. They may, and an admin, until a round has learnt from the edit or its author has gone on with what was asked for: ErrConflict then. A
// verdict of a rule any reviewer takes back.
func (s *Service) Retract(ctx context.Context, actor User, editID int64) (TaskDetail, error) {
	actor, err := s.retracting(ctx, actor, ThingEdit.Of(editID))
	if err != nil {
		return TaskDetail{}, err
	}
	var taskID int64
	err = s.store.InTx(ctx, func(tx Store) error {
		task, err := s.retract(ctx, tx, actor, editID, true)
		taskID = task.ID
		return err
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, taskID)
}

// mayRetract is may for taking a verdict back.
func mayRetract(actor User) error {
	if err := may(actor, RoleReviewer); err != nil {
		return err
	}
	if actor.ID == 0 {
		return fmt.Errorf("%w: only a person takes a verdict back", ErrForbidden)
	}
	return nil
}

// retract takes a verdict back in a transaction, and returns the task after it; keep: whoever gave it has the edit to judge again.
func (s *Service) retract(ctx context.Context, tx Store, actor User, editID int64, keep bool) (Task, error) {
	task, round, err := tx.LockVerdict(ctx, editID)
	if err != nil {
		return Task{}, err
	}
	reviews, err := tx.Reviews(ctx, task.ID)
	if err != nil {
		return Task{}, err
	}
	at := slices.IndexFunc(reviews, func(r Review) bool { return r.EditID == editID && r.TakenBackAt == nil })
	latest, err := tx.LatestEdit(ctx, task.ID)
	switch {
	case err != nil:
		return Task{}, err
	case at < 0:
		return Task{}, fmt.Errorf("edit %d has no verdict: %w", editID, ErrConflict)
	case reviews[at].ReviewerID != actor.ID && !actor.Role.May(RoleLead) && reviews[at].Rule == "":
		return Task{}, fmt.Errorf("%w: %s gave that verdict, and takes it back", ErrForbidden, reviews[at].Reviewer)
	case round > 0:
		return Task{}, fmt.Errorf("round %d learns from edit %d, so its verdict stays: %w", round, editID, ErrConflict)
	case task.Slot > 0 && task.Among.Adopted:
		return Task{}, Conflict("what was adopted of the maps of image %d is made of them: take that verdict back first", task.ImageID)
	case latest.ID != editID:
		return Task{}, fmt.Errorf("%s has gone on painting since the verdict on edit %d: %w", latest.Author, editID, ErrConflict)
	}
	now := s.now()
	if task, err = task.Retract(now); err != nil {
		return Task{}, err
	}
	if keep && reviews[at].ReviewerID == actor.ID && latest.Corrects == 0 { // what they corrected themselves they do not judge
		if task, err = task.TakeReview(actor, 0, now); err != nil {
			return Task{}, err
		}
	}
	if err := tx.RetractReview(ctx, editID, actor.ID, now); err != nil {
		return Task{}, err
	}
	if err := tx.UpdateTask(ctx, task); err != nil {
		return Task{}, err
	}
	return task, s.audit(ctx, tx, actor, &task.ProjectID, "edit.retract", editSubject(editID), string(reviews[at].Verdict))
}
