package templates

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// People is the view model of the accounts page.
type People struct {
	Users   []annotator.User
	Form    PersonForm
	Problem string // with the form
}

// PersonForm is what an admin typed of somebody new.
type PersonForm struct {
	Email, Name, Role string
	Open              bool
}

// AccountView is the view model of one's own account.
type AccountView struct {
	Token   string             // made just now, shown once
	Wanted  annotator.NewToken // the token that was refused, as it was asked for
	Tokens  []annotator.Token
	Problem string
	Field   string // which form it belongs to: "name", "password", "token"
}

// tokenDays are how long a token may last, as the form offers it.
var tokenDays = []int{7, 30, annotator.DefaultTokenDays, 180, annotator.MaxTokenDays}

// days is how long the form's token lasts.
func (v AccountView) days() string {
	if v.Wanted.Days > 0 {
		return strconv.Itoa(v.Wanted.Days)
	}
	return strconv.Itoa(annotator.DefaultTokenDays)
}

// wants reports whether the form's token has a scope: reading, as long as nothing else was chosen.
func (v AccountView) wants(s annotator.Scope) bool {
	return slices.Contains(v.Wanted.Scopes, s) || len(v.Wanted.Scopes) == 0 && s == annotator.ScopeRead
}

// passwordRule is what a new password has to be, as forms explain it.
var passwordRule = fmt.Sprintf("At least %d characters, and nothing that others would try first.", annotator.MinPassword)

var minPassword = strconv.Itoa(annotator.MinPassword)

var maxPassword = strconv.Itoa(annotator.MaxPassword)

// daysLeft is how many days there are from now to then, begun ones counted.
func daysLeft(then, now time.Time) int { return int(math.Ceil(then.Sub(now).Hours() / 24)) }

// roles are the roles with what each may do, weakest first.
var roles = []struct {
	role annotator.Role
	what string
}{
	{annotator.RoleAnnotator, "paints and submits maps"},
	{annotator.RoleReviewer, "also approves and rejects other people's"},
	{annotator.RoleAdmin, "also runs rounds, activates versions and adds people"},
}
