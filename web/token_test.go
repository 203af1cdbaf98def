package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
)

// token makes a bearer token of somebody's.
func (s *studio) token(role annotator.Role, scopes ...annotator.Scope) string {
	s.t.Helper()
	secret, _, err := s.service.CreateToken(s.t.Context(), annotator.System, s.people[role].ID, annotator.NewToken{Name: "test", Scopes: scopes, Days: 1})
	must(s.t, err)
	return secret
}

// with sends a request with a bearer token and nothing else.
func (s *studio) with(token, method, path, contentType, body string) *response {
	s.t.Helper()
	return s.nobody().do(method, path, strings.NewReader(body), "Authorization", "Bearer "+token, "Content-Type", contentType)
}

// A stolen token cannot take over the account: it can neither set a password, make tokens nor change people, in the API and on pages,
// whatever its scopes and its owner's role.
func TestATokenDoesNotTakeTheAccountOver(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	token := s.token(annotator.RoleAdmin, annotator.ScopeRead, annotator.ScopePaint, annotator.ScopeReview, annotator.ScopeAdmin)
	me, other := s.people[annotator.RoleAdmin].ID, s.people[annotator.RoleAnnotator].ID
	const form, asJSON = "application/x-www-form-urlencoded", "application/json"
	for _, c := range []struct{ method, path, kind, body string }{
		{http.MethodPatch, fmt.Sprintf("/api/v1/users/%d", me), asJSON, `{"password": "orbit and gravel 5"}`},
		{http.MethodPatch, fmt.Sprintf("/api/v1/users/%d", me), asJSON, `{"password": "orbit and gravel 5", "current_password": "` + password + `"}`},
		{http.MethodPatch, fmt.Sprintf("/api/v1/users/%d", me), asJSON, `{"name": "Mallory"}`},
		{http.MethodPatch, fmt.Sprintf("/api/v1/users/%d", other), asJSON, `{"role": "admin"}`},
		{http.MethodPost, "/api/v1/users", asJSON, `{"email": "m@example.org", "name": "M", "password": "orbit and gravel 5", "role": "admin"}`},
		{http.MethodGet, "/api/v1/users", asJSON, ``},
		{http.MethodPost, "/api/v1/tokens", asJSON, `{"name": "another"}`},
		{http.MethodPost, "/api/v1/tokens", asJSON, `{"name": "another", "scopes": ["read"], "current_password": "` + password + `"}`},
		{http.MethodGet, "/api/v1/tokens", asJSON, ``},
		{http.MethodGet, fmt.Sprintf("/api/v1/users/%d/tokens", other), asJSON, ``},
		{http.MethodDelete, "/api/v1/tokens/1", asJSON, ``},
		{http.MethodDelete, "/api/v1/session", asJSON, ``},
		{http.MethodPost, "/account/tokens", form, "name=another&scope=read&days=30&current=" + url.QueryEscape(password)},
		{http.MethodPost, "/account/password", form, "password=orbit+and+gravel+5&current=" + url.QueryEscape(password)},
		{http.MethodPost, "/people", form, "email=m@example.org&name=M&password=orbit+and+gravel+5&role=admin"},
		{http.MethodPost, fmt.Sprintf("/people/%d", other), form, "action=role&role=admin"},
		{http.MethodGet, "/account", form, ``},
		{http.MethodGet, "/projects/birds/queue", form, ``},
	} {
		r := s.with(token, c.method, c.path, c.kind, c.body).want(http.StatusForbidden)
		if !strings.Contains(string(r.body), "bearer token") {
			t.Errorf("%s %s does not say why: %.300s", c.method, c.path, r.body)
		}
	}
	// Nor does it help to write the scheme otherwise.
	s.nobody().do(http.MethodGet, apiPrefix+"/users", nil, "Authorization", "bearer "+token).want(http.StatusForbidden)
	s.as(annotator.RoleAdmin).do(http.MethodGet, apiPrefix+"/users", nil, "Authorization", "BEARER "+token).want(http.StatusForbidden)
	s.with(token, http.MethodGet, apiPrefix+"/session", asJSON, "").want(http.StatusOK)
}

// What is a reviewer's of the things done with many tasks wants the scope of reviews, beside that of painting.
func TestATokenForPaintingAssignsNothing(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	paints := s.token(annotator.RoleReviewer, annotator.ScopeRead, annotator.ScopePaint)
	both := s.token(annotator.RoleReviewer, annotator.ScopePaint, annotator.ScopeReview)
	for _, action := range []string{"assign", "unassign", "reopen"} {
		body := fmt.Sprintf(`{"action": %q, "all": true, "user": %d}`, action, s.people[annotator.RoleAnnotator].ID)
		if r := s.with(paints, http.MethodPost, apiPrefix+"/projects/birds/tasks/bulk", "application/json", body).want(http.StatusForbidden); !strings.Contains(string(r.body), "review") {
			t.Errorf("%s does not say which scope it wants: %.300s", action, r.body)
		}
		s.with(both, http.MethodPost, apiPrefix+"/projects/birds/tasks/bulk", "application/json", body).want(http.StatusOK)
	}
	s.with(paints, http.MethodPost, apiPrefix+"/projects/birds/tasks/bulk", "application/json", `{"action": "release", "all": true}`).want(http.StatusOK)
}

