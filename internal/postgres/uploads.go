package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

const uploadColumns = `id, project_id, name, state, model_hash, bytes, report, manifest, activate, problem, version_id, uploaded_by_name, created_at`

func scanUpload(row pgx.CollectableRow) (u annotator.Upload, err error) {
	err = row.Scan(&u.ID, &u.ProjectID, &u.Name, &u.State, &u.ModelHash, &u.Bytes, &u.Report, (*[]byte)(&u.Manifest),
		&u.Activate, &u.Problem, &u.VersionID, &u.UploadedBy, &u.CreatedAt)
	return u, err
}

// Upload implements annotator.UploadStore.
func (s *Store) Upload(ctx context.Context, id int64) (annotator.Upload, error) {
	u, err := one(ctx, s, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1`, id)
	return u, wrap(err, "upload %d", id)
}

// InsertUpload implements annotator.UploadStore.
func (s *Store) InsertUpload(ctx context.Context, u annotator.Upload, by annotator.User) (annotator.Upload, error) {
	var added annotator.Upload
	err := s.inTx(ctx, func(tx *Store) error {
		report, err := json.Marshal(u.Report)
		if err != nil {
			return err
		}
		added, err = one(ctx, tx, scanUpload, `
			INSERT INTO uploads (project_id, name, model_hash, bytes, report, manifest, uploaded_by, uploaded_by_name)
			VALUES ($1, $2, $3, $4, $5, $6::jsonb, nullif($7::bigint, 0), $8) RETURNING `+uploadColumns,
			u.ProjectID, u.Name, u.ModelHash, u.Bytes, text.CleanJSON(report), nullJSON(u.Manifest), by.ID, by.Name)
		return err
	})
	return added, wrap(err, "keeping the uploaded model %s", u.Name)
}

// nullJSON is a document as the database takes it, nil for none.
func nullJSON(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// EnqueueAdd implements annotator.UploadStore.
func (s *Store) EnqueueAdd(ctx context.Context, id int64, manifest json.RawMessage, activate bool) (annotator.Upload, annotator.Job, error) {
	var upload annotator.Upload
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) error {
		was, err := one(ctx, tx, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1 FOR UPDATE`, id)
		if err != nil {
			return err
		}
		switch was.State {
		case annotator.UploadAdding:
			return fmt.Errorf("it is being added: %w", annotator.ErrConflict)
		case annotator.UploadAdded:
			return fmt.Errorf("it is a version already: %w", annotator.ErrConflict)
		}
		if upload, err = one(ctx, tx, scanUpload, `
			UPDATE uploads SET state = 'adding', problem = '', tries = 0, manifest = $2::jsonb, activate = $3 WHERE id = $1
			RETURNING `+uploadColumns, id, nullJSON(manifest), activate); err != nil {
			return err
		}
		if job, err = tx.insertJobRow(ctx, upload.ProjectID, annotator.JobAdd, nil, nil); err != nil {
			return err
		}
		return tx.insertJob(ctx, job.ID, AddArgs{JobID: job.ID, UploadID: id}, QueueLight)
	})
	return upload, job, wrap(err, "upload %d", id)
}

// TryUpload counts that a worker begins to run an upload's model, and returns the how manieth time in a row that is. A worker
// that lives through it says so with TriedUpload; a count that grows is a model that brings its workers down.
func (s *Store) TryUpload(ctx context.Context, id int64) (int, error) {
	var tries int
	err := s.inTx(ctx, func(tx *Store) (err error) {
		tries, err = one(ctx, tx, pgx.RowTo[int], `UPDATE uploads SET tries = tries + 1 WHERE id = $1 RETURNING tries`, id)
		return err
	})
	return tries, wrap(err, "upload %d", id)
}

// TriedUpload says that the worker has lived through running an upload's model.
func (s *Store) TriedUpload(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE uploads SET tries = 0 WHERE id = $1`, id)
	return wrap(err, "upload %d", id)
}

// LockUpload implements annotator.UploadStore.
func (s *Store) LockUpload(ctx context.Context, id int64) (annotator.Upload, annotator.User, error) {
	upload, err := one(ctx, s, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1 FOR UPDATE`, id)
	if err != nil {
		return upload, annotator.User{}, wrap(err, "upload %d", id)
	}
	by, err := one(ctx, s, pgx.RowTo[int64], `SELECT coalesce(uploaded_by, 0) FROM uploads WHERE id = $1`, id)
	return upload, annotator.User{ID: by, Name: upload.UploadedBy}, wrap(err, "upload %d", id)
}

// UploadAdded implements annotator.UploadStore.
func (s *Store) UploadAdded(ctx context.Context, id, jobID int64, v annotator.Version) error {
	err := s.inTx(ctx, func(tx *Store) error {
		name, err := one(ctx, tx, pgx.RowTo[string], `UPDATE uploads SET state = 'added', problem = '', version_id = $2 WHERE id = $1 RETURNING name`, id, v.ID)
		if err != nil {
			return err
		}
		return tx.FinishJob(ctx, jobID, fmt.Sprintf("%s is v%d", name, v.Number))
	})
	return wrap(err, "upload %d", id)
}

// RefuseUpload says why an uploaded model did not become a version, and ends the job.
func (s *Store) RefuseUpload(ctx context.Context, id, jobID int64, problem string) error {
	problem = text.Clean(problem)
	err := s.inTx(ctx, func(tx *Store) error {
		upload, sender, err := tx.LockUpload(ctx, id)
		if err != nil {
			return err
		}
		if upload.State == annotator.UploadAdding {
			if _, err := tx.q.Exec(ctx, `UPDATE uploads SET state = 'refused', problem = $2 WHERE id = $1`, id, problem); err != nil {
				return err
			}
			if err := tx.InsertAudit(ctx, &upload.ProjectID, sender, annotator.AuditEntry{
				At: time.Now(), Action: "model.refuse", Subject: "the model " + upload.Name, Detail: problem,
			}); err != nil {
				return err
			}
		}
		return tx.FailJob(ctx, jobID, problem)
	})
	return wrap(err, "refusing upload %d", id)
}

// ForgetUploads removes the uploads that nobody made a version of for an age, and returns how many.
func (s *Store) ForgetUploads(ctx context.Context, age time.Duration) (int, error) {
	n, err := s.exec(ctx, `
		DELETE FROM uploads WHERE state IN ('inspected', 'refused') AND created_at < now() - make_interval(secs => $1)`, age.Seconds())
	return int(n), wrap(err, "removing old uploads")
}
