package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// modelForm is a multipart form: pairs of a part's name and its content; a model's part has a file name.
func modelFormOf(t *testing.T, parts ...string) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(parts); i += 2 {
		part, err := w.CreateFormFile(parts[i], parts[i]+".onnx")
		must(t, err)
		_, err = part.Write([]byte(parts[i+1]))
		must(t, err)
	}
	must(t, w.Close())
	return &body, w.FormDataContentType()
}

// referenceModel is a small real ABN, and a manifest with the classes of the tests' project.
func referenceModel(t *testing.T, name string) (file []byte, beside []byte) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(fixture.Reference(t), name+".onnx"))
	must(t, err)
	model, err := onnx.Read(t.Context(), file)
	must(t, err)
	opened, err := network.Open(t.Context(), model, manifest.Manifest{})
	must(t, err)
	shape := model.Graph.Feeds()[0].Shape
	m := manifest.Manifest{Crop: [2]int{int(shape[2].Size), int(shape[3].Size)}, Interpolation: "bilinear", Channels: "RGB",
		Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.5, 0.5, 0.5}}
	for i := range opened.ABN().Classes {
		m.Classes = append(m.Classes, fmt.Sprintf("bird-%d", i))
	}
	beside, err = json.Marshal(m)
	must(t, err)
	return file, beside
}

