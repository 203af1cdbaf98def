package trainer

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/logits"
	"github.com/abn-studio/studio/trainer/measure"
)

// perturbed is how many held-out images a network's deletion and insertion are taken of.
func (r *round) perturbed() int { return min(r.spec.Settings.Perturbed, len(r.heldout)) }

// judgedImages is how many images a network goes through where it is judged, each pass over a changed one counted as an image.
func (r *round) judgedImages() int {
	return len(r.heldout) + len(r.edited) + len(r.choosing) + r.perturbed()*measure.Passes(r.net.input[1])
}

// perturb takes deletion and insertion of some held-out images, evenly spread, the same of every network, and notes them in its results.
// two is judged where it has a second last layer, whose answers are refitted; else it is nil. The attention branch looks anew at every
// changed picture. tell is called with the number of passes over a picture so far.
func (r *round) perturb(ctx context.Context, judged measure.Forwarder, two *twoHeads, maps *keptMaps, own, refitted *armResult, tell func(passes int)) error {
	passes, size, classes := 0, r.features.Size(), r.net.classes
	rows := make([]float32, measure.BatchSize*size)
	network := func(ctx context.Context, n int, pixels []float32) (probabilities []float32, err error) {
		if err := r.features.Extract(ctx, n, pixels, rows[:n*size]); err != nil {
			return nil, err
		}
		if two != nil {
			two.logits = two.logits[:0]
		}
		out, err := judged.Forward(ctx, n, rows[:n*size])
		if err != nil {
			return nil, err
		}
		for i := range n {
			heads := [][]float32{out.LogitsPer[i*classes : (i+1)*classes]}
			if two != nil {
				heads = append(heads, two.logits[i*classes:(i+1)*classes])
			}
			for _, row := range heads {
				logits.Softmax(row)
				probabilities = append(probabilities, row...)
			}
		}
		passes += n
		tell(passes)
		return probabilities, nil
	}
	picture := make([]float32, r.net.input[0]*r.net.input[1]*r.net.input[2])
	images := r.perturbed()
	for n := range images {
		at := n * len(r.heldout) / images
		if err := r.spec.Pixels(ctx, r.heldout[at], picture); err != nil {
			return fmt.Errorf("deletion and insertion of %s: %w", r.heldout[at].Name, err)
		}
		networks := []*armResult{own}
		columns := []int{own.evaluation.Results[at].Predicted}
		if two != nil {
			networks, columns = append(networks, refitted), append(columns, classes+refitted.evaluation.Results[at].Predicted)
		}
		m, err := maps.at(at)
		if err != nil {
			return err
		}
		deletion, insertion, err := measure.Areas(ctx, network, picture, m, r.net.input[1], r.net.input[2], 0, columns)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("deletion and insertion of %s: %w", r.heldout[at].Name, err)
		}
		for i, network := range networks {
			result := &network.evaluation.Results[at]
			result.Map = result.Map.Clone() // a network and its refit have the same map
			result.Map.Set(measure.DeletionAUC, deletion[i], true)
			result.Map.Set(measure.InsertionAUC, insertion[i], true)
		}
	}
	return nil
}

// gaugePerturbed times a pass over a changed picture, as gauge does one over features, which takes forward.
func (r *round) gaugePerturbed(ctx context.Context, forward time.Duration) (time.Duration, error) {
	const n = 4
	pixels := make([]float32, n*r.net.input[0]*r.net.input[1]*r.net.input[2])
	var took time.Duration
	for range 2 { // the first pass opens the session
		start := time.Now()
		if _, err := r.net.extractor.Extract(ctx, n, pixels); err != nil {
			return 0, err
		}
		took = time.Since(start)
	}
	return forward + took/n, nil
}
