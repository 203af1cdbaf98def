package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// All that the filter leaves is assigned from the queue's page in one form, is said, and is taken back; a painter sees what is theirs.
func TestAssigningOnTheQueue(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	reviewer := s.as(annotator.RoleReviewer)
	page := reviewer.get("/projects/birds/queue").want(http.StatusOK).page()
	ana := ""
	for _, option := range page.Find("select[name=user] option").EachIter() {
		if option.Text() == s.people[annotator.RoleAnnotator].Name {
			ana, _ = option.Attr("value")
		}
	}
	if ana == "" {
		t.Fatalf("nobody to assign to: %s", page.Find("select[name=user]").Text())
	}
	form := url.Values{"action": {"assign"}, "all": {"1"}, "user": {ana}, "from": {"0"}, "to": {"10"}, "back": {"/projects/birds/queue?from=0&to=10"}}
	to := reviewer.post("/projects/birds/tasks/bulk", form).want(http.StatusSeeOther).Header.Get("Location")
	if !strings.Contains(to, "undo=") || !strings.Contains(to, "to=10") {
		t.Errorf("leads to %s", to)
	}
	after := reviewer.get(to).want(http.StatusOK).page()
	if said := after.Find(".notice").Text(); !strings.Contains(said, "Assigned 5 tasks to "+s.people[annotator.RoleAnnotator].Name) {
		t.Errorf("says %q", said)
	}
	painter := s.as(annotator.RoleAnnotator)
	if own := painter.get("/projects/birds/queue").want(http.StatusOK).page(); !strings.Contains(own.Find(".sheet-bar").Text(), "5 assigned to you") || own.Find("select[name=user]").Length() != 0 {
		t.Errorf("the painter sees %q", own.Find(".sheet-bar").Text())
	}
	undo, _ := after.Find("form.undo input[name=undo]").Attr("value")
	reviewer.post("/projects/birds/tasks/undo", url.Values{"undo": {undo}, "back": {"/projects/birds/queue"}}).want(http.StatusSeeOther)
	if said := reviewer.get("/projects/birds/queue").page().Find(".notice").Text(); !strings.Contains(said, "5 tasks are offered as before") {
		t.Errorf("taken back, it says %q", said)
	}
	painter.post("/projects/birds/tasks/bulk", form).want(http.StatusForbidden)
	form.Set("user", "")
	reviewer.post("/projects/birds/tasks/bulk", form).want(http.StatusSeeOther)
	if said := reviewer.get("/projects/birds/queue").page().Find(".notice").Text(); !strings.Contains(said, "Say to whom") {
		t.Errorf("to nobody: %q", said)
	}
}

// The mix is set on the project's page, and refused with what is wrong with it.
func TestMixOnTheProjectsPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	for text, says := range map[string]string{"confident=60&random=30": "The shares make 90 per cent together: make them 100", "confident=all": `"all" is no whole number of per cent`} {
		form, err := url.ParseQuery(text)
		must(t, err)
		if said := admin.post("/projects/birds/settings/mix", form).want(http.StatusUnprocessableEntity).page().Find(".notice-bad").Text(); !strings.Contains(said, says) {
			t.Errorf("%s: %q", text, said)
		}
	}
	admin.post("/projects/birds/settings/mix", url.Values{"confident": {"60"}, "random": {"40"}, "diverse": {""}}).want(http.StatusSeeOther)
	page := admin.get("/projects/birds/settings").page()
	share := func(order string) string {
		value, _ := page.Find("#mix input[name=" + order + "]").Attr("value")
		return value
	}
	if share("confident") != "60" || share("random") != "40" || share("diverse") != "" || !strings.Contains(page.Find(".notice").Text(), "confident 60 %, random 40 %") {
		t.Errorf("%s, %s, %q; %s", share("confident"), share("random"), share("diverse"), page.Find(".notice").Text())
	}
}
