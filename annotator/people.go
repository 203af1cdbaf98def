package annotator

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/text"
)

// UserStore keeps people, their password hashes and their tokens.
type UserStore interface {
	User(ctx context.Context, id int64) (User, error)
	// UserByEmail ignores case; the hash is "" for a user who cannot sign in with a password.
	UserByEmail(ctx context.Context, email string) (u User, passwordHash string, err error)
	// UserByTokenHash finds a token and its owner by the SHA-256 of its secret. If the token is valid now, its use is recorded.
	UserByTokenHash(ctx context.Context, hash []byte, now time.Time) (User, Token, error)
	Users(ctx context.Context) ([]User, error)
	// InsertUser returns ErrConflict where the address is taken.
	InsertUser(ctx context.Context, u User, passwordHash string) (User, error)
	// UpdateUser writes name, role and disabled; passwordHash nil leaves the password.
	UpdateUser(ctx context.Context, u User, passwordHash *string) error
	// LockAdmins returns the ids of the enabled admins and keeps other transactions from changing
	// who they are until this one ends.
	LockAdmins(ctx context.Context) ([]int64, error)
	TouchUser(ctx context.Context, id int64, seen time.Time) error
	InsertToken(ctx context.Context, t Token, hash []byte) (id int64, err error)
	// Tokens lists a person's tokens that were not revoked, newest first.
	Tokens(ctx context.Context, userID int64) ([]Token, error)
	// RevokeToken ends a token and returns it; ErrNotFound for one that was revoked before.
	RevokeToken(ctx context.Context, id int64, at time.Time) (Token, error)
	// RevokeTokens ends all tokens of a person and returns how many there were.
	RevokeTokens(ctx context.Context, userID int64, at time.Time) (int, error)
}

// SignIn checks a password (argon2id) and returns who it belongs to, or ErrUnauthorized; BeginSession then signs them in. An unknown
// address takes as long as a wrong password, and gets the same answer. The trail has what fails.
func (s *Service) SignIn(ctx context.Context, email, password string, from Client) (User, error) {
	user, hash, err := s.store.UserByEmail(ctx, strings.TrimSpace(email))
	if err != nil && !isNotFound(err) {
		return User{}, err
	}
	if utf8.RuneCountInString(password) > BoundPassword.Most { // whoever has the address: hashing reads all of it
		return User{}, s.refuseSignIn(ctx, user, from)
	}
	right, err := s.password.matches(ctx, password, hash)
	if err != nil {
		return User{}, fmt.Errorf("checking a password: %w", err)
	}
	if !right || user.Disabled || user.Generator {
		return User{}, s.refuseSignIn(ctx, user, from)
	}
	return user, nil
}

// present checks the actor's present password. It must be typed again for a new password or token, so that access to an unattended
// browser is not enough. A right and a wrong password take as long. Who has none, since an institution signs them in, shows it by having done
// so a moment ago in the session (ErrShowAgain). The command line has no password, and passes.
func (s *Service) present(ctx context.Context, actor User, password string, session int64) error {
	if actor.ID == 0 {
		return nil
	}
	if utf8.RuneCountInString(password) > BoundPassword.Most {
		return ErrWrongPassword
	}
	user, hash, err := s.store.UserByEmail(ctx, actor.Email)
	if err != nil && !isNotFound(err) {
		return err
	}
	if user.ID != actor.ID {
		hash = ""
	} else if hash == "" {
		return s.shownLately(ctx, actor, session)
	}
	right, err := s.password.matches(ctx, password, hash)
	if err != nil {
		return fmt.Errorf("checking a password: %w", err)
	}
	if !right {
		if err := s.audit(ctx, s.store, actor, nil, "password.fail", userSubject(actor.ID), "wrong present password, in a session"); err != nil {
			return err
		}
		return ErrWrongPassword
	}
	return nil
}

// shownLately returns ErrShowAgain unless the actor showed who they are a moment ago, in this session of theirs.
func (s *Service) shownLately(ctx context.Context, actor User, session int64) error {
	now := s.now()
	in, err := s.store.Session(ctx, session, now)
	if isNotFound(err) || err == nil && (in.UserID != actor.ID || in.ShownAt == nil || now.Sub(*in.ShownAt) > PresenceLasts) {
		return ErrShowAgain
	}
	return err
}

func signedIn(u User, err error) (User, error) {
	switch {
	case isNotFound(err):
		return User{}, ErrUnauthorized
	case err != nil:
		return User{}, err
	case u.Disabled || u.Generator:
		return User{}, ErrUnauthorized
	}
	return u, nil
}

// mayOf checks that the actor is the user of that id, or an admin.
func mayOf(actor User, id int64) error {
	if actor.ID == id {
		return may(actor, RoleAnnotator)
	}
	return may(actor, RoleAdmin)
}

// Users lists everybody (admin).
func (s *Service) Users(ctx context.Context, actor User) ([]User, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return nil, err
	}
	return s.store.Users(ctx)
}

// Person returns one of them (an admin anybody, everybody themself).
func (s *Service) Person(ctx context.Context, actor User, id int64) (User, error) {
	if err := mayOf(actor, id); err != nil {
		return User{}, err
	}
	return s.store.User(ctx, id)
}

// CreateUser adds a person (admin).
func (s *Service) CreateUser(ctx context.Context, actor User, u NewUser) (User, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return User{}, err
	}
	person, hash, err := s.newPerson(ctx, u)
	if err != nil {
		return User{}, err
	}
	var added User
	err = s.store.InTx(ctx, func(tx Store) error {
		added, err = s.insertPerson(ctx, tx, actor, person, hash, u.Projects)
		return err
	})
	if errors.Is(err, ErrConflict) {
		return User{}, &ValidationError{Field: "email", Message: "somebody has this address already"}
	}
	return added, err
}

