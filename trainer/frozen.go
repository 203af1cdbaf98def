package trainer

import (
	"context"
	"time"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// What a training from images and labels does differently if the extractor is frozen.

func (spec ScratchSpec) strategy() recipe.Strategy {
	if spec.Frozen {
		return recipe.StrategyBoth
	}
	return recipe.StrategyScratch
}

func (spec ScratchSpec) open(ctx context.Context) (*parent, error) {
	if spec.Frozen {
		return openNetwork(ctx, spec.Opened, spec.Model, spec.Manifest, spec.Settings, nil, "", spec.Threads)
	}
	return openNetwork(ctx, spec.Opened, spec.Model, spec.Manifest, spec.Settings, identity{}, "input", spec.Threads)
}

// features are the network's inputs or, if the extractor is frozen, its features.
func (spec ScratchSpec) features(net *parent, store *features.Store) *sampleFeatures {
	r, origin := &features.Reader{Extractor: identity{}, Input: net.input, Dims: net.input}, features.Origin{Extractor: "input"}
	if spec.Frozen {
		r.Extractor, r.Dims, origin.Extractor = net.extractor, net.features, net.extractorHash
	}
	if origin.Preprocessing = spec.Manifest.PreprocessingHash(); store != nil {
		r.View = store.View(origin, r.Dims)
	}
	return &sampleFeatures{r, spec.Pixels}
}

// mirrorsFeatures reports whether features of mirror images are needed too. Pixels are mirrored when they are read, and crops
// before they go through the extractor.
func (spec ScratchSpec) mirrorsFeatures() bool {
	return spec.Frozen && spec.Settings.Flip && spec.Settings.Crop == 0
}

// featurePrior is the time that preparing one image is expected to take.
func (spec ScratchSpec) featurePrior() time.Duration {
	if spec.Frozen {
		return featurePrior
	}
	return 2 * time.Millisecond // to decode a picture
}

// imagePrior is the time that a forward pass is expected to take for one image, from its features or its pixels.
func (spec ScratchSpec) imagePrior() time.Duration {
	if spec.Frozen {
		return evaluatePrior
	}
	return 4 * evaluatePrior
}

// rows are the training images, augmented.
func (spec ScratchSpec) rows(f *sampleFeatures, net *parent, train []sample.Sample) rowInputs {
	crop := newCropper(spec.Settings, net.input)
	switch {
	case spec.Frozen && crop != nil:
		return &croppedInputs{features: f, samples: train, crop: crop}
	case spec.Frozen:
		return featureInputs{f, train}
	}
	return &augmented{sampleFeatures: f, samples: train, shift: spec.Shift, seed: spec.Settings.Seed, crop: crop}
}
