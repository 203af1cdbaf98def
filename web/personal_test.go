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

// An admin reads what is held of a person and removes them by page and API, everybody reads their own; a removed person is signed out, and
// a pseudonym stands on the pages.
func TestPersonalData(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	who, reviewer := s.people[annotator.RoleAnnotator], s.people[annotator.RoleReviewer]
	task := painter.take()
	type document struct {
		Account annotator.User
		Tasks   struct {
			Count int
			Rows  []struct{ ID int64 }
		}
	}
	read := func(b *browser, path string) (d document) {
		t.Helper()
		r := b.get(path).want(http.StatusOK)
		must(t, json.Unmarshal(r.body, &d))
		if name := r.Header.Get("Content-Disposition"); !strings.Contains(name, fmt.Sprintf("person-%d.json", who.ID)) {
			t.Errorf("%s is called %s", path, name)
		}
		return d
	}
	at := fmt.Sprintf("/people/%d", who.ID)
	for path, b := range map[string]*browser{"/account/data": painter, at + "/data": admin, fmt.Sprintf("%s/users/%d/data", apiPrefix, who.ID): painter} {
		if d := read(b, path); d.Account.Email != who.Email || d.Tasks.Count != 1 || d.Tasks.Rows[0].ID != task.ID {
			t.Errorf("%s: %+v", path, d)
		}
	}
	painter.api(http.MethodGet, fmt.Sprintf("/users/%d/data", reviewer.ID), nil).want(http.StatusForbidden)
	admin.api(http.MethodGet, "/users/99999/data", nil).want(http.StatusNotFound)
	painter.api(http.MethodPost, fmt.Sprintf("/users/%d/remove", reviewer.ID), map[string]any{"email": reviewer.Email}).want(http.StatusForbidden)

	admin.post(at+"/remove", url.Values{"email": {"another@example.org"}}).want(http.StatusSeeOther)
	if text := admin.get("/people").want(http.StatusOK).page().Find("[role=alert]").Text(); !strings.Contains(text, "e-mail address, "+who.Email) {
		t.Errorf("another address was typed: %q", text)
	}
	painter.get("/account").want(http.StatusOK)
	admin.post(at+"/remove", url.Values{"email": {who.Email}}).want(http.StatusSeeOther)
	people := admin.get("/people").want(http.StatusOK).page()
	row := people.Find(fmt.Sprintf("tr[data-user='%d']", who.ID)).Text()
	if strings.Contains(people.Find("main").Text(), who.Email) || !strings.Contains(row, fmt.Sprintf("Former member %d", who.ID)) || strings.Contains(row, "Change…") {
		t.Errorf("the row of a removed person: %q", row)
	}
	painter.get("/account").want(http.StatusSeeOther)
	must(t, json.Unmarshal(admin.api(http.MethodGet, fmt.Sprintf("/tasks/%d", task.ID), nil).want(http.StatusOK).body, &task))
	if task.State != annotator.TaskOpen {
		t.Errorf("the task that was held is %s", task.State)
	}
	admin.post(at, url.Values{"action": {"enable"}}).want(http.StatusSeeOther)
	if text := admin.get("/people").want(http.StatusOK).page().Find("[role=alert]").Text(); !strings.Contains(text, "was removed, for good") {
		t.Errorf("enabled again: %q", text)
	}
	removed := into[annotator.User](admin.api(http.MethodPost, fmt.Sprintf("/users/%d/remove", reviewer.ID), map[string]any{"email": reviewer.Email}).want(http.StatusOK))
	if removed.RemovedAt == nil || removed.Name == reviewer.Name {
		t.Errorf("removed by the API: %+v", removed)
	}
	me := s.people[annotator.RoleAdmin]
	admin.api(http.MethodPost, fmt.Sprintf("/users/%d/remove", me.ID), map[string]any{"email": me.Email}).want(http.StatusConflict)
}