// Every operation asks a bearer token for the scope that the API's description names: a token that has all others gets a
// 403 that names it, one that has it does not. The owner's role is asked for besides.
func TestEveryOperationAsksForItsScope(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	var described struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
		}
	}
	raw, err := OpenAPI()
	must(t, err)
	must(t, json.NewDecoder(bytes.NewReader(raw)).Decode(&described))
	with, without := map[string]string{}, map[string]string{}
	all := []annotator.Scope{annotator.ScopeRead, annotator.ScopePaint, annotator.ScopeReview, annotator.ScopeAdmin}
	for _, scope := range all {
		with[string(scope)] = s.token(annotator.RoleAdmin, scope)
		var others []annotator.Scope
		for _, other := range all {
			if other != scope {
				others = append(others, other)
			}
		}
		without[string(scope)] = s.token(annotator.RoleAdmin, others...)
	}
	walked := 0
	for path, operations := range described.Paths {
		for method, o := range operations {
			if o.Security == nil { // signing in
				continue
			}
			scope := ""
			for _, way := range o.Security {
				if scopes, ok := way["bearer"]; ok && len(scopes) == 1 {
					scope = scopes[0]
				}
			}
			address := strings.NewReplacer("{project}", "nowhere").Replace(apiPrefix + path)
			for strings.Contains(address, "{") {
				start, end := strings.Index(address, "{"), strings.Index(address, "}")
				address = address[:start] + "987654" + address[end+1:]
			}
			send := func(token string) *response {
				return s.with(token, strings.ToUpper(method), address, "application/json", "{}")
			}
			walked++
			if scope == "" {
				for _, token := range with {
					send(token).want(http.StatusForbidden)
				}
				continue
			}
			if r := send(with[scope]); r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s with the scope %s: %s", o.OperationID, scope, r.Status)
			}
			r := send(without[scope])
			if scope == string(annotator.ScopeRead) { // which every token has
				if r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized {
					t.Errorf("%s with every scope but read: %s", o.OperationID, r.Status)
				}
				continue
			}
			if r.StatusCode != http.StatusForbidden || !strings.Contains(string(r.body), "the scope "+scope) ||
				!strings.Contains(r.Header.Get("WWW-Authenticate"), `error="insufficient_scope", scope="`+scope+`"`) {
				t.Errorf("%s without the scope %s: %s, %q\n%s", o.OperationID, scope, r.Status, r.Header.Get("WWW-Authenticate"), r.body)
			}
		}
	}
	if walked < 35 {
		t.Errorf("only %d operations were walked", walked)
	}
	for id := range scopes {
		if !strings.Contains(string(raw), fmt.Sprintf(`"operationId": %q`, id)) {
			t.Errorf("scopes.go names the operation %s, which is not there", id)
		}
	}
	// A scope grants nothing that the role does not: the admin's token after they stepped down.
	_, err = s.store.Pool().Exec(t.Context(), `UPDATE users SET role = 'reviewer' WHERE id = $1`, s.people[annotator.RoleAdmin].ID)
	must(t, err)
	r := s.with(with["admin"], http.MethodPost, apiPrefix+"/projects", "application/json", `{"slug": "x", "name": "X"}`).want(http.StatusForbidden)
	if !strings.Contains(string(r.body), "needs the role admin") {
		t.Errorf("the refusal is %s", r.body)
	}
}

// The studio does not start if an operation has no scope.
func TestAnOperationWithoutAScopeIsNoticed(t *testing.T) {
	t.Parallel()
	a := newAPI(nil, chi.NewMux())
	defer func() {
		if recover() == nil {
			t.Error("an operation without a scope was registered")
		}
	}()
	handle(a, annotator.RoleAnnotator, huma.Operation{OperationID: "forgotten", Method: http.MethodGet, Path: "/forgotten"},
		func(_ context.Context, _ annotator.User, _ *nothing) (*nothing, error) { return nil, nil })
}

