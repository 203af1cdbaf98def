package web

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// spacePage shows what takes the space.
func (s *Server) spacePage(v *visit) error {
	return s.showSpace(v, http.StatusOK, templates.Space{})
}

func (s *Server) showSpace(v *visit, status int, view templates.Space) (err error) {
	if view.Space, err = s.service.Space(v.Context(), v.actor); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.SpacePage(v.frame(words.T(v.Context(), "Storage"), "space"), view))
}

// changeSpace sets a quota, or has everything counted again.
func (s *Server) changeSpace(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	slug := form.Get("project")
	switch form.Get("do") {
	case "count":
		if err := s.service.CountSpace(v.Context(), v.actor); err != nil {
			return err
		}
		v.say("A worker tidies and counts: look again in a moment.")
		return v.redirect("/space")
	case "quota":
		var quota int64
		if quota, err = readGigabytes(form.Get("quota")); err == nil && slug == "" {
			err = s.service.SetDefaultQuota(v.Context(), v.actor, quota)
		} else if err == nil {
			_, err = s.service.SetQuota(v.Context(), v.actor, slug, quota)
		}
	default:
		return errBadForm
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showSpace(v, http.StatusUnprocessableEntity, templates.Space{Typed: map[string]string{slug: form.Get("quota")}, Problem: sentenceOf(v.Context(), problem)})
	}
	v.say("Saved.")
	return v.redirect("/space")
}

// readGigabytes reads a quota as people type it, in GB of 10⁹ bytes, into bytes; 0 where nothing is typed.
func readGigabytes(typed string) (int64, error) {
	typed = strings.ReplaceAll(strings.TrimSpace(typed), ",", "")
	if typed == "" {
		return 0, nil
	}
	gigabytes, err := strconv.ParseFloat(typed, 64)
	if bytes := math.Round(gigabytes * 1e9); err == nil && bytes >= 1 && bytes <= float64(annotator.MaxQuota) {
		return int64(bytes), nil
	}
	return 0, &annotator.ValidationError{Field: "quota", Message: fmt.Sprintf("%q is no size in GB above 0: type one, such as 250 or 0.5, or nothing for none", typed)}
}
