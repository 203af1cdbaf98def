package main

import (
	"context"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A project is closed, opened, deleted after its name was typed, and restored from the command line.
func TestProjectsArePutAwayByCommand(t *testing.T) {
	t.Parallel()
	at := storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}
	streams, _ := shell("")
	if err := (&projectCreateCommand{storageFlags: at, Slug: "birds", Name: "Birds of here"}).Run(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	of := projectEnd{storageFlags: at, Slug: "birds"}
	for _, step := range []struct {
		name    string
		command interface {
			Run(ctx context.Context, streams *stdio) error
		}
		says  string
		fails bool
	}{
		{"restore", &projectRestoreCommand{of}, "is not deleted", true},
		{"close", &projectCloseCommand{of}, "Birds of here is closed", false},
		{"close", &projectCloseCommand{of}, "closed already", true},
		{"delete", &projectDeleteCommand{of, "birds"}, "type the project's name, Birds of here", true},
		{"delete", &projectDeleteCommand{of, "Birds of here"}, "studio project restore birds brings it back", false},
		{"open", &projectOpenCommand{of}, "not found", true},
		{"restore", &projectRestoreCommand{of}, "is back, and closed", false},
		{"open", &projectOpenCommand{of}, "is open again", false},
	} {
		streams, out := shell("")
		err := step.command.Run(t.Context(), streams)
		said := out.String()
		if err != nil {
			said = err.Error()
		}
		if (err != nil) != step.fails || !strings.Contains(said, step.says) {
			t.Errorf("project %s: %q, %v; want it to say %q", step.name, out, err, step.says)
		}
	}
}
