package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/templates"
)

// maxWord bounds a field of the form that asks for a state_dict.
const maxWord = 100

// readStateDictRequest reads the request for a state_dict. A form has its format, whether equal modules are copies, and last the
// reference, whose bytes the caller reads. A body that is not a form is the reference itself.
func (s *Server) readStateDictRequest(w http.ResponseWriter, r *http.Request) (asked annotator.StateDictRequest, came func(), err error) {
	asked.Format = annotator.StateDictFormats[0]
	body, came, err := s.sent(w, r, "reference", "make the state_dict on the command line with 'studio model export --state-dict'", "application/octet-stream")
	if err != nil {
		return asked, came, err
	}
	if body.form == nil {
		q := r.URL.Query()
		asked.Reference = &annotator.SentFile{Name: cmp.Or(q.Get("name"), "original.safetensors"), Reader: body}
		for _, field := range []string{"format", "copies"} {
			if err == nil && q.Has(field) {
				err = setStateDictField(&asked, field, q.Get(field))
			}
		}
		return asked, came, err
	}
	for {
		part, err := body.next()
		switch {
		case errors.Is(err, io.EOF):
			return asked, came, nil
		case err != nil:
			return asked, came, err
		case part.field == "reference" && part.empty && part.file == "": // a browser sends this if no file was chosen
			continue
		case part.field == "reference": // the last field, which the caller reads
			asked.Reference = &annotator.SentFile{Name: part.file, Reader: part}
			return asked, came, nil
		}
		value, err := body.words(part, maxWord)
		if err != nil {
			return asked, came, err
		}
		if err := setStateDictField(&asked, part.field, value); err != nil {
			return asked, came, err
		}
	}
}

func setStateDictField(asked *annotator.StateDictRequest, field, value string) error {
	switch {
	case field == "format" && slices.Contains(annotator.StateDictFormats, value):
		asked.Format = value
	case field == "format":
		return &annotator.ValidationError{Field: field, Message: fmt.Sprintf("%q, want one of %v", value, annotator.StateDictFormats)}
	case field == "copies" && (value == "true" || value == "false"):
		asked.Copies = value == "true"
	case field == "copies":
		return &annotator.ValidationError{Field: field, Message: fmt.Sprintf("%q, want true or false", value)}
	default:
		return &annotator.ValidationError{Field: "reference", Message: fmt.Sprintf("the form's part %q is not known; it has format, copies and, last, reference", field)}
	}
	return nil
}

// sendStateDict answers a version's form with the state_dict, or with the page again, which says why it cannot be made.
func (s *Server) sendStateDict(v *visit) error {
	version, err := s.versionOf(v)
	if err != nil {
		return err
	}
	asked, came, err := s.readStateDictRequest(v.ResponseWriter, v.Request)
	defer came()
	if err == nil {
		var d annotator.Download
		if d, err = s.service.StateDict(v.Context(), v.actor, version.ID, asked); err == nil {
			defer d.Close()
			s.send(v.ResponseWriter, v.Request, d)
			return nil
		}
	}
	status := outcome(err).status
	problem, err := problemText(err)
	if err != nil {
		return err
	}
	return s.showVersions(v, status, templates.Versions{StateDictOf: version.ID, NoStateDict: sentenceOf(v.Context(), problem)})
}
