package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// resumeCase is a round whose every step is a place to be killed at.
type resumeCase struct {
	name   string
	change func(*recipe.Settings)
	every  time.Duration // between checkpoints within an epoch; 0: far longer than the test takes
}

var resumeCases = []resumeCase{
	{"sgd, a checkpoint an epoch", func(*recipe.Settings) {}, 0},
	{"sgd, a checkpoint a step", func(*recipe.Settings) {}, 1},
	{"nesterov, clipped, stopping early", func(s *recipe.Settings) {
		s.Optimizer, s.ClipNorm, s.Patience, s.LearningRate = recipe.OptimizerNesterov, 0.5, 1, 2
	}, 1},
	{"adamw, balanced, mirrored, stopping early", func(s *recipe.Settings) {
		s.Optimizer, s.SpareNorms, s.Balanced, s.Flip, s.Patience, s.LearningRate = recipe.OptimizerAdamW, true, true, true, 2, 0.1
	}, 1},
	{"sgd, cropped and mirrored, a checkpoint a step", func(s *recipe.Settings) { s.Crop, s.Flip = 0.5, true }, 1},
	{"adamw, anchored, a checkpoint an epoch", func(s *recipe.Settings) { s.Optimizer, s.Anchor, s.LearningRate = recipe.OptimizerAdamW, 0.5, 0.02 }, 0},
}

// A round that is killed at any step of either arm and goes on must end with the bits of one that was not: both
// networks with all optimiser state, the curve, the figures.
func TestRoundKilledAtEveryStepResumesToTheBit(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 44, 6, 40)
	for _, c := range resumeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			build := func(began *int, at func(step int)) RoundSpec {
				spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
					e.onStep = func(int) {
						if at != nil {
							at(*began)
						}
						*began++
					}
				})
				c.change(&spec.Settings)
				spec.checkpointEvery = c.every
				if spec.Settings.Patience > 0 {
					spec.Heldout, spec.Validation = p.misleading(28)
				}
				return spec
			}
			steps := 0
			whole := build(&steps, nil)
			want, err := RunRound(t.Context(), whole, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			if steps < 12 {
				t.Fatalf("only %d steps to be killed at", steps)
			}
			if kept := want.Runs[0]; strings.HasSuffix(c.name, "stopping early") != (kept.Kept < kept.Epochs) {
				t.Fatalf("kept %+v", want.Runs)
			}
			for kill := range steps {
				ctx, cancel := context.WithCancelCause(t.Context())
				killed := errors.New("killed")
				began := 0
				spec := build(&began, func(step int) {
					if step == kill {
						cancel(killed)
					}
				})
				if _, err := RunRound(ctx, spec, Observer{}); !errors.Is(err, killed) {
					t.Fatalf("killed at step %d: %v", kill, err)
				}
				taken := 0
				again := build(&taken, nil)
				again.WorkDir = spec.WorkDir
				got, err := RunRound(t.Context(), again, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				sameRound(t, fmt.Sprint("killed at step ", kill), want, got)
				sameCheckpoints(t, whole.WorkDir, spec.WorkDir)
				if c.every != 0 && taken > steps-kill+1 { // of an epoch's last step the checkpoint comes after its validation
					t.Errorf("killed at step %d of %d, %d steps were taken again", kill, steps, taken)
				}
			}
		})
	}
}

