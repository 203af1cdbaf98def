package trainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// withMaps is the parent with people's maps in the place of its own (Mitsuhara et al., section 3): its perception branch answers
// images in the order in which edited lists them.
type withMaps struct {
	parent  measure.Forwarder
	session *ort.Session
	net     *parent
	edited  []sample.Sample
}

// Forward implements measure.Forwarder. The map that it hands out is the one in place.
func (w *withMaps) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := w.parent.Forward(ctx, n, inputs)
	if err != nil {
		return out, err
	}
	h, width, cells := w.net.grid[0], w.net.grid[1], w.net.cells()
	maps := make([]float32, 0, n*cells)
	for i, s := range w.edited[:n] {
		own := attention.Map{Height: h, Width: width, Values: out.Maps[i*cells : (i+1)*cells]}
		maps = append(maps, s.Edited.InPlace(own).Values...)
	}
	w.edited = w.edited[n:]
	out.Maps, out.LogitsPer = maps, make([]float32, n*w.net.classes)
	return out, run(ctx, w.session, []array{{inputs, batchDims(n, w.net.features)}, {maps, []int64{int64(n), 1, int64(h), int64(width)}}},
		[]array{{out.LogitsPer, []int64{int64(n), int64(w.net.classes)}}})
}

// mapAtTest judges the parent with people's maps in place, on the edited images. before units of its stage are done already.
func (r *round) mapAtTest(ctx context.Context, parent measure.Forwarder, before int) (out *armResult, err error) {
	switch {
	case !r.spec.Settings.Arms.Has(arms.MapAtTest):
		return nil, nil
	case len(r.edited) == 0:
		r.leaveOut(arms.MapAtTest, "no image has an edited map")
		return nil, nil
	case r.net.perception == nil:
		r.leaveOut(arms.MapAtTest, "this network's perception branch is not known by itself")
		return nil, nil
	}
	file, err := r.net.perception.Marshal()
	if err != nil {
		return nil, err
	}
	session, err := ort.Open(file, []string{onnx.PortFeatures, onnx.PortMap}, []string{onnx.PortLogitsPer}, ort.Options{Name: "perception branch", IntraOpThreads: r.spec.Threads})
	if err != nil {
		return nil, fmt.Errorf("the map at test time: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	e, err := measure.Evaluate(ctx, &withMaps{parent, session, r.net, r.edited}, featureInputs{r.features, r.edited}, r.edited, r.net.classes, r.net.grid[0], r.net.grid[1],
		func(done int) { r.meter.Advance(progress.EvaluatingParent, before+done) })
	if err != nil {
		return nil, err
	}
	return &armResult{edits: e.Results}, nil
}
