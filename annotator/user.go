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
	RoleLead      Role = "lead"      // of a project: also runs rounds, activates versions, imports, chooses its members
	RoleAdmin     Role = "admin"     // all of every project, and of the studio: makes projects, manages people
)

// Roles are all of them, weakest first. UserRoles are those of a person in the studio, MemberRoles those of a member in a project.
var (
	Roles       = []Role{RoleAnnotator, RoleReviewer, RoleLead, RoleAdmin}
	UserRoles   = []Role{RoleAnnotator, RoleReviewer, RoleAdmin}
	MemberRoles = []Role{RoleAnnotator, RoleReviewer, RoleLead}
)

// May reports whether r includes everything needed may do.
func (r Role) May(needed Role) bool {
	rank := slices.Index(Roles, needed)
	return rank >= 0 && slices.Index(Roles, r) >= rank
}

// joining is the role in a project that somebody with this role in the studio gets who joins it, unless another is said.
func (r Role) joining() Role {
	if r == RoleAdmin {
		return RoleLead
	}
	return r
}

// User is a person who can sign in, or (Generator) a program in whose name edits are made or approved.
type User struct {
	ID    int64  `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	// Role is admin: all of the studio. Of others it is the role that they get in a project they join; what they may do in a project is their
	// role there, and Within returns the actor with that.
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
	// Projects are the slugs of those that they join, with their role; nil: all that there are. Empty, but not nil: none.
	Projects []string
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
	Session    int64 // from which it is asked, which stays open; without a password of the actor's it shows that they are there
}

// System is the actor of commands run on the server itself. It is an admin, since whoever can run commands there has the database
// anyway. It is not in the users table.
var System = User{Name: "command line", Role: RoleAdmin}
