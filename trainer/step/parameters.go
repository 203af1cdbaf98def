package step

import (
	"fmt"
	"maps"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
)

// Parameters copies trained weights, and running statistics that follow the batch's, from a file's initializers into new buffers,
// in the file's order, with room for the optimizer's state.
func (s Source) Parameters(weights []string, statistics []Statistics, settings recipe.Settings) (list []engine.Parameter, byName map[string]engine.Parameter, err error) {
	running := map[string]bool{}
	for _, n := range statistics {
		running[n.Mean], running[n.Variance] = true, true
	}
	byName = map[string]engine.Parameter{}
	rates := map[string]float64{}
	if settings.Rates == recipe.RatesByLayer {
		maps.Copy(rates, s.Rates())
	}
	maps.Copy(rates, s.TailRates())
	for _, t := range s.Model.Graph.Initializers {
		trained := slices.Contains(weights, t.Name)
		if !trained && !running[t.Name] {
			continue
		}
		value, err := t.Float32s()
		if err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", t.Name, err)
		}
		p := engine.Parameter{Name: t.Name, Dims: t.Dims, Value: value}
		if trained {
			p.Rate = rates[t.Name]
			p.Momentum = make([]float32, len(value))
			if settings.Optimizer == recipe.OptimizerAdamW {
				p.Second = make([]float32, len(value))
			}
		}
		byName[t.Name] = p
		list = append(list, p)
	}
	return list, byName, nil
}
