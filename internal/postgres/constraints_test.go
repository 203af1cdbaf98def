package postgres_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// The database itself refuses states and values that the domain does not allow, whatever program writes them.
func TestConstraints(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	approved := w.Approve(t, 0.75)
	d, err := w.Service.NextTask(ctx, w.Reviewer, annotator.TaskFilter{Project: "birds"})
	if err != nil {
		t.Fatal(err)
	}
	draft, err := w.Service.SaveDraft(ctx, w.Reviewer, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	candidate, err := w.Store.AddVersion(ctx, w.Project.ID, pgtest.NewVersion(1))
	if err != nil {
		t.Fatal(err)
	}

	refused(t, w, "versions_one_active", `UPDATE versions SET state = 'active', activated_at = now() WHERE id = $1`, candidate.ID)
	refused(t, w, "versions_one_active", `UPDATE versions SET state = 'archived', archived_at = now() WHERE id = $1`, w.Version.ID)
	refused(t, w, "versions_candidate_was_never_active", `UPDATE versions SET activated_at = now() WHERE id = $1`, candidate.ID)
	refused(t, w, "versions_keep_content", `UPDATE versions SET model_hash = $2 WHERE id = $1`, candidate.ID, pgtest.Hash(5))

	refused(t, w, "edits_append_only", `UPDATE edits SET map = $2 WHERE id = $1`, approved.ID, pgtest.Map(0).Bytes())
	refused(t, w, "edits_append_only", `UPDATE edits SET author_id = $2 WHERE id = $1`, approved.ID, w.Bob.ID)
	refused(t, w, "edits_append_only", `UPDATE edits SET after = '{}' WHERE id = $1`, approved.ID)
	refused(t, w, "edits_append_only", `DELETE FROM edits WHERE id = $1`, draft.ID)
	refused(t, w, "edits_append_only", `TRUNCATE edits CASCADE`)
	refused(t, w, "edits_state_order", `UPDATE edits SET state = 'taken-back', judged_at = NULL WHERE id = $1`, approved.ID)
	refused(t, w, "edits_judged_by_review", `UPDATE edits SET state = 'submitted', judged_at = NULL WHERE id = $1`, approved.ID)
	refused(t, w, "edits_judged_by_review", `UPDATE reviews SET taken_back_at = now(), taken_back_by = $2 WHERE edit_id = $1`, approved.ID, w.Admin.ID)
	refused(t, w, "edits_submitted_when", `UPDATE edits SET state = 'submitted' WHERE id = $1`, draft.ID)
	const insert = `INSERT INTO edits (task_id, revision, author_id, version_id, source, map_height, map_width, map) VALUES ($1, $2, $3, $4, 'painted', $5, $6, $7)`
	refused(t, w, "edits_revision_key", insert, d.ID, 1, w.Ada.ID, w.Version.ID, 2, 3, pgtest.Map(0).Bytes())
	refused(t, w, "edits_map_length", insert, d.ID, 2, w.Ada.ID, w.Version.ID, 2, 3, []byte{1, 2, 3, 4})
	refused(t, w, "edits_grid", insert, d.ID, 2, w.Ada.ID, w.Version.ID, 3, 2, pgtest.Map(0).Bytes())

	const review = `INSERT INTO reviews (edit_id, reviewer_id, verdict, comment) VALUES ($1, $2, $3, $4)`
	refused(t, w, "reviews_of_submitted", review, draft.ID, w.Admin.ID, "approve", "")
	if _, err := w.Service.Submit(ctx, w.Reviewer, d.ID, 1); err != nil {
		t.Fatal(err)
	}
	refused(t, w, "reviews_not_by_author", review, draft.ID, w.Reviewer.ID, "approve", "")
	refused(t, w, "edits_append_only", `UPDATE edits SET marks = '..?x.x' WHERE id = $1`, draft.ID)
	for _, marks := range []string{"..?", "......", "..?y..", " "} { // too few, none, another letter
		refused(t, w, "edits_marks", `INSERT INTO edits (task_id, revision, author_id, version_id, source, map_height, map_width, map, marks)
			SELECT task_id, 9, author_id, version_id, source, map_height, map_width, map, $2 FROM edits WHERE id = $1`, draft.ID, marks)
	}
	refused(t, w, "reviews_by_reviewer", review, draft.ID, w.Ada.ID, "approve", "")
	refused(t, w, "reviews_rejection_says_why", review, draft.ID, w.Admin.ID, "reject", " ")
	refused(t, w, "edits_judged_by_review", `UPDATE edits SET state = 'approved', judged_at = now() WHERE id = $1`, draft.ID)
	refused(t, w, "reviews_append_only", `UPDATE reviews SET verdict = 'reject', comment = 'x'`)
	refused(t, w, "reviews_append_only", `DELETE FROM reviews`)

	refused(t, w, "tasks_lease_of_holder", `UPDATE tasks SET lease_expires_at = now() WHERE state = 'open'`)
	refused(t, w, "tasks_lease_of_holder", `UPDATE tasks SET state = 'leased', author_id = $1 WHERE state = 'open'`, w.Ada.ID)
	refused(t, w, "tasks_reviewer_of_submitted", `UPDATE tasks SET reviewer_id = $1, lease_expires_at = now() WHERE state = 'open'`, w.Reviewer.ID)
	refused(t, w, "tasks_open_is_nobodys", `UPDATE tasks SET author_id = $1 WHERE state = 'open'`, w.Ada.ID)
	refused(t, w, "tasks_author_known", `UPDATE tasks SET state = 'leased', lease_expires_at = now() WHERE state = 'open'`)
	refused(t, w, "tasks_skipped_why", `UPDATE tasks SET state = 'skipped' WHERE state = 'open'`)
	refused(t, w, "tasks_one_per_slot", `INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence) SELECT project_id, image_id, version_id, 0, 1, 1 FROM tasks LIMIT 1`)
	refused(t, w, "predictions_map_length", `UPDATE predictions SET map = '\x00'`)
	refused(t, w, "audit_append_only", `DELETE FROM audit`)
	refused(t, w, "audit_append_only", `UPDATE audit SET actor = 'nobody'`)

	round, err := w.Service.StartRound(ctx, w.Admin, "birds", recipe.Defaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, "reviews_not_used", `UPDATE reviews SET taken_back_at = now(), taken_back_by = $2 WHERE edit_id = $1`, approved.ID, w.Admin.ID)
	refused(t, w, "rounds_one_running", `
		INSERT INTO rounds (project_id, number, settings, parent_version, started_by_name, last_image_id, edits, images)
		SELECT project_id, 2, settings, parent_version, '', 0, 1, 1 FROM rounds`)
	refused(t, w, "rounds_over_when", `UPDATE rounds SET state = 'cancelled' WHERE id = $1`, round.ID)
	refused(t, w, "rounds_state_order", `UPDATE rounds SET state = 'finished', started_at = now(), finished_at = now(), result = '{}' WHERE id = $1`, round.ID)
	refused(t, w, "rounds_error_of_failed", `UPDATE rounds SET state = 'failed', finished_at = $2 WHERE id = $1`, round.ID, time.Now())
	refused(t, w, "users_only_people_have_passwords", `UPDATE users SET generator = true WHERE id = $1`, w.Ada.ID)
}

// Every table says in the database what it is for.
func TestTablesAreDescribed(t *testing.T) {
	t.Parallel()
	pool := pgtest.Open(t)
	rows, err := pool.Query(t.Context(), `
		SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE 'river\_%' AND c.relname <> 'goose_db_version'
			AND obj_description(c.oid) IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		t.Errorf("table %s has no comment", name)
	}
}

// The words of states are the same in annotator and in the database's constraints, and so is the state of a new row.
func TestStatesAgree(t *testing.T) {
	t.Parallel()
	pool := pgtest.Open(t)
	statesAgree(t, pool, "tasks", annotator.TaskStates, annotator.TaskTransitions)
	statesAgree(t, pool, "edits", annotator.EditStates, annotator.EditTransitions)
	statesAgree(t, pool, "rounds", annotator.RoundStates, annotator.RoundTransitions)
	statesAgree(t, pool, "versions", annotator.VersionStates, annotator.VersionTransitions)
	statesAgree(t, pool, "uploads", annotator.UploadStates, annotator.UploadTransitions)
	statesAgree(t, pool, "jobs", annotator.JobStates, annotator.JobTransitions)
}

func statesAgree[S ~string](t *testing.T, pool *pgxpool.Pool, table string, states []S, all annotator.Transitions[S]) {
	t.Helper()
	var check, usual string
	if err := pool.QueryRow(t.Context(), `
		SELECT pg_get_constraintdef(c.oid), coalesce(d.column_default, '') FROM pg_constraint c
		JOIN information_schema.columns d ON d.table_schema = 'public' AND d.table_name = $1 AND d.column_name = 'state'
		WHERE c.conrelid = $1::text::regclass AND c.conname = $1 || '_state_check'`, table).Scan(&check, &usual); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	quoted := regexp.MustCompile(`'([^']*)'`)
	var words []S
	for _, found := range quoted.FindAllStringSubmatch(check, -1) {
		words = append(words, S(found[1]))
	}
	slices.Sort(words)
	if want := slices.Sorted(slices.Values(states)); !slices.Equal(words, want) {
		t.Errorf("%s: the database has the states %q, annotator %q", table, words, want)
	}
	if found := quoted.FindStringSubmatch(usual); found != nil && !all.Follows("", S(found[1])) {
		t.Errorf("%s: a new row is %s, which annotator's table has no event for", table, found[1])
	}
}

// The order of a round's states is the same in annotator and in the database's trigger.
func TestRoundStatesAgree(t *testing.T) {
	t.Parallel()
	pool := pgtest.Open(t)
	ctx := t.Context()
	if _, err := pool.Exec(ctx, `
		CREATE TABLE states (id int, state text);
		CREATE TRIGGER ordered BEFORE UPDATE OF state ON states FOR EACH ROW EXECUTE FUNCTION rounds_state_order()`); err != nil {
		t.Fatal(err)
	}
	states := annotator.RoundStates
	for i, from := range states {
		for j, to := range states {
			id := i*len(states) + j
			if _, err := pool.Exec(ctx, `INSERT INTO states VALUES ($1, $2)`, id, from); err != nil {
				t.Fatal(err)
			}
			_, err := pool.Exec(ctx, `UPDATE states SET state = $2 WHERE id = $1`, id, to)
			if may := annotator.RoundTransitions.Follows(from, to); from != to && may != (err == nil) {
				t.Errorf("a round that is %s may become %s: the domain says %v, the database %v", from, to, may, err)
			}
		}
	}
}
