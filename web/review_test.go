package web

import (
	"fmt"
	"net/http"
	"strings"
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
	reviewer.get("/projects/birds/review").want(http.StatusOK).has(".notice", "None of them is for you now")
	if to := reviewer.post("/projects/birds/review/next", nil).want(http.StatusSeeOther).Header.Get("Location"); to != "/projects/birds/review" {
		t.Errorf("who drew in it is led to %s", to)
	}
	reviewer.get(page).want(http.StatusOK).has(".verdict", "You drew part of this since the last verdict")
	reviewer.get(page).hasNot("form[data-verdict]")
	reviewer.get("/projects/birds/queue?state=submitted").hasNot(card)
	reviewer.api(http.MethodPost, "/projects/birds/reviews/next", nil).want(http.StatusNoContent)
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", d.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusForbidden)

	if to := admin.post("/projects/birds/review/next", nil).want(http.StatusSeeOther).Header.Get("Location"); to != page {
		t.Errorf("another reviewer is led to %s, want %s", to, page)
	}
	admin.get(page).want(http.StatusOK).has("form[data-verdict]", "")
	admin.get("/projects/birds/queue?state=submitted").has(card, "")
	admin.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", d.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
}

// One reviewer at a time has a map to judge: the page of another says who has it, and what they have written is not lost.
func TestAReviewIsHeld(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	reviewer, admin := s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin)
	page := fmt.Sprintf("/projects/birds/review/%d", task.ID)
	card := fmt.Sprintf("a[href='%s']", page)

	// Looking takes nothing.
	admin.get("/projects/birds/review").want(http.StatusOK).has(card, "")
	admin.get(page).has("[data-hand]", "You only look")
	reviewer.get(page).has("[data-hand]", "You only look")
	if to := reviewer.post("/projects/birds/review/next", nil).want(http.StatusSeeOther).Header.Get("Location"); to != page {
		t.Fatalf("the next review is %s, want %s", to, page)
	}
	reviewer.get(page).has("[data-desk][data-held=mine]", "")
	reviewer.get("/projects/birds/review").has(card+" .chip", "yours")

	admin.get("/projects/birds/review").has(".review-bar", "The reviewer has 1.")
	admin.get("/projects/birds/review").has(".notice", "somebody else is reviewing them")
	admin.get(page).has("[data-hand]", "The reviewer is reviewing this one")
	admin.get(page).has("button[name=verdict][disabled]", "")
	refused := admin.post(page, map[string][]string{"edit": {fmt.Sprint(task.Edit.ID)}, "verdict": {"reject"}, "comment": {"the tail"}}).want(http.StatusConflict)
	refused.has(".notice-bad", "The reviewer is reviewing task")
	refused.has("textarea[name=comment]", "the tail")
	problem := admin.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusConflict)
	if !strings.Contains(string(problem.body), "Held by somebody else") {
		t.Errorf("the API says %s", problem.body)
	}

	// The part of the page alone, as its script asks for it; nothing beside it waits.
	part := reviewer.post("/projects/birds/review/next", map[string][]string{"part": {"review"}}).want(http.StatusOK)
	part.has("[data-desk][data-held=mine] form[data-verdict]", "")
	part.hasNot("nav")
	reviewer.post("/projects/birds/review/next", map[string][]string{"part": {"review"}, "except": {fmt.Sprint(task.ID)}}).want(http.StatusNoContent)

	// Left, it is free; judged, the page of who looks on says by whom.
	reviewer.post("/projects/birds/review/next", map[string][]string{"release": {fmt.Sprint(task.ID)}, "except": {fmt.Sprint(task.ID)}}).want(http.StatusSeeOther)
	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/claim", task.ID), nil).want(http.StatusOK)
	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/lease", task.ID), nil).want(http.StatusOK)
	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/release", task.ID), nil).want(http.StatusNoContent)
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	late := admin.post(page, map[string][]string{"edit": {fmt.Sprint(task.Edit.ID)}, "verdict": {"reject"}, "comment": {"the tail"}}).want(http.StatusConflict)
	late.has(".verdict", "The reviewer has judged edit")
	late.has(".verdict", "the tail")
}

