package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) versionsPage(v *visit) error { return s.showVersions(v, http.StatusOK, 0, "") }

// showVersions shows the page of versions. noStateDict says why the state_dict of version of could not be made, "" if none was asked for.
func (s *Server) showVersions(v *visit, status int, of int64, noStateDict string) error {
	versions, err := s.service.Versions(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	rounds, err := s.service.Rounds(v.Context(), v.actor, v.project.Slug)
	if err != nil {
		return err
	}
	view := templates.Versions{Versions: versions, Rounds: map[int64]int{}, MaxBytes: s.config.MaxModelBytes, StateDictOf: of, NoStateDict: noStateDict}
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
	return s.render(v.ResponseWriter, v.Request, status, templates.VersionsPage(v.frame("Versions", "versions"), view))
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
	if _, err := s.service.ActivateVersion(v.Context(), v.actor, version.ID); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("v%d was not activated: %s", version.Number, problem)
	} else {
		v.say("v%d is active. It is scanned now; the queue follows.", version.Number)
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
		v.warn("No scan was started: %s", problem)
	} else {
		v.say("Scanning with v%d.", version.Number)
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
