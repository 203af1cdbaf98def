package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
)

// Limits of what comes with a model.
const (
	maxModelExtras = manifest.MaxBytes + 1<<20 // a form's manifest, fields and boundaries
)

// patience is how long an upload may send nothing before it is given up.
const patience = time.Minute

// patientBody moves the connection's deadline on as bytes come: a large model may take as long as it needs, a line that
// went dead is noticed.
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
// the parts "model" and perhaps "manifest", in any order, and hands it to the service as it comes.
func (s *Server) receiveModel(w http.ResponseWriter, r *http.Request, actor annotator.User, slug string) (annotator.Upload, error) {
	limit := s.config.MaxModelBytes
	if r.ContentLength > limit+maxModelExtras {
		return annotator.Upload{}, fmt.Errorf("%w: the model has %d MiB, at most %d are taken: add it on the server with 'studio model add', or start the server with a larger --max-model-mb",
			annotator.ErrTooLarge, r.ContentLength>>20, limit>>20)
	}
	control := http.NewResponseController(w)
	body := patientBody{http.MaxBytesReader(w, r.Body, limit+maxModelExtras), control}
	// The answer's own deadline was set when the request began; what comes after the upload is looking into the file.
	_ = control.SetWriteDeadline(time.Now().Add(24 * time.Hour))
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	// An upload may take hours: who sends it must still be who may when all of it is there.
	still := s.still(r, annotator.RoleAdmin)
	finish := func(manifest func() ([]byte, error)) func() ([]byte, error) {
		return func() ([]byte, error) {
			text, err := manifest()
			if err != nil {
				return nil, err
			}
			return text, still(r.Context())
		}
	}
	var upload annotator.Upload
	switch media {
	case "application/octet-stream", "application/x-onnx":
		name := path.Base("/" + r.URL.Query().Get("name"))
		if name == "/" {
			name = "model.onnx"
		}
		upload, err = s.service.UploadModel(r.Context(), actor, slug, name, body, finish(func() ([]byte, error) { return nil, nil }))
	case "multipart/form-data":
		form := modelForm{parts: multipart.NewReader(body, parameters["boundary"])}
		var file *multipart.Part
		if file, err = form.model(); err == nil {
			upload, err = s.service.UploadModel(r.Context(), actor, slug, path.Base("/"+strings.ReplaceAll(file.FileName(), `\`, "/")), file, finish(form.rest))
		}
	default:
		err = &annotator.ValidationError{Field: "model", Message: "send the file as application/octet-stream, or a form (multipart/form-data) with the part model"}
	}
	_ = control.SetWriteDeadline(time.Now().Add(2 * time.Minute))
	return upload, err
}

// modelForm reads the parts of a form as they come.
type modelForm struct {
	parts    *multipart.Reader
	manifest []byte
}

// model reads up to the file's part.
func (f *modelForm) model() (*multipart.Part, error) {
	for {
		part, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, &annotator.ValidationError{Field: "model", Message: "the form has no file: choose an ONNX file"}
		case err != nil:
			return nil, err
		case part != nil:
			return part, nil
		}
	}
}

// rest reads what follows the file and returns the manifest, nil if there was none.
func (f *modelForm) rest() ([]byte, error) {
	for {
		part, err := f.next()
		switch {
		case errors.Is(err, io.EOF):
			return f.manifest, nil
		case err != nil:
			return nil, err
		case part != nil:
			return nil, &annotator.ValidationError{Field: "model", Message: "two files came as one model: a file with external data is not taken. Save it as one: onnx.save(onnx.load(\"model.onnx\"), \"one.onnx\")"}
		}
	}
}

// next returns the model's part; other parts it reads itself and returns nil. io.EOF ends the form.
func (f *modelForm) next() (*multipart.Part, error) {
	part, err := f.parts.NextPart()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, brokenOff(err)
	}
	switch part.FormName() {
	case "model":
		if part.FileName() == "" {
			return nil, &annotator.ValidationError{Field: "model", Message: "no file was chosen"}
		}
		return part, nil
	case "manifest":
		text, err := io.ReadAll(io.LimitReader(part, manifest.MaxBytes+1))
		if err != nil {
			return nil, brokenOff(err)
		}
		if len(text) > manifest.MaxBytes {
			return nil, &annotator.ValidationError{Field: "manifest", Message: "has more than 16 MiB"}
		}
		if len(text) > 0 {
			f.manifest = text
		}
		return nil, nil
	default:
		return nil, &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("the form's part %q is not known; it has model and manifest. External data is not taken: "+
			"save the model as one file with onnx.save(onnx.load(\"model.onnx\"), \"one.onnx\")", part.FormName())}
	}
}

// brokenOff is a form that ended too soon.
func brokenOff(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.Canceled) {
		return err
	}
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("the upload broke off (%v): send it again", err)}
}
