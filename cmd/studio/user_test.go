package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// shell is what a command talks to.
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
	if err := add.Run(ctx, streams); err == nil || !strings.Contains(err.Error(), "password: use at least 10") {
		t.Errorf("a short password: %v", err)
	}
	streams, out := shell("correct horse\n")
	if err := add.Run(ctx, streams); err != nil || !strings.Contains(out.String(), "Added grace <grace@example.org> as admin") {
		t.Fatalf("user add: %q, %v", out, err)
	}
	streams, _ = shell("battery staple\n")
	if err := (&userPasswdCommand{storageFlags: at, Email: "Grace@example.org"}).Run(ctx, streams); err != nil {
		t.Fatalf("user passwd: %v", err)
	}
	streams, out = shell("")
	if err := (&userListCommand{storageFlags: at, JSON: true}).Run(ctx, streams); err != nil {
		t.Fatal(err)
	}
	var listed struct{ Users []annotator.User }
	if err := json.Unmarshal(out.Bytes(), &listed); err != nil || len(listed.Users) != 1 || listed.Users[0].Role != annotator.RoleAdmin {
		t.Errorf("user list: %s, %v", out, err)
	}

	s, err := at.open(ctx, discard(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	service := annotator.NewService(annotator.ServiceConfig{Store: s.Store})
	if _, err := service.SignIn(ctx, "grace@example.org", "battery staple"); err != nil {
		t.Errorf("signing in with the new password: %v", err)
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
