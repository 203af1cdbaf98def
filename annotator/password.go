package annotator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// MinPassword is the least number of characters a password has, MaxPassword the most: hashing reads
// all of it, so an endless one would cost the server.
const (
	MinPassword = 10
	MaxPassword = 200
)

// passwordHasher makes and checks argon2id hashes. Each takes 64 MiB, so only a few run at a time: of a flood of sign-ins
// some wait, and the rest are told to come back (ErrBusy), instead of exhausting the memory or waiting for minutes.
type passwordHasher struct {
	params *argon2id.Params
	queue  chan struct{} // who is hashing or waits for it
	slots  chan struct{} // who is hashing
	decoy  string        // compared with where there is no such user, so that the answer takes as long
}

// hashingAtOnce is how many passwords are hashed at a time, hashingWaits how many more may wait: those of two seconds or
// three.
const (
	hashingAtOnce = 2
	hashingWaits  = 32
)

func newPasswordHasher() passwordHasher {
	h := passwordHasher{
		// RFC 9106's second recommendation with one lane: 64 MiB, three passes.
		params: &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		queue:  make(chan struct{}, hashingAtOnce+hashingWaits),
		slots:  make(chan struct{}, hashingAtOnce),
	}
	// The decoy is a hash of the right parameters that no password has: its key is random.
	random := make([]byte, 48)
	rand.Read(random)
	b64 := base64.RawStdEncoding
	h.decoy = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.params.Memory, h.params.Iterations,
		h.params.Parallelism, b64.EncodeToString(random[:16]), b64.EncodeToString(random[16:]))
	return h
}

func (h passwordHasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.take(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return argon2id.CreateHash(password, h.params)
}

// matches reports whether password made hash; an empty hash matches nothing and takes as long.
func (h passwordHasher) matches(ctx context.Context, password, hash string) (bool, error) {
	if err := h.take(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, h.decoy)
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

func (h passwordHasher) take(ctx context.Context) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		return context.Cause(ctx)
	}
}

func (h passwordHasher) leave() {
	<-h.slots
	<-h.queue
}

func checkPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return &ValidationError{Field: "password", Message: fmt.Sprintf("use at least %d characters", MinPassword)}
	case n > MaxPassword:
		return &ValidationError{Field: "password", Message: fmt.Sprintf("use at most %d characters", MaxPassword)}
	}
	return nil
}

// newToken returns a bearer token and the hash that is kept of it. 256 random bits need no salt.
func newToken() (token string, hash []byte) {
	random := make([]byte, 32)
	rand.Read(random)
	token = "abn_" + base64.RawURLEncoding.EncodeToString(random)
	return token, tokenHash(token)
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
