package annotator_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// The link in the log makes one admin, once: not with another key, not with an older link, not after its time, not where somebody
// was added meanwhile.
func TestTheLinkInTheLogMakesTheFirstAdmin(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := pgtest.Store(t)
	now := time.Now()
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Clock: func() time.Time { return now }})
	ada := annotator.NewUser{Name: "Ada", Email: "ada@example.org", Password: "plum-kettle-91", Role: annotator.RoleAnnotator}
	refused := func(key string, u annotator.NewUser, done, wrong bool) {
		t.Helper()
		var link *annotator.SetupError
		if err := service.CheckSetupLink(ctx, key); !errors.As(err, &link) || link.Done != done || link.Wrong != wrong {
			t.Errorf("looking at it: %v, want done %t, wrong %t", err, done, wrong)
		}
		if _, err := service.CreateFirstAdmin(ctx, key, u); !errors.As(err, &link) || link.Done != done || link.Wrong != wrong {
			t.Errorf("using it: %v, want done %t, wrong %t", err, done, wrong)
		}
	}
	made := func() string {
		t.Helper()
		key, err := service.NewSetupLink(ctx, annotator.System)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if _, err := service.NewSetupLink(ctx, annotator.User{ID: 1, Role: annotator.RoleReviewer}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer makes a link: %v", err)
	}
	refused("", ada, false, true) // there is none yet
	if _, err := store.GeneratorUser(ctx, "masks"); err != nil {
		t.Fatal(err)
	}
	first := made()
	second := made()
	if first == second || len(second) < 40 {
		t.Fatalf("keys %q and %q", first, second)
	}
	refused(first, ada, false, true)
	refused("", ada, false, true)
	now = now.Add(annotator.SetupLinkLasts)
	refused(second, ada, false, false)
	now = now.Add(-time.Second)
	var invalid *annotator.ValidationError
	if _, err := service.CreateFirstAdmin(ctx, second, annotator.NewUser{Name: "Ada", Email: "ada@example.org", Password: "ada"}); !errors.As(err, &invalid) || invalid.Field != "password" {
		t.Errorf("a weak password: %v", err)
	}
	if err := service.CheckSetupLink(ctx, second); err != nil {
		t.Errorf("after a form that was refused: %v", err)
	}

	// Two send it at once: one is made.
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i, u := range []annotator.NewUser{ada, {Name: "Eve", Email: "eve@example.org", Password: "plum-kettle-92"}} {
		both.Go(func() { _, errs[i] = service.CreateFirstAdmin(ctx, second, u) })
	}
	both.Wait()
	people, err := service.Users(ctx, annotator.System)
	if err != nil {
		t.Fatal(err)
	}
	var admins []annotator.User
	for _, u := range people {
		if !u.Generator {
			admins = append(admins, u)
		}
	}
	if len(admins) != 1 || admins[0].Role != annotator.RoleAdmin || (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("two at once made %+v: %v", admins, errs)
	}
	refused(second, ada, true, false)
	if key := made(); key != "" {
		t.Errorf("a studio with people makes a link: %q", key)
	}
	var trail int
	if err := store.Pool().QueryRow(ctx, `SELECT count(*) FROM audit WHERE action = 'user.create' AND actor = 'the link in the log' OR action = 'setup.link'`).Scan(&trail); err != nil || trail != 3 {
		t.Errorf("%d lines of the trail: %v", trail, err)
	}
}

// A person added on the command line ends the link.
func TestAPersonEndsTheLink(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	service := annotator.NewService(annotator.ServiceConfig{Store: pgtest.Store(t)})
	key, err := service.NewSetupLink(ctx, annotator.System)
	if err != nil || key == "" {
		t.Fatalf("NewSetupLink = %q, %v", key, err)
	}
	if _, err := service.CreateUser(ctx, annotator.System, annotator.NewUser{Name: "Ana", Email: "ana@example.org", Password: "plum-kettle-91", Role: annotator.RoleAnnotator}); err != nil {
		t.Fatal(err)
	}
	_, err = service.CreateFirstAdmin(ctx, key, annotator.NewUser{Name: "Eve", Email: "eve@example.org", Password: "plum-kettle-92"})
	if !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("the link after somebody was added: %v", err)
	}
}
