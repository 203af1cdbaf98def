package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// trailFields are what the form of the trail's page and the addresses of its export have in common.
var trailFields = []string{"person", "kind", "project", "since", "until"}

// trailPageOfStudio shows who did what in the whole studio.
func (s *Server) trailPageOfStudio(v *visit) error {
	form := v.URL.Query()
	if err := checkValues("query", form); err != nil {
		return err
	}
	view := templates.Trail{Form: form, Filters: url.Values{}}
	for _, field := range trailFields {
		if value := form.Get(field); value != "" {
			view.Filters.Set(field, value)
		}
	}
	var err error
	if view.People, err = s.service.Users(v.Context(), v.actor); err != nil {
		return err
	}
	if view.Projects, err = s.service.Projects(v.Context(), v.actor, annotator.ProjectOpen); err != nil {
		return err
	}
	query := TrailQuery{Kind: annotator.TrailKind(form.Get("kind")), Project: form.Get("project"), Since: form.Get("since"), Until: form.Get("until")}
	if typed := form.Get("person"); typed != "" {
		if query.Person, err = strconv.ParseInt(typed, 10, 64); err != nil {
			query.Person = -1
		}
	}
	before, _ := strconv.ParseInt(form.Get("before"), 10, 64) // anything but a number: from the newest
	f, err := query.filter()
	if err == nil {
		view.Lines, err = s.service.Trail(v.Context(), v.actor, f, before)
	}
	status := http.StatusOK
	if err != nil {
		if view.Problem, err = problemText(err); err != nil {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	view.Older = olderThan(view.Lines)
	return s.render(v.ResponseWriter, v.Request, status, templates.TrailPage(v.frame(words.T(v.Context(), "Trail"), "trail"), view))
}
