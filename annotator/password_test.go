package annotator

import (
	"errors"
	"testing"

	"github.com/alexedwards/argon2id"
)

// The queue before the hashing is bounded: who comes when it is full is told so at once, and costs nothing.
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
