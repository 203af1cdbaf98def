package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/abn-studio/studio/annotator"
)

// app is somebody's authenticator app, since a moment.
type app struct {
	t      *testing.T
	secret string
	since  time.Time
}

// code is what the app shows at first (0) or next (1): both are taken, also if the next step begins meanwhile.
func (a app) code(steps int) string {
	a.t.Helper()
	code, err := totp.GenerateCode(a.secret, a.since.Add(time.Duration(steps)*30*time.Second))
	must(a.t, err)
	return code
}

// withFactor sets up the second factor of who is signed in in a browser, and returns the app and the recovery codes.
func withFactor(t *testing.T, b *browser) (app, []string) {
	t.Helper()
	page := b.post("/account/factor", url.Values{"current": {password}}).want(http.StatusOK)
	page.has("#factor svg.qr path", "")
	a := app{t, strings.ReplaceAll(page.page().Find("[data-secret]").Text(), " ", ""), time.Now()}
	b.post("/account/factor/confirm", url.Values{"code": {"12345"}}).want(http.StatusUnprocessableEntity).has("#factor [data-secret]", "") // it is shown again
	done := b.post("/account/factor/confirm", url.Values{"code": {a.code(0)}}).want(http.StatusOK)
	recovery := strings.Fields(done.page().Find("[data-recovery]").Text())
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	return a, recovery
}

// typed types the password of the annotator in a new browser.
func (s *studio) typed() (*browser, *response) {
	b := s.nobody()
	return b, b.post("/signin", url.Values{"email": {"annotator@example.org"}, "password": {password}, "next": {"/guide"}})
}

