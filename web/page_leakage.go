package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// leaksShown is how many leaks the page lists.
const leaksShown = 60

// leakagePage shows the held-out images that are like training images.
func (s *Server) leakagePage(v *visit) error {
	within, problem := withinOf(v.URL.Query())
	return s.showLeakage(v, within, problem)
}

// withinOf reads how many bits may differ; where that is nonsense it is what is usual, and the problem is returned.
func withinOf(values url.Values) (int, error) {
	typed := values.Get("within")
	if typed == "" {
		return fingerprint.Bound, nil
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 0 || n > fingerprint.MaxBound {
		return fingerprint.Bound, &annotator.ValidationError{Field: "within", Message: strconv.Quote(typed) + " is no number of bits from 0 to " + strconv.Itoa(fingerprint.MaxBound)}
	}
	return n, nil
}

// showLeakage renders the page, with what was wrong with a form.
func (s *Server) showLeakage(v *visit, within int, refused error) error {
	found, err := s.service.Leakage(v.Context(), v.actor, v.project.Slug, within, leaksShown)
	if err != nil {
		return err
	}
	view, status := templates.Leakage{Leakage: found}, http.StatusOK
	if refused != nil {
		if view.Problem, err = problemText(refused); err != nil {
			return err
		}
		status = http.StatusUnprocessableEntity
		if errors.Is(refused, annotator.ErrConflict) {
			status = http.StatusConflict
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.LeakagePage(v.frame(words.T(v.Context(), "Duplicates across splits"), "settings"), view))
}

// leaveOut leaves all that were found out of measures, or the one image that the form names.
func (s *Server) leaveOut(v *visit) error {
	return s.changeMeasured(v, func(within int, images []int64) error {
		n, err := s.service.LeaveOut(v.Context(), v.actor, v.project.Slug, within, images)
		if err == nil {
			v.say("Left out of measures from now on: {images}.", "images", words.N(v.Context(), n, "{n} image", "{n} images"))
		}
		return err
	})
}

// takeIn measures again on all images that were left out, or on the one that the form names.
func (s *Server) takeIn(v *visit) error {
	return s.changeMeasured(v, func(_ int, images []int64) error {
		n, err := s.service.TakeIn(v.Context(), v.actor, v.project.Slug, images)
		if err == nil {
			v.say("Measured on again from now on: {images}.", "images", words.N(v.Context(), n, "{n} image", "{n} images"))
		}
		return err
	})
}

func (s *Server) changeMeasured(v *visit, change func(within int, images []int64) error) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	within, err := withinOf(form)
	var images []int64
	if typed := form.Get("image"); typed != "" && err == nil {
		var id int64
		if id, err = strconv.ParseInt(typed, 10, 64); err != nil {
			err = &annotator.ValidationError{Field: "image", Message: strconv.Quote(typed) + " is no number of an image"}
		}
		images = []int64{id}
	}
	if err == nil {
		err = change(within, images)
	}
	var invalid *annotator.ValidationError
	switch {
	case err == nil:
		return v.redirect(v.to("leakage?within=%d", within))
	case errors.As(err, &invalid), errors.Is(err, annotator.ErrConflict):
		return s.showLeakage(v, within, err)
	}
	return err
}
