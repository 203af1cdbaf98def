package measure

import (
	"context"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/engine"
)

// MapKeeper is a Forwarder that keeps all maps it computes.
type MapKeeper struct {
	Forwarder
	Maps []float32 // [images so far, h·w]
}

// Forward implements Forwarder.
func (k *MapKeeper) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := k.Forwarder.Forward(ctx, n, inputs)
	if err == nil {
		k.Maps = append(k.Maps, out.Maps...)
	}
	return out, err
}

// SetDrift fills in Result.Drift, the L2 distance of each map from the parent's. maps and parent are [len(results),
// height·width].
func SetDrift(results []Result, maps, parent []float32, height, width int) {
	cells := height * width
	on := func(values []float32, i int) attention.Map {
		return attention.Map{Height: height, Width: width, Values: values[i*cells : (i+1)*cells]}
	}
	for i := range results {
		results[i].Drift = on(maps, i).Distance(on(parent, i))
	}
}
