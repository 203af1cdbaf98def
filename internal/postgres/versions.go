package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

const versionColumns = `id, project_id, number, parent_id, round_id, state, model_hash, extractor_hash, manifest,
	grid_height, grid_width, gain, parameters, bytes, learning_rate, training, warnings, figures, scanned, created_at, activated_at`

var scanVersion = pgx.RowToStructByName[annotator.Version]

// Version implements annotator.VersionStore.
func (s *Store) Version(ctx context.Context, id int64) (annotator.Version, error) {
	v, err := one(ctx, s, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE id = $1 AND `+inProject, id)
	return v, wrap(err, "version %d", id)
}

// ActiveVersion implements annotator.VersionStore.
func (s *Store) ActiveVersion(ctx context.Context, projectID int64) (annotator.Version, error) {
	v, err := one(ctx, s, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE project_id = $1 AND state = 'active'`, projectID)
	return v, wrap(err, "the active version of project %d", projectID)
}

// Versions implements annotator.VersionStore.
func (s *Store) Versions(ctx context.Context, projectID int64) ([]annotator.Version, error) {
	all, err := list(ctx, s, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE project_id = $1 ORDER BY number`, projectID)
	return all, wrap(err, "listing the versions of project %d", projectID)
}

// AddVersion implements annotator.VersionStore. It starts no scan; EnqueueScan does.
func (s *Store) AddVersion(ctx context.Context, projectID int64, v annotator.NewVersion) (annotator.Version, error) {
	var added annotator.Version
	err := s.inTx(ctx, func(tx *Store) error {
		_, hasModel, err := tx.lockClasses(ctx, projectID)
		if err != nil {
			return err
		}
		state, err := v.StateIn(hasModel)
		if err != nil {
			return err
		}
		if len(v.Classes) > 0 {
			if err := tx.SetClasses(ctx, projectID, v.Classes); err != nil {
				return err
			}
		}
		if state == annotator.VersionActive {
			if err := tx.archiveActive(ctx, projectID); err != nil {
				return err
			}
		}
		if v.Figures == nil {
			v.Figures = map[string]float64{}
		}
		training, err := orNull(v.Training)
		if err != nil {
			return err
		}
		warnings, err := orNull(v.Warnings)
		if err != nil {
			return err
		}
		added, err = one(ctx, tx, scanVersion, `
			INSERT INTO versions (project_id, number, parent_id, round_id, state, model_hash, extractor_hash, manifest,
				grid_height, grid_width, gain, parameters, bytes, learning_rate, figures, training, warnings, activated_at)
			SELECT $1, 1 + coalesce(max(number), 0), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::jsonb, $16::jsonb, CASE WHEN $17 THEN now() END
			FROM versions WHERE project_id = $1
			RETURNING `+versionColumns,
			projectID, v.ParentID, v.RoundID, state, v.ModelHash, v.ExtractorHash, []byte(v.Manifest),
			v.GridHeight, v.GridWidth, v.Gain, v.Parameters, v.Bytes, v.LearningRate, v.Figures, training, warnings,
			state == annotator.VersionActive)
		return err
	})
	if violated(err) == "versions_one_per_round" {
		return added, fmt.Errorf("adding a version: round %d has one already: %w", *v.RoundID, annotator.ErrConflict)
	}
	return added, wrap(err, "adding a version to project %d", projectID)
}

func (s *Store) archiveActive(ctx context.Context, projectID int64) error {
	_, err := s.q.Exec(ctx, `UPDATE versions SET state = $2, archived_at = now() WHERE project_id = $1 AND state = ANY($3)`, projectID,
		annotator.VersionTransitions.To(annotator.EventReplace), texts(annotator.VersionTransitions.From(annotator.EventReplace)))
	return err
}

// LockVersion implements annotator.VersionStore.
func (s *Store) LockVersion(ctx context.Context, id int64) (annotator.Version, error) {
	v, err := s.Version(ctx, id)
	if err != nil {
		return v, err
	}
	if err := s.lockProject(ctx, v.ProjectID); err != nil {
		return v, wrap(err, "version %d", id)
	}
	return s.Version(ctx, id)
}

// ActivateVersion implements annotator.VersionStore.
func (s *Store) ActivateVersion(ctx context.Context, id int64) (annotator.Version, error) {
	var active annotator.Version
	err := s.inTx(ctx, func(tx *Store) error {
		v, err := tx.LockVersion(ctx, id)
		if err != nil {
			return err
		}
		if err := tx.archiveActive(ctx, v.ProjectID); err != nil {
			return err
		}
		active, err = one(ctx, tx, scanVersion, `
			UPDATE versions SET state = $2, activated_at = now(), archived_at = NULL WHERE id = $1 AND state = ANY($3)
			RETURNING `+versionColumns, id,
			annotator.VersionTransitions.To(annotator.EventActivate), texts(annotator.VersionTransitions.From(annotator.EventActivate)))
		return err
	})
	return active, err
}

// SetFigures merges figures ("test/accuracy": 0.91) into a version's.
func (s *Store) SetFigures(ctx context.Context, versionID int64, figures map[string]float64) error {
	n, err := s.exec(ctx, `UPDATE versions SET figures = figures || $2 WHERE id = $1`, versionID, figures)
	return changed(n, err, "setting the figures of version %d", versionID)
}

// SetTraining stores what engines can fine-tune of a version.
func (s *Store) SetTraining(ctx context.Context, versionID int64, training []annotator.Trainability) error {
	body, err := orNull(training)
	if err != nil {
		return wrap(err, "what engines can train of version %d", versionID)
	}
	n, err := s.exec(ctx, `UPDATE versions SET training = $2 WHERE id = $1`, versionID, body)
	return changed(n, err, "setting what engines can train of version %d", versionID)
}

// ActiveVersions lists the active version of every project.
func (s *Store) ActiveVersions(ctx context.Context) ([]annotator.Version, error) {
	all, err := list(ctx, s, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE state = 'active' AND `+inOpenProject+` ORDER BY id`)
	return all, wrap(err, "listing the active versions")
}

// orNull returns a list as JSON; nil for an empty one.
func orNull[T any](list []T) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(list)
	return text.CleanJSON(data), err
}
