package main

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// projectEnd is a project that is put away or brought back.
type projectEnd struct {
	storageFlags
	Slug string `arg:"" help:"The project."`
	JSON bool   `name:"json" help:"Print the project as one JSON document."`
}

// run does it and says what is true afterwards.
func (c *projectEnd) run(ctx context.Context, streams *stdio, do func(*annotator.Service) (annotator.Project, error), says func(annotator.Project) string) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		p, err := do(service)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, p)
		}
		_, err = fmt.Fprintln(streams.Out, says(p))
		return err
	})
}

type projectCloseCommand struct{ projectEnd }

// Run closes the project.
func (c *projectCloseCommand) Run(ctx context.Context, streams *stdio) error {
	return c.run(ctx, streams, func(s *annotator.Service) (annotator.Project, error) {
		return s.CloseProject(ctx, annotator.System, c.Slug)
	}, func(p annotator.Project) string {
		return fmt.Sprintf("%s is closed: all of it can be read. studio project open %s opens it again.", p.Name, p.Slug)
	})
}

type projectOpenCommand struct{ projectEnd }

// Run opens the project.
func (c *projectOpenCommand) Run(ctx context.Context, streams *stdio) error {
	return c.run(ctx, streams, func(s *annotator.Service) (annotator.Project, error) {
		return s.ReopenProject(ctx, annotator.System, c.Slug)
	}, func(p annotator.Project) string { return p.Name + " is open again." })
}

type projectDeleteCommand struct {
	projectEnd
	Name string `required:"" help:"The project's name, typed once more, so that no other one is deleted."`
}

// Run deletes the project.
func (c *projectDeleteCommand) Run(ctx context.Context, streams *stdio) error {
	return c.run(ctx, streams, func(s *annotator.Service) (annotator.Project, error) {
		return s.DeleteProject(ctx, annotator.System, c.Slug, c.Name)
	}, func(p annotator.Project) string {
		return fmt.Sprintf("%s is deleted. Until %s studio project restore %s brings it back.", p.Name, p.PurgesAt().Format(time.DateOnly), p.Slug)
	})
}

type projectRestoreCommand struct{ projectEnd }

// Run brings the project back.
func (c *projectRestoreCommand) Run(ctx context.Context, streams *stdio) error {
	return c.run(ctx, streams, func(s *annotator.Service) (annotator.Project, error) {
		return s.RestoreProject(ctx, annotator.System, c.Slug)
	}, func(p annotator.Project) string { return fmt.Sprintf("%s is back, and %s.", p.Name, p.State()) })
}
