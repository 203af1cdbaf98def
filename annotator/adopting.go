package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// OverlapStore keeps what several people paint of the same image.
type OverlapStore interface {
	// SplitTask makes a locked open task the first slot of its image, and the open tasks of the others. It returns false, and changes nothing,
	// where somebody has drawn in the task or the image has other tasks.
	SplitTask(ctx context.Context, taskID int64, painters int) (bool, error)
	// Slots lists the slots of a project's images, by image, the newest images first, at most limit images; those of one image if imageID
	// is not 0.
	Slots(ctx context.Context, projectID, imageID int64, limit int) ([]Slot, error)
	// InsertAdopting makes the open task that holds what is adopted, beside the slots of one of which is given.
	InsertAdopting(ctx context.Context, slot Task) (Task, error)
	// InsertSources notes which edits an adopted one is made of.
	InsertSources(ctx context.Context, editID int64, sources []int64) error
}

// Slot is one of the maps that different people paint of an image.
type Slot struct {
	TaskID    int64          `json:"task_id"`
	ImageID   int64          `json:"-"`
	VersionID int64          `json:"-"`
	Slot      int            `json:"slot"`
	State     TaskState      `json:"state"`
	PainterID *int64         `json:"painter_id,omitempty"` // nil while nobody has begun it
	Painter   string         `json:"painter,omitempty"`
	EditID    int64          `json:"edit_id,omitempty"` // the map in force: in review or approved; 0: none
	Map       *attention.Map `json:"map,omitempty"`
	AdoptedID int64          `json:"-"` // the task with what was adopted of the image's slots, where that is approved; 0: none
}

// inForce reports whether the slot has a map that counts.
func (s Slot) inForce() bool { return s.Map != nil }

// done reports whether nobody is to paint the slot any more.
func (s Slot) done() bool {
	return s.State == TaskSkipped || s.inForce() && (s.State == TaskSubmitted || s.State == TaskApproved)
}

// SharedState is where the maps of an image stand that several people paint.
type SharedState string

// The states.
const (
	SharedPainting SharedState = "painting" // somebody is still to paint it
	SharedReady    SharedState = "ready"    // a reviewer is to adopt their mean, or one of them
	SharedAdopted  SharedState = "adopted"  // that is done
	SharedEmpty    SharedState = "empty"    // all put it aside
)

// SharedStates are all of them.
var SharedStates = []SharedState{SharedPainting, SharedReady, SharedAdopted, SharedEmpty}

// stateOf is that of an image's slots.
func stateOf(slots []Slot, adopted bool) SharedState {
	switch {
	case adopted:
		return SharedAdopted
	case slices.ContainsFunc(slots, func(s Slot) bool { return !s.done() }):
		return SharedPainting
	case !slices.ContainsFunc(slots, Slot.inForce):
		return SharedEmpty
	}
	return SharedReady
}

// AdoptedPerson is the program in whose name adopted maps stand; Edit.Author names those whose maps they are made of.
const AdoptedPerson = "Several painters"

// Adoption is what a reviewer chose of several maps of an image.
type Adoption struct {
	Sources []int64 `json:"sources" doc:"The edits in force that the reviewer saw, of all slots: 409 if they have changed."`
	Edit    int64   `json:"edit,omitempty" doc:"The one of them that is adopted as it is; 0: the mean of all."`
	Comment string  `json:"comment,omitempty" bound:"comment"`
}

