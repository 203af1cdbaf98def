package web

import (
	"fmt"
	"net/http"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) archivesPage(v *visit) error {
	list, err := s.service.StagedArchives(v.Context(), v.actor)
	if err != nil {
		return err
	}
	return v.render(templates.ArchivesPage(v.frame(words.T(v.Context(), "A project from an archive"), "projects"), templates.NewImport{Staged: list}))
}

// archiveOf returns an archive that was sent.
func (s *Server) archiveOf(v *visit) (annotator.StagedImport, error) {
	id := v.param("import")
	staged, err := s.service.StagedImport(v.Context(), v.actor, id)
	if err == nil && staged.ProjectID != 0 {
		err = fmt.Errorf("archive %q: %w", id, annotator.ErrNotFound)
	}
	return staged, err
}

func (s *Server) archivePage(v *visit) error {
	staged, err := s.archiveOf(v)
	if err != nil {
		return err
	}
	return v.render(templates.ArchivePage(v.frame(staged.Name, "projects"), templates.Archive{StagedImport: staged}))
}

// runArchive makes a project of an archive, or removes what was sent.
func (s *Server) runArchive(v *visit) error {
	staged, err := s.archiveOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	if form.Get("action") == "discard" {
		if err := s.service.DiscardImport(v.Context(), v.actor, staged.ID); err != nil {
			return err
		}
		v.say("What was sent of {name} is removed.", "name", staged.Name)
		return v.redirect("/archives")
	}
	view := templates.Archive{StagedImport: staged, Slug: form.Get("slug"), ProjectName: form.Get("name")}
	if _, err := s.service.StartArchive(v.Context(), v.actor, staged.ID, view.Slug, view.ProjectName); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		view.Refused = sentenceOf(v.Context(), problem)
		return s.render(v.ResponseWriter, v.Request, http.StatusUnprocessableEntity, templates.ArchivePage(v.frame(staged.Name, "projects"), view))
	}
	return v.redirect("/archives/" + staged.ID)
}
