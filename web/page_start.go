package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// startExamples is how many images the page of starts shows.
const startExamples = 4

// startPage shows the maps that each method makes for some images, with the radius that was asked for.
func (s *Server) startPage(v *visit) error {
	start := v.project.Start
	query := v.URL.Query()
	if method := attention.StartMethod(query.Get("method")); method.Kind() != nil {
		start = attention.Start{Method: method, Radius: method.Kind().Radius}
	}
	view := templates.Start{Chosen: start}
	var radius *float64
	if typed := query.Get("radius"); typed != "" {
		r, err := readRadius(typed)
		if err != nil {
			return s.showStart(v, view, nil, err)
		}
		radius = &r
		if kind := start.Method.Kind(); kind.Radius > 0 {
			view.Chosen.Radius = r
		}
	}
	return s.showStart(v, view, radius, nil)
}

// showStart renders the page, with what was wrong with a form.
func (s *Server) showStart(v *visit, view templates.Start, radius *float64, refused error) error {
	status := http.StatusOK
	preview, err := s.service.PreviewStarts(v.Context(), v.actor, v.project.Slug, radius, startExamples)
	var invalid *annotator.ValidationError
	if errors.As(err, &invalid) && refused == nil { // the radius is wrong: show maps with the default and the problem
		refused = err
		preview, err = s.service.PreviewStarts(v.Context(), v.actor, v.project.Slug, nil, startExamples)
	}
	switch {
	case errors.Is(err, annotator.ErrConflict):
		view.NoVersion = true
	case err != nil:
		return err
	}
	view.Preview = preview
	if refused != nil {
		if view.Problem, err = problemText(refused); err != nil {
			return err
		}
		if errors.As(refused, &invalid) {
			view.Field = invalid.Field
		}
		status = http.StatusUnprocessableEntity
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.StartPage(v.frame(words.T(v.Context(), "What painters begin with"), "settings"), view))
}

// readRadius reads a radius, a number of cells, as a person typed it.
func readRadius(typed string) (float64, error) {
	r, err := strconv.ParseFloat(strings.TrimSpace(typed), 64)
	if err != nil {
		return 0, &annotator.ValidationError{Field: "radius", Message: fmt.Sprintf("%q is no number of cells", typed)}
	}
	return r, nil
}

// setStart stores the choice.
func (s *Server) setStart(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	start := attention.Start{Method: attention.StartMethod(form.Get("method"))}
	if kind := start.Method.Kind(); kind != nil && kind.Radius > 0 {
		if start.Radius, err = readRadius(form.Get("radius")); err != nil {
			return s.showStart(v, templates.Start{Chosen: start}, nil, err)
		}
	}
	if _, err := s.service.SetStart(v.Context(), v.actor, v.project.Slug, start); err != nil {
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) {
			return err
		}
		return s.showStart(v, templates.Start{Chosen: start}, nil, err)
	}
	v.say("Painters of untouched tasks begin with: {start}.", "start", templates.StartWords(v.Context(), start))
	return v.redirect(v.to("start"))
}