// work starts a worker, which adds what is uploaded, and returns a function that waits until an upload is more than that.
func (s *studio) work() func(id int64) annotator.Upload {
	s.t.Helper()
	worker, err := jobs.NewWorker(jobs.Config{Store: s.store, Blobs: s.blobs, Data: s.t.TempDir(), Threads: 1, Logger: s.server.log})
	must(s.t, err)
	must(s.t, worker.Start(s.t.Context()))
	s.t.Cleanup(func() { must(s.t, worker.Stop(context.WithoutCancel(s.t.Context()))) })
	return func(id int64) annotator.Upload {
		s.t.Helper()
		for {
			u, err := s.store.Upload(s.t.Context(), id)
			must(s.t, err)
			if u.State != annotator.UploadAdding {
				return u
			}
			select { // polled as the page does it: no event tells of a job
			case <-s.t.Context().Done():
				s.t.Fatal("the upload is never added")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

func TestUploadedModelBecomesAVersion(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	added := s.work()
	file, manifest := referenceModel(t, "abn-resnet-tiny")
	admin := s.as(annotator.RoleAdmin)

	admin.get("/projects/birds/versions/new").want(http.StatusOK).has("form[data-upload] input[name=model]", "")
	admin.get("/projects/birds/versions").has("a[href='/projects/birds/versions/new']", "Add a version")

	// Without a manifest the page says what the file is and asks for the rest.
	body, media := modelFormOf(t, "manifest", "", "model", string(file))
	address := admin.do(http.MethodPost, "/projects/birds/uploads", body, "Content-Type", media).want(http.StatusSeeOther).Header.Get("Location")
	page := admin.get(address).want(http.StatusOK)
	page.has(".upload h1", "model.onnx")
	page.has(".parts", "attention")
	page.has(".ways", "ONNX Runtime")
	page.has("textarea[name=classes]", "bird-0 bird-1")
	form := url.Values{"manifest": {"typed"}, "resize": {""}, "crop_height": {"32"}, "crop_width": {"32"}, "interpolation": {"bilinear"}, "channels": {"RGB"},
		"scaling": {"own"}, "mean": {"0.5, half, 0.5"}, "std": {"0.5,0.5,0.5"}, "classes": {page.page().Find("textarea[name=classes]").Text()}}
	for name := range form {
		if value, ok := page.page().Find("input[name=" + name + "][type=number]").Attr("value"); ok {
			form.Set(name, value)
		}
	}
	admin.post(address, form).want(http.StatusUnprocessableEntity).has(".problem", "no number")
	form.Set("scaling", "imagenet")
	form.Set("crop_height", "31")
	admin.post(address, form).want(http.StatusUnprocessableEntity).has(".problem", "but the network takes")
	form.Set("crop_height", form.Get("crop_width"))
	form.Set("classes", "someone\nelse")
	admin.post(address, form).want(http.StatusUnprocessableEntity).has(".problem", "2 names, but the network has")
	form.Set("classes", strings.Replace(page.page().Find("textarea[name=classes]").Text(), "bird-1", "another", 1))
	admin.post(address, form).want(http.StatusUnprocessableEntity).has(".problem", "Differ from the project's")
	form.Set("classes", page.page().Find("textarea[name=classes]").Text())
	admin.post(address, form).want(http.StatusSeeOther)
	var id int64
	_, err := fmt.Sscanf(address, "/projects/birds/uploads/%d", &id)
	must(t, err)
	upload := added(id)
	if upload.State != annotator.UploadAdded || upload.VersionID == nil {
		t.Fatalf("the upload is %s: %s", upload.State, upload.Problem)
	}
	admin.get(address).want(http.StatusOK).has(".notice", "It is v2 (candidate)")
	version, err := s.store.Version(t.Context(), *upload.VersionID)
	must(t, err)
	if len(version.Training) != 8 || !strings.Contains(string(version.Manifest), "0.485") {
		t.Errorf("v%d has %d answers of the engines and the manifest %s", version.Number, len(version.Training), version.Manifest)
	}
	admin.post(address, form).want(http.StatusUnprocessableEntity).has(".notice-bad", "a version already")

	// With a manifest, in either order, one request to the API does it all.
	body, media = modelFormOf(t, "model", string(file), "manifest", string(manifest))
	sent := into[sentModel](admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?activate=true", body, "Content-Type", media).want(http.StatusAccepted))
	if sent.Job == nil || sent.Upload.Report.Classes == 0 || sent.Upload.Report.Gain != "1+M" {
		t.Errorf("the API tells %+v", sent)
	}
	if u := added(sent.Upload.ID); u.State != annotator.UploadAdded {
		t.Fatalf("the upload is %s: %s", u.State, u.Problem)
	}
	versions, err := s.store.Versions(t.Context(), s.project.ID)
	must(t, err)
	if len(versions) != 3 || versions[2].State != annotator.VersionActive {
		t.Errorf("%d versions, the last %s; want the third active", len(versions), versions[len(versions)-1].State)
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.MaxModelBytes = 4 << 20 })
	admin := s.as(annotator.RoleAdmin)
	file, manifest := referenceModel(t, "abn-resnet-tiny")
	model, err := onnx.Read(t.Context(), file)
	must(t, err)
	marshal := func(m *onnx.Model) string {
		data, err := m.Marshal()
		must(t, err)
		return string(data)
	}
	classifier := model.Clone()
	for _, n := range classifier.Graph.Nodes {
		if n.Op == "Mul" {
			n.Op = "Add"
		}
	}
	unknown := model.Clone() // what the runtime does not know, where nothing is trained
	for _, n := range unknown.Graph.Nodes {
		if n.Op == "Relu" {
			n.Attributes = append(n.Attributes, onnx.IntAttr("reluctant", 1))
			break
		}
	}
	for name, c := range map[string]struct {
		parts []string
		want  int
		says  string
	}{
		"unknown":      {[]string{"model", marshal(unknown)}, http.StatusUnprocessableEntity, "ONNX Runtime cannot open it"},
		"text":         {[]string{"model", "a text file"}, http.StatusUnprocessableEntity, "this is a text"},
		"empty":        {[]string{"model", ""}, http.StatusUnprocessableEntity, "empty"},
		"cut off":      {[]string{"model", string(file[:len(file)/2])}, http.StatusUnprocessableEntity, "an ONNX file that is cut off"},
		"no ABN":       {[]string{"model", marshal(classifier)}, http.StatusUnprocessableEntity, "never multiplies features"},
		"no file":      {[]string{"manifest", string(manifest)}, http.StatusUnprocessableEntity, "no ONNX file was sent"},
		"another part": {[]string{"model", string(file), "weights", "weights"}, http.StatusUnprocessableEntity, "it has model, data, manifest, map"},
		"two models":   {[]string{"model", string(file), "model", "weights"}, http.StatusUnprocessableEntity, "two ONNX files"},
		"too large":    {[]string{"model", string(file) + strings.Repeat("\x00", 4<<20)}, http.StatusRequestEntityTooLarge, "more than 4 MiB"},
		"bad manifest": {[]string{"manifest", `{"crop": "wide"}`, "model", string(file)}, http.StatusUnprocessableEntity, "want [height, width]"},
	} {
		body, media := modelFormOf(t, c.parts...)
		r := admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions", body, "Content-Type", media).want(c.want)
		if p := into[Problem](r); !strings.Contains(strings.ToLower(p.Detail), strings.ToLower(c.says)) || len(p.Errors) == 0 {
			t.Errorf("%s: %s", name, r.body)
		}
		if name == "bad manifest" { // the page asks for another one instead
			continue
		}
		body, media = modelFormOf(t, c.parts...)
		admin.do(http.MethodPost, "/projects/birds/uploads", body, "Content-Type", media).want(c.want).has("[data-upload-problem] .notice-bad", "")
	}
	admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions", strings.NewReader("{}"), "Content-Type", "application/json").want(http.StatusUnprocessableEntity)
	body, media := modelFormOf(t, "model", string(file))
	s.as(annotator.RoleReviewer).do(http.MethodPost, apiPrefix+"/projects/birds/versions", body, "Content-Type", media).want(http.StatusForbidden)
	// A model whose classes are others' is told so before it is added, and is no version.
	other := strings.ReplaceAll(string(manifest), "bird-1", "wolf-1")
	body, media = modelFormOf(t, "manifest", other, "model", string(file))
	r := admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions", body, "Content-Type", media).want(http.StatusUnprocessableEntity)
	if p := into[Problem](r); len(p.Errors) == 0 || p.Errors[0].Location != "body.manifest.classes" {
		t.Errorf("other classes: %s", r.body)
	}
	// Of a field that stands twice the database would keep the last.
	twice := strings.Replace(string(manifest), "{", `{"crop": [8, 8],`, 1)
	body, media = modelFormOf(t, "manifest", twice, "model", string(file))
	r = admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions", body, "Content-Type", media).want(http.StatusUnprocessableEntity)
	if p := into[Problem](r); len(p.Errors) == 0 || p.Errors[0].Location != "body.manifest.crop" || p.Errors[0].Message != "stands twice" {
		t.Errorf("crop twice: %s", r.body)
	}
	// The file itself as the body is inspected alone where that is asked for.
	found := into[sentModel](admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true&name=tiny.onnx", bytes.NewReader(file), "Content-Type", "application/octet-stream").want(http.StatusOK))
	if found.Upload.Name != "tiny.onnx" || found.Upload.State != annotator.UploadInspected || found.Upload.Report.ManifestProblem == nil || len(found.Upload.Report.Training) != 8 {
		t.Errorf("inspecting the file alone: %+v", found.Upload)
	}
	again := into[sentModel](admin.api(http.MethodGet, fmt.Sprintf("/uploads/%d", found.Upload.ID), nil).want(http.StatusOK))
	if again.Upload.ModelHash != found.Upload.ModelHash {
		t.Errorf("the upload is another one: %+v", again)
	}
	versions, err := s.store.Versions(t.Context(), s.project.ID)
	must(t, err)
	if len(versions) != 1 {
		t.Errorf("%d versions after refusals", len(versions))
	}
}

// Answers quote the names and contents of files sent with a model. Whatever their bytes are, the answer is valid.
func TestUploadsOfOddNames(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	file, _ := referenceModel(t, "abn-resnet-tiny")
	admin := s.as(annotator.RoleAdmin)
	for name, beside := range map[string]string{
		"a name with a NUL":     `{"image_processor_type": "X", "do_a\u0000b": 3}`,
		"text that is no UTF-8": "{\"image_processor_type\": \"X\", \"size\": \"\xff\"}",
		"an empty object":       `{}`,
		"a list of lists":       `[[]]`,
		"numbers beyond":        `{"input_size": [3, 1e9, 1e9], "crop_pct": 1e-300}`,
	} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, p := range [][2]string{{"manifest", beside}, {"model", string(file)}} {
			part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="` + p[0] + `"; filename*=UTF-8''..%2Fa%00%FFb.onnx`}})
			must(t, err)
			_, err = part.Write([]byte(p[1]))
			must(t, err)
		}
		must(t, w.Close())
		got := into[sentModel](admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", &body, "Content-Type", w.FormDataContentType()).want(http.StatusOK))
		if got.Upload.Report.ManifestProblem == nil || strings.ContainsAny(got.Upload.Name, "/\x00") {
			t.Errorf("%s: %q, problem %+v", name, got.Upload.Name, got.Upload.Report.ManifestProblem)
		}
	}
}

// What is known against a network is told with the upload, and stays with the version.
func TestWarningsOnAnUploadStayWithTheVersion(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	added := s.work()
	file, beside := referenceModel(t, "abn-resnet-tiny")
	model, err := onnx.Read(t.Context(), file)
	must(t, err)
	model.ProducerName, model.ProducerVersion = "pytorch", "2.9.1"
	file, err = model.Marshal()
	must(t, err)
	admin := s.as(annotator.RoleAdmin)
	body, media := modelFormOf(t, "manifest", string(beside), "model", string(file))
	address := admin.do(http.MethodPost, "/projects/birds/uploads", body, "Content-Type", media).want(http.StatusSeeOther).Header.Get("Location")
	admin.get(address).want(http.StatusOK).has("section[aria-label='What it is']", "PyTorch 2.9 exported it")
	admin.post(address, url.Values{}).want(http.StatusSeeOther)
	id, err := strconv.ParseInt(path.Base(address), 10, 64)
	must(t, err)
	u := added(id)
	if u.VersionID == nil {
		t.Fatalf("it was not added: %s", u.Problem)
	}
	version := into[annotator.Version](admin.get(fmt.Sprintf("/api/v1/versions/%d", *u.VersionID)).want(http.StatusOK))
	if len(version.Warnings) != 1 || !strings.Contains(version.Warnings[0], "PyTorch 2.9 exported it") {
		t.Errorf("the version's warnings: %q", version.Warnings)
	}
	admin.get("/projects/birds/versions").want(http.StatusOK).has(fmt.Sprintf("#v%d .notice-warn", version.Number), "PyTorch 2.9 exported it")
}
