package annotator

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/abn-studio/studio/internal/text"
)

// This file has the second factor of who signs in with a password: codes of an authenticator app, and recovery codes (ADR 49).

// Factor is the secret that a person shares with their authenticator app.
type Factor struct {
	UserID      int64
	Secret      []byte // as it is kept (package sealed)
	BegunAt     time.Time
	ConfirmedAt *time.Time // when a code showed that the app has it; nil: it is not asked for yet
	LastStep    int64      // of the last code that was taken
}

// FactorStore keeps second factors.
type FactorStore interface {
	// LockFactor returns a person's, and keeps others from it until the transaction ends; ErrNotFound where there is none.
	LockFactor(ctx context.Context, userID int64) (Factor, error)
	// SaveFactor keeps one in place of the one before, with its recovery codes.
	SaveFactor(ctx context.Context, f Factor) error
	// DeleteFactor ends one, and its recovery codes; ErrNotFound where there is none.
	DeleteFactor(ctx context.Context, userID int64) error
	// FactorOf reports whether a person is asked for a code, and how many recovery codes they have left.
	FactorOf(ctx context.Context, userID int64) (on bool, recovery int, err error)
	// ReplaceRecoveryCodes keeps the SHA-256 of codes in place of those before.
	ReplaceRecoveryCodes(ctx context.Context, userID int64, hashes [][]byte) error
	// UseRecoveryCode ends one; ErrNotFound for one that is none.
	UseRecoveryCode(ctx context.Context, userID int64, hash []byte) error
}

// The errors of codes.
var (
	ErrCodeNeeded = errors.New("this account asks for a code, too: send it beside the password")
	ErrWrongCode  = errors.New("that is no code of this moment: wait for the next one in your app, or take a recovery code")
)

const (
	// factorStep is how long an app shows a code, factorSkew how many steps its clock may be off (RFC 6238, 5.2).
	factorStep = 30
	factorSkew = 1
	// recoveryCodes is how many there are, each of recoveryBytes random bytes.
	recoveryCodes = 10
	recoveryBytes = 10
	// factorBytes is how long the secret is (RFC 4226, 4).
	factorBytes = 20
)

// FactorSetup is what an authenticator app is told, this once.
type FactorSetup struct {
	Secret  string // in base32, for typing
	Address string // otpauth://…, for a QR code
}

var secretText = base32.StdEncoding.WithPadding(base32.NoPadding)

func factorOf(userID int64) string { return fmt.Sprintf("second factor of user %d", userID) }

// BeginFactor makes the secret of a second factor for the actor, who types their present password. It is asked for once ConfirmFactor has
// seen a code of it.
func (s *Service) BeginFactor(ctx context.Context, actor User, password string) (FactorSetup, error) {
	if err := mayPaint(actor); err != nil {
		return FactorSetup{}, err
	}
	switch has, err := s.store.HasPassword(ctx, actor.ID); {
	case err != nil:
		return FactorSetup{}, err
	case !has:
		return FactorSetup{}, Conflict("your institution signs you in: it is who asks for a second factor")
	}
	if err := s.present(ctx, actor, password, 0); err != nil {
		return FactorSetup{}, err
	}
	secret := make([]byte, factorBytes)
	rand.Read(secret)
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "ABN Studio", AccountName: actor.Email, Secret: secret})
	if err != nil {
		return FactorSetup{}, fmt.Errorf("making a second factor: %w", err)
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		f, err := tx.LockFactor(ctx, actor.ID)
		if err != nil && !isNotFound(err) {
			return err
		}
		if f.ConfirmedAt != nil {
			return Conflict("a code is asked for already: turn that off first")
		}
		if err := tx.SaveFactor(ctx, Factor{UserID: actor.ID, Secret: s.sealing.Seal(secret, factorOf(actor.ID)), BegunAt: s.now()}); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "factor.begin", userSubject(actor.ID), "")
	})
	if err != nil {
		return FactorSetup{}, fmt.Errorf("beginning a second factor of user %d: %w", actor.ID, err)
	}
	return FactorSetup{Secret: key.Secret(), Address: key.URL()}, nil
}

// FactorBegun returns again what BeginFactor did, while no code has confirmed it; ErrNotFound where none waits.
func (s *Service) FactorBegun(ctx context.Context, actor User) (setup FactorSetup, err error) {
	if err := mayPaint(actor); err != nil {
		return setup, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		f, err := tx.LockFactor(ctx, actor.ID)
		if err == nil && f.ConfirmedAt != nil {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		secret, _, err := s.sealing.Open(f.Secret, factorOf(actor.ID))
		if err != nil {
			return err
		}
		key, err := totp.Generate(totp.GenerateOpts{Issuer: "ABN Studio", AccountName: actor.Email, Secret: secret})
		if err == nil {
			setup = FactorSetup{Secret: key.Secret(), Address: key.URL()}
		}
		return err
	})
	return setup, err
}

// ConfirmFactor turns the actor's second factor on, with a code of their app, and returns recovery codes, told this once.
func (s *Service) ConfirmFactor(ctx context.Context, actor User, code string) (recovery []string, err error) {
	if err := mayPaint(actor); err != nil {
		return nil, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		f, err := tx.LockFactor(ctx, actor.ID)
		if err != nil {
			return err
		}
		if f.ConfirmedAt != nil {
			return Conflict("a code is asked for already: turn that off first")
		}
		if f, err = s.takeCode(f, code); err != nil {
			return err
		}
		now := s.now()
		f.ConfirmedAt = &now
		if err := tx.SaveFactor(ctx, f); err != nil {
			return err
		}
		if recovery, err = s.newRecoveryCodes(ctx, tx, actor.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "factor.on", userSubject(actor.ID), "")
	})
	if err != nil {
		return nil, fmt.Errorf("confirming the second factor of user %d: %w", actor.ID, err)
	}
	return recovery, nil
}

