package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// What lies on the server is imported by the name of its source, by page and API, without being sent; nothing outside is reached, and
// where it lies is not told.
func TestImportsFromTheServer(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	base := s.sources["shared"]
	picture, err := os.ReadFile(filepath.Join(fixture.Reference(t), "preprocess", referencePictures[0]))
	must(t, err)
	file := filepath.Join(base, "2024", "train", "bird-0", "of-the-server.jpg")
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, append(picture, 0), 0o600)) // other bytes than the project's
	must(t, os.Symlink(filepath.Dir(base), filepath.Join(base, "out")))

	var offered struct{ Sources []string }
	must(t, json.Unmarshal(admin.api(http.MethodGet, "/sources", nil).want(http.StatusOK).body, &offered))
	if !slices.Equal(offered.Sources, []string{"shared"}) {
		t.Errorf("sources are %v", offered.Sources)
	}
	s.as(annotator.RoleReviewer).api(http.MethodGet, "/sources", nil).want(http.StatusForbidden)
	for _, body := range []map[string]any{
		{"source": "shared", "path": "../x"}, {"source": "shared", "path": "out"}, {"source": "other"}, {"path": "2024"}, {"source": "shared", "name": "x"}, {"name": "x"},
	} {
		if r := admin.api(http.MethodPost, "/projects/birds/imports", body).want(http.StatusUnprocessableEntity); strings.Contains(string(r.body), base) {
			t.Errorf("%v is refused with the folder's place: %s", body, r.body)
		}
	}
	r := admin.post("/projects/birds/imports", url.Values{"source": {"shared"}, "path": {"out"}}).want(http.StatusUnprocessableEntity)
	if text := r.page().Find("form[aria-label='On the server'] [role=alert]").Text(); !strings.Contains(text, "leads out of shared") {
		t.Errorf("a link that leads out: %q", text)
	}
	at := admin.post("/projects/birds/imports", url.Values{"source": {"shared"}, "path": {"2024"}}).want(http.StatusSeeOther).Header.Get("Location")
	id := at[strings.LastIndex(at, "/")+1:]
	looked := s.unpacked(admin, id)
	if looked.State != annotator.StagedLooked || looked.Report == nil || looked.Report.Sync.Added != 1 || looked.Name != "shared/2024" {
		t.Fatalf("looked at: %+v", looked)
	}
	admin.api(http.MethodPost, "/imports/"+id+"/start", map[string]any{}).want(http.StatusAccepted)
	if done := s.unpacked(admin, id); done.State != annotator.StagedImported {
		t.Fatalf("imported: %+v", done)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file on the server: %v", err)
	}
	page := admin.get(at).want(http.StatusOK).page().Find("main").Text()
	if !strings.Contains(page, "on the server") || strings.Contains(page, base) {
		t.Errorf("the page of the import: %s", page)
	}

	// An empty folder is told by its name, and a link that came later is not followed.
	must(t, os.Mkdir(filepath.Join(base, "empty"), 0o755))
	begun := stagedIn(t, admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"source": "shared", "path": "empty"}).want(http.StatusCreated))
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{}).want(http.StatusAccepted)
	if at := s.unpacked(admin, begun.ID); at.Problem == "" || strings.Contains(at.Problem, base) || !strings.Contains(at.Problem, "shared/empty") {
		t.Errorf("an empty folder: %q", at.Problem)
	}
	must(t, os.Remove(filepath.Join(base, "empty")))
	must(t, os.Symlink(filepath.Dir(base), filepath.Join(base, "empty")))
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{}).want(http.StatusAccepted)
	if at := s.unpacked(admin, begun.ID); !strings.Contains(at.Problem, "leads out of shared") {
		t.Errorf("a link that came later: %q", at.Problem)
	}
}