// A reviewer opens a map in the editor from its page, and approves it with a change; history and pages name both people.
func TestAReviewerCorrects(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	painter, reviewer, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin)
	page := fmt.Sprintf("/projects/birds/review/%d", task.ID)
	reviewer.get(page).has("a[data-correct][data-key=f]", "Correct it yourself")
	reviewer.get(page+"?order=loss").has(`a[data-correct][href="`+page+`/correct?order=loss"]`, "Correct it yourself")
	reviewer.get(page+"/correct?order=loss").has("#editor[data-order=loss]", "")
	reviewer.get(page+"/correct").want(http.StatusOK).has("#editor[data-corrects][data-readonly='']", "")
	painter.get(page + "/correct").want(http.StatusForbidden)

	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/claim", task.ID), nil).want(http.StatusOK)
	reviewer.get(page).hasNot("a[data-correct]")
	reviewer.get(page+"/correct").want(http.StatusOK).has("#save-state", "The admin is reviewing this one")
	address := fmt.Sprintf("/tasks/%d/edits/%d/correct", task.ID, task.Edit.ID)
	body := map[string]any{"base_revision": task.Edit.Revision, "changes": map[string]any{"cells": []int{0}, "values": []float64{0.9}}, "comment": "the branch was in it"}
	reviewer.api(http.MethodPost, address, body).want(http.StatusConflict)
	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/release", task.ID), nil).want(http.StatusNoContent)
	d := into[annotator.TaskDetail](reviewer.api(http.MethodPost, address, body).want(http.StatusOK))
	if d.State != annotator.TaskApproved || d.Edit.Author != "The reviewer" || d.Edit.Painter != "The annotator" || d.Edit.Corrects != task.Edit.Revision {
		t.Errorf("corrected: %s, %+v", d.State, d.Edit)
	}
	done := reviewer.get(page).want(http.StatusOK)
	done.has(".head", "painted by The annotator, corrected by The reviewer")
	done.has(".history", "The reviewer corrected revision 1 of The annotator and approved")
	done.has(".history blockquote", "the branch was in it")
	done.has(".pane", "Painted") // the painter's own map, before it was corrected
	done.has(".pane", "Changed since")
	reviewer.post("/projects/birds/review/next", map[string][]string{"after": {fmt.Sprint(task.ID)}, "judged": {fmt.Sprint(task.ID)}}).want(http.StatusSeeOther)
	reviewer.get(fmt.Sprintf("/projects/birds/review?judged=%d", task.ID)).has(".judged", "approved")

	// Its settings ask for a second reviewer.
	form := map[string][]string{"name": {"Birds"}, "description": {""}, "second_reviewer": {"true"}}
	admin.post("/projects/birds/settings", form).want(http.StatusSeeOther)
	admin.get("/projects/birds/settings").has("input[name=second_reviewer][checked]", "")
	delete(form, "second_reviewer")
	admin.post("/projects/birds/settings", form).want(http.StatusSeeOther)
	admin.get("/projects/birds/settings").hasNot("input[name=second_reviewer][checked]")
}

