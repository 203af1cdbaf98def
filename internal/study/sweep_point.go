package study

import (
	"cmp"
	"fmt"

	"github.com/abn-studio/studio/internal/recipe"
)

// sweepPoint is one fine-tuning: its settings, and what it scored on the test split.
type sweepPoint struct {
	Source   string  `json:"source"`
	Strategy string  `json:"strategy"`
	MapLoss  string  `json:"map_loss"`
	Gamma    float64 `json:"gamma"`
	Edits    int     `json:"edits"`
	Seed     int64   `json:"seed"`
	// Absent from the outcomes of the first sweeps.
	Anchor    float64 `json:"anchor,omitempty"`
	Optimizer string  `json:"optimizer,omitempty"` // "": sgd
	Crop      float64 `json:"crop,omitempty"`
	Flip      bool    `json:"flip,omitempty"`

	Used     int      `json:"used"` // edits trained on; fewer than Edits if there were not as many
	Accuracy float64  `json:"accuracy"`
	Home     float64  `json:"home"`
	Away     float64  `json:"away"` // the worst group
	AttTop1  float64  `json:"attention_branch"`
	Inside   float64  `json:"inside"`
	Drift    *float64 `json:"drift,omitempty"` // how far maps moved on images that parent and candidate get right (measure.Result.Drift); absent from the first sweeps
	Seconds  float64  `json:"seconds"`
}

// key is a point's settings.
func (p sweepPoint) key() string {
	return fmt.Sprintf("%s %s %s %g %d %d %g %s %g %v", p.Source, p.Strategy, p.MapLoss, p.Gamma, p.Edits, p.Seed, p.Anchor, p.Optimizer, p.Crop, p.Flip)
}

// points lists the fine-tunings to run, seed after seed, so that an interrupted sweep has run all settings equally often.
func (c Sweep) points() []sweepPoint {
	var out []sweepPoint
	edits, gamma := c.Edits[min(2, len(c.Edits)-1)], 0.0
	if len(c.Gammas) > 0 {
		gamma = c.Gammas[len(c.Gammas)/2]
	}
	for seed := range c.Seeds {
		for _, source := range c.Sources {
			for _, strategy := range c.Strategies {
				for _, n := range c.Edits {
					for _, g := range append([]float64{0}, c.Gammas...) {
						if c.Cross && g != 0 && n != edits && g != gamma {
							continue
						}
						out = append(out, c.variants(sweepPoint{Source: source, Strategy: strategy, MapLoss: c.MapLoss, Gamma: g, Edits: n, Seed: int64(seed + 1)})...)
					}
				}
			}
		}
	}
	return out
}

// variants returns a point with every anchor, optimiser and crop.
func (c Sweep) variants(p sweepPoint) []sweepPoint {
	var out []sweepPoint
	p.Flip = c.Settings.Flip
	anchors := c.Anchors
	if len(anchors) == 0 {
		anchors = []float64{c.Settings.Anchor}
	}
	for _, p.Anchor = range anchors {
		for _, p.Optimizer = range c.Optimizers {
			for _, p.Crop = range c.Crops {
				out = append(out, p)
			}
		}
	}
	return out
}

func readSweep(file string) ([]sweepPoint, error) {
	out, err := readOutcomes[sweepPoint](file)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Optimizer = cmp.Or(out[i].Optimizer, string(recipe.OptimizerSGD))
	}
	return out, nil
}
