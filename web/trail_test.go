package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/abn-studio/studio/annotator"
)

// An admin reads the whole studio's trail by person, kind, project and time, page by page, and takes it as CSV, where no cell is a formula,
// and as JSON Lines, by a token too; nobody else does.
func TestTrailOfTheStudio(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx, me := t.Context(), s.people[annotator.RoleAdmin]
	admin, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	s.nobody().post("/signin", url.Values{"email": {"my-password-typed-here"}, "password": {"x"}}).want(http.StatusUnauthorized)
	s.nobody().post("/signin", url.Values{"email": {"annotator@example.org"}, "password": {"x"}}).want(http.StatusUnauthorized)
	const formula = `=HYPERLINK("https://elsewhere.example","x")`
	secret := into[tokenMade](admin.api(http.MethodPost, "/tokens", map[string]any{"name": formula, "scopes": []string{"admin"}, "current_password": password}).want(http.StatusCreated)).Token
	painter.get(apiPrefix + "/projects/birds/export?what=tasks&format=csv").want(http.StatusOK)

	read := func(query string) []annotator.TrailLine {
		t.Helper()
		return into[trailList](admin.api(http.MethodGet, "/audit?"+query, nil).want(http.StatusOK)).Entries
	}
	who := s.people[annotator.RoleAnnotator]
	came := read("kind=sessions&person=" + fmt.Sprint(who.ID))
	if len(came) != 2 || came[0].Action != "session.fail" || came[1].Action != "session.start" || came[1].ActorID != who.ID {
		t.Errorf("the painter's sign-ins: %+v", came)
	}
	all := read("kind=sessions")
	for _, line := range all {
		if text := fmt.Sprint(line); strings.Contains(text, "my-password") {
			t.Errorf("what was typed as an address is kept: %s", text)
		}
	}
	if len(all) != 4 {
		t.Errorf("%d lines of sign-ins, want 4: %+v", len(all), all)
	}
	if exports := read("kind=exports&project=birds"); len(exports) != 1 || exports[0].Detail != "tasks as csv" {
		t.Errorf("exports: %+v", exports)
	}
	day := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	if later, before := read("since="+day), read("until="+day); len(later) != 0 || len(before) < 6 {
		t.Errorf("%d lines of tomorrow, %d before", len(later), len(before))
	}
	for _, wrong := range []string{"kind=x", "since=yesterday", "since=2026-01-02&until=2026-01-01", "project=%2f", "person=x"} {
		admin.api(http.MethodGet, "/audit?"+wrong, nil).want(http.StatusUnprocessableEntity)
		admin.get("/audit?" + wrong).want(http.StatusUnprocessableEntity)
	}
	for range annotator.TrailPage {
		must(t, s.store.InsertAudit(ctx, nil, me, annotator.AuditEntry{At: time.Now(), Actor: me.Name, Action: "image.change", Subject: "image 1"}))
	}
	first := into[trailList](admin.api(http.MethodGet, "/audit", nil).want(http.StatusOK))
	next := into[trailList](admin.api(http.MethodGet, fmt.Sprintf("/audit?before=%d", first.Older), nil).want(http.StatusOK))
	if len(first.Entries) != annotator.TrailPage || len(next.Entries) == 0 || next.Entries[0].ID != first.Older-1 || next.Older != 0 {
		t.Errorf("a page of %d, then %d", len(first.Entries), len(next.Entries))
	}
	page := admin.get(fmt.Sprintf("/audit?kind=sessions&person=%d", who.ID)).want(http.StatusOK)
	page.has("ol.trail li", "could not sign in:")
	page.has(`a[href*="/api/v1/audit/export"][href*="kind=sessions"]`, "CSV")

	byToken := s.nobody()
	take := func(format string) *response {
		t.Helper()
		return byToken.do(http.MethodGet, apiPrefix+"/audit/export?format="+format+"&kind=tokens", nil, "Authorization", "Bearer "+secret).want(http.StatusOK)
	}
	rows, err := csv.NewReader(strings.NewReader(string(take("csv").body))).ReadAll()
	if err != nil || len(rows) != 2 || strings.Join(rows[0], " ") != "id at actor_id actor project action subject detail subject_name" || !strings.HasPrefix(rows[1][7], "'=HYPERLINK") {
		t.Errorf("as csv: %q, %v", rows, err)
	}
	var line annotator.TrailLine
	if err := json.Unmarshal(take("jsonl").body, &line); err != nil || line.Action != "token.create" || !strings.HasPrefix(line.Detail, formula) {
		t.Errorf("as jsonl: %+v, %v", line, err)
	}
	if taken := read("kind=exports&person=" + fmt.Sprint(me.ID)); len(taken) != 2 || taken[0].Action != "export.trail" || taken[0].Detail != "kind tokens" {
		t.Errorf("the trail of the trail: %+v", taken)
	}
	painter.get("/audit").want(http.StatusForbidden)
	painter.api(http.MethodGet, "/audit", nil).want(http.StatusForbidden)
	painter.get(apiPrefix + "/audit/export?format=csv").want(http.StatusForbidden)
	reads := into[tokenMade](admin.api(http.MethodPost, "/tokens", map[string]any{"name": "reads", "scopes": []string{"read"}, "current_password": password}).want(http.StatusCreated)).Token
	byToken.do(http.MethodGet, apiPrefix+"/audit", nil, "Authorization", "Bearer "+reads).want(http.StatusForbidden)
}

