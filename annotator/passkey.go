package annotator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// Passkey is a key of an authenticator of a person's, which signs them in (ADR 49). Package passkey makes and checks them.
type Passkey struct {
	ID         int64           `json:"id"`
	UserID     int64           `json:"-"`
	Handle     []byte          `json:"-"` // by which the authenticator names it
	Credential json.RawMessage `json:"-"` // as package passkey keeps it
	Name       string          `json:"name" doc:"What its owner calls it."`
	AddedAt    time.Time       `json:"added_at"`
	UsedAt     *time.Time      `json:"used_at,omitempty"`
}

// PasskeyStore keeps passkeys.
type PasskeyStore interface {
	// Passkeys lists a person's, oldest first.
	Passkeys(ctx context.Context, userID int64) ([]Passkey, error)
	// PasskeyByHandle finds one; ErrNotFound where it is nobody's.
	PasskeyByHandle(ctx context.Context, handle []byte) (Passkey, error)
	// InsertPasskey adds one; ErrConflict where it is there.
	InsertPasskey(ctx context.Context, k Passkey) (id int64, err error)
	// UsePasskey notes that one was used, as it is kept from now on.
	UsePasskey(ctx context.Context, k Passkey, at time.Time) error
	// RenamePasskey and DeletePasskey change one of a person's; ErrNotFound where there is none.
	RenamePasskey(ctx context.Context, userID, id int64, name string) error
	DeletePasskey(ctx context.Context, userID, id int64) error
}

// mostPasskeys is how many a person has at most.
const mostPasskeys = 20

// MayAddPasskey returns the passkeys that the actor has, before another is made: they type their present password, and have one.
func (s *Service) MayAddPasskey(ctx context.Context, actor User, password string) ([]Passkey, error) {
	if err := mayPaint(actor); err != nil {
		return nil, err
	}
	switch has, err := s.store.HasPassword(ctx, actor.ID); {
	case err != nil:
		return nil, err
	case !has:
		return nil, Conflict("your institution signs you in: a passkey would let you in without it")
	}
	if err := s.present(ctx, actor, password, 0); err != nil {
		return nil, err
	}
	there, err := s.store.Passkeys(ctx, actor.ID)
	if err == nil && len(there) >= mostPasskeys {
		return nil, Conflict("you have %s passkeys, as many as one person may: remove one of them first", text.Count(len(there)))
	}
	return there, err
}

// AddPasskey keeps a passkey of the actor's, which package passkey has checked, under a name.
func (s *Service) AddPasskey(ctx context.Context, actor User, k Passkey) (Passkey, error) {
	if err := mayPaint(actor); err != nil {
		return Passkey{}, err
	}
	var err error
	if k.Name, err = BoundTokenName.check("name", k.Name); err != nil {
		return Passkey{}, err
	}
	k.UserID, k.AddedAt = actor.ID, s.now()
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if k.ID, err = tx.InsertPasskey(ctx, k); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "passkey.add", userSubject(actor.ID), fmt.Sprintf("passkey %d", k.ID))
	})
	if errors.Is(err, ErrConflict) {
		return Passkey{}, Conflict("that passkey is there already")
	}
	if err != nil {
		return Passkey{}, fmt.Errorf("adding a passkey of user %d: %w", actor.ID, err)
	}
	return k, nil
}

// PasskeyOwner finds a passkey by its handle, and whose it is. It shows nothing: who has the handle need not have the key.
func (s *Service) PasskeyOwner(ctx context.Context, handle []byte) (Passkey, User, error) {
	k, err := s.store.PasskeyByHandle(ctx, handle)
	if err != nil {
		return Passkey{}, User{}, err
	}
	user, err := s.store.User(ctx, k.UserID)
	return k, user, err
}

// SignInByPasskey returns whose passkey it is, which package passkey has checked; BeginSessionBy then signs them in.
func (s *Service) SignInByPasskey(ctx context.Context, k Passkey, from Client) (User, error) {
	user, err := s.store.User(ctx, k.UserID)
	if err != nil {
		return User{}, err
	}
	if user.Disabled || user.Generator {
		return User{}, s.refuseSignIn(ctx, user, from)
	}
	return user, s.store.UsePasskey(ctx, k, s.now())
}

// RefusePasskey writes down that a passkey was not right; k is the zero value for one that is nobody's.
func (s *Service) RefusePasskey(ctx context.Context, k Passkey, from Client) error {
	subject := "a passkey that nobody has"
	if k.UserID != 0 {
		subject = userSubject(k.UserID)
	}
	return s.tellFailure(ctx, subject, "wrong passkey", from)
}

// RenamePasskey gives a passkey of the actor's another name.
func (s *Service) RenamePasskey(ctx context.Context, actor User, id int64, name string) error {
	if err := mayPaint(actor); err != nil {
		return err
	}
	name, err := BoundTokenName.check("name", name)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Store) error {
		if err := tx.RenamePasskey(ctx, actor.ID, id, name); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "passkey.rename", userSubject(actor.ID), fmt.Sprintf("passkey %d", id))
	})
}

// RemovePasskey ends a passkey (an admin anybody's, everybody their own). It asks for no password, so that one that was lost with its device
// is ended quickly.
func (s *Service) RemovePasskey(ctx context.Context, actor User, userID, id int64) error {
	if err := mayOf(actor, userID); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Store) error {
		if err := tx.DeletePasskey(ctx, userID, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "passkey.remove", userSubject(userID), fmt.Sprintf("passkey %d", id))
	})
}
