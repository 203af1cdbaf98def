package trainer

import (
	"context"

	"github.com/abn-studio/studio/internal/attention"
)

// mapKeeper is a network whose maps are kept as they are computed.
type mapKeeper struct {
	Forwarder
	maps []float32 // [images so far, h·w]
}

// Forward implements Forwarder.
func (k *mapKeeper) Forward(ctx context.Context, n int, inputs []float32) (Outputs, error) {
	out, err := k.Forwarder.Forward(ctx, n, inputs)
	if err == nil {
		k.maps = append(k.maps, out.Maps...)
	}
	return out, err
}

// setDrift fills in how far the maps of height × width cells are from the parent's.
func setDrift(results []Result, maps, parent []float32, height, width int) {
	cells := height * width
	on := func(values []float32, i int) attention.Map {
		return attention.Map{Height: height, Width: width, Values: values[i*cells : (i+1)*cells]}
	}
	for i := range results {
		results[i].Drift = on(maps, i).Distance(on(parent, i))
	}
}

// driftMeasure is how far attention moved where nobody asked for it: on held-out images that parent, control and
// candidate all get right. nil where there are none.
func driftMeasure(a arms, seed uint64) *Measure {
	return a.measure(MeasureMapDrift, "Map moved on images that were right and stay so", "", mean(func(r Result) float64 { return r.Drift }),
		func(i int) bool { return a.parent[i].Correct && a.control[i].Correct && a.candidate[i].Correct }, seed)
}
