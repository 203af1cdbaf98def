package trainer

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// prepare computes features and leaves out what cannot be read.
func (r *round) prepare(ctx context.Context) error {
	start := time.Now()
	store := r.spec.Store
	if store == nil {
		var err error
		if store, err = features.Open(filepath.Join(r.spec.WorkDir, "features"), features.Options{}); err != nil {
			return err
		}
	}
	origin := features.Origin{Extractor: r.net.extractorHash, Preprocessing: r.spec.Manifest.PreprocessingHash()}
	r.features = &sampleFeatures{&features.Reader{
		View: store.View(origin, r.net.features), Extractor: r.net.extractor, Input: r.net.input, Dims: r.net.features,
	}, r.spec.Pixels}
	trained := filesIn(r.spec.Heldout, r.spec.Train)
	if r.heldout = r.spec.Heldout; slices.ContainsFunc(r.heldout, func(s sample.Sample) bool { return trained[s.Hash] || !s.Edited.IsZero() }) {
		r.heldout = nil
		for _, s := range r.spec.Heldout {
			if trained[s.Hash] {
				r.outcome.Excluded++
				continue
			}
			s.Edited = attention.Map{}
			r.heldout = append(r.heldout, s)
		}
	}
	train := r.spec.Train
	validates := r.spec.Settings.Patience > 0 || r.spec.Settings.GammaSearch
	if validates {
		var err error
		if train, r.valid, err = chooseValidation(train, r.spec.Validation, r.spec.Heldout, r.spec.Settings.Seed); err != nil {
			if r.spec.Settings.Patience == 0 {
				return &recipe.Error{Field: "gamma_search", Message: "needs validation images, and there are too few training images without an edit to hold a tenth of them back: give it a validation split, or search no γ"}
			}
			return &recipe.Error{Field: "patience", Message: "cannot be followed: " + err.Error()}
		}
		r.outcome.HeldBack = len(train) < len(r.spec.Train)
	}
	unseen := r.valid
	if r.spec.Settings.Arms != 0 && !validates {
		unseen = unused(r.spec.Validation, train, r.spec.Heldout)
	}
	r.meter.Begin(progress.Features, 0)
	preparation := preparation{meter: r.meter, later: len(train) + len(r.heldout) + len(unseen)}
	mirrored := r.spec.Settings.Flip && r.spec.Settings.Crop == 0 // crops are mirrored before they are extracted
	problems, err := preparation.of(ctx, r.features, train, mirrored)
	if err != nil {
		return err
	}
	more, err := preparation.of(ctx, r.features, r.heldout, false)
	if err != nil {
		return err
	}
	unread, err := preparation.of(ctx, r.features, unseen, false)
	if err != nil {
		return err
	}
	r.outcome.FeatureMisses = preparation.missed
	r.outcome.Skipped = slices.Concat(everyImage(train, problems), everyImage(r.heldout, more), everyImage(unseen, unread))
	if len(r.outcome.Skipped) > 0 && r.observer.Skipped != nil {
		r.observer.Skipped(r.outcome.Skipped)
	}
	r.train = readable(train, problems)
	r.heldout = readable(r.heldout, more)
	if len(r.train) == 0 {
		return fmt.Errorf("none of %d training images can be read; the first: %w", len(train), problems[0].Err)
	}
	unseen = readable(unseen, unread)
	if validates {
		if r.valid = unseen; len(r.valid) == 0 {
			return fmt.Errorf("none of the validation images can be read; the first: %w", unread[0].Err)
		}
	}
	if r.spec.Settings.Arms != 0 && len(unseen) > 0 {
		r.choosing = unseen
	}
	r.outcome.ValidationImages = len(r.valid)
	for _, s := range r.train {
		if !s.Edited.IsZero() {
			r.edited = append(r.edited, s)
		}
	}
	o := newOrder(r.train, r.spec.Settings)
	r.spec.Settings.EditRepeat = recipe.Repeat(o.repeat) // the value in place of automatic
	r.outcome.Images, r.outcome.Edits, r.outcome.Steps = len(r.train), len(r.edited), r.spec.Settings.Epochs*o.batches
	r.outcome.OrderKey = runKey(r.net.modelHash, recipe.Settings{Seed: r.spec.Settings.Seed, Seeds: 1}, r.train, nil)
	r.outcome.FeatureSeconds = time.Since(start).Seconds()
	withoutRefit := r.planRefit()
	shuffledWithin := r.planShuffles()
	r.planned()
	r.expectCrops()
	r.outcome.Warnings = r.warnings()
	if shuffledWithin != "" {
		r.outcome.Warnings = append(r.outcome.Warnings, shuffledWithin)
	}
	if withoutRefit != "" {
		r.outcome.Warnings = append(r.outcome.Warnings, "The last layer was not refitted: "+withoutRefit+".")
	}
	return nil
}

