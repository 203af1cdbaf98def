package annotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// InvitationLasts is how long the link of an invitation is good for.
const InvitationLasts = 7 * 24 * time.Hour

// ErrInvitation is the error of a link that invites nobody.
var ErrInvitation = errors.New("this link is good no longer: it was used or revoked, has expired, or is not whole. Ask whoever sent it for another")

// Joining is a project that somebody is invited to, and as what.
type Joining struct {
	Project string `json:"project" doc:"The project's slug."`
	Name    string `json:"name,omitempty"`
	Role    Role   `json:"role" doc:"annotator, reviewer or lead."`
}

// Invitation is an open link by which somebody makes an account, or joins with the one that they have.
type Invitation struct {
	ID        int64     `json:"id"`
	Email     string    `json:"email" doc:"Of whom it invites: the account has it."`
	Role      Role      `json:"role" doc:"Of a new account in the studio. One that is there keeps its own."`
	Projects  []Joining `json:"projects"`
	By        string    `json:"invited_by"` // a name
	ByID      int64     `json:"-"`          // 0: the command line
	Within    string    `json:"-"`          // slug of the project whose lead made it; "": an admin did
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// NewInvitation describes an invitation to be made.
type NewInvitation struct {
	Email    string
	Role     Role
	Projects []Joining
}

// InvitationStore keeps open invitations.
type InvitationStore interface {
	// InsertInvitation adds one with the SHA-256 of its secret; ErrNotFound where a project is not there, or was deleted.
	InsertInvitation(ctx context.Context, i Invitation, hash []byte) (id int64, err error)
	// Invitations lists those that have not expired, newest first: all, or those made in a project.
	Invitations(ctx context.Context, within string, now time.Time) ([]Invitation, error)
	// LockInvitation finds one by the SHA-256 of its secret, and keeps others from using it until the transaction ends; ErrNotFound once it
	// was used or revoked or has expired. Projects that were deleted meanwhile are not in it.
	LockInvitation(ctx context.Context, hash []byte, now time.Time) (Invitation, error)
	// DeleteInvitation ends one, which was made in a project if within is one; ErrNotFound where there is none.
	DeleteInvitation(ctx context.Context, id int64, within string) error
}

// Invite makes an invitation to the studio, and to projects with a role each (admin). The secret of its link is told this once.
func (s *Service) Invite(ctx context.Context, actor User, n NewInvitation) (secret string, i Invitation, err error) {
	if err := may(actor, RoleAdmin); err != nil {
		return "", Invitation{}, err
	}
	return s.invite(ctx, actor, nil, "", n)
}

// InviteTo makes an invitation to one project (lead). Whoever has no account gets one as annotator.
func (s *Service) InviteTo(ctx context.Context, actor User, slug, email string, role Role) (secret string, i Invitation, err error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return "", Invitation{}, err
	}
	return s.invite(ctx, actor, &project.ID, slug, NewInvitation{Email: email, Role: RoleAnnotator, Projects: []Joining{{Project: slug, Role: role}}})
}

func (s *Service) invite(ctx context.Context, actor User, projectID *int64, within string, n NewInvitation) (secret string, i Invitation, err error) {
	if n.Email, err = checkEmail(n.Email); err != nil {
		return "", Invitation{}, err
	}
	if err := oneOf("role", n.Role, UserRoles); err != nil {
		return "", Invitation{}, err
	}
	for at, p := range n.Projects {
		if err := oneOf("role", p.Role, MemberRoles); err != nil {
			return "", Invitation{}, err
		}
		if slices.ContainsFunc(n.Projects[:at], func(other Joining) bool { return other.Project == p.Project }) {
			return "", Invitation{}, &ValidationError{Field: "projects", Message: fmt.Sprintf("%s is named twice", p.Project)}
		}
	}
	secret = newSecret()
	now := s.now()
	i = Invitation{Email: n.Email, Role: n.Role, Projects: n.Projects, By: actor.Name, ByID: actor.ID, Within: within, CreatedAt: now, ExpiresAt: now.Add(InvitationLasts)}
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if i.ID, err = tx.InsertInvitation(ctx, i, tokenHash(secret)); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, projectID, "invitation.create", invitationSubject(i.ID), i.told())
	})
	if isNotFound(err) {
		return "", Invitation{}, &ValidationError{Field: "projects", Message: "one of the projects is not there, or was deleted: choose from those of the studio"}
	}
	if err != nil {
		return "", Invitation{}, fmt.Errorf("inviting somebody: %w", err)
	}
	return secret, i, nil
}

// told is what the trail says of an invitation: what it gives, and not to whom, who need not be anybody of the studio.
func (i Invitation) told() string {
	parts := []string{string(i.Role)}
	for _, p := range i.Projects {
		parts = append(parts, p.Project+": "+string(p.Role))
	}
	return strings.Join(parts, ", ")
}

func invitationSubject(id int64) string { return fmt.Sprintf("invitation %d", id) }

// Invitations lists the open invitations of the studio (admin).
func (s *Service) Invitations(ctx context.Context, actor User) ([]Invitation, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return nil, err
	}
	return s.store.Invitations(ctx, "", s.now())
}

// InvitationsTo lists the open invitations that were made in a project (lead).
func (s *Service) InvitationsTo(ctx context.Context, actor User, slug string) ([]Invitation, error) {
	if _, _, err := s.project(ctx, actor, RoleLead, slug); err != nil {
		return nil, err
	}
	return s.store.Invitations(ctx, slug, s.now())
}

