package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) versionsPage(v *visit) error {
	return s.showVersions(v, http.StatusOK, templates.Versions{})
}

// showVersions shows the page of versions, with what the view says already of a state_dict that could not be made or of an activation.
func (s *Server) showVersions(v *visit, status int, view templates.Versions) error {
	versions, err := s.service.Versions(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	rounds, err := s.service.Rounds(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	view.Versions, view.Rounds, view.MaxBytes = versions, map[int64]int{}, s.config.MaxModelBytes
	for _, r := range rounds {
		view.Rounds[r.ID] = r.Number
	}
	view.Comparing = v.URL.Query().Has("compare")
	if picked := v.URL.Query()["v"]; len(picked) > 0 {
		view.A = versionByID(versions, picked[0])
		if len(picked) > 1 {
			view.B = versionByID(versions, picked[len(picked)-1])
		}
	}
	if view.A != nil && view.B != nil && view.A.ID != view.B.ID {
		if view.Compared, err = s.compared(v, *view.A, *view.B); err != nil {
			return err
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.VersionsPage(v.frame(words.T(v.Context(), "Versions"), "versions"), view))
}

// compared sets two versions beside each other; nil where no rounds tell.
func (s *Server) compared(v *visit, a, b annotator.Version) (*templates.Compared, error) {
	c, err := s.service.CompareVersions(v.Context(), v.actor, a.ID, b.ID)
	if errors.Is(err, annotator.ErrNotFound) || errors.Is(err, annotator.ErrUnavailable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	view := &templates.Compared{VersionComparison: c}
	shown := map[int64]annotator.ShownImage{}
	ofA := func(i annotator.ShownImage) annotator.ShownAnswer { return i.Parent }
	ofB := func(i annotator.ShownImage) annotator.ShownAnswer { return i.Candidate }
	if a.ID > b.ID { // a round's version is newer than its parent
		ofA, ofB = ofB, ofA
	}
	if c.Round != nil {
		all, err := s.service.ShownImages(v.Context(), v.actor, *c.Round)
		if err != nil {
			return nil, err
		}
		for _, i := range all {
			shown[i.ID] = i
		}
	}
	names := [2]string{fmt.Sprintf("v%d", a.Number), fmt.Sprintf("v%d", b.Number)}
	images := func(ids []int64) ([]templates.RoundImage, error) {
		list, err := s.roundImages(v, b.ID, ids, shown, func(i annotator.ShownImage) []templates.NamedAnswer {
			return []templates.NamedAnswer{{Of: names[0], ShownAnswer: ofA(i)}, {Of: names[1], ShownAnswer: ofB(i)}}
		})
		for n, i := range list {
			if i.Answers != nil || i.Prediction == nil {
				continue
			}
			_, before, err := s.service.Image(v.Context(), v.actor, i.Image.ID, &a.ID)
			if err != nil {
				return nil, err
			}
			if before != nil {
				list[n].Answers = []templates.NamedAnswer{{Of: names[0], ShownAnswer: shownAnswer(*before)}, {Of: names[1], ShownAnswer: shownAnswer(*i.Prediction)}}
			}
		}
		return list, err
	}
	if view.FixedImages, err = images(c.Fixed); err != nil {
		return nil, err
	}
	if view.BrokenImages, err = images(c.Broken); err != nil {
		return nil, err
	}
	view.MovedImages, err = images(c.Moved)
	return view, err
}

// shownAnswer is a scan's answer as a round's.
func shownAnswer(p annotator.Prediction) annotator.ShownAnswer {
	return annotator.ShownAnswer{Class: p.Class, Confidence: float64(p.Confidence), Map: p.Map}
}

func versionByID(versions []annotator.Version, text string) *annotator.Version {
	id, _ := strconv.ParseInt(text, 10, 64) // anything but a number is 0, the id of no version
	for i := range versions {
		if versions[i].ID == id {
			return &versions[i]
		}
	}
	return nil
}

// versionOf returns a version of the visited project.
func (s *Server) versionOf(v *visit) (annotator.Version, error) {
	id, err := v.id("version")
	if err != nil {
		return annotator.Version{}, err
	}
	version, project, err := s.service.Version(v.Context(), v.actor, id)
	if err == nil && project.ID != v.project.ID {
		err = fmt.Errorf("version %d: %w", id, annotator.ErrNotFound)
	}
	return version, err
}

func (s *Server) activateVersion(v *visit) error {
	version, err := s.versionOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if strings.TrimSpace(form.Get("reason")) == "" { // who is not told yet what got worse is told, and asked
		told, err := s.service.AgainstActive(v.Context(), v.actor, version.ID)
		if err != nil {
			return err
		}
		if told != nil && len(told.Worse) > 0 && v.project.ActiveVersion != nil {
			return s.showVersions(v, http.StatusUnprocessableEntity, templates.Versions{Asked: &templates.Asked{
				Version: version, Active: *v.project.ActiveVersion, Worse: told.Worse, Images: told.Images,
			}})
		}
	}
	if _, err := s.service.ActivateVersion(v.Context(), v.actor, version.ID, form.Get("reason")); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("v{number} was not activated: {problem}", "number", version.Number, "problem", words.Say(v.Context(), problem))
	} else {
		v.say("v{number} is active. It is scanned now; the queue follows.", "number", version.Number)
	}
	return v.redirect(v.to("versions"))
}

func (s *Server) scanVersion(v *visit) error {
	version, err := s.versionOf(v)
	if err != nil {
		return err
	}
	if _, err := s.service.StartScan(v.Context(), v.actor, version.ID); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("No scan was started: {problem}", "problem", words.Say(v.Context(), problem))
	} else {
		v.say("Scanning with v{number}.", "number", version.Number)
	}
	return v.redirect(v.to("activity"))
}

func (s *Server) imagePage(v *visit) error {
	id, err := v.id("image")
	if err != nil {
		return err
	}
	var form templates.LabelForm
	if class, err := strconv.Atoi(v.URL.Query().Get("suspect")); err == nil && class >= 0 && class < len(v.project.Classes) {
		form.Class, form.Suggested = v.project.Classes[class].Name, strconv.Itoa(class)
	}
	return s.showImage(v, id, http.StatusOK, form)
}

// showImage renders an image's page, with what was typed of its label.
func (s *Server) showImage(v *visit, id int64, status int, typed templates.LabelForm) error {
	versions, err := s.service.Versions(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	view := templates.Image{Form: typed}
	detail, err := s.service.ImageDetail(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	view.Image, view.Tasks, view.Edits, view.Trail = detail.Image, detail.Tasks, detail.Edits, detail.History
	if view.Image.ProjectID != v.project.ID {
		return fmt.Errorf("image %d: %w", id, annotator.ErrNotFound)
	}
	for i := len(versions) - 1; i >= 0; i-- {
		_, prediction, err := s.service.Image(v.Context(), v.actor, id, &versions[i].ID)
		if err != nil && !errors.Is(err, annotator.ErrNotFound) {
			return err
		}
		view.Predictions = append(view.Predictions, templates.VersionPrediction{Version: versions[i], Prediction: prediction})
	}
	if v.project.ActiveVersion != nil {
		view.Manifest, _ = v.project.ActiveVersion.ReadManifest() // if it cannot be read, no crop is outlined
	}
	if view.History, err = s.service.LabelHistory(v.Context(), v.actor, id); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.ImagePage(v.frame(view.Image.Name, "images"), view))
}
