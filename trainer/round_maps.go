package trainer

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// mapLooker is a Forwarder over samples that measures the map of each against its object and against a person's map, and keeps it.
type mapLooker struct {
	measure.Forwarder
	samples []sample.Sample
	masks   MaskReader // nil: objects are known on the map's grid alone
	input   [3]int     // channels, height and width of the network's input
	grid    [2]int

	maps   []attention.Map // of the samples so far
	looked []measure.OfMap // likewise
}

// Forward implements Forwarder.
func (l *mapLooker) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := l.Forwarder.Forward(ctx, n, inputs)
	if err != nil {
		return out, err
	}
	first, cells := len(l.maps), l.grid[0]*l.grid[1]
	values := append([]float32(nil), out.Maps...)
	for i := range n {
		l.maps = append(l.maps, attention.Map{Height: l.grid[0], Width: l.grid[1], Values: values[i*cells : (i+1)*cells]})
	}
	l.looked = append(l.looked, make([]measure.OfMap, n)...)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := first; i < len(l.maps); i++ {
		group.Go(func() error { return l.lookAt(ctx, i) })
	}
	return out, group.Wait()
}

func (l *mapLooker) lookAt(ctx context.Context, i int) error {
	s, mask := l.samples[i], attention.Map{}
	if l.masks != nil && !s.Mask.IsZero() {
		var err error
		if mask, err = l.masks(ctx, s, l.input[1], l.input[2]); err != nil {
			return fmt.Errorf("mask of %s: %w", s.Name, err)
		}
	}
	l.looked[i].LookAt(l.maps[i], s.Edited, mask)
	return nil
}

// tell gives what was measured to the results, one for each sample.
func (l *mapLooker) tell(results []measure.Result) {
	measure.SetWrongReasons(l.samples, l.maps, func(i int) *measure.OfMap { return &l.looked[i] })
	for i := range results {
		results[i].Map = l.looked[i]
	}
}
