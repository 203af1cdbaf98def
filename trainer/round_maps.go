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

// mapLooker is a Forwarder over samples that measures the map of each against its object, a person's map and the parent's, and keeps it.
type mapLooker struct {
	measure.Forwarder
	samples []sample.Sample
	masks   MaskReader // nil: objects are known on the map's grid alone
	input   [3]int     // channels, height and width of the network's input
	grid    [2]int

	maps    *keptMaps
	parents *keptMaps       // the parent's; nil: these are the parent's own
	looked  []measure.OfMap // of the samples so far
	drift   []float64       // likewise, from the parent's
}

// Forward implements Forwarder.
func (l *mapLooker) Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error) {
	out, err := l.Forwarder.Forward(ctx, n, inputs)
	if err != nil {
		return out, err
	}
	first, cells := len(l.looked), l.grid[0]*l.grid[1]
	if err := l.maps.add(out.Maps[:n*cells]); err != nil {
		return out, err
	}
	l.looked, l.drift = append(l.looked, make([]measure.OfMap, n)...), append(l.drift, make([]float64, n)...)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		m := attention.Map{Height: l.grid[0], Width: l.grid[1], Values: out.Maps[i*cells : (i+1)*cells]}
		group.Go(func() error { return l.lookAt(ctx, first+i, m) })
	}
	return out, group.Wait()
}

func (l *mapLooker) lookAt(ctx context.Context, i int, m attention.Map) error {
	parent := m
	if l.parents != nil {
		var err error
		if parent, err = l.parents.at(i); err != nil {
			return err
		}
	}
	l.drift[i] = m.Distance(parent)
	s, mask := l.samples[i], attention.Map{}
	if l.masks != nil && !s.Mask.IsZero() {
		var err error
		if mask, err = l.masks(ctx, s, l.input[1], l.input[2]); err != nil {
			return fmt.Errorf("mask of %s: %w", s.Name, err)
		}
	}
	l.looked[i].LookAt(m, s.Edited, mask)
	return nil
}

// tell gives what was measured to the results, one for each sample.
func (l *mapLooker) tell(results []measure.Result) error {
	_, err := measure.SetWrongReasons(l.samples, l.maps.at, func(i int) *measure.OfMap { return &l.looked[i] })
	for i := range results {
		results[i].Map, results[i].Drift = l.looked[i], l.drift[i]
	}
	return err
}
