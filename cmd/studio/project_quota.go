package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"text/tabwriter"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// projectQuotaCommand shows or says how much the files of projects may take.
type projectQuotaCommand struct {
	storageFlags
	Slug string   `arg:"" optional:"" help:"The project; without one, every project that has no quota of its own."`
	GB   *float64 `name:"gb" placeholder:"GB" xor:"quota" help:"Change it, in GB of 10⁹ bytes, such as 250 or 0.5."`
	None bool     `xor:"quota" help:"Take it away: a project then has the quota of every project, and that is what there is room for."`
	JSON bool     `name:"json" help:"Print one JSON document, in bytes."`
}

// Help says what a quota does, below the flags.
func (projectQuotaCommand) Help() string {
	return "Without --gb or --none nothing is changed. Beyond its quota a project takes no imports, models or rounds; nothing that it has is taken away, and painting and reviewing go on."
}

// Run changes the quota, if that is wanted, and says what is true now.
func (c *projectQuotaCommand) Run(ctx context.Context, streams *stdio) error {
	var bytes int64
	if c.GB != nil {
		if bytes = int64(math.Round(*c.GB * 1e9)); !(*c.GB*1e9 >= 1 && *c.GB*1e9 <= float64(annotator.MaxQuota)) {
			return fmt.Errorf("--gb %v: want a size above 0 and of at most %s; --none takes a quota away", *c.GB, text.Bytes(annotator.MaxQuota))
		}
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		if c.GB != nil || c.None {
			var err error
			if c.Slug == "" {
				err = service.SetDefaultQuota(ctx, annotator.System, bytes)
			} else {
				_, err = service.SetQuota(ctx, annotator.System, c.Slug, bytes)
			}
			if err != nil {
				return err
			}
		}
		if c.Slug == "" {
			return c.everyProject(ctx, streams, service)
		}
		space, err := service.ProjectSpace(ctx, annotator.System, c.Slug)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, space)
		}
		_, err = fmt.Fprintf(streams.Out, "%s has %s of %s.\n", space.Project, text.Bytes(space.Used()), quotaOf(space))
		return err
	})
}

// everyProject lists what projects have and may have.
func (c *projectQuotaCommand) everyProject(ctx context.Context, streams *stdio, service *annotator.Service) error {
	space, err := service.Space(ctx, annotator.System)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"default_quota": space.DefaultQuota, "projects": space.Projects})
	}
	of := "no quota"
	if space.DefaultQuota > 0 {
		of = text.Bytes(space.DefaultQuota)
	}
	table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "PROJECT\tHAS\tOF")
	for _, p := range space.Projects {
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.Project, text.Bytes(p.Used()), quotaOf(p))
	}
	return errors.Join(table.Flush(), func() error {
		_, err := fmt.Fprintf(streams.Out, "Projects without a quota of their own have %s.\n", of)
		return err
	}())
}

// quotaOf says what a project may have, and whose word that is.
func quotaOf(p annotator.ProjectSpace) string {
	switch {
	case p.OwnQuota > 0:
		return text.Bytes(p.OwnQuota)
	case p.Quota > 0:
		return text.Bytes(p.Quota) + " (every project's)"
	default:
		return "what there is room for"
	}
}
