package annotator

import (
	"context"
	"crypto/subtle"
	"time"
)

// SetupLinkLasts is how long the link to the page of the first admin is good for.
const SetupLinkLasts = 24 * time.Hour

// SetupStore keeps the key of the link that makes the first admin.
type SetupStore interface {
	// HasPeople reports whether anybody was ever added: a generator is nobody.
	HasPeople(ctx context.Context) (bool, error)
	// SaveSetupLink keeps the SHA-256 of a key in place of the one before.
	SaveSetupLink(ctx context.Context, hash []byte, expires time.Time) error
	// LockSetupLink returns what is kept, ErrNotFound where nothing is, and keeps others from changing it until the transaction ends.
	LockSetupLink(ctx context.Context) (hash []byte, expires time.Time, err error)
	// DeleteSetupLink ends the link, if there is one.
	DeleteSetupLink(ctx context.Context) error
}

// SetupError is why a link to the page of the first admin does nothing. It matches ErrConflict where somebody was added already, else
// ErrForbidden.
type SetupError struct {
	Done  bool // somebody was added already, by this link or otherwise
	Wrong bool // it is not the newest link
	// Neither: it has expired.
}

func (e *SetupError) Error() string {
	switch {
	case e.Done:
		return "this studio has its people already, and the link is used up: sign in, or ask an admin for an account"
	case e.Wrong:
		return "this is not the newest link in this studio's log: take that one, whole"
	}
	return "the link has expired: start the studio again, and take the new link from its log"
}

// Is makes errors.Is(err, ErrConflict) or errors.Is(err, ErrForbidden) true.
func (e *SetupError) Is(target error) bool {
	return target == ErrConflict && e.Done || target == ErrForbidden && !e.Done
}

// byLink is who made the first admin, in the trail.
var byLink = User{Name: "the link in the log", Role: RoleAdmin}

// HasPeople reports whether anybody was ever added. It asks for no role: the page of signing in says what to do where nobody can.
func (s *Service) HasPeople(ctx context.Context) (bool, error) { return s.store.HasPeople(ctx) }

// NewSetupLink makes the key of the link with which the first admin is made, told this once; the key before is good no longer. It is
// "" where somebody was added already.
func (s *Service) NewSetupLink(ctx context.Context, actor User) (key string, err error) {
	if err := may(actor, RoleAdmin); err != nil {
		return "", err
	}
	made := newSecret()
	err = s.store.InTx(ctx, func(tx Store) error {
		key = ""
		someone, err := tx.HasPeople(ctx)
		if err != nil || someone {
			return err
		}
		key = made
		expires := s.now().Add(SetupLinkLasts)
		if err := tx.SaveSetupLink(ctx, tokenHash(made), expires); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "setup.link", "the first admin", "until "+expires.UTC().Format(time.RFC3339))
	})
	return key, err
}

// CheckSetupLink says whether a key makes the first admin now: a *SetupError where it does not.
func (s *Service) CheckSetupLink(ctx context.Context, key string) error {
	return s.store.InTx(ctx, func(tx Store) error { return s.setupLink(ctx, tx, key) })
}

func (s *Service) setupLink(ctx context.Context, tx Store, key string) error {
	hash, expires, err := tx.LockSetupLink(ctx)
	if err != nil && !isNotFound(err) {
		return err
	}
	someone, nobody := tx.HasPeople(ctx)
	switch {
	case nobody != nil:
		return nobody
	case someone:
		return &SetupError{Done: true}
	case err != nil || subtle.ConstantTimeCompare(hash, tokenHash(key)) != 1:
		return &SetupError{Wrong: true}
	case !s.now().Before(expires):
		return &SetupError{}
	}
	return nil
}

// CreateFirstAdmin makes the first person, an admin, with the key of the link in the log. The link is used up by it: of two who
// send it at once, one is made. Refused fields are *ValidationError, as CreateUser's, and leave the link as it is.
func (s *Service) CreateFirstAdmin(ctx context.Context, key string, u NewUser) (User, error) {
	if err := s.CheckSetupLink(ctx, key); err != nil { // before a password is hashed for who has no link
		return User{}, err
	}
	u.Role = RoleAdmin
	person, hash, err := s.newPerson(ctx, u)
	if err != nil {
		return User{}, err
	}
	var added User
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := s.setupLink(ctx, tx, key); err != nil {
			return err
		}
		added, err = s.insertPerson(ctx, tx, byLink, person, hash, u.Projects)
		return err
	})
	return added, err
}
