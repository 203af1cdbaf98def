package annotator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is a kind of work that a bearer token may be used for. No scope includes another: a token that starts rounds need not be able
// to judge. A scope allows nothing that its owner's role in a
// project does not.
type Scope string

// The scopes. Every token may read, since painting, reviewing and administering need it.
const (
	ScopeRead   Scope = "read"   // looks at projects, tasks, maps, rounds and versions, and scores maps
	ScopePaint  Scope = "paint"  // takes, saves, submits, skips and releases tasks
	ScopeReview Scope = "review" // judges submitted maps and reopens tasks
	ScopeAdmin  Scope = "admin"  // makes projects, adds and activates versions, starts and cancels rounds
)

// Scopes are all scopes with the role whose work each is for.
var Scopes = []struct {
	Scope Scope
	Role  Role
	What  string
}{
	{ScopeRead, RoleAnnotator, "looks at projects, tasks, maps, rounds and versions"},
	{ScopePaint, RoleAnnotator, "takes, saves and submits tasks"},
	{ScopeReview, RoleReviewer, "judges submitted maps and reopens tasks"},
	{ScopeAdmin, RoleLead, "runs projects: adds versions, starts rounds; of an admin also makes projects"},
}

// How long a token lasts, in days. Every token expires.
const (
	DefaultTokenDays = 90
	MaxTokenDays     = 365
)

