package annotator

import (
	"errors"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
)

// The queue for hashing is bounded: a caller that finds it full gets ErrBusy at once, and nothing is hashed for it.
func TestHashingQueueIsBounded(t *testing.T) {
	t.Parallel()
	h := newPasswordHasher()
	h.params = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	for range hashingAtOnce {
		h.slots <- struct{}{} // somebody hashes, and does not end
	}
	answers := make(chan error)
	for range hashingAtOnce + hashingWaits + 20 {
		go func() {
			_, err := h.hash(t.Context(), "correct horse")
			answers <- err
		}()
	}
	for range 20 {
		if err := <-answers; !errors.Is(err, ErrBusy) {
			t.Fatalf("beyond the queue: %v, want ErrBusy", err)
		}
	}
	for range hashingAtOnce { // they end
		<-h.slots
	}
	for range hashingAtOnce + hashingWaits {
		if err := <-answers; err != nil {
			t.Fatalf("in the queue: %v", err)
		}
	}
	if _, err := h.hash(t.Context(), "correct horse"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Passwords that are easy to guess are refused for everybody; a few unrelated words are accepted.
func TestCommonPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"password12", "Password123!", "P@ssw0rd123!", "1234567890", "0123456789", "qwertyuiop", "1q2w3e4r5t", "iloveyou123", "letmein1234",
		"Welcome2024!", "Summer2026!", "administrator", "changeme123", "football2026", "passwordpassword", "drowssap123", "trustno1trustno1",
		"aaaaaaaaaa", "abcabcabcabc", "abcdefghij", "1111111111", "2026-11-27", "12/24/1986 ", strings.Repeat("ab", 100), strings.Repeat("7", BoundPassword.Most),
		"ada@example.org", "adalovelace", "AdaLovelace1", "lovelace-1815", "ABN Studio", "abnstudio2026",
		"ninechars", "", strings.Repeat("correct horse ", 20), "kettle\xff plum orbit",
	} {
		if err := asValidation(checkPassword(password, "ada@example.org", "Ada Lovelace")); err == nil || err.Field != "password" {
			t.Errorf("%q: %v, want it refused", password, err)
		}
	}
	for _, password := range []string{"correct horse battery", "plum-kettle-91", "paint-the-bird", "judge-the-map", "run-the-round", "xk7-qpl-3mm", "vier Worte ohne Sinn", "東京の秋は美しいね、きっと", strings.Repeat("plum kettle orbit ", 11)} {
		if err := checkPassword(password, "ada@example.org", "Ada Lovelace"); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	for password, why := range map[string]string{"password1234": "one of the most common", "adalovelace1": "name or the address", "abcdefghijk": "counts"} {
		if err := checkPassword(password, "ada@example.org", "Ada Lovelace"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want it to say %q", password, err, why)
		}
	}
}
