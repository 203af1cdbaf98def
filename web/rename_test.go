package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A project and its classes get other names by page and API. The slug and the keys stay, the trail has the change.
func TestRename(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	project := func() (p annotator.ProjectSummary) {
		t.Helper()
		must(t, json.Unmarshal(admin.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK).body, &p))
		return p
	}
	before := project()
	last := before.Classes[len(before.Classes)-1]

	admin.post("/projects/birds/settings", url.Values{"name": {" Vögel "}, "description": {"Of the north"}}).want(http.StatusSeeOther)
	admin.post("/projects/birds/settings/class", url.Values{"class": {fmt.Sprint(last.Index)}, "class_name": {"Zaunkönig"}}).want(http.StatusSeeOther)
	now := project()
	if got := now.Classes[last.Index]; now.Name != "Vögel" || now.Description != "Of the north" || now.Slug != "birds" || got.Name != "Zaunkönig" || got.Key != last.Key {
		t.Errorf("%q, %q, %+v", now.Name, now.Description, got)
	}
	admin.api(http.MethodPatch, "/projects/birds", map[string]any{"name": "Birds"}).want(http.StatusOK)
	admin.api(http.MethodPatch, fmt.Sprintf("/projects/birds/classes/%d", last.Index), map[string]any{"name": last.Name}).want(http.StatusOK)
	if now = project(); now.Name != "Birds" || now.Description != "Of the north" || now.Classes[last.Index] != last {
		t.Errorf("%q, %q, %+v", now.Name, now.Description, now.Classes[last.Index])
	}
	trail := string(admin.api(http.MethodGet, "/projects/birds/audit", nil).want(http.StatusOK).body)
	for _, says := range []string{"is called Vögel; another description", last.Name + " is called Zaunkönig"} {
		if !strings.Contains(trail, says) {
			t.Errorf("the trail lacks %q", says)
		}
	}

	taken := strings.ToUpper(before.Classes[0].Name)
	for name, c := range map[string]struct {
		path, says string
		form       url.Values
		status     int
	}{
		"no name":         {"", "Name", url.Values{"name": {" "}, "description": {""}}, http.StatusUnprocessableEntity},
		"no class chosen": {"/class", "choose a class", url.Values{"class": {""}, "class_name": {"x"}}, http.StatusUnprocessableEntity},
		"a taken name":    {"/class", "class 0 is called " + taken + " already", url.Values{"class": {fmt.Sprint(last.Index)}, "class_name": {taken}}, http.StatusUnprocessableEntity},
		"a class without": {"/class", "", url.Values{"class": {"999"}, "class_name": {"x"}}, http.StatusNotFound},
	} {
		r := admin.post("/projects/birds/settings"+c.path, c.form).want(c.status)
		if !strings.Contains(strings.ToLower(string(r.body)), strings.ToLower(c.says)) {
			t.Errorf("%s: the page lacks %q", name, c.says)
		}
	}
	s.as(annotator.RoleReviewer).post("/projects/birds/settings", url.Values{"name": {"Mine"}}).want(http.StatusForbidden)
	s.as(annotator.RoleReviewer).api(http.MethodPatch, "/projects/birds/classes/0", map[string]any{"name": "Mine"}).want(http.StatusForbidden)
	if now = project(); now.Name != "Birds" {
		t.Errorf("a reviewer renamed it to %q", now.Name)
	}
}
