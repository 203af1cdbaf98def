package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// Arm names one training of a round (internal/arms), or ArmTrain outside of one.
type Arm = arms.Arm

// ArmTrain is a training that is no arm of a round.
const ArmTrain Arm = "train"

// loop trains one engine.
type loop struct {
	arm         Arm
	engine      engine.Engine
	settings    recipe.Settings
	samples     []sample.Sample
	anchors     *anchors // M°, the parent's map of each sample without an edit; nil: no L_anchor
	inputs      rowInputs
	crop        *cropper  // cuts targets as inputs cuts pixels; nil: no crops
	cells       int       // h·w of the map
	marked      bool      // some edited map has marks
	weights     []float32 // of the samples with an edit, in L_map; nil: all are 1
	beside      beside
	key         string        // runKey
	checkpoints *checkpoints  // nil: none are kept
	saveEvery   time.Duration // 0: checkpointEvery
	validation  *validation   // what early stopping looks at; nil: there is none
	point       func(Point)
	resumed     func(Arm, int)
	meter       *progress.Meter // of the run this is a stage of
	stage       progress.Stage

	// State of the run under way.
	order *order
	total int // steps, if nothing ends it early
	saved time.Time
	began time.Time          // less what an earlier attempt took
	good  checkpoint         // Epoch and Step of the last checkpoint after which a step did not diverge
	fresh checkpoint         // of a checkpoint after which no step has been taken yet
	best  []engine.Parameter // of the best epoch, if no checkpoints are kept
}

// checkpointEvery bounds the training that a crash may cost. A checkpoint is written at the end of each epoch, and after the
// first step that ends this long after the last checkpoint.
const checkpointEvery = 5 * time.Minute

// ArmRun says how an arm's training went.
type ArmRun struct {
	Arm    Arm   `json:"arm"`
	Seed   int64 `json:"seed,omitempty"` // of a round with several
	Epochs int   `json:"epochs"`         // trained; fewer than Settings.Epochs if early stopping ended it
	Steps  int   `json:"steps"`
	// Kept is the epoch whose state was kept, from 1: with early stopping the one with the best validation, else the last.
	Kept       int        `json:"kept"`
	Validation Validation `json:"validation,omitzero"` // of the epoch that was kept; absent without early stopping
	Seconds    float64    `json:"seconds"`             // of training and measuring
}

// steps is the length of the whole run, if nothing ends it early.
func (l *loop) steps() int { return l.settings.Epochs * newOrder(l.samples, l.settings).batches }

// run trains from the latest checkpoint of this run, or from the engine's present parameters, to the last epoch or until early
// stopping ends it, and returns the whole loss curve. The engine is then in the state that was kept. A resumed run takes the same
// steps as an uninterrupted one, to the bit, wherever it was cut off. When ctx ends the run stops within the step and returns
// ctx's cause.
func (l *loop) run(ctx context.Context) ([]Point, ArmRun, error) {
	l.begin()
	state, err := l.resume()
	if err != nil {
		return nil, ArmRun{}, err
	}
	l.good, l.saved = checkpoint{Epoch: state.Epoch, Step: state.Step}, time.Now()
	l.began = l.saved.Add(-time.Duration(state.Seconds * float64(time.Second)))
	l.meter.Expect(l.stage, l.total, 0)
	l.meter.Begin(l.stage, state.Step)
	if state.Step > 0 && l.resumed != nil {
		l.resumed(l.arm, state.Step)
	}
	for state.Epoch < l.settings.Epochs && !l.patienceLost(state) {
		if err := l.epoch(ctx, &state); err != nil {
			var diverged *DivergedError
			if errors.As(err, &diverged) {
				diverged.Arm, diverged.Step = l.arm, state.Step
				diverged.Epoch, diverged.GoodStep = l.good.Epoch, l.good.Step
				diverged.Rate = l.settings.LearningRate
				if l.checkpoints != nil {
					diverged.Folder = l.checkpoints.dir
					if l.fresh.Step != 0 { // it is this state that diverged
						err = errors.Join(err, l.checkpoints.discard())
					}
				}
			}
			return nil, ArmRun{}, err
		}
	}
	kept := ArmRun{Arm: l.arm, Epochs: state.Epoch, Steps: state.Step, Kept: state.Epoch, Validation: state.Best.Validation, Seconds: time.Since(l.began).Seconds()}
	if l.validation != nil {
		kept.Kept = state.Best.Epoch
		if err := l.keepBest(state); err != nil {
			return nil, ArmRun{}, err
		}
	}
	l.meter.Expect(l.stage, state.Step, 0)
	l.meter.Advance(l.stage, state.Step)
	return state.Curve, kept, nil
}

