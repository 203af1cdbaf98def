package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/text"
)

// maxModelExtras bounds what a form holds besides its large file and the file's data: manifests, fields and boundaries, in bytes.
const maxModelExtras = manifest.MaxBytes + 1<<20

// patience is how long an upload may send nothing before it is ended.
const patience = time.Minute

// patientBody extends the connection's deadline as bytes come. So a large file may take as long as it needs, and a dead connection is
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

// patient is a request's body of at most so many bytes, which may take its time. came gives the answer a deadline again, which patient has
// put off.
func patient(w http.ResponseWriter, r *http.Request, most int64) (body io.Reader, came func()) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(24 * time.Hour))
	return patientBody{http.MaxBytesReader(w, r.Body, most), control}, func() { _ = control.SetWriteDeadline(time.Now().Add(2 * time.Minute)) }
}

// sentBody is a request's body that brings a file, which may be large: the file itself, or a form whose parts are read as they come.
type sentBody struct {
	io.Reader                   // the file itself
	form      *multipart.Reader // nil: the body is the file itself
	field     string            // the file's, which errors name
}

// sent opens a request's body for the file of a field. raw are the media types of a body that is the file itself. A body that is
// announced as larger than MaxModelBytes allows is refused with what to do instead. Call came, which is never nil, when the body has
// been read and inspected: it gives the answer a deadline again, which sent has put off.
func (s *Server) sent(w http.ResponseWriter, r *http.Request, field, instead string, raw ...string) (body *sentBody, came func(), err error) {
	limit := s.config.MaxModelBytes
	if r.ContentLength > limit+maxModelExtras {
		return nil, func() {}, fmt.Errorf("%w: the %s has %d MiB, at most %d are taken: %s", annotator.ErrTooLarge, field, r.ContentLength>>20, limit>>20, instead)
	}
	whole, came := patient(w, r, limit+maxModelExtras)
	body = &sentBody{Reader: whole, field: field}
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && slices.Contains(raw, media):
	case err == nil && media == "multipart/form-data":
		body.form = multipart.NewReader(body.Reader, parameters["boundary"])
	default:
		how := "send a form (multipart/form-data) with the part " + field
		if len(raw) > 0 {
			how = "send the file as application/octet-stream, or a form (multipart/form-data) with the part " + field
		}
		return nil, came, &annotator.ValidationError{Field: field, Message: how}
	}
	return body, came, nil
}

// sentPart is a part of a form.
type sentPart struct {
	io.Reader
	field string
	file  string // its file name with the folders it came with; "" if it has none
	empty bool   // no byte of it was sent
}

// next returns the next part of a form, or io.EOF after the last one.
func (b *sentBody) next() (sentPart, error) {
	part, err := b.form.NextPart()
	switch {
	case errors.Is(err, io.EOF):
		return sentPart{}, io.EOF
	case err != nil:
		return sentPart{}, b.brokenOff(err)
	}
	start := bufio.NewReader(part)
	_, err = start.Peek(1)
	return sentPart{start, part.FormName(), sentName(part), errors.Is(err, io.EOF)}, nil
}

// words reads a part of at most so many bytes, what follows them left out.
func (b *sentBody) words(part io.Reader, most int64) (string, error) {
	value, err := io.ReadAll(io.LimitReader(part, most))
	if err != nil {
		return "", b.brokenOff(err)
	}
	return string(value), nil
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
func (b *sentBody) brokenOff(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.Canceled) {
		return err
	}
	return &annotator.ValidationError{Field: b.field, Message: fmt.Sprintf("the upload broke off (%v): send it again", err)}
}
