package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
)

// importMapsCommand brings maps that were made elsewhere into a project.
type importMapsCommand struct {
	storageFlags
	Path        string `arg:"" type:"path" help:"The maps: .npz, .jsonl, .zip, one .npy or .png, or a folder of them, each called like its image."`
	Project     string `required:"" placeholder:"SLUG" help:"The project."`
	Author      string `help:"By whom the maps are, where the file does not say it (JSON Lines do). They cannot sign in."`
	State       string `help:"As what they come, where the file does not say it: ${enum}. Submitted ones wait for a reviewer, approved ones are learned from, drafts are what painters begin with." enum:"${broughtstates}" default:"submitted"`
	Reviewer    string `help:"Who judged approved or rejected ones, where the file does not say it (default: ${bringer})."`
	Made        string `help:"How they were made, where the file does not say it: ${enum}." enum:"${editsources}" default:"painted"`
	SkipUnknown bool   `help:"Leave out maps of images that the project does not have or that can have none."`
	DryRun      bool   `help:"Read and count, and change nothing."`
	JSON        bool   `name:"json" help:"Print the report as one JSON document."`
}

// Help says how maps find their images.
func (importMapsCommand) Help() string {
	return takeout.Naming
}

// Run brings them.
func (c *importMapsCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		if _, err := projectNamed(ctx, service, c.Project); err != nil {
			return err
		}
		report, err := takeout.Read(ctx, service, annotator.System, takeout.Import{Project: c.Project, Path: c.Path, SkipUnknown: c.SkipUnknown, Choices: annotator.BringChoices{
			Author: c.Author, State: annotator.EditState(c.State), Reviewer: c.Reviewer, Made: annotator.EditSource(c.Made), Look: c.DryRun}})
		var invalid *annotator.ValidationError
		if errors.As(err, &invalid) {
			switch invalid.Field {
			case "author":
				return fmt.Errorf("%s (--author NAME)", invalid.Message)
			case "maps":
				return errors.New(invalid.Message)
			}
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, report)
		}
		verb := "added"
		if c.DryRun {
			verb = "would be added"
		}
		fmt.Fprintf(streams.Out, "%d maps: %d %s, %d there already, %d of images that somebody has worked on, %d left out\n", report.Maps, report.Added, verb, report.Same, report.Kept, report.Unknown)
		if report.Above != "" {
			fmt.Fprintf(streams.Out, "  all maps lie in %s, which no image's name has: passed over\n", report.Above)
		}
		for _, line := range report.UnknownNames {
			fmt.Fprintf(streams.Out, "  left out: %s\n", line)
		}
		for _, name := range report.Names {
			fmt.Fprintf(streams.Out, "  worked on: %s\n", name)
		}
		return nil
	})
}
