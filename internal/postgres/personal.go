package postgres

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// personalRows is a kind of rows that name people.
type personalRows struct {
	kind string
	by   []string // the columns that name them, of the table t
	from string
	what string // columns of the answer
}

// inItsProject joins a row's project, whose slug is in the answer.
const inItsProject = ` LEFT JOIN projects p ON p.id = t.project_id`

// personal are the rows that name people by their number, with what a person is told of them. Words of others are left out: a person who
// judged a label is not told what its author said. A test holds every reference to users to this list.
var personal = []personalRows{
	{"tokens", []string{"tokens.user_id"}, "tokens t", "t.id, t.name, t.scopes, t.created_at, t.expires_at, t.last_used_at, t.revoked_at"},
	{"tasks", []string{"tasks.author_id", "tasks.reviewer_id", "tasks.assigned_to", "tasks.assigned_before", "tasks.painter_id"}, "tasks t" + inItsProject,
		"t.id, p.slug AS project, t.image_id, t.state, t.slot, coalesce(t.author_id = $1, false) OR coalesce(t.painter_id = $1, false) AS painted, t.reviewer_id = $1 AS reviews, t.assigned_to = $1 AS assigned, CASE WHEN t.author_id = $1 THEN t.skip_reason END AS skip_reason, t.submitted_at, t.created_at, t.updated_at"},
	{"edits", []string{"edits.author_id"}, "edits t JOIN tasks k ON k.id = t.task_id LEFT JOIN projects p ON p.id = k.project_id",
		"t.id, p.slug AS project, t.task_id, t.revision, t.state, t.source, t.provenance, t.created_at, t.submitted_at, t.judged_at"},
	{"reviews", []string{"reviews.reviewer_id", "reviews.taken_back_by"}, "reviews t JOIN edits e ON e.id = t.edit_id JOIN tasks k ON k.id = e.task_id LEFT JOIN projects p ON p.id = k.project_id",
		"t.id, p.slug AS project, t.edit_id, t.reviewer_id = $1 AS judged, CASE WHEN t.reviewer_id = $1 THEN t.verdict END AS verdict, CASE WHEN t.reviewer_id = $1 THEN t.comment END AS comment, CASE WHEN t.reviewer_id = $1 THEN t.reasons END AS reasons, CASE WHEN t.reviewer_id = $1 THEN t.pins END AS pins, t.created_at, t.taken_back_at"},
	{"labels", []string{"label_verdicts.author_id", "label_verdicts.reviewer_id"}, "label_verdicts t" + inItsProject,
		"t.id, p.slug AS project, t.image_id, t.author_id = $1 AS said, t.state, t.says, t.class, CASE WHEN t.author_id = $1 THEN t.comment END AS comment, t.created_at, CASE WHEN t.reviewer_id = $1 THEN t.review_comment END AS review_comment, t.judged_at"},
	{"rounds", []string{"rounds.started_by"}, "rounds t" + inItsProject, "t.id, p.slug AS project, t.number, t.state, t.started_by_name, t.created_at, t.finished_at"},
	{"uploads", []string{"uploads.uploaded_by"}, "uploads t" + inItsProject, "t.id, p.slug AS project, t.name, t.state, t.uploaded_by_name, t.created_at"},
	{"memberships", []string{"memberships.user_id", "memberships.added_by"}, "(SELECT m.*, m.project_id AS id FROM memberships m) t" + inItsProject,
		"p.slug AS project, t.user_id = $1 AS member, CASE WHEN t.user_id = $1 THEN t.role END AS role, t.added_by = $1 AS added, t.added_at"},
	{"sessions", []string{"user_sessions.user_id"}, "user_sessions t", "t.id, t.began_at, t.seen_at, t.expires_at, t.browser, t.system, t.address"},
	{"invitations", []string{"invitations.invited_by"}, "invitations t" + inItsProject, "t.id, p.slug AS project, t.role, t.created_at, t.expires_at"}, // whom they invited is another's
	{"webhooks", []string{"webhooks.held_by"}, "webhooks t" + inItsProject, "t.id, p.slug AS project, t.url, t.created_at, t.off_at"},
	{"trail", []string{"audit.actor_id"}, "audit t" + inItsProject, "t.id, p.slug AS project, t.at, t.actor, t.action, t.subject, t.detail"},
}

