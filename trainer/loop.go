package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/attention"
)

// Arm names one training of a round, or "train" outside of one.
type Arm string

// The control trains from the same start, seed, order and budget with γ = 0.
const (
	ArmCandidate Arm = "candidate"
	ArmControl   Arm = "control"
	ArmTrain     Arm = "train"
)

// Point is one point of a loss curve: means over the steps since the last point.
type Point struct {
	Arm         Arm     `json:"arm"`
	Step        int     `json:"step"`  // steps done
	Epoch       float64 `json:"epoch"` // epochs done
	LossAtt     float64 `json:"loss_att"`
	LossPer     float64 `json:"loss_per"`
	LossMap     float64 `json:"loss_map"`     // γ-scaled, over the steps with an edited row
	MapDistance float64 `json:"map_distance"` // L_map with γ = 1
	LossAnchor  float64 `json:"loss_anchor"`  // scaled by the anchor, over the steps with an anchored row
	Accuracy    float64 `json:"accuracy"`     // perception branch on the training batches
	Rate        float64 `json:"learning_rate"`
}

// DivergedError is a run whose loss stopped being a number, or left all bounds. The checkpoint of
// the last whole epoch is still there.
type DivergedError struct {
	Arm   Arm
	Step  int // the step that measured it, from 1
	Epoch int // epochs in the last good checkpoint; 0: the start
	Loss  float64
	// Chance is not 0 where the loss is a number, but more than that of guessing all classes alike
	// for many steps: what the network knew is gone.
	Chance float64
}

func (e *DivergedError) Error() string {
	if e.Chance != 0 {
		return fmt.Sprintf("%s forgot what the network knew: after %d steps its loss is %.2f, and guessing has %.2f; try a tenth of the learning rate",
			e.Arm, e.Step, e.Loss, e.Chance)
	}
	return fmt.Sprintf("%s diverged at step %d (loss %v); the last good state is that after epoch %d: try a lower learning rate or γ",
		e.Arm, e.Step, e.Loss, e.Epoch)
}

// A fine-tuning that is worse than not looking has come apart, even if its loss is a number: a mean of
// collapsed times ln K over collapsedSteps steps, where K equal probabilities have ln K. It happens
// with learning rates that are too high for a network whose BatchNorms are folded away.
const (
	collapsed      = 1.2
	collapsedSteps = 10
)

// explodedLoss is more cross entropy than any network that still learns can have: an average
// logit difference of a thousand.
const explodedLoss = 1e3

// Inputs is where the rows of a run come from.
type Inputs interface {
	// Size is the length of one input: C·h·w, or 3·H·W.
	Size() int
	// Read writes the input of a sample, or of its mirror image, to dst. The epoch tells
	// augmentation apart from one time to the next.
	Read(ctx context.Context, sample int, mirrored bool, epoch int, dst []float32) error
}

// loop trains one engine.
type loop struct {
	arm         Arm
	engine      Engine
	settings    Settings
	samples     []Sample
	anchors     []attention.Map // M°, the parent's map of each sample, zero where it has an edit; nil: no L_anchor
	inputs      Inputs
	cells       int          // h·w of the map
	chance      float64      // ln K in a fine-tuning, 0 where training begins at chance
	key         string       // runKey
	checkpoints *checkpoints // nil: none are kept
	point       func(Point)
	step        func(done, steps int, took time.Duration) // after every step, and once before the first
}

// steps is the length of the whole run.
func (l *loop) steps() int { return l.settings.Epochs * newOrder(l.samples, l.settings).batches }

// run trains from the latest checkpoint of this run, or from the engine's present parameters, to
// the last epoch, and returns the whole loss curve. A resumed run takes the steps the uninterrupted one
// would have taken, to the bit. When ctx ends the run stops within the step and returns ctx's cause.
func (l *loop) run(ctx context.Context) ([]Point, error) {
	o := newOrder(l.samples, l.settings)
	steps := l.settings.Epochs * o.batches
	state := checkpoint{Key: l.key, Seed: l.settings.Seed}
	if l.checkpoints != nil {
		saved, found, err := l.checkpoints.load(l.key)
		if err != nil {
			return nil, err
		}
		if found {
			if err := l.engine.Load(saved.Parameters); err != nil {
				return nil, fmt.Errorf("resume %s: %w", l.arm, err)
			}
			state = saved
		}
	}
	l.report(state.Step, steps, 0)
	every := max(1, steps/200)
	recent := make([]float64, 0, collapsedSteps) // L_per of the last steps
	for epoch := state.Epoch; epoch < l.settings.Epochs; epoch++ {
		sum := pointSum{arm: l.arm}
		emit := func(rate float64) {
			p := sum.point(state.Step, float64(state.Step)/float64(o.batches), rate)
			state.Curve = append(state.Curve, p)
			if l.point != nil {
				l.point(p)
			}
			sum = pointSum{arm: l.arm}
		}
		err := l.feed(ctx, o.epoch(epoch), epoch, func(b Batch) error {
			start := time.Now()
			update := l.settings.UpdateAt(state.Step, steps)
			rate := update.LearningRate
			result, err := l.engine.Step(ctx, b, update)
			if err != nil {
				if cause := context.Cause(ctx); cause != nil {
					return cause
				}
				return fmt.Errorf("%s, step %d: %w", l.arm, state.Step+1, err)
			}
			state.Step++
			if sane := result.LossAtt+result.LossPer < explodedLoss && finite(result.LossMap) && finite(result.MapDistance) && finite(result.LossAnchor); !sane { // NaN is not sane
				return &DivergedError{Arm: l.arm, Step: state.Step, Epoch: epoch, Loss: result.Total()}
			}
			if l.chance > 0 {
				if len(recent) == collapsedSteps {
					recent = recent[:copy(recent, recent[1:])]
				}
				recent = append(recent, result.LossPer)
				if len(recent) == collapsedSteps && meanOf(recent) > collapsed*l.chance {
					return &DivergedError{Arm: l.arm, Step: state.Step, Epoch: epoch, Loss: meanOf(recent), Chance: l.chance}
				}
			}
			sum.add(result, b)
			if state.Step%every == 0 || state.Step == (epoch+1)*o.batches {
				emit(rate)
			}
			l.report(state.Step, steps, time.Since(start))
			return nil
		})
		if err != nil {
			return nil, err
		}
		state.Epoch = epoch + 1
		state.Parameters = l.engine.Parameters()
		if name := firstNotFinite(state.Parameters); name != "" {
			return nil, &DivergedError{Arm: l.arm, Step: state.Step, Epoch: epoch, Loss: math.NaN()}
		}
		if l.checkpoints != nil {
			if err := l.checkpoints.save(state); err != nil {
				return nil, err
			}
		}
	}
	return state.Curve, nil
}

