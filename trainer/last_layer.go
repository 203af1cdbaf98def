package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// refitValues bounds the features that a refit holds, rows × features: 200 MB, and a bounded time. Of more images some are taken.
const refitValues = 16 << 20

// planRefit decides whether the round refits the last layer, and on which images. Settings.Refit becomes what is done. why says
// why it is not done though it was asked for; "" where it is, or where the strategy leaves the perception branch as it is.
func (r *round) planRefit() (why string) {
	s := &r.spec.Settings
	if !s.Refit || s.Strategy != recipe.StrategyBoth {
		s.Refit = false
		return ""
	}
	s.Refit = false
	if r.net.lastLayer == nil {
		return "this network's layers are not known"
	}
	layer, err := r.net.lastLayer()
	if err != nil {
		return err.Error()
	}
	images := make([]int, r.net.classes)
	for _, row := range r.train {
		images[row.Label]++
	}
	without := 0
	for _, n := range images {
		if n == 0 {
			without++
		}
	}
	if without > 0 {
		return fmt.Sprintf("%d of %d classes have no training image, and would be forgotten", without, r.net.classes)
	}
	s.Refit = true
	r.layer, r.refitted = layer, refitRows(r.train, r.net.classes, max(r.net.classes, refitValues/layer.Inputs))
	return ""
}

// refitRows takes at most so many rows, the same number of each class as far as it has them, those with an edit first.
func refitRows(train []sample.Sample, classes, most int) []sample.Sample {
	if len(train) <= most {
		return train
	}
	type place struct{ row, rank int }
	places := make([]place, len(train))
	for i := range train {
		places[i].row = i
	}
	edited := func(p place) int {
		if train[p.row].Edited.IsZero() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(edited(a), edited(b)) })
	rank := make([]int, classes)
	for i, p := range places {
		label := train[p.row].Label
		places[i].rank = rank[label]
		rank[label]++
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.rank, b.rank) })
	places = places[:most]
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.row, b.row) })
	out := make([]sample.Sample, most)
	for i, p := range places {
		out[i] = train[p.row]
	}
	return out
}

// refit fits the last layer of the engine's perception branch anew (package refit), as it is after the training. The images are
// seen as they are judged: not mirrored, not cut, with running statistics.
func (r *round) refit(ctx context.Context, e engine.Engine, stage progress.Stage) error {
	inputs, err := r.lastLayerInputs(ctx, e, stage)
	if err != nil {
		return err
	}
	labels := make([]int64, len(r.refitted))
	for i, s := range r.refitted {
		labels[i] = int64(s.Label)
	}
	fitted, err := refit.Fit(ctx, refit.Data{Features: inputs, Labels: labels, Classes: r.net.classes}, r.layer.Bias != "")
	if at, ok := errors.AsType[*refit.NotFiniteError](err); ok {
		return fmt.Errorf("%s: %w", r.refitted[at.Row].Name, err)
	}
	if err != nil {
		return err
	}
	parameters, values := slices.Clone(e.Parameters()), map[string][]float32{}
	for i := range parameters {
		parameters[i].Value = slices.Clone(parameters[i].Value)
		values[parameters[i].Name] = parameters[i].Value
	}
	if !r.layer.Set(values, fitted) {
		return fmt.Errorf("refitting: %s or %s is not among what is trained", r.layer.Weight, r.layer.Bias)
	}
	return e.Load(parameters)
}

// lastLayerInputs are the inputs of the last layer for the images that it is fitted on, [N, D].
func (r *round) lastLayerInputs(ctx context.Context, e engine.Engine, stage progress.Stage) (all []float32, err error) {
	values := map[string][]float32{}
	for _, p := range e.Parameters() {
		if r.layer.Graph.Graph.Initializer(p.Name) != nil {
			values[p.Name] = p.Value
		}
	}
	graph, err := onnx.WithInitializers(r.layer.Graph, values, nil)
	if err != nil {
		return nil, err
	}
	file, err := graph.Marshal()
	if err != nil {
		return nil, err
	}
	session, err := ort.Open(file, []string{onnx.PortFeatures}, []string{r.layer.Output}, ort.Options{Name: "last layer's inputs", IntraOpThreads: r.spec.Threads})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	in := featureInputs{r.features, r.refitted}
	rows, inputs := make([]float32, measure.BatchSize*in.Size()), r.layer.Inputs
	all = make([]float32, len(r.refitted)*inputs)
	for start := 0; start < len(r.refitted); start += measure.BatchSize {
		n := min(measure.BatchSize, len(r.refitted)-start)
		for i := range n {
			if err := in.Read(ctx, start+i, false, 0, rows[i*in.Size():(i+1)*in.Size()]); err != nil {
				return nil, fmt.Errorf("reading %s: %w", r.refitted[start+i].Name, err)
			}
		}
		if err := runOnce(ctx, session, rows[:n*in.Size()], batchDims(n, r.net.features), all[start*inputs:(start+n)*inputs], r.layer.OutputDims(n)); err != nil {
			return nil, err
		}
		r.meter.Advance(stage, start+n)
	}
	return all, nil
}
