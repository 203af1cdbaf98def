package main

import (
	"context"
	"errors"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/study"
)

// benchRecipeCommand tries a round's defaults on many networks.
type benchRecipeCommand struct {
	subjectFlags `embed:"" set:"seed_count=1"`
	Edits        []int  `help:"Numbers of edits, the most confidently wrong pool images first; 0: all that are wrong." default:"20,60,0"`
	Out          string `help:"File to append results to, a JSON document a line. What it holds already is not run again." type:"path"`
	Parallel     int    `help:"Networks at a time, one thread each; 0: one a core." default:"0"`
	JSON         bool   `name:"json" help:"Print one JSON document."`
	settingFlags
}

// Run runs the rounds that --out has no outcome of, and prints a table of all.
func (c *benchRecipeCommand) Run(ctx context.Context, streams *stdio) error {
	if c.Out != "" {
		if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
			return err
		}
	}
	settings := recipe.Defaults()
	if err := errors.Join(c.check(c.Parallel, c.Edits), c.fill(&settings)); err != nil {
		return err
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	done, err := study.Recipe{
		Subjects: c.subjects(), Edits: c.Edits, Out: c.Out, Parallel: c.Parallel, Settings: settings, Left: c.left(),
	}.Run(ctx, line.meter())
	line.done()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"recipe": done})
	}
	study.PrintRecipe(streams.Out, done)
	return nil
}
