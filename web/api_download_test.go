package web

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/onnx"
)

// withPaths adds a version whose file tells where it was made, and which has all that its manifest needs.
func (s *studio) withPaths() annotator.Version {
	s.t.Helper()
	raw, beside := referenceModel(s.t, "abn-resnet-tiny")
	model, err := onnx.Read(s.t.Context(), raw)
	must(s.t, err)
	model.Graph.Nodes[0].DocString = "/home/ada/My Work/abn.py(12): forward"
	raw, err = model.Marshal()
	must(s.t, err)
	v, err := s.service.AddModel(s.t.Context(), s.people[annotator.RoleAdmin], "birds", annotator.ModelToAdd{Name: "told.onnx", File: raw, Manifest: beside, NoScan: true})
	must(s.t, err)
	return v
}

func TestDownloadOfAVersion(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	v := s.withPaths()
	b := s.as(annotator.RoleAnnotator)
	path := fmt.Sprintf("/versions/%d/onnx", v.ID)
	file := b.api(http.MethodGet, path, nil).want(http.StatusOK)
	if !strings.Contains(file.Header.Get("Content-Disposition"), `"birds-v2.onnx"`) || file.ContentLength != int64(len(file.body)) {
		t.Errorf("%d bytes, %v", len(file.body), file.Header)
	}
	if bytes.Contains(file.body, []byte("ada")) || !bytes.Contains(file.body, []byte("abn.py(12): forward")) {
		t.Error("it tells where it was made, or nothing of where")
	}
	again := s.inspected(http.StatusOK, "model", "again.onnx", string(file.body))
	if p := again.Report.ManifestProblem; p != nil {
		t.Errorf("a download that is sent again comes without its manifest: %+v", p)
	}
	part := b.do(http.MethodGet, apiPrefix+path, nil, "Range", "bytes=0-99").want(http.StatusPartialContent)
	if !bytes.Equal(part.body, file.body[:100]) {
		t.Errorf("a range has %d bytes", len(part.body))
	}
	b.do(http.MethodGet, apiPrefix+path, nil, "If-None-Match", file.Header.Get("Etag")).want(http.StatusNotModified)
	b.api(http.MethodGet, "/versions/999/onnx", nil).want(http.StatusNotFound)
	// Faults of a manifest that was kept under earlier rules are told as they are.
	old := s.inspected(http.StatusOK, "model", "old.onnx", string(b.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx", s.version.ID), nil).want(http.StatusOK).body))
	var own *manifest.Error
	if _, err := manifest.Parse(s.version.Manifest); !errors.As(err, &own) || old.Report.ManifestProblem == nil || old.Report.ManifestProblem.Field != own.Field {
		t.Errorf("%+v, want %v", old.Report.ManifestProblem, own)
	}
}

func TestDownloadWithDataBeside(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	v := s.withPaths()
	b := s.as(annotator.RoleAnnotator)
	whole := b.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx", v.ID), nil).want(http.StatusOK)
	model := b.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx?external_data=true", v.ID), nil).want(http.StatusOK)
	data := b.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx-data", v.ID), nil).want(http.StatusOK)
	if !strings.Contains(model.Header.Get("Content-Disposition"), `"birds-v2.onnx"`) || !strings.Contains(data.Header.Get("Content-Disposition"), `"birds-v2.onnx.data"`) {
		t.Errorf("%s, %s", model.Header.Get("Content-Disposition"), data.Header.Get("Content-Disposition"))
	}
	if tags := model.Header.Get("Etag") + data.Header.Get("Etag"); strings.Contains(tags, whole.Header.Get("Etag")) || model.Header.Get("Etag") == data.Header.Get("Etag") {
		t.Errorf("files of different bytes have one tag: %s, %s", tags, whole.Header.Get("Etag"))
	}
	if len(model.body) > len(whole.body)/2 || bytes.Contains(model.body, []byte("ada")) {
		t.Errorf("%d of %d bytes stay inside", len(model.body), len(whole.body))
	}
	again := s.inspected(http.StatusOK, "model", "birds-v2.onnx", string(model.body), "data", "birds-v2.onnx.data", string(data.body))
	if again.Report.ManifestProblem != nil || len(again.Report.Data) != 2 || again.Report.Parameters != s.inspected(http.StatusOK, "model", "w.onnx", string(whole.body)).Report.Parameters {
		t.Errorf("%+v", again.Report)
	}
	part := b.do(http.MethodGet, fmt.Sprintf("%s/versions/%d/onnx-data", apiPrefix, v.ID), nil, "Range", "bytes=10-29").want(http.StatusPartialContent)
	if !bytes.Equal(part.body, data.body[10:30]) {
		t.Error("a range of the data is another")
	}
}

func TestDownloadOfTheManifest(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	v := s.withPaths()
	file := s.as(annotator.RoleAnnotator).api(http.MethodGet, fmt.Sprintf("/versions/%d/manifest", v.ID), nil).want(http.StatusOK)
	if !strings.Contains(file.Header.Get("Content-Disposition"), `"birds-v2.json"`) {
		t.Errorf("%v", file.Header)
	}
	m, err := manifest.Parse(file.body)
	must(t, err)
	if want, err := v.ReadManifest(); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("%+v, want %+v, %v", m, want, err)
	}
}

// inspected sends files as parts (a part, a file's name, its content, and so on) to be inspected.
func (s *studio) inspected(status int, parts ...string) annotator.Upload {
	s.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+2 < len(parts); i += 3 {
		part, err := w.CreateFormFile(parts[i], parts[i+1])
		must(s.t, err)
		_, err = part.Write([]byte(parts[i+2]))
		must(s.t, err)
	}
	must(s.t, w.Close())
	r := s.as(annotator.RoleAdmin).do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", &body, "Content-Type", w.FormDataContentType()).want(status)
	return into[sentModel](r).Upload
}
