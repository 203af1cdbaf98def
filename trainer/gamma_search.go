package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/progress"
)

// The search for γ (Settings.GammaSearch). Before its arms a round trains a few candidates, each with another γ and for a third of the
// epochs, measures the perception branch's cross entropy on validation images, and goes on with the γ of the lowest. The images are those
// of early stopping (chooseValidation), and never those that the round is judged on. The control has no γ to search.

// GammaTry is what a γ was worth on the validation images.
type GammaTry struct {
	Gamma      float64    `json:"gamma"`
	Validation Validation `json:"validation"`         // zero if it diverged
	Diverged   bool       `json:"diverged,omitempty"` // its training came apart
}

// GammaSearch says how a round found its γ.
type GammaSearch struct {
	Gamma  float64    `json:"gamma"`  // the one it trained with
	Epochs int        `json:"epochs"` // of each try
	Tries  []GammaTry `json:"tries"`
}

// trySteps is the number of steps of each try of a search.
func (r *round) trySteps() int {
	s := r.spec.Settings
	return s.Tried(s.Gamma).Epochs * newOrder(r.train, s).batches
}

// searchGamma sets the settings' γ to the best of those tried.
func (r *round) searchGamma(ctx context.Context) error {
	s := r.spec.Settings
	found := &GammaSearch{Gamma: s.Gamma, Epochs: s.Tried(s.Gamma).Epochs}
	best := -1
	for i, gamma := range s.GammasTried() {
		before := i * r.trySteps()
		r.meter.Begin(progress.GammaSearch, before)
		try, err := r.tryGamma(ctx, gamma, before)
		if err != nil {
			return fmt.Errorf("γ = %g: %w", gamma, err)
		}
		found.Tries = append(found.Tries, try)
		if !try.Diverged && (best < 0 || try.Validation.Loss < found.Tries[best].Validation.Loss) {
			best, found.Gamma = i, gamma
		}
	}
	if best < 0 {
		r.outcome.Warnings = append(r.outcome.Warnings, fmt.Sprintf("No γ was found: training came apart with each that was tried. The round was trained with the one that was set, %g.", s.Gamma))
	}
	r.spec.Settings.Gamma, r.outcome.GammaSearch = found.Gamma, found
	return nil
}

// triedGamma is a try as it is kept in the round's folder, so that a round that is cut off does not train it again.
type triedGamma struct {
	Key string   `json:"key"` // runKey
	Try GammaTry `json:"try"`
}

// tryGamma trains and measures a candidate with another γ. before is how many steps of the search are done.
func (r *round) tryGamma(ctx context.Context, gamma float64, before int) (try GammaTry, err error) {
	settings := r.spec.Settings.Tried(gamma)
	arm := Arm("gamma-" + strconv.FormatFloat(gamma, 'g', -1, 64))
	file := filepath.Join(r.spec.WorkDir, string(arm)+".json")
	kept := triedGamma{Key: runKey(r.net.modelHash, settings, r.train, r.valid), Try: GammaTry{Gamma: gamma}}
	var known triedGamma
	if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &known) == nil && known.Key == kept.Key {
		return known.Try, nil
	}
	engine, err := r.net.newEngine(ctx, settings)
	if err != nil {
		return try, fmt.Errorf("start %s: %w", settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	begun := false
	l := r.loop(arm, arm, engine, settings, r.train)
	l.stage = progress.GammaSearch
	l.meter = progress.NewMeter(func(p progress.Progress) {
		if !begun { // a checkpoint's steps take no time
			r.meter.Begin(progress.GammaSearch, before+p.Done)
			begun = true
			return
		}
		r.meter.Advance(progress.GammaSearch, before+p.Done)
	})
	l.meter.Plan(progress.Plan{Stage: progress.GammaSearch, Total: r.trySteps()})
	var diverged *DivergedError
	switch _, _, err = l.run(ctx); {
	case errors.As(err, &diverged):
		kept.Try.Diverged = true
	case err != nil:
		return try, err
	default:
		v := validation{inputs: featureInputs{r.features, r.valid}, samples: r.valid}
		if kept.Try.Validation, err = v.measure(ctx, engine); err != nil {
			return try, err
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return try, err
	}
	if err := durable.WriteFile(file, data); err != nil {
		return try, err
	}
	return kept.Try, l.checkpoints.remove()
}