// Token is a bearer token of the API, without its secret, of which only a hash is kept.
type Token struct {
	ID         int64      `json:"id"`
	UserID     int64      `json:"user_id"`
	Name       string     `json:"name"` // what it is for
	Scopes     []Scope    `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // to within ten minutes
	RevokedAt  *time.Time `json:"-"`                      // lists leave out revoked tokens
}

// Allows returns a *ScopeError unless the token has the scope.
func (t Token) Allows(needed Scope) error {
	if needed == ScopeRead || slices.Contains(t.Scopes, needed) {
		return nil
	}
	return &ScopeError{Needed: needed, Has: t.Scopes}
}

// ScopeError is the error of a bearer token that lacks the scope needed. It matches ErrForbidden.
type ScopeError struct {
	Needed Scope
	Has    []Scope
}

func (e *ScopeError) Error() string {
	return fmt.Sprintf("this needs a token with the scope %s, and this one has %s: make another on the account page", e.Needed, ScopeWords(e.Has))
}

// Is makes errors.Is(err, ErrForbidden) true.
func (e *ScopeError) Is(target error) bool { return target == ErrForbidden }

// TokenError is the error of a bearer token that has expired or was revoked. It matches ErrUnauthorized.
type TokenError struct {
	Name    string
	Ended   time.Time
	Revoked bool // false: it expired
}

func (e *TokenError) Error() string {
	how := "expired"
	if e.Revoked {
		how = "was revoked"
	}
	return fmt.Sprintf("the token %q %s on %s: make another on the account page", e.Name, how, e.Ended.UTC().Format(time.DateOnly))
}

// Is makes errors.Is(err, ErrUnauthorized) true.
func (e *TokenError) Is(target error) bool { return target == ErrUnauthorized }

// NewToken describes a token to be made.
type NewToken struct {
	Name     string // what it is for
	Scopes   []Scope
	Days     int    // until it expires, 1 to MaxTokenDays
	Password string // the owner's present password; the command line needs none
	Session  int64  // from which it is asked, which shows that an owner without a password is there
}

// UserByToken returns the owner of an API bearer token, and the token. ErrUnauthorized for an unknown one, *TokenError
// for one that expired or was revoked.
func (s *Service) UserByToken(ctx context.Context, secret string) (User, Token, error) {
	now := s.now()
	user, token, err := s.store.UserByTokenHash(ctx, tokenHash(secret), now)
	if user, err = signedIn(user, err); err != nil {
		return User{}, Token{}, err
	}
	switch {
	case token.RevokedAt != nil:
		return User{}, Token{}, &TokenError{Name: token.Name, Ended: *token.RevokedAt, Revoked: true}
	case !now.Before(token.ExpiresAt):
		return User{}, Token{}, &TokenError{Name: token.Name, Ended: token.ExpiresAt}
	}
	return user, token, nil
}

// CreateToken makes a bearer token and returns its secret, of which only the hash is kept. People make their own tokens, with their
// present password (ErrWrongPassword); the command line makes them for anybody.
func (s *Service) CreateToken(ctx context.Context, actor User, ownerID int64, n NewToken) (secret string, token Token, err error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return "", Token{}, err
	}
	if actor.ID != 0 && actor.ID != ownerID {
		return "", Token{}, fmt.Errorf("%w: everybody makes their own tokens", ErrForbidden)
	}
	owner, err := s.store.User(ctx, ownerID)
	if err != nil {
		return "", Token{}, err
	}
	if owner.Disabled || owner.Generator {
		return "", Token{}, fmt.Errorf("%w: %s cannot sign in, so a token of theirs could not be used", ErrForbidden, owner.Name)
	}
	highest, err := s.highest(ctx, owner)
	if err != nil {
		return "", Token{}, err
	}
	if token, err = s.newToken(owner, highest, n); err != nil {
		return "", Token{}, err
	}
	if err := s.present(ctx, actor, n.Password, n.Session); err != nil {
		return "", Token{}, err
	}
	secret = "abn_" + newSecret()
	err = s.store.InTx(ctx, func(tx Store) error {
		var err error
		if token.ID, err = tx.InsertToken(ctx, token, tokenHash(secret)); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "token.create", fmt.Sprintf("user %d", ownerID),
			fmt.Sprintf("%s: %s, until %s", token.Name, ScopeWords(token.Scopes), token.ExpiresAt.UTC().Format(time.DateOnly)))
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, token, nil
}

// newToken checks what was asked for.
func (s *Service) newToken(owner User, highest Role, n NewToken) (Token, error) {
	name, err := BoundTokenName.check("name", n.Name)
	if err != nil {
		return Token{}, err
	}
	var scopes []Scope
	for _, known := range Scopes { // in their order, each once
		if !slices.Contains(n.Scopes, known.Scope) {
			continue
		}
		if !highest.May(known.Role) {
			return Token{}, &ValidationError{Field: "scopes", Message: fmt.Sprintf("%s needs the role %s, and %s is %s", known.Scope, known.Role, owner.Name, highest)}
		}
		scopes = append(scopes, known.Scope)
	}
	for _, scope := range n.Scopes {
		if !slices.Contains(scopes, scope) {
			return Token{}, &ValidationError{Field: "scopes", Message: fmt.Sprintf("%q is no scope: choose from %s", scope, ScopeWords(AllScopes()))}
		}
	}
	if len(scopes) == 0 {
		return Token{}, &ValidationError{Field: "scopes", Message: "choose what the token is for, from " + ScopeWords(AllScopes())}
	}
	if n.Days < 1 || n.Days > MaxTokenDays {
		return Token{}, &ValidationError{Field: "days", Message: fmt.Sprintf("is from 1 to %d: no token lasts for ever", MaxTokenDays)}
	}
	now := s.now()
	return Token{UserID: owner.ID, Name: name, Scopes: scopes, CreatedAt: now, ExpiresAt: now.AddDate(0, 0, n.Days)}, nil
}

// Tokens lists a person's bearer tokens that were not revoked, newest first (an admin anybody's, everybody their own).
func (s *Service) Tokens(ctx context.Context, actor User, userID int64) ([]Token, error) {
	if err := mayOf(actor, userID); err != nil {
		return nil, err
	}
	if _, err := s.store.User(ctx, userID); err != nil {
		return nil, err
	}
	return s.store.Tokens(ctx, userID)
}

// RevokeToken ends a bearer token at once. An admin may revoke any token, others their own. It asks for no password, so that a
// token that leaked is ended quickly.
func (s *Service) RevokeToken(ctx context.Context, actor User, id int64) error {
	if err := may(actor, RoleAnnotator); err != nil {
		return err
	}
	err := s.store.InTx(ctx, func(tx Store) error {
		token, err := tx.RevokeToken(ctx, id, s.now())
		if err != nil {
			return err
		}
		if mayOf(actor, token.UserID) != nil { // somebody else's token: the answer must not tell that it exists
			return ErrNotFound
		}
		return s.audit(ctx, tx, actor, nil, "token.revoke", fmt.Sprintf("user %d", token.UserID), token.Name)
	})
	if err != nil {
		return fmt.Errorf("revoking token %d: %w", id, err)
	}
	return nil
}

// AllScopes are the scopes alone.
func AllScopes() []Scope {
	var list []Scope
	for _, s := range Scopes {
		list = append(list, s.Scope)
	}
	return list
}

// ScopeWords are scopes as people read them: "read, paint".
func ScopeWords(scopes []Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// newSecret is a text of 256 random bits, as links and tokens have it. So many need no salt: of one its tokenHash is kept.
func newSecret() string {
	random := make([]byte, 32)
	rand.Read(random)
	return base64.RawURLEncoding.EncodeToString(random)
}

func tokenHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
