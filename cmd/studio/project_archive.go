package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/archive"
	"github.com/abn-studio/studio/internal/durable"
)

// projectPackCommand writes a whole project as one archive.
type projectPackCommand struct {
	storageFlags
	Slug        string `arg:"" help:"The project."`
	Out         string `required:"" type:"path" placeholder:"FILE" help:"Where to; - is the standard output."`
	ByReference bool   `help:"Leave out the images' files, and name them by their SHA-256: for a studio that has them, or beside the folder that they came from."`
	Anonymous   bool   `help:"Call people Annotator 1 and so on, without their addresses: to publish it. What they wrote stays as it is."`
	JSON        bool   `name:"json" help:"Print the archive's description as one JSON document."`
}

// Run writes it. The file gets its name only when it is complete.
func (c *projectPackCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		if _, err := projectNamed(ctx, service, c.Slug); err != nil {
			return err
		}
		request := archive.Request{Project: c.Slug, PackChoices: annotator.PackChoices{Pictures: !c.ByReference, Anonymous: c.Anonymous}, Studio: cmp.Or(version, "development"), Now: time.Now()}
		if c.Out == "-" {
			_, err := archive.Write(ctx, service, annotator.System, request, streams.Out)
			return err
		}
		if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil); err != nil {
			return err
		}
		start := time.Now()
		var about archive.About
		err := durable.Write(c.Out, func(w io.Writer) (err error) {
			about, err = archive.Write(ctx, service, annotator.System, request, w)
			return err
		})
		if err != nil {
			return fmt.Errorf("writing %s: %w", c.Out, err)
		}
		if c.JSON {
			return printJSON(streams.Out, about)
		}
		fmt.Fprintf(streams.Out, "%s: %d images, %d edits, %d files of %d MiB in %.1f s\n", c.Out, about.Tables[annotator.ArchiveImages].Rows, about.Tables["edits"].Rows, about.Files, about.Bytes>>20, time.Since(start).Seconds())
		for _, m := range about.Missing {
			fmt.Fprintf(streams.Out, "  missing here already: %s (%s)\n", m.Use, m.SHA256)
		}
		return nil
	})
}

// projectUnpackCommand makes a project of an archive.
type projectUnpackCommand struct {
	storageFlags
	File   string `arg:"" type:"existingfile" help:"The archive, as an Export page or project pack writes it."`
	Slug   string `help:"The project's name in addresses (default: the archive's)."`
	Name   string `help:"Its name on pages (default: the archive's)."`
	Images string `type:"existingdir" placeholder:"DIR" help:"Where the images are that the archive has by reference, by their names."`
	JSON   bool   `name:"json" help:"Print the project as one JSON document."`
}

// Help says who comes along.
func (projectUnpackCommand) Help() string {
	return "People are found by their e-mail addresses; who is not here comes in as a name that cannot sign in."
}

// Run makes it.
func (c *projectUnpackCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(_ *storage, service *annotator.Service) error {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		opened, err := archive.Open(filepath.Base(c.File), file, info.Size())
		if err != nil {
			return inFlags(err)
		}
		project, err := service.UnpackProject(ctx, annotator.System, c.Slug, c.Name, opened.With(c.Images, nil))
		if err != nil {
			return inFlags(err)
		}
		if c.JSON {
			return printJSON(streams.Out, project)
		}
		_, err = fmt.Fprintf(streams.Out, "Made the project %s (%s) of %s: %d images, %d edits.\n", project.Slug, project.Name, c.File,
			opened.About.Tables[annotator.ArchiveImages].Rows, opened.About.Tables["edits"].Rows)
		return err
	})
}

// inFlags is a refusal in the words of the command line.
func inFlags(err error) error {
	var invalid *annotator.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	if invalid.Field == "slug" || invalid.Field == "name" {
		return fmt.Errorf("--%s: %s", invalid.Field, invalid.Message)
	}
	return errors.New(invalid.Message)
}
