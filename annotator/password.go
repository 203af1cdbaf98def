package annotator

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"github.com/alexedwards/argon2id"
	"github.com/trustelem/zxcvbn"
)

// passwordHasher makes and checks argon2id hashes. Each takes 64 MiB, so only a few run at a time. Of many sign-ins at once a few
// more wait, and the others fail with ErrBusy, so that neither memory runs out nor anybody waits for minutes.
type passwordHasher struct {
	params *argon2id.Params
	queue  chan struct{} // one entry for each caller that hashes or waits
	slots  chan struct{} // one entry for each caller that hashes
	decoy  string        // a hash compared with if there is no such user, so that the answer takes as long
}

// hashingAtOnce is how many passwords are hashed at a time, hashingWaits how many more may wait, which is for two or three seconds.
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
	// The decoy has the parameters of other hashes and a random key, so that no password matches it.
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

// matches reports whether hash is that of password. An empty hash matches no password, and takes as long to check.
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

// leastScore is the score of zxcvbn (Wheeler, USENIX Security 2016) that a password needs: an estimated 10⁸ guesses or more. Common
// passwords, also with digits and signs added, names, dates, rows of keys and repetitions take fewer.
const leastScore = 3

// guessedOf is how many characters of a password are scored. That is as long as a long sentence; scoring all of a longer one would
// take too long.
const guessedOf = 64

// checkPassword says what is wrong with a new password of the person with this email address and name.
func checkPassword(password, email, name string) error {
	if problem := BoundPassword.Problem(password); problem != "" {
		return &ValidationError{Field: "password", Message: problem}
	}
	known := []string{email, "abn", "studio", "abn studio", "abnstudio", "attention"}
	words := strings.FieldsFunc(email+" "+name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	known = append(append(known, words...), strings.ToLower(strings.Join(strings.Fields(name), "")))
	for i := range known {
		known[i] = strings.ToLower(known[i])
	}
	if runes := []rune(password); len(runes) > guessedOf {
		password = string(runes[:guessedOf])
	}
	found := zxcvbn.PasswordStrength(password, known)
	if found.Score >= leastScore {
		return nil
	}
	why := "it repeats, counts, or follows the keyboard or the calendar"
	for _, m := range found.Sequence {
		switch m.DictionaryName {
		case "":
		case "user_inputs":
			why = "it is made of the name or the address of the person or the studio"
		case "passwords":
			why = "it is one of the most common passwords, or near one"
		default:
			why = "it is a common word or name, or near one"
		}
		if m.DictionaryName != "" {
			break
		}
	}
	return &ValidationError{Field: "password", Message: "is easy to guess: " + why + ". Take four words that have nothing to do with one another"}
}
