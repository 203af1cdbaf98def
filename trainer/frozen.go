package trainer

import (
	"context"
	"time"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// What a training from images and labels does differently where the extractor is frozen.

func (spec ScratchSpec) strategy() recipe.Strategy {
	if spec.Frozen {
		return recipe.StrategyBoth
	}
	return recipe.StrategyScratch
}

func (spec ScratchSpec) open(ctx context.Context) (*parent, error) {
	if spec.Frozen {
		return openNetwork(ctx, spec.Model, spec.Manifest, nil, "", spec.Threads)
	}
	return openNetwork(ctx, spec.Model, spec.Manifest, identity{}, "input", spec.Threads)
}

// features are the network's inputs, or what its extractor makes of them.
func (spec ScratchSpec) features(net *parent, store *FeatureStore) *Features {
	f := &Features{
		Store: store, Extractor: identity{}, ExtractorHash: "input", Preprocessing: spec.Manifest.PreprocessingHash(),
		Pixels: spec.Pixels, Input: net.input, Dims: net.input,
	}
	if spec.Frozen {
		f.Extractor, f.ExtractorHash, f.Dims = net.extractor, net.extractorHash, net.features
	}
	return f
}

// mirrorsFeatures reports whether the features of mirror images are needed: pixels are mirrored when they are read, and
// crops before they are extracted.
func (spec ScratchSpec) mirrorsFeatures() bool {
	return spec.Frozen && spec.Settings.Flip && spec.Settings.Crop == 0
}

// featurePrior is what preparing one image is expected to take.
func (spec ScratchSpec) featurePrior() time.Duration {
	if spec.Frozen {
		return featurePrior
	}
	return 2 * time.Millisecond // to decode a picture
}

// imagePrior is what a network is expected to take for one image, from its features or from its pixels.
func (spec ScratchSpec) imagePrior() time.Duration {
	if spec.Frozen {
		return evaluatePrior
	}
	return 4 * evaluatePrior
}

// rows are the training images, augmented.
func (spec ScratchSpec) rows(f *Features, net *parent, train []sample.Sample) rowInputs {
	crop := newCropper(spec.Settings, net.input)
	switch {
	case spec.Frozen && crop != nil:
		return &croppedInputs{features: f, samples: train, crop: crop}
	case spec.Frozen:
		return featureInputs{f, train}
	}
	return &augmented{Features: f, samples: train, shift: spec.Shift, seed: spec.Settings.Seed, crop: crop}
}
