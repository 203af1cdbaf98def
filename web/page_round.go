package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) roundsPage(v *visit) error {
	rounds, err := s.service.Rounds(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	numbers, err := s.versionNumbers(v)
	if err != nil {
		return err
	}
	plan, err := s.service.RoundPlan(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	return v.render(templates.RoundsPage(v.frame(words.T(v.Context(), "Rounds"), "rounds"), templates.Rounds{Rounds: rounds, Versions: numbers, Data: plan.Data}))
}

// versionNumbers returns the numbers of the project's versions by id.
func (s *Server) versionNumbers(v *visit) (map[int64]int, error) {
	versions, err := s.service.Versions(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return nil, err
	}
	numbers := make(map[int64]int, len(versions))
	for _, version := range versions {
		numbers[version.ID] = version.Number
	}
	return numbers, nil
}

// newRoundPage shows the form of a round, filled in with the defaults, or with the settings of the round that ?like= names.
func (s *Server) newRoundPage(v *visit) error {
	plan, err := s.service.RoundPlan(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	form := templates.RoundForm{RoundPlan: plan, Key: rand.Text(), Running: v.project.RunningRound != nil}
	if like := v.URL.Query().Get("like"); like != "" {
		id, err := strconv.ParseInt(like, 10, 64)
		if err != nil {
			return fmt.Errorf("round %q: %w", like, annotator.ErrNotFound)
		}
		round, err := s.projectRound(v, id)
		if err != nil {
			return err
		}
		form.Settings, form.Like = round.Settings, round.Number
	}
	return v.render(templates.NewRoundPage(v.frame(words.T(v.Context(), "New round"), "rounds"), form))
}

func (s *Server) startRound(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	settings, err := readRoundSettings(form)
	var round annotator.Round
	if err == nil {
		round, err = s.service.StartRound(v.Context(), v.actor, v.project.Slug, settings, form.Get("key"))
	}
	if err == nil {
		return v.redirect(v.to("rounds/%d", round.ID))
	}
	view := templates.RoundForm{Key: form.Get("key"), Running: v.project.RunningRound != nil}
	var validation *annotator.ValidationError
	if errors.As(err, &validation) {
		view.Field = validation.Field
	}
	if view.Problem, err = problemText(err); err != nil {
		return err
	}
	if view.RoundPlan, err = s.service.RoundPlan(v.Context(), v.actor, v.project.Slug); err != nil {
		return err
	}
	view.Settings = settings
	return s.render(v.ResponseWriter, v.Request, http.StatusUnprocessableEntity, templates.NewRoundPage(v.frame(words.T(v.Context(), "New round"), "rounds"), view))
}

// readRoundSettings reads the form. The error names the first field that is not a number but should be.
func readRoundSettings(form url.Values) (recipe.Settings, error) {
	settings := recipe.Defaults()
	var wrong error
	for _, f := range recipe.Fields {
		if f.Group == "" {
			continue
		}
		var refused *recipe.Error
		if errors.As(settings.Read(f.Name, strings.Join(form[f.Name], ",")), &refused) && wrong == nil {
			wrong = &annotator.ValidationError{Field: refused.Field, Message: refused.Message}
		}
	}
	return settings, wrong
}

// roundOf returns a round of the visited project.
func (s *Server) roundOf(v *visit) (annotator.Round, error) {
	id, err := v.id("round")
	if err != nil {
		return annotator.Round{}, err
	}
	return s.projectRound(v, id)
}

func (s *Server) projectRound(v *visit, id int64) (annotator.Round, error) {
	round, project, err := s.service.Round(v.Context(), v.actor, id)
	if err == nil && project.ID != v.project.ID {
		err = fmt.Errorf("round %d: %w", id, annotator.ErrNotFound)
	}
	return round, err
}

// changedShown is how many changed images a round's page shows at most.
const changedShown = 24

func (s *Server) roundPage(v *visit) error {
	round, err := s.roundOf(v)
	if err != nil {
		return err
	}
	view := templates.Round{Round: round}
	if view.Versions, err = s.versionNumbers(v); err != nil {
		return err
	}
	if round.Result != nil {
		shown, err := s.service.ShownImages(v.Context(), v.actor, round.ID)
		if err != nil {
			return err
		}
		answers := map[int64]annotator.ShownImage{}
		for _, i := range shown {
			answers[i.ID] = i
		}
		maps, against := round.Result.Compared()
		changed := func(i annotator.ShownImage) []templates.NamedAnswer {
			return []templates.NamedAnswer{{Of: arms.Of(against).Brief, ShownAnswer: i.Control}, {Of: arms.Of(maps).Brief, ShownAnswer: i.Candidate}}
		}
		moved := func(i annotator.ShownImage) []templates.NamedAnswer {
			return []templates.NamedAnswer{{Of: "parent", ShownAnswer: i.Parent}, {Of: arms.Of(maps).Brief, ShownAnswer: i.Candidate}}
		}
		if view.Fixed, err = s.roundImages(v, round.ParentVersion, round.Result.Fixed, answers, changed); err != nil {
			return err
		}
		if view.Broken, err = s.roundImages(v, round.ParentVersion, round.Result.Broken, answers, changed); err != nil {
			return err
		}
		if view.Moved, err = s.roundImages(v, round.ParentVersion, round.Result.Moved, answers, moved); err != nil {
			return err
		}
	}
	title := words.T(v.Context(), "Round {number}", "number", round.Number)
	return v.render(templates.RoundPage(v.frame(title, "rounds", "round"), view))
}

// roundImages are the first of some images, with the answers that a round has of them, else with the version's.
func (s *Server) roundImages(v *visit, version int64, ids []int64, answers map[int64]annotator.ShownImage, of func(annotator.ShownImage) []templates.NamedAnswer) ([]templates.RoundImage, error) {
	var list []templates.RoundImage
	for _, id := range ids[:min(changedShown, len(ids))] {
		image, prediction, err := s.service.Image(v.Context(), v.actor, id, &version)
		if err != nil {
			return nil, err
		}
		changed := templates.RoundImage{Image: image, Prediction: prediction}
		if shown, there := answers[id]; there {
			changed.Answers = of(shown)
		}
		list = append(list, changed)
	}
	return list, nil
}

func (s *Server) cancelRound(v *visit) error {
	round, err := s.roundOf(v)
	if err != nil {
		return err
	}
	if _, err := s.service.CancelRound(v.Context(), v.actor, round.ID); errors.Is(err, annotator.ErrConflict) {
		v.warn("The round is over already.")
	} else if err != nil {
		return err
	}
	return v.redirect(v.to("rounds/%d", round.ID))
}
