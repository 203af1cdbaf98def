package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/architecture"
)

// startingPoint is the network that a training starts from.
type startingPoint struct {
	model         []byte
	opened        *network.Network // nil: an architecture was built
	manifest      manifest.Manifest
	height, width int // of the map
}

// start builds an architecture for some classes, or reads the ABN given and writes the warnings on it.
func (c *trainCommand) start(ctx context.Context, classes []string, seed int64, warn io.Writer) (startingPoint, error) {
	if c.From != "" {
		return c.startFrom(ctx, warn)
	}
	arch, err := architecture.Named(c.Arch)
	if err != nil {
		return startingPoint{}, err
	}
	if c.Size != nil {
		arch.ImageSize = *c.Size
	}
	arch.Gain = cmp.Or(onnx.Gain(c.Gain), arch.Gain)
	network, err := arch.Build(len(classes), seed)
	if err != nil {
		return startingPoint{}, err
	}
	model, err := network.Marshal()
	if err != nil {
		return startingPoint{}, err
	}
	grid := arch.Grid(arch.ImageSize)
	scratch := manifest.Of(3, arch.ImageSize, arch.ImageSize, manifest.Symmetric)
	scratch.Classes = classes
	return startingPoint{
		model: model, height: grid, width: grid,
		manifest: scratch,
	}, nil
}

func (c *trainCommand) startFrom(ctx context.Context, warn io.Writer) (startingPoint, error) {
	if c.Size != nil || c.Gain != "" {
		return startingPoint{}, errors.New("--size and --gain go with --arch: the network given with --from has its own")
	}
	model, data, err := onnx.Load(ctx, c.From)
	if err != nil {
		return startingPoint{}, err
	}
	opened, err := openABN(ctx, c.From, model, c.partFlags)
	if err != nil {
		return startingPoint{}, err
	}
	var trial inference.Trial
	err = opened.Fits()
	if err == nil {
		trial, err = tryABN(ctx, opened)
	}
	if err != nil {
		return startingPoint{}, fmt.Errorf("%s: %w", c.From, err)
	}
	tellWarnings(warn, c.From, trial.Warnings)
	return startingPoint{model: data, opened: opened, manifest: opened.Manifest(), height: opened.ABN().Height, width: opened.ABN().Width}, nil
}

// settings returns the settings that were given, and for the others the defaults: those of a training from scratch or of one from a
// network's weights.
func (c *trainCommand) settings() (recipe.Settings, error) {
	if c.Frozen && c.From == "" {
		return recipe.Settings{}, errors.New("--frozen goes with --from: a network of new values has no extractor worth keeping")
	}
	s := recipe.ScratchDefaults()
	switch {
	case c.From != "":
		s = recipe.ContinuedDefaults()
	case c.given()["optimizer"] == string(recipe.OptimizerAdamW):
		s.LearningRate = trainer.AdamWLearningRate
	}
	if err := c.fill(&s); err != nil {
		return s, err
	}
	return s, s.Validate(recipe.Training)
}

// Help lists the architectures.
func (trainCommand) Help() string {
	var text strings.Builder
	fmt.Fprintln(&text, "Architectures (values for 10 and for 1,000 classes, attention branch included):")
	for _, name := range architecture.Names() {
		a, err := architecture.Named(name)
		if err != nil {
			continue
		}
		few, err := a.Parameters(10)
		if err != nil {
			continue
		}
		many, err := a.Parameters(1000)
		if err != nil {
			continue
		}
		grid := a.Grid(a.ImageSize)
		fmt.Fprintf(&text, "\n  %-12s %5.1f M, %5.1f M; input %d×%d, map %d×%d, %s", name, float64(few)/1e6, float64(many)/1e6, a.ImageSize, a.ImageSize, grid, grid, a.Gain)
	}
	return text.String()
}
