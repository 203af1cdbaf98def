package annotator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

const presentPassword = "plum-kettle-91"

// person adds somebody who can sign in.
func (w *world) person(email string, role annotator.Role) annotator.User {
	w.t.Helper()
	u, err := w.Service.CreateUser(w.t.Context(), annotator.System, annotator.NewUser{Email: email, Name: "Eve", Password: presentPassword, Role: role})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// A token is made with the present password, for scopes that the role allows, and for a time; after that its use is a *TokenError.
func TestTokensHaveScopesAndAnEnd(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	eve := w.person("eve@example.org", annotator.RoleReviewer)
	good := annotator.NewToken{Name: "script", Scopes: []annotator.Scope{annotator.ScopeReview, annotator.ScopeRead, annotator.ScopeRead}, Days: 2, Password: presentPassword}
	for field, change := range map[string]func(*annotator.NewToken){
		"scopes: choose what":         func(n *annotator.NewToken) { n.Scopes = nil },
		"scopes: \"all\" is no scope": func(n *annotator.NewToken) { n.Scopes = []annotator.Scope{"read", "all"} },
		"scopes: admin needs":         func(n *annotator.NewToken) { n.Scopes = []annotator.Scope{annotator.ScopeAdmin} },
		"days: is from 1 to 365":      func(n *annotator.NewToken) { n.Days = 0 },
		"days: is from 1 to 365: no ": func(n *annotator.NewToken) { n.Days = 366 },
		"name: is empty":              func(n *annotator.NewToken) { n.Name = " " },
		"present password":            func(n *annotator.NewToken) { n.Password = "plum-kettle-92" },
	} {
		n := good
		change(&n)
		if _, _, err := w.Service.CreateToken(ctx, eve, eve.ID, n); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("CreateToken(%+v) = %v, want %q", n, err, field)
		}
	}
	if _, _, err := w.Service.CreateToken(ctx, w.Admin, eve.ID, good); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("an admin's token for somebody else: %v, want ErrForbidden", err)
	}
	secret, made, err := w.Service.CreateToken(ctx, eve, eve.ID, good)
	if err != nil || !slices.Equal(made.Scopes, []annotator.Scope{annotator.ScopeRead, annotator.ScopeReview}) {
		t.Fatalf("CreateToken = %+v, %v", made, err)
	}
	owner, token, err := w.Service.UserByToken(ctx, secret)
	if err != nil || owner.ID != eve.ID || token.Allows(annotator.ScopeReview) != nil || token.Allows(annotator.ScopeRead) != nil {
		t.Errorf("UserByToken = %+v, %+v, %v", owner, token, err)
	}
	var scope *annotator.ScopeError
	if err := token.Allows(annotator.ScopePaint); !errors.As(err, &scope) || !errors.Is(err, annotator.ErrForbidden) || !strings.Contains(err.Error(), "scope paint, and this one has read, review") {
		t.Errorf("painting with it: %v", err)
	}
	w.Clock.Add(48 * time.Hour)
	var ended *annotator.TokenError
	if _, _, err := w.Service.UserByToken(ctx, secret); !errors.As(err, &ended) || !errors.Is(err, annotator.ErrUnauthorized) || !strings.Contains(err.Error(), `the token "script" expired on `) {
		t.Errorf("after two days: %v", err)
	}
	if err := w.Service.RevokeToken(ctx, eve, made.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Service.UserByToken(ctx, secret); err == nil || !strings.Contains(err.Error(), "was revoked on ") {
		t.Errorf("after it was revoked: %v", err)
	}
	if err := w.Service.RevokeToken(ctx, eve, made.ID); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("revoking twice: %v, want ErrNotFound", err)
	}
	if left, err := w.Service.Tokens(ctx, eve, eve.ID); err != nil || len(left) != 0 {
		t.Errorf("the list is %+v, %v; want none that was revoked", left, err)
	}
}

// A new password, one's own or another's, needs the actor's present one, and ends the tokens unless they are to be kept.
func TestANewPasswordNeedsThePresentOne(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	eve, admin := w.person("eve@example.org", annotator.RoleAnnotator), w.person("root@example.org", annotator.RoleAdmin)
	secret, _, err := w.Service.CreateToken(ctx, eve, eve.ID, annotator.NewToken{Name: "script", Scopes: []annotator.Scope{annotator.ScopeRead}, Days: 1, Password: presentPassword})
	if err != nil {
		t.Fatal(err)
	}
	first, second := "orbit and gravel 5", "gravel, then orbit 6"
	for _, actor := range []annotator.User{eve, admin} {
		for _, present := range []string{"", "plum-kettle-92", strings.Repeat("x", annotator.BoundPassword.Most+1)} {
			if _, err := w.Service.ChangeUser(ctx, actor, eve.ID, annotator.UserChange{Password: &first, Present: present}); !errors.Is(err, annotator.ErrWrongPassword) {
				t.Errorf("%s changes it with %.20q: %v, want ErrWrongPassword", actor.Email, present, err)
			}
		}
	}
	if _, err := w.Service.ChangeUser(ctx, eve, eve.ID, annotator.UserChange{Password: &first, Present: presentPassword, KeepTokens: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Service.UserByToken(ctx, secret); err != nil {
		t.Errorf("a token that was to be kept: %v", err)
	}
	if _, err := w.Service.ChangeUser(ctx, admin, eve.ID, annotator.UserChange{Password: &second, Present: presentPassword}); err != nil {
		t.Fatal(err)
	}
	var ended *annotator.TokenError
	if _, _, err := w.Service.UserByToken(ctx, secret); !errors.As(err, &ended) || !ended.Revoked {
		t.Errorf("the token after an admin's reset: %v, want it revoked", err)
	}
	common := "Password123!"
	var invalid *annotator.ValidationError
	if _, err := w.Service.ChangeUser(ctx, admin, eve.ID, annotator.UserChange{Password: &common, Present: presentPassword}); !errors.As(err, &invalid) || invalid.Field != "password" {
		t.Errorf("a common password: %v", err)
	}
}
