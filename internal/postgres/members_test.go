package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/migrations"
)

// Everybody who had an account before memberships is a member of every project afterwards, as what they were; programs and whoever was
// removed are none.
func TestAnUpgradeMakesEverybodyAMember(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	w.AnotherProject(t, "boats")
	if _, err := w.Store.GeneratorUser(ctx, "a program"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.RemovePerson(ctx, w.Admin, w.Bob.ID, w.Bob.Email); err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(w.Store.Pool()), migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(ctx, 52); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(ctx); err != nil {
		t.Fatal(err)
	}
	for _, slug := range []string{"birds", "boats"} {
		members, err := w.Service.Members(ctx, w.Admin, slug)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]annotator.Role{}
		for _, m := range members {
			got[m.Name] = m.Role
			if m.AddedBy != "" {
				t.Errorf("%s was added by %s", m.Name, m.AddedBy)
			}
		}
		want := map[string]annotator.Role{"Grace": annotator.RoleLead, "Rose": annotator.RoleReviewer, "Ada": annotator.RoleAnnotator}
		if len(got) != len(want) || got["Grace"] != want["Grace"] || got["Rose"] != want["Rose"] || got["Ada"] != want["Ada"] {
			t.Errorf("%s has %v, want %v", slug, got, want)
		}
	}
}

// A purged project and a removed person have no memberships.
func TestMembershipsEnd(t *testing.T) {
	t.Parallel()
	s := pgtest.NewStudio(t)
	ctx := t.Context()
	count := func(sql string, of int64) (n int) {
		t.Helper()
		if err := s.Store.Pool().QueryRow(context.WithoutCancel(ctx), sql, of).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const ofUser, ofProject = `SELECT count(*) FROM memberships WHERE user_id = $1`, `SELECT count(*) FROM memberships WHERE project_id = $1`
	if count(ofUser, s.Bob.ID) == 0 || count(ofProject, s.Project.ID) == 0 {
		t.Fatal("nobody is a member of anything")
	}
	if _, err := s.Service.RemovePerson(ctx, s.Admin, s.Bob.ID, s.Bob.Email); err != nil {
		t.Fatal(err)
	}
	if n := count(ofUser, s.Bob.ID); n != 0 {
		t.Errorf("somebody who was removed is a member of %d projects", n)
	}
	if _, err := s.Service.DeleteProject(ctx, s.Admin, "birds", s.Project.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.Task(ctx, s.Ada, 1); err == nil {
		t.Error("a task of a deleted project is there")
	}
	if err := s.Service.PurgeProject(ctx, s.Admin, "birds", s.Project.Name); err != nil {
		t.Fatal(err)
	}
	if n := count(ofProject, s.Project.ID); n != 0 {
		t.Errorf("a purged project has %d members", n)
	}
}
