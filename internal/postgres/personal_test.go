package postgres_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// holdsOf says of every column of text, JSON or bytes what it holds, and so why removing a person changes it or not. A column that is
// added later fails TestEveryColumnIsKnownForWhatItHoldsOfPeople until it stands here; if it names people, it needs a statement in forget
// (personal.go), and TestNothingNamesARemovedPerson a row in it.
var holdsOf = map[string]string{
	"names of people, which are replaced":                                                                       "users.name users.email users.came_as audit.actor rounds.started_by_name uploads.uploaded_by_name",
	"secrets, and names of tokens and passkeys, which go":                                                       "users.password_hash second_factors.secret recovery_codes.hash passkeys.handle passkeys.credential passkeys.name tokens.hash tokens.name tokens.scopes",
	"detail is emptied where it is a token's name, or of a sign-in; else it is what people write of their work": "audit.detail",
	"what people write of their work, which stays as it is":                                                     "audit.subject tasks.skip_reason reviews.comment reviews.pins label_verdicts.comment label_verdicts.review_comment projects.name projects.description projects.slug rounds.idempotency_key",
	"what was made, and how":                                                                                    "edits.map edits.marks edits.provenance edits.before edits.after edit_histories.history",
	"names and facts of pictures":                                                                               "images.name images.group_name images.hash images.mask_hash images.broken images.source images.retired_why images.left_out image_clicks.places classes.key classes.name label_changes.was label_changes.became label_changes.left_out",
	"names and facts of networks": "versions.model_hash versions.extractor_hash versions.manifest versions.gain versions.figures versions.training versions.warnings uploads.name uploads.model_hash uploads.report uploads.manifest uploads.problem " +
		"segmenter.name segmenter.encoder_hash segmenter.decoder_hash predictions.top_classes predictions.top_values predictions.kept_classes predictions.probabilities predictions.map",
	"what a round or a job did": "rounds.settings rounds.progress rounds.result rounds.error rounds.unreadable round_events.body round_rows.images round_rows.judged_some round_rows.packed jobs.message jobs.phase jobs.report jobs.looked_until forecasts.edits forecasts.figures forecasts.answers scan_chunks.image_ids scan_chunks.claimed_by workers.id workers.host",
	"words of the program": "users.role memberships.role invitations.role invitation_projects.role audit.action tasks.state tasks.handed_by projects.mix queues.drawn edits.state edits.source reviews.verdict reviews.reasons reviews.rule draws.why images.split versions.state rounds.state uploads.state jobs.kind jobs.state round_events.kind round_events.arm " +
		"task_tallies.state image_tallies.split label_verdicts.state label_verdicts.says label_changes.cause projects.start_method projects.feedback segmenter.kind segmenter.pixels",
	"where somebody is signed in, which goes":                                                                                "user_sessions.browser user_sessions.system user_sessions.address",
	"a person's number, under a key that only the browser has; sessions end with the account":                                "sessions.token sessions.data",
	"of somebody who has no account yet, for seven days; goes when it is used, and when a person of that address is removed": "invitations.email",
	"whom an institution knows somebody as, which goes":                                                                      "identities.issuer identities.subject",
	"of a link": "invitations.hash",
	"another program's address, which stays with its holder's number: it is the project's, and sends nothing any more": "webhooks.url webhooks.secret",
	"what the program says of an address, and kinds of actions":                                                        "webhooks.kinds webhooks.off_why webhook_deliveries.problem",
	"nobody's: it makes the first person":                                                                              "setup_link.hash",
}

