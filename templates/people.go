package templates

import "github.com/abn-studio/studio/annotator"

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
	Token   string // made just now, shown once
	Tokens  []annotator.Token
	Problem string
	Field   string // which form it belongs to: "name", "password", "token"
}

// roles are the roles with what each may do, weakest first.
var roles = []struct {
	role annotator.Role
	what string
}{
	{annotator.RoleAnnotator, "paints and submits maps"},
	{annotator.RoleReviewer, "also approves and rejects other people's"},
	{annotator.RoleAdmin, "also runs rounds, activates versions and adds people"},
}
