package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// torchHome is a file of the networks that PyTorch exported.
func torchHome(name string) string {
	return filepath.Join(fixture.Root(), "onnx", "statedict", "testdata", name)
}

// fromTorch adds a network that PyTorch exported, to a project of its own.
func (s *studio) fromTorch(name string) annotator.Version {
	s.t.Helper()
	packed, err := os.Open(torchHome(name + ".onnx.gz"))
	must(s.t, err)
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	must(s.t, err)
	raw, err := io.ReadAll(unpacked)
	must(s.t, err)
	admin := s.people[annotator.RoleAdmin]
	_, err = s.service.CreateProject(s.t.Context(), admin, name, name, "")
	must(s.t, err)
	v, err := s.service.AddModel(s.t.Context(), admin, name, annotator.ModelToAdd{Name: "abn.onnx", File: raw, NoScan: true,
		Manifest: []byte(`{"resize": null, "crop": [32, 32], "interpolation": "bilinear", "channels": "RGB", "exif": false, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "classes": ["class0", "class1", "class2"]}`)})
	must(s.t, err)
	return v
}

// sameDict fails unless a downloaded state_dict is the reference's, tensor by tensor.
func sameDict(t *testing.T, r *response, name, reference string) {
	t.Helper()
	if got := r.Header.Get("Content-Disposition"); !strings.Contains(got, fmt.Sprintf("%q", name)) {
		t.Errorf("%s, want %s", got, name)
	}
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, r.body, 0o600))
	got, err := statedict.ReadFile(path)
	must(t, err)
	want, err := statedict.ReadFile(torchHome(reference))
	must(t, err)
	for _, tensor := range want {
		if home := got.Get(tensor.Name); tensor.Type.IsFloat() && (home == nil || !bytes.Equal(home.Raw, tensor.Raw)) {
			t.Errorf("%s is not the reference's", tensor.Name)
		}
	}
}

// stateDictForm is a form that asks for a state_dict.
func stateDictForm(t *testing.T, file, content string, fields ...string) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		must(t, w.WriteField(fields[i], fields[i+1]))
	}
	part, err := w.CreateFormFile("reference", file)
	must(t, err)
	_, err = io.WriteString(part, content)
	must(t, err)
	must(t, w.Close())
	return &body, w.FormDataContentType()
}

