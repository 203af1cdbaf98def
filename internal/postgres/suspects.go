package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// heldOut is the condition of an image i that neither version $1 nor its ancestors were trained on. learned has what rounds took from pool.
const (
	learned = `
		line AS (SELECT id, parent_id, round_id FROM versions WHERE id = $1 UNION SELECT v.id, v.parent_id, v.round_id FROM versions v JOIN line ON v.id = line.parent_id),
		learned AS (SELECT x.image_id FROM round_edits x WHERE x.round_id IN (SELECT round_id FROM line))`
	heldOut = `(i.split IN ('validation', 'test') OR i.split = 'pool' AND i.id NOT IN (SELECT image_id FROM learned))`
)

// LabelAnswers implements annotator.SuspectStore. It reads row by row: the probabilities of all images may be more than fits in memory.
func (s *Store) LabelAnswers(ctx context.Context, versionID int64, classes int, wrong bool, each func(annotator.LabelEvidence)) error {
	sql := `
		WITH RECURSIVE ` + learned + `
		SELECT i.id, i.label, ` + heldOut + `, `
	if wrong {
		sql += `p.kept_classes, p.probabilities FROM predictions p JOIN images i ON i.id = p.image_id
			WHERE p.version_id = $1 AND NOT p.correct AND NOT ` + questioned + `
				AND NOT EXISTS (SELECT FROM label_verdicts l WHERE l.image_id = i.id AND (l.state IN ('vouched', 'rejected') AND l.was = i.label OR l.state = 'confirmed' AND l.class = i.label))`
	} else {
		sql += `NULL::int[], ` + probabilityOf("i.label") + ` FROM predictions p JOIN images i ON i.id = p.image_id
			WHERE p.version_id = $1 AND ` + heldOut
	}
	sql += ` AND i.label IS NOT NULL AND i.broken = '' AND i.retired_at IS NULL AND ` + teaches
	rows, err := s.q.Query(ctx, sql, versionID) // not repeated where the connection is lost: each has been told of rows
	if err == nil {
		var e annotator.LabelEvidence
		var k kept
		var all []float32
		_, err = pgx.ForEachRow(rows, []any{&e.ImageID, &e.Label, &e.HeldOut, &k.classes, &k.values}, func() error {
			if wrong {
				all = k.of(classes, all)
				e.Probabilities = all
			} else if e.Probability = 0; len(k.values) > 0 { // of a class that was not kept it is less than all that are
				e.Probability = floats(k.values)[0]
			}
			each(e)
			return nil
		})
	}
	return wrap(err, "reading what version %d answers of labels", versionID)
}

// OpenTasks implements annotator.LabelStore.
func (s *Store) OpenTasks(ctx context.Context, images []int64) (map[int64]int64, error) {
	found := map[int64]int64{}
	_, err := list(ctx, s, func(row pgx.CollectableRow) (nothing struct{}, err error) {
		var image, task int64
		err = row.Scan(&image, &task)
		found[image] = task
		return nothing, err
	}, `SELECT image_id, id FROM tasks WHERE image_id = ANY($1) AND state = ANY($2) ORDER BY id`, images, texts(annotator.TaskTransitions.From(annotator.EventTake)))
	return found, wrap(err, "looking for the tasks of %d images", len(images))
}
