package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// shell returns a command's input and outputs.
func shell(input string) (*stdio, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &stdio{In: strings.NewReader(input), Out: out, Err: &bytes.Buffer{}}, out
}

func TestUserCommands(t *testing.T) {
	t.Parallel()
	at := storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}
	ctx := t.Context()

	streams, _ := shell("short\n")
	add := &userAddCommand{storageFlags: at, Email: "grace@example.org", Role: "admin"}
	if err := add.Run(ctx, streams); err == nil || !strings.Contains(err.Error(), "password: has 5 characters, want 10 to 200") {
		t.Errorf("a short password: %v", err)
	}
	streams, out := shell("correct horse\n")
	if err := add.Run(ctx, streams); err != nil || !strings.Contains(out.String(), "Added grace <grace@example.org> as admin") {
		t.Fatalf("user add: %q, %v", out, err)
	}
	s, err := at.open(ctx, discard(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	service := annotator.NewService(annotator.ServiceConfig{Store: s.Store})
	grace, err := service.SignIn(ctx, "grace@example.org", "correct horse", annotator.Client{})
	if err != nil {
		t.Fatal(err)
	}
	tokens := func() *userTokensCommand {
		return &userTokensCommand{storageFlags: at, Email: "grace@example.org", Scopes: "read"}
	}
	secret := func(name, scopes string) string {
		streams, out := shell("")
		c := tokens()
		c.Make, c.Scopes = name, scopes
		if err := c.Run(ctx, streams); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	token := secret("nightly export", "read, paint")
	signedIn(t, service, grace)
	streams, out = shell("battery staple\n")
	if err := (&userPasswdCommand{storageFlags: at, Email: "Grace@example.org"}).Run(ctx, streams); err != nil || !strings.Contains(out.String(), "sessions ended: 1") {
		t.Fatalf("user passwd: %q, %v", out, err)
	}
	if left, err := service.Sessions(ctx, annotator.System, grace.ID, 0); err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left, %v", len(left), err)
	}
	// A new password revokes the tokens unless they are to be kept.
	var ended *annotator.TokenError
	if _, _, err := service.UserByToken(ctx, token); !errors.As(err, &ended) || !ended.Revoked {
		t.Errorf("the token after a new password: %v, want a *TokenError that it was revoked", err)
	}
	token = secret("nightly export", "read,admin")
	streams, out = shell("battery staple 2\n")
	if err := (&userPasswdCommand{storageFlags: at, Email: "grace@example.org", KeepTokens: true}).Run(ctx, streams); err != nil || !strings.Contains(out.String(), "stay valid") {
		t.Fatalf("user passwd --keep-tokens: %q, %v", out, err)
	}
	if _, made, err := service.UserByToken(ctx, token); err != nil || made.Allows(annotator.ScopeAdmin) != nil || made.Allows(annotator.ScopePaint) == nil {
		t.Errorf("the token that was kept: %+v, %v", made, err)
	}
	streams, out = shell("")
	if err := tokens().Run(ctx, streams); err != nil || !strings.Contains(out.String(), "nightly export") || !strings.Contains(out.String(), "read,admin") || strings.Contains(out.String(), "never") {
		t.Errorf("user tokens: %q, %v; want the one that was used", out, err)
	}
	revoke := tokens()
	if revoke.Revoke = "4711"; revoke.Run(ctx, streams) == nil {
		t.Error("a token that is not there was revoked")
	}
	revoke.Revoke = "all"
	if err := revoke.Run(ctx, streams); err != nil {
		t.Error(err)
	}
	if _, _, err := service.UserByToken(ctx, token); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("a revoked token: %v, want ErrUnauthorized", err)
	}
	for days, says := range map[int]string{0: "days: is from 1 to 365", 366: "days: is from 1 to 365"} {
		c := tokens()
		c.Make, c.Days = "too long", &days
		if err := c.Run(ctx, streams); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("a token of %d days: %v, want %q", days, err, says)
		}
	}
	forever := tokens()
	forever.Make, forever.Scopes = "typo", "reed"
	if err := forever.Run(ctx, streams); err == nil || !strings.Contains(err.Error(), `scopes: "reed" is no scope`) {
		t.Errorf("a scope that is none: %v", err)
	}
	streams, _ = shell("password1234\n")
	if err := (&userPasswdCommand{storageFlags: at, Email: "grace@example.org"}).Run(ctx, streams); err == nil || !strings.Contains(err.Error(), "most common passwords") {
		t.Errorf("a common password: %v", err)
	}
	streams, out = shell("")
	if err := (&userListCommand{storageFlags: at, JSON: true}).Run(ctx, streams); err != nil {
		t.Fatal(err)
	}
	var listed struct{ Users []annotator.User }
	if err := json.Unmarshal(out.Bytes(), &listed); err != nil || len(listed.Users) != 1 || listed.Users[0].Role != annotator.RoleAdmin {
		t.Errorf("user list: %s, %v", out, err)
	}

	if _, err := service.SignIn(ctx, "grace@example.org", "battery staple 2", annotator.Client{}); err != nil {
		t.Errorf("signing in with the new password: %v", err)
	}
	streams, out = shell("")
	if err := (&userDataCommand{storageFlags: at, Email: "grace@example.org"}).Run(ctx, streams); err != nil || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "grace@example.org") {
		t.Errorf("user data: %s, %v", out, err)
	}
	remove := &userRemoveCommand{storageFlags: at, Email: "grace@example.org"}
	if err := remove.Run(ctx, streams); err == nil || !strings.Contains(err.Error(), "last admin") {
		t.Errorf("the last admin was removed: %v", err)
	}
	streams, _ = shell("correct horse\n")
	if err := (&userAddCommand{storageFlags: at, Email: "eve@example.org", Role: "admin"}).Run(ctx, streams); err != nil {
		t.Fatal(err)
	}
	signedIn(t, service, grace)
	streams, out = shell("")
	if err := remove.Run(ctx, streams); err != nil || !strings.Contains(out.String(), "stands under Former member") {
		t.Errorf("user remove: %q, %v", out, err)
	}
	if left, err := service.Sessions(ctx, annotator.System, grace.ID, 0); err != nil || len(left) != 0 {
		t.Errorf("%d sessions are left, %v", len(left), err)
	}
	streams, out = shell("")
	if err := (&userListCommand{storageFlags: at}).Run(ctx, streams); err != nil || !strings.Contains(out.String(), "removed") || strings.Contains(out.String(), "grace") {
		t.Errorf("user list: %s, %v", out, err)
	}
}

// signedIn signs a person in, as the server does.
func signedIn(t *testing.T, service *annotator.Service, u annotator.User) {
	t.Helper()
	if _, err := service.BeginSession(t.Context(), u, annotator.Client{}); err != nil {
		t.Fatal(err)
	}
}

func TestProjectCommands(t *testing.T) {
	t.Parallel()
	at := storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}
	streams, _ := shell("")
	if err := (&projectCreateCommand{storageFlags: at, Slug: "birds", Name: "Birds"}).Run(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	if err := (&projectCreateCommand{storageFlags: at, Slug: "birds"}).Run(t.Context(), streams); err == nil || !strings.Contains(err.Error(), "slug") {
		t.Errorf("a taken slug: %v", err)
	}
	streams, out := shell("")
	if err := (&projectListCommand{storageFlags: at}).Run(t.Context(), streams); err != nil || !strings.Contains(out.String(), "birds") {
		t.Errorf("project list: %q, %v", out, err)
	}
}