// fewValidation is the number of validation images below which epochs can hardly be told apart: the loss of one image differs
// from the mean by about as much as the mean itself.
const fewValidation = 50

// warnings are sentences on images that make the figures less reliable.
func (r *round) warnings() (out []string) {
	if plain := len(r.train) - len(r.edited); len(r.edited) > 0 && plain < len(r.edited) {
		out = append(out, fmt.Sprintf("Only %d training images without an edit take part beside %d with one: they are what holds the branches to what "+
			"they know, so expect forgetting. Add the images the model was trained on to the training split.", plain, len(r.edited)))
	}
	if empty, unknown := r.emptyMaps(); empty+unknown > 0 {
		if empty > 0 {
			out = append(out, fmt.Sprintf("Of %d edited maps %d are 0 everywhere: they teach the network to look nowhere.", len(r.edited), empty))
		}
		if unknown > 0 {
			out = append(out, fmt.Sprintf("Of %d edited maps %d are marked don't know in every cell: they teach nothing.", len(r.edited), unknown))
		}
	}
	if n := len(r.valid); n > 0 && n < fewValidation {
		if r.spec.Settings.GammaSearch {
			out = append(out, fmt.Sprintf("The search for γ looks at %d validation images only: which one it finds is partly chance.", n))
		}
		if r.spec.Settings.Patience > 0 {
			out = append(out, fmt.Sprintf("Early stopping looks at %d validation images only: which epoch it keeps is partly chance.", n))
		}
	}
	if r.spec.Settings.Arms != 0 {
		switch n := len(r.choosing); {
		case n == 0:
			out = append(out, "There are no validation images to choose the strongest arm without maps on: the control stands for all of them.")
		case n < fewValidation:
			out = append(out, fmt.Sprintf("The strongest arm without maps is chosen on %d validation images only: which one it is is partly chance.", n))
		}
	}
	return out
}

// emptyMaps counts the edited maps that are 0 in every cell that carries a value, and those of which no cell does.
func (r *round) emptyMaps() (empty, unknown int) {
	for _, s := range r.edited {
		values, attended, avoided := 0, 0, 0
		for i, v := range s.Edited.Values {
			switch s.Edited.Marks.At(i) {
			case attention.Avoided:
				avoided++
			case attention.Unknown:
			default:
				values++
				if v > 0 {
					attended++
				}
			}
		}
		switch {
		case values == 0 && avoided == 0:
			unknown++
		case attended == 0 && avoided == 0:
			empty++
		}
	}
	return empty, unknown
}

// everyImage lists a problem for each image with a bad file; Prepare reads each file once and reports one image of it.
func everyImage(samples []sample.Sample, problems []Problem) (out []Problem) {
	if len(problems) == 0 {
		return nil
	}
	reasons := map[string]error{}
	for _, p := range problems {
		reasons[p.Sample.Hash] = p.Err
	}
	for _, s := range samples {
		if err, broken := reasons[s.Hash]; broken {
			out = append(out, Problem{Sample: s, Err: err})
		}
	}
	return out
}

// readable leaves out the samples with a problem, and others of the same file.
func readable(samples []sample.Sample, problems []Problem) []sample.Sample {
	if len(problems) == 0 {
		return samples
	}
	broken := map[string]bool{}
	for _, p := range problems {
		broken[p.Sample.Hash] = true
	}
	var out []sample.Sample
	for _, s := range samples {
		if !broken[s.Hash] {
			out = append(out, s)
		}
	}
	return out
}
