package blob

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A store remembers its owner, and a sweep does not remove the file that names it.
func TestClaim(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Claim(ctx, "birds-studio"); err != nil {
			t.Fatalf("its owner's claim: %v", err)
		}
	}
	hash, _, err := s.Put(ctx, strings.NewReader("a picture"))
	if err != nil {
		t.Fatal(err)
	}
	if removed, _, err := s.Sweep(ctx, -time.Minute, func(string) bool { return false }); err != nil || removed != 1 {
		t.Errorf("swept %d, %v; want the one file", removed, err)
	}
	if there, _ := s.Exists(ctx, hash); there {
		t.Error("the file is still there")
	}
	if err := s.Claim(ctx, "another"); !errors.Is(err, ErrOwned) || !strings.Contains(err.Error(), "birds-studio") {
		t.Errorf("another studio's claim: %v, want ErrOwned", err)
	}
}