// The answer says whether a token has expired, was revoked, or does not exist.
func TestATokenThatIsOverSaysSo(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	expired, revoked := s.token(annotator.RoleAnnotator, annotator.ScopeRead), s.token(annotator.RoleAnnotator, annotator.ScopeRead)
	tokens, err := s.service.Tokens(t.Context(), annotator.System, s.people[annotator.RoleAnnotator].ID)
	must(t, err)
	must(t, s.service.RevokeToken(t.Context(), annotator.System, tokens[0].ID))
	_, err = s.store.Pool().Exec(t.Context(), `UPDATE tokens SET expires_at = $2 WHERE id = $1`, tokens[1].ID, time.Now().Add(-time.Minute))
	must(t, err)
	for token, says := range map[string]string{expired: "expired on", revoked: "was revoked on"} {
		r := s.with(token, http.MethodGet, apiPrefix+"/projects", "application/json", "").want(http.StatusUnauthorized)
		if p := into[Problem](r); !strings.Contains(p.Detail, says) || !strings.Contains(r.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("the problem is %+v, %q; want %q", p, r.Header.Get("WWW-Authenticate"), says)
		}
	}
	s.as(annotator.RoleAnnotator).get("/account").has("table.tokens .bad", "expired")
	r := s.with("abn_made-up", http.MethodGet, apiPrefix+"/projects", "application/json", "").want(http.StatusUnauthorized)
	if p := into[Problem](r); strings.Contains(p.Detail, "expired") || strings.Contains(p.Detail, "revoked") {
		t.Errorf("a token nobody made is told %q", p.Detail)
	}
}

// Passwords and tokens are changed in a signed-in browser with the present password; guesses of it count as sign-ins.
func TestPasswordsAndTokensNeedThePresentPassword(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.SignIn = Throttle{PerPair: 4, Refill: time.Hour} })
	b, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleAdmin)
	me := fmt.Sprintf("/users/%d", s.people[annotator.RoleAnnotator].ID)
	wrong := func(r *response) {
		t.Helper()
		if p := into[Problem](r.want(http.StatusUnprocessableEntity)); p.Detail != "the present password is another one" || p.Errors[0].Location != "body.current_password" {
			t.Errorf("the problem is %+v", p)
		}
	}
	wrong(b.api(http.MethodPatch, me, map[string]any{"password": "orbit and gravel 5"}))
	wrong(b.api(http.MethodPost, "/tokens", map[string]any{"name": "x", "scopes": []string{"read"}, "current_password": "a guess"}))
	wrong(admin.api(http.MethodPatch, me, map[string]any{"password": "orbit and gravel 5", "current_password": "a guess"}))
	b.post("/account/tokens", url.Values{"name": {"x"}, "scope": {"read", "paint"}, "days": {"7"}, "current": {"a guess"}}).want(http.StatusUnprocessableEntity).
		has(".notice-bad", "present password is another one")
	again := b.post("/account/password", url.Values{"current": {"a guess"}, "password": {"orbit and gravel 5"}}).want(http.StatusUnprocessableEntity)
	again.has(".notice-bad", "present password is another one")
	b.post("/account/password", url.Values{"current": {password}, "password": {"orbit and gravel 5"}}).want(http.StatusUnprocessableEntity).has(".notice-bad", "too many failed sign-ins")
	s.nobody().post("/signin", url.Values{"email": {"annotator@example.org"}, "password": {password}}).want(http.StatusTooManyRequests)

	// A common one is refused with the reason, in the API and on the page; the checkbox says what becomes of the tokens.
	r := admin.api(http.MethodPatch, me, map[string]any{"password": "Password123!", "current_password": password}).want(http.StatusUnprocessableEntity)
	if p := into[Problem](r); p.Errors[0].Location != "body.password" || !strings.Contains(p.Detail, "most common passwords") {
		t.Errorf("a common password: %+v", p)
	}
	admin.api(http.MethodPost, "/users", map[string]any{"email": "new@example.org", "name": "New", "password": "qwertyuiop", "role": "annotator"}).want(http.StatusUnprocessableEntity)
	kept := s.token(annotator.RoleAnnotator, annotator.ScopeRead)
	page := fmt.Sprintf("/people/%d", s.people[annotator.RoleAnnotator].ID)
	admin.get("/people").has("input[name=revoke_tokens][checked]", "")
	admin.post(page, url.Values{"action": {"password"}, "current": {password}, "password": {"orbit and gravel 5"}}).want(http.StatusSeeOther)
	admin.get("/people").has(".notice", "API tokens stay valid")
	s.with(kept, http.MethodGet, apiPrefix+"/projects", "application/json", "").want(http.StatusOK)
	admin.post(page, url.Values{"action": {"password"}, "current": {password}, "password": {"orbit and gravel 6"}, "revoke_tokens": {"yes"}}).want(http.StatusSeeOther)
	admin.get("/people").has(".notice", "API tokens are revoked")
	s.with(kept, http.MethodGet, apiPrefix+"/projects", "application/json", "").want(http.StatusUnauthorized)
}
