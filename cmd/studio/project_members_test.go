package main

import (
	"context"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// Members and quotas of a project are changed from the command line; what is wrong is refused in its words.
func TestMembersAndQuotasByCommand(t *testing.T) {
	t.Parallel()
	at := storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}
	streams, _ := shell("a long enough password")
	if err := (&userAddCommand{storageFlags: at, Email: "mia@example.org", Name: "Mia", Role: string(annotator.RoleAnnotator)}).Run(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	if err := (&projectCreateCommand{storageFlags: at, Slug: "birds"}).Run(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	gb := func(size float64) *float64 { return &size }
	for _, step := range []struct {
		name    string
		command interface {
			Run(ctx context.Context, streams *stdio) error
		}
		says  string
		fails bool
	}{
		{"nobody yet", &projectMembersCommand{storageFlags: at, Slug: "birds"}, "ADDRESS  NAME  ROLE\n", false},
		{"a member", &projectMembersCommand{storageFlags: at, Slug: "birds", Add: "Mia@example.org"}, "mia@example.org  Mia   annotator", false},
		{"another role", &projectMembersCommand{storageFlags: at, Slug: "birds", Add: "mia@example.org", Role: annotator.RoleLead}, "Mia   lead", false},
		{"a stranger", &projectMembersCommand{storageFlags: at, Slug: "birds", Add: "who@example.org"}, "nobody in this studio has that address", true},
		{"no project", &projectMembersCommand{storageFlags: at, Slug: "boats"}, "studio project create boats", true},
		{"a role of nobody", &projectMembersCommand{storageFlags: at, Slug: "birds", Role: annotator.RoleLead}, "--add", true},
		{"out", &projectMembersCommand{storageFlags: at, Slug: "birds", Remove: "mia@example.org"}, "ROLE\n", false},
		{"out again", &projectMembersCommand{storageFlags: at, Slug: "birds", Remove: "mia@example.org"}, "no member of project birds has that address", true},
		{"no quota", &projectQuotaCommand{storageFlags: at, Slug: "birds"}, "birds has 0 B of what there is room for", false},
		{"every project's", &projectQuotaCommand{storageFlags: at, GB: gb(2)}, "2.00 GB (every project's)", false},
		{"its own", &projectQuotaCommand{storageFlags: at, Slug: "birds", GB: gb(0.5)}, "birds has 0 B of 500.0 MB.", false},
		{"none of its own", &projectQuotaCommand{storageFlags: at, Slug: "birds", None: true}, "birds has 0 B of 2.00 GB (every project's)", false},
		{"nothing", &projectQuotaCommand{storageFlags: at, Slug: "birds", GB: gb(0)}, "--none takes a quota away", true},
		{"no project", &projectQuotaCommand{storageFlags: at, Slug: "boats", GB: gb(1)}, "not found", true},
	} {
		streams, out := shell("")
		err := step.command.Run(t.Context(), streams)
		said := out.String()
		if err != nil {
			said = err.Error()
		}
		if (err != nil) != step.fails || !strings.Contains(said, step.says) {
			t.Errorf("%s: %q, %v; want it to say %q", step.name, out, err, step.says)
		}
	}
}
