package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// ImportState implements annotator.ImportStore.
func (s *Store) ImportState(ctx context.Context, projectID int64) (state annotator.ImportState, err error) {
	if s.tx != nil {
		err = s.lockProject(ctx, projectID)
	}
	if err == nil {
		_, err = one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&state.HasModel, &state.Round)
		}, `
			SELECT EXISTS (SELECT FROM versions WHERE project_id = $1),
				coalesce((SELECT max(number) FROM rounds WHERE project_id = $1 AND state IN ('queued', 'training', 'evaluating')), 0)`, projectID)
	}
	if err == nil {
		state.Classes, err = s.classes(ctx, projectID)
	}
	return state, wrap(err, "looking at project %d before an import", projectID)
}

// KnownImages implements annotator.ImportStore.
func (s *Store) KnownImages(ctx context.Context, projectID int64, source string, names []string) (map[string]annotator.KnownImage, error) {
	found, err := list(ctx, s, scanKnown, `
		SELECT `+imageColumns+`, (SELECT places FROM image_clicks c WHERE c.image_id = i.id) FROM images i WHERE project_id = $1 AND source = $2 AND name = ANY($3) AND retired_at IS NULL
		UNION ALL (
			SELECT DISTINCT ON (i.name) `+imageColumns+`, NULL::real[] FROM images i WHERE project_id = $1 AND source = $2 AND name = ANY($3) AND retired_at IS NOT NULL
			ORDER BY i.name, i.id DESC
		)`, projectID, source, names)
	known := make(map[string]annotator.KnownImage, len(found))
	for _, image := range found {
		if _, used := known[image.Name]; !used { // the rows in use come first
			known[image.Name] = image
		}
	}
	return known, wrap(err, "looking for images of project %d", projectID)
}

// scanKnown reads imageColumns and the places of clicks.
func scanKnown(row pgx.CollectableRow) (k annotator.KnownImage, err error) {
	var places []float32
	err = row.Scan(append(imageFields(&k.Image), &places)...)
	k.Clicks = pairs(places)
	return k, err
}

// alike bounds how many images of the same bytes ImagesOfBytes looks at.
const alike = 32

// ImagesOfBytes implements annotator.ImportStore.
func (s *Store) ImagesOfBytes(ctx context.Context, projectID int64, source string, hashes []string) ([]annotator.KnownImage, error) {
	found, err := list(ctx, s, scanKnown, `
		SELECT `+imageColumns+`, (SELECT places FROM image_clicks c WHERE c.image_id = i.id)
		FROM unnest($3::text[]) AS h CROSS JOIN LATERAL (
			SELECT * FROM images WHERE hash = h AND project_id = $1 AND source = $2 AND broken = '' ORDER BY retired_at IS NOT NULL, id LIMIT $4
		) AS i`, projectID, source, hashes, alike)
	return found, wrap(err, "looking for images of project %d by their bytes", projectID)
}

// LastImage implements annotator.ImportStore.
func (s *Store) LastImage(ctx context.Context, projectID int64, source string) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `SELECT coalesce(max(id), 0) FROM images WHERE project_id = $1 AND source = $2`, projectID, source)
	return id, wrap(err, "looking for the newest image of project %d", projectID)
}

// SourceImages implements annotator.ImportStore.
func (s *Store) SourceImages(ctx context.Context, projectID int64, source string, after, last int64, limit int) ([]annotator.Image, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (i annotator.Image, err error) {
		err = row.Scan(&i.ID, &i.Name)
		return i, err
	}, `
		SELECT id, name FROM images WHERE project_id = $1 AND source = $2 AND retired_at IS NULL AND id > $3 AND id <= $4
		ORDER BY id LIMIT $5`, projectID, source, after, last, limit)
	return all, wrap(err, "listing the images of source %s of project %d", source, projectID)
}

// PaintedImages implements annotator.ImportStore.
func (s *Store) PaintedImages(ctx context.Context, images []int64) (map[int64]bool, error) {
	approved := map[int64]bool{}
	_, err := list(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		var id int64
		var yes bool
		err := row.Scan(&id, &yes)
		approved[id] = yes
		return struct{}{}, err
	}, `
		SELECT t.image_id, bool_or(e.state = 'approved') FROM tasks t JOIN edits e ON e.task_id = t.id
		WHERE t.image_id = ANY($1) GROUP BY t.image_id`, images)
	return approved, wrap(err, "looking for the maps of %d images", len(images))
}

