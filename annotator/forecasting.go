package annotator

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/text"
)

// ForecastStore keeps what was worked out before a round: whether the approved maps are likely to pay (internal/forecast).
type ForecastStore interface {
	// Forecast returns what was worked out last for a version; ErrNotFound before that.
	Forecast(ctx context.Context, versionID int64) (Forecast, error)
	// ForecastRows returns the rows that it follows from.
	ForecastRows(ctx context.Context, versionID int64) ([]forecast.RowInPlace, error)
	// ForecastJob returns the newest work on a version's forecast; ErrNotFound where there was none.
	ForecastJob(ctx context.Context, versionID int64) (Job, error)
	// ForecastEdits lists the approved edits that a round of the version would learn from.
	ForecastEdits(ctx context.Context, versionID int64) ([]int64, error)
	// EnqueueForecast has a worker make a version's forecast, in the caller's transaction. If that is under way already, it is returned.
	EnqueueForecast(ctx context.Context, versionID int64) (Job, error)
}

// Forecast is what a version answers with the approved maps of some edits in place.
type Forecast struct {
	VersionID int64
	Edits     []int64 // that it was made of
	Table     forecast.MapsInPlace
	MadeAt    time.Time
}

// changed counts the edits that were added since the forecast was made, or taken away, whichever are more: a map that took another one's
// place counts once.
func (f Forecast) changed(now []int64) int {
	was := make(map[int64]bool, len(f.Edits))
	for _, id := range f.Edits {
		was[id] = true
	}
	kept := 0
	for _, id := range now {
		if was[id] {
			kept++
		}
	}
	return max(len(now), len(f.Edits)) - kept
}

// ProjectForecast says whether painting is likely to pay in a project, and what its rounds gained so far.
type ProjectForecast struct {
	Version  int                    `json:"version,omitempty" doc:"Number of the active version, which the forecast is of; absent in a project without a model."`
	Approved int                    `json:"approved" minimum:"0" doc:"Approved edits that a round would learn from now."`
	Missing  int                    `json:"missing" minimum:"0" doc:"How many more are needed before anything can be said."`
	Forecast *forecast.MapsInPlace  `json:"forecast,omitempty" doc:"Absent until it has been made once for the active version."`
	MadeOf   int                    `json:"made_of,omitempty" minimum:"0" doc:"How many edits the forecast was made of."`
	MadeAt   *time.Time             `json:"made_at,omitempty"`
	Changed  int                    `json:"changed,omitempty" minimum:"0" doc:"How many of the approved edits are others than it was made of."`
	Job      *Job                   `json:"job,omitempty" doc:"The work on a new forecast, while it waits or runs, and where it has failed."`
	Curve    forecast.LearningCurve `json:"curve" doc:"What the project's rounds gained by how many edits they had."`
}

// ForecastOf says whether painting is likely to pay in a project. What it says is worked out in the background, and says itself what it
// was made of.
func (s *Service) ForecastOf(ctx context.Context, actor User, slug string) (ProjectForecast, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return ProjectForecast{}, err
	}
	var out ProjectForecast
	rounds, err := s.store.Rounds(ctx, project.ID)
	if err != nil {
		return out, err
	}
	out.Curve = forecast.LearningCurveOf(curveRounds(rounds))
	out.Missing = forecast.Enough
	version, err := s.store.ActiveVersion(ctx, project.ID)
	if isNotFound(err) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	edits, err := s.store.ForecastEdits(ctx, version.ID)
	if err != nil {
		return out, err
	}
	out.Version, out.Approved, out.Missing = version.Number, len(edits), max(0, forecast.Enough-len(edits))
	made, err := s.store.Forecast(ctx, version.ID)
	switch {
	case err == nil:
		out.Forecast, out.MadeOf, out.MadeAt, out.Changed = &made.Table, len(made.Edits), &made.MadeAt, made.changed(edits)
	case !isNotFound(err):
		return out, err
	}
	job, err := s.store.ForecastJob(ctx, version.ID)
	switch {
	case isNotFound(err):
		return out, nil
	case err != nil:
		return out, err
	case !job.State.Over() || job.State == JobFailed:
		out.Job = &job
	}
	return out, nil
}

// ForecastRows returns what the active version answers to each image with an approved map, under each map: all that the project's forecast
// says follows from them.
func (s *Service) ForecastRows(ctx context.Context, actor User, slug string) ([]forecast.RowInPlace, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	version, err := s.store.ActiveVersion(ctx, project.ID)
	if err != nil {
		return nil, err
	}
	return s.store.ForecastRows(ctx, version.ID)
}

// StartForecast has the forecast made anew from the maps that are approved now (reviewer). It is started by itself as well, whenever
// enough of the approved maps are others.
func (s *Service) StartForecast(ctx context.Context, actor User, slug string) (Job, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return Job{}, err
	}
	if project.State() != ProjectOpen {
		return Job{}, &ClosedError{slug}
	}
	var job Job
	err = s.store.InTx(ctx, func(tx Store) error {
		version, err := tx.ActiveVersion(ctx, project.ID)
		if isNotFound(err) {
			return &ValidationError{Field: "project", Message: "has no model yet: add one first"}
		}
		if err != nil {
			return err
		}
		if err := version.unfit(); err != nil {
			return err
		}
		edits, err := tx.ForecastEdits(ctx, version.ID)
		if err != nil {
			return err
		}
		if missing := forecast.Enough - len(edits); missing > 0 {
			return &ValidationError{Field: "edits", Message: fmt.Sprintf("%s are approved: approve %s more, a forecast needs %d", text.Count(len(edits)), text.Count(missing), forecast.Enough)}
		}
		if job, err = tx.EnqueueForecast(ctx, version.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "forecast.start", versionSubject(version.ID), fmt.Sprintf("v%d, %s edits", version.Number, text.Count(len(edits))))
	})
	if err != nil {
		return Job{}, fmt.Errorf("starting a forecast of %s: %w", slug, err)
	}
	return job, nil
}

// ConsiderForecast starts a forecast of a project's active version if one is due, in the transaction of what changed its approved edits.
func ConsiderForecast(ctx context.Context, tx Store, projectID int64) error {
	version, err := tx.ActiveVersion(ctx, projectID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	edits, err := tx.ForecastEdits(ctx, version.ID)
	if err != nil || len(edits) < forecast.Enough {
		return err
	}
	made, err := tx.Forecast(ctx, version.ID)
	if err != nil && !isNotFound(err) {
		return err
	}
	if !forecast.Due(len(made.Edits), made.changed(edits), len(edits)) {
		return nil
	}
	_, err = tx.EnqueueForecast(ctx, version.ID)
	return err
}

// curveRounds are what the finished rounds gained over their baseline; over the control in rounds of old releases.
func curveRounds(rounds []Round) (all []forecast.CurveRound) {
	for _, r := range rounds {
		if r.State != RoundFinished || r.Result == nil {
			continue
		}
		at := forecast.CurveRound{ID: r.ID, Number: r.Number, Edits: r.Edits}
		if c := r.Result.Comparison; c != nil {
			for _, f := range c.Arms {
				if f.Arm == c.Baseline && f.Difference != nil && f.Low != nil && f.High != nil {
					at.Gain, at.Low, at.High = *f.Difference, *f.Low, *f.High
					all = append(all, at)
				}
			}
			continue
		}
		for _, m := range r.Result.Measures {
			if m.Name == "accuracy" {
				at.Gain, at.Low, at.High = m.Difference, m.Low, m.High
				all = append(all, at)
			}
		}
	}
	return all
}
