package postgres_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/migrations"
)

// A token from before tokens had scopes keeps working, with all scopes, and expires 90 days after the upgrade. Migrating down does not
// make a revoked token valid.
func TestTokensOfBeforeKeepWorking(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(w.Store.Pool()), migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(ctx, 21); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"old", "revoked"} {
		hash := sha256.Sum256([]byte(secret))
		if _, err := w.Store.Pool().Exec(ctx, `INSERT INTO tokens (user_id, name, hash) VALUES ($1, $2, $3)`, w.Ada.ID, secret, hash[:]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		t.Fatal(err)
	}
	user, token, err := w.Service.UserByToken(ctx, "old")
	if err != nil || user.ID != w.Ada.ID {
		t.Fatalf("UserByToken = %+v, %v", user, err)
	}
	for _, s := range annotator.Scopes {
		if err := token.Allows(s.Scope); err != nil {
			t.Error(err)
		}
	}
	if left := token.ExpiresAt.Sub(w.Clock.Now()); left < 89*24*time.Hour || left > 91*24*time.Hour {
		t.Errorf("it lasts for %v", left)
	}
	list, err := w.Service.Tokens(ctx, w.Ada, w.Ada.ID)
	if err != nil || len(list) != 2 {
		t.Fatalf("the tokens are %+v, %v", list, err)
	}
	if err := w.Service.RevokeToken(ctx, w.Ada, list[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(ctx, 21); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM tokens`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d tokens are left, %v; want the one that was not revoked", n, err)
	}
}
