package templates

import (
	"context"
	"net/url"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Invited is the view model of the page that an invitation's link opens.
type Invited struct {
	Key, Name  string
	Invitation annotator.Invitation
	Account    bool   // its address has one
	Other      bool   // somebody else is signed in
	Closed     bool   // the link invites nobody: Problem says why
	Problem    string // why the last attempt failed, "" if there was none
	Field      string // which field it is about
}

// problem is what is wrong with a field.
func (v Invited) problem(field string) string {
	if v.Field == field {
		return v.Problem
	}
	return ""
}

// signIn is the address of the sign-in page that leads back to the link.
func (v Invited) signIn() string {
	return "/signin?next=" + url.QueryEscape("/invitation?key="+url.QueryEscape(v.Key))
}

// InviteForm is what somebody typed to invite somebody, or the link that came of it.
type InviteForm struct {
	Email, Role string
	Open        bool
	Problem     string
	Link, For   string // shown once
}

// invitedTo says what an invitation is to, and who made it.
func invitedTo(ctx context.Context, i annotator.Invitation) string {
	parts := []string{personRole(ctx, i.Role)}
	for _, p := range i.Projects {
		parts = append(parts, words.T(ctx, "{project}, as {role}", "project", p.Name, "role", personRole(ctx, p.Role)))
	}
	return strings.Join(parts, " · ") + " · " + words.T(ctx, "by {name}", "name", i.By)
}
