package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/abn-studio/studio/annotator"
)

// A project is closed, opened, deleted after its name was typed, restored and purged by page and API; others than admins see closed ones
// and nothing of deleted ones.
func TestProjectsArePutAway(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	listed := func(b *browser, state string) (all []annotator.ProjectSummary) {
		t.Helper()
		var answer projectList
		must(t, json.Unmarshal(b.api(http.MethodGet, "/projects?state="+state, nil).want(http.StatusOK).body, &answer))
		return answer.Projects
	}
	page := func(b *browser, path string) *goquery.Document { return b.get(path).want(http.StatusOK).page() }
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	picture := fmt.Sprintf("/images/%d/picture?kind=thumb", images[0].ID)

	admin.post("/projects/birds/settings/state", url.Values{"action": {"close"}}).want(http.StatusSeeOther)
	if text := page(painter, "/projects").Find("[aria-label='Closed projects']").Text(); !strings.Contains(text, s.project.Name) || strings.Contains(text, "Open again") {
		t.Errorf("an annotator's list of closed projects: %q", text)
	}
	if text := page(painter, "/projects/birds/queue").Find(".notice-warn").Text(); !strings.Contains(text, "This project is closed") {
		t.Errorf("the queue of a closed project says %q", text)
	}
	refused := painter.api(http.MethodPost, "/projects/birds/tasks/next", nil).want(http.StatusConflict)
	if !strings.Contains(string(refused.body), "the project birds is closed") {
		t.Errorf("a task of a closed project: %s", refused.body)
	}
	painter.api(http.MethodGet, picture, nil).want(http.StatusOK)
	admin.api(http.MethodPost, "/projects/birds/close", nil).want(http.StatusConflict)
	admin.api(http.MethodPost, "/projects/birds/reopen", nil).want(http.StatusOK)

	r := admin.post("/projects/birds/settings/state", url.Values{"action": {"delete"}, "name": {"another"}}).want(http.StatusUnprocessableEntity)
	if text := r.page().Find("[role=alert]").Text(); !strings.Contains(text, "name, "+s.project.Name) {
		t.Errorf("deleted under another name: %q", text)
	}
	admin.post("/projects/birds/settings/state", url.Values{"action": {"delete"}, "name": {s.project.Name}}).want(http.StatusSeeOther)
	for _, path := range []string{"/projects/birds", picture, fmt.Sprintf("/images/%d", images[0].ID), fmt.Sprintf("/versions/%d", s.version.ID)} {
		admin.api(http.MethodGet, path, nil).want(http.StatusNotFound)
	}
	if n := page(painter, "/projects").Find("[aria-label='Deleted projects']").Length(); n != 0 {
		t.Error("an annotator sees deleted projects")
	}
	painter.api(http.MethodGet, "/projects?state=deleted", nil).want(http.StatusForbidden)
	if all := listed(admin, "deleted"); len(all) != 1 || all[0].DeletedAt == nil {
		t.Errorf("deleted projects: %+v", all)
	}
	admin.post("/deleted/birds", url.Values{"action": {"restore"}}).want(http.StatusSeeOther)
	if all := listed(painter, "open"); len(all) != 1 {
		t.Errorf("open projects after one was restored: %+v", all)
	}

	admin.api(http.MethodPost, "/projects/birds/purge", map[string]any{"name": s.project.Name}).want(http.StatusConflict)
	admin.api(http.MethodPost, "/projects/birds/delete", map[string]any{"name": s.project.Name}).want(http.StatusOK)
	admin.post("/deleted/birds", url.Values{"action": {"purge"}, "name": {"x"}}).want(http.StatusSeeOther)
	if text := page(admin, "/projects").Find("[role=alert]").Text(); !strings.Contains(text, "Type the project's name") {
		t.Errorf("purged under another name: %q", text)
	}
	admin.api(http.MethodPost, "/projects/birds/purge", map[string]any{"name": s.project.Name}).want(http.StatusNoContent)
	if there, err := s.blobs.Exists(t.Context(), images[0].Hash); err != nil || there {
		t.Errorf("the picture of a purged project is there: %t, %v", there, err)
	}
	admin.api(http.MethodPost, "/projects/birds/restore", nil).want(http.StatusNotFound)
	if text := page(admin, "/projects").Find("[aria-label='Deleted projects']").Text(); !strings.Contains(text, "The record of what people did is kept") {
		t.Errorf("the page says of a purged project %q", text)
	}
}