// Adopt makes the mean of several people's maps of an image, or one of the maps, what its rounds learn from (reviewer): it becomes an
// approved edit of a task of its own, which names its sources. Those maps that wait for review are approved with it, so that whoever
// painted one of them may not adopt. ErrConflict while somebody is still to paint the image, where the maps are not those that were seen,
// and where something is adopted already.
func (s *Service) Adopt(ctx context.Context, actor User, slug string, imageID int64, a Adoption) (TaskDetail, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return TaskDetail{}, err
	}
	if err := mayHoldReviews(actor); err != nil {
		return TaskDetail{}, err
	}
	if project.ClosedAt != nil {
		return TaskDetail{}, &ClosedError{slug}
	}
	if a.Comment, err = BoundComment.check("comment", a.Comment); err != nil {
		return TaskDetail{}, err
	}
	slots, err := s.store.Slots(ctx, project.ID, imageID, 1)
	if err != nil {
		return TaskDetail{}, err
	}
	if len(slots) == 0 {
		return TaskDetail{}, fmt.Errorf("image %d, painted by several people: %w", imageID, ErrNotFound)
	}
	sources, m, err := a.choose(slots)
	if err != nil {
		return TaskDetail{}, err
	}
	// The scores are computed before the transaction, so that no lock is held meanwhile.
	card, version, _, err := s.scored(ctx, slots[0].TaskID)
	if err != nil {
		return TaskDetail{}, err
	}
	before, err := s.score(ctx, version, card, project.Classes, card.Prediction.Map)
	if err != nil {
		return TaskDetail{}, err
	}
	after, err := s.score(ctx, version, card, project.Classes, m)
	if err != nil {
		return TaskDetail{}, err
	}
	var made Edit
	err = s.store.InTx(ctx, func(tx Store) error {
		tasks, err := tx.TasksOf(ctx, imageID)
		if err != nil {
			return err
		}
		now := s.now()
		if slots, err = tx.Slots(ctx, project.ID, imageID, 1); err != nil { // as they are now that the tasks are locked
			return err
		}
		if sources, m, err = a.choose(slots); err != nil {
			return err
		}
		for _, slot := range slots {
			if err := s.approveWith(ctx, tx, actor, slot, a); err != nil {
				return err
			}
		}
		task, err := s.adopting(ctx, tx, tasks, slots[0].TaskID)
		if err != nil {
			return err
		}
		if made, err = s.adopt(ctx, tx, task, version, m, sources, now); err != nil {
			return err
		}
		if err := tx.SubmitEdit(ctx, made.ID, &before, &after, now); err != nil {
			return err
		}
		if _, err := tx.JudgeEdit(ctx, Review{EditID: made.ID, ReviewerID: actor.ID, Verdict: VerdictApprove, Comment: a.Comment, CreatedAt: now}); err != nil {
			return err
		}
		detail := fmt.Sprintf("image %d, the mean of %s maps", imageID, text.Count(len(sources)))
		if a.Edit != 0 {
			detail = fmt.Sprintf("image %d, edit %d of %s maps", imageID, a.Edit, text.Count(len(a.Sources)))
		}
		if err := s.audit(ctx, tx, actor, &project.ID, "edit.adopt", editSubject(made.ID), detail); err != nil {
			return err
		}
		return ConsiderForecast(ctx, tx, project.ID)
	})
	if err != nil {
		return TaskDetail{}, err
	}
	return s.taskDetail(ctx, actor, made.TaskID)
}

// choose returns what is adopted of an image's slots: the edits that it is made of, and the map.
func (a Adoption) choose(slots []Slot) (sources []int64, m attention.Map, err error) {
	var maps []attention.Map
	for _, slot := range slots {
		switch {
		case !slot.done():
			return nil, m, Conflict("slot %d of image %d is still painted (task %d is %s): wait for it, or skip it", slot.Slot, slot.ImageID, slot.TaskID, slot.State)
		case slot.inForce():
			sources, maps = append(sources, slot.EditID), append(maps, *slot.Map)
		}
	}
	if len(sources) == 0 {
		return nil, m, Conflict("nobody painted the image: all put it aside")
	}
	if !slices.Equal(slices.Sorted(slices.Values(a.Sources)), slices.Sorted(slices.Values(sources))) {
		return nil, m, Conflict("the maps have changed meanwhile: look at them again")
	}
	if a.Edit == 0 {
		return sources, attention.NewConsensus(maps).Mean, nil
	}
	at := slices.Index(sources, a.Edit)
	if at < 0 {
		return nil, m, &ValidationError{Field: "edit", Message: "is none of the maps"}
	}
	return []int64{a.Edit}, maps[at], nil
}