// With a second factor the password alone lets nobody in, by page or API. A code is taken once, a recovery code as well, and of both the trail
// has what fails.
func TestFactorIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.Codes.PerPair = 50 })
	me := s.people[annotator.RoleAnnotator]
	b := s.as(annotator.RoleAnnotator)
	b.post("/account/factor", url.Values{"current": {"guessed"}}).want(http.StatusUnprocessableEntity).has("#factor .notice-bad", "present password is another one")
	b.get("/account").want(http.StatusOK).hasNot("[data-secret]")
	a, recovery := withFactor(t, b)
	b.get("/account").want(http.StatusOK).has("#factor", "On. 10 recovery codes are left.")
	b.get("/account").want(http.StatusOK).hasNot("[data-recovery], [data-secret]")
	b.post("/account/factor", url.Values{"current": {password}}).want(http.StatusUnprocessableEntity).has("#factor .notice-bad", "asked for already")

	guest, r := s.typed()
	if to := r.want(http.StatusSeeOther).Header.Get("Location"); to != "/signin/code?next=%2Fguide" {
		t.Errorf("sent to %s", to)
	}
	guest.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)
	guest.get("/guide").want(http.StatusSeeOther)
	guest.get("/signin/code?next=%2Fguide").want(http.StatusOK).has(`form[action="/signin/code"] [name=code]`, "")
	now := a.code(1)
	guest.post("/signin/code", url.Values{"code": {a.code(0)}, "next": {"/guide"}}).want(http.StatusUnprocessableEntity).has(".notice-bad", "no code of this moment") // it confirmed the app
	if to := guest.post("/signin/code", url.Values{"code": {now[:3] + " " + now[3:]}, "next": {"//elsewhere.example"}}).want(http.StatusSeeOther).Header.Get("Location"); to != "/projects" {
		t.Errorf("sent to %s", to)
	}
	guest.api(http.MethodGet, "/session", nil).want(http.StatusOK)
	again, _ := s.typed()
	again.post("/signin/code", url.Values{"code": {now}}).want(http.StatusUnprocessableEntity) // once
	again.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)
	again.post("/signin/code", url.Values{"code": {strings.ToLower(recovery[3])}}).want(http.StatusSeeOther)
	again.api(http.MethodGet, "/session", nil).want(http.StatusOK)
	third, _ := s.typed()
	third.post("/signin/code", url.Values{"code": {recovery[3]}}).want(http.StatusUnprocessableEntity) // once
	s.nobody().post("/signin/code", url.Values{"code": {a.code(1)}}).want(http.StatusUnauthorized).has(".notice-bad", "Type your password first")

	// The API asks for it, too.
	with := func(code string) *response {
		return s.nobody().api(http.MethodPost, "/session", map[string]any{"email": me.Email, "password": password, "code": code})
	}
	if p := into[Problem](with("").want(http.StatusUnauthorized)); len(p.Errors) != 1 || p.Errors[0].Location != "body.code" {
		t.Errorf("without a code: %+v", p)
	}
	with("000000").want(http.StatusUnprocessableEntity)
	with(now).want(http.StatusUnprocessableEntity)
	with(recovery[4]).want(http.StatusOK)

	lines := s.trailLines("%")
	of := userWord(me.ID)
	for _, line := range []string{me.Name + " factor.on " + of, "somebody session.fail " + of + " wrong code; ", me.Name + " factor.recover " + of + " 9 recovery codes left", me.Name + " session.start " + of + " with a code; "} {
		if !has(lines, line) {
			t.Errorf("the trail lacks %q", line)
		}
	}
	var kept int
	must(t, s.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM recovery_codes c WHERE to_jsonb(c)::text LIKE '%' || $1 || '%'`, recovery[0]).Scan(&kept))
	if kept != 0 {
		t.Error("recovery codes are kept as they are")
	}
}

func userWord(id int64) string { return fmt.Sprintf("user %d", id) }

// It is turned off with password and code, by an admin for another, and recovery codes are made anew; of all old ones none is taken.
func TestFactorIsTurnedOff(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.Codes.PerPair = 50 })
	me := s.people[annotator.RoleAnnotator]
	b, admin := s.as(annotator.RoleAnnotator), s.as(annotator.RoleAdmin)
	a, recovery := withFactor(t, b)
	b.post("/account/factor/off", url.Values{"current": {password}, "code": {"000000"}}).want(http.StatusUnprocessableEntity).has("#factor .notice-bad", "no code of this moment")
	b.post("/account/factor/off", url.Values{"current": {"guessed"}, "code": {a.code(1)}}).want(http.StatusUnprocessableEntity).has("#factor .notice-bad", "present password")
	fresh := strings.Fields(b.post("/account/factor/codes", url.Values{"current": {password}, "code": {a.code(1)}}).want(http.StatusOK).page().Find("[data-recovery]").Text())
	guest, _ := s.typed()
	guest.post("/signin/code", url.Values{"code": {recovery[0]}}).want(http.StatusUnprocessableEntity)
	b.post("/account/factor/off", url.Values{"current": {password}, "code": {fresh[0]}}).want(http.StatusSeeOther)
	_, r := s.typed()
	if to := r.want(http.StatusSeeOther).Header.Get("Location"); to != "/guide" {
		t.Errorf("sent to %s", to)
	}
	guest.post("/signin/code", url.Values{"code": {fresh[1]}}).want(http.StatusUnprocessableEntity)

	withFactor(t, b)
	path := fmt.Sprintf("/users/%d/factor", me.ID)
	s.as(annotator.RoleReviewer).api(http.MethodDelete, path, nil).want(http.StatusForbidden)
	if w := into[annotator.SignInWays](admin.api(http.MethodGet, fmt.Sprintf("/users/%d/ways", me.ID), nil).want(http.StatusOK)); !w.Code || w.Recovery != 10 {
		t.Errorf("they sign in by %+v", w)
	}
	admin.get(fmt.Sprintf("/people/%d/ways", me.ID)).want(http.StatusOK).has(fmt.Sprintf(`form[action="/people/%d/factor/off"] button`, me.ID), "Take the code off")
	admin.post(fmt.Sprintf("/people/%d/factor/off", me.ID), nil).want(http.StatusSeeOther)
	admin.api(http.MethodDelete, path, nil).want(http.StatusNotFound)
	admin.api(http.MethodDelete, fmt.Sprintf("/users/%d/factor", s.people[annotator.RoleAdmin].ID), nil).want(http.StatusConflict)
	s.as(annotator.RoleAnnotator)
}

// Who has the password guesses few codes, from one address or many, and who is disabled meanwhile does not come in.
func TestFactorIsNotGuessed(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.Codes.Refill = time.Hour })
	b := s.as(annotator.RoleAnnotator)
	a, _ := withFactor(t, b) // one wrong code of five was typed
	guest, _ := s.typed()
	for range 4 {
		guest.post("/signin/code", url.Values{"code": {"000000"}}).want(http.StatusUnprocessableEntity)
	}
	r := guest.post("/signin/code", url.Values{"code": {a.code(1)}}).want(http.StatusTooManyRequests)
	if r.has(".notice-bad", "oo many failed sign-ins"); r.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	s.nobody().api(http.MethodPost, "/session", map[string]any{"email": "annotator@example.org", "password": password, "code": a.code(1)}).want(http.StatusTooManyRequests)

	other := s.as(annotator.RoleReviewer)
	theirs, _ := withFactor(t, other)
	late := s.nobody()
	late.post("/signin", url.Values{"email": {"reviewer@example.org"}, "password": {password}}).want(http.StatusSeeOther)
	yes := true
	_, err := s.service.ChangeUser(t.Context(), s.people[annotator.RoleAdmin], s.people[annotator.RoleReviewer].ID, annotator.UserChange{Disabled: &yes})
	must(t, err)
	if r := late.post("/signin/code", url.Values{"code": {theirs.code(1)}}); r.StatusCode == http.StatusSeeOther {
		t.Error("somebody who is disabled came in")
	}
}
