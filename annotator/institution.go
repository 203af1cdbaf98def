package annotator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// This file has people whom an institution signs in: which account they are, and what they may do (ADR 48).

// Institution is who signs people in besides the studio, and what its groups mean here.
type Institution struct {
	Name   string      // what pages call it
	Issuer string      // of whom it vouches for
	Groups []GroupRole // who is in none of them is not let in

	// LinkByEmail makes whoever it vouches for with a verified address the owner of the account that has this address. Without it an account
	// that is there already is connected by its owner, who signs in with its password first.
	LinkByEmail bool
}

// GroupRole is what people of a group are: in the studio, or in a project.
type GroupRole struct {
	Group   string
	Project string // a slug; "": in the studio
	Role    Role
}

// ParseGroupRole reads "GROUP=ROLE" (in the studio) or "GROUP=PROJECT:ROLE". What stands before the last sign of equality is the group, since
// names of groups have such signs: cn=painters,ou=lab=annotator.
func ParseGroupRole(s string) (GroupRole, error) {
	at := strings.LastIndexByte(s, '=')
	if at < 1 || at == len(s)-1 {
		return GroupRole{}, fmt.Errorf("%q is neither GROUP=ROLE nor GROUP=PROJECT:ROLE", s)
	}
	g := GroupRole{Group: strings.TrimSpace(s[:at])}
	project, role, in := strings.Cut(s[at+1:], ":")
	if !in {
		g.Role = Role(project)
		if err := oneOf("the role of "+g.Group, g.Role, UserRoles); err != nil {
			return GroupRole{}, err
		}
		return g, nil
	}
	g.Project, g.Role = project, Role(role)
	if problem := SlugProblem(project); problem != "" {
		return GroupRole{}, fmt.Errorf("the project of %s, %q: %s", g.Group, project, problem)
	}
	if err := oneOf("the role of "+g.Group+" in "+project, g.Role, MemberRoles); err != nil {
		return GroupRole{}, err
	}
	return g, nil
}

// granted is what groups give somebody.
type granted struct {
	role     Role            // in the studio; "": none of the groups lets them in
	projects map[string]Role // by their slugs; "" for a project that groups decide on, and that none of theirs gives
}

// grants returns the highest of what the groups give, in the studio and in each project. Who is in a group of a project alone is an annotator
// of the studio.
func (i Institution) grants(groups []string) granted {
	g := granted{projects: map[string]Role{}}
	for _, rule := range i.Groups {
		in := slices.Contains(groups, rule.Group)
		if rule.Project == "" {
			if in && (g.role == "" || rule.Role.May(g.role)) {
				g.role = rule.Role
			}
			continue
		}
		was := g.projects[rule.Project]
		if in && (was == "" || rule.Role.May(was)) {
			was = rule.Role
		}
		g.projects[rule.Project] = was
		if in && g.role == "" {
			g.role = RoleAnnotator
		}
	}
	return g
}

// Vouched is whom an institution vouches for.
type Vouched struct {
	Issuer, Subject string // of whom the institution knows, for good
	Email           string
	Verified        bool // the address is the person's
	Name            string
	Groups          []string
	ShownAt         time.Time // when the person last showed there who they are; zero: it does not say
}

// Refusal is why somebody whom an institution vouches for is not let in.
type Refusal string

// The refusals, as the trail says them.
const (
	RefusedGroup      Refusal = "in no group that is let in"
	RefusedAddress    Refusal = "without an e-mail address"
	RefusedUnverified Refusal = "with an e-mail address that is not verified"
	RefusedAccount    Refusal = "with the address of an account that is not connected"
	RefusedDisabled   Refusal = "disabled account"
	RefusedOther      Refusal = "as another person than the one who was signed in"
	RefusedTaken      Refusal = "connected with another account"
)

// RefusedError is the error of somebody whom an institution vouches for, and who is not let in. It matches ErrForbidden.
type RefusedError struct{ Why Refusal }

func (e *RefusedError) Error() string { return "not let in by the institution: " + string(e.Why) }