// RevokeInvitation ends an invitation (admin).
func (s *Service) RevokeInvitation(ctx context.Context, actor User, id int64) error {
	if err := may(actor, RoleAdmin); err != nil {
		return err
	}
	return s.revokeInvitation(ctx, actor, nil, "", id)
}

// RevokeInvitationTo ends an invitation that was made in a project (lead).
func (s *Service) RevokeInvitationTo(ctx context.Context, actor User, slug string, id int64) error {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return err
	}
	return s.revokeInvitation(ctx, actor, &project.ID, slug, id)
}

func (s *Service) revokeInvitation(ctx context.Context, actor User, projectID *int64, within string, id int64) error {
	err := s.store.InTx(ctx, func(tx Store) error {
		if err := tx.DeleteInvitation(ctx, id, within); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, projectID, "invitation.revoke", invitationSubject(id), "")
	})
	if err != nil {
		return fmt.Errorf("revoking invitation %d: %w", id, err)
	}
	return nil
}

// OpenInvitation tells whoever has an invitation's secret what it invites to, and whether its address has an account; ErrInvitation for one
// that invites nobody.
func (s *Service) OpenInvitation(ctx context.Context, secret string) (i Invitation, account bool, err error) {
	err = s.store.InTx(ctx, func(tx Store) error {
		if i, err = s.lockInvitation(ctx, tx, secret); err != nil {
			return err
		}
		_, _, err := tx.UserByEmail(ctx, i.Email)
		account = err == nil
		if isNotFound(err) {
			err = nil
		}
		return err
	})
	return i, account, err
}

// lockInvitation finds an invitation, whose maker may still invite.
func (s *Service) lockInvitation(ctx context.Context, tx Store, secret string) (Invitation, error) {
	i, err := tx.LockInvitation(ctx, tokenHash(secret), s.now())
	if isNotFound(err) {
		return i, ErrInvitation
	}
	if err != nil || i.ByID == 0 {
		return i, err
	}
	by, err := tx.User(ctx, i.ByID)
	switch {
	case err != nil:
		return i, err
	case by.Disabled || by.RemovedAt != nil:
		return i, ErrInvitation
	case by.Role == RoleAdmin:
		return i, nil
	case i.Within == "":
		return i, ErrInvitation
	}
	role, err := tx.MemberRole(ctx, by.ID, ThingProject.Called(i.Within))
	if isNotFound(err) || err == nil && !role.May(RoleLead) {
		return i, ErrInvitation
	}
	return i, err
}

// AcceptInvitation makes the account that an invitation is for, which joins its projects; the caller signs it in (BeginSession). The link is
// used up by it: of two who send it at once, one is made. Refused fields are *ValidationError, and leave the link as it is.
func (s *Service) AcceptInvitation(ctx context.Context, secret, name, password string) (User, error) {
	i, account, err := s.OpenInvitation(ctx, secret) // before a password is hashed for who has no link
	if err != nil {
		return User{}, err
	}
	if account {
		return User{}, Conflict("%s has an account already: sign in, and open the link again", i.Email)
	}
	person, hash, err := s.newPerson(ctx, NewUser{Email: i.Email, Name: name, Password: password, Role: i.Role})
	if err != nil {
		return User{}, err
	}
	var added User
	err = s.store.InTx(ctx, func(tx Store) error {
		if i, err = s.lockInvitation(ctx, tx, secret); err != nil {
			return err
		}
		if added, err = s.insertPerson(ctx, tx, inviter(i), person, hash, []string{}); err != nil {
			return err
		}
		return s.useInvitation(ctx, tx, i, added)
	})
	if errors.Is(err, ErrConflict) {
		return User{}, Conflict("%s has an account already: sign in, and open the link again", i.Email)
	}
	if err != nil {
		return User{}, fmt.Errorf("accepting an invitation: %w", err)
	}
	return added, nil
}

// JoinByInvitation lets somebody who has an account join the projects of the invitation to its address. Their role in the studio stays; a
// role in a project is never made less.
func (s *Service) JoinByInvitation(ctx context.Context, actor User, secret string) error {
	if err := may(actor, RoleAnnotator); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		i, err := s.lockInvitation(ctx, tx, secret)
		if err != nil {
			return err
		}
		if !strings.EqualFold(i.Email, actor.Email) {
			return fmt.Errorf("%w: the invitation is for %s, and you are signed in as %s: sign out, and open the link again", ErrForbidden, i.Email, actor.Email)
		}
		return s.useInvitation(ctx, tx, i, actor)
	})
	if err != nil {
		return fmt.Errorf("joining by an invitation: %w", err)
	}
	return nil
}

// useInvitation lets somebody join the projects of an invitation, which ends with that.
func (s *Service) useInvitation(ctx context.Context, tx Store, i Invitation, person User) error {
	if err := tx.DeleteInvitation(ctx, i.ID, ""); err != nil {
		return err
	}
	by := inviter(i)
	for _, p := range i.Projects {
		project, err := tx.ProjectBySlug(ctx, p.Project)
		if err != nil {
			return err
		}
		was, err := tx.MemberRole(ctx, person.ID, ThingProject.Called(p.Project))
		if err != nil && !isNotFound(err) {
			return err
		}
		if was.May(p.Role) {
			continue
		}
		if err := tx.SetMember(ctx, project.ID, person.ID, p.Role, by.byID(), s.now()); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, by, &project.ID, "member.add", userSubject(person.ID), fmt.Sprintf("%s, by invitation", p.Role)); err != nil {
			return err
		}
	}
	return s.audit(ctx, tx, person, nil, "invitation.accept", invitationSubject(i.ID), i.told())
}

// inviter is who made an invitation.
func inviter(i Invitation) User { return User{ID: i.ByID, Name: i.By} }
