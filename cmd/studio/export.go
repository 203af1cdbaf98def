package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/takeout"
)

// exportCommand writes a project's maps, predictions, reviews, tasks or audit trail.
type exportCommand struct {
	storageFlags
	Project   string  `required:"" placeholder:"SLUG" help:"The project."`
	What      string  `help:"What is written: ${enum}." enum:"${exports}" default:"maps"`
	Format    string  `required:"" enum:"${exportformats}" help:"How: ${enum}. All write maps; jsonl, csv and parquet write anything; npz, npy and png also the model's maps of predictions."`
	Out       string  `required:"" type:"path" placeholder:"FILE" help:"Where to. npy and png write a folder, or a .zip if the name ends so. - is the standard output."`
	Threshold float64 `help:"Of coco and labelstudio: the least value of a cell that they have (default: 0.5)."`
	exportFilterFlags
	JSON bool `name:"json" help:"Print the summary as one JSON document."`
}

// exportFilterFlags say which records are written.
type exportFilterFlags struct {
	State        []string `help:"Only these states. Maps: ${editstates} (default: approved). Reviews: approved, rejected. Tasks: ${taskstates}."`
	Split        []string `help:"Only images of these splits: ${splits}."`
	Class        string   `help:"Only images of this class, by its key or name."`
	Author       string   `help:"Only what this person drew, holds or did, by name or e-mail address."`
	Search       string   `help:"Only images whose name contains this."`
	Round        int      `help:"Only what the round of this number learned from."`
	ModelVersion int      `name:"model-version" placeholder:"N" help:"Only of the version of this number (predictions, by default: the active one's)."`
	Since        string   `placeholder:"DATE" help:"Only what was made then or later: 2026-11-28, or with a time, 2026-11-28T15:04:05Z."`
	Until        string   `placeholder:"DATE" help:"Only what was made before."`
	Revisions    bool     `help:"Every revision of a map, not only the latest of an image."`
}

// filter reads the flags.
func (f exportFilterFlags) filter() (annotator.ExportFilter, error) {
	filter := annotator.ExportFilter{States: f.State, Class: f.Class, Author: f.Author, Search: f.Search, Round: f.Round, Version: f.ModelVersion, Revisions: f.Revisions}
	for _, split := range f.Split {
		filter.Splits = append(filter.Splits, annotator.Split(split))
	}
	for _, date := range []struct {
		flag, typed string
		to          *time.Time
	}{{"--since", f.Since, &filter.Since}, {"--until", f.Until, &filter.Until}} {
		var err error
		if *date.to, err = takeout.ParseDate(date.typed); err != nil {
			return filter, fmt.Errorf("%s: %w", date.flag, err)
		}
	}
	return filter, nil
}

// exportSummary is what --json prints.
type exportSummary struct {
	Out     string  `json:"out"`
	What    string  `json:"what"`
	Format  string  `json:"format"`
	Records int     `json:"records"`
	Seconds float64 `json:"seconds"`
}

// Run writes. The file gets its name only when it is complete.
func (c *exportCommand) Run(ctx context.Context, streams *stdio) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	request := takeout.Request{Project: c.Project, What: annotator.ExportKind(c.What), Format: c.Format, Filter: filter, Threshold: c.Threshold}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		start := time.Now()
		format, err := request.Check()
		if err != nil {
			return err
		}
		if _, err := projectNamed(ctx, service, c.Project); err != nil {
			return err
		}
		summary := exportSummary{Out: c.Out, What: c.What, Format: c.Format}
		switch {
		case c.Out == "-":
			summary.Records, err = takeout.Write(ctx, service, annotator.System, request, streams.Out)
			return err
		case format.Folder() && !strings.EqualFold(filepath.Ext(c.Out), ".zip"):
			if left, err := os.ReadDir(c.Out); err == nil && len(left) > 0 {
				return fmt.Errorf("--out: the folder %s has files already: name an empty folder, or a .zip", c.Out)
			}
			summary.Records, err = takeout.WriteFolder(ctx, service, annotator.System, request, c.Out)
		default:
			if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil); err != nil {
				return err
			}
			err = durable.Write(c.Out, func(w io.Writer) (err error) {
				summary.Records, err = takeout.Write(ctx, service, annotator.System, request, w)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", c.Out, err)
		}
		summary.Seconds = time.Since(start).Seconds()
		if c.JSON {
			return printJSON(streams.Out, summary)
		}
		_, err = fmt.Fprintf(streams.Out, "%s: %d %s in %.1f s\n", c.Out, summary.Records, c.What, summary.Seconds)
		return err
	})
}
