package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

const uploadColumns = `id, project_id, name, state, model_hash, bytes, report, manifest, activate, problem, version_id, uploaded_by_name AS uploaded_by,
	coalesce(uploaded_by, 0) AS sender_id, tries, created_at`

var scanUpload = pgx.RowToStructByName[annotator.Upload]

// Upload implements annotator.UploadStore.
func (s *Store) Upload(ctx context.Context, id int64) (annotator.Upload, error) {
	u, err := one(ctx, s, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1 AND `+inProject, id)
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

// nullJSON returns a document as a statement's parameter; nil for none.
func nullJSON(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

// LockUpload implements annotator.UploadStore.
func (s *Store) LockUpload(ctx context.Context, id int64) (annotator.Upload, error) {
	u, err := one(ctx, s, scanUpload, `SELECT `+uploadColumns+` FROM uploads WHERE id = $1 FOR UPDATE`, id)
	return u, wrap(err, "upload %d", id)
}

// SaveUpload implements annotator.UploadStore.
func (s *Store) SaveUpload(ctx context.Context, u annotator.Upload) (annotator.Upload, error) {
	var saved annotator.Upload
	err := s.inTx(ctx, func(tx *Store) (err error) {
		saved, err = one(ctx, tx, scanUpload, `
			UPDATE uploads SET state = $2, manifest = $3::jsonb, activate = $4, problem = $5, version_id = $6, tries = $7 WHERE id = $1
			RETURNING `+uploadColumns, u.ID, u.State, nullJSON(u.Manifest), u.Activate, u.Problem, u.VersionID, u.Tries)
		return err
	})
	return saved, wrap(err, "upload %d", u.ID)
}

// EnqueueAdd implements annotator.UploadStore.
func (s *Store) EnqueueAdd(ctx context.Context, u annotator.Upload) (annotator.Job, error) {
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) (err error) {
		if job, err = tx.insertJob(ctx, u.ProjectID, annotator.JobAdd, nil, nil); err != nil {
			return err
		}
		return tx.enqueue(ctx, job.ID, AddArgs{JobID: job.ID, UploadID: u.ID}, LightWork)
	})
	return job, wrap(err, "upload %d", u.ID)
}

// TryUpload counts that a worker begins to run an upload's model, and returns the upload. A worker that survives the run calls
// TriedUpload. If the count grows, the model brings its workers down.
func (s *Store) TryUpload(ctx context.Context, id int64) (annotator.Upload, error) {
	var u annotator.Upload
	err := s.inTx(ctx, func(tx *Store) (err error) {
		u, err = one(ctx, tx, scanUpload, `UPDATE uploads SET tries = tries + 1 WHERE id = $1 RETURNING `+uploadColumns, id)
		return err
	})
	return u, wrap(err, "upload %d", id)
}

// TriedUpload records that the worker survived running an upload's model.
func (s *Store) TriedUpload(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, `UPDATE uploads SET tries = 0 WHERE id = $1`, id)
	return wrap(err, "upload %d", id)
}

// ForgetUploads removes those annotator.ForgettableUploads that are older than age, and returns how many.
func (s *Store) ForgetUploads(ctx context.Context, age time.Duration) (int, error) {
	n, err := s.exec(ctx, `
		DELETE FROM uploads WHERE state = ANY($1) AND created_at < now() - make_interval(secs => $2)`,
		texts(annotator.ForgettableUploads()), age.Seconds())
	return int(n), wrap(err, "removing old uploads")
}