// PersonalData implements annotator.PersonalStore. The rows are of one snapshot.
func (s *Store) PersonalData(ctx context.Context, userID int64, row func(kind string, row []byte) error) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return wrap(unlessAway(err), "reading what names user %d", userID)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	each := func(kind, sql string) error {
		if err := row(kind, nil); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT row_to_json(x)::text FROM (`+sql+`) x`, userID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(kind, rows.RawValues()[0]); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	for _, of := range personal {
		if err := each(of.kind, `SELECT `+of.what+` FROM `+of.from+` WHERE `+of.where()+` ORDER BY t.id`); err != nil {
			return wrap(unlessAway(err), "reading the %s of user %d", of.kind, userID)
		}
	}
	// What others did to the account, and the address with which the person came in an archive.
	for _, of := range [][2]string{
		{"account_trail", `SELECT id, at, action, detail FROM audit WHERE subject = 'user ' || $1::bigint ORDER BY id`},
		{"came_as", `SELECT came_as AS email FROM users WHERE id = $1 AND came_as <> ''`},
	} {
		if err := each(of[0], of[1]); err != nil {
			return wrap(unlessAway(err), "reading the %s of user %d", of[0], userID)
		}
	}
	return nil
}

// where is the condition of rows t that name the person $1.
func (p personalRows) where() (condition string) {
	for i, column := range p.by {
		if i > 0 {
			condition += " OR "
		}
		condition += "t." + columnOf(column) + " = $1"
	}
	return condition
}

// columnOf is the column of "table.column".
func columnOf(name string) string {
	_, column, _ := strings.Cut(name, ".")
	return column
}

// forget are the statements that put a pseudonym ($2) in the place of a person's ($1) name, end what they can sign in with, and make
// everybody's what was theirs to paint. What
// people write (comments, names of files and projects) is left as it is. A test holds every column of text to what is known of it.
var forget = []string{
	`UPDATE audit SET actor = $2 WHERE actor_id = $1`,
	`UPDATE audit SET detail = '' WHERE subject = 'user ' || $1::bigint AND action LIKE 'token.%'`,
	`UPDATE audit SET detail = '' WHERE (actor_id = $1 OR subject = 'user ' || $1::bigint) AND action LIKE 'session.%'`,
	`UPDATE rounds SET started_by_name = $2 WHERE started_by = $1`,
	`UPDATE tasks SET assigned_to = NULL, assigned_at = NULL WHERE assigned_to = $1`,
	`UPDATE tasks SET assigned_before = NULL WHERE assigned_before = $1`,
	`UPDATE uploads SET uploaded_by_name = $2 WHERE uploaded_by = $1`,
}

// RemovePerson implements annotator.PersonalStore.
func (s *Store) RemovePerson(ctx context.Context, userID int64, pseudonym string, at time.Time) (annotator.User, error) {
	var user annotator.User
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `SELECT set_config('studio.purging', 'on', true)`); err != nil {
			return err
		}
		// Rows that refer to the person wait for this lock, and are added under the pseudonym (migration 41).
		if _, err := one(ctx, tx, pgx.RowTo[int64], `SELECT id FROM users WHERE id = $1 FOR UPDATE`, userID); err != nil {
			return err
		}
		// What they invite to, and what they are invited to.
		if _, err := tx.q.Exec(ctx, `DELETE FROM invitations WHERE invited_by = $1 OR lower(email) = (SELECT lower(email) FROM users WHERE id = $1)`, userID); err != nil {
			return err
		}
		var err error
		user, err = one(ctx, tx, scanUser, `
			WITH nobody AS (SELECT 'former-' || gen_random_uuid() || '@removed.invalid' AS address) -- a domain that can never exist (RFC 2606)
			UPDATE users SET name = $2, email = address, came_as = CASE WHEN came_as = '' THEN '' ELSE address END,
				password_hash = NULL, disabled = true, last_seen_at = NULL, removed_at = $3
			FROM nobody WHERE id = $1 RETURNING `+userColumns, userID, pseudonym, at)
		if err != nil {
			return err
		}
		for _, statement := range forget {
			args := []any{userID, pseudonym}
			if !strings.Contains(statement, "$2") {
				args = args[:1]
			}
			if _, err := tx.q.Exec(ctx, statement, args...); err != nil {
				return err
			}
		}
		for _, statement := range []string{`DELETE FROM tokens WHERE user_id = $1`, `DELETE FROM user_sessions WHERE user_id = $1`, `DELETE FROM memberships WHERE user_id = $1`} {
			if _, err := tx.q.Exec(ctx, statement, userID); err != nil {
				return err
			}
		}
		tasks, err := list(ctx, tx, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.author_id = $1 OR t.reviewer_id = $1 ORDER BY t.id FOR UPDATE OF t`, userID)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if freed := t.Without(userID, at); !reflect.DeepEqual(freed, t) {
				if err := tx.UpdateTask(ctx, freed); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return user, wrap(err, "removing user %d", userID)
}
