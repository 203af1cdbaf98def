package postgres_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"

	"github.com/google/go-cmp/cmp"
)

// Each release keeps a dump of its database, which is made by
//
//	go test ./internal/postgres -run TestDump -dump 0.1.0
//
// with a pg_dump that is as new as the server; STUDIO_PG_BIN names a folder that has both.
var dumpAs = flag.String("dump", "", "write testdata/schema-VERSION.sql for this version")

// TestDump writes a database with some of everything that the studio stores.
func TestDump(t *testing.T) {
	if *dumpAs == "" {
		t.Skip("a release makes its dump; see -dump")
	}
	w := pgtest.NewWorld(t)
	fill(t, w)
	config := w.Store.Pool().Config().ConnConfig
	command := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("STUDIO_PG_BIN"), "pg_dump"), "--no-owner", "--no-privileges", "--inserts",
		"--host", config.Host, "--port", fmt.Sprint(config.Port), "--username", config.User, config.Database)
	command.Env = append(os.Environ(), "PGPASSWORD="+config.Password)
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^(\\.*|--.*)?\n`).ReplaceAll(text, nil) // psql's own commands, comments, empty lines
	if err := os.WriteFile(filepath.Join("testdata", "schema-"+*dumpAs+".sql"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// fill gives a project an approved edit and a rejected one, a skipped task and a draft, a round and its candidate, an uploaded model, a
// token, a broken image, and jobs.
func fill(t *testing.T, w *pgtest.World) {
	t.Helper()
	ctx := t.Context()
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Approve(t, 0.75)
	rejected, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: "birds"})
	try(err)
	edit, err := w.Service.SaveDraft(ctx, w.Ada, rejected.ID, annotator.Draft{Source: annotator.SourceModel, Map: pgtest.Map(0.5), History: json.RawMessage(`{"strokes":[1]}`)})
	try(err)
	_, err = w.Service.Submit(ctx, w.Ada, rejected.ID, edit.Revision)
	try(err)
	_, err = w.Service.Review(ctx, w.Reviewer, edit.ID, annotator.VerdictReject, "the beak is missing")
	try(err)
	skipped, err := w.Service.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"})
	try(err)
	try(w.Service.Skip(ctx, w.Bob, skipped.ID, "blurred"))
	draft, err := w.Service.NextTask(ctx, w.Bob, annotator.TaskFilter{Project: "birds"})
	try(err)
	_, err = w.Service.SaveDraft(ctx, w.Bob, draft.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.25)})
	try(err)
	_, err = w.Service.SeedEdits(ctx, annotator.System, w.Version.ID, "Mask generator", "Mask reviewer", []annotator.SeedEdit{{ImageID: w.Images[7].ID, Map: pgtest.Map(1)}})
	try(err)

	claim, _, err := w.Store.ClaimRound(ctx, startRound(t, w).ID)
	try(err)
	var unreadable annotator.Unreadable
	unreadable.Add(w.Images[5], "cut off")
	try(w.Store.SetUnreadable(ctx, claim, unreadable))
	try(w.Store.AddRoundPoints(ctx, claim, []annotator.RoundPoint{{Arm: arms.Candidate, Step: 10, LossMap: 0.5}}))
	_, err = w.Service.FinishRound(ctx, claim, pgtest.NewVersion(1), annotator.RoundResult{Headline: "Maps helped.", Split: annotator.SplitTest, Images: 4}, annotator.RoundRows{})
	try(err)
	startRound(t, w) // waits for a worker

	upload, err := w.Store.InsertUpload(ctx, annotator.Upload{ProjectID: w.Project.ID, Name: "sent.onnx", ModelHash: pgtest.Hash(2000), Bytes: 5}, w.Admin)
	try(err)
	_, err = w.Store.InsertToken(ctx, annotator.Token{
		UserID: w.Ada.ID, Name: "script", Scopes: []annotator.Scope{annotator.ScopeRead}, CreatedAt: w.Clock.Now(), ExpiresAt: w.Clock.Now().Add(time.Hour),
	}, fmt.Appendf(nil, "%032d", upload.ID))
	try(err)
	_, err = w.Store.EnqueueEvaluate(ctx, w.Version.ID)
	try(err)
	try(w.Store.Heartbeat(ctx, annotator.Worker{ID: "worker-1", Host: "here", PID: 1}))
}

// TestEveryReleaseHasADump finds a release whose database nobody kept: TestUpgrade, and the backup's TestEveryRelease, would pass it by.
func TestEveryReleaseHasADump(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(fixture.Root(), "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	releases := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindAllStringSubmatch(string(text), -1)
	if len(releases) == 0 {
		t.Fatal("CHANGELOG.md has no release")
	}
	for _, release := range releases {
		if _, err := os.Stat(filepath.Join("testdata", "schema-"+release[1]+".sql")); err != nil {
			t.Errorf("release %s has no dump of its database: %v (see -dump)", release[1], err)
		}
	}
}

// TestUpgrade migrates the database of every release to the newest schema. The store reads what was in it, work in progress can be
// continued, and the schema equals that of a new database.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dumps, err := filepath.Glob("testdata/schema-*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no dumps of releases: %v", err)
	}
	for _, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(dump)
			if err != nil {
				t.Fatal(err)
			}
			dsn := pgtest.EmptyDSN(t)
			execute(t, dsn, string(text))
			if err := postgres.Migrate(t.Context(), dsn, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			store, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)
			readsOn(t, store)
			if diff := cmp.Diff(schema(t, pgtest.DSN(t)), schema(t, dsn)); diff != "" {
				t.Errorf("the schema of a new database, and of this one (+):\n%s", diff)
			}
		})
	}
}

// readsOn checks what fill made, and continues the work.
func readsOn(t *testing.T, store *postgres.Store) {
	t.Helper()
	ctx := t.Context()
	tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) } // Bob's lease is over, whenever this is run
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Clock: tomorrow})
	users, err := service.Users(ctx, annotator.System)
	if err != nil {
		t.Fatal(err)
	}
	person := map[string]annotator.User{}
	for _, u := range users {
		person[u.Name] = u
	}
	project, err := service.Project(ctx, person["Grace"], "birds")
	if err != nil || len(project.Classes) != 3 {
		t.Fatalf("the project: %+v, %v", project, err)
	}
	page, err := service.Tasks(ctx, person["Ada"], annotator.TaskFilter{Project: "birds", Limit: 60})
	if err != nil {
		t.Fatal(err)
	}
	states := map[annotator.TaskState]int{}
	for _, card := range page.Tasks {
		states[card.State]++
		if card.State != annotator.TaskChangesRequested {
			continue
		}
		d, err := service.Task(ctx, person["Ada"], card.ID)
		if err != nil || d.Edit == nil || !d.Edit.Map.Equal(pgtest.Map(0.5)) || string(d.Edit.History) != `{"strokes":[1]}` || d.Edit.Before == nil ||
			len(d.Reviews) != 1 || d.Reviews[0].Comment != "the beak is missing" {
			t.Errorf("the returned task: %+v, %v", d, err)
		}
	}
	want := map[annotator.TaskState]int{annotator.TaskApproved: 2, annotator.TaskChangesRequested: 1, annotator.TaskSkipped: 1, annotator.TaskOpen: 4}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("tasks by state:\n%s", diff)
	}
	rounds, err := service.Rounds(ctx, person["Grace"], "birds")
	if err != nil || len(rounds) != 2 || rounds[0].State != annotator.RoundQueued || rounds[1].State != annotator.RoundFinished ||
		rounds[1].Result.Headline != "Maps helped." || rounds[1].Unreadable.Count != 1 || rounds[1].Settings.Epochs == 0 {
		t.Fatalf("rounds: %+v, %v", rounds, err)
	}
	if err := rounds[1].Settings.Validate(recipe.FineTuning); err != nil {
		t.Errorf("the round's settings: %v", err)
	}
	follow, err := service.FollowRound(ctx, person["Grace"], rounds[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := follow(ctx, 0); err != nil || len(events) == 0 {
		t.Errorf("the round's events: %v, %v", events, err)
	}
	versions, err := service.Versions(ctx, person["Grace"], "birds")
	if err != nil || len(versions) != 2 || !slices.ContainsFunc(versions, func(v annotator.Version) bool { return v.State == annotator.VersionActive }) {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	if tokens, err := service.Tokens(ctx, person["Ada"], person["Ada"].ID); err != nil || len(tokens) != 1 || tokens[0].Name != "script" {
		t.Errorf("Ada's tokens: %+v, %v", tokens, err)
	}
	if u, err := store.Upload(ctx, 1); err != nil || u.Name != "sent.onnx" || u.State != annotator.UploadInspected {
		t.Errorf("the upload: %+v, %v", u, err)
	}
	if trail, err := service.Audit(ctx, person["Grace"], "birds", 0); err != nil || len(trail) < 10 {
		t.Errorf("the trail has %d lines, %v", len(trail), err)
	}
	if jobs, err := service.Jobs(ctx, person["Grace"], "birds"); err != nil || len(jobs) < 3 {
		t.Errorf("jobs: %+v, %v", jobs, err)
	}

	d, err := service.NextTask(ctx, person["Ada"], annotator.TaskFilter{Project: "birds"})
	if err != nil || d.State != annotator.TaskLeased || d.Edit == nil {
		t.Fatalf("Ada goes on with %+v, %v", d, err)
	}
	if _, err := service.SaveDraft(ctx, person["Ada"], d.ID, annotator.Draft{BaseRevision: d.Edit.Revision, Source: annotator.SourcePainted, Map: pgtest.Map(0.75)}); err != nil {
		t.Errorf("her next revision: %v", err)
	}
	in, err := store.RoundInputs(ctx, rounds[0].ID)
	if err != nil || in.Round.Edits != 2 {
		t.Errorf("the waiting round: %+v, %v", in.Round, err)
	}
	if _, _, err := store.ClaimRound(ctx, rounds[0].ID); err != nil {
		t.Errorf("a worker takes the waiting round: %v", err)
	}
}

// execute runs a script on a connection of its own, since a dump changes its connection's settings.
func execute(t *testing.T, dsn, script string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
}

// schema lists a database's columns, constraints, indexes, triggers and functions.
func schema(t *testing.T, dsn string) []string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `
		SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
			FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT format('%s: %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
			WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
			WHERE c.relnamespace = 'public'::regnamespace AND NOT tgisinternal
		UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
