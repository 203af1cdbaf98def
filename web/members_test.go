package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// A lead adds a member by their address, gives them another role, and takes them out; a reviewer sees who is one.
func TestMembersAreManaged(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, reviewer, annotators := s.as(annotator.RoleAdmin), s.as(annotator.RoleReviewer), s.as(annotator.RoleAnnotator)
	type list struct {
		Members []annotator.Member `json:"members"`
	}
	if all := into[list](reviewer.api(http.MethodGet, "/projects/birds/members", nil).want(http.StatusOK)); len(all.Members) != 3 || all.Members[0].Role != annotator.RoleLead {
		t.Errorf("the members are %+v", all.Members)
	}
	annotators.api(http.MethodGet, "/projects/birds/members", nil).want(http.StatusForbidden)
	made := into[annotator.User](admin.api(http.MethodPost, "/users", map[string]any{"email": "new@example.org", "name": "New", "password": "plum-kettle-91", "role": "annotator", "projects": []string{}}).want(http.StatusCreated))
	fresh := s.nobody()
	fresh.post("/signin", url.Values{"email": {"new@example.org"}, "password": {"plum-kettle-91"}}).want(http.StatusSeeOther)
	projects := fresh.get("/projects").want(http.StatusOK)
	if strings.Contains(string(projects.body), "Birds") {
		t.Error("the page of projects names one that they are no member of")
	}
	fresh.api(http.MethodGet, "/projects/birds", nil).want(http.StatusNotFound)
	reviewer.api(http.MethodPost, "/projects/birds/members", map[string]any{"email": "new@example.org"}).want(http.StatusForbidden)
	admin.api(http.MethodPost, "/projects/birds/members", map[string]any{"email": "nobody@example.org"}).want(http.StatusUnprocessableEntity)
	if m := into[annotator.Member](admin.api(http.MethodPost, "/projects/birds/members", map[string]any{"email": "new@example.org"}).want(http.StatusCreated)); m.UserID != made.ID || m.Role != annotator.RoleAnnotator {
		t.Errorf("added: %+v", m)
	}
	one := fmt.Sprintf("/projects/birds/members/%d", made.ID)
	admin.api(http.MethodPut, one, map[string]any{"role": "admin"}).want(http.StatusUnprocessableEntity)
	admin.api(http.MethodPut, one, map[string]any{"role": "lead"}).want(http.StatusOK)
	if p := into[annotator.ProjectSummary](fresh.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleLead {
		t.Errorf("they are %s there", p.Role)
	}
	page := fresh.get("/projects/birds/people").want(http.StatusOK) // a lead, who is annotator in the studio
	page.has(`#members form[action="/projects/birds/members"] [name=email]`, "")
	page.has(`#members li[data-user] button[value=remove]`, "Take out")
	reviewer.get("/projects/birds/people").want(http.StatusOK).hasNot("#members form")
	annotators.get("/projects/birds/people").want(http.StatusOK).hasNot("#members")
	fresh.get("/projects/birds/settings").want(http.StatusOK).hasNot(`button[value=delete]`)
	fresh.get("/people").want(http.StatusForbidden)
	fresh.post("/projects/birds/members", url.Values{"email": {"nobody@example.org"}, "role": {"reviewer"}}).want(http.StatusUnprocessableEntity).has("#members .notice-bad", "Nobody in this studio")
	fresh.post(fmt.Sprintf("/projects/birds/members/%d", s.people[annotator.RoleAnnotator].ID), url.Values{"action": {"role"}, "role": {"reviewer"}}).want(http.StatusSeeOther)
	annotators.get("/projects/birds/review").want(http.StatusOK)
	admin.api(http.MethodDelete, one, nil).want(http.StatusNoContent)
	admin.api(http.MethodDelete, one, nil).want(http.StatusNotFound)
	fresh.get("/projects/birds/queue").want(http.StatusNotFound)
}

// A project is made apart by the form and by the API, and an account that joins nothing.
func TestJoiningIsSaid(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, reviewer := s.as(annotator.RoleAdmin), s.as(annotator.RoleReviewer)
	admin.post("/projects", url.Values{"name": {"Apart"}}).want(http.StatusSeeOther)
	admin.post("/projects", url.Values{"name": {"Together"}, "everybody": {"true"}}).want(http.StatusSeeOther)
	admin.api(http.MethodPost, "/projects", map[string]any{"slug": "mine", "name": "Mine", "everybody": false}).want(http.StatusCreated)
	admin.api(http.MethodPost, "/projects", map[string]any{"slug": "ours", "name": "Ours"}).want(http.StatusCreated)
	for slug, status := range map[string]int{"apart": http.StatusNotFound, "together": http.StatusOK, "mine": http.StatusNotFound, "ours": http.StatusOK} {
		reviewer.api(http.MethodGet, "/projects/"+slug, nil).want(status)
	}
	admin.post("/people", url.Values{"name": {"Alone"}, "email": {"alone@example.org"}, "password": {"plum-kettle-91"}, "role": {"annotator"}}).want(http.StatusSeeOther)
	admin.post("/people", url.Values{"name": {"Along"}, "email": {"along@example.org"}, "password": {"plum-kettle-91"}, "role": {"annotator"}, "join": {"true"}}).want(http.StatusSeeOther)
	for email, status := range map[string]int{"alone@example.org": http.StatusNotFound, "along@example.org": http.StatusOK} {
		b := s.nobody()
		b.post("/signin", url.Values{"email": {email}, "password": {"plum-kettle-91"}}).want(http.StatusSeeOther)
		b.get("/projects/birds/queue").want(status)
	}
}

// A long answer ends for whoever is taken out of the project meanwhile, as it does for a session that ends.
func TestAStreamAsksForItsProjectAgain(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	round := s.queuedRound()
	b := s.as(annotator.RoleAnnotator)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s%s/rounds/%d/events", s.http.URL, apiPrefix, round.ID), nil)
	must(t, err)
	stream, err := b.client.Do(r) //nolint:bodyclose // closed below
	must(t, err)
	defer stream.Body.Close()
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %s", stream.Status)
	}
	must(t, s.service.RemoveMember(t.Context(), s.people[annotator.RoleAdmin], "birds", s.people[annotator.RoleAnnotator].ID))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buffer := make([]byte, 1024); ; {
			if _, err := stream.Body.Read(buffer); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 6*heartbeat+20*time.Second)
	defer cancel()
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("the stream goes on for somebody who was taken out of the project")
	}
	b.get(fmt.Sprintf("%s/rounds/%d/events", apiPrefix, round.ID)).want(http.StatusNotFound)
}

// People find their projects on the page Account, with their role in each; an admin, who sees all, those that they are a member of.
func TestAccountListsProjects(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	page := s.as(annotator.RoleAnnotator).get("/account").want(http.StatusOK)
	page.has(`#projects li a[href="/projects/birds/queue"]`, "Birds")
	page.has("#projects li", "annotator")
	me := s.people[annotator.RoleAdmin]
	must(t, s.service.RemoveMember(t.Context(), me, "birds", s.people[annotator.RoleReviewer].ID))
	none := s.as(annotator.RoleReviewer).get("/account").want(http.StatusOK)
	none.has("#projects", "member of no project")
	none.hasNot("#projects li")
	s.as(annotator.RoleAdmin).get("/account").want(http.StatusOK).has("#projects", "every project")
}
