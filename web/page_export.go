package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// exportFields are what the page's form and the API's address have in common; lists are joined by commas there.
var exportFields = []string{"what", "format", "threshold", "state", "split", "class", "author", "search", "round", "version", "since", "until", "revisions"}

// exportPage shows what an export has, and sends those who want it on to the API, which streams it.
func (s *Server) exportPage(v *visit) error {
	form := v.URL.Query()
	view := templates.Export{What: annotator.ExportKind(form.Get("what")), Form: form, Default: takeout.DefaultThreshold}
	if view.What == "" {
		form.Set("what", string(annotator.ExportMaps))
	}
	if !slices.Contains(annotator.ExportKinds, view.What) { // what else was asked for is refused on this one's page
		view.What = annotator.ExportMaps
	}
	for _, format := range takeout.Formats {
		if slices.Contains(format.Of, view.What) {
			view.Formats = append(view.Formats, templates.ExportFormat{Key: format.Key, Name: format.Name, About: format.About})
		}
	}
	if form.Get("format") == "" {
		form.Set("format", view.Formats[0].Key)
	}
	r, err := exportOf(v.project.Slug, form)
	var format takeout.Format
	if err == nil {
		format, err = r.Check()
	}
	if err == nil {
		view.Records, err = s.service.CountExport(v.Context(), v.actor, r.Project, r.What, r.Filter)
	}
	status := http.StatusOK
	var invalid *annotator.ValidationError
	switch {
	case errors.As(err, &invalid):
		view.Field, view.Problem, status = invalid.Field, invalid.Error(), http.StatusUnprocessableEntity
	case err != nil:
		return err
	case form.Get("do") == "download" && view.Records > 0:
		address := url.Values{}
		for _, field := range exportFields {
			if value := strings.Join(form[field], ","); value != "" {
				address.Set(field, value)
			}
		}
		return v.redirect(apiPrefix + "/projects/" + v.project.Slug + "/export?" + address.Encode())
	default:
		view.Command = exportCommand(form, r.Project, r.FileName(format))
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.ExportPage(v.frame(words.T(v.Context(), "{project} export", "project", v.project.Name), "settings"), view))
}

// exportOf reads a request from what was typed.
func exportOf(project string, form url.Values) (takeout.Request, error) {
	r := takeout.Request{Project: project, What: annotator.ExportKind(form.Get("what")), Format: form.Get("format"), Filter: annotator.ExportFilter{
		States: form["state"], Class: form.Get("class"), Author: form.Get("author"), Search: form.Get("search"), Revisions: form.Get("revisions") == "true"}}
	for _, split := range form["split"] {
		r.Filter.Splits = append(r.Filter.Splits, annotator.Split(split))
	}
	if err := checkValues("query", form); err != nil {
		return r, err
	}
	for field, to := range map[string]*int{"round": &r.Filter.Round, "version": &r.Filter.Version} {
		typed := form.Get(field)
		if typed == "" {
			continue
		}
		n, err := strconv.ParseInt(typed, 10, 32)
		if err != nil || n < 1 {
			return r, &annotator.ValidationError{Field: field, Message: strconv.Quote(typed) + " is no number of a " + field}
		}
		*to = int(n)
	}
	if typed := form.Get("threshold"); typed != "" {
		var err error
		if r.Threshold, err = strconv.ParseFloat(typed, 64); err != nil {
			return r, &annotator.ValidationError{Field: "threshold", Message: strconv.Quote(typed) + " is no number"}
		}
	}
	var err error
	if r.Filter.Since, err = takeout.ParseDate(form.Get("since")); err != nil {
		return r, &annotator.ValidationError{Field: "since", Message: err.Error()}
	}
	if r.Filter.Until, err = takeout.ParseDate(form.Get("until")); err != nil {
		return r, &annotator.ValidationError{Field: "until", Message: err.Error()}
	}
	return r, nil
}

// exportCommand is the command line that writes the same file.
func exportCommand(form url.Values, project, file string) string {
	words := []string{"studio", "export", "--project", project}
	for _, field := range exportFields {
		value := strings.Join(form[field], ",")
		switch {
		case value == "":
		case field == "revisions":
			words = append(words, "--revisions")
		case field == "version":
			words = append(words, "--model-version", value)
		default:
			words = append(words, "--"+field, shellWord(value))
		}
	}
	return strings.Join(append(words, "--out", file), " ")
}

// shellWord is a word as a POSIX shell takes it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.,:/@+", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
