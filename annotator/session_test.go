package annotator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// Everybody sees and ends their own sessions, an admin anybody's; one that ended, or expired, is nobody's. Seeing one is noted within ten
// minutes.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	begin := func(u annotator.User, browser string) annotator.Session {
		t.Helper()
		session, err := s.BeginSession(ctx, u, annotator.Client{Browser: browser, System: "Linux", Address: "203.0.113.77"})
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	laptop, phone, admins := begin(w.Ada, "Firefox"), begin(w.Ada, "Safari"), begin(w.Admin, "Chrome")
	w.Clock.Add(time.Hour)
	if u, err := s.UserBySession(ctx, laptop.ID); err != nil || u.ID != w.Ada.ID {
		t.Errorf("whose session: %+v, %v", u, err)
	}
	list, err := s.Sessions(ctx, w.Ada, w.Ada.ID, phone.ID)
	if err != nil || len(list) != 2 || list[0].ID != laptop.ID || !list[0].SeenAt.Equal(w.Clock.Now()) || list[0].Current || !list[1].Current || list[1].Address != "203.0.113.77" {
		t.Errorf("the sessions are %+v, %v", list, err)
	}
	if _, err := s.Sessions(ctx, w.Bob, w.Ada.ID, 0); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("another's sessions: %v", err)
	}
	if err := s.EndSession(ctx, w.Bob, laptop.ID); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("ending another's: %v", err)
	}
	if err := s.EndSession(ctx, w.Ada, laptop.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.UserBySession(ctx, laptop.ID); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("an ended session: %v", err)
	}
	begin(w.Ada, "Edge")
	if n, err := s.EndSessions(ctx, w.Ada, w.Ada.ID, phone.ID); err != nil || n != 1 {
		t.Errorf("ended %d others, %v", n, err)
	}
	if err := s.EndSession(ctx, w.Admin, phone.ID); err != nil {
		t.Errorf("an admin ends it: %v", err)
	}
	w.Clock.Add(annotator.SessionLasts)
	if _, err := s.UserBySession(ctx, admins.ID); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("an expired session: %v", err)
	}
	if list, err := s.Sessions(ctx, w.Admin, w.Admin.ID, 0); err != nil || len(list) != 0 {
		t.Errorf("expired sessions are listed: %+v, %v", list, err)
	}
}

// The trail says who signed in, from where (shortened), who failed to, and what ended. What was typed as an address that nobody has is in
// no row, and of many failures it has some lines that count the others.
func TestSignInsAreInTheTrail(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, s := t.Context(), w.Service
	eve, err := s.CreateUser(ctx, annotator.System, annotator.NewUser{Email: "eve@example.org", Name: "Eve", Password: "plum-kettle-91", Role: annotator.RoleAnnotator})
	if err != nil {
		t.Fatal(err)
	}
	from := annotator.Client{Browser: "Firefox", System: "Linux", Address: "203.0.113.77"}
	if _, err := s.BeginSession(ctx, eve, from); err != nil {
		t.Fatal(err)
	}
	const typed = "my-secret-pass-word"
	for _, wrong := range [][2]string{{"eve@example.org", typed}, {typed, "x"}, {"eve@example.org", strings.Repeat("x", 300)}} {
		if _, err := s.SignIn(ctx, wrong[0], wrong[1], from); !errors.Is(err, annotator.ErrUnauthorized) {
			t.Errorf("signing in: %v", err)
		}
	}
	if _, err := s.ChangeUser(ctx, eve, eve.ID, annotator.UserChange{Password: new("kettle-plum-19"), Present: typed}); !errors.Is(err, annotator.ErrWrongPassword) {
		t.Errorf("a wrong present password: %v", err)
	}
	if _, err := s.ChangeUser(ctx, annotator.System, eve.ID, annotator.UserChange{Password: new("kettle-plum-19")}); err != nil {
		t.Fatal(err)
	}
	lines := func() (all []string) {
		t.Helper()
		rows, err := w.Store.Pool().Query(ctx, `SELECT actor || ' ' || action || ' ' || subject || ' ' || detail FROM audit WHERE action LIKE 'session.%' OR action LIKE 'password.%' ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			all = append(all, line)
		}
		return all
	}
	of := fmt.Sprintf("user %d", eve.ID)
	want := []string{
		"Eve session.start " + of + " Firefox, Linux, 203.0.113.x",
		"somebody session.fail " + of + " wrong password; Firefox, Linux, 203.0.113.x",
		"somebody session.fail an address that nobody has wrong address; Firefox, Linux, 203.0.113.x",
		"somebody session.fail " + of + " wrong password; Firefox, Linux, 203.0.113.x",
		"Eve password.fail " + of + " wrong present password, in a session",
		"command line session.end " + of + " 1 session; new password",
	}
	if got := lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the trail:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	long := strings.Repeat("x", 300) // is refused without hashing
	for range 40 {
		_, _ = s.SignIn(ctx, "eve@example.org", long, from)
	}
	some := len(lines()) - len(want)
	if some < 10 || some > 20 {
		t.Errorf("40 failures made %d lines", some)
	}
	w.Clock.Add(time.Minute)
	_, _ = s.SignIn(ctx, "eve@example.org", long, from)
	if got := lines(); !strings.HasSuffix(got[len(got)-1], fmt.Sprintf("; %d before it are not listed", 40-some)) {
		t.Errorf("the last line is %q after %d of 40", got[len(got)-1], some)
	}
	if got := (annotator.Client{Address: "2001:db8:1:2::3"}).String(); got != "2001:db8:1::x" {
		t.Errorf("shortened: %q", got)
	}
}
