package main

import (
	"math"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// Images that are left out of measures are in none of a round's figures, and nothing is trained on them: the parent's accuracy is that of
// the others, which the scan's predictions tell.
func TestRoundDoesWithoutWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	seedRoundEdits(t, p)
	heldOut, err := p.Store.Images(ctx, p.project.ID, annotator.SplitTest)
	if err != nil {
		t.Fatal(err)
	}
	predictions, err := p.Store.Predictions(ctx, p.version.ID, annotator.SplitTest)
	if err != nil {
		t.Fatal(err)
	}
	correct := map[int64]bool{}
	for _, one := range predictions {
		correct[one.ImageID] = one.Correct
	}
	// Leave out all that are right but one, so that the figures with and without them differ.
	leftOut := map[int64]bool{}
	var ids []int64
	rightOnes := 0
	for _, image := range heldOut {
		if correct[image.ID] {
			if rightOnes++; rightOnes > 1 {
				leftOut[image.ID] = true
				ids = append(ids, image.ID)
			}
		}
	}
	if len(ids) == 0 { // the network knows too little
		t.Fatalf("%d of %d test images are right", rightOnes, len(heldOut))
	}
	if n, err := p.Store.LeaveOut(ctx, p.project.ID, ids, annotator.LeftOutLeakage, true); err != nil || n != len(ids) {
		t.Fatalf("left out: %d, %v", n, err)
	}
	round := queueRound(t, p, 1, "once")
	in, err := p.Store.RoundInputs(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, image := range in.Eval {
		if leftOut[image.ID] {
			t.Errorf("%s is measured on", image.Name)
		}
		if correct[image.ID] {
			right++
		}
	}
	for _, one := range pgtest.TrainingImages(t, p.Store, round.ID) {
		if leftOut[one.Image.ID] {
			t.Errorf("%s is trained on", one.Image.Name)
		}
	}
	for _, image := range in.Validation {
		if leftOut[image.ID] {
			t.Errorf("early stopping looks at %s", image.Name)
		}
	}
	p.worker(t)
	p.roundFinished(t, round.ID)
	round, err = p.Store.Round(ctx, round.ID)
	if err != nil {
		t.Fatal(err)
	}
	result := round.Result
	if result == nil || result.Images != len(heldOut)-len(ids) || result.LeftOut != len(ids) || result.Split != annotator.SplitTest {
		t.Fatalf("the result %+v, of %d test images without %d", result, len(heldOut), len(ids))
	}
	for _, measure := range result.Measures {
		if measure.Images > result.Images {
			t.Errorf("%s is taken over %d images, of %d", measure.Name, measure.Images, result.Images)
		}
		if want := float64(right) / float64(result.Images); measure.Name == "accuracy" && math.Abs(measure.Parent-want) > 1e-9 {
			t.Errorf("the parent's accuracy is %v, and of the images that are not left out %v", measure.Parent, want)
		}
	}
	for _, id := range append(result.Fixed, result.Broken...) {
		if leftOut[id] {
			t.Errorf("image %d is listed as fixed or broken", id)
		}
	}
}