// checkEmail returns an e-mail address of an account without the spaces around it.
func checkEmail(typed string) (string, error) {
	email, err := BoundEmail.check("email", typed)
	if err != nil {
		return "", err
	}
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
		return "", &ValidationError{Field: "email", Message: "give a plain address such as ada@example.org"}
	}
	return email, nil
}

// newPerson checks what is said of a person to be added, and hashes their password.
func (s *Service) newPerson(ctx context.Context, u NewUser) (person User, hash string, err error) {
	email, err := checkEmail(u.Email)
	if err != nil {
		return User{}, "", err
	}
	name, err := BoundPersonName.check("name", u.Name)
	if err != nil {
		return User{}, "", err
	}
	if err := oneOf("role", u.Role, UserRoles); err != nil {
		return User{}, "", err
	}
	if err := checkPassword(u.Password, email, name); err != nil {
		return User{}, "", err
	}
	hash, err = s.password.hash(ctx, u.Password)
	if err != nil {
		return User{}, "", fmt.Errorf("hashing a password: %w", err)
	}
	return User{Email: email, Name: name, Role: u.Role, CreatedAt: s.now()}, hash, nil
}

// insertPerson adds a person whom newPerson made. The link that makes the first one ends with it.
func (s *Service) insertPerson(ctx context.Context, tx Store, actor, person User, hash string, projects []string) (User, error) {
	if err := tx.DeleteSetupLink(ctx); err != nil {
		return User{}, err
	}
	added, err := tx.InsertUser(ctx, person, hash)
	if err != nil {
		return User{}, err
	}
	if err := s.audit(ctx, tx, actor, nil, "user.create", userSubject(added.ID), string(added.Role)); err != nil {
		return User{}, err
	}
	return added, s.joinProjects(ctx, tx, actor, added, projects)
}

// ChangeUser changes a person (admin; anybody may change their own name and password). The last
// enabled admin can be neither disabled nor demoted. A new password, one's own or another's, needs the actor's present one
// (ErrWrongPassword), revokes the person's tokens unless they are to be kept, and signs them out of all other browsers. Whoever is disabled
// is signed out of all.
func (s *Service) ChangeUser(ctx context.Context, actor User, id int64, c UserChange) (User, error) {
	own := id == actor.ID && c.Role == nil && c.Disabled == nil
	needed := RoleAdmin
	if own {
		needed = RoleAnnotator
	}
	if err := may(actor, needed); err != nil {
		return User{}, err
	}
	var changed []string
	var name string
	var hash *string
	if c.Name != nil {
		var err error
		if name, err = BoundPersonName.check("name", *c.Name); err != nil {
			return User{}, err
		}
		changed = append(changed, "name")
	}
	if c.Role != nil {
		if err := oneOf("role", *c.Role, UserRoles); err != nil {
			return User{}, err
		}
		changed = append(changed, fmt.Sprintf("role %s", *c.Role))
	}
	if c.Disabled != nil {
		changed = append(changed, fmt.Sprintf("disabled %t", *c.Disabled))
	}
	if c.Password != nil {
		person, err := s.store.User(ctx, id)
		if err != nil {
			return User{}, err
		}
		if err := s.mayHavePassword(ctx, actor, person); err != nil {
			return User{}, err
		}
		if err := checkPassword(*c.Password, person.Email, person.Name); err != nil {
			return User{}, err
		}
		if err := s.present(ctx, actor, c.Present, c.Session); err != nil {
			return User{}, err
		}
		h, err := s.password.hash(ctx, *c.Password)
		if err != nil {
			return User{}, fmt.Errorf("hashing a password: %w", err)
		}
		hash, changed = &h, append(changed, "password")
	}
	var user User
	err := s.store.InTx(ctx, func(tx Store) error {
		admins, err := tx.LockAdmins(ctx)
		if err != nil {
			return err
		}
		if user, err = tx.User(ctx, id); err != nil {
			return err
		}
		if user.Generator {
			return fmt.Errorf("%w: %s is no person", ErrForbidden, user.Name)
		}
		if user.RemovedAt != nil {
			return Conflict("%s was removed, for good", user.Name)
		}
		if c.Name != nil {
			user.Name = name
		}
		if c.Role != nil {
			user.Role = *c.Role
		}
		if c.Disabled != nil {
			user.Disabled = *c.Disabled
		}
		if user.Disabled || user.Role != RoleAdmin {
			if err := keepsAnAdmin(admins, user); err != nil {
				return err
			}
		}
		if err := tx.UpdateUser(ctx, user, hash); err != nil {
			return err
		}
		if user.Disabled { // what was theirs to paint would wait for them
			if err := tx.UnassignAll(ctx, id); err != nil {
				return err
			}
			if _, err := s.endSessions(ctx, tx, actor, id, 0, "disabled"); err != nil {
				return err
			}
		}
		detail := strings.Join(changed, "; ")
		if c.Password != nil {
			if _, err := s.endSessions(ctx, tx, actor, id, c.Session, "new password"); err != nil {
				return err
			}
			if err := tx.ProlongSession(ctx, c.Session, s.now().Add(SessionLasts)); err != nil { // it goes on under a new key
				return err
			}
		}
		if c.Password != nil && !c.KeepTokens {
			n, err := tx.RevokeTokens(ctx, id, s.now())
			if err != nil {
				return err
			}
			detail += "; " + fmt.Sprintf("%s tokens revoked", text.Count(n))
		}
		return s.audit(ctx, tx, actor, nil, "user.change", fmt.Sprintf("user %d", id), detail)
	})
	if err != nil {
		return User{}, fmt.Errorf("changing user %d: %w", id, err)
	}
	return user, nil
}
