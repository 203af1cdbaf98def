package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// projectStartCommand chooses the maps that painters begin with.
type projectStartCommand struct {
	storageFlags
	Slug   string   `arg:"" help:"The project, as 'studio project list' names it."`
	Method string   `name:"with" enum:",${starts}" default:"" placeholder:"METHOD" help:"Change it: ${starts}."`
	Radius *float64 `placeholder:"CELLS" help:"Of max and clicks, in cells of the map's grid: how far a mask reaches beyond its cells, and the spread around a click (default 1)."`
	Images int      `default:"4" help:"How many images are shown, at most 12."`
	JSON   bool     `name:"json" help:"Print one JSON document, with the maps themselves."`
}

// Help says what the methods are, below the flags.
func (c *projectStartCommand) Help() string {
	var out strings.Builder
	out.WriteString("Without --with nothing is changed: for each method the largest value and the mean of its maps are shown, for some of the project's images.\n\n")
	for _, kind := range attention.Starts {
		fmt.Fprintf(&out, "  %-7s %s. %s\n", kind.Method, kind.Name, kind.About)
	}
	return out.String()
}

// Run changes the choice, or previews it.
func (c *projectStartCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		if _, err := projectNamed(ctx, service, c.Slug); err != nil {
			return err
		}
		if c.Method != "" {
			kind := attention.StartMethod(c.Method).Kind()
			start := attention.Start{Method: kind.Method, Radius: kind.Radius}
			if c.Radius != nil {
				start.Radius = *c.Radius
			}
			if _, err := service.SetStart(ctx, annotator.System, c.Slug, start); err != nil {
				return err
			}
		}
		preview, err := service.PreviewStarts(ctx, annotator.System, c.Slug, c.Radius, c.Images)
		if errors.Is(err, annotator.ErrConflict) && c.Method != "" {
			_, err = fmt.Fprintf(streams.Out, "Painters begin with %s, once a model is added.\n", c.Method)
			return err
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, preview)
		}
		fmt.Fprintf(streams.Out, "Painters of untouched tasks begin with: %s.\n", preview.Start)
		fmt.Fprintf(streams.Out, "%d images that tasks come from, %d with a mask, %d with clicks.\n", preview.Sources.Images, preview.Sources.Masks, preview.Sources.Clicks)
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		if len(preview.Examples) > 0 {
			fmt.Fprintln(table, "IMAGE\tMETHOD\tRADIUS\tLARGEST\tMEAN")
		}
		for _, example := range preview.Examples {
			for _, m := range example.Maps {
				if m.Map == nil {
					fmt.Fprintf(table, "%s\t%s\t%v\t%s\t\n", example.Image.Name, m.Method, m.Radius, m.Problem)
					continue
				}
				var sum float64
				for _, v := range m.Map.Values {
					sum += float64(v)
				}
				fmt.Fprintf(table, "%s\t%s\t%v\t%.3f\t%.3f\n", example.Image.Name, m.Method, m.Radius, slices.Max(m.Map.Values), sum/float64(len(m.Map.Values)))
			}
		}
		return table.Flush()
	})
}