// begin plans the run.
func (l *loop) begin() {
	l.order = newOrder(l.samples, l.settings)
	l.total = l.settings.Epochs * l.order.batches
	if l.settings.MapWeight.ByClass() {
		l.weights = classWeights(l.samples)
	}
}

// resume loads the latest checkpoint of this run into the engine. Without one it is the start.
func (l *loop) resume() (checkpoint, error) {
	start := checkpoint{Key: l.key, Seed: l.settings.Seed}
	if l.checkpoints == nil {
		return start, nil
	}
	saved, found, err := l.checkpoints.load(l.key)
	if err != nil || !found || saved.Order != l.order.digest(saved.Epoch) { // the order is that of another release
		return start, err
	}
	if err := l.engine.Load(saved.Parameters); err != nil {
		return start, fmt.Errorf("resume %s: %w", l.arm, err)
	}
	saved.Parameters = nil // the engine has them
	return saved, nil
}

// epoch takes the steps that are left of one epoch, validates and saves.
func (l *loop) epoch(ctx context.Context, state *checkpoint) error {
	epoch, batches := state.Epoch, l.order.batches
	every := max(1, l.total/200)
	emit := func(rate float64, v Validation) {
		p := state.Pending.point(l.arm, state.Step, float64(state.Step)/float64(batches), rate)
		p.ValidationLoss, p.ValidationAccuracy = v.Loss, v.Accuracy
		state.Curve, state.Pending = append(state.Curve, p), pointSum{}
		if l.point != nil {
			l.point(p)
		}
	}
	var rate float64
	rows := l.order.epoch(epoch)
	last := max(state.Step-epoch*batches, batches-statisticsBatches) // the first of the batches on which statistics are compared
	var hits [2]int
	err := l.feed(ctx, rows[state.Step-epoch*batches:], epoch, func(b engine.Batch) error {
		update := UpdateAt(l.settings, state.Step, l.total)
		rate = update.LearningRate
		result, err := l.engine.Step(ctx, b, update)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("%s, step %d: %w", l.arm, state.Step+1, err)
		}
		state.Step++
		if bad := l.diverged(result, state); bad != nil {
			return bad
		}
		if state.Step-epoch*batches > last {
			hits[0], hits[1] = hits[0]+result.HitsAtt, hits[1]+result.HitsPer
		}
		if l.fresh.Step != 0 {
			l.good, l.fresh = l.fresh, checkpoint{}
		}
		state.Pending.add(result, b)
		if state.Step == (epoch+1)*batches { // reported below, with the validation
			return nil
		}
		if state.Step%every == 0 {
			emit(rate, Validation{})
		}
		if time.Since(l.saved) >= l.every() {
			if err := l.save(state); err != nil {
				return err
			}
		}
		l.meter.Advance(l.stage, state.Step)
		return nil
	})
	if err != nil {
		return err
	}
	if name := firstNotFinite(l.engine.Parameters()); name != "" {
		return &DivergedError{Loss: math.NaN(), Parameter: name}
	}
	if l.beside.chance != 0 && l.settings.BatchNorm == recipe.BatchNormBatch && state.Step >= enoughSteps {
		bad, err := l.statisticsApart(ctx, rows[last:], hits, epoch)
		if err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
	}
	var v Validation
	if l.validation != nil {
		if v, err = l.validation.measure(ctx, l.engine); err != nil {
			return err
		}
		if !engine.Finite(v.Loss) {
			return &DivergedError{Loss: v.Loss, Validation: true}
		}
	}
	emit(rate, v)
	state.Epoch++
	if l.validation != nil && (state.Best.Epoch == 0 || v.Loss < state.Best.Validation.Loss) {
		if err := l.setBest(state, v); err != nil {
			return err
		}
	}
	if err := l.save(state); err != nil {
		return err
	}
	l.meter.Advance(l.stage, state.Step)
	return nil
}