// approveWith approves the map of a slot that waits for review, by whoever adopts.
func (s *Service) approveWith(ctx context.Context, tx Store, actor User, slot Slot, a Adoption) error {
	card, err := tx.TaskCard(ctx, slot.TaskID)
	if err != nil {
		return err
	}
	if card.State != TaskSubmitted {
		if slices.Contains(append(card.Among.Others, ptrOr(card.PainterID)), actor.ID) {
			return fmt.Errorf("%w: you painted one of the maps, so somebody else adopts", ErrForbidden)
		}
		return nil
	}
	_, err = s.judge(ctx, tx, actor, Review{EditID: slot.EditID, Verdict: VerdictApprove, Comment: a.Comment}, "with what was adopted")
	return err
}

// adopting returns the task of an image that holds what is adopted, of its locked tasks: the one that there is, or a new one.
func (s *Service) adopting(ctx context.Context, tx Store, tasks []Task, slotID int64) (Task, error) {
	for _, t := range tasks {
		if t.adopts() {
			return t, nil
		}
	}
	return tx.InsertAdopting(ctx, tasks[slices.IndexFunc(tasks, func(t Task) bool { return t.ID == slotID })])
}

// adoptionOf is the provenance of what was adopted.
type adoptionOf struct {
	MadeBy string  `json:"made_by"`
	Edits  []int64 `json:"edits"`
}

// AdoptsMean reports whether an adopted edit is the mean of several people's maps, and not one of them.
func (e Edit) AdoptsMean() bool {
	var of adoptionOf
	return e.Source == SourceAdopted && json.Unmarshal(e.Provenance, &of) == nil && len(of.Edits) > 1
}

// adopt adds the revision that is adopted, and moves its task on. What was adopted before, and taken back, stays in the history.
func (s *Service) adopt(ctx context.Context, tx Store, task Task, v Version, m attention.Map, sources []int64, now time.Time) (Edit, error) {
	author, err := tx.GeneratorUser(ctx, AdoptedPerson)
	if err != nil {
		return Edit{}, err
	}
	latest, err := tx.LatestEdit(ctx, task.ID)
	if err != nil && !isNotFound(err) {
		return Edit{}, err
	}
	if task.State == TaskSubmitted {
		if err := tx.TakeBackEdit(ctx, latest.ID); err != nil {
			return Edit{}, err
		}
	}
	provenance, err := json.Marshal(adoptionOf{MadeBy: "adoption", Edits: sources})
	if err != nil {
		return Edit{}, err
	}
	edit, err := tx.InsertEdit(ctx, Edit{
		TaskID: task.ID, Revision: latest.Revision + 1, AuthorID: author.ID, Source: SourceAdopted, Map: m, VersionID: v.ID, CreatedAt: now, Provenance: provenance,
	})
	if err != nil {
		return Edit{}, err
	}
	if err := tx.InsertSources(ctx, edit.ID, sources); err != nil {
		return Edit{}, err
	}
	if task, err = task.Adopt(author, now); err != nil {
		return Edit{}, err
	}
	return edit, tx.UpdateTask(ctx, task)
}

// Adopt returns the task as approved, with what was adopted in the name of a program. ErrConflict if something is adopted already.
func (t Task) Adopt(author User, now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, EventAdopt)
	switch {
	case !author.Generator:
		return t, fmt.Errorf("what is adopted is nobody's own: %w", ErrForbidden)
	case t.State == TaskApproved:
		return t, Conflict("a map of image %d was adopted already: take that verdict back first (task %d)", t.ImageID, t.ID)
	case !may:
		return t, Conflict("task %d, which holds what is adopted, is %s", t.ID, t.State)
	}
	t = t.unheld()
	t.State, t.AuthorID, t.AuthorName, t.SubmittedAt, t.UpdatedAt = to, &author.ID, author.Name, &now, now
	return t, nil
}
