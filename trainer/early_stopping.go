package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// Early stopping. After each epoch an arm measures the perception branch's cross entropy on validation images, which take no part
// in training and are not those a round is judged on. It keeps the parameters of the epoch with the lowest loss, stops after
// Settings.Patience epochs without a lower one, and ends with the parameters it kept. The state before the first epoch is never
// kept.
//
// Candidate and control follow the same rule on the same images, each with its own loss, and may keep different epochs. Their
// difference is then what the maps are worth to somebody who trains by this rule; see docs/adr/0007.

// Validation has a network's figures on the validation images.
type Validation struct {
	Loss     float64 `json:"loss"`     // cross entropy of ŷ_per, mean over the images
	Accuracy float64 `json:"accuracy"` // of ŷ_per
}

// validation measures an arm between its epochs.
type validation struct {
	inputs  sample.Inputs
	samples []sample.Sample
}

// measure evaluates the network on the validation images.
func (v *validation) measure(ctx context.Context, network measure.Forwarder) (Validation, error) {
	_, loss, accuracy, err := crossEntropies(ctx, network, v.inputs, v.samples)
	if err != nil && context.Cause(ctx) == nil {
		err = fmt.Errorf("validation: %w", err)
	}
	return Validation{Loss: loss, Accuracy: accuracy}, err
}

// crossEntropies evaluates a network: the mean cross entropies of both branches, and the share of samples that the perception
// branch gets right.
func crossEntropies(ctx context.Context, network measure.Forwarder, inputs sample.Inputs, samples []sample.Sample) (att, per, accuracy float64, err error) {
	size := inputs.Size()
	buffer := make([]float32, min(len(samples), measure.BatchSize)*size)
	for start := 0; start < len(samples); start += measure.BatchSize {
		batch := samples[start:min(start+measure.BatchSize, len(samples))]
		for i, s := range batch {
			if err := inputs.Read(ctx, start+i, false, 0, buffer[i*size:(i+1)*size]); err != nil {
				return 0, 0, 0, fmt.Errorf("image %s: %w", s.Name, err)
			}
		}
		out, err := network.Forward(ctx, len(batch), buffer[:len(batch)*size])
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return 0, 0, 0, err
		}
		classes := len(out.LogitsPer) / len(batch)
		for i, s := range batch {
			logits := out.LogitsPer[i*classes : (i+1)*classes]
			per += lossOf(logits, s.Label)
			att += lossOf(out.LogitsAtt[i*classes:(i+1)*classes], s.Label)
			if measure.Argmax(logits) == s.Label {
				accuracy++
			}
		}
	}
	n := float64(len(samples))
	return att / n, per / n, accuracy / n, nil
}

// lossOf is −log softmax(logits)[label].
func lossOf(logits []float32, label int) float64 {
	top := float64(logits[measure.Argmax(logits)])
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
	}
	return math.Log(sum) + top - float64(logits[label])
}

// patienceLost says whether early stopping ends the run here.
func (l *loop) patienceLost(state checkpoint) bool {
	return l.validation != nil && state.Epoch-state.Best.Epoch >= l.settings.Patience
}

// setBest keeps the parameters of the epoch that has just ended. They are on disk before a checkpoint names them.
func (l *loop) setBest(state *checkpoint, v Validation) error {
	state.Best = bestEpoch{Epoch: state.Epoch, Validation: v}
	best := *state
	best.Parameters = l.engine.Parameters()
	if l.checkpoints != nil {
		return l.checkpoints.saveBest(best)
	}
	l.best = nil
	for _, p := range best.Parameters {
		l.best = append(l.best, engine.Parameter{Name: p.Name, Dims: p.Dims, Value: slices.Clone(p.Value)})
	}
	return nil
}

// keepBest puts the engine into the state of the best epoch.
func (l *loop) keepBest(state checkpoint) error {
	if state.Best.Epoch == state.Epoch {
		return nil
	}
	best := l.best
	if l.checkpoints != nil {
		var whole bool
		var err error
		if best, whole, err = l.checkpoints.loadBest(l.key, state.Best.Epoch); err != nil {
			return err
		}
		if !whole {
			return fmt.Errorf("%s: the parameters of epoch %d, the best, are gone from %s: start the training again", l.arm, state.Best.Epoch, l.checkpoints.dir)
		}
	}
	return l.engine.Load(best)
}

// heldBack: without validation images, early stopping holds back one of so many training images.
const heldBack = 10

// errNoValidation says that early stopping has no validation images.
var errNoValidation = errors.New("early stopping needs validation images, and there are too few training images without an edit to hold a tenth of them back: give it a validation split, or set patience to 0")

// filesIn are the files of given, by hash, that the lists have too. It holds no more than given does, since lists may be of millions.
func filesIn(given []sample.Sample, lists ...[]sample.Sample) map[string]bool {
	files, found := make(map[string]bool, len(given)), map[string]bool{}
	for _, s := range given {
		files[s.Hash] = true
	}
	for _, list := range lists {
		for _, s := range list {
			if files[s.Hash] {
				found[s.Hash] = true
			}
		}
	}
	return found
}

// unused are the samples whose file is none of those of the lists.
func unused(given []sample.Sample, lists ...[]sample.Sample) (free []sample.Sample) {
	used := filesIn(given, lists...)
	for _, s := range given {
		if !used[s.Hash] {
			free = append(free, s)
		}
	}
	return free
}

// chooseValidation chooses the images for early stopping: those given, without those whose file is also trained or judged on; if
// that leaves none, a tenth of the training images without an edit, drawn by the seed within each class and then not trained on.
// It returns the training and the validation images.
func chooseValidation(train, given, judged []sample.Sample, seed int64) (rest, chosen []sample.Sample, err error) {
	if chosen = unused(given, train, judged); len(chosen) > 0 {
		return train, chosen, nil
	}
	editedFile := map[string]bool{}
	var plain []int
	for _, s := range train {
		if !s.Edited.IsZero() {
			editedFile[s.Hash] = true
		}
	}
	for i, s := range train {
		if !editedFile[s.Hash] {
			plain = append(plain, i)
		}
	}
	if len(plain) < heldBack {
		return nil, nil, errNoValidation
	}
	plain = shuffled(newOrderSource(seed, -1), plain) // a stream that no epoch uses
	slices.SortStableFunc(plain, func(a, b int) int { return train[a].Label - train[b].Label })
	back := map[string]bool{} // by file, so that a picture that is there twice is held back twice
	for i := heldBack / 2; i < len(plain); i += heldBack {
		back[train[plain[i]].Hash] = true
	}
	rest = make([]sample.Sample, 0, len(train)-len(back))
	for _, s := range train {
		if back[s.Hash] {
			chosen = append(chosen, s)
		} else {
			rest = append(rest, s)
		}
	}
	return rest, chosen, nil
}
