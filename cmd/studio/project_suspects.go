package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/abn-studio/studio/annotator"
)

// projectSuspectsCommand lists images whose labels are probably wrong.
type projectSuspectsCommand struct {
	storageFlags
	Slug  string `arg:"" help:"The project, as 'studio project list' names it."`
	Limit int    `default:"50" help:"How many are listed, 1 to 1000."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// Help says how they are found, below the flags.
func (c *projectSuspectsCommand) Help() string {
	return "Suspect is a label where the versions are confident of another class, by what is usual for that class on images that they were not trained on (confident learning, arXiv 1911.00068). " +
		"The active version and up to four others are asked; more than half have to agree. People decide, on the page Labels. Who looked and found a label right says so there, and it is not listed again."
}

// Run lists them.
func (c *projectSuspectsCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		found, err := service.Suspects(ctx, annotator.System, c.Slug, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, found)
		}
		fmt.Fprintf(streams.Out, "%d labels are suspect, by %d versions.\n", found.Total, len(found.Versions))
		if found.Total == 0 {
			return nil
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "IMAGE\tNAME\tSPLIT\tLABEL\tSUGGESTED\tWHY")
		for _, s := range found.Suspects {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", s.Image.ID, s.Image.Name, s.Image.Split, s.LabelName, s.SuggestedName, s.Why(len(found.Versions)))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if rest := found.Total - len(found.Suspects); rest > 0 {
			fmt.Fprintf(streams.Out, "and %d more: --limit, --json\n", rest)
		}
		return nil
	})
}
