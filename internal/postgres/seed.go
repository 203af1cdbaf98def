package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// SeedEdits implements annotator.SeedStore. Where the version gets an image right and there is no task, one is made.
func (s *Store) SeedEdits(ctx context.Context, seed annotator.SeedEdits) (int, error) {
	if !seed.Author.Generator || !seed.Reviewer.Generator {
		return 0, fmt.Errorf("seeding edits: only a generator's edits are approved without a person: %w", annotator.ErrForbidden)
	}
	version, err := s.Version(ctx, seed.VersionID)
	if err != nil {
		return 0, err
	}
	added := 0
	err = s.inTx(ctx, func(tx *Store) error {
		added = 0
		for _, e := range seed.Edits {
			if err := e.Map.ValidateOn(version.GridHeight, version.GridWidth); err != nil {
				return fmt.Errorf("image %d: %w", e.ImageID, err)
			}
			done, err := tx.seedEdit(ctx, seed, e)
			if err != nil {
				return fmt.Errorf("image %d: %w", e.ImageID, err)
			}
			if done {
				added++
			}
		}
		return nil
	})
	return added, wrap(err, "seeding edits of project %d", seed.ProjectID)
}

func (s *Store) seedEdit(ctx context.Context, seed annotator.SeedEdits, e annotator.SeedEdit) (bool, error) {
	if _, err := s.q.Exec(ctx, `
		INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence)
		SELECT i.project_id, i.id, p.version_id, i.label, p.class, p.confidence
		FROM images i JOIN predictions p ON p.image_id = i.id AND p.version_id = $2
		WHERE i.id = $1 AND i.project_id = $3 AND i.label IS NOT NULL AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)`,
		e.ImageID, seed.VersionID, seed.ProjectID); err != nil {
		return false, err
	}
	tasks, err := list(ctx, s, pgx.RowTo[int64], `
		SELECT id FROM tasks t WHERE image_id = $1 AND version_id = $2 AND project_id = $3 AND state = 'open'
			AND NOT EXISTS (SELECT FROM edits WHERE task_id = t.id) FOR UPDATE`, e.ImageID, seed.VersionID, seed.ProjectID)
	if err != nil || len(tasks) == 0 {
		return false, err
	}
	task, now := tasks[0], time.Now()
	edit, err := s.InsertEdit(ctx, annotator.Edit{
		TaskID: task, Revision: 1, AuthorID: seed.Author.ID, Source: annotator.SourceGenerator, Map: e.Map, VersionID: seed.VersionID,
		CreatedAt: now, Provenance: json.RawMessage(`{"made_by":"generator","from":"known mask"}`),
	})
	if err != nil {
		return false, err
	}
	if _, err := s.q.Exec(ctx, `UPDATE edits SET state = 'submitted', submitted_at = $2 WHERE id = $1`, edit.ID, now); err != nil {
		return false, err
	}
	if _, err := s.JudgeEdit(ctx, annotator.Review{
		EditID: edit.ID, ReviewerID: seed.Reviewer.ID, Verdict: annotator.VerdictApprove, Comment: "Made from the known mask.", CreatedAt: now,
	}); err != nil {
		return false, err
	}
	_, err = s.q.Exec(ctx, `UPDATE tasks SET state = 'approved', author_id = $2, submitted_at = $3, updated_at = $3 WHERE id = $1`, task, seed.Author.ID, now)
	return err == nil, err
}