func (l *loop) report(done, steps int, took time.Duration) {
	if l.step != nil {
		l.step(done, steps, took)
	}
}

// feed hands each batch to use, in order, while a second goroutine reads the next one.
func (l *loop) feed(ctx context.Context, epoch [][]row, number int, use func(Batch) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	size := l.inputs.Size()
	free := make(chan *Batch, 2)
	for range 2 {
		free <- &Batch{}
	}
	ready := make(chan *Batch)
	go func() {
		defer close(ready)
		for _, rows := range epoch {
			var b *Batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			if err := l.fill(ctx, b, rows, number, size); err != nil {
				stop(err)
				return
			}
			select {
			case ready <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	// Nothing may read into the buffers, or from the caller's data, once feed has returned.
	defer func() {
		stop(nil)
		for range ready { //nolint:revive // drained so that the reader ends
		}
	}()
	for b := range ready {
		if err := use(*b); err != nil {
			return err
		}
		free <- b
	}
	return context.Cause(ctx)
}

// fill reads the rows of a batch.
func (l *loop) fill(ctx context.Context, b *Batch, rows []row, epoch, size int) error {
	n := len(rows)
	b.Size = n
	b.Inputs = resized(b.Inputs, n*size)
	b.Labels = resized(b.Labels, n)
	b.Edited = resized(b.Edited, n*l.cells)
	b.HasEdit = resized(b.HasEdit, n)
	b.Anchored = nil
	if l.anchors != nil {
		b.Anchored = make([]float32, n)
	}
	for i, r := range rows {
		s := &l.samples[r.sample]
		if err := l.inputs.Read(ctx, r.sample, r.mirrored, epoch, b.Inputs[i*size:(i+1)*size]); err != nil {
			return fmt.Errorf("image %s: %w", s.Name, err)
		}
		b.Labels[i] = int64(s.Label)
		cells := b.Edited[i*l.cells : (i+1)*l.cells]
		m := s.Edited
		b.HasEdit[i] = 0
		switch {
		case !m.IsZero():
			b.HasEdit[i] = 1
		case l.anchors != nil:
			m, b.Anchored[i] = l.anchors[r.sample], 1
		default:
			clear(cells)
			continue
		}
		if r.mirrored {
			m = m.FlipHorizontal()
		}
		copy(cells, m.Values)
	}
	return nil
}

// resized returns a slice of n elements, list's own memory where it is large enough.
func resized[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	return list[:n]
}

func meanOf(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// firstNotFinite names a parameter that holds a NaN or an infinity, "" if none does.
func firstNotFinite(parameters []Parameter) string {
	for _, p := range parameters {
		for _, v := range p.Value {
			if v-v != 0 {
				return p.Name
			}
		}
	}
	return ""
}

// pointSum adds up steps.
type pointSum struct {
	arm         Arm
	rows, hits  int
	att, per    float64 // summed over rows
	steps       int     // steps with an edited row
	maps, apart float64 // summed over those steps
	anchoredIn  int     // steps with an anchored row
	anchor      float64 // summed over those steps
}

func (s *pointSum) add(r StepResult, b Batch) {
	s.rows += b.Size
	s.hits += r.HitsPer
	s.att += r.LossAtt * float64(b.Size)
	s.per += r.LossPer * float64(b.Size)
	if slices.Contains(b.Anchored, 1) {
		s.anchoredIn++
		s.anchor += r.LossAnchor
	}
	for _, has := range b.HasEdit[:b.Size] {
		if has != 0 {
			s.steps++
			s.maps += r.LossMap
			s.apart += r.MapDistance
			return
		}
	}
}

func (s *pointSum) point(step int, epoch, rate float64) Point {
	rows, edited := float64(max(1, s.rows)), float64(max(1, s.steps))
	return Point{
		Arm: s.arm, Step: step, Epoch: epoch, Rate: rate,
		LossAtt: s.att / rows, LossPer: s.per / rows, Accuracy: float64(s.hits) / rows,
		LossMap: s.maps / edited, MapDistance: s.apart / edited, LossAnchor: s.anchor / float64(max(1, s.anchoredIn)),
	}
}
