package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// unpacked waits until an archive that was started is a project, or is not.
func (s *studio) unpacked(admin *browser, id string) annotator.StagedImport {
	s.t.Helper()
	for {
		at := stagedIn(s.t, admin.api(http.MethodGet, "/imports/"+id, nil).want(http.StatusOK))
		if !at.State.Busy() {
			return at
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A project goes out by its Export page's form and comes in by the page of archives: sent in chunks, under another name.
func TestAProjectGoesOutAndIn(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	form := admin.get("/projects/birds/export").want(http.StatusOK).page().Find(".export-whole form")
	action, _ := form.Attr("action")
	got := admin.get(action + "?pictures=true").want(http.StatusOK)
	if name := got.Header.Get("Content-Disposition"); !strings.Contains(name, "birds.studio.zip") {
		t.Errorf("it is called %s", name)
	}
	raw := got.body
	s.as(annotator.RoleReviewer).get(action).want(http.StatusForbidden)
	if s.as(annotator.RoleReviewer).get("/projects/birds/export").page().Find(".export-whole").Length() > 0 {
		t.Error("a reviewer is offered what only admins may have")
	}

	begun := stagedIn(t, admin.api(http.MethodPost, "/archives", map[string]any{"name": "birds.studio.zip", "bytes": len(raw)}).want(http.StatusCreated))
	half := len(raw) / 2
	send := func(from, to int) {
		admin.do(http.MethodPut, fmt.Sprintf("%s/imports/%s/bytes?offset=%d", apiPrefix, begun.ID, from), bytes.NewReader(raw[from:to]), "Content-Type", "application/octet-stream").want(http.StatusOK)
	}
	send(0, half)
	admin.post("/archives/"+begun.ID, url.Values{"action": {"start"}, "slug": {"flock"}}).want(http.StatusUnprocessableEntity)
	if again := stagedIn(t, admin.api(http.MethodPost, "/archives", map[string]any{"name": "birds.studio.zip", "bytes": len(raw)}).want(http.StatusOK)); again.Received != int64(half) {
		t.Errorf("begun again, %d of %d bytes are here", again.Received, half)
	}
	send(half, len(raw))
	admin.get("/archives").want(http.StatusOK)
	page := "/archives/" + begun.ID
	admin.get(page).want(http.StatusOK)
	if r := admin.post(page, url.Values{"action": {"start"}, "slug": {"birds"}}).want(http.StatusUnprocessableEntity); !strings.Contains(r.page().Find("[role=alert]").Text(), "nother project has it") {
		t.Errorf("a slug that is taken: %s", r.page().Find("[role=alert]").Text())
	}
	admin.post(page, url.Values{"action": {"start"}, "slug": {"flock"}, "name": {"A flock"}}).want(http.StatusSeeOther)
	if at := s.unpacked(admin, begun.ID); at.State != annotator.StagedImported || at.Made != "flock" {
		t.Fatalf("it is %+v", at)
	}
	if link := admin.get(page).want(http.StatusOK).page().Find(`a[href="/projects/flock/queue"]`); link.Length() != 1 {
		t.Error("the page does not lead to the project")
	}
	if h1 := admin.get("/projects/flock/queue").want(http.StatusOK); !strings.Contains(string(h1.body), "A flock") {
		t.Error("the project has another name")
	}
	image := s.imageOf("flock")
	admin.get(fmt.Sprintf("%s/images/%d/picture?kind=thumb", apiPrefix, image)).want(http.StatusOK)

	// What is no archive says so on its page, and can be removed there.
	bad := stagedIn(t, admin.api(http.MethodPost, "/archives", map[string]any{"name": "notes.zip", "bytes": 5}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+bad.ID+"/bytes?offset=0", strings.NewReader("hello"), "Content-Type", "application/octet-stream").want(http.StatusOK)
	admin.post("/archives/"+bad.ID, url.Values{"action": {"start"}}).want(http.StatusSeeOther)
	if at := s.unpacked(admin, bad.ID); !strings.Contains(at.Problem, "notes.zip is no archive of a project") {
		t.Errorf("no archive: %+v", at)
	}
	admin.post("/archives/"+bad.ID, url.Values{"action": {"discard"}}).want(http.StatusSeeOther)
	admin.get("/archives/" + bad.ID).want(http.StatusNotFound)
}

// imageOf is an image of a project.
func (s *studio) imageOf(slug string) int64 {
	s.t.Helper()
	project, err := s.store.ProjectBySlug(s.t.Context(), slug)
	must(s.t, err)
	images, err := s.store.Images(s.t.Context(), project.ID)
	must(s.t, err)
	return images[0].ID
}
