package annotator

import (
	"context"
	"fmt"
)

// AskForMap makes a task of an image that the active version gets right, or returns the one that the image has: a network that is right
// may look at the wrong place, and a map that is fine as it is can be confirmed. ErrConflict, with the reason, for an image whose map
// would teach nothing: held out, without a label or with a doubtful one, out of use, or not looked at by the active version.
func (s *Service) AskForMap(ctx context.Context, actor User, imageID int64) (Task, error) {
	actor, err := s.painting(ctx, actor, ThingImage.Of(imageID))
	if err != nil {
		return Task{}, err
	}
	image, err := s.store.Image(ctx, imageID)
	if err != nil {
		return Task{}, err
	}
	refused := func(why string) error { return fmt.Errorf("image %d %s: %w", imageID, why, ErrConflict) }
	switch {
	case image.Retired != "":
		return Task{}, refused("is out of use")
	case image.Broken != "":
		return Task{}, refused("cannot be read")
	case image.Label == nil:
		return Task{}, refused("has no label")
	case image.Split.HeldOut():
		return Task{}, refused(fmt.Sprintf("is held out (%s): what is painted on it would be trained on", image.Split))
	case !image.Teaches():
		return Task{}, refused("is left out: " + image.leftOutByLabel().Words())
	}
	var task Task
	err = s.store.InTx(ctx, func(tx Store) error {
		task = Task{}
		has, err := tx.TasksOf(ctx, imageID)
		if err != nil {
			return err
		}
		for _, t := range has {
			if t.State != TaskSkipped && (task.ID == 0 || task.closedTo(actor) != nil) { // of several slots, one that they may paint
				task = t
			}
		}
		if task.ID != 0 {
			return nil
		}
		active, err := tx.ActiveVersion(ctx, image.ProjectID)
		if isNotFound(err) {
			return refused("was looked at by no version")
		}
		if err != nil {
			return err
		}
		if len(has) > 0 {
			return refused("has a task that was put aside: a reviewer can put it back")
		}
		id, err := tx.CreateTask(ctx, active.ID, imageID)
		if isNotFound(err) {
			return refused("was not looked at by the active version yet, or its label is in question")
		}
		if err != nil {
			return err
		}
		if task, err = tx.Task(ctx, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &image.ProjectID, "task.ask", imageSubject(imageID), fmt.Sprintf("task %d", id))
	})
	return task, err
}
