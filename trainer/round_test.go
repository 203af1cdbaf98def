package trainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

func TestRoundComparesCandidateWithControl(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 300, 40, 240)
	engines := map[float64][]*toyEngine{}
	spec := p.spec(t, func(s recipe.Settings, e *toyEngine) { engines[s.Gamma] = append(engines[s.Gamma], e) })
	spec.Settings.Epochs = 8
	spec.Masks = func(_ context.Context, s sample.Sample, height, width int) (attention.Map, error) {
		return measure.Upsample(s.Mask, height, width), nil
	}
	var points []Point
	out, err := RunRound(t.Context(), spec, Observer{
		Point: func(p Point) { points = append(points, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	// γ=0.5 opened the parent and the candidate, γ=0 the control; both arms saw the same labels in the same order.
	if len(engines[0.5]) != 2 || len(engines[0]) != 1 {
		t.Fatalf("engines by γ: %d at 0.5, %d at 0, want 2 and 1", len(engines[0.5]), len(engines[0]))
	}
	candidate, control := engines[0.5][1], engines[0][0]
	if len(candidate.labels) == 0 || !slices.Equal(candidate.labels, control.labels) {
		t.Error("candidate and control saw different rows")
	}
	for g, list := range engines {
		for _, e := range list {
			if !e.closed {
				t.Errorf("an engine with γ=%v was left open", g)
			}
		}
	}
	byName := map[string]measure.Measure{}
	for _, m := range out.Measures {
		byName[m.Name] = m
		if m.Low > m.Difference || m.High < m.Difference {
			t.Errorf("%s: interval %v to %v without its difference %v", m.Name, m.Low, m.High, m.Difference)
		}
		if got := m.Candidate - m.Control; math.Abs(got-m.Difference) > 1e-12 {
			t.Errorf("%s: difference %v, want %v", m.Name, m.Difference, got)
		}
	}
	if m := byName[measure.MapDistance]; !(m.Candidate < m.Control) || m.Images != 40 {
		t.Errorf("the candidate's maps are no closer to people's: %+v", m)
	}
	if m := byName[measure.Inside]; !(m.Low > 0) {
		t.Errorf("attention did not move into the object: %+v", m)
	}
	for _, name := range []string{measure.PointingGame, measure.RelevanceRank, measure.MaskIoU} {
		if m := byName[name]; m.Images != 240 || m.Candidate <= 0 || m.Candidate < m.Control || name == measure.MaskIoU && m.Candidate == m.Control {
			t.Errorf("attention moved into the object, but %s says: %+v", name, m)
		}
	}
	if m := byName[measure.WrongReason]; m.Images != 240 || !(m.Candidate < m.Control) {
		t.Errorf("attention left what is outside the object: %+v", m)
	}
	if m := byName[measure.Accuracy]; m.Images != 240 || m.Candidate != out.CandidateEvaluation.Top1 || m.Parent != out.ParentEvaluation.Top1 {
		t.Errorf("accuracy: %+v", m)
	}
	if gain := len(out.Fixed) - len(out.Broken); math.Abs(float64(gain)/240-byName[measure.Accuracy].Difference) > 1e-12 {
		t.Errorf("%d fixed, %d broken do not make a difference of %v", len(out.Fixed), len(out.Broken), byName[measure.Accuracy].Difference)
	}
	if out.Images != 300 || out.Edits != 40 || out.FeatureMisses != 540 || out.Headline == "" || len(out.Model) == 0 || len(out.Control) == 0 {
		t.Errorf("outcome: %d images, %d edits, %d misses, %q", out.Images, out.Edits, out.FeatureMisses, out.Headline)
	}
	if !slices.Equal(points, out.Curve) {
		t.Error("the observer saw another curve than the outcome holds")
	}
	for _, pt := range points {
		if pt.Arm == arms.Control && pt.LossMap != 0 {
			t.Fatalf("the control has a map loss: %+v", pt)
		}
		if pt.MapDistance <= 0 {
			t.Fatalf("a point without map distance: %+v", pt)
		}
	}
}

func TestRoundResumesToTheBit(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 10, 60)
	whole, err := RunRound(t.Context(), p.spec(t, nil), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	// Steps of both arms, 3 epochs of 6 batches each; stop within epochs, at their ends, in either arm.
	for _, stop := range []int{0, 3, 6, 11, 17, 18, 19, 30, 35} {
		t.Run(fmt.Sprint("after ", stop), func(t *testing.T) {
			t.Parallel()
			seen := 0
			ctx, cancel := context.WithCancelCause(t.Context())
			shutdown := errors.New("the worker shuts down")
			spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
				e.onStep = func(int) {
					if seen == stop {
						cancel(shutdown)
					}
					seen++
				}
			})
			if _, err := RunRound(ctx, spec, Observer{}); !errors.Is(err, shutdown) {
				t.Fatalf("the round was to be cut off after %d steps: %v", stop, err)
			}
			if seen != stop+1 {
				t.Errorf("%d steps began after the shutdown", seen-stop-1)
			}
			resumed := p.spec(t, nil)
			resumed.WorkDir = spec.WorkDir
			taken := 0
			resumed.network = p.spec(t, func(_ recipe.Settings, e *toyEngine) { e.onStep = func(int) { taken++ } }).network
			out, err := RunRound(t.Context(), resumed, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Model, whole.Model) || !bytes.Equal(out.Control, whole.Control) {
				t.Error("the resumed round made another network")
			}
			if !slices.Equal(out.Curve, whole.Curve) || !slices.Equal(out.Measures, whole.Measures) {
				t.Error("the resumed round reports other figures")
			}
			if want := 36 - stop/6*6; taken != want {
				t.Errorf("the resumed round took %d steps, want %d", taken, want)
			}
			if out.FeatureMisses != 0 {
				t.Errorf("the resumed round computed %d features again", out.FeatureMisses)
			}
		})
	}
}

func TestCancelledRoundLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 10, 60)
	ctx, cancel := context.WithCancelCause(t.Context())
	began := 0
	spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) {
		e.onStep = func(int) {
			if began++; began == 12 {
				cancel(ErrCancelled)
			}
		}
	})
	if _, err := RunRound(ctx, spec, Observer{}); !errors.Is(err, ErrCancelled) {
		t.Fatalf("got %v, want ErrCancelled", err)
	}
	if began != 12 {
		t.Errorf("%d steps began after the cancellation", began-12)
	}
	if _, err := os.Stat(spec.WorkDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the work folder is still there: %v", err)
	}
}

