package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
)

// mapsFields are what a request that brings maps may say of them, in its address or as parts of its form (setMapsField).
var mapsFields = []string{"author", "state", "reviewer", "made", "skip_unknown", "look"}

// maxMapsField bounds such a field, in bytes: a person's name is the longest.
const maxMapsField = 1 << 10

// receiveMaps reads maps as they come, and brings them into a project: a body that is one file, or a form whose parts called maps are
// files of it. A browser's part without a file is none. asked is what was said of them, as far as it was read.
func (s *Server) receiveMaps(w http.ResponseWriter, r *http.Request, actor annotator.User, project string) (asked takeout.Import, report annotator.BringReport, err error) {
	body, came, err := s.sent(w, r, "maps", "bring them on the server with 'studio import-maps'", "application/octet-stream")
	defer came()
	if err != nil {
		return asked, report, err
	}
	files, err := takeout.Receive(s.config.MaxModelBytes)
	if err != nil {
		return asked, report, err
	}
	defer files.Close()
	said := map[string]string{}
	if body.form == nil {
		q := r.URL.Query()
		for _, field := range mapsFields {
			said[field] = q.Get(field)
		}
		err = files.Add(q.Get("name"), body)
	} else {
		err = body.readMaps(files, said)
	}
	if err == nil {
		asked, err = files.Import(project)
	}
	for field, value := range said {
		err = cmp.Or(err, setMapsField(&asked, field, value))
	}
	if err == nil {
		report, err = takeout.Read(r.Context(), s.service, actor, asked)
	}
	return asked, report, err
}

// readMaps reads a form: the files, and what is said of them.
func (b *sentBody) readMaps(files *takeout.Incoming, said map[string]string) error {
	for {
		part, err := b.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case part.field == "maps" && part.empty && part.file == "":
			continue
		case part.field == "maps":
			if err := files.Add(part.file, part); err != nil {
				return err
			}
			continue
		}
		if said[part.field], err = b.words(part, maxMapsField); err != nil {
			return err
		}
	}
}

// setMapsField sets what is said of maps. Empty is as if nothing were said.
func setMapsField(in *takeout.Import, field, value string) error {
	flag := func(to *bool) error {
		if value != "" && value != "true" && value != "false" {
			return &annotator.ValidationError{Field: field, Message: fmt.Sprintf("%q, want true or false", value)}
		}
		*to = value == "true"
		return nil
	}
	switch field {
	case "author":
		in.Choices.Author = value
	case "state":
		in.Choices.State = annotator.EditState(value)
	case "reviewer":
		in.Choices.Reviewer = value
	case "made":
		in.Choices.Made = annotator.EditSource(value)
	case "skip_unknown":
		return flag(&in.SkipUnknown)
	case "look":
		return flag(&in.Choices.Look)
	default:
		return &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("the form's part %q is not known; it has maps, %v", field, mapsFields)}
	}
	return nil
}
