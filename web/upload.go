package web

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/text"
)

// Limits of the parts of a form besides the model and its data, in bytes.
const (
	maxModelExtras = manifest.MaxBytes + 1<<20 // a form's manifests, fields and boundaries
)

// patience is how long an upload may send nothing before it is ended.
const patience = time.Minute

// patientBody extends the connection's deadline as bytes come. So a large model may take as long as it needs, and a dead connection is
// still noticed.
type patientBody struct {
	io.Reader
	control *http.ResponseController
}

// Read implements io.Reader.
func (b patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(patience)) // not every connection has one
	return b.Reader.Read(p)
}

// receiveModel reads a model from a request's body, which is the file itself (application/octet-stream) or a form with
// the part "model" and perhaps parts "data", "manifest" and names of values (manifest.NameFields), in any order, and passes them to
// the service as they come. It returns the names too.
func (s *Server) receiveModel(w http.ResponseWriter, r *http.Request, actor annotator.User, slug string) (annotator.Upload, manifest.PartNames, error) {
	var names manifest.PartNames // returned to fill in the form again
	limit := s.config.MaxModelBytes
	if r.ContentLength > limit+maxModelExtras {
		return annotator.Upload{}, names, fmt.Errorf("%w: the model has %d MiB, at most %d are taken: add it on the server with 'studio model add', or start the server with a larger --max-model-mb",
			annotator.ErrTooLarge, r.ContentLength>>20, limit>>20)
	}
	body, came := patient(w, r, limit+maxModelExtras)
	defer came()
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	var next func() (annotator.SentFile, error)
	switch media {
	case "application/octet-stream", "application/x-onnx":
		next = theBody(r.URL.Query(), body)
	case "multipart/form-data":
		next = formFiles(multipart.NewReader(body, parameters["boundary"]))
	default:
		return annotator.Upload{}, names, &annotator.ValidationError{Field: "model", Message: "send the file as application/octet-stream, or a form (multipart/form-data) with the part model"}
	}
	// An upload may take hours. At its end the sender must still have the right to send it.
	still := s.still(r, annotator.RoleAdmin)
	upload, err := s.service.UploadModel(r.Context(), actor, slug, func() (annotator.SentFile, error) {
		file, err := next()
		if err == nil && file.Kind == annotator.SentName {
			file, err = keepName(file, &names)
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
func keepName(file annotator.SentFile, names *manifest.PartNames) (annotator.SentFile, error) {
	name, err := io.ReadAll(io.LimitReader(file.Reader, maxModelExtras))
	if err != nil {
		return file, brokenOff(err)
	}
	names.Set(file.Name, strings.TrimSpace(string(name)))
	file.Reader = strings.NewReader(strings.TrimSpace(string(name)))
	return file, nil
}

// patient returns a request's body of at most most bytes, which may take as long as it needs. Call came when the body has been read and
// inspected: it gives the answer a deadline again, which patient has put off.
func patient(w http.ResponseWriter, r *http.Request, most int64) (body io.Reader, came func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(24 * time.Hour))
	return patientBody{http.MaxBytesReader(w, r.Body, most), control}, func() {
		_ = control.SetWriteDeadline(time.Now().Add(2 * time.Minute))
	}
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

// formFiles returns the files of a form as they come, without fields that were left empty.
func formFiles(parts *multipart.Reader) func() (annotator.SentFile, error) {
	var next func() (annotator.SentFile, error)
	next = func() (annotator.SentFile, error) {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return annotator.SentFile{}, io.EOF
		}
		if err != nil {
			return annotator.SentFile{}, brokenOff(err)
		}
		file := annotator.SentFile{Kind: annotator.SentKind(part.FormName()), Name: sentName(part), Reader: part}
		switch file.Kind {
		case annotator.SentModel:
			if file.Name == "" {
				return annotator.SentFile{}, &annotator.ValidationError{Field: "model", Message: "no file was chosen"}
			}
		case annotator.SentData, annotator.SentManifest:
			start := bufio.NewReader(part)
			if _, err := start.Peek(1); errors.Is(err, io.EOF) {
				return next()
			}
			file.Reader = start
		default:
			known := []string{"model", "data", "manifest"}
			for _, f := range manifest.NameFields {
				if f.Key == part.FormName() {
					return annotator.SentFile{Kind: annotator.SentName, Name: f.Key, Reader: part}, nil
				}
				known = append(known, f.Key)
			}
			return annotator.SentFile{}, &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("the form's part %q is not known; it has %s", part.FormName(), strings.Join(known, ", "))}
		}
		return file, nil
	}
	return next
}

// sentName returns a part's file name with its folders, which multipart.Part.FileName leaves out.
func sentName(part *multipart.Part) string {
	_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return text.Clean(part.FileName())
	}
	return text.Clean(parameters["filename"])
}

// brokenOff returns the error of a form that ended too soon.
func brokenOff(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.Canceled) {
		return err
	}
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("the upload broke off (%v): send it again", err)}
}
