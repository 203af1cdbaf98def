package sealed

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// What is sealed opens with its key, for what it is about, and for nothing else; what was kept without a key is read, and told to be stale.
func TestSeal(t *testing.T) {
	t.Parallel()
	key := func(text string) Key {
		k, err := NewKey(text)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, other, none := key(strings.Repeat("a", LeastKey)), key(strings.Repeat("b", LeastKey)), key("")
	secret := []byte("twenty secret bytes.")
	kept := one.Seal(secret, "user 1")
	if bytes.Contains(kept, secret) || bytes.Equal(kept, one.Seal(secret, "user 1")) {
		t.Error("it can be read, or recognised")
	}
	if got, stale, err := one.Open(kept, "user 1"); err != nil || stale || !bytes.Equal(got, secret) {
		t.Errorf("opened: %q, %t, %v", got, stale, err)
	}
	for what, open := range map[string]func() error{
		"of another":       func() error { _, _, err := one.Open(kept, "user 2"); return err },
		"with another key": func() error { _, _, err := other.Open(kept, "user 1"); return err },
		"without a key":    func() error { _, _, err := none.Open(kept, "user 1"); return err },
		"cut off":          func() error { _, _, err := one.Open(kept[:5], "user 1"); return err },
		"changed": func() error {
			changed := bytes.Clone(kept)
			changed[len(changed)-1] ^= 1
			_, _, err := one.Open(changed, "user 1")
			return err
		},
	} {
		if err := open(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	plain := none.Seal(secret, "user 1")
	if got, stale, err := one.Open(plain, "user 1"); err != nil || !stale || !bytes.Equal(got, secret) {
		t.Errorf("kept without a key: %q, %t, %v", got, stale, err)
	}
	if _, _, err := one.Open(nil, "user 1"); err == nil {
		t.Error("nothing was opened")
	}
	if _, err := NewKey("short"); err == nil {
		t.Error("a short key is taken")
	}
}
