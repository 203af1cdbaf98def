package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) newImportPage(v *visit) error {
	return s.showNewImport(v, http.StatusOK, templates.NewImport{})
}

func (s *Server) showNewImport(v *visit, status int, view templates.NewImport) (err error) {
	if view.Staged, err = s.service.StagedImports(v.Context(), v.actor, v.project.Slug); err != nil {
		return err
	}
	if v.actor.Role.May(annotator.RoleAdmin) { // what lies on the server is not of the project
		if view.Sources, err = s.service.Sources(v.Context(), v.actor); err != nil {
			return err
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.NewImportPage(v.frame(words.T(v.Context(), "Add images"), "settings"), view))
}

// beginFromSource begins an import of what lies on the server, and looks at it.
func (s *Server) beginFromSource(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	from := annotator.ServerFolder{Source: form.Get("source"), Path: form.Get("path")}
	staged, err := s.service.BeginSourceImport(v.Context(), v.actor, v.project.Slug, from)
	if err == nil {
		staged, err = s.service.LookAtImport(v.Context(), v.actor, staged.ID, annotator.ImportChoices{})
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showNewImport(v, http.StatusUnprocessableEntity, templates.NewImport{From: from, Refused: sentenceOf(v.Context(), problem)})
	}
	return v.redirect(v.to("imports/%s", staged.ID))
}

// stagedOf returns an import of the visited project.
func (s *Server) stagedOf(v *visit) (annotator.StagedImport, error) {
	id := v.param("import")
	staged, err := s.service.StagedImport(v.Context(), v.actor, id)
	if err == nil && staged.ProjectID != v.project.ID {
		err = fmt.Errorf("import %q: %w", id, annotator.ErrNotFound)
	}
	return staged, err
}

func (s *Server) importPage(v *visit) error {
	staged, err := s.stagedOf(v)
	if err != nil {
		return err
	}
	return s.showImport(v, http.StatusOK, templates.Import{StagedImport: staged})
}

func (s *Server) showImport(v *visit, status int, view templates.Import) error {
	view.Formats = dataset.About()
	return s.render(v.ResponseWriter, v.Request, status, templates.ImportPage(v.frame(view.Name, "settings"), view))
}

// runImport looks at an import with other choices, imports it, or discards it.
func (s *Server) runImport(v *visit) error {
	staged, err := s.stagedOf(v)
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
		if staged.From != nil {
			v.say("{name} is left where it is.", "name", staged.Name)
		} else {
			v.say("What was sent of {name} is removed.", "name", staged.Name)
		}
		return v.redirect(v.to("imports/new"))
	}
	choices, err := readChoices(form)
	if err == nil {
		if form.Get("action") == "import" {
			_, err = s.service.StartImport(v.Context(), v.actor, staged.ID, choices)
		} else {
			_, err = s.service.LookAtImport(v.Context(), v.actor, staged.ID, choices)
		}
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		view := templates.Import{StagedImport: staged, Refused: sentenceOf(v.Context(), problem)}
		view.Choices = choices
		return s.showImport(v, http.StatusUnprocessableEntity, view)
	}
	return v.redirect(v.to("imports/%s", staged.ID))
}

// readChoices reads the choices of the form: words and what they mean stand as "fold1=train, fold2=test".
func readChoices(form url.Values) (annotator.ImportChoices, error) {
	c := annotator.ImportChoices{
		Source: form.Get("source"), Format: form.Get("format"), Split: annotator.Split(form.Get("split")), Label: form.Get("label"),
		Mask: form.Get("mask"), Encoding: strings.TrimSpace(form.Get("encoding")),
		Update: form.Get("update") == "true", Prune: form.Get("prune") == "true",
	}
	for part := range strings.SplitSeq(form.Get("parts"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			c.Parts = append(c.Parts, part)
		}
	}
	for field, into := range map[string]*map[string]string{"splits": &c.Splits, "columns": &c.Columns} {
		for pair := range strings.FieldsFuncSeq(form.Get(field), func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
			word, meaning, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok {
				return c, &annotator.ValidationError{Field: field, Message: fmt.Sprintf("%q: write what it is and what it is called, as in class=species, split=fold", pair)}
			}
			if *into == nil {
				*into = map[string]string{}
			}
			(*into)[strings.TrimSpace(word)] = strings.TrimSpace(meaning)
		}
	}
	return c, nil
}
