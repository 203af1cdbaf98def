package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// growBatch is how many images one transaction of GrowProject adds.
const growBatch = 20_000

// GrowProject gives a project more images, for benchmarks, until it has so many: each has the picture, the label and the prediction of one
// that the project has and its active version has scanned, under a name of its own (grown/CLASS/NUMBER.png), and another confidence. Of
// wrong ones open tasks are made, as a scan makes them; tasks says of how many of the new images the version is wrong, in per cent. What
// is made depends on seed and on the images that were there, and on nothing else. tell is called with how many there are, now and then.
func (s *Store) GrowProject(ctx context.Context, v annotator.Version, images, tasks int, seed int64, tell func(have int)) error {
	have, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM images WHERE project_id = $1 AND retired_at IS NULL`, v.ProjectID)
	if err != nil {
		return wrap(err, "counting the images of project %d", v.ProjectID)
	}
	added, err := one(ctx, s, pgx.RowTo[int], `SELECT count(*) FROM images WHERE project_id = $1 AND source = 'grown'`, v.ProjectID)
	if err != nil {
		return wrap(err, "counting the grown images of project %d", v.ProjectID)
	}
	for have < images {
		n := min(growBatch, images-have)
		if err := s.grow(ctx, v, added, n, tasks, seed); err != nil {
			return wrap(err, "growing project %d", v.ProjectID)
		}
		have, added = have+n, added+n
		tell(have)
	}
	// Statistics as a database that has had such a project for a day has them.
	for _, table := range []string{"images", "predictions", "tasks"} {
		if _, err := s.exec(ctx, `ANALYZE `+table); err != nil {
			return wrap(err, "analysing %s", table)
		}
	}
	return nil
}

// grow adds the images from..from+n of those that are grown.
func (s *Store) grow(ctx context.Context, v annotator.Version, from, n, tasks int, seed int64) error {
	return s.inTx(ctx, func(tx *Store) error {
		made, err := tx.exec(ctx, `
			WITH source AS MATERIALIZED (
				SELECT i.label, i.hash, i.width, i.height, i.fingerprint, c.key, p.class, p.confidence, p.correct, p.att_class, p.top_classes, p.top_values, p.kept_classes, p.probabilities, p.map_height, p.map_width, p.map,
					row_number() OVER (PARTITION BY p.correct ORDER BY i.id) - 1 AS k, count(*) OVER (PARTITION BY p.correct) AS of
				FROM images i JOIN predictions p ON p.image_id = i.id AND p.version_id = $2 JOIN classes c ON c.project_id = i.project_id AND c.index = i.label
				WHERE i.project_id = $1 AND i.source <> 'grown' AND i.retired_at IS NULL AND i.left_out = '{}' AND i.broken = ''
			), wanted AS (
				SELECT n, (hashint8extended(n, $6) & 1048575) % 100 >= $5 AS correct, hashint8extended(n, $6 + 1) & 1048575 AS lot, (hashint8extended(n, $6 + 2) & 1048575) / 1048576.0 AS chance
				FROM generate_series($3::bigint, $3::bigint + $4::bigint - 1) n
			), new AS MATERIALIZED (
				SELECT w.n, w.chance, 'grown/' || s.key || '/' || lpad(w.n::text, 8, '0') || '.png' AS name, s.* FROM wanted w JOIN source s ON s.correct = w.correct AND s.k = w.lot % s.of
			), image AS (
				INSERT INTO images (project_id, name, split, label, source_label, hash, width, height, source, fingerprint)
				SELECT $1, name, 'pool', label, label, hash, width, height, 'grown', fingerprint FROM new ORDER BY n
				RETURNING id, name
			), prediction AS (
				INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, kept_classes, probabilities, map_height, map_width, map)
				SELECT $2, i.id, class, (confidence * (0.6 + 0.4 * chance))::real, correct, att_class, top_classes, top_values, kept_classes, probabilities, map_height, map_width, map
				FROM image i JOIN new USING (name)
				RETURNING image_id, class, confidence, correct
			)
			SELECT image_id FROM prediction`, v.ProjectID, v.ID, from, n, tasks, seed)
		if err != nil {
			return err
		}
		if int(made) != n {
			return fmt.Errorf("%d of %d images were made: the project needs images that version %d gets right and some that it gets wrong: %w", made, n, v.Number, annotator.ErrConflict)
		}
		if _, err := tx.exec(ctx, `UPDATE versions SET scanned = scanned + $2 WHERE id = $1`, v.ID, made); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `
			INSERT INTO tasks (project_id, image_id, version_id, label, predicted, confidence, chance)
			SELECT i.project_id, i.id, p.version_id, i.label, p.class, p.confidence, (hashint8extended(i.id, $3) & 1048575) / 1048576.0
			FROM images i JOIN predictions p ON p.image_id = i.id AND p.version_id = $2
			WHERE i.project_id = $1 AND i.source = 'grown' AND NOT p.correct AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id)
				AND i.id > coalesce((SELECT max(image_id) FROM tasks WHERE project_id = $1), 0)
			ORDER BY i.id`, v.ProjectID, v.ID, seed)
		return err
	})
}

// RunningQuery is a statement that runs on the database.
type RunningQuery struct {
	Query string
	For   time.Duration
}

// Running lists the statements that other connections to the database run now. A benchmark asks it often, to know what takes long.
func (s *Store) Running(ctx context.Context) ([]RunningQuery, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (q RunningQuery, err error) {
		var seconds float64
		err = row.Scan(&q.Query, &seconds)
		q.For = time.Duration(seconds * float64(time.Second))
		return q, err
	}, `
		SELECT query, extract(epoch FROM clock_timestamp() - query_start)::float8 FROM pg_stat_activity
		WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database() AND query_start IS NOT NULL`)
	return all, wrap(err, "listing what the database runs")
}