// UpdateImages implements annotator.ImportStore.
func (s *Store) UpdateImages(ctx context.Context, projectID int64, updates []annotator.ImageUpdate, at time.Time) error {
	if len(updates) == 0 {
		return nil
	}
	images, ids := make([]annotator.NewImage, len(updates)), make([]int64, len(updates))
	for i, u := range updates {
		images[i], ids[i] = u.NewImage, u.ID
	}
	err := s.inTx(ctx, func(tx *Store) error {
		classes, hasModel, err := tx.lockClasses(ctx, projectID)
		if err != nil {
			return err
		}
		source, _, err := annotator.LabelImages(classes, hasModel, images)
		if err != nil {
			return err
		}
		labels := slices.Clone(source)
		for i, u := range updates {
			if u.Keep != nil {
				labels[i] = u.Keep
			}
		}
		if err := tx.copyImages(ctx, images, ids, labels, source); err != nil {
			return err
		}
		if err := tx.keepLabels(ctx, at); err != nil {
			return err
		}
		if err := tx.countAnswers(ctx, ids, true); err != nil {
			return err
		}
		// Images may take each other's names, which are unique at every row.
		if _, err := tx.q.Exec(ctx, `
			UPDATE images i SET name = E'\x01' || i.id FROM new_images n WHERE i.id = n.id AND i.project_id = $1 AND i.retired_at IS NULL AND i.name <> n.name`, projectID); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE images i SET name = n.name, split = n.split, label = n.label, source_label = n.source_label, left_out = `+leftOutAfter+`, group_name = n.group_name, bytes = `+newBytes+`, mask_hash = n.mask_hash, mask_bytes = n.mask_bytes,
				width = n.width, height = n.height, broken = n.broken, retired_at = NULL, retired_why = '',
				fingerprint = CASE WHEN i.broken = '' THEN i.fingerprint END
			FROM new_images n WHERE i.id = n.id AND i.project_id = $1 AND i.hash = n.hash`, projectID, texts(annotator.LeftOutByLabel)); err != nil {
			return err
		}
		if err := tx.scanAlso(ctx, projectID, ids); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE predictions p SET correct = coalesce(p.class = n.label, false) FROM new_images n
			WHERE p.image_id = n.id AND p.correct <> coalesce(p.class = n.label, false)`); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `DELETE FROM image_clicks WHERE image_id = ANY($1)`, ids); err != nil {
			return err
		}
		if err := tx.addClicks(ctx, projectID, images); err != nil {
			return err
		}
		if err := tx.dropUntouched(ctx, ids); err != nil { // the next scan makes those again that are still needed
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE tasks t SET label = n.label FROM new_images n WHERE t.image_id = n.id AND n.label IS NOT NULL AND t.label <> n.label`); err != nil {
			return err
		}
		return tx.followTasks(ctx, ids, at)
	})
	return wrap(err, "updating %d images of project %d", len(updates), projectID)
}

// leftOutAfter is why an image i does not count after an update n: what was said of its label ends where its source has another class now.
// $2 are the reasons that are about labels.
const leftOutAfter = `CASE WHEN n.source_label IS DISTINCT FROM i.source_label THEN ARRAY(SELECT unnest(i.left_out) EXCEPT SELECT unnest($2::text[])) ELSE i.left_out END`

// keepLabels adds to the history of labels what the update in new_images changes. Call it before the images are changed.
func (s *Store) keepLabels(ctx context.Context, at time.Time) error {
	_, err := s.q.Exec(ctx, `
		INSERT INTO label_changes (image_id, at, was, became, cause)
		SELECT i.id, $1, coalesce(o.key, ''), coalesce(c.key, ''), $2 FROM new_images n JOIN images i ON i.id = n.id
			LEFT JOIN classes o ON o.project_id = i.project_id AND o.index = i.label LEFT JOIN classes c ON c.project_id = i.project_id AND c.index = n.label
		WHERE i.label IS DISTINCT FROM n.label ORDER BY i.id`, at, annotator.LabelByImport)
	return err
}

// RetireImages implements annotator.ImportStore.
func (s *Store) RetireImages(ctx context.Context, projectID int64, images []int64, why annotator.Retirement, at time.Time) error {
	if len(images) == 0 {
		return nil
	}
	err := s.inTx(ctx, func(tx *Store) error {
		if err := tx.lockProject(ctx, projectID); err != nil {
			return err
		}
		if err := tx.countAnswers(ctx, images, false); err != nil {
			return err
		}
		if _, err := tx.q.Exec(ctx, `
			UPDATE images SET retired_at = $3, retired_why = $4 WHERE project_id = $1 AND id = ANY($2) AND retired_at IS NULL`,
			projectID, images, at, why); err != nil {
			return err
		}
		if err := tx.dropUntouched(ctx, images); err != nil {
			return err
		}
		return tx.followTasks(ctx, images, at)
	})
	return wrap(err, "retiring %d images of project %d", len(images), projectID)
}

// countAnswers updates versions.scanned, the number of predictions of images in use. It adds those of images that come back, or
// subtracts those of images that are taken out of use. Call it before the images are changed.
func (s *Store) countAnswers(ctx context.Context, images []int64, back bool) error {
	_, err := s.q.Exec(ctx, `
		UPDATE versions v SET scanned = scanned + CASE WHEN $2 THEN n ELSE -n END
		FROM (
			SELECT p.version_id, count(*)::int AS n FROM predictions p JOIN images i ON i.id = p.image_id
			WHERE i.id = ANY($1) AND (i.retired_at IS NOT NULL) = $2 GROUP BY 1
		) AS answers WHERE v.id = answers.version_id`, images, back)
	return err
}

// dropUntouched removes the open tasks of images that nobody has painted.
func (s *Store) dropUntouched(ctx context.Context, images []int64) error {
	_, err := s.q.Exec(ctx, `
		DELETE FROM tasks t WHERE image_id = ANY($1) AND state = 'open' AND NOT EXISTS (SELECT FROM edits e WHERE e.task_id = t.id)`, images)
	return err
}