// Is makes errors.Is(err, ErrForbidden) true.
func (e *RefusedError) Is(target error) bool { return target == ErrForbidden }

// Identity is whom an institution knows an account as.
type Identity struct {
	ID       int64     `json:"id"`
	UserID   int64     `json:"-"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	LinkedAt time.Time `json:"linked_at"`
}

// IdentityStore keeps whom institutions know accounts as.
type IdentityStore interface {
	// UserByIdentity returns whose account it is; ErrNotFound where it is nobody's.
	UserByIdentity(ctx context.Context, issuer, subject string) (User, error)
	// Identities lists those of a person, oldest first.
	Identities(ctx context.Context, userID int64) ([]Identity, error)
	// InsertIdentity connects one with an account; ErrConflict where it is connected, or the account with another of that issuer.
	InsertIdentity(ctx context.Context, i Identity) error
	// DeleteIdentity ends one of a person's; ErrNotFound where there is none.
	DeleteIdentity(ctx context.Context, userID, id int64) error
	// HasPassword reports whether a person signs in with a password.
	HasPassword(ctx context.Context, userID int64) (bool, error)
}

// Institution returns who signs people in besides the studio; nil: nobody does.
func (s *Service) Institution() *Institution { return s.institution }

// by is the institution as the one who does something, in the trail.
func (i Institution) by() User { return User{Name: i.Name, Role: RoleAdmin} }

// nobodysIdentity is what the trail says of somebody whom the institution vouches for and who has no account. What it says of them is not
// kept.
const nobodysIdentity = "somebody without an account"

// SignInBy returns who it is whom the institution vouches for, after their groups decided what they may do; BeginSessionBy then signs them in.
// Whoever has no account gets one. *RefusedError for who is not let in, which the trail has.
func (s *Service) SignInBy(ctx context.Context, v Vouched, from Client) (User, error) {
	var user User
	try := func() error {
		return s.store.InTx(ctx, func(tx Store) (err error) {
			user, err = s.vouchedFor(ctx, tx, v)
			return err
		})
	}
	err := try()
	if errors.Is(err, ErrConflict) { // they came in twice at once, and the other was first
		err = try()
	}
	if errors.Is(err, ErrConflict) {
		err = &RefusedError{RefusedTaken}
	}
	return user, s.told(ctx, err, user, from)
}

// told writes a refusal down, and returns the error.
func (s *Service) told(ctx context.Context, err error, user User, from Client) error {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	subject := nobodysIdentity
	if user.ID != 0 {
		subject = userSubject(user.ID)
	}
	if failed := s.tellFailure(ctx, subject, string(ByInstitution)+"; "+string(refused.Why), from); failed != nil {
		return failed
	}
	return err
}

// vouchedFor finds or makes the account. Of a refused one it returns the account, too, if there is one.
func (s *Service) vouchedFor(ctx context.Context, tx Store, v Vouched) (User, error) {
	i := s.institution
	if i == nil || v.Issuer != i.Issuer || v.Subject == "" {
		return User{}, fmt.Errorf("%w: no institution of this studio vouches for anybody", ErrForbidden)
	}
	user, err := tx.UserByIdentity(ctx, v.Issuer, v.Subject)
	known := err == nil
	if err != nil && !isNotFound(err) {
		return User{}, err
	}
	given := i.grants(v.Groups)
	switch {
	case given.role == "":
		return user, &RefusedError{RefusedGroup}
	case known && user.Disabled:
		return user, &RefusedError{RefusedDisabled}
	case known:
		return s.give(ctx, tx, user, given)
	}
	email, err := checkEmail(v.Email)
	if err != nil {
		return User{}, &RefusedError{RefusedAddress} // what is wrong with it is the institution's
	}
	if !v.Verified { // anybody could have typed it there: nothing is said of the account that has it, and none is made
		return User{}, &RefusedError{RefusedUnverified}
	}
	switch user, _, err = tx.UserByEmail(ctx, email); {
	case isNotFound(err):
		return s.welcome(ctx, tx, email, v, given)
	case err != nil:
		return User{}, err
	case user.Generator || !i.LinkByEmail:
		return user, &RefusedError{RefusedAccount}
	case user.Disabled:
		return user, &RefusedError{RefusedDisabled}
	}
	if err := s.connect(ctx, tx, i.by(), user, v, "by its verified address"); err != nil {
		return User{}, err
	}
	return s.give(ctx, tx, user, given)
}

// welcome makes the account of somebody who comes for the first time. Where no group is of a project they join all that there are, as other
// new accounts do.
func (s *Service) welcome(ctx context.Context, tx Store, email string, v Vouched, given granted) (User, error) {
	name, err := BoundPersonName.check("name", v.Name)
	if err != nil {
		if name, _, _ = strings.Cut(email, "@"); BoundPersonName.Problem(name) != "" {
			name = string([]rune(name)[:BoundPersonName.Most])
		}
	}
	var projects []string
	if len(given.projects) > 0 {
		projects = []string{}
	}
	user, err := s.insertPerson(ctx, tx, s.institution.by(), User{Email: email, Name: name, Role: given.role, CreatedAt: s.now()}, "", projects)
	if err != nil {
		return User{}, err
	}
	if err := s.connect(ctx, tx, s.institution.by(), user, v, "a new account"); err != nil {
		return User{}, err
	}
	return s.give(ctx, tx, user, given)
}

func (s *Service) connect(ctx context.Context, tx Store, actor, user User, v Vouched, how string) error {
	if err := tx.InsertIdentity(ctx, Identity{UserID: user.ID, Issuer: v.Issuer, Subject: v.Subject, LinkedAt: s.now()}); err != nil {
		return err
	}
	return s.audit(ctx, tx, actor, nil, "identity.link", userSubject(user.ID), how+"; "+v.Issuer)
}

// give makes a person what their groups say: in the studio, and in the projects that groups decide on. The last admin stays one.
func (s *Service) give(ctx context.Context, tx Store, user User, given granted) (User, error) {
	by := s.institution.by()
	if user.Role != given.role {
		admins, err := tx.LockAdmins(ctx)
		if err != nil {
			return User{}, err
		}
		if user, err = tx.User(ctx, user.ID); err != nil {
			return User{}, err
		}
		detail := fmt.Sprintf("role %s; by groups", given.role)
		if given.role != RoleAdmin && keepsAnAdmin(admins, user) != nil {
			detail = "stays the last admin" + "; by groups"
		} else {
			user.Role = given.role
			if err := tx.UpdateUser(ctx, user, nil); err != nil {
				return User{}, err
			}
		}
		if err := s.audit(ctx, tx, by, nil, "user.change", userSubject(user.ID), detail); err != nil {
			return User{}, err
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(given.projects)) {
		if err := s.giveIn(ctx, tx, user, slug, given.projects[slug]); err != nil {
			return User{}, err
		}
	}
	return user, nil
}

// giveIn makes a person a member of a project with the role that their groups give, or none. Projects that are not there are left out.
func (s *Service) giveIn(ctx context.Context, tx Store, user User, slug string, role Role) error {
	project, err := tx.ProjectBySlug(ctx, slug)
	if isNotFound(err) {
		s.log.WarnContext(ctx, "groups of the institution name a project that is not there", "project", slug)
		return nil
	}
	if err != nil {
		return err
	}
	was, err := tx.MemberRole(ctx, user.ID, ThingProject.Called(slug))
	if err != nil && !isNotFound(err) {
		return err
	}
	if was == role {
		return nil
	}
	by := s.institution.by()
	if role == "" {
		if err := tx.RemoveMember(ctx, project.ID, user.ID); err != nil {
			return err
		}
		if err := tx.FreeMember(ctx, project.ID, user.ID, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, &project.ID, "member.remove", userSubject(user.ID), "by groups")
	}
	if err := tx.SetMember(ctx, project.ID, user.ID, role, nil, s.now()); err != nil {
		return err
	}
	if was == "" {
		return s.audit(ctx, tx, by, &project.ID, "member.add", userSubject(user.ID), string(role)+"; by groups")
	}
	return s.audit(ctx, tx, by, &project.ID, "member.change", userSubject(user.ID), fmt.Sprintf("%s, was %s; by groups", role, was))
}

// CheckPresence returns an error unless the actor is there: their present password is right, or they have none and showed who they are a moment
// ago in the session.
func (s *Service) CheckPresence(ctx context.Context, actor User, password string, session int64) error {
	if err := mayPaint(actor); err != nil {
		return err
	}
	return s.present(ctx, actor, password, session)
}

// LinkIdentity connects the actor's own account with whom the institution vouches for; the caller asked for their presence before it sent
// them there. From then on groups decide what they may do. The address need not be the account's: both were shown to be theirs.
func (s *Service) LinkIdentity(ctx context.Context, actor User, v Vouched, from Client) error {
	if err := mayPaint(actor); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		i := s.institution
		if i == nil || v.Issuer != i.Issuer || v.Subject == "" {
			return fmt.Errorf("%w: no institution of this studio vouches for anybody", ErrForbidden)
		}
		given := i.grants(v.Groups)
		if given.role == "" {
			return &RefusedError{RefusedGroup}
		}
		err := s.connect(ctx, tx, actor, actor, v, "by its owner")
		if errors.Is(err, ErrConflict) {
			return &RefusedError{RefusedTaken}
		}
		if err != nil {
			return err
		}
		user, err := tx.User(ctx, actor.ID)
		if err != nil {
			return err
		}
		_, err = s.give(ctx, tx, user, given)
		return err
	})
	return s.told(ctx, err, actor, from)
}

// SignInWays are how a person signs in.
type SignInWays struct {
	Password   bool       `json:"password" doc:"With a password of the studio."`
	Code       bool       `json:"code" doc:"With the password a code is asked for, too."`
	Recovery   int        `json:"recovery_codes" doc:"How many recovery codes are left."`
	Passkeys   []Passkey  `json:"passkeys"`
	Identities []Identity `json:"identities" doc:"By an institution."`
}

// SignInWays says how a person signs in (an admin of anybody, everybody of themself).
func (s *Service) SignInWays(ctx context.Context, actor User, userID int64) (w SignInWays, err error) {
	if err := mayOf(actor, userID); err != nil {
		return w, err
	}
	if w.Password, err = s.store.HasPassword(ctx, userID); err != nil {
		return w, err
	}
	if w.Code, w.Recovery, err = s.store.FactorOf(ctx, userID); err != nil {
		return w, err
	}
	if w.Passkeys, err = s.store.Passkeys(ctx, userID); err != nil {
		return w, err
	}
	w.Identities, err = s.store.Identities(ctx, userID)
	return w, err
}

// UnlinkIdentity ends that an institution signs somebody in (an admin anybody, everybody themself). Who has no password could not sign in any
// more, and is refused.
func (s *Service) UnlinkIdentity(ctx context.Context, actor User, userID, id int64) error {
	if err := mayOf(actor, userID); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		has, err := tx.HasPassword(ctx, userID)
		if err != nil {
			return err
		}
		if !has {
			return Conflict("nobody could sign in with the account any more: give it a password first")
		}
		if err := tx.DeleteIdentity(ctx, userID, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "identity.unlink", userSubject(userID), "")
	})
	if err != nil {
		return fmt.Errorf("ending an identity of user %d: %w", userID, err)
	}
	return nil
}

// mayHavePassword refuses a password to who chooses it for themself and has none: the institution decides whether they come in, and with a
// password of their own they would when it does not. An admin may give one.
func (s *Service) mayHavePassword(ctx context.Context, actor, person User) error {
	if actor.ID != person.ID {
		return nil
	}
	has, err := s.store.HasPassword(ctx, person.ID)
	if err == nil && !has {
		return Conflict("your institution signs you in: you have no password here")
	}
	return err
}