// Between two points of a curve, a checkpoint carries the sums of the steps since the first.
func TestRoundKilledBetweenPointsReportsTheSameCurve(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 20, 3, 10)
	build := func(onStep func(step int)) RoundSpec {
		spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) { e.onStep = onStep })
		spec.Settings.Epochs, spec.Settings.BatchSize, spec.Settings.LearningRate, spec.WithoutControl = 25, 2, 0.01, true
		return spec
	}
	want, err := RunRound(t.Context(), build(nil), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Curve) < 200 || len(want.Curve) > want.Steps*2/3 {
		t.Fatalf("%d points of %d steps: there is nothing between points", len(want.Curve), want.Steps)
	}
	killed := errors.New("killed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := build(func(step int) {
		if step == 255 {
			cancel(killed)
		}
	})
	cut.checkpointEvery = 1
	if _, err := RunRound(ctx, cut, Observer{}); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	if c := latestCheckpoint(t, cut.WorkDir, arms.Candidate); c.Pending.Rows == 0 || c.Step != 255 {
		t.Fatalf("killed at step %d, with %+v since the last point", c.Step, c.Pending)
	}
	again := build(nil)
	again.WorkDir = cut.WorkDir
	got, err := RunRound(t.Context(), again, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	sameRound(t, "killed between two points", want, got)
}

// Whether a network forgets is judged over several steps; a resumed run must know those before it was cut off.
func TestRoundKilledWhileItForgetsDivergesAtTheSameStep(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 300, 10, 60)
	build := func(onStep func(step int)) RoundSpec {
		spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) { e.onStep = onStep })
		spec.Settings.LearningRate, spec.Settings.Epochs, spec.checkpointEvery, spec.withoutRestarts = 60, 20, 1, true
		return spec
	}
	var want, got *DivergedError
	if _, err := RunRound(t.Context(), build(nil), Observer{}); !errors.As(err, &want) || want.Chance == 0 {
		t.Fatalf("a learning rate of 60: %v", err)
	}
	killed := errors.New("killed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := build(func(step int) {
		if step == want.Step-3 {
			cancel(killed)
		}
	})
	if _, err := RunRound(ctx, cut, Observer{}); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	again := build(nil)
	again.WorkDir = cut.WorkDir
	if _, err := RunRound(t.Context(), again, Observer{}); !errors.As(err, &got) || *got != (DivergedError{
		Arm: want.Arm, Step: want.Step, Epoch: want.Epoch, GoodStep: want.GoodStep, Folder: again.WorkDir, Loss: want.Loss, Chance: want.Chance, Branch: want.Branch, Rate: want.Rate,
	}) {
		t.Errorf("killed three steps before, it ends with %v; uninterrupted with %v", err, want)
	}
}

// misleading splits the held-out images: the first n stay, the others validate under wrong labels, so that every epoch of
// learning is worse than the last.
func (p *toyProblem) misleading(n int) (heldout, validation []sample.Sample) {
	validation = slices.Clone(p.heldout[n:])
	for i := range validation {
		validation[i].Label = (validation[i].Label + 1) % p.classes
	}
	return p.heldout[:n], validation
}

func sameRound(t *testing.T, when string, want, got RoundOutcome) {
	t.Helper()
	if !bytes.Equal(got.Model, want.Model) || !bytes.Equal(got.Control, want.Control) {
		t.Errorf("%s: other networks", when)
	}
	if !slices.Equal(got.Curve, want.Curve) || !slices.Equal(got.Measures, want.Measures) || !slices.EqualFunc(got.Runs, want.Runs, sameRun) {
		t.Errorf("%s: other figures", when)
	}
}

// sameRun compares runs that took another time.
func sameRun(a, b ArmRun) bool {
	took := a.Seconds > 0 && b.Seconds > 0
	a.Seconds, b.Seconds = 0, 0
	return a == b && took
}

// sameCheckpoints compares what the latest checkpoints of two rounds hold: parameters and moments.
func sameCheckpoints(t *testing.T, want, got string) {
	t.Helper()
	for _, arm := range []Arm{arms.Candidate, arms.Control} {
		a, b := latestCheckpoint(t, want, arm), latestCheckpoint(t, got, arm)
		if a.Step != b.Step || a.Best != b.Best || len(a.Parameters) == 0 {
			t.Errorf("%s ends at step %d with %+v, want step %d with %+v", arm, b.Step, b.Best, a.Step, a.Best)
		}
		for i, p := range a.Parameters {
			q := b.Parameters[i]
			if !slices.Equal(p.Value, q.Value) || !slices.Equal(p.Momentum, q.Momentum) || !slices.Equal(p.Second, q.Second) {
				t.Errorf("%s: %s differs in value or moments", arm, p.Name)
			}
		}
	}
}

