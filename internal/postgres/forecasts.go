package postgres

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/text"
)

// Forecast implements annotator.ForecastStore.
func (s *Store) Forecast(ctx context.Context, versionID int64) (annotator.Forecast, error) {
	f, err := one(ctx, s, func(row pgx.CollectableRow) (f annotator.Forecast, err error) {
		err = row.Scan(&f.VersionID, &f.Edits, &f.Table, &f.MadeAt)
		return f, err
	}, `SELECT version_id, edits, figures, made_at FROM forecasts WHERE version_id = $1`, versionID)
	return f, wrap(err, "the forecast of version %d", versionID)
}

// ForecastRows implements annotator.ForecastStore.
func (s *Store) ForecastRows(ctx context.Context, versionID int64) ([]forecast.RowInPlace, error) {
	rows, err := one(ctx, s, pgx.RowTo[[]forecast.RowInPlace], `SELECT answers FROM forecasts WHERE version_id = $1`, versionID)
	return rows, wrap(err, "the forecast of version %d", versionID)
}

// ForecastJob implements annotator.ForecastStore.
func (s *Store) ForecastJob(ctx context.Context, versionID int64) (annotator.Job, error) {
	j, err := one(ctx, s, scanJob, `SELECT `+shownColumns+` FROM jobs j WHERE version_id = $1 AND kind = 'forecast' ORDER BY id DESC LIMIT 1`, versionID)
	return j, wrap(err, "the work on the forecast of version %d", versionID)
}

// usableOf is usableEdits of the project of version $1.
var usableOf = `WITH v AS (SELECT project_id FROM versions WHERE id = $1), usable AS (` + usableEditsOf(`(SELECT project_id FROM v)`, `$1`) + `)`

// ForecastEdits implements annotator.ForecastStore.
func (s *Store) ForecastEdits(ctx context.Context, versionID int64) ([]int64, error) {
	edits, err := list(ctx, s, pgx.RowTo[int64], usableOf+` SELECT edit_id FROM usable ORDER BY edit_id`, versionID)
	return edits, wrap(err, "listing the approved edits for version %d", versionID)
}

// EditedImage is an image with the approved edit that a round would learn from.
type EditedImage struct {
	Image  annotator.Image
	EditID int64
	Map    attention.Map
}

// EditedImages lists the images with an approved edit that a round of the version would learn from now, by id.
func (s *Store) EditedImages(ctx context.Context, versionID int64) ([]EditedImage, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (e EditedImage, err error) {
		var height, width int
		var cells []byte
		var marks attention.Marks
		if err = row.Scan(append(imageFields(&e.Image), &e.EditID, &height, &width, &cells, &marks)...); err != nil {
			return e, err
		}
		e.Map, err = attention.FromBytes(height, width, cells)
		e.Map.Marks = marks
		return e, err
	}, usableOf+`
		SELECT `+imageColumns+`, e.id, e.map_height, e.map_width, e.map, e.marks
		FROM usable u JOIN images i ON i.id = u.image_id JOIN edits e ON e.id = u.edit_id ORDER BY i.id`, versionID)
	return all, wrap(err, "listing the edited images for version %d", versionID)
}

// EnqueueForecast implements annotator.ForecastStore. The index jobs_one_forecast keeps a second one from being started at the same time.
func (s *Store) EnqueueForecast(ctx context.Context, versionID int64) (annotator.Job, error) {
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) (err error) {
		job, err = one(ctx, tx, scanJob, `
			INSERT INTO jobs (project_id, kind, version_id) SELECT project_id, $2, id FROM versions WHERE id = $1
			ON CONFLICT (version_id) WHERE kind = 'forecast' AND finished_at IS NULL DO NOTHING RETURNING `+jobColumns, versionID, annotator.JobForecast)
		if errors.Is(err, annotator.ErrNotFound) {
			job, err = tx.ForecastJob(ctx, versionID)
			return err
		}
		if err != nil {
			return err
		}
		return tx.enqueue(ctx, job.ID, ForecastArgs{JobID: job.ID, VersionID: versionID}, HeavyWork)
	})
	return job, wrap(err, "starting a forecast with version %d", versionID)
}

// SetForecast stores a version's forecast in place of the one before.
func (s *Store) SetForecast(ctx context.Context, f annotator.Forecast, rows []forecast.RowInPlace) error {
	figures, err := json.Marshal(f.Table)
	if err != nil {
		return wrap(err, "the forecast of version %d", f.VersionID)
	}
	answers, err := json.Marshal(rows)
	if err != nil {
		return wrap(err, "the forecast of version %d", f.VersionID)
	}
	_, err = s.exec(ctx, `
		INSERT INTO forecasts (version_id, edits, figures, answers) VALUES ($1, $2, $3::jsonb, $4::jsonb)
		ON CONFLICT (version_id) DO UPDATE SET edits = excluded.edits, figures = excluded.figures, answers = excluded.answers, made_at = now()`,
		f.VersionID, f.Edits, text.CleanJSON(figures), text.CleanJSON(answers))
	return wrap(err, "storing the forecast of version %d", f.VersionID)
}
