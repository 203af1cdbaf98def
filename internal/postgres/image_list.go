package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// imageStates are the conditions of the states by which images are listed. Of those out of use both columns are named, since their index (images_retired) is by one.
var imageStates = map[annotator.ImageState]string{
	annotator.ImageInUse:      `retired_at IS NULL`,
	annotator.ImageUnreadable: `retired_at IS NULL AND broken <> ''`,
	annotator.ImageDeleted:    `retired_at IS NOT NULL AND retired_why = 'deleted'`,
	annotator.ImageReplaced:   `retired_at IS NOT NULL AND retired_why = 'replaced'`,
	annotator.ImageGone:       `retired_at IS NOT NULL AND retired_why = 'gone'`,
	annotator.ImageAny:        `true`,
}

// ImagePage implements annotator.ImageListStore.
func (s *Store) ImagePage(ctx context.Context, projectID int64, f annotator.ImageFilter) (annotator.ImagePage, error) {
	var page annotator.ImagePage
	where := &clause{}
	where.add(`project_id = $%d AND `+imageStates[f.State], projectID)
	if f.Split != "" {
		where.add(`split = $%d`, f.Split)
	}
	if f.Label != nil {
		where.add(`label = $%d`, *f.Label)
	}
	if f.Unlabelled {
		where.parts = append(where.parts, `label IS NULL`)
	}
	if f.LeftOut {
		where.parts = append(where.parts, `left_out <> '{}'`)
	}
	if f.Prefix != "" {
		where.add(`name LIKE $%d`, likeStart(f.Prefix))
	}
	var err error
	if page.Total, err = s.countImages(ctx, projectID, f, where); err != nil {
		return page, wrap(err, "counting the images of project %d", projectID)
	}
	page.Total, page.More = counted(page.Total, f.Prefix)
	if f.Cursor != "" {
		after, err := readImageCursor(f.Cursor)
		if err != nil {
			return page, err
		}
		where.add(`id > $%d`, after)
	}
	where.args = append(where.args, f.Limit+1)
	page.Images, err = list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM images i WHERE `+where.sql()+` ORDER BY id LIMIT $`+strconv.Itoa(len(where.args)), where.args...)
	if len(page.Images) > f.Limit {
		page.Images = page.Images[:f.Limit]
		page.Next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "i.%d", page.Images[f.Limit-1].ID))
	}
	return page, wrap(err, "listing the images of project %d", projectID)
}

// countImages counts the images that a filter selects, whose conditions are where: by their tallies, where these know them.
func (s *Store) countImages(ctx context.Context, projectID int64, f annotator.ImageFilter, where *clause) (int, error) {
	if f.Prefix != "" {
		return one(ctx, s, pgx.RowTo[int], fmt.Sprintf(`SELECT count(*) FROM (SELECT FROM images WHERE %s LIMIT %d) found`, where.sql(), annotator.MaxCounted+1), where.args...)
	}
	if f.State != annotator.ImageInUse || f.LeftOut {
		return one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM images WHERE `+where.sql(), where.args...)
	}
	tallies := &clause{}
	tallies.add(`project_id = $%d`, projectID)
	if f.Split != "" {
		tallies.add(`split = $%d`, f.Split)
	}
	if f.Label != nil {
		tallies.add(`label = $%d`, *f.Label)
	}
	if f.Unlabelled {
		tallies.parts = append(tallies.parts, `label = -1`)
	}
	return one(ctx, s, pgx.RowTo[int], `SELECT coalesce(sum(n), 0)::int FROM image_tallies WHERE `+tallies.sql(), tallies.args...)
}

// readImageCursor returns the id of the last image of the page before.
func readImageCursor(cursor string) (id int64, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "i.%d", &id)
	}
	if err != nil {
		return 0, &annotator.ValidationError{Field: "cursor", Message: "is not one of ours: begin at the first page"}
	}
	return id, nil
}