// The list of what waits comes in an order, which the next map follows; several maps are accepted in one request and taken back in another.
func TestManyMapsAreJudgedFromTheList(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	first, second := s.submit(), s.submit()
	reviewer, admin, painter := s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	list := reviewer.get("/projects/birds/review?order=newest").want(http.StatusOK)
	list.has("select[name=order] option[selected]", "Newest first")
	list.has("form[action$='review/next'] input[name=order][value=newest]", "")
	list.has(".task-card:first-child a", fmt.Sprintf("#%d", second.ID))
	list.has(".task-card:first-child .task-foot", "≠ 0.")
	if to := reviewer.post("/projects/birds/review/next", map[string][]string{"order": {"newest"}}).want(http.StatusSeeOther).Header.Get("Location"); to != fmt.Sprintf("/projects/birds/review/%d?order=newest", second.ID) {
		t.Errorf("the newest is at %s", to)
	}
	reviewer.get(fmt.Sprintf("/projects/birds/review/%d?order=newest", second.ID)).has("[data-desk][data-order=newest] input[name=order][value=newest]", "")
	reviewer.post("/projects/birds/review/next", map[string][]string{"release": {fmt.Sprint(second.ID)}, "except": {fmt.Sprint(first.ID), fmt.Sprint(second.ID)}}).want(http.StatusSeeOther)
	page := into[annotator.ReviewPage](reviewer.api(http.MethodGet, "/projects/birds/reviews?order=far&limit=1", nil).want(http.StatusOK))
	if page.Total != 2 || len(page.Reviews) != 1 || page.Next != page.Reviews[0].ID || page.Reviews[0].Disagreement == nil {
		t.Errorf("the API lists %+v", page)
	}
	reviewer.get(fmt.Sprintf("/projects/birds/review?order=far&part=cards&after=%d", page.Next)).want(http.StatusOK).hasNot("nav")
	painter.api(http.MethodGet, "/projects/birds/reviews", nil).want(http.StatusForbidden)
	reviewer.api(http.MethodGet, "/projects/birds/reviews?order=beauty", nil).want(http.StatusUnprocessableEntity)

	edits := []string{fmt.Sprint(first.Edit.ID), fmt.Sprint(second.Edit.ID)}
	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/claim", second.ID), nil).want(http.StatusOK)
	reviewer.get("/projects/birds/review").hasNot(fmt.Sprintf("input[name=edit][value='%s']", edits[1]))
	to := reviewer.post("/projects/birds/review/accept", map[string][]string{"edit": edits, "order": {"newest"}}).want(http.StatusSeeOther).Header.Get("Location")
	after := reviewer.get(to).want(http.StatusOK)
	after.has(".notice", fmt.Sprintf("Accepted 1 map; left #%d (The admin is reviewing task", second.ID))
	after.has("form.judged", "You accepted 1 map together")
	reviewer.post("/projects/birds/review/undo", map[string][]string{"edit": {edits[0]}}).want(http.StatusSeeOther)
	reviewer.get("/projects/birds/review").has(".notice", "Took 1 verdict back")
	reviewer.post("/projects/birds/review/accept", nil).want(http.StatusSeeOther)
	reviewer.get("/projects/birds/review").has(".notice", "No map was selected")

	admin.api(http.MethodPost, fmt.Sprintf("/tasks/%d/review/release", second.ID), nil).want(http.StatusNoContent)
	many := into[annotator.ManyVerdicts](reviewer.api(http.MethodPost, "/projects/birds/reviews/approve", map[string]any{"edits": []int64{first.Edit.ID, second.Edit.ID}}).want(http.StatusOK))
	if len(many.Done) != 2 || len(many.Left) != 0 {
		t.Errorf("the API approved %+v", many)
	}
	many = into[annotator.ManyVerdicts](admin.api(http.MethodPost, "/projects/birds/reviews/retract", map[string]any{"edits": []int64{first.Edit.ID}}).want(http.StatusOK))
	if len(many.Done) != 1 {
		t.Errorf("an admin takes back: %+v", many)
	}
	painter.api(http.MethodPost, "/projects/birds/reviews/approve", map[string]any{"edits": []int64{first.Edit.ID}}).want(http.StatusForbidden)
	painter.post("/projects/birds/review/accept", map[string][]string{"edit": edits}).want(http.StatusForbidden)
}

// An admin says how much is reviewed, and sees for whom that holds; what was not drawn says so on its page, and any reviewer takes it back.
func TestAdminsSampleReviews(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	first := s.submit()
	reviewer, admin, painter := s.as(annotator.RoleReviewer), s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", first.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	admin.post("/projects/birds/settings/sampling", map[string][]string{"share": {"0"}, "newcomer": {"2"}}).want(http.StatusSeeOther)
	page := admin.get("/projects/birds/settings").want(http.StatusOK)
	page.has("#sampling input[name=share][value='0']", "")
	page.has("#sampling tbody", "New here: 1 more approved map until a part is reviewed")
	painter.get("/projects/birds/settings").want(http.StatusOK).hasNot("#sampling")
	admin.post("/projects/birds/settings/sampling", map[string][]string{"share": {"many"}, "newcomer": {"2"}}).want(http.StatusUnprocessableEntity).has(".notice-bad", "no whole number")
	project := into[annotator.Project](admin.api(http.MethodPatch, "/projects/birds", map[string]any{"sampling": map[string]any{"share": 0, "newcomer": 1}}).want(http.StatusOK))
	if project.Sampling != (annotator.Sampling{Share: 0, Newcomer: 1}) {
		t.Errorf("the API set %+v", project.Sampling)
	}
	report := into[annotator.SamplingReport](admin.api(http.MethodGet, "/projects/birds/sampling", nil).want(http.StatusOK))
	if len(report.Authors) != 1 || report.Authors[0].Share != 0 || report.Authors[0].Why != annotator.DrawDrawn {
		t.Errorf("the API reports %+v", report)
	}
	reviewer.api(http.MethodGet, "/projects/birds/sampling", nil).want(http.StatusForbidden)

	passed := s.submit()
	if passed.State != annotator.TaskApproved {
		t.Fatalf("what was not drawn is %s", passed.State)
	}
	address := fmt.Sprintf("/projects/birds/review/%d", passed.ID)
	reviewer.get(address).has(".history", "Approved by the rule (sampling), not by a person")
	if to := reviewer.post(address+"/retract", map[string][]string{"edit": {fmt.Sprint(passed.Edit.ID)}, "order": {"newest"}}).want(http.StatusSeeOther).Header.Get("Location"); to != address+"?order=newest" {
		t.Errorf("after it was taken back the order is another: %s", to)
	}
	reviewer.get(address).has("form[data-verdict]", "")
}
