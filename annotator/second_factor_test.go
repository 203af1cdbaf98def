package annotator_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/sealed"
)

// The secret of an app is kept under the studio's key, if it has one: with another it is worth nothing, and recovery codes still are. What was
// kept without a key is sealed when a code is next taken. A clock that is off by one step is right, by two wrong.
func TestFactorsAreSealed(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	service := func(key string) *annotator.Service {
		k, err := sealed.NewKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return annotator.NewService(annotator.ServiceConfig{Store: w.Store, Clock: w.Clock.Now, Sealing: k})
	}
	none, one, other := service(""), service(strings.Repeat("1", sealed.LeastKey)), service(strings.Repeat("2", sealed.LeastKey))
	eve, err := none.CreateUser(ctx, annotator.System, annotator.NewUser{Email: "eve@example.org", Name: "Eve", Password: "plum-kettle-91", Role: annotator.RoleAnnotator})
	if err != nil {
		t.Fatal(err)
	}
	setup, err := none.BeginFactor(ctx, eve, "plum-kettle-91")
	if err != nil {
		t.Fatal(err)
	}
	code := func(steps int) string {
		code, err := totp.GenerateCode(setup.Secret, w.Clock.Now().Add(time.Duration(steps)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if needed, err := none.NeedsCode(ctx, eve); err != nil || needed {
		t.Errorf("asked for before it was confirmed: %v", err)
	}
	recovery, err := none.ConfirmFactor(ctx, eve, code(0))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(setup.Secret)
	if err != nil {
		t.Fatal(err)
	}
	readable := func() bool {
		var kept []byte
		if err := w.Store.Pool().QueryRow(ctx, `SELECT secret FROM second_factors WHERE user_id = $1`, eve.ID).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(kept, secret)
	}
	if !readable() {
		t.Error("without a key it cannot be read")
	}
	w.Clock.Add(time.Minute)
	if _, err := one.CheckCode(ctx, eve.ID, code(0), annotator.Client{}); err != nil {
		t.Fatal(err)
	}
	if readable() {
		t.Error("with a key it can be read")
	}
	w.Clock.Add(2 * time.Minute)
	for _, s := range []*annotator.Service{none, other} {
		if _, err := s.CheckCode(ctx, eve.ID, code(0), annotator.Client{}); !errors.Is(err, sealed.ErrKey) || !errors.Is(err, annotator.ErrUnavailable) {
			t.Errorf("without the key: %v", err)
		}
	}
	if _, err := other.CheckCode(ctx, eve.ID, recovery[0], annotator.Client{}); err != nil {
		t.Errorf("a recovery code without the key: %v", err)
	}
	for steps, right := range map[int]bool{-2: false, 2: false} {
		if _, err := one.CheckCode(ctx, eve.ID, code(steps), annotator.Client{}); (err == nil) != right {
			t.Errorf("%d steps off: %v", steps, err)
		}
	}
	for _, steps := range []int{-1, 0, 1} { // in their order
		if _, err := one.CheckCode(ctx, eve.ID, code(steps), annotator.Client{}); err != nil {
			t.Errorf("%d steps off: %v", steps, err)
		}
		if _, err := one.CheckCode(ctx, eve.ID, code(steps), annotator.Client{}); !errors.Is(err, annotator.ErrWrongCode) {
			t.Errorf("%d steps off, again: %v", steps, err)
		}
	}
}
