package annotator

import (
	"context"
	"fmt"
	"time"
)

// LabelStore keeps verdicts on labels, which are only added, and the history of each label.
type LabelStore interface {
	LabelVerdict(ctx context.Context, id int64) (LabelVerdict, error)
	// LabelVerdicts lists verdicts of a project, the newest first.
	LabelVerdicts(ctx context.Context, projectID int64, f LabelFilter) ([]LabelVerdict, error)
	// InsertLabelVerdict adds a verdict; ErrConflict where another one of the image is proposed.
	InsertLabelVerdict(ctx context.Context, v LabelVerdict) (LabelVerdict, error)
	// UpdateLabelVerdict writes a decided verdict's state, reviewer, comment and time.
	UpdateLabelVerdict(ctx context.Context, v LabelVerdict) error
	// NextLabelVerdict returns the proposed verdict waiting longest, after the given one (0: the first), whose author is another
	// person than the reviewer. ErrNoTask if there is none.
	NextLabelVerdict(ctx context.Context, projectID, reviewerID, after int64) (int64, error)
	// LabelHistory reads an image's verdicts and the changes of its label. Classes of verdicts are not named.
	LabelHistory(ctx context.Context, image Image) (LabelHistory, error)
	// SetLabel writes an image's Label and LeftOut with a step of its label's history; predictions and tasks have the label too.
	SetLabel(ctx context.Context, image Image, verdictID int64, at time.Time) error
	// OpenTasks returns the tasks of images that can be taken, by image.
	OpenTasks(ctx context.Context, images []int64) (map[int64]int64, error)
	// TasksOf locks an image's tasks.
	TasksOf(ctx context.Context, imageID int64) ([]Task, error)
	// FollowTasks applies Task.Follow to the tasks of images, and makes those that are needed now, of the active version.
	FollowTasks(ctx context.Context, projectID int64, images []int64, at time.Time) error
	// EnqueueEvaluations has the figures of a project's versions taken anew, of those that have some.
	EnqueueEvaluations(ctx context.Context, projectID int64) error
}

// LabelFilter selects verdicts on labels. Zero fields do not filter.
type LabelFilter struct {
	State  LabelState
	Before int64 // ids below this
	Limit  int   // 1 to MaxPage; 0: DefaultPage
}

// ProposeLabel says that an image's label is wrong, and what is right; a reviewer decides. Until then the image is not painted. That
// the label is right needs no decision. ErrConflict where the image is out of use, its project has no model, or something is said of
// its label already; *LeaseError where somebody else paints it.
func (s *Service) ProposeLabel(ctx context.Context, actor User, imageID int64, p LabelProposal) (LabelVerdict, error) {
	actor, err := s.painting(ctx, actor, ThingImage.Of(imageID))
	if err != nil {
		return LabelVerdict{}, err
	}
	if p.Comment, err = BoundComment.check("comment", p.Comment); err != nil {
		return LabelVerdict{}, err
	}
	event, action := EventPropose, "label.propose"
	if p.Says == LabelIsRight {
		event, action = EventVouch, "label.vouch"
	}
	var verdict LabelVerdict
	var project Project
	err = s.store.InTx(ctx, func(tx Store) error {
		image, err := tx.Image(ctx, imageID)
		if err != nil {
			return err
		}
		state, err := tx.ImportState(ctx, image.ProjectID) // locks the project
		if err != nil {
			return err
		}
		if image, err = tx.Image(ctx, imageID); err != nil { // read again, now that nobody else changes it
			return err
		}
		if project, err = tx.ProjectByID(ctx, image.ProjectID); err != nil {
			return err
		}
		switch {
		case image.Retired != "":
			return fmt.Errorf("image %d is out of use: %w", imageID, ErrConflict)
		case !state.HasModel:
			return fmt.Errorf("the project has no model yet, which says which classes there are: add one: %w", ErrConflict)
		}
		if err := p.check(image, len(project.Classes)); err != nil {
			return err
		}
		now := s.now()
		tasks, err := tx.TasksOf(ctx, imageID)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if t = t.Expire(now); t.State == TaskLeased && !t.by(actor) && event == EventPropose {
				return &LeaseError{Task: t.ID, Holder: t.AuthorName}
			}
		}
		verdict, err = tx.InsertLabelVerdict(ctx, LabelVerdict{
			ProjectID: project.ID, ImageID: imageID, ImageName: image.Name, State: LabelTransitions.To(event), Says: p.Says, Class: p.Class, Was: image.Label,
			AuthorID: actor.ID, Author: actor.Name, Comment: p.Comment, CreatedAt: now,
		})
		if err != nil {
			return err
		}
		if err := tx.FollowTasks(ctx, project.ID, []int64{imageID}, now); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, action, imageSubject(imageID), verdict.named(project.Classes).Text())
	})
	return verdict.named(project.Classes), err
}