func TestStateDictOfAVersion(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	kept, folded := s.fromTorch("plain-kept"), s.fromTorch("plain-dynamo")
	reference, err := os.ReadFile(torchHome("plain.safetensors"))
	must(t, err)
	annotators, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleAdmin)
	of := func(v annotator.Version, more string) string {
		return fmt.Sprintf("/versions/%d/state-dict%s", v.ID, more)
	}

	sameDict(t, annotators.api(http.MethodGet, of(kept, ""), nil).want(http.StatusOK), "plain-kept-v1.safetensors", "plain.safetensors")
	sameDict(t, annotators.api(http.MethodGet, of(kept, "?format=npz"), nil).want(http.StatusOK), "plain-kept-v1.npz", "plain.safetensors")
	for what, r := range map[string]*response{
		"reference":     annotators.api(http.MethodGet, of(folded, ""), nil).want(http.StatusUnprocessableEntity),
		"format":        annotators.api(http.MethodGet, of(kept, "?format=pt"), nil).want(http.StatusUnprocessableEntity),
		"no state_dict": admin.do(http.MethodPost, apiPrefix+of(folded, ""), strings.NewReader("PK"), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity),
		"is pickled":    admin.do(http.MethodPost, apiPrefix+of(folded, "?name=best.pth"), bytes.NewReader(reference), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity),
		"multipart":     admin.api(http.MethodPost, of(folded, ""), map[string]string{}).want(http.StatusUnprocessableEntity),
		"folded":        admin.do(http.MethodPost, apiPrefix+of(folded, "?name=none.npz"), strings.NewReader("PK"), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity),
		"has more than": admin.do(http.MethodPost, apiPrefix+of(folded, ""), bytes.NewReader(make([]byte, 6<<20)), "Content-Type", "application/octet-stream").want(http.StatusRequestEntityTooLarge),
	} {
		if what != "folded" && !strings.Contains(string(r.body), what) {
			t.Errorf("%s: %s", what, r.body)
		}
		if bytes.Contains(r.body, []byte(os.TempDir())) {
			t.Errorf("%s: it tells where files lie: %s", what, r.body)
		}
	}
	annotators.do(http.MethodPost, apiPrefix+of(folded, ""), bytes.NewReader(reference), "Content-Type", "application/octet-stream").want(http.StatusForbidden)
	annotators.api(http.MethodGet, "/versions/999/state-dict", nil).want(http.StatusNotFound)

	sent := admin.do(http.MethodPost, apiPrefix+of(folded, ""), bytes.NewReader(reference), "Content-Type", "application/octet-stream").want(http.StatusOK)
	sameDict(t, sent, "plain-dynamo-v1.safetensors", "plain.safetensors")
	body, kind := stateDictForm(t, "mine.safetensors", string(reference), "format", "npz", "copies", "true")
	sameDict(t, admin.do(http.MethodPost, apiPrefix+of(folded, ""), body, "Content-Type", kind).want(http.StatusOK), "plain-dynamo-v1.npz", "plain.safetensors")
	body, kind = stateDictForm(t, "mine.safetensors", "")
	if r := admin.do(http.MethodPost, apiPrefix+of(folded, ""), body, "Content-Type", kind).want(http.StatusUnprocessableEntity); !strings.Contains(string(r.body), "mine.safetensors: it is empty") {
		t.Errorf("of an empty reference it is said %s", r.body)
	}
	other, err := os.ReadFile(torchHome("epsilon.safetensors"))
	must(t, err)
	wrong := admin.do(http.MethodPost, apiPrefix+of(folded, ""), bytes.NewReader(other), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity)
	if p := into[Problem](wrong); len(p.Errors) != 1 || p.Errors[0].Location != "body.reference" {
		t.Errorf("of another's reference it is said %s", wrong.body)
	}
}

// A version that was trained elsewhere and uploaded has no parent by rounds. The file that it was trained from is taken from the project, where it
// is needed: the older exporter's folded BatchNorms cannot be undone without it. No other network of the project is taken for it.
func TestStateDictTakesTheParentFromTheProject(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	first := s.fromTorch("bare-trace")
	reference, err := os.ReadFile(torchHome("bare.safetensors"))
	must(t, err)
	stored, err := s.blobs.Path(t.Context(), first.ModelHash)
	must(t, err)
	model, err := onnx.ReadWhole(t.Context(), stored)
	must(t, err)
	folded := ""
	for _, n := range model.Graph.Nodes {
		if n.IsOp("Conv") && strings.HasPrefix(n.Name, "/layer4/conv1/") {
			folded = n.Input(1)
		}
	}
	weight := model.Graph.Initializer(folded)
	values, err := weight.Float32s()
	must(t, err)
	for i := range values {
		values[i] *= 1.25
	}
	trained, err := onnx.WithInitializers(model, map[string][]float32{folded: values}, nil)
	must(t, err)
	file, err := trained.Marshal()
	must(t, err)
	admin := s.as(annotator.RoleAdmin)
	second, err := s.service.AddModel(t.Context(), s.people[annotator.RoleAdmin], "bare-trace", annotator.ModelToAdd{Name: "better.onnx", File: file, NoScan: true, Manifest: first.Manifest})
	must(t, err)
	if second.ParentID != nil {
		t.Fatalf("it has the parent %d", *second.ParentID)
	}
	at := fmt.Sprintf("/versions/%d/state-dict", second.ID)
	sent := admin.do(http.MethodPost, apiPrefix+at, bytes.NewReader(reference), "Content-Type", "application/octet-stream").want(http.StatusOK)
	path := filepath.Join(t.TempDir(), "home.safetensors")
	must(t, os.WriteFile(path, sent.body, 0o600))
	got, err := statedict.ReadFile(path)
	must(t, err)
	want, err := statedict.ReadFile(torchHome("bare.safetensors"))
	must(t, err)
	before, err := want.Get("layer4.conv1.weight").Float32s()
	must(t, err)
	after, err := got.Get("layer4.conv1.weight").Float32s()
	must(t, err)
	for i := range before {
		if d := after[i] - 1.25*before[i]; d > 1e-6 || d < -1e-6 {
			t.Fatalf("value %d is %g at home, was %g", i, after[i], before[i])
		}
	}
	body, kind := stateDictForm(t, "original.safetensors", string(reference), "format", "safetensors")
	page := admin.do(http.MethodPost, "/projects/bare-trace/versions/"+fmt.Sprint(second.ID)+"/state-dict", body, "Content-Type", kind).want(http.StatusOK)
	if !bytes.Equal(page.body, sent.body) {
		t.Error("the page gives another file than the API")
	}

	alone := s.fromTorch("plain-trace") // nothing is known of what it was before: its weights are no reference's
	other := admin.do(http.MethodPost, apiPrefix+fmt.Sprintf("/versions/%d/state-dict", alone.ID), bytes.NewReader(reference), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity)
	if !strings.Contains(string(other.body), "upload the one that was exported from PyTorch to the project too") {
		t.Errorf("without any parent it is said %s", other.body)
	}
}

