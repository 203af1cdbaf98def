package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/study"
	"github.com/abn-studio/studio/internal/text"
)

// studyRoundsCommand measures what maps are worth against every arm.
type studyRoundsCommand struct {
	subjectFlags `embed:"" set:"seed_count=3"`
	Edits        []int    `help:"Numbers of edits; 0: all images that the order has." default:"20,60,0"`
	Strategies   []string `help:"What is updated, of ${enum}." enum:"${strategy_all}" default:"${strategy_default}"`
	Orders       []string `help:"Which pool images are edited first, of ${enum}: that the network gets wrong with most confidence; the least confident; right ones with the least attention inside the object; drawn at random." enum:"confident,uncertain,wrong-reason,random" default:"confident"`
	Hands        []string `help:"How a simulated annotator paints, of ${enum}: the object's mask; the mask grown and moved by a cell; a third of the maps another image's." enum:"exact,careless,mistaken" default:"exact"`
	Avoid        string   `help:"Folder of masks of where people mark do not look here, named as in --masks, such as a made set's annotations/decoys." type:"path"`
	Out          string   `help:"Folder of the study: its rounds and their rows, from which every figure follows. What it holds already is not run again." required:"" type:"path"`
	Within       string   `help:"Group of held-out images that the worst fifth of classes is taken of, such as away." placeholder:"GROUP"`
	Parallel     int      `help:"Networks at a time, one thread each; 0: one a core." default:"0"`
	JSON         bool     `name:"json" help:"Print one JSON document."`
	settingFlags
}

// Run runs the rounds that --out does not hold, and prints a table of all.
func (c *studyRoundsCommand) Run(ctx context.Context, streams *stdio) error {
	if lies(c.Out, c.Images) || lies(c.Out, c.Masks) || lies(c.Out, c.Avoid) {
		return fmt.Errorf("--out, %s, lies in a folder that is read: give it another place", c.Out)
	}
	return c.run(ctx, streams)
}

func (c *studyRoundsCommand) run(ctx context.Context, streams *stdio) error {
	settings := studyDefaults()
	if err := errors.Join(c.check(c.Parallel, c.Edits), c.fill(&settings)); err != nil {
		return err
	}
	subjects := c.subjects()
	subjects.Avoid = c.Avoid
	line := newProgressLine(streams.Err)
	defer line.done()
	rounds, err := study.Rounds{
		Subjects: subjects, Edits: c.Edits, Strategies: words[recipe.Strategy](c.Strategies), Orders: words[study.Order](c.Orders), Hands: words[study.Hand](c.Hands),
		Within: c.Within, Out: c.Out, Parallel: c.Parallel, Settings: settings, Left: c.left(),
	}.Run(ctx, line.meter())
	line.done()
	if err != nil {
		return err
	}
	cells, err := study.Cells(c.Out, rounds, c.Within)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"cells": cells})
	}
	study.PrintRounds(streams.Out, cells)
	return nil
}

// studyPublishCommand writes a study in the form in which it is kept.
type studyPublishCommand struct {
	Study string `arg:"" help:"The folder of a study, --out of study rounds." type:"existingdir"`
	Out   string `help:"Folder to write it to: which class each arm answered to each image, and each arm's figures." required:"" type:"path"`
}

// Run writes the study.
func (c *studyPublishCommand) Run(streams *stdio) error {
	rounds, err := study.Publish(c.Study, c.Out)
	if err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "%s in %s\n", text.Plural(rounds, "round"), c.Out)
	return nil
}

// studyDefaults are the settings of a study's rounds: a round's, with every arm, and deletion and insertion on some images, which over many
// seeds are enough.
func studyDefaults() recipe.Settings {
	s := recipe.Defaults()
	s.Arms, s.Perturbed = arms.Whole(), 10
	return s
}

// words are texts as words of a kind, each once.
func words[T ~string](list []string) (all []T) {
	for _, w := range list {
		if one := T(strings.TrimSpace(w)); !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}
