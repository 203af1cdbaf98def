package web

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/forecast"
)

// forecastRows are what a forecast follows from.
type forecastRows struct {
	Rows []forecast.RowInPlace `json:"rows"`
}

// forecasts registers what is said before a round of whether painting is likely to pay.
func (a *api) forecasts() {
	about := get("forecast", "/projects/{project}/forecast", "Whether painting is likely to pay, before a round")
	about.Description = "What the active version answers with approved maps in the place of its own, with other images' maps and with flat ones; what rounds gained so far. It is worked out in the background, from ten approved edits on and whenever enough of them are others, and says what it was made of."
	handle(a, annotator.RoleAnnotator, about, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.ProjectForecast], error) {
		f, err := a.server.service.ForecastOf(ctx, actor, in.Project)
		return &answer[annotator.ProjectForecast]{f}, err
	})
	handle(a, annotator.RoleAnnotator, get("forecastRows", "/projects/{project}/forecast/rows", "What the forecast follows from: the answers to each image under each map"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[forecastRows], error) {
			rows, err := a.server.service.ForecastRows(ctx, actor, in.Project)
			return &answer[forecastRows]{forecastRows{orEmpty(rows)}}, err
		})
	start := post("startForecast", "/projects/{project}/forecast", "Work the forecast out anew")
	start.Description = "Needs ten approved edits. If it is under way already, that work is returned."
	handle(a, annotator.RoleReviewer, start, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.Job], error) {
		job, err := a.server.service.StartForecast(ctx, actor, in.Project)
		return &answer[annotator.Job]{job}, err
	})
}