func column(t *testing.T, s *postgres.Store, sql string) []string {
	t.Helper()
	rows, err := s.Pool().Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ours is the condition of tables that migrations here make; River's jobs hold numbers (TestNothingNamesARemovedPerson reads them).
const ours = `table_schema = 'public' AND table_name NOT LIKE 'river%' AND table_name NOT LIKE 'goose%'`

func TestEveryColumnIsKnownForWhatItHoldsOfPeople(t *testing.T) {
	t.Parallel()
	s := pgtest.Store(t)
	known := map[string]bool{}
	for _, names := range holdsOf {
		for name := range strings.FieldsSeq(names) {
			if known[name] {
				t.Errorf("%s stands twice", name)
			}
			known[name] = true
		}
	}
	there := column(t, s, `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE `+ours+` AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY', 'inet')`)
	for _, name := range there {
		if !known[name] {
			t.Errorf("%s: may it name a person? Say it in holdsOf, and in internal/postgres/personal.go if it does", name)
		}
	}
	for name := range known {
		if !slices.Contains(there, name) {
			t.Errorf("%s is not there any more", name)
		}
	}
	refers := column(t, s, `
		SELECT conrelid::regclass::text || '.' || attname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
		WHERE contype = 'f' AND confrelid = 'users'::regclass`)
	for _, name := range refers {
		if !slices.Contains(postgres.PersonalColumns(), name) {
			t.Errorf("%s refers to people, and a person is not told of it: add it to personal (personal.go)", name)
		}
	}
	if len(refers) < 10 {
		t.Errorf("only %v refer to people", refers)
	}
}

// Once a person is removed who did everything that leaves something, no row of any table has their name or address, also where a project
// is closed or deleted; what they did is still there under their number.
func TestNothingNamesARemovedPerson(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx, s := t.Context(), w.Service
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const name, email = "Zenobia Quill", "zenobia.quill@example.org"
	zenobia, err := w.Store.InsertUser(ctx, annotator.User{Email: email, Name: name, Role: annotator.RoleAdmin, CreatedAt: w.Clock.Now()}, "no password")
	must(err)
	secret, _, err := s.CreateToken(ctx, annotator.System, zenobia.ID, annotator.NewToken{Name: name + "'s laptop", Scopes: []annotator.Scope{annotator.ScopeRead}, Days: 7})
	must(err)
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := w.Store.Pool().Exec(ctx, sql, args...)
		must(err)
	}
	task := func(slug string, who annotator.User, value float32) annotator.TaskDetail {
		t.Helper()
		d, err := s.NextTask(ctx, who, annotator.TaskFilter{Project: slug})
		must(err)
		e, err := s.SaveDraft(ctx, who, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(value)})
		must(err)
		d, err = s.Submit(ctx, who, d.ID, e.Revision)
		must(err)
		return d
	}
	work := func(slug string, project annotator.Project, images []annotator.Image) (returned annotator.TaskDetail) {
		approved := task(slug, zenobia, 0.5)
		_, err := s.Review(ctx, w.Reviewer, approved.Edit.ID, annotator.VerdictApprove, "")
		must(err)
		returned = task(slug, zenobia, 0.25)
		_, err = s.Review(ctx, w.Reviewer, returned.Edit.ID, annotator.VerdictReject, "too wide")
		must(err)
		judged := task(slug, w.Bob, 0.75)
		_, err = s.Review(ctx, zenobia, judged.Edit.ID, annotator.VerdictReject, "no")
		must(err)
		_, err = s.Retract(ctx, zenobia, judged.Edit.ID)
		must(err)
		label, err := s.ProposeLabel(ctx, w.Ada, images[5].ID, annotator.LabelProposal{Says: annotator.LabelIsNone, Comment: "a cat"})
		must(err)
		_, err = s.JudgeLabel(ctx, zenobia, label.ID, annotator.LabelConfirm, "")
		must(err)
		_, err = s.ProposeLabel(ctx, zenobia, images[6].ID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous})
		must(err)
		round, err := s.StartRound(ctx, zenobia, slug, recipe.Defaults(), "")
		must(err)
		_, err = s.CancelRound(ctx, zenobia, round.ID)
		must(err)
		exec(`INSERT INTO uploads (project_id, name, model_hash, bytes, report, uploaded_by, uploaded_by_name) VALUES ($1, 'm.onnx', $2, 1, '{}', $3, $4)`, project.ID, pgtest.Hash(5), zenobia.ID, name)
		return returned
	}
	held, err := s.ClaimTask(ctx, zenobia, work("birds", w.Project, w.Images).ID)
	must(err)
	other, _, _ := w.AnotherProject(t, "more")
	waiting := task("more", zenobia, 0.5)
	for _, slug := range []string{"closed", "deleted"} {
		p, _, images := w.AnotherProject(t, slug)
		work(slug, p, images)
		if slug == "closed" {
			_, err = s.CloseProject(ctx, zenobia, slug)
		} else {
			_, err = s.DeleteProject(ctx, zenobia, slug, p.Name)
		}
		must(err)
	}

	told := func() (all map[string]struct {
		Count int
		Rows  []map[string]any
	}) {
		t.Helper()
		var out bytes.Buffer
		must(s.PersonalData(ctx, w.Admin, zenobia.ID, &out))
		var raw map[string]json.RawMessage
		must(json.Unmarshal(out.Bytes(), &raw))
		delete(raw, "at")
		delete(raw, "account")
		again, err := json.Marshal(raw)
		must(err)
		must(json.Unmarshal(again, &all))
		return all
	}
	before := told()
	for _, kind := range []string{"tokens", "tasks", "edits", "reviews", "labels", "rounds", "uploads", "trail", "account_trail"} {
		if before[kind].Count == 0 || before[kind].Count != len(before[kind].Rows) {
			t.Errorf("told of %d %s in %d rows", before[kind].Count, kind, len(before[kind].Rows))
		}
	}
	for _, row := range before["labels"].Rows {
		if row["said"] == false && row["comment"] != nil {
			t.Errorf("told what somebody else said: %v", row)
		}
	}

	removed, err := s.RemovePerson(ctx, w.Admin, zenobia.ID, " Zenobia.Quill@Example.org ")
	must(err)
	want := fmt.Sprintf("Former member %d", zenobia.ID)
	if removed.Name != want || removed.RemovedAt == nil || !removed.Disabled || removed.LastSeenAt != nil {
		t.Errorf("removed: %+v", removed)
	}
	// Requests under way still have the old name.
	must(w.Store.InsertAudit(ctx, nil, zenobia, annotator.AuditEntry{At: w.Clock.Now(), Actor: name, Action: "user.change", Subject: "user 1"}))
	if _, err := w.Store.InsertToken(ctx, annotator.Token{UserID: zenobia.ID, Name: name, Scopes: annotator.AllScopes(), CreatedAt: w.Clock.Now(), ExpiresAt: w.Clock.Now()}, make([]byte, 32)); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("a token of a removed person: %v", err)
	}
	if _, err := s.NextTask(ctx, zenobia, annotator.TaskFilter{Project: "birds"}); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("a task of a removed person: %v", err)
	}
	for _, table := range column(t, w.Store, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`) {
		for _, row := range column(t, w.Store, `SELECT to_jsonb(t)::text FROM `+table+` t`) {
			for _, word := range []string{"zenobia", "quill"} {
				if strings.Contains(strings.ToLower(row), word) {
					t.Errorf("%s names the person still: %s", table, row)
				}
			}
		}
	}
	after := told()
	for _, kind := range []string{"edits", "reviews", "labels", "rounds", "uploads"} {
		if after[kind].Count != before[kind].Count {
			t.Errorf("%d %s are left of %d", after[kind].Count, kind, before[kind].Count)
		}
	}
	if n := before["trail"].Count + 1; after["trail"].Count != n || after["tokens"].Count != 0 {
		t.Errorf("%d lines of the trail, want %d; %d tokens", after["trail"].Count, n, after["tokens"].Count)
	}
	if _, _, err := s.UserByToken(ctx, secret); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("the token: %v", err)
	}
	// What the person held is everybody's, and so is what is rejected later.
	if d, err := s.ClaimTask(ctx, w.Ada, held.ID); err != nil || d.Edit == nil || d.Edit.Author != want {
		t.Errorf("the task that was held: %+v, %v", d.Edit, err)
	}
	if d, err := s.Review(ctx, w.Reviewer, waiting.Edit.ID, annotator.VerdictReject, "too wide"); err != nil || d.State != annotator.TaskOpen || d.ProjectID != other.ID {
		t.Errorf("what was rejected afterwards: %+v, %v", d.Task, err)
	}
	var open int
	must(w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM tasks WHERE author_id = $1 AND state IN ('leased', 'changes-requested')`, zenobia.ID).Scan(&open))
	if open != 0 {
		t.Errorf("%d tasks wait for somebody who is gone", open)
	}
	entries := column(t, w.Store, `SELECT actor || ' ' || action || ' ' || subject || detail FROM audit WHERE action = 'user.remove'`)
	if want := fmt.Sprintf("Grace user.remove user %d", zenobia.ID); len(entries) != 1 || entries[0] != want {
		t.Errorf("the trail says %q, want %q", entries, want)
	}
}
