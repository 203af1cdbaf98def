package templates

import (
	"context"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// People is the view model of the accounts page.
type People struct {
	Users   []annotator.User
	Form    PersonForm
	Problem string // what is wrong with the form

	Projects    []annotator.ProjectSummary
	Invitations []annotator.Invitation
	Invite      InviteForm

	Presence Presence
}

// Presence is how the visitor shows that it is them who asks for what must not be had from an unattended browser.
type Presence struct {
	Password    bool   // by typing their password
	Lately      bool   // they have none, and their institution signed them in a moment ago
	Institution string // what it is called; "": the studio has none
	Back        string // the page that they come back to from there
}

// again is the address on which the visitor shows once more who they are.
func (p Presence) again() string {
	return "/signin/institution?again=1&next=" + url.QueryEscape(p.Back)
}

// PersonForm is what an admin typed about a new person.
type PersonForm struct {
	Email, Name, Role string
	Open              bool
	Apart             bool // joins no project
}

// AccountView is the view model of one's own account.
type AccountView struct {
	Highest  annotator.Role     // of the person, anywhere
	Token    string             // the secret of a token made just now, shown once
	Wanted   annotator.NewToken // the request for a token that was refused
	Tokens   []annotator.Token
	Sessions []annotator.Session
	Projects []annotator.Membership
	Problem  string
	Field    string // which form it belongs to: "name", "password", "token", "ways", "factor"

	Ways     annotator.SignInWays
	Setup    *annotator.FactorSetup // a second factor that is to be confirmed
	Recovery []string               // recovery codes made just now, shown once
	Named    bool                   // the studio is opened by a name, to which passkeys are bound
	Presence Presence
}

// tokenDays are how long a token may last, as the form offers it.
var tokenDays = []int{7, 30, annotator.DefaultTokenDays, 180, annotator.MaxTokenDays}

// days returns how many days a token lasts, as the form is filled in.
func (v AccountView) days() string {
	if v.Wanted.Days > 0 {
		return strconv.Itoa(v.Wanted.Days)
	}
	return strconv.Itoa(annotator.DefaultTokenDays)
}

// wants reports whether a scope is checked in the form: read, unless others were chosen.
func (v AccountView) wants(s annotator.Scope) bool {
	return slices.Contains(v.Wanted.Scopes, s) || len(v.Wanted.Scopes) == 0 && s == annotator.ScopeRead
}

// passwordRule explains in forms what a new password must be.
func passwordRule(ctx context.Context) string {
	return words.T(ctx, "At least {n} characters, and nothing that others would try first.", "n", annotator.BoundPassword.Least)
}

// daysLeft returns the number of days from now to then, rounded up.
func daysLeft(then, now time.Time) int { return int(math.Ceil(then.Sub(now).Hours() / 24)) }

// roles are the roles with what each may do, weakest first.
var roles = []struct {
	role annotator.Role
	what string
}{
	{annotator.RoleAnnotator, words.Key("paints and submits maps")},
	{annotator.RoleReviewer, words.Key("also approves and rejects other people's")},
	{annotator.RoleAdmin, words.Key("has all of every project, makes projects and adds people")},
}

// memberRoles are the roles in a project with what each may do, weakest first.
var memberRoles = []struct {
	role annotator.Role
	what string
}{
	roles[0], roles[1],
	{annotator.RoleLead, words.Key("also runs rounds, activates versions, adds images and members")},
}

// removalSays is what removing somebody does.
func removalSays(ctx context.Context, u annotator.User) string {
	if u.Generator {
		return words.T(ctx, "For good: a pseudonym takes the place of the name everywhere. What was made in it stays.")
	}
	return words.T(ctx, "For good: nobody signs in with the account again, and a pseudonym takes the place of name and address everywhere. What they made and judged stays. Disabling can be undone.")
}

// Members is the view model of who takes part in a project, with the form of a lead as it was filled in.
type Members struct {
	Members     []annotator.Member
	Email, Role string
	Problem     string

	Invitations []annotator.Invitation // shown to leads
	Invite      InviteForm
}

// browserWords says in which browser somebody is signed in.
func browserWords(ctx context.Context, c annotator.Client) string {
	switch {
	case c.Browser == "" && c.System == "":
		return words.T(ctx, "A browser that does not say which")
	case c.System == "":
		return c.Browser
	case c.Browser == "":
		return words.T(ctx, "A browser on {system}", "system", c.System)
	}
	return words.T(ctx, "{browser} on {system}", "browser", c.Browser, "system", c.System)
}