func TestDivergedRoundKeepsItsLastGoodCheckpoint(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 10, 60)
	spec := p.spec(t, func(_ recipe.Settings, e *toyEngine) { e.poison = 17 })
	_, err := RunRound(t.Context(), spec, Observer{})
	var diverged *DivergedError
	if !errors.As(err, &diverged) {
		t.Fatalf("got %v, want a DivergedError", err)
	}
	if diverged.Step != 17 || diverged.Epoch != 2 || diverged.Arm != arms.Candidate {
		t.Errorf("diverged: %+v", diverged)
	}
	r := spec
	r.Settings.LearningRate /= 4 // it began again twice
	r.Settings.EditRepeat = recipe.Repeat(newOrder(p.train, r.Settings).repeat)
	kept := checkpoints{dir: spec.WorkDir, arm: arms.Candidate}
	state, found, err := kept.load(runKey("parent", r.Settings, p.train, nil))
	if err != nil || !found || state.Epoch != 2 || state.Step != 12 {
		t.Errorf("checkpoint: found %v, epoch %d, step %d, %v", found, state.Epoch, state.Step, err)
	}
}

// A round that forgets what the network knew begins again at half the rate, both arms, and says so; where it may not it ends.
func TestRoundThatForgetsBeginsAgain(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 600, 10, 60)
	spec := p.spec(t, nil)
	spec.Settings.LearningRate, spec.Settings.Epochs = 60, 20
	var points []Point
	var rates []float64
	out, err := RunRound(t.Context(), spec, Observer{
		Point: func(p Point) { points = append(points, p) },
		Restarted: func(d *DivergedError, rate float64) {
			if d.Chance == 0 || d.Rate != 2*rate {
				t.Errorf("it begins again at %v because of %+v", rate, d)
			}
			points, rates = nil, append(rates, rate)
		},
	})
	if err != nil || len(rates) == 0 || len(rates) > maxRestarts {
		t.Fatalf("it began again at %v: %v", rates, err)
	}
	last := rates[len(rates)-1]
	if out.Settings.LearningRate != last || !slices.Equal(points, out.Curve) {
		t.Errorf("it was trained at %v, want %v; the curve has %d points, %d were told", out.Settings.LearningRate, last, len(out.Curve), len(points))
	}
	warned := 0
	for _, w := range out.Warnings {
		if strings.Contains(w, "began again, both arms") {
			warned++
		}
	}
	if warned != len(rates) {
		t.Errorf("%d restarts, and it says %q", len(rates), out.Warnings)
	}

	spec = p.spec(t, nil)
	spec.Settings.LearningRate, spec.Settings.Epochs, spec.withoutRestarts = 60, 20, true
	var diverged *DivergedError
	if _, err := RunRound(t.Context(), spec, Observer{}); !errors.As(err, &diverged) || diverged.Chance == 0 || !strings.Contains(err.Error(), "than 60") {
		t.Fatalf("got %v, want a DivergedError that names the learning rate", err)
	}
}

