package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
)

// receiveModel reads a model from a request's body, which is the file itself (application/octet-stream) or a form with
// the part "model" and perhaps parts "data", "manifest" and names of values (manifest.NameFields), in any order, and passes them to
// the service as they come. It returns the names too.
func (s *Server) receiveModel(w http.ResponseWriter, r *http.Request, actor annotator.User, slug string) (annotator.Upload, manifest.PartNames, error) {
	var names manifest.PartNames // returned to fill in the form again
	body, came, err := s.sent(w, r, "model", annotator.LargerModels, "application/octet-stream", "application/x-onnx")
	defer came()
	if err != nil {
		return annotator.Upload{}, names, err
	}
	next := body.modelFiles
	if body.form == nil {
		next = theBody(r.URL.Query(), body)
	}
	// An upload may take hours. At its end the sender must still have the right to send it.
	still := s.still(r, annotator.RoleLead)
	upload, err := s.service.UploadModel(r.Context(), actor, slug, func() (annotator.SentFile, error) {
		file, err := next()
		if err == nil && file.Kind == annotator.SentName {
			file, err = body.keepName(file, &names)
		}
		if errors.Is(err, io.EOF) {
			if gone := still(r.Context()); gone != nil {
				err = gone
			}
		}
		return file, err
	})
	return upload, names, err
}

// keepName reads the name of a value and keeps it in names.
func (b *sentBody) keepName(file annotator.SentFile, names *manifest.PartNames) (annotator.SentFile, error) {
	name, err := b.words(file.Reader, maxModelExtras)
	if err != nil {
		return file, err
	}
	names.Set(file.Name, strings.TrimSpace(name))
	file.Reader = strings.NewReader(strings.TrimSpace(name))
	return file, nil
}

// theBody returns the files of a body that is the model's file itself; the query has its name and the names of values.
func theBody(query url.Values, body io.Reader) func() (annotator.SentFile, error) {
	var files []annotator.SentFile
	for _, f := range manifest.NameFields {
		if name := query.Get(f.Key); name != "" {
			files = append(files, annotator.SentFile{Kind: annotator.SentName, Name: f.Key, Reader: strings.NewReader(name)})
		}
	}
	files = append(files, annotator.SentFile{Kind: annotator.SentModel, Name: cmp.Or(query.Get("name"), "model.onnx"), Reader: body})
	return func() (annotator.SentFile, error) {
		if len(files) == 0 {
			return annotator.SentFile{}, io.EOF
		}
		file := files[0]
		files = files[1:]
		return file, nil
	}
}

// modelFiles returns the next file of a form that brings a model, without fields that were left empty.
func (b *sentBody) modelFiles() (annotator.SentFile, error) {
	part, err := b.next()
	if err != nil {
		return annotator.SentFile{}, err
	}
	file := annotator.SentFile{Kind: annotator.SentKind(part.field), Name: part.file, Reader: part}
	switch file.Kind {
	case annotator.SentModel:
		if file.Name == "" {
			return annotator.SentFile{}, &annotator.ValidationError{Field: "model", Message: "no file was chosen"}
		}
	case annotator.SentData, annotator.SentManifest:
		if part.empty {
			return b.modelFiles()
		}
	default:
		known := []string{"model", "data", "manifest"}
		for _, f := range manifest.NameFields {
			if f.Key == part.field {
				return annotator.SentFile{Kind: annotator.SentName, Name: f.Key, Reader: part}, nil
			}
			known = append(known, f.Key)
		}
		return annotator.SentFile{}, &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("the form's part %q is not known; it has %s", part.field, strings.Join(known, ", "))}
	}
	return file, nil
}
