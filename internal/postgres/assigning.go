package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// LockTasks implements annotator.AssignStore.
func (s *Store) LockTasks(ctx context.Context, projectID int64, ids []int64, f annotator.TaskFilter, limit int) ([]annotator.Task, error) {
	where := conditions(projectID, f)
	if ids != nil {
		where = &clause{}
		where.add(`t.project_id = $%d`, projectID)
		where.add(`t.id = ANY($%d)`, ids)
	}
	where.args = append(where.args, limit)
	locked, err := list(ctx, s, pgx.RowTo[int64], `SELECT t.id FROM tasks t WHERE `+where.sql()+` ORDER BY t.id LIMIT `+where.last()+` FOR UPDATE OF t SKIP LOCKED`, where.args...)
	if err != nil {
		return nil, wrap(err, "locking tasks of project %d", projectID)
	}
	all, err := list(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.id = ANY($1) ORDER BY t.id`, locked)
	return all, wrap(err, "locking tasks of project %d", projectID)
}

// UpdateTasks implements annotator.AssignStore: in one statement, however many there are. Rows that are as they were are not written.
func (s *Store) UpdateTasks(ctx context.Context, all []annotator.Task) error {
	n := len(all)
	ids, states, authors, leases := make([]int64, n), make([]string, n), make([]*int64, n), make([]*time.Time, n)
	reasons, returned, updated, assignees, assigned := make([]*string, n), make([]bool, n), make([]time.Time, n), make([]*int64, n), make([]*time.Time, n)
	for i, t := range all {
		ids[i], states[i], authors[i], leases[i], returned[i], updated[i], assignees[i], assigned[i] = t.ID, string(t.State), t.AuthorID, t.LeaseExpiresAt, t.Returned, t.UpdatedAt, t.AssignedTo, t.AssignedAt
		if t.State == annotator.TaskSkipped {
			reasons[i] = &t.SkipReason
		}
	}
	_, err := s.exec(ctx, `
		UPDATE tasks t SET state = x.state, author_id = x.author, lease_expires_at = x.lease, skip_reason = x.reason, returned = x.returned, updated_at = x.updated,
			assigned_to = x.assignee, assigned_at = x.assigned
		FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::boolean[], $7::timestamptz[], $8::bigint[], $9::timestamptz[])
			x(task, state, author, lease, reason, returned, updated, assignee, assigned)
		WHERE t.id = x.task AND (t.state, t.author_id, t.lease_expires_at, t.skip_reason, t.returned, t.assigned_to)
			IS DISTINCT FROM (x.state, x.author, x.lease, x.reason, x.returned, x.assignee)`,
		ids, states, authors, leases, reasons, returned, updated, assignees, assigned)
	return wrap(err, "changing %d tasks", n)
}

// AssignTasks implements annotator.AssignStore.
func (s *Store) AssignTasks(ctx context.Context, tasks []int64, to *int64, at time.Time) (int64, error) {
	undo, err := one(ctx, s, pgx.RowTo[int64], `SELECT nextval('assignments')`)
	if err == nil {
		_, err = s.exec(ctx, `
			UPDATE tasks SET assigned_before = assigned_to, assigned_to = $2, assigned_at = CASE WHEN $2::bigint IS NOT NULL THEN $3::timestamptz END, assignment = $4 WHERE id = ANY($1)`,
			tasks, to, at, undo)
	}
	return undo, wrap(err, "assigning %d tasks", len(tasks))
}

// UnassignTasks implements annotator.AssignStore. Whoever cannot paint any more gets nothing back.
func (s *Store) UnassignTasks(ctx context.Context, projectID, assignment int64, at time.Time) (int, error) {
	n, err := s.exec(ctx, `
		UPDATE tasks t SET assigned_to = b.id, assigned_at = CASE WHEN b.id IS NOT NULL THEN $3::timestamptz END, assigned_before = NULL, assignment = NULL
		FROM tasks o LEFT JOIN users b ON b.id = o.assigned_before AND NOT b.disabled AND EXISTS (SELECT FROM memberships m WHERE m.project_id = o.project_id AND m.user_id = b.id)
		WHERE o.project_id = $1 AND o.assignment = $2 AND t.id = o.id AND t.state = 'open'`, projectID, assignment, at)
	return int(n), wrap(err, "taking back assignment %d", assignment)
}

// Painters implements annotator.AssignStore.
func (s *Store) Painters(ctx context.Context, projectID int64) ([]annotator.Painter, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.Painter], `
		SELECT u.id, u.name FROM memberships m JOIN users u ON u.id = m.user_id
		WHERE m.project_id = $1 AND NOT u.disabled AND NOT u.generator AND u.removed_at IS NULL ORDER BY lower(u.name), u.id`, projectID)
	return all, wrap(err, "listing the painters of project %d", projectID)
}