func TestRoundSurvivesABrokenCheckpoint(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 90, 10, 60)
	spec := p.spec(t, nil)
	whole, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(spec.WorkDir + "/*.checkpoint")
	if err != nil || len(files) != 4 {
		t.Fatalf("checkpoints: %v %v", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if strings.HasSuffix(f, "-0.checkpoint") { // epoch 2 torn, epochs 1 and 3 with a flipped bit
			data = data[:len(data)-100]
		}
		if err := os.WriteFile(f, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Model, whole.Model) {
		t.Error("a round that passed over broken checkpoints made another network")
	}
}

func TestRoundRefuses(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 20, 3, 10)
	nan := attention.New(3, 3)
	nan.Values[4] = float32(math.NaN())
	large := attention.New(3, 3)
	large.Values[8] = 1.5
	short := attention.Map{Height: 3, Width: 3, Values: make([]float32, 8)}
	for name, c := range map[string]struct {
		change func(*RoundSpec)
		want   []string
		is     error
	}{
		"wrong grid": {func(s *RoundSpec) { s.Train[1].Edited = attention.New(4, 3) }, []string{"image 1", "4×3", "3×3"}, attention.ErrGrid},
		"short map":  {func(s *RoundSpec) { s.Train[1].Edited = short }, []string{"image 1", "8 values"}, attention.ErrGrid},
		"NaN":        {func(s *RoundSpec) { s.Train[2].Edited = nan }, []string{"image 2", "row 1, column 1", "NaN"}, attention.ErrValue},
		"1.5":        {func(s *RoundSpec) { s.Train[2].Edited = large }, []string{"image 2", "row 2, column 2", "1.5"}, attention.ErrValue},
		"bad mask":   {func(s *RoundSpec) { s.Heldout[3].Mask = attention.New(2, 2) }, []string{"mask of image", "100003"}, attention.ErrGrid},
		"label":      {func(s *RoundSpec) { s.Train[5].Label = 3 }, []string{"image 5", "label 3", "0 to 2"}, nil},
		"gamma":      {func(s *RoundSpec) { s.Settings.Gamma = math.NaN() }, []string{"gamma"}, nil},
		"scratch":    {func(s *RoundSpec) { s.Settings.Strategy = recipe.StrategyScratch }, []string{"strategy"}, nil},
		"no images":  {func(s *RoundSpec) { s.Train = nil }, []string{"no images"}, nil},
		"no folder":  {func(s *RoundSpec) { s.WorkDir = "" }, []string{"work folder"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := p.spec(t, nil)
			spec.Train, spec.Heldout = slices.Clone(spec.Train), slices.Clone(spec.Heldout)
			c.change(&spec)
			_, err := RunRound(t.Context(), spec, Observer{})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
}

func TestRoundLeavesOutWhatItCannotUse(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 60, 6, 40)
	p.heldout[7].Hash = p.train[0].Hash // the same file in both
	spec := p.spec(t, nil)
	torn := errors.New("unexpected end of JPEG")
	spec.Pixels = func(ctx context.Context, s sample.Sample, dst []float32) error {
		if s.Hash == p.train[9].Hash || s.Hash == p.heldout[3].Hash {
			return torn
		}
		return p.read(ctx, s, dst)
	}
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Images != 59 || out.CandidateEvaluation.Images != 38 || out.Excluded != 1 {
		t.Errorf("%d trained on, %d measured, %d excluded; want 59, 38, 1", out.Images, out.CandidateEvaluation.Images, out.Excluded)
	}
	if len(out.Skipped) != 2 || out.Skipped[0].Sample.ID != 9 || out.Skipped[1].Sample.ID != 100_003 || !errors.Is(out.Skipped[0].Err, torn) {
		t.Errorf("skipped: %v", out.Skipped)
	}
}

func TestRoundWithoutControlComparesWithTheParent(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 60, 6, 40)
	spec := p.spec(t, nil)
	spec.WithoutControl = true
	out, err := RunRound(t.Context(), spec, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Control != nil || out.ControlEvaluation != nil || !strings.Contains(out.Headline, "the parent") {
		t.Errorf("control of %d bytes, headline %q", len(out.Control), out.Headline)
	}
}

func TestWorkDirIsOneProcessAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := claimWorkDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimWorkDir(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("a second claim: %v, want ErrBusy", err)
	}
	release()
	again, err := claimWorkDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
