package main

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A command beside a running studio uses its database server; a second studio is refused.
func TestStateBesideAnotherStudio(t *testing.T) {
	t.Parallel()
	at := storageFlags{DataDir: embeddedtest.Folder(t)}
	first, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := at.open(t.Context(), discard(), false); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("a second studio: %v, want ErrInUse", err)
	}
	streams, _ := shell("")
	if err := (&projectCreateCommand{storageFlags: at, Slug: "birds"}).Run(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	service := annotator.NewService(annotator.ServiceConfig{Store: first.Store})
	if _, err := service.Project(t.Context(), annotator.System, "birds"); err != nil {
		t.Errorf("the first studio does not see the project: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