// NewRecoveryCodes makes recovery codes in place of the actor's, after their present password and a code.
func (s *Service) NewRecoveryCodes(ctx context.Context, actor User, password, code string) (recovery []string, err error) {
	err = s.withFactor(ctx, actor, password, code, func(tx Store) error {
		if recovery, err = s.newRecoveryCodes(ctx, tx, actor.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "factor.codes", userSubject(actor.ID), "")
	})
	return recovery, err
}

// EndFactor turns the actor's second factor off, after their present password and a code.
func (s *Service) EndFactor(ctx context.Context, actor User, password, code string) error {
	return s.withFactor(ctx, actor, password, code, func(tx Store) error {
		if err := tx.DeleteFactor(ctx, actor.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "factor.off", userSubject(actor.ID), "")
	})
}

// withFactor makes a change of the actor's second factor, if they have it. The trail has what fails.
func (s *Service) withFactor(ctx context.Context, actor User, password, code string, change func(Store) error) error {
	if err := mayPaint(actor); err != nil {
		return err
	}
	if err := s.present(ctx, actor, password, 0); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		if err := s.useCode(ctx, tx, actor, code); err != nil {
			return err
		}
		return change(tx)
	})
	if errors.Is(err, ErrWrongCode) {
		if err := s.audit(ctx, s.store, actor, nil, "password.fail", userSubject(actor.ID), "wrong code, in a session"); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("the second factor of user %d: %w", actor.ID, err)
	}
	return nil
}

// TakeOffFactor turns another person's second factor off, who has lost both app and recovery codes (admin).
func (s *Service) TakeOffFactor(ctx context.Context, actor User, userID int64) error {
	if err := may(actor, RoleAdmin); err != nil {
		return err
	}
	if actor.ID == userID {
		return Conflict("turn your own off on the page Account, with a code")
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		if err := tx.DeleteFactor(ctx, userID); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "factor.off", userSubject(userID), "")
	})
	if err != nil {
		return fmt.Errorf("the second factor of user %d: %w", userID, err)
	}
	return nil
}

// NeedsCode reports whether somebody whose password was right is asked for a code, too.
func (s *Service) NeedsCode(ctx context.Context, user User) (bool, error) {
	on, _, err := s.store.FactorOf(ctx, user.ID)
	return on, err
}

// CheckCode takes a code of the person whose password was right a moment ago, and returns who that is; BeginSessionBy then signs them in.
// A code is taken once. ErrWrongCode for another, which the trail has.
func (s *Service) CheckCode(ctx context.Context, userID int64, code string, from Client) (User, error) {
	user, err := signedIn(s.store.User(ctx, userID))
	if err != nil {
		return User{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error { return s.useCode(ctx, tx, user, code) })
	if errors.Is(err, ErrWrongCode) {
		if failed := s.tellFailure(ctx, userSubject(user.ID), "wrong code", from); failed != nil {
			return User{}, failed
		}
	}
	return user, err
}

// useCode takes a code of the app, or a recovery code.
func (s *Service) useCode(ctx context.Context, tx Store, user User, typed string) error {
	f, err := tx.LockFactor(ctx, user.ID)
	if isNotFound(err) || err == nil && f.ConfirmedAt == nil {
		return ErrWrongCode
	}
	if err != nil {
		return err
	}
	code := withoutSpaces(typed)
	if len(code) > len("000000") {
		err := tx.UseRecoveryCode(ctx, user.ID, tokenHash(strings.ToUpper(code)))
		if isNotFound(err) {
			return ErrWrongCode
		}
		if err != nil {
			return err
		}
		_, left, err := tx.FactorOf(ctx, user.ID)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, user, nil, "factor.recover", userSubject(user.ID), fmt.Sprintf("%s recovery codes left", text.Count(left)))
	}
	if f, err = s.takeCode(f, code); err != nil {
		return err
	}
	return tx.SaveFactor(ctx, f)
}

// takeCode returns the factor after a code of its app was taken: one of now, and of a step later than the last that was.
func (s *Service) takeCode(f Factor, typed string) (Factor, error) {
	secret, stale, err := s.sealing.Open(f.Secret, factorOf(f.UserID))
	if err != nil {
		return f, fmt.Errorf("%w: the secret of the second factor: %w", ErrUnavailable, err)
	}
	code, step := withoutSpaces(typed), s.now().Unix()/factorStep
	for at := step - factorSkew; at <= step+factorSkew; at++ {
		want, err := hotp.GenerateCode(secretText.EncodeToString(secret), uint64(at))
		if err != nil {
			return f, fmt.Errorf("computing a code: %w", err)
		}
		if at <= f.LastStep || subtle.ConstantTimeCompare([]byte(want), []byte(code)) != 1 {
			continue
		}
		f.LastStep = at
		if stale {
			f.Secret = s.sealing.Seal(secret, factorOf(f.UserID))
		}
		return f, nil
	}
	return f, ErrWrongCode
}

// newRecoveryCodes makes recovery codes, of which the hashes are kept.
func (s *Service) newRecoveryCodes(ctx context.Context, tx Store, userID int64) (codes []string, err error) {
	var hashes [][]byte
	for range recoveryCodes {
		random := make([]byte, recoveryBytes) // 80 random bits need no salt, and no slow hash
		rand.Read(random)
		code := secretText.EncodeToString(random)
		hashes = append(hashes, tokenHash(code))
		codes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
	}
	return codes, tx.ReplaceRecoveryCodes(ctx, userID, hashes)
}

// withoutSpaces is a code as it is compared: apps show it in groups, and people type these.
func withoutSpaces(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, code)
}