// JudgeLabel confirms or rejects what somebody said of a label, where LabelVerdict.MayJudge allows it. A confirmed class becomes the
// image's; "none of these" and "ambiguous" leave the image out. Its tasks follow, and figures are taken anew; those of rounds
// that are over stay. ErrConflict while a round runs, whose images must stay what they are.
func (s *Service) JudgeLabel(ctx context.Context, actor User, verdictID int64, j LabelJudgement, comment string) (LabelVerdict, error) {
	actor, err := s.in(ctx, actor, RoleReviewer, ThingVerdict.Of(verdictID))
	if err != nil {
		return LabelVerdict{}, err
	}
	if err := oneOf("verdict", j, LabelJudgements); err != nil {
		return LabelVerdict{}, err
	}
	comment, err = BoundComment.check("comment", comment)
	if err != nil {
		return LabelVerdict{}, err
	}
	if comment == "" && j == LabelReject {
		return LabelVerdict{}, &ValidationError{Field: "comment", Message: "say why the label stays: its author reads it"}
	}
	return s.decideLabel(ctx, actor, verdictID, "label."+string(j), func(v LabelVerdict, now time.Time) (LabelVerdict, error) {
		return v.Judge(actor, j, comment, now)
	})
}

// WithdrawLabel takes back what the actor said of a label, while nobody has decided it.
func (s *Service) WithdrawLabel(ctx context.Context, actor User, verdictID int64) (LabelVerdict, error) {
	actor, err := s.painting(ctx, actor, ThingVerdict.Of(verdictID))
	if err != nil {
		return LabelVerdict{}, err
	}
	return s.decideLabel(ctx, actor, verdictID, "label.withdraw", func(v LabelVerdict, now time.Time) (LabelVerdict, error) { return v.Withdraw(actor, now) })
}

// decideLabel applies a rule to a proposed verdict, under the project's lock, and lets its image follow.
func (s *Service) decideLabel(ctx context.Context, actor User, verdictID int64, action string, rule func(LabelVerdict, time.Time) (LabelVerdict, error)) (LabelVerdict, error) {
	var verdict LabelVerdict
	var project Project
	err := s.store.InTx(ctx, func(tx Store) error {
		v, err := tx.LabelVerdict(ctx, verdictID)
		if err != nil {
			return err
		}
		state, err := tx.ImportState(ctx, v.ProjectID) // locks the project
		if err != nil {
			return err
		}
		if project, err = tx.ProjectByID(ctx, v.ProjectID); err != nil {
			return err
		}
		if v, err = tx.LabelVerdict(ctx, verdictID); err != nil { // read again, now that nobody else decides it
			return err
		}
		now := s.now()
		if verdict, err = rule(v, now); err != nil {
			return err
		}
		if err := tx.UpdateLabelVerdict(ctx, verdict); err != nil {
			return err
		}
		if verdict.State == LabelConfirmed {
			if err := s.correct(ctx, tx, verdict, state, now); err != nil {
				return err
			}
		}
		if err := tx.FollowTasks(ctx, v.ProjectID, []int64{v.ImageID}, now); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &v.ProjectID, action, imageSubject(v.ImageID), verdict.named(project.Classes).Text())
	})
	return verdict.named(project.Classes), err
}