// Pages and API name the people whom a line is about: no page says "user 9". Where two have one name, the page of the studio's trail has
// their addresses too, and that of a project, which everybody in it reads, their numbers.
func TestTrailNamesPeople(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx := t.Context()
	me, admin := s.people[annotator.RoleAdmin], s.as(annotator.RoleAdmin)
	var twins []annotator.User
	for _, n := range []annotator.NewUser{{Name: "Lea Twin", Email: "lea@example.org"}, {Name: "lea twin", Email: "lee@example.org"}, {Name: "Sam Alone", Email: "sam@example.org"}} {
		n.Role, n.Password = annotator.RoleAnnotator, password
		u, err := s.service.CreateUser(ctx, me, n)
		must(t, err)
		_, err = s.service.SetMember(ctx, me, "birds", u.ID, annotator.RoleReviewer)
		must(t, err)
		must(t, s.service.RemoveMember(ctx, me, "birds", u.ID))
		_, err = s.service.ChangeUser(ctx, me, u.ID, annotator.UserChange{Disabled: new(true)})
		must(t, err)
		twins = append(twins, u)
	}
	activity := admin.get("/projects/birds/activity").want(http.StatusOK)
	trail := admin.get("/audit").want(http.StatusOK)
	for page, wants := range map[*response][]string{
		activity: {"took out Sam Alone", fmt.Sprintf("took out Lea Twin (user %d)", twins[0].ID), fmt.Sprintf("took out lea twin (user %d)", twins[1].ID)},
		trail:    {"took out Sam Alone", "took out Lea Twin (lea@example.org)", "took out lea twin (lee@example.org)", "changed Sam Alone"},
	} {
		for _, want := range wants {
			page.has("ol.trail li", want)
		}
		page.page().Find("ol.trail li").Each(func(_ int, line *goquery.Selection) {
			if strings.Contains(line.Text(), " user ") {
				t.Errorf("a person by their number: %q", line.Text())
			}
		})
	}
	lines := into[trailList](admin.api(http.MethodGet, fmt.Sprintf("/audit?person=%d&kind=members", twins[2].ID), nil).want(http.StatusOK)).Entries
	if len(lines) == 0 || lines[0].SubjectName != "Sam Alone" {
		t.Errorf("by the API: %+v", lines)
	}
}
