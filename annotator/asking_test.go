package annotator_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// An image that the network gets right gets a task when somebody asks for one; the map as it is can be confirmed.
func TestAskForMap(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	_, _, images := w.AnotherProject(t, "right")
	image := images[0]
	if _, err := w.Store.Pool().Exec(ctx, `DELETE FROM tasks WHERE image_id = $1`, image.ID); err != nil { // as if the version were right
		t.Fatal(err)
	}
	task, err := w.Service.AskForMap(ctx, w.Ada, image.ID)
	if err != nil || task.State != annotator.TaskOpen || task.ImageID != image.ID {
		t.Fatalf("%+v, %v", task, err)
	}
	if again, err := w.Service.AskForMap(ctx, w.Bob, image.ID); err != nil || again.ID != task.ID {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	d, err := w.Service.ClaimTask(ctx, w.Ada, task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.SaveDraft(ctx, w.Ada, task.ID, annotator.Draft{Source: annotator.SourceModel, Map: d.Prediction.Map}); err != nil {
		t.Fatal(err)
	}
	if done, err := w.Service.Submit(ctx, w.Ada, task.ID, 1); err != nil || done.Edit.Source != annotator.SourceModel {
		t.Errorf("confirmed: %+v, %v", done, err)
	}

	var heldOut annotator.Image
	for _, i := range images {
		if i.Split == annotator.SplitTest {
			heldOut = i
		}
	}
	if _, err := w.Service.DeleteImages(ctx, w.Admin, "right", []int64{images[1].ID}); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]int64{"held out": heldOut.ID, "out of use": images[1].ID} {
		if _, err := w.Service.AskForMap(ctx, w.Ada, id); !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Service.AskForMap(ctx, w.Ada, 1<<40); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("no image: %v", err)
	}
}