// correct changes the image as a confirmed verdict says.
func (s *Service) correct(ctx context.Context, tx Store, v LabelVerdict, state ImportState, now time.Time) error {
	if state.Round > 0 {
		return fmt.Errorf("round %d runs on these labels, which must stay as they are until it is over: wait or cancel it: %w", state.Round, ErrConflict)
	}
	image, err := tx.Image(ctx, v.ImageID)
	if err != nil {
		return err
	}
	if image, err = v.Apply(image); err != nil {
		return err
	}
	if err := tx.SetLabel(ctx, image, v.ID, now); err != nil {
		return err
	}
	return tx.EnqueueEvaluations(ctx, v.ProjectID)
}

// LabelVerdict returns one verdict on a label.
func (s *Service) LabelVerdict(ctx context.Context, actor User, id int64) (LabelVerdict, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingVerdict.Of(id))
	if err != nil {
		return LabelVerdict{}, err
	}
	v, err := s.store.LabelVerdict(ctx, id)
	if err != nil {
		return LabelVerdict{}, err
	}
	project, err := s.store.ProjectByID(ctx, v.ProjectID)
	return v.named(project.Classes), err
}

// LabelVerdicts lists what was said of a project's labels, the newest first.
func (s *Service) LabelVerdicts(ctx context.Context, actor User, slug string, f LabelFilter) ([]LabelVerdict, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	if f.State != "" {
		if err := oneOf("state", f.State, LabelStates); err != nil {
			return nil, err
		}
	}
	if f.Limit == 0 {
		f.Limit = DefaultPage
	}
	if f.Limit < 1 || f.Limit > MaxPage {
		return nil, &ValidationError{Field: "limit", Message: fmt.Sprintf("is between 1 and %d", MaxPage)}
	}
	all, err := s.store.LabelVerdicts(ctx, project.ID, f)
	for i := range all {
		all[i] = all[i].named(project.Classes)
	}
	return all, err
}

// NextLabelVerdict returns the proposed verdict waiting longest that the actor may judge, after the given one (0: the first). ErrNoTask
// if there is none.
func (s *Service) NextLabelVerdict(ctx context.Context, actor User, slug string, after int64) (LabelVerdict, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return LabelVerdict{}, err
	}
	if actor.ID == 0 {
		return LabelVerdict{}, fmt.Errorf("%w: only a person reviews", ErrForbidden)
	}
	id, err := s.store.NextLabelVerdict(ctx, project.ID, actor.ID, after)
	if err != nil {
		return LabelVerdict{}, err
	}
	return s.LabelVerdict(ctx, actor, id)
}

// LabelHistory returns what was said of an image's label, and how it changed.
func (s *Service) LabelHistory(ctx context.Context, actor User, imageID int64) (LabelHistory, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingImage.Of(imageID))
	if err != nil {
		return LabelHistory{}, err
	}
	image, err := s.store.Image(ctx, imageID)
	if err != nil {
		return LabelHistory{}, err
	}
	project, err := s.store.ProjectByID(ctx, image.ProjectID)
	if err != nil {
		return LabelHistory{}, err
	}
	h, err := s.store.LabelHistory(ctx, image)
	if image.SourceLabel != nil && *image.SourceLabel < len(project.Classes) {
		h.Source = project.Classes[*image.SourceLabel].Key
	}
	for i := range h.Verdicts {
		h.Verdicts[i] = h.Verdicts[i].named(project.Classes)
	}
	return h, err
}

// named fills in the names of the verdict's classes.
func (v LabelVerdict) named(classes []Class) LabelVerdict {
	name := func(label *int) string {
		if label == nil || *label >= len(classes) {
			return ""
		}
		return classes[*label].Name
	}
	v.ClassName, v.WasName = name(v.Class), name(v.Was)
	return v
}

// Text says in words what is said of the label: "tench → goldfish".
func (v LabelVerdict) Text() string {
	was := v.WasName
	if v.Was == nil {
		was = "unlabelled"
	}
	switch v.Says {
	case LabelIsClass:
		return fmt.Sprintf("%s → %s", was, v.ClassName)
	case LabelIsNone:
		return fmt.Sprintf("%s → none of the classes", was)
	case LabelIsAmbiguous:
		return fmt.Sprintf("%s → ambiguous", was)
	case LabelIsRight:
		return fmt.Sprintf("%s is right", was)
	}
	return was
}

func imageSubject(id int64) string { return fmt.Sprintf("image %d", id) }
