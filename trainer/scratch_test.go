package trainer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
)

func (p *toyProblem) scratch(t testing.TB, opened func(e *toyEngine)) ScratchSpec {
	round := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
		if opened != nil {
			opened(e)
		}
	})
	return ScratchSpec{
		Settings: completed(recipe.Settings{Epochs: 3, BatchSize: 16, LearningRate: 0.5, Seed: 5, Flip: true}), Shift: 1,
		Train: p.train, Heldout: p.heldout, Pixels: p.read, WorkDir: round.WorkDir, network: round.network,
	}
}

func TestScratchLearnsAndResumesToTheBit(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 0, 60)
	whole, err := TrainScratch(t.Context(), p.scratch(t, nil), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	first, last := whole.Curve[0], whole.Curve[len(whole.Curve)-1]
	if !(last.LossPer < 0.9*first.LossPer) || whole.Steps != 18 || whole.Evaluation.Images != 60 {
		t.Errorf("from %+v to %+v in %d steps", first, last, whole.Steps)
	}
	shutdown := errors.New("the worker shuts down")
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := p.scratch(t, func(e *toyEngine) {
		e.onStep = func(step int) {
			if step == 15 {
				cancel(shutdown)
			}
		}
	})
	if _, err := TrainScratch(ctx, spec, Observer{}); !errors.Is(err, shutdown) {
		t.Fatal(err)
	}
	resumed := p.scratch(t, nil)
	resumed.WorkDir = spec.WorkDir
	again, err := TrainScratch(t.Context(), resumed, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Model, whole.Model) || !slices.Equal(again.Curve, whole.Curve) {
		t.Error("the resumed training made another network")
	}
}

func TestCancelledScratchLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 0, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := p.scratch(t, func(e *toyEngine) { e.onStep = func(int) { cancel(ErrCancelled) } })
	if _, err := TrainScratch(ctx, spec, Observer{}); !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	if _, err := os.Stat(spec.WorkDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the work folder is still there: %v", err)
	}
}

func TestMoveRepeatsEdges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dy, dx int
		want   []float32
	}{
		{0, 0, []float32{1, 2, 3, 4, 5, 6}},
		{0, 1, []float32{1, 1, 2, 4, 4, 5}},
		{1, 0, []float32{1, 2, 3, 1, 2, 3}},
		{-1, -1, []float32{5, 6, 6, 5, 6, 6}},
		{5, 5, []float32{1, 1, 1, 1, 1, 1}},
	} {
		plane := []float32{1, 2, 3, 4, 5, 6}
		if move(plane, 2, 3, c.dy, c.dx); !slices.Equal(plane, c.want) {
			t.Errorf("moved by %d, %d: %v, want %v", c.dy, c.dx, plane, c.want)
		}
	}
}
