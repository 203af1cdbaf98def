package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/abn-studio/studio/annotator"
)

// projectCommand manages projects.
type projectCommand struct {
	Create   projectCreateCommand   `cmd:"" help:"Make an empty project."`
	List     projectListCommand     `cmd:"" help:"List the projects with their counts."`
	Leakage  projectLeakageCommand  `cmd:"" help:"Show held-out images that are training images too, or look like one, and leave them out of measures."`
	Suspects projectSuspectsCommand `cmd:"" help:"List images whose labels are probably wrong."`
	Pack     projectPackCommand     `cmd:"" help:"Write a whole project as one archive that another studio reads."`
	Unpack   projectUnpackCommand   `cmd:"" help:"Make a project of an archive."`
	Close    projectCloseCommand    `cmd:"" help:"Put a project away: all of it can be read, and nothing in it changes."`
	Open     projectOpenCommand     `cmd:"" help:"Open a closed project again."`
	Delete   projectDeleteCommand   `cmd:"" help:"Delete a project; it can be restored for 30 days."`
	Restore  projectRestoreCommand  `cmd:"" help:"Bring back a deleted project."`
	Members  projectMembersCommand  `cmd:"" help:"List who takes part in a project, add somebody, or take somebody out."`
	Quota    projectQuotaCommand    `cmd:"" help:"Show or say how much the files of projects may take."`
	Start    projectStartCommand    `cmd:"" help:"Say what painters begin with: the model's own maps, or maps made of masks or clicks."`
}

type projectCreateCommand struct {
	storageFlags
	Slug        string `arg:"" help:"Name in addresses: lower-case letters, digits, hyphens."`
	Name        string `help:"Name on pages (default: the slug)."`
	Description string `help:"What the project is about."`
	Everybody   bool   `default:"true" negatable:"" help:"Everybody who has an account joins, with their role; with --no-everybody only admins see the project until they add members."`
	JSON        bool   `name:"json" help:"Print one JSON document."`
}

// Run makes the project.
func (c *projectCreateCommand) Run(ctx context.Context, streams *stdio) error {
	name := c.Name
	if name == "" {
		name = c.Slug
	}
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		p, err := service.MakeProject(ctx, annotator.System, annotator.NewProject{Slug: c.Slug, Name: name, Description: c.Description, Apart: !c.Everybody})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, p)
		}
		_, err = fmt.Fprintf(streams.Out, "Made the project %s (%s). Next: studio import, studio model add.\n", p.Slug, p.Name)
		return err
	})
}

type projectListCommand struct {
	storageFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run lists the projects.
func (c *projectListCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		projects, err := service.Projects(ctx, annotator.System, annotator.ProjectOpen)
		if err != nil {
			return err
		}
		if c.JSON {
			if projects == nil {
				projects = []annotator.ProjectSummary{}
			}
			return printJSON(streams.Out, map[string]any{"projects": projects})
		}
		table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "PROJECT\tNAME\tIMAGES\tOPEN\tIN REVIEW\tAPPROVED\tVERSION")
		for _, p := range projects {
			version := "none"
			if p.ActiveVersion != nil {
				version = fmt.Sprintf("v%d", p.ActiveVersion.Number)
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", p.Slug, p.Name, p.Images, p.OpenTasks, p.InReview, p.ApprovedEdits, version)
		}
		return table.Flush()
	})
}
