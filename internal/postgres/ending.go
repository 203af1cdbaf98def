package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// inProject is the condition of a row whose project was not deleted. What a deleted project has is not found by its id either.
const inProject = `project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL)`

// inOpenProject is the condition of a row whose project changes.
const inOpenProject = `project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL AND closed_at IS NULL)`

// LockProject implements annotator.EndingStore.
func (s *Store) LockProject(ctx context.Context, slug string) (annotator.Project, error) {
	p, err := one(ctx, s, scanProject, `SELECT `+projectColumns+` FROM projects WHERE slug = $1 AND purged_at IS NULL FOR NO KEY UPDATE`, slug)
	if err == nil {
		p.Classes, err = s.classes(ctx, p.ID)
	}
	return p, wrap(err, "project %q", slug)
}

// EndProject implements annotator.EndingStore.
func (s *Store) EndProject(ctx context.Context, p annotator.Project) error {
	n, err := s.exec(ctx, `UPDATE projects SET closed_at = $2, deleted_at = $3 WHERE id = $1`, p.ID, p.ClosedAt, p.DeletedAt)
	return changed(n, err, "project %d", p.ID)
}

// WorkUnderWay implements annotator.EndingStore. An import whose process is silent has ended.
func (s *Store) WorkUnderWay(ctx context.Context, projectID int64) ([]annotator.Job, error) {
	all, err := list(ctx, s, scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE project_id = $1 AND finished_at IS NULL AND NOT `+silent+` ORDER BY id`, projectID)
	return all, wrap(err, "looking at the work on project %d", projectID)
}

// CancelJob implements annotator.EndingStore.
func (s *Store) CancelJob(ctx context.Context, jobID int64) error {
	return s.inTx(ctx, func(tx *Store) error {
		for _, event := range []annotator.Event{annotator.EventCancel, annotator.EventStop} { // one of them happens to it
			if err := tx.endJob(ctx, jobID, event, ""); err != nil {
				return err
			}
		}
		return tx.cancelRiver(ctx, jobID)
	})
}

// EndLeases implements annotator.EndingStore.
func (s *Store) EndLeases(ctx context.Context, projectID int64, at time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		tasks, err := list(ctx, tx, scanTask, `
			SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.lease_expires_at IS NOT NULL AND t.project_id = $1
			ORDER BY t.id FOR UPDATE OF t`, projectID)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			t = t.Expire(*t.LeaseExpiresAt)
			t.UpdatedAt = at
			if err := tx.UpdateTask(ctx, t); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "giving back the leased tasks of project %d", projectID)
}

// DeletedBefore implements annotator.EndingStore.
func (s *Store) DeletedBefore(ctx context.Context, before time.Time) ([]string, error) {
	slugs, err := list(ctx, s, pgx.RowTo[string], `SELECT slug FROM projects WHERE deleted_at < $1 AND purged_at IS NULL ORDER BY deleted_at`, before)
	return slugs, wrap(err, "looking for projects to purge")
}

// PurgeProject implements annotator.EndingStore.
func (s *Store) PurgeProject(ctx context.Context, projectID int64, at time.Time) (hashes []string, err error) {
	err = s.inTx(ctx, func(tx *Store) (err error) {
		if _, err := tx.q.Exec(ctx, `SELECT set_config('studio.purging', 'on', true)`); err != nil {
			return err
		}
		hashes, err = list(ctx, tx, pgx.RowTo[string], `
			SELECT hash FROM images WHERE project_id = $1 AND purged_at IS NULL UNION SELECT mask_hash FROM images WHERE project_id = $1 AND mask_hash <> ''
			UNION SELECT model_hash FROM versions WHERE project_id = $1 UNION SELECT model_hash FROM uploads WHERE project_id = $1`, projectID)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE projects SET purged_at = $2, description = '' WHERE id = $1`,
			`UPDATE images SET purged_at = coalesce(purged_at, $2), mask_hash = '', fingerprint = NULL,
				retired_at = coalesce(retired_at, $2), retired_why = CASE WHEN retired_at IS NULL THEN 'deleted' ELSE retired_why END WHERE project_id = $1`,
		} {
			if _, err := tx.q.Exec(ctx, statement, projectID, at); err != nil {
				return err
			}
		}
		for _, statement := range []string{
			`DELETE FROM image_clicks WHERE image_id IN (SELECT id FROM images WHERE project_id = $1)`,
			`DELETE FROM edit_histories WHERE task_id IN (SELECT id FROM tasks WHERE project_id = $1)`,
			`DELETE FROM round_rows WHERE round_id IN (SELECT id FROM rounds WHERE project_id = $1)`,
			`DELETE FROM forecasts WHERE version_id IN (SELECT id FROM versions WHERE project_id = $1)`,
			`DELETE FROM scan_chunks WHERE job_id IN (SELECT id FROM jobs WHERE project_id = $1)`,
			`DELETE FROM predictions p WHERE version_id IN (SELECT id FROM versions WHERE project_id = $1)
				AND NOT EXISTS (SELECT FROM tasks t WHERE t.version_id = p.version_id AND t.image_id = p.image_id)`,
			`DELETE FROM uploads WHERE project_id = $1`,
			`DELETE FROM memberships WHERE project_id = $1`,
		} {
			if _, err := tx.q.Exec(ctx, statement, projectID); err != nil {
				return err
			}
		}
		return nil
	})
	return hashes, wrap(err, "purging project %d", projectID)
}
