package annotator

import (
	"slices"
	"time"
)

// Role says what a person may do. Each role may do all that the roles before it may.
type Role string

// The roles, weakest first.
const (
	RoleAnnotator Role = "annotator" // paints and submits
	RoleReviewer  Role = "reviewer"  // also approves and rejects other people's edits
	RoleAdmin     Role = "admin"     // also runs rounds, activates versions, imports, manages people
)

// Roles are all of them, weakest first.
var Roles = []Role{RoleAnnotator, RoleReviewer, RoleAdmin}

// May reports whether r includes everything needed may do.
func (r Role) May(needed Role) bool {
	rank := slices.Index(Roles, needed)
	return rank >= 0 && slices.Index(Roles, r) >= rank
}

// User is a person who can sign in, or (Generator) a program in whose name edits are made or approved.
type User struct {
	ID         int64      `json:"id"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Role       Role       `json:"role"`
	Disabled   bool       `json:"disabled"`
	Generator  bool       `json:"generator"` // made maps from known masks; cannot sign in
	CreatedAt  time.Time  `json:"created_at"`
	LastSeenAt *time.Time `json:"last_seen_at,omitempty"`
	RemovedAt  *time.Time `json:"removed_at,omitempty"` // since when Name and Email stand for somebody who is gone; Disabled, too
}

// NewUser describes a person to be added.
type NewUser struct {
	Email, Name, Password string
	Role                  Role
}

// UserChange changes the fields that are not nil.
type UserChange struct {
	Name     *string
	Role     *Role
	Disabled *bool
	Password *string
	// With Password: the actor's own present password, which the command line does not need, and whether the person's
	// API tokens outlive the change.
	Present    string
	KeepTokens bool
}

// System is the actor of commands run on the server itself. It is an admin, since whoever can run commands there has the database
// anyway. It is not in the users table.
var System = User{Name: "command line", Role: RoleAdmin}