// The page answers with the file, or says why it cannot be made, and stores nothing.
func TestStateDictOnThePage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	kept, folded := s.fromTorch("plain-kept"), s.fromTorch("plain-dynamo")
	reference, err := os.ReadFile(torchHome("plain.safetensors"))
	must(t, err)
	post := func(b *browser, v annotator.Version, project, file, content string, fields ...string) *response {
		t.Helper()
		body, kind := stateDictForm(t, file, content, fields...)
		return b.do(http.MethodPost, fmt.Sprintf("/projects/%s/versions/%d/state-dict", project, v.ID), body, "Content-Type", kind)
	}
	annotators, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleAdmin)
	sameDict(t, post(annotators, kept, "plain-kept", "", "", "format", "safetensors").want(http.StatusOK), "plain-kept-v1.safetensors", "plain.safetensors")
	asked := post(admin, folded, "plain-dynamo", "", "").want(http.StatusUnprocessableEntity)
	asked.has("#v1 details[open] .notice-bad", "folded BatchNorm")
	asked.has("#v1 details[open] .notice-bad", "needs the state_dict")
	asked.has("#v1 input[name=reference]", "")
	refused := post(annotators, folded, "plain-dynamo", "", "").want(http.StatusUnprocessableEntity)
	refused.hasNot("input[name=reference]")
	refused.has("#v1 details[open]", "by an admin")
	sameDict(t, post(admin, folded, "plain-dynamo", "original.safetensors", string(reference), "format", "safetensors").want(http.StatusOK), "plain-dynamo-v1.safetensors", "plain.safetensors")
	post(admin, folded, "plain-dynamo", "notes.txt", "no tensors").want(http.StatusUnprocessableEntity).has(".notice-bad", "want .safetensors or .npz")
	post(annotators, folded, "plain-dynamo", "original.safetensors", string(reference)).want(http.StatusForbidden)
	post(admin, folded, "plain-kept", "original.safetensors", string(reference)).want(http.StatusNotFound) // of another project

	page := admin.get("/projects/plain-kept/versions").want(http.StatusOK)
	page.hasNot("#v1 details[open]")
	for _, href := range []string{"/onnx?external_data=true", "/onnx-data", "/manifest"} {
		page.has(fmt.Sprintf("#v1 a[href='/api/v1/versions/%d%s']", kept.ID, href), "plain-kept-v1.")
	}
}
