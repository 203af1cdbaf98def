package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// refitValues bounds the features that a refit holds, rows × features: 200 MB, and a bounded time. Of more images some are taken.
const refitValues = 16 << 20

// planRefit finds the last layer and the images that it is fitted on, if the round needs them. Settings.Refit becomes what is done. why
// says why that is not done though it was asked for; "" where it is.
// Arms that are refits are left out for the same reason.
func (r *round) planRefit() (why string) {
	s := &r.spec.Settings
	asked := s.Refit && s.Strategy.TeachesPerception()
	if s.Refit && !asked {
		why = "the strategy attention leaves the perception branch as it is"
	}
	s.Refit = false
	if !asked && !s.Arms.Refits() {
		return why
	}
	if without := r.findLayer(); without != "" {
		for _, arm := range s.Arms.List() {
			if arms.Of(arm).Refits != "" {
				r.leaveOut(arm, without)
			}
		}
		if asked {
			why = without
		}
		return why
	}
	s.Refit = asked
	return why
}

// findLayer finds the last layer and chooses the images to fit it on, or says why it is not fitted.
func (r *round) findLayer() (why string) {
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

// refit fits the last layer of the engine's perception branch anew (package refit), as it is after the training.
func (r *round) refit(ctx context.Context, e engine.Engine, stage progress.Stage) (err error) {
	h, err := r.openHead(e.Parameters())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	fitted, err := r.fit(ctx, h, stage, 0)
	if err != nil {
		return err
	}
	parameters, err := r.withLayer(e.Parameters(), fitted, false)
	if err != nil {
		return err
	}
	return e.Load(parameters)
}

// fit fits the last layer behind a head, when before units of the stage are done. The images are seen as they are judged: not mirrored, not cut, with running statistics.
func (r *round) fit(ctx context.Context, h *head, stage progress.Stage, before int) (refit.Linear, error) {
	inputs, err := r.lastLayerInputs(ctx, h, func(done int) { r.meter.Advance(stage, before+done) })
	if err != nil {
		return refit.Linear{}, err
	}
	labels := make([]int64, len(r.refitted))
	for i, s := range r.refitted {
		labels[i] = int64(s.Label)
	}
	fitted, err := refit.Fit(ctx, refit.Data{Features: inputs, Labels: labels, Classes: r.net.classes}, r.layer.Bias != "")
	if at, ok := errors.AsType[*refit.NotFiniteError](err); ok {
		return fitted, fmt.Errorf("%s: %w", r.refitted[at.Row].Name, err)
	}
	return fitted, err
}

// withLayer are copies of parameters with the last layer's values in their place. Where the layer was not trained it is added if more
// is true, else an error.
func (r *round) withLayer(parameters []engine.Parameter, fitted refit.Linear, more bool) ([]engine.Parameter, error) {
	parameters, values := slices.Clone(parameters), map[string][]float32{}
	for i := range parameters {
		parameters[i].Value = slices.Clone(parameters[i].Value)
		values[parameters[i].Name] = parameters[i].Value
	}
	for _, name := range []string{r.layer.Weight, r.layer.Bias} {
		if name == "" || values[name] != nil || !more {
			continue
		}
		t := r.layer.Graph.Graph.Initializer(name)
		if t == nil {
			continue
		}
		v, err := t.Float32s()
		if err != nil {
			return nil, fmt.Errorf("refitting: %s: %w", name, err)
		}
		values[name] = slices.Clone(v)
		parameters = append(parameters, engine.Parameter{Name: name, Dims: t.Dims, Value: values[name]})
	}
	if !r.layer.Set(values, fitted) {
		return nil, fmt.Errorf("refitting: %s or %s is not among what is trained", r.layer.Weight, r.layer.Bias)
	}
	return parameters, nil
}

// lastLayerInputs are the inputs of the last layer for the images that it is fitted on, [N, D].
func (r *round) lastLayerInputs(ctx context.Context, h *head, track func(done int)) ([]float32, error) {
	in := featureInputs{r.features, r.refitted}
	rows := make([]float32, measure.BatchSize*in.Size())
	all := make([]float32, 0, len(r.refitted)*r.layer.Inputs)
	for start := 0; start < len(r.refitted); start += measure.BatchSize {
		n := min(measure.BatchSize, len(r.refitted)-start)
		for i := range n {
			if err := in.Read(ctx, start+i, false, 0, rows[i*in.Size():(i+1)*in.Size()]); err != nil {
				return nil, fmt.Errorf("reading %s: %w", r.refitted[start+i].Name, err)
			}
		}
		if _, err := h.Forward(ctx, n, rows[:n*in.Size()]); err != nil {
			return nil, err
		}
		all = append(all, h.inputs...)
		track(start + n)
	}
	return all, nil
}

// head runs both branches of a network and hands out the input of its last layer too.
type head struct {
	session *ort.Session
	net     *parent
	layer   *refit.Layer
	inputs  []float32 // of the last layer, for the images that were run last, [n, D]
}

// openHead opens the parent's branches with other values of parameters.
func (r *round) openHead(parameters []engine.Parameter) (*head, error) {
	values := map[string][]float32{}
	for _, p := range parameters {
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
	session, err := ort.Open(file, []string{onnx.PortFeatures}, []string{r.layer.Output, onnx.PortLogitsAtt, onnx.PortLogitsPer, onnx.PortMap},
		ort.Options{Name: "last layer's inputs", IntraOpThreads: r.spec.Threads})
	if err != nil {
		return nil, err
	}
	return &head{session: session, net: r.net, layer: r.layer}, nil
}

// Forward implements measure.Forwarder.
func (h *head) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	k := n * h.net.classes
	out := engine.Outputs{LogitsAtt: make([]float32, k), LogitsPer: make([]float32, k), Maps: make([]float32, n*h.net.cells())}
	h.inputs = slices.Grow(h.inputs[:0], n*h.layer.Inputs)[:n*h.layer.Inputs]
	scores := []int64{int64(n), int64(h.net.classes)}
	return out, run(ctx, h.session, []array{{inputs, batchDims(n, h.net.features)}}, []array{
		{h.inputs, h.layer.OutputDims(n)}, {out.LogitsAtt, scores}, {out.LogitsPer, scores},
		{out.Maps, []int64{int64(n), 1, int64(h.net.grid[0]), int64(h.net.grid[1])}},
	})
}

func (h *head) close() error { return h.session.Close() }

// twoHeads is a network that keeps what it would answer with its last layer fitted anew, so that one pass over images judges both.
type twoHeads struct {
	*head
	fitted refit.Linear
	logits []float32 // [images so far, K]
}

// Forward implements measure.Forwarder.
func (h *twoHeads) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := h.head.Forward(ctx, n, inputs)
	if err != nil {
		return out, err
	}
	for i := range n {
		h.logits = append(h.logits, h.fitted.Of(h.inputs[i*h.layer.Inputs:(i+1)*h.layer.Inputs])...)
	}
	return out, nil
}
