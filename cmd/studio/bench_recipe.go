package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/bench"
	"github.com/abn-studio/studio/internal/recipe"
)

// benchRecipeCommand tries a round's defaults on many networks.
type benchRecipeCommand struct {
	Networks []string `arg:"" optional:"" help:"ONNX files, classifiers or ABNs, each with its manifest, or folders of them; without any the demo's network." type:"existing" placeholder:"FILE"`
	Images   string   `help:"Folder of labelled pictures with the splits train, pool and test; without it Aviary's are drawn." type:"existingdir"`
	Format   string   `help:"Layout of the data set: ${formats}." enum:"${formats}" default:"auto"`
	Masks    string   `help:"Folder of object masks named after the images: edits are made of them, and attention is measured inside them." type:"existingdir"`
	Edits    []int    `help:"Numbers of edits, the most confidently wrong pool images first; 0: all that are wrong." default:"20,60,0"`
	Gains    []string `help:"Mechanisms that a classifier is given, of ${enum}." enum:"M,1+M" default:"M,1+M"`
	Seeds    int      `help:"Number of seeds, from 1 on; a seed decides new layers, order and augmentation." default:"1"`
	Training int      `help:"Epochs in which the branches of an attached classifier are trained, by AdamW on mirrored images." default:"20"`
	Limit    int      `help:"At most so many images of train and of test, every n-th; 0: all." default:"0"`
	Out      string   `help:"File to append results to, a JSON document a line. What it holds already is not run again." type:"path"`
	Parallel int      `help:"Networks at a time, one thread each; 0: one a core." default:"0"`
	JSON     bool     `name:"json" help:"Print one JSON document."`
	settingFlags
}

// check refuses numbers that are out of bounds.
func (c *benchRecipeCommand) check() error {
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"--seeds", c.Seeds, 1}, {"--training", c.Training, 1}, {"--limit", c.Limit, 0}, {"--parallel", c.Parallel, 0}, {"--edits", slices.Min(c.Edits), 0}} {
		if n.value < n.least {
			return fmt.Errorf("%s is %d, want at least %d", n.flag, n.value, n.least)
		}
	}
	return nil
}

// Run runs the rounds that --out has no outcome of, and prints a table of all.
func (c *benchRecipeCommand) Run(ctx context.Context, streams *stdio) error {
	if c.Out != "" {
		if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
			return err
		}
	}
	settings := recipe.Defaults()
	if err := errors.Join(c.check(), c.fill(&settings)); err != nil {
		return err
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	done, err := bench.Recipe{
		Networks: c.Networks, Images: c.Images, Format: c.Format, Masks: c.Masks, Edits: c.Edits, Gains: c.Gains, Seeds: c.Seeds, Training: c.Training,
		Limit: c.Limit, Out: c.Out, Parallel: c.Parallel, Settings: settings, Left: c.left(),
	}.Run(ctx, line.meter())
	line.done()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"recipe": done})
	}
	bench.PrintRecipe(streams.Out, done)
	return nil
}