// PredictionsOf implements annotator.ImageListStore.
func (s *Store) PredictionsOf(ctx context.Context, imageID int64) ([]annotator.VersionPrediction, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (v annotator.VersionPrediction, err error) {
		var r predictionRow
		if err = row.Scan(append(r.fields(), &v.Version, &v.State)...); err == nil {
			v.Prediction, err = r.prediction()
		}
		return v, err
	}, `
		SELECT `+predictionColumns+`, v.number, v.state FROM predictions p JOIN versions v ON v.id = p.version_id
		WHERE p.image_id = $1 ORDER BY v.number DESC`, imageID)
	return all, wrap(err, "listing the predictions of image %d", imageID)
}

// ImageTasks implements annotator.ImageListStore.
func (s *Store) ImageTasks(ctx context.Context, imageID int64) ([]annotator.Task, error) {
	all, err := list(ctx, s, scanTask, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE t.image_id = $1 ORDER BY t.id DESC`, imageID)
	return all, wrap(err, "listing the tasks of image %d", imageID)
}

// AuditOf implements annotator.ImageListStore.
func (s *Store) AuditOf(ctx context.Context, projectID int64, subject string, limit int) ([]annotator.AuditEntry, error) {
	entries, err := list(ctx, s, pgx.RowToStructByName[annotator.AuditEntry], `
		SELECT `+entryColumns+` FROM audit a WHERE a.project_id = $1 AND a.subject = $2 ORDER BY a.id DESC LIMIT $3`, projectID, subject, limit)
	return entries, wrap(err, "reading the trail of %s", subject)
}

// ReinstateImages implements annotator.ImageListStore.
func (s *Store) ReinstateImages(ctx context.Context, projectID int64, images []int64, at time.Time) error {
	if len(images) == 0 {
		return nil
	}
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, projectID); err != nil {
			return err
		}
		if err := tx.countAnswers(ctx, images, true); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE images SET retired_at = NULL, retired_why = '' WHERE project_id = $1 AND id = ANY($2) AND retired_why = 'deleted' AND purged_at IS NULL`,
			projectID, images); err != nil {
			return err
		}
		if err := tx.scanAlso(ctx, projectID, images); err != nil {
			return err
		}
		return tx.followTasks(ctx, images, at)
	})
	return wrap(err, "restoring %d images of project %d", len(images), projectID)
}

// MoveImage implements annotator.ImageListStore.
func (s *Store) MoveImage(ctx context.Context, image annotator.Image, at time.Time) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, image.ProjectID); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `UPDATE images SET split = $2, group_name = $3 WHERE id = $1`, image.ID, image.Split, image.Group); err != nil {
			return err
		}
		if err := tx.scanAlso(ctx, image.ProjectID, []int64{image.ID}); err != nil {
			return err
		}
		if err := tx.dropUntouched(ctx, []int64{image.ID}); err != nil {
			return err
		}
		return tx.followTasks(ctx, []int64{image.ID}, at)
	})
	return wrap(err, "changing image %d", image.ID)
}

// PurgeImages implements annotator.ImageListStore.
func (s *Store) PurgeImages(ctx context.Context, projectID int64, images []int64, at time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE images SET purged_at = $3, mask_hash = '' WHERE project_id = $1 AND id = ANY($2) AND retired_at IS NOT NULL AND purged_at IS NULL`,
		projectID, images, at)
	return wrap(err, "purging %d images of project %d", len(images), projectID)
}

// UnusedBlobs implements annotator.ImageListStore. While a backup copies them it names none, and leaves them to the worker that tidies.
func (s *Store) UnusedBlobs(ctx context.Context, hashes []string) ([]string, error) {
	unused, err := list(ctx, s, pgx.RowTo[string], `
		SELECT DISTINCT h FROM unnest($1::text[]) AS h
		WHERE NOT EXISTS (SELECT FROM images WHERE hash = h AND purged_at IS NULL) AND NOT EXISTS (SELECT FROM images WHERE mask_hash = h)
			AND NOT EXISTS (SELECT FROM versions WHERE model_hash = h AND `+notPurged+`) AND NOT EXISTS (SELECT FROM uploads WHERE model_hash = h AND state <> 'added')`, hashes)
	if err == nil && len(unused) > 0 {
		var copied bool
		if copied, err = s.BackingUp(ctx); copied {
			unused = nil
		}
	}
	return unused, wrap(err, "looking for blobs that nothing refers to")
}
