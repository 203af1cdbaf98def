package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) newVersionPage(v *visit) error {
	return v.render(templates.NewVersionPage(v.frame(words.T(v.Context(), "Add a version"), "versions"), templates.NewVersion{MaxBytes: s.config.MaxModelBytes}))
}

// sendModel receives a model file and redirects to the page that reports what it is.
func (s *Server) sendModel(v *visit) error {
	upload, names, err := s.receiveModel(v.ResponseWriter, v.Request, v.actor, v.project.Slug)
	if err == nil {
		return v.redirect(v.to("uploads/%d", upload.ID))
	}
	status := outcome(err).status
	parts := errors.Is(err, annotator.ErrParts)
	problem, err := problemText(err)
	if err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.NewVersionPage(v.frame(words.T(v.Context(), "Add a version"), "versions"),
		templates.NewVersion{MaxBytes: s.config.MaxModelBytes, Problem: sentenceOf(v.Context(), problem), Names: names, AskNames: parts || names.Any()}))
}

// sentenceOf returns a problem in the language of ctx, with a capital first letter.
func sentenceOf(ctx context.Context, s string) string { return words.Capital(words.Say(ctx, s)) }

// uploadOf returns an upload of the visited project.
func (s *Server) uploadOf(v *visit) (annotator.Upload, error) {
	id, err := v.id("upload")
	if err != nil {
		return annotator.Upload{}, err
	}
	upload, project, err := s.service.Upload(v.Context(), v.actor, id)
	if err == nil && project.ID != v.project.ID {
		err = fmt.Errorf("upload %d: %w", id, annotator.ErrNotFound)
	}
	return upload, err
}

func (s *Server) uploadPage(v *visit) error {
	upload, err := s.uploadOf(v)
	if err != nil {
		return err
	}
	return s.showUpload(v, http.StatusOK, templates.Upload{Upload: upload, Form: templates.NewManifestForm(upload, v.project.Project), Activate: upload.Activate})
}

func (s *Server) showUpload(v *visit, status int, view templates.Upload) error {
	switch view.Upload.State {
	case annotator.UploadAdding:
		jobs, err := s.service.Jobs(v.Context(), v.actor, v.project.Slug)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.Kind == annotator.JobAdd && (j.State == "queued" || j.State == "running") {
				view.Job = &j
				break
			}
		}
	case annotator.UploadAdded:
		version, _, err := s.service.Version(v.Context(), v.actor, *view.Upload.VersionID)
		if err != nil {
			return err
		}
		view.Version = &version
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.UploadPage(v.frame(view.Upload.Name, "versions"), view))
}

// addUpload asks for an uploaded model to be made a version, with the manifest that came with it or the one that was typed.
func (s *Server) addUpload(v *visit) error {
	upload, err := s.uploadOf(v)
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	view := templates.Upload{Upload: upload, Form: templates.NewManifestForm(upload, v.project.Project), Activate: form.Get("activate") == "true"}
	var manifest json.RawMessage
	if form.Get("manifest") == "typed" {
		view.Form = readManifestForm(form)
		manifest, err = typedManifest(view.Form, upload)
	}
	if err == nil {
		if _, _, err = s.service.AddUpload(v.Context(), v.actor, upload.ID, manifest, view.Activate); err == nil {
			return v.redirect(v.to("uploads/%d", upload.ID))
		}
	}
	var validation *annotator.ValidationError
	if errors.As(err, &validation) {
		view.Field, _ = strings.CutPrefix(validation.Field, "manifest.")
	}
	problem, err := problemText(err)
	if err != nil {
		return err
	}
	view.Problem = problem
	if view.Field == "manifest" || view.Field == "model" {
		view.Field, view.Problem = "", sentenceOf(v.Context(), problem)
	}
	return s.showUpload(v, http.StatusUnprocessableEntity, view)
}

func readManifestForm(form url.Values) templates.ManifestForm {
	return templates.ManifestForm{
		Resize: form.Get("resize"), CropHeight: form.Get("crop_height"), CropWidth: form.Get("crop_width"),
		Interpolation: form.Get("interpolation"), Channels: form.Get("channels"), EXIF: form.Get("exif") == "true", Fit: form.Get("fit"), Aliased: form.Get("aliased") == "true",
		Scaling: form.Get("scaling"), Mean: form.Get("mean"), Std: form.Get("std"), Classes: strings.ReplaceAll(form.Get("classes"), "\r\n", "\n"),
	}
}

// typedManifest makes a manifest of what was typed; the error names a field that is not a number but should be. The names of the graph's
// parts, for which this form does not ask, stay as they were sent.
func typedManifest(f templates.ManifestForm, u annotator.Upload) (json.RawMessage, error) {
	var wrong error
	refuse := func(field, format string, args ...any) {
		if wrong == nil {
			wrong = &annotator.ValidationError{Field: "manifest." + field, Message: fmt.Sprintf(format, args...)}
		}
	}
	whole := func(field, text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			refuse(field, "%q is no whole number", text)
		}
		return n
	}
	numbers := func(field, text string) []float32 {
		var list []float32
		for part := range strings.SplitSeq(text, ",") {
			x, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
			if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
				refuse(field, "%q is no number: write one per channel, apart by commas", part)
			}
			list = append(list, float32(x))
		}
		return list
	}
	came, _ := u.ReadManifest() // fields that cannot be read were typed again
	m := manifest.Manifest{Names: came.Names}
	if text := strings.TrimSpace(f.Resize); text != "" && text != m.Resize.String() { // the form shows no size as "none"
		for side := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("×xX*, ", r) }) {
			m.Resize = append(m.Resize, whole("resize", side))
		}
		if m.Fit = manifest.Fit(f.Fit); m.Fit == manifest.FitShorter || len(m.Resize) == 2 {
			m.Fit = "" // the default, which older studios can read too
		}
	}
	if m.Pad, m.CropFloor = came.Pad, came.CropFloor; f.Aliased {
		m.Antialias = new(bool)
	}
	m.Crop = manifest.Crop{whole("crop", f.CropHeight), whole("crop", f.CropWidth)}
	m.Interpolation, m.Channels, m.EXIF = f.Interpolation, f.Channels, f.EXIF
	if mean, std, ok := templates.Scaling(f.Scaling, m.ChannelCount()); ok {
		m.Mean, m.Std = mean, std
	} else {
		m.Mean, m.Std = numbers("mean", f.Mean), numbers("std", f.Std)
	}
	for line := range strings.SplitSeq(f.Classes, "\n") {
		if name := strings.TrimSpace(line); name != "" {
			m.Classes = append(m.Classes, name)
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	return json.Marshal(m)
}