// every is how often checkpoints are written within an epoch.
func (l *loop) every() time.Duration { return cmp.Or(l.saveEvery, checkpointEvery) }

// save writes a checkpoint. The caller must know that the engine's state is good, since a bad one must not become the last
// checkpoint.
func (l *loop) save(state *checkpoint) error {
	l.saved = time.Now()
	if l.checkpoints == nil {
		return nil
	}
	whole := *state
	whole.Seconds = l.saved.Sub(l.began).Seconds()
	whole.Parameters, whole.Order = l.engine.Parameters(), l.order.digest(state.Epoch)
	if name := firstNotFinite(whole.Parameters); name != "" {
		return &DivergedError{Loss: math.NaN(), Parameter: name}
	}
	if err := l.checkpoints.save(whole); err != nil {
		return err
	}
	l.fresh = checkpoint{Epoch: state.Epoch, Step: state.Step}
	return nil
}

// feed calls use with each batch, in order, while a second goroutine reads the next one.
func (l *loop) feed(ctx context.Context, epoch [][]row, number int, use func(engine.Batch) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	size := l.inputs.Size()
	free := make(chan *engine.Batch, 2)
	for range 2 {
		free <- &engine.Batch{}
	}
	ready := make(chan *engine.Batch)
	go func() {
		defer close(ready)
		for _, rows := range epoch {
			var b *engine.Batch
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
		for range ready { // until the reader ends
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
func (l *loop) fill(ctx context.Context, b *engine.Batch, rows []row, epoch, size int) error {
	n := len(rows)
	b.Size = n
	b.Inputs = slices.Grow(b.Inputs[:0], n*size)[:n*size]
	b.Labels = slices.Grow(b.Labels[:0], n)[:n]
	b.Edited = slices.Grow(b.Edited[:0], n*l.cells)[:n*l.cells]
	b.HasEdit = slices.Grow(b.HasEdit[:0], n)[:n]
	b.Known, b.Avoided = nil, nil
	if l.marked {
		b.Known, b.Avoided = make([]float32, n*l.cells), make([]float32, n*l.cells)
	}
	b.Weights = nil
	if l.weights != nil {
		b.Weights = make([]float32, n)
	}
	b.Anchored = nil
	if l.anchors != nil {
		b.Anchored = make([]float32, n)
	}
	if err := l.inputs.ReadRows(ctx, rows, epoch, b.Inputs); err != nil {
		return err
	}
	for i, r := range rows {
		s := &l.samples[r.sample]
		b.Labels[i] = int64(s.Label)
		cells := b.Edited[i*l.cells : (i+1)*l.cells]
		m := s.Edited
		b.HasEdit[i] = 0
		switch {
		case !m.IsZero():
			b.HasEdit[i] = 1
			if l.weights != nil {
				b.Weights[i] = l.weights[r.sample]
			}
		case l.anchors != nil:
			var err error
			if m, err = l.anchors.at(r.sample); err != nil {
				return err
			}
			b.Anchored[i] = 1
		default:
			clear(cells)
			continue
		}
		if l.crop != nil {
			m = l.crop.target(m, l.crop.window(r.draw))
		}
		if r.mirrored {
			m = m.FlipHorizontal()
		}
		copy(cells, m.Values)
		if l.marked {
			m.Known(b.Known[i*l.cells:(i+1)*l.cells], b.Avoided[i*l.cells:(i+1)*l.cells])
		}
	}
	return nil
}

// classWeights are the weights of L_map by class: an image's is inverse to the number of images with an edit of its class, so that all
// classes that have any weigh alike; their mean over the images with an edit is 1. Without an edit it is 0.
func classWeights(samples []sample.Sample) []float32 {
	edits, count := map[int]int{}, 0
	for _, s := range samples {
		if !s.Edited.IsZero() {
			edits[s.Label]++
			count++
		}
	}
	weights := make([]float32, len(samples))
	for i, s := range samples {
		if !s.Edited.IsZero() {
			weights[i] = float32(float64(count) / float64(len(edits)*edits[s.Label]))
		}
	}
	return weights
}

// marked reports whether some edited map has marks.
func marked(samples []sample.Sample) bool {
	return slices.ContainsFunc(samples, func(s sample.Sample) bool { return s.Edited.Marks != "" })
}
