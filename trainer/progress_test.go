package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// watch checks every report of a run: the plan does not change, stages come in its order, shares are of the whole and do
// not fall. at is what the last report named.
type watch struct {
	t     *testing.T
	mu    sync.Mutex
	last  progress.Progress
	seen  []progress.Stage
	calls int
}

func (w *watch) report(p progress.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	was, is := slices.Index(p.Stages, w.last.Stage), slices.Index(p.Stages, p.Stage)
	switch {
	case w.calls > 1 && !slices.Equal(p.Stages, w.last.Stages):
		w.t.Errorf("report %d: the plan was %v and is %v", w.calls, w.last.Stages, p.Stages)
	case is < 0 || is < was:
		w.t.Errorf("report %d: stage %q after %q of %v", w.calls, p.Stage, w.last.Stage, p.Stages)
	case p.Share < w.last.Share || p.Share < 0 || p.Share > 1:
		w.t.Errorf("report %d: a share of %v after %v", w.calls, p.Share, w.last.Share)
	case p.Share == 1 && (is < len(p.Stages)-1 || p.Remaining > 0):
		w.t.Errorf("report %d: all is done, and there is more: %+v", w.calls, p)
	case p.Done > p.Total || p.Remaining < 0:
		w.t.Errorf("report %d: %+v", w.calls, p)
	}
	if len(w.seen) == 0 || w.seen[len(w.seen)-1] != p.Stage {
		w.seen = append(w.seen, p.Stage)
	}
	w.last = p
}

func (w *watch) at() progress.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// is fails unless the stage named last is one of these; it is called by whatever is at work.
func (w *watch) is(what string, stages ...progress.Stage) {
	if p := w.at(); !slices.Contains(stages, p.Stage) || p.Share >= 1 {
		w.t.Errorf("%s while the progress says %s", what, p)
	}
}

// ended finishes the work, as the owner of a meter does, and checks which stages it went through.
func (w *watch) ended(m *progress.Meter, stages ...progress.Stage) {
	w.t.Helper()
	if p := w.at(); p.Share >= 1 {
		w.t.Errorf("the share is 1 before the work was said to be over: %+v", p)
	}
	m.Finish()
	if p := w.at(); p.Share != 1 || p.Remaining != 0 {
		w.t.Errorf("over, and the progress is %+v", p)
	}
	if !slices.Equal(w.seen, stages) {
		w.t.Errorf("stages %v, want %v", w.seen, stages)
	}
}

// Over a whole round, whatever its settings, the share is of the whole and never falls, and the stage named is the one at work.
func TestProgressOfARound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(s *RoundSpec){
		"plain":           func(*RoundSpec) {},
		"without control": func(s *RoundSpec) { s.WithoutControl = true },
		"anchored":        func(s *RoundSpec) { s.Settings.Anchor = 0.1 },
		"stopped early":   func(s *RoundSpec) { s.Settings.Patience, s.Settings.Epochs = 1, 40 },
		"mirrored":        func(s *RoundSpec) { s.Settings.Flip = true },
		"γ searched":      func(s *RoundSpec) { s.Settings.GammaSearch = true },
		"perturbed":       func(s *RoundSpec) { s.Settings.Perturbed = 3 },
		"one held out":    func(s *RoundSpec) { s.Heldout = s.Heldout[:1] },
		"none held out":   func(s *RoundSpec) { s.Heldout = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newToyProblem(t, 90, 10, 60)
			w := &watch{t: t}
			m := progress.NewMeter(w.report)
			opened := 0
			var spec RoundSpec
			spec = p.spec(t, func(s recipe.Settings, e *toyEngine) {
				opened++
				stage := progress.Candidate
				if s.Gamma == 0 {
					stage = progress.Control
				}
				if opened == 1 { // the parent's
					return
				}
				e.onStep = func(int) {
					if searches := len(recipe.Defaults().GammasTried()); spec.Settings.GammaSearch && opened <= searches+1 {
						stage = progress.GammaSearch
					}
					w.is("a step is taken", stage)
				}
			})
			pixels := spec.Pixels
			broken := p.train[20].Hash
			spec.Pixels = func(ctx context.Context, s sample.Sample, dst []float32) error {
				if spec.Settings.Perturbed == 0 { // deletion and insertion need pixels again
					w.is("an image is read", progress.Features)
				}
				if s.Hash == broken {
					return errors.New("no picture")
				}
				return pixels(ctx, s, dst)
			}
			c(&spec)
			var skipped []Problem
			out, err := RunRound(t.Context(), spec, Observer{Meter: m, Skipped: func(list []Problem) {
				w.is("images are left out", progress.Features)
				skipped = append(skipped, list...)
			}})
			if err != nil {
				t.Fatal(err)
			}
			if len(skipped) != 1 || skipped[0].Sample.Hash != broken || len(out.Skipped) != 1 {
				t.Errorf("left out: %v, want image 20", skipped)
			}
			stages := []progress.Stage{progress.Features, progress.EvaluatingParent, progress.GammaSearch, progress.Candidate, progress.EvaluatingCandidate, progress.Control, progress.EvaluatingControl}
			if spec.WithoutControl {
				stages = stages[:5]
			}
			if !spec.Settings.GammaSearch {
				stages = slices.DeleteFunc(stages, func(s progress.Stage) bool { return s == progress.GammaSearch })
			}
			w.ended(m, stages...)

			// Again: every feature is there, and the checkpoints are at their ends.
			w = &watch{t: t}
			m = progress.NewMeter(w.report)
			if _, err := RunRound(t.Context(), spec, Observer{Meter: m}); err != nil {
				t.Fatal(err)
			}
			w.ended(m, stages...)
		})
	}
}

// The share of a training does not stand at 100% once its features are there: it said "100% train 260/980".
func TestProgressOfATraining(t *testing.T) {
	t.Parallel()
	for _, frozen := range []bool{false, true} {
		for _, heldout := range []int{60, 0} {
			t.Run(fmt.Sprintf("frozen %t, %d held out", frozen, heldout), func(t *testing.T) {
				t.Parallel()
				p := newToyProblem(t, 90, 0, heldout)
				w := &watch{t: t}
				m := progress.NewMeter(w.report)
				m.Plan(progress.Plan{Stage: progress.Reading, Total: 90 + heldout})
				m.Plan(TrainPlan(recipe.Settings{Epochs: 3, BatchSize: 16}, Workload{Train: 90, Heldout: heldout}, frozen)...)
				m.Begin(progress.Reading, 0)
				m.Advance(progress.Reading, 90+heldout)
				spec := p.scratch(t, func(e *toyEngine) {
					e.onStep = func(int) { w.is("a step is taken", progress.Train) }
				})
				spec.Frozen = frozen
				if frozen {
					spec.Shift = 0
				}
				if _, err := TrainScratch(t.Context(), spec, Observer{Meter: m}); err != nil {
					t.Fatal(err)
				}
				stages := []progress.Stage{progress.Reading, progress.Features, progress.Train}
				if heldout > 0 {
					stages = append(stages, progress.Evaluating)
				}
				w.ended(m, stages...)
			})
		}
	}
}
