package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/backup"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/text"
)

// restoreCommand restores a backup.
type restoreCommand struct {
	storageFlags
	backupFlags
	Files bool `help:"Put back the files alone that the studio has lost: those that its rows name and that are missing or damaged. The database stays as it is, and the studio may run."`
	JSON  bool `name:"json" help:"Print one JSON document."`
}

// Help says what is left as it is.
func (restoreCommand) Help() string {
	return "The database must be empty: one with people or projects is refused, and so is one that a server is connected to. All rows come at once or not at all, once everything was compared with its hash. " +
		"A backup of an older release is restored as it was and then migrated."
}

// Run restores it.
func (c *restoreCommand) Run(ctx context.Context, streams *stdio) (err error) {
	place, opened, err := c.backupFlags.open(ctx)
	if err != nil {
		return damagedBackup(err)
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	if c.Files {
		return c.putBack(ctx, streams, opened)
	}
	log := warnings(streams.Err)
	s, err := c.reach(ctx, log, false)
	if errors.Is(err, embedded.ErrInUse) {
		return fmt.Errorf("a studio is running on that data folder: stop it first, or restore into another folder (--data): %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.openBlobs(ctx, c.BlobURL); err != nil {
		return err
	}
	start := time.Now()
	line := newProgressLine(streams.Err)
	done, err := opened.Restore(ctx, backup.Target{DSN: s.DSN, Blobs: s.Blobs, Log: log, Meter: line.meter()})
	line.done()
	if err != nil {
		return c.explain(err)
	}
	if c.JSON {
		return printJSON(streams.Out, map[string]any{
			"name": opened.Name, "rows": done.Contents.Rows(), "files": done.Contents.Blobs, "new_files": done.Files, "schema_before": done.From, "schema": done.To,
			"lost": orEmpty(done.Contents.Lost), "foreign": append([]string{}, done.Foreign...), "seconds": time.Since(start).Seconds(),
		})
	}
	fmt.Fprintf(streams.Out, "Restored backup %s: %d rows, %d files (%d of them new here, %s) in %.1f s. Every hash was compared.\n",
		opened.Name, done.Contents.Rows(), done.Contents.Blobs, done.Files, text.Bytes(done.Bytes), time.Since(start).Seconds())
	if done.From != done.To {
		fmt.Fprintf(streams.Out, "The database was migrated from schema %d to %d.\n", done.From, done.To)
	}
	if len(done.Foreign) > 0 {
		fmt.Fprintf(streams.Out, "Not restored, since they are not the studio's: tables %s.\n", strings.Join(done.Foreign, ", "))
	}
	printLost(streams, done.Contents.Lost)
	fmt.Fprintln(streams.Out, "Start the studio; everybody signs in again. People who were removed since the backup are to be removed again (studio user remove).")
	return nil
}

// explain gives a refusal the words of the command line, and a damaged backup its exit code.
func (c *restoreCommand) explain(err error) error {
	var used *postgres.UsedError
	if errors.As(err, &used) {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	return damagedBackup(err)
}

// putBack brings the files that the studio has lost.
func (c *restoreCommand) putBack(ctx context.Context, streams *stdio, opened *backup.Backup) error {
	return c.withStore(ctx, streams, func(s *storage, _ *annotator.Service) error {
		used, err := s.Store.ReferencedBlobs(ctx)
		if err != nil {
			return err
		}
		line := newProgressLine(streams.Err)
		files, bytes, err := opened.PutBack(ctx, backup.Target{Blobs: s.Blobs, Meter: line.meter()}, used)
		line.done()
		if err != nil {
			return damagedBackup(err)
		}
		if c.JSON {
			return printJSON(streams.Out, map[string]any{"name": opened.Name, "new_files": files, "bytes": bytes})
		}
		_, err = fmt.Fprintf(streams.Out, "Put back %d files (%s) of backup %s.\n", files, text.Bytes(bytes), opened.Name)
		return err
	})
}