func latestCheckpoint(t *testing.T, dir string, arm Arm) (latest checkpoint) {
	t.Helper()
	for slot := range 2 {
		c, err := readCheckpointFile((&checkpoints{dir: dir, arm: arm}).path(slot))
		if err == nil && c.Step > latest.Step {
			latest = c
		}
	}
	return latest
}

// The same on the runtime, for some steps: the real engine's parameters, moments and running statistics.
func TestRoundOnTheRuntimeKilledAtAStepResumesToTheBit(t *testing.T) {
	t.Parallel()
	name := fixture.ReferenceModels(t)[0]
	for optimizer, kills := range map[recipe.Optimizer][]float64{recipe.OptimizerSGD: {0.9}, recipe.OptimizerNesterov: {0.4}, recipe.OptimizerAdamW: {0.2, 0.7}} {
		t.Run(string(optimizer), func(t *testing.T) {
			t.Parallel()
			build := func() RoundSpec {
				spec := referenceSpec(t, name)
				spec.Settings.Optimizer, spec.Settings.ClipNorm, spec.Settings.Patience, spec.Settings.Epochs = optimizer, 1, 1, 3
				spec.Settings.LearningRate, spec.Settings.BatchSize = 2e-3, 3
				spec.Validation = slices.Clone(spec.Heldout[:4]) // of which none is then measured
				spec.Heldout = spec.Heldout[4:]
				spec.checkpointEvery = 1
				return spec
			}
			whole := build()
			want, err := RunRound(t.Context(), whole, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			steps := 0
			for _, run := range want.Runs {
				steps += run.Steps
			}
			for _, share := range kills {
				kill := int(share * float64(steps))
				ctx, cancel := context.WithCancelCause(t.Context())
				killed := errors.New("killed")
				spec := build()
				began := 0
				onEveryStep(t, &spec, func() {
					if began == kill {
						cancel(killed)
					}
					began++
				})
				if _, err := RunRound(ctx, spec, Observer{}); !errors.Is(err, killed) {
					t.Fatalf("killed at step %d: %v", kill, err)
				}
				again := build()
				again.WorkDir = spec.WorkDir
				got, err := RunRound(t.Context(), again, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				sameRound(t, fmt.Sprint("killed at step ", kill), want, got)
				sameCheckpoints(t, whole.WorkDir, spec.WorkDir)
			}
		})
	}
}

// watchedEngine tells of each step as it begins.
type watchedEngine struct {
	engine.Engine
	onStep func()
}

func (e watchedEngine) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	e.onStep()
	return e.Engine.Step(ctx, b, u)
}

// onEveryStep opens the spec's model itself, so that its engines tell of each step.
func onEveryStep(t *testing.T, spec *RoundSpec, tell func()) {
	t.Helper()
	net, err := openNetwork(t.Context(), nil, spec.Model, spec.Manifest, spec.Settings, spec.Extractor, spec.ExtractorHash, spec.Threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.close)
	open := net.newEngine
	net.newEngine = func(ctx context.Context, s recipe.Settings) (engine.Engine, error) {
		e, err := open(ctx, s)
		if err != nil {
			return nil, err
		}
		return watchedEngine{e, tell}, nil
	}
	spec.network = net
}

// A process that was killed while it wrote leaves a temporary file, which the next one removes.
func TestCheckpointsRemoveWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := checkpoints{dir: dir, arm: ArmTrain}
	if err := c.save(sampleCheckpoint(1)); err != nil {
		t.Fatal(err)
	}
	torn, err := durable.Create(c.path(1))
	if err == nil {
		err = sampleCheckpoint(2).write(torn)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.load("run"); !found || err != nil {
		t.Fatal(found, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
