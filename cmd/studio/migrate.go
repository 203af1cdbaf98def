package main

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// migrateCommand brings the database to the newest schema. Every other command does that too; this one does nothing else, for
// deployments that migrate before they start the studio.
type migrateCommand struct {
	storageFlags
}

// Run opens the state, which migrates it.
func (c *migrateCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(*storage, *annotator.Service) error {
		_, err := fmt.Fprintln(streams.Out, "The database is up to date.")
		return err
	})
}
