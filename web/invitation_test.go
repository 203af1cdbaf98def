package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// linkIn is the key of the link on a page that was made just now.
func linkIn(t *testing.T, r *response) string {
	t.Helper()
	link, err := url.Parse(r.want(http.StatusOK).page().Find("[data-link]").Text())
	must(t, err)
	if link.Path != invitationPath || link.Query().Get("key") == "" {
		t.Fatalf("the link is %s", link)
	}
	return link.Query().Get("key")
}

// An admin invites to the studio and to projects; the link makes one account, whose password is checked, and signs it in. Of the secret only
// a hash is kept. Used, revoked and expired links, and those of who may not invite any more, invite nobody.
func TestInvitationMakesAnAccount(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx, admin := t.Context(), s.as(annotator.RoleAdmin)
	invite := func(email string) string {
		t.Helper()
		return linkIn(t, admin.post("/invitations", url.Values{"email": {email}, "role": {"reviewer"}, "project-birds": {"lead"}}))
	}
	key := invite("new@example.org")
	page := admin.get("/people").want(http.StatusOK)
	page.has("#invitations tr[data-invitation] .token-name", "new@example.org")
	if strings.Contains(string(page.body), key) {
		t.Error("the page shows the link again")
	}
	var kept int
	must(t, s.store.Pool().QueryRow(ctx, `SELECT count(*) FROM invitations i WHERE to_jsonb(i)::text LIKE '%' || $1 || '%'`, key).Scan(&kept))
	if kept != 0 {
		t.Error("the secret is kept")
	}
	guest := s.nobody()
	at := invitationPath + "?key=" + url.QueryEscape(key)
	guest.get(at).want(http.StatusOK).has("form [name=password]", "")
	guest.post(invitationPath, url.Values{"key": {key}, "name": {"New"}, "password": {"password123"}}).want(http.StatusUnprocessableEntity).has(".signin-card", "easy to guess")
	guest.post(invitationPath, url.Values{"key": {key}, "name": {"New"}, "password": {"plum-kettle-91"}}).want(http.StatusSeeOther)
	if me := into[signedIn](guest.api(http.MethodGet, "/session", nil).want(http.StatusOK)); me.User.Email != "new@example.org" || me.Role != annotator.RoleReviewer {
		t.Errorf("signed in: %+v", me)
	}
	if p := into[annotator.ProjectSummary](guest.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleLead {
		t.Errorf("they are %s there", p.Role)
	}
	other := s.nobody()
	other.get(at).want(http.StatusGone).has(".notice-bad", "used or revoked")
	other.post(invitationPath, url.Values{"key": {key}, "name": {"Twice"}, "password": {"plum-kettle-91"}}).want(http.StatusGone)

	// Revoked, expired, and of an admin who is one no longer.
	revoked := invite("second@example.org")
	row, _ := admin.get("/people").want(http.StatusOK).page().Find("#invitations tr[data-invitation]").Attr("data-invitation")
	admin.post("/invitations/"+row+"/revoke", nil).want(http.StatusSeeOther)
	expired := invite("third@example.org")
	_, err := s.store.Pool().Exec(ctx, `UPDATE invitations SET created_at = $1, expires_at = $2`, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	must(t, err)
	orphan := invite("fourth@example.org")
	second, err := s.store.InsertUser(ctx, annotator.User{Email: "admin2@example.org", Name: "Second", Role: annotator.RoleAdmin, CreatedAt: time.Now()}, passwordHash())
	must(t, err)
	role := annotator.RoleAnnotator
	_, err = s.service.ChangeUser(ctx, second, s.people[annotator.RoleAdmin].ID, annotator.UserChange{Role: &role})
	must(t, err)
	for name, key := range map[string]string{"revoked": revoked, "expired": expired, "orphan": orphan, "made up": "x"} {
		if r := s.nobody().get(invitationPath + "?key=" + url.QueryEscape(key)); r.StatusCode != http.StatusGone {
			t.Errorf("a link that is %s: %s", name, r.Status)
		}
	}
}

// A lead invites to their project alone. Who has an account under the address joins after signing in, and nobody else does with the link;
// a role that they have there is not made less.
func TestInvitationToAProject(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx, admin, boss := t.Context(), s.as(annotator.RoleAdmin), s.people[annotator.RoleAdmin]
	who := s.people[annotator.RoleAnnotator]
	_, err := s.service.SetMember(ctx, boss, "birds", s.people[annotator.RoleReviewer].ID, annotator.RoleLead)
	must(t, err)
	must(t, s.service.RemoveMember(ctx, boss, "birds", who.ID))
	lead, painter := s.as(annotator.RoleReviewer), s.as(annotator.RoleAnnotator)
	painter.post("/projects/birds/invitations", url.Values{"email": {"x@example.org"}, "role": {"lead"}}).want(http.StatusNotFound)
	lead.post("/invitations", url.Values{"email": {"x@example.org"}, "role": {"admin"}}).want(http.StatusForbidden)
	lead.post("/projects/birds/invitations", url.Values{"email": {"x@example.org"}, "role": {"admin"}}).want(http.StatusUnprocessableEntity).has("#members", "role")

	key := linkIn(t, lead.post("/projects/birds/invitations", url.Values{"email": {strings.ToUpper(who.Email)}, "role": {"reviewer"}}))
	at := invitationPath + "?key=" + url.QueryEscape(key)
	s.nobody().get(at).want(http.StatusOK).has(`a[href^="/signin?next=%2Finvitation"]`, "Sign in")
	s.nobody().post(invitationPath, url.Values{"key": {key}, "name": {"Another"}, "password": {"plum-kettle-91"}}).want(http.StatusConflict)
	admin.get(at).want(http.StatusOK).has("main", "You are signed in as")
	admin.post(invitationPath, url.Values{"key": {key}}).want(http.StatusForbidden)
	painter.post(invitationPath, url.Values{"key": {key}}).want(http.StatusSeeOther)
	if p := into[annotator.ProjectSummary](painter.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleReviewer {
		t.Errorf("they are %s there", p.Role)
	}
	painter.post(invitationPath, url.Values{"key": {key}}).want(http.StatusGone)

	less := into[invitationMade](lead.api(http.MethodPost, "/projects/birds/invitations", map[string]any{"email": who.Email, "role": "annotator"}).want(http.StatusCreated))
	link, err := url.Parse(less.Link)
	must(t, err)
	painter.post(invitationPath, url.Values{"key": {link.Query().Get("key")}}).want(http.StatusSeeOther)
	if p := into[annotator.ProjectSummary](painter.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleReviewer {
		t.Errorf("they are %s there, after an invitation to less", p.Role)
	}
	made := into[invitationMade](admin.api(http.MethodPost, "/invitations", map[string]any{"email": "y@example.org", "role": "annotator", "projects": []map[string]any{{"project": "birds", "role": "reviewer"}}}).want(http.StatusCreated))
	admin.api(http.MethodPost, "/invitations", map[string]any{"email": "y@example.org", "role": "annotator", "projects": []map[string]any{{"project": "goats", "role": "reviewer"}}}).want(http.StatusUnprocessableEntity)
	lead.api(http.MethodDelete, fmt.Sprintf("/projects/birds/invitations/%d", made.Details.ID), nil).want(http.StatusNotFound) // it is an admin's
	if all := into[invitationList](lead.api(http.MethodGet, "/projects/birds/invitations", nil).want(http.StatusOK)); len(all.Invitations) != 0 {
		t.Errorf("a lead sees %+v", all)
	}
	if all := into[invitationList](admin.api(http.MethodGet, "/invitations", nil).want(http.StatusOK)); len(all.Invitations) != 1 || all.Invitations[0].Projects[0].Role != annotator.RoleReviewer {
		t.Errorf("an admin sees %+v", all)
	}
	admin.api(http.MethodDelete, fmt.Sprintf("/invitations/%d", made.Details.ID), nil).want(http.StatusNoContent)
	admin.api(http.MethodDelete, fmt.Sprintf("/invitations/%d", made.Details.ID), nil).want(http.StatusNotFound)
}
