package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// predictionColumns are the columns of predictions under the alias p, without the probabilities of classes beyond the top.
const predictionColumns = `p.version_id, p.image_id, p.class, p.confidence, p.correct, p.att_class, p.top_classes, p.top_values, p.map_height, p.map_width, p.map`

// predictionRow is a row of predictions.
type predictionRow struct {
	p             annotator.Prediction
	classes       []int32
	values        []float32
	height, width int
	cells         []byte
}

func (r *predictionRow) fields() []any {
	return []any{&r.p.VersionID, &r.p.ImageID, &r.p.Class, &r.p.Confidence, &r.p.Correct, &r.p.AttClass,
		&r.classes, &r.values, &r.height, &r.width, &r.cells}
}

func scanPrediction(row pgx.CollectableRow) (annotator.Prediction, error) {
	var r predictionRow
	if err := row.Scan(r.fields()...); err != nil {
		return annotator.Prediction{}, err
	}
	return r.prediction()
}

func (r *predictionRow) prediction() (annotator.Prediction, error) {
	for i, class := range r.classes {
		r.p.Top = append(r.p.Top, annotator.ClassScore{Class: int(class), Probability: r.values[i]})
	}
	var err error
	r.p.Map, err = attention.FromBytes(r.height, r.width, r.cells)
	return r.p, err
}

// Prediction implements annotator.ImageStore.
func (s *Store) Prediction(ctx context.Context, versionID, imageID int64) (annotator.Prediction, error) {
	p, err := one(ctx, s, scanPrediction, `SELECT `+predictionColumns+` FROM predictions p WHERE version_id = $1 AND image_id = $2`, versionID, imageID)
	return p, wrap(err, "version %d's prediction of image %d", versionID, imageID)
}

// Predictions lists a version's predictions of images of the given splits (none: all), by image id.
func (s *Store) Predictions(ctx context.Context, versionID int64, splits ...annotator.Split) ([]annotator.Prediction, error) {
	all, err := list(ctx, s, scanPrediction, `
		SELECT `+predictionColumns+` FROM predictions p JOIN images i ON i.id = p.image_id
		WHERE p.version_id = $1 AND i.retired_at IS NULL AND (cardinality($2::text[]) = 0 OR i.split = ANY($2)) ORDER BY p.image_id`, versionID, texts(splits))
	return all, wrap(err, "listing the predictions of version %d", versionID)
}

// predictionPage is how many predictions EachPrediction reads at a time.
const predictionPage = 1000

// EachPrediction calls each with a version's predictions of the images of a split that are in use, and these images, by image id, until it fails.
func (s *Store) EachPrediction(ctx context.Context, v annotator.Version, split annotator.Split, each func(annotator.Image, annotator.Prediction) error) error {
	type pair struct {
		image      annotator.Image
		prediction annotator.Prediction
	}
	for last := int64(0); ; {
		page, err := list(ctx, s, func(row pgx.CollectableRow) (p pair, err error) {
			var r predictionRow
			if err = row.Scan(append(imageFields(&p.image), r.fields()...)...); err != nil {
				return p, err
			}
			p.prediction, err = r.prediction()
			return p, err
		}, `
			SELECT `+imageColumns+`, `+predictionColumns+` FROM images i JOIN predictions p ON p.version_id = $2 AND p.image_id = i.id
			WHERE i.project_id = $1 AND i.split = $3 AND i.id > $4 AND i.retired_at IS NULL ORDER BY i.id LIMIT $5`, v.ProjectID, v.ID, split, last, predictionPage)
		if err != nil {
			return wrap(err, "reading the predictions of version %d", v.ID)
		}
		for _, p := range page {
			if err := each(p.image, p.prediction); err != nil {
				return err
			}
		}
		if len(page) < predictionPage {
			return nil
		}
		last = page[len(page)-1].image.ID
	}
}

// LeftOut counts the labelled images of a split that its figures are computed without: of a held-out split those that somebody left out, of others those
// whose labels are in doubt.
func (s *Store) LeftOut(ctx context.Context, projectID int64, split annotator.Split) (int, error) {
	counts := teaches
	if split.HeldOut() {
		counts = measured
	}
	n, err := one(ctx, s, pgx.RowTo[int], `
		SELECT count(*)::int FROM images i WHERE i.project_id = $1 AND i.split = $2 AND i.left_out <> '{}' AND i.label IS NOT NULL AND i.retired_at IS NULL AND NOT (`+counts+`)`, projectID, split)
	return n, wrap(err, "counting the left out images of project %d", projectID)
}

// insertPredictions writes predictions by COPY, through a temporary table, and leaves out those that
// are there already. It returns how many were new, and counts them on the version.
func (s *Store) insertPredictions(ctx context.Context, versionID int64, predictions []annotator.Prediction) (int, error) {
	if len(predictions) == 0 {
		return 0, nil
	}
	for _, p := range predictions {
		if err := p.Map.Validate(); err != nil {
			return 0, fmt.Errorf("prediction of image %d: %w", p.ImageID, err)
		}
	}
	if _, err := s.q.Exec(ctx, `
		CREATE TEMP TABLE IF NOT EXISTS new_predictions (image_id bigint, class int, confidence real, att_class int, top_classes int[], top_values real[],
			kept_classes int[], probabilities bytea, map_height int, map_width int, map bytea) ON COMMIT DELETE ROWS`); err != nil {
		return 0, err
	}
	_, err := s.q.CopyFrom(ctx, pgx.Identifier{"new_predictions"},
		[]string{"image_id", "class", "confidence", "att_class", "top_classes", "top_values", "kept_classes", "probabilities", "map_height", "map_width", "map"},
		pgx.CopyFromSlice(len(predictions), func(i int) ([]any, error) {
			p := predictions[i]
			top := annotator.TopClasses(p.Probabilities, 5)
			classes, values := make([]int32, len(top)), make([]float32, len(top))
			for j, t := range top {
				classes[j], values[j] = int32(t.Class), t.Probability
			}
			k := keep(p.Probabilities)
			return []any{p.ImageID, p.Class, p.Confidence, p.AttClass, classes, values, k.classes, k.values, p.Map.Height, p.Map.Width, p.Map.Bytes()}, nil
		}))
	if err != nil {
		return 0, err
	}
	tag, err := s.q.Exec(ctx, `
		INSERT INTO predictions (version_id, image_id, class, confidence, correct, att_class, top_classes, top_values, kept_classes, probabilities, map_height, map_width, map)
		SELECT $1, n.image_id, class, confidence, coalesce(class = i.label, false), att_class, top_classes, top_values, kept_classes, probabilities, map_height, map_width, map
		FROM new_predictions n JOIN images i ON i.id = n.image_id AND i.retired_at IS NULL
		ON CONFLICT (version_id, image_id) DO NOTHING`, versionID)
	if err != nil {
		return 0, err
	}
	if _, err := s.q.Exec(ctx, `UPDATE versions SET scanned = scanned + $2 WHERE id = $1`, versionID, tag.RowsAffected()); err != nil {
		return 0, err
	}
	_, err = s.q.Exec(ctx, `TRUNCATE new_predictions`)
	return int(tag.RowsAffected()), err
}
