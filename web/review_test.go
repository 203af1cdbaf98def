package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A reviewer drew an earlier revision of an edit that another person submitted. The queue of reviews does not offer them the edit, no form
// is shown, cards do not lead to one, and the API refuses their verdict. Another reviewer can judge it.
func TestTheQueueOffersOnlyWhatMayBeJudged(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	painter, reviewer, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin)
	task := reviewer.take()
	path := fmt.Sprintf("/tasks/%d", task.ID)
	reviewer.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 0, "map": painted(task)}).want(http.StatusOK)
	reviewer.api(http.MethodPost, path+"/release", nil).want(http.StatusNoContent)
	painter.api(http.MethodPost, path+"/claim", nil).want(http.StatusOK)
	other := task.Prediction.Map.Clone()
	other.Values[0] = 1 - other.Values[0]
	painter.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 1, "map": other}).want(http.StatusOK)
	d := into[annotator.TaskDetail](painter.api(http.MethodPost, path+"/submit", map[string]any{"revision": 2}).want(http.StatusOK))

	page := fmt.Sprintf("/projects/birds/review/%d", task.ID)
	card := fmt.Sprintf("a[href='%s']", page)
	reviewer.get("/projects/birds/review").want(http.StatusOK).has(".empty h2", "Nothing waits")
	reviewer.get(page).want(http.StatusOK).has(".verdict", "You drew part of this since the last verdict")
	reviewer.get(page).hasNot("form[data-verdict]")
	reviewer.get("/projects/birds/queue?state=submitted").hasNot(card)
	reviewer.api(http.MethodGet, "/projects/birds/reviews/next", nil).want(http.StatusNoContent)
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", d.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusForbidden)

	if to := admin.get("/projects/birds/review").want(http.StatusSeeOther).Header.Get("Location"); to != page {
		t.Errorf("another reviewer is led to %s, want %s", to, page)
	}
	admin.get(page).want(http.StatusOK).has("form[data-verdict]", "")
	admin.get("/projects/birds/queue?state=submitted").has(card, "")
	admin.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", d.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
}
