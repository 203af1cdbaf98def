package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Text that PostgreSQL cannot store is refused where it comes in, with the name of its field: in addresses, headers, forms, JSON, uploads.
func TestTextIsCheckedWhereItEnters(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAdmin)
	task := b.take()
	on := fmt.Sprintf("/tasks/%d", task.ID)
	values := strings.TrimSuffix(strings.Repeat("0,", task.Version.GridHeight*task.Version.GridWidth), ",")
	image := fmt.Sprintf("/images/%d", task.ImageID)

	for _, c := range []struct {
		method, path, body string
		status             int
		location           string
		headers            []string
	}{
		{"GET", "/tasks?project=birds&q=%00", "", 422, "query.q", nil},
		{"GET", "/tasks?project=birds&q=%ff", "", 422, "query.q", nil},
		{"GET", "/tasks?project=birds&q=--", "", 422, "query.q", nil},
		{"GET", "/tasks/facets?project=birds&q=%5c", "", 422, "query.q", nil},
		{"GET", "/tasks?project=%ff", "", 422, "query.project", nil},
		{"GET", "/tasks?project=birds&cursor=%c3%28", "", 422, "query.cursor", nil},
		{"GET", "/tasks?project=birds&q=%zz", "", 422, "query", nil},
		{"GET", "/tasks?project=birds&label=99999999999", "", 422, "query.label", nil},
		{"GET", "/tasks?project=birds&predicted=2147483648", "", 422, "query.predicted", nil},
		{"GET", "/tasks?project=birds&min_confidence=Inf", "", 422, "query.min_confidence", nil},
		{"GET", "/tasks?project=birds&min_confidence=-Inf", "", 422, "query.min_confidence", nil},
		{"GET", "/tasks?project=birds&min_confidence=NaN", "", 422, "query.min_confidence", nil},
		{"GET", "/tasks/facets?project=birds&max_confidence=%2BInf", "", 422, "query.max_confidence", nil},
		{"GET", "/tasks/facets?project=birds&max_confidence=NaN", "", 422, "query.max_confidence", nil},
		{"GET", "/projects/%ff", "", 404, "", nil},
		{"GET", "/projects/a%00b/jobs", "", 404, "", nil},
		{"GET", image + "?version=99999999999999999999", "", 422, "query.version", nil},
		{"GET", image + "/picture?v=%ff", "", 422, "query.v", nil},
		{"POST", "/session", `{"email":"a\u0000@example.org","password":"x"}`, 422, "body.email", nil},
		{"POST", "/session", `{"email":"a@example.org","password":"\ud800"}`, 422, "body.password", nil},
		{"POST", "/session", "{\"email\":\"caf\xe9@example.org\",\"password\":\"x\"}", 422, "body.email", nil},
		{"POST", "/projects", `{"slug":"x","name":"\u0000"}`, 422, "body.name", nil},
		{"POST", on + "/skip", `{"reason":"\udc00"}`, 422, "body.reason", nil},
		{"POST", on + "/submit", `{"revision":99999999999}`, 422, "", nil},
		{"PUT", on + "/draft", `{"base_revision":99999999999,"values":[` + values + `]}`, 422, "", nil},
		{"PUT", on + "/draft", `{"base_revision":0,"values":[` + values + `],"history":[{"tool":"\u0000"}]}`, 422, "body.history[0].tool", nil},
		{"PUT", on + "/draft", `{"base_revision":0,"values":[` + values + `],"provenance":{"a":["\ud83d"]}}`, 422, "body.provenance.a[0]", nil},
		{"POST", on + "/activation-map", `{"method":"cam","branch":"attention","class":99999999999}`, 422, "", nil},
		{"POST", "/users", `{"email":"b\u0000@example.org","name":"B","password":"long enough one","role":"annotator"}`, 422, "body.email", nil},
		{"POST", "/projects/birds/rounds", `{}`, 422, "header.Idempotency-Key", []string{"Idempotency-Key", "\xff\xfe"}},
		{"POST", "/projects/birds/rounds", `{"engine":"\u0000"}`, 422, "body.engine", nil},
		{"POST", "/projects/birds/versions?name=%ff.onnx", "x", 422, "query.name", []string{"Content-Type", "application/octet-stream"}},
	} {
		headers := append([]string{"Content-Type", "application/json"}, c.headers...)
		r := b.do(c.method, apiPrefix+c.path, strings.NewReader(c.body), headers...)
		name := fmt.Sprintf("%s %s %.80s", c.method, c.path, c.body)
		if r.StatusCode != c.status && (c.location != "" || r.StatusCode >= 500) {
			t.Errorf("%s: %s, want %d: %.300s", name, r.Status, c.status, r.body)
			continue
		}
		if media := r.Header.Get("Content-Type"); media != "application/problem+json" {
			t.Errorf("%s: an answer of type %s", name, media)
			continue
		}
		if p := into[Problem](r); c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location) {
			t.Errorf("%s names no %s: %.300s", name, c.location, r.body)
		}
	}

	for _, path := range []string{"/projects/birds/queue?q=%ff", "/projects/birds/queue?q=%00", "/projects/birds/queue?label=99999999999", "/signin?next=%ff", "/projects/birds/activity?before=%00"} {
		r := b.get(path).want(http.StatusUnprocessableEntity)
		name, _, _ := strings.Cut(path[strings.Index(path, "?")+1:], "=")
		r.has("main", name+":")
	}
	b.get("/projects/%ff/queue").want(http.StatusNotFound)
	b.get("/projects/birds/tasks/%00").want(http.StatusNotFound)
	for path, form := range map[string]url.Values{
		"/signin":                     {"email": {"a\x00@example.org"}, "password": {"x"}},
		"/projects":                   {"slug": {"x"}, "name": {"\xff"}},
		"/people":                     {"email": {"c@example.org"}, "name": {"\x00"}, "password": {"long enough one"}, "role": {"annotator"}},
		"/projects/birds/rounds":      {"key": {"\xff"}},
		"/projects/birds/tasks/bulk":  {"action": {"skip"}, "reason": {"\x00"}, "task": {fmt.Sprint(task.ID)}},
		"/projects/birds/rounds?x=\n": {"gamma\xff": {"1"}},
	} {
		r := b.post(strings.ReplaceAll(path, "\n", ""), form).want(http.StatusUnprocessableEntity)
		r.has("main", "valid text")
	}
}

// A manifest with a string that Go's decoder would silently replace is refused, and the string's place is named.
func TestManifestOfUploadHoldsText(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAdmin)
	model, _ := referenceModel(t, "abn-resnet-tiny")
	for manifest, location := range map[string]string{
		`{"crop":[64,64],"channels":"RGB","classes":["\ud800"]}`:            "body.manifest.classes[0]",
		"{\"crop\":[64,64],\"channels\":\"RGB\",\"classes\":[\"caf\xe9\"]}": "body.manifest.classes[0]",
		`{"crop":[64,64],"classes":["a"],"names":{"map":"\u0000"}}`:         "body.manifest.names.map",
		`{"crop":[64,64],}`: "body.manifest",
	} {
		body, media := modelFormOf(t, "model", string(model), "manifest", manifest)
		r := b.do(http.MethodPost, apiPrefix+"/projects/birds/versions", body, "Content-Type", media).want(http.StatusUnprocessableEntity)
		p := into[Problem](r)
		if len(p.Errors) == 0 || p.Errors[0].Location != location || strings.Contains(p.Detail, "the file has none") {
			t.Errorf("%q: %s, want the place %s", manifest, r.body, location)
		}
	}
}
