package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
)

// twoMaps is a network with two values that could be its map.
func twoMaps(t *testing.T) (file []byte) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(fixture.Root(), "onnx", "testdata", "exports", "two-maps.onnx"))
	must(t, err)
	return file
}

func mapOf(t *testing.T, u annotator.Upload) string {
	t.Helper()
	for _, v := range u.Report.Values {
		if v.Role == "map" {
			return v.Name
		}
	}
	t.Fatalf("no map in %+v", u.Report.Values)
	return ""
}

// A part that cannot be told from the graph is named by the same field in query, form and page; the name is then stored.
func TestValuesAreNamedWithAnUpload(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	model := twoMaps(t)
	admin := s.as(annotator.RoleAdmin)
	_, err := s.service.CreateProject(t.Context(), s.people[annotator.RoleAdmin], "maps", "Maps", "")
	must(t, err)
	form := func(fields ...string) (*bytes.Buffer, string) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		part, err := w.CreateFormFile("model", "two-maps.onnx")
		must(t, err)
		_, err = part.Write(model)
		must(t, err)
		for i := 0; i+1 < len(fields); i += 2 { // behind the model: in any order
			must(t, w.WriteField(fields[i], fields[i+1]))
		}
		must(t, w.Close())
		return &body, w.FormDataContentType()
	}
	const path = apiPrefix + "/projects/maps/versions?inspect=true"

	unnamed := admin.do(http.MethodPost, path, bytes.NewReader(model), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity)
	if p := into[Problem](unnamed); !strings.Contains(p.Detail, "--map VALUE") || !strings.Contains(p.Detail, `the field "map"`) || p.Errors[0].Location != "body.model" {
		t.Errorf("%s", unnamed.body)
	}
	named := into[sentModel](admin.do(http.MethodPost, path+"&map=sigmoid", bytes.NewReader(model), "Content-Type", "application/octet-stream").want(http.StatusOK)).Upload
	if got := mapOf(t, named); got != "sigmoid" {
		t.Errorf("the map is %q", got)
	}
	body, kind := form("map", " sigmoid ", "logits_att", "")
	named = into[sentModel](admin.do(http.MethodPost, path, body, "Content-Type", kind).want(http.StatusOK)).Upload
	if m, err := named.ReadManifest(); err != nil || m.Names == nil || m.Names.Map != "sigmoid" {
		t.Errorf("of the name is kept %s, %v", named.Manifest, err)
	}
	for what, fields := range map[string][]string{"no-such-value": {"map", "no-such-value"}, "at most 1024 bytes": {"features", strings.Repeat("x", 2000)}, "is not known": {"maps", "sigmoid"}} {
		body, kind := form(fields...)
		if r := admin.do(http.MethodPost, path, body, "Content-Type", kind).want(http.StatusUnprocessableEntity); !strings.Contains(string(r.body), what) {
			t.Errorf("%s: %s", what, r.body)
		}
	}

	// In the browser: the page opens where the names go, keeps what was typed, and takes it.
	send := func(fields ...string) *response {
		body, kind := form(fields...)
		return admin.do(http.MethodPost, "/projects/maps/uploads", body, "Content-Type", kind)
	}
	closed := admin.get("/projects/maps/versions/new").want(http.StatusOK)
	closed.hasNot("details[data-upload-names][open]")
	for _, f := range manifest.NameFields {
		closed.has("details[data-upload-names] small", f.Help)
		closed.has(fmt.Sprintf("details[data-upload-names] input[name=%s]", f.Key), "")
	}
	asked := send().want(http.StatusUnprocessableEntity)
	asked.has("details[data-upload-names][open] summary", "Names")
	asked.has("[data-upload-problem]", "name one: --map VALUE")
	again := send("map", "relu_99").want(http.StatusUnprocessableEntity)
	if typed, _ := again.page().Find("input[name=map]").Attr("value"); typed != "relu_99" {
		t.Errorf("typed was relu_99, shown is %q", typed)
	}
	taken := send("map", "sigmoid").want(http.StatusSeeOther)
	page := taken.Header.Get("Location")
	admin.get(page).want(http.StatusOK).has(".parts", "sigmoid")

	// The manifest that is typed then keeps them, and so does what is downloaded of the version.
	wait := s.work()
	typed := url.Values{"manifest": {"typed"}, "resize": {"16"}, "crop_height": {"16"}, "crop_width": {"16"}, "interpolation": {"bilinear"}, "channels": {"RGB"}, "scaling": {"unit"}, "classes": {"a\nb\nc"}}
	admin.post(page, typed).want(http.StatusSeeOther)
	var id int64
	_, err = fmt.Sscanf(page, "/projects/maps/uploads/%d", &id)
	must(t, err)
	done := wait(id)
	if done.State != annotator.UploadAdded {
		t.Fatalf("%s: %s", done.State, done.Problem)
	}
	file := admin.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx", *done.VersionID), nil).want(http.StatusOK)
	resent := into[sentModel](admin.do(http.MethodPost, path, bytes.NewReader(file.body), "Content-Type", "application/octet-stream").want(http.StatusOK)).Upload
	if mapOf(t, resent) != "sigmoid" || resent.Report.ManifestProblem != nil {
		t.Errorf("sent again: %+v", resent.Report)
	}
}
