package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// Somebody sees in which browsers they are signed in, and ends them; an admin those of a person. A browser that was signed out is asked to
// sign in at its next request.
func TestOpenSignInsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	laptop, phone, admin := s.nobody(), s.as(annotator.RoleAnnotator), s.as(annotator.RoleAdmin)
	laptop.do(http.MethodPost, "/signin", strings.NewReader(url.Values{"email": {"annotator@example.org"}, "password": {password}}.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "User-Agent", firefox).want(http.StatusSeeOther)
	list := into[sessionList](phone.api(http.MethodGet, "/sessions", nil).want(http.StatusOK)).Sessions
	if len(list) != 2 || list[0].Browser != "Firefox" || list[0].System != "Linux" || list[0].Address != "127.0.0.1" || list[0].Current || !list[1].Current {
		t.Fatalf("the sessions: %+v", list)
	}
	page := phone.get("/account").want(http.StatusOK)
	page.has("#sessions tr[data-session] .token-name", "Firefox on Linux")
	page.has("#sessions tr[data-session] .actions", "this browser")
	ends := url.Values{"session": {fmt.Sprint(list[0].ID)}}
	s.as(annotator.RoleReviewer).post("/account/sessions", ends).want(http.StatusSeeOther)
	laptop.get("/account").want(http.StatusOK) // it is not the reviewer's to end
	phone.post("/account/sessions", ends).want(http.StatusSeeOther)
	laptop.get("/account").want(http.StatusSeeOther)
	laptop.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)

	id := s.people[annotator.RoleAnnotator].ID
	laptop, again := s.as(annotator.RoleAnnotator), s.as(annotator.RoleAnnotator)
	if ended := into[sessionsEnded](again.api(http.MethodDelete, "/sessions", nil).want(http.StatusOK)); ended.Ended != 2 {
		t.Errorf("ended %d others", ended.Ended)
	}
	laptop.get("/account").want(http.StatusSeeOther)
	phone.api(http.MethodGet, fmt.Sprintf("/users/%d/sessions", id), nil).want(http.StatusUnauthorized)
	again.api(http.MethodGet, fmt.Sprintf("/users/%d/sessions", id), nil).want(http.StatusForbidden)
	if list := into[sessionList](admin.api(http.MethodGet, fmt.Sprintf("/users/%d/sessions", id), nil).want(http.StatusOK)).Sessions; len(list) != 1 {
		t.Errorf("an admin sees %+v", list)
	}
	admin.get(fmt.Sprintf("/people/%d/sessions", id)).want(http.StatusOK).has("tr[data-session] button", "Sign out")
	admin.post(fmt.Sprintf("/people/%d/sessions", id), url.Values{"session": {"all"}}).want(http.StatusSeeOther)
	again.get("/account").want(http.StatusSeeOther)
	admin.get(fmt.Sprintf("/people/%d/sessions", id)).want(http.StatusOK).has("section", "is signed in nowhere")
	admin.api(http.MethodDelete, "/sessions/987654", nil).want(http.StatusNotFound)

	// Signing out ends it, and signing in again in one browser leaves one.
	b := s.as(annotator.RoleAnnotator)
	b.post("/signin", url.Values{"email": {"annotator@example.org"}, "password": {password}}).want(http.StatusSeeOther)
	if list := into[sessionList](b.api(http.MethodGet, "/sessions", nil).want(http.StatusOK)).Sessions; len(list) != 1 {
		t.Errorf("signed in twice in one browser: %+v", list)
	}
	b.post("/signout", nil).want(http.StatusSeeOther)
	if list := into[sessionList](admin.api(http.MethodGet, fmt.Sprintf("/users/%d/sessions", id), nil).want(http.StatusOK)).Sessions; len(list) != 0 {
		t.Errorf("after signing out: %+v", list)
	}
}

// A page that says whose it is does nothing for somebody else who has signed in since, in another tab of its browser.
func TestAPageIsAnsweredForWhoItIsOf(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleReviewer)
	const path = "/api/v1/sessions"
	of := func(role annotator.Role) string { return fmt.Sprint(s.people[role].ID) }
	b.do(http.MethodGet, path, nil, pageOf, of(annotator.RoleReviewer)).want(http.StatusOK)
	b.do(http.MethodGet, path, nil, pageOf, of(annotator.RoleAnnotator)).want(http.StatusUnauthorized)
	b.do(http.MethodGet, path, nil).want(http.StatusOK) // they are signed in still
}
