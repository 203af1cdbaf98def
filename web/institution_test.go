package web

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/oidc"
	"github.com/abn-studio/studio/internal/oidc/oidctest"
)

// institute is a studio whose people a real provider signs in, too.
type institute struct {
	*studio
	provider *oidctest.Provider
}

// uni is what the provider's groups mean, unless a test says otherwise.
func uni(p *oidctest.Provider) *annotator.Institution {
	return &annotator.Institution{Name: "Example University", Issuer: p.Issuer, Groups: []annotator.GroupRole{
		{Group: "staff", Role: annotator.RoleReviewer}, {Group: "students", Role: annotator.RoleAnnotator}, {Group: "it", Role: annotator.RoleAdmin},
		{Group: "ornithology", Project: "birds", Role: annotator.RoleLead}, {Group: "guests", Project: "birds", Role: annotator.RoleAnnotator}, {Group: "guests", Project: "goats", Role: annotator.RoleLead},
	}}
}

func newInstitute(t *testing.T, change ...func(*annotator.Institution, *oidc.Settings)) *institute {
	t.Helper()
	s := &institute{}
	s.provider = oidctest.Start(t, func() []string { return []string{s.http.URL + InstitutionBack} })
	i, settings := uni(s.provider), oidc.Settings{Issuer: s.provider.Issuer, ClientID: oidctest.ClientID, Secret: oidctest.Secret}
	for _, f := range change {
		f(i, &settings)
	}
	client, err := oidc.New(settings)
	must(t, err)
	s.studio = studioOf(t, i, func(c *Config) { c.Institution = client })
	return s
}

// leave goes to the provider, and returns the address to which that sends the browser back.
func (s *institute) leave(b *browser, query string) *url.URL {
	s.t.Helper()
	to := b.get(institutionPath + query).want(http.StatusSeeOther).Header.Get("Location")
	if !strings.HasPrefix(to, s.provider.Issuer+"/authorize?") {
		s.t.Fatalf("sent to %s", to)
	}
	return s.provider.Visit(s.t, to)
}

// signsIn lets the provider sign somebody in, in a new browser.
func (s *institute) signsIn(who oidctest.Person) (*browser, *response) {
	s.t.Helper()
	s.provider.Knows(who)
	b := s.nobody()
	return b, b.get(s.leave(b, "?next=%2Fguide").RequestURI())
}

func (s *studio) trailLines(of string) (lines []string) {
	s.t.Helper()
	rows, err := s.store.Pool().Query(s.t.Context(), `SELECT actor || ' ' || action || ' ' || subject || ' ' || detail FROM audit WHERE action LIKE $1 ORDER BY id`, of)
	must(s.t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		must(s.t, rows.Scan(&line))
		lines = append(lines, line)
	}
	return lines
}

func has(lines []string, part string) bool {
	return strings.Contains("\n"+strings.Join(lines, "\n"), part)
}

var maria = oidctest.Person{Subject: "maria", Name: "Maria Sibylla", Email: "maria@uni.example", Verified: true, Groups: []string{"staff", "ornithology"}}

// Somebody comes in by their institution: they get an account with what their groups say, without a password, and go where they wanted to.
// At each sign-in their groups decide again.
func TestInstitutionSignsIn(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	s.nobody().get("/signin?next=%2Fguide").want(http.StatusOK).has(`a[href="/signin/institution?next=%2Fguide"]`, "Sign in with Example University")
	b, r := s.signsIn(maria)
	if to := r.want(http.StatusSeeOther).Header.Get("Location"); to != "/guide" {
		t.Errorf("sent to %s", to)
	}
	me := into[signedIn](b.api(http.MethodGet, "/session", nil).want(http.StatusOK))
	if me.User.Email != maria.Email || me.User.Name != maria.Name || me.Role != annotator.RoleReviewer {
		t.Errorf("signed in: %+v", me)
	}
	if p := into[annotator.ProjectSummary](b.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleLead {
		t.Errorf("they are %s in the project", p.Role)
	}
	ways := into[annotator.SignInWays](b.api(http.MethodGet, fmt.Sprintf("/users/%d/ways", me.User.ID), nil).want(http.StatusOK))
	if ways.Password || len(ways.Identities) != 1 || ways.Identities[0].Subject != "maria" {
		t.Errorf("they sign in by %+v", ways)
	}
	s.nobody().post("/signin", url.Values{"email": {maria.Email}, "password": {""}}).want(http.StatusUnauthorized)

	// The next time they are fewer: groups are the last word, in the studio and in projects that groups decide on.
	less := maria
	less.Groups, less.Email = []string{"students"}, "other@uni.example" // whom it vouches for is the same, whatever the address
	b, r = s.signsIn(less)
	r.want(http.StatusSeeOther)
	if again := into[signedIn](b.api(http.MethodGet, "/session", nil).want(http.StatusOK)); again.User.ID != me.User.ID || again.Role != annotator.RoleAnnotator || again.User.Email != maria.Email {
		t.Errorf("signed in again: %+v", again)
	}
	b.api(http.MethodGet, "/projects/birds", nil).want(http.StatusNotFound)
	more := maria
	more.Groups = []string{"students", "guests"}
	b, r = s.signsIn(more)
	r.want(http.StatusSeeOther)
	if p := into[annotator.ProjectSummary](b.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Role != annotator.RoleAnnotator {
		t.Errorf("they are %s in the project", p.Role)
	}
	of := fmt.Sprintf("user %d", me.User.ID)
	for _, line := range []string{"Example University user.create " + of + " reviewer", "Example University identity.link " + of + " a new account; " + s.provider.Issuer,
		"Maria Sibylla session.start " + of + " by the institution; ", "Example University user.change " + of + " role annotator; by groups",
		"Example University member.add " + of + " lead; by groups", "Example University member.remove " + of + " by groups"} {
		if lines := s.trailLines("%"); !has(lines, line) {
			t.Errorf("the trail lacks %q", line)
		}
	}

	// Who is in no group is told so, and what to do; who is disabled stays out.
	none := maria
	none.Groups = []string{"alumni"}
	b, r = s.signsIn(none)
	r.want(http.StatusForbidden).has(".notice-bad", "none of your groups there is let into this studio. Ask whoever runs the studio")
	b.get("/projects").want(http.StatusSeeOther)
	stranger := oidctest.Person{Subject: "stranger", Email: "stranger@uni.example", Verified: true}
	_, r = s.signsIn(stranger)
	r.want(http.StatusForbidden)
	yes := true
	_, err := s.service.ChangeUser(t.Context(), annotator.System, me.User.ID, annotator.UserChange{Disabled: &yes})
	must(t, err)
	b, r = s.signsIn(maria)
	r.want(http.StatusForbidden).has(".notice-bad", "Your account is disabled")
	b.get("/projects").want(http.StatusSeeOther)
	lines := s.trailLines("session.fail")
	for _, line := range []string{"somebody session.fail " + of + " by the institution; in no group that is let in", "somebody session.fail somebody without an account by the institution; in no group", of + " by the institution; disabled account"} {
		if !has(lines, line) {
			t.Errorf("the trail lacks %q: %q", line, lines)
		}
	}
	if has(lines, "stranger") {
		t.Error("the trail names somebody who was not let in")
	}
}

// An account that is there already is nobody's who merely comes with its address: not with one that is not verified, whatever is set, and not
// with a verified one either unless that is set, or the owner connects it.
func TestInstitutionTakesOverNoAccount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		byEmail, trust bool
		verified, said bool
		let            bool
		why            string
	}{
		{name: "unverified", said: true, why: "is verified. Verify it there"},
		{name: "unverified, though accounts are found by address and addresses trusted", byEmail: true, trust: true, said: true, why: "is verified"},
		{name: "not said", byEmail: true, why: "is verified"},
		{name: "not said, though trusted", trust: true, why: "Sign in with its password, and connect it"},
		{name: "verified", verified: true, said: true, why: "Sign in with its password, and connect it"},
		{name: "verified, accounts are found by address", byEmail: true, verified: true, said: true, let: true},
		{name: "not said, both set", byEmail: true, trust: true, let: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newInstitute(t, func(i *annotator.Institution, o *oidc.Settings) { i.LinkByEmail, o.TrustEmail = c.byEmail, c.trust })
			who := oidctest.Person{Subject: "mallory", Name: "M", Email: strings.ToUpper(s.people[annotator.RoleAdmin].Email), Verified: c.verified, Unsaid: !c.said, Groups: []string{"it"}}
			b, r := s.signsIn(who)
			if !c.let {
				r.want(http.StatusForbidden).has(".notice-bad", c.why)
				b.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)
				if n := len(s.trailLines("identity.link")); n != 0 {
					t.Errorf("%d were connected", n)
				}
				if !c.verified && !c.trust { // nor is an account made for an address of anybody's
					who.Email = "somebody.else@example.org"
					_, r = s.signsIn(who)
					r.want(http.StatusForbidden)
				}
				return
			}
			r.want(http.StatusSeeOther)
			if me := into[signedIn](b.api(http.MethodGet, "/session", nil).want(http.StatusOK)); me.User.ID != s.people[annotator.RoleAdmin].ID {
				t.Errorf("signed in: %+v", me)
			}
		})
	}
}

// The owner of an account connects it, after typing their password; from then on both let them in. Who sets a trap for another's browser
// connects nothing.
func TestInstitutionIsConnectedByTheOwner(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	owner, me := s.as(annotator.RoleReviewer), s.people[annotator.RoleReviewer]
	owner.get("/account").want(http.StatusOK).has(`#ways form[action="/account/identities"] button`, "Connect with Example University")
	owner.post("/account/identities", url.Values{"current": {"guessed"}}).want(http.StatusUnprocessableEntity).has("#ways .notice-bad", "present password is another one")
	s.provider.Knows(oidctest.Person{Subject: "rui", Email: "private@mail.example", Groups: []string{"staff"}}) // its address need not be the account's
	page := owner.post("/account/identities", url.Values{"current": {password}}).want(http.StatusOK)
	link, _ := page.page().Find("main a.primary").Attr("href")
	if refresh := page.Header.Get("Refresh"); refresh != "0; url="+link {
		t.Errorf("leads to %s", refresh)
	}
	back := s.provider.Visit(t, link)

	// Another's way, set into the owner's browser with a cookie, leads nowhere: their session was not asked for it.
	mallory := s.nobody()
	s.provider.Knows(oidctest.Person{Subject: "mallory", Groups: []string{"staff"}})
	theirs := s.leave(mallory, "")
	home, err := url.Parse(s.http.URL)
	must(t, err)
	for _, c := range mallory.client.Jar.Cookies(home) {
		if c.Name == "studio-way" {
			var out wayOut
			kept, err := base64.RawURLEncoding.DecodeString(c.Value)
			must(t, err)
			must(t, json.Unmarshal(kept, &out))
			out.Link = true
			kept, err = json.Marshal(out)
			must(t, err)
			c.Value = base64.RawURLEncoding.EncodeToString(kept)
			victim := s.as(annotator.RoleReviewer)
			victim.client.Jar.SetCookies(home, []*http.Cookie{c})
			victim.get(theirs.RequestURI()).want(http.StatusSeeOther)
			victim.get("/account").want(http.StatusOK).has(".notice-bad", "not begun in this browser")
		}
	}
	if n := len(s.trailLines("identity.link")); n != 0 {
		t.Fatalf("%d were connected", n)
	}

	owner.get(back.RequestURI()).want(http.StatusSeeOther)
	owner.get("/account").want(http.StatusOK).has("#ways tr[data-identity]", "as rui")
	owner.get(back.RequestURI()).want(http.StatusSeeOther) // once
	owner.get("/account").want(http.StatusOK).has(".notice-bad", "Begin again")
	b, r := s.signsIn(oidctest.Person{Subject: "rui", Groups: []string{"staff"}})
	r.want(http.StatusSeeOther)
	if in := into[signedIn](b.api(http.MethodGet, "/session", nil).want(http.StatusOK)); in.User.ID != me.ID {
		t.Errorf("signed in: %+v", in)
	}

	// Nobody else's account is connected with the same person.
	other := s.as(annotator.RoleAnnotator)
	page = other.post("/account/identities", url.Values{"current": {password}}).want(http.StatusOK)
	link, _ = page.page().Find("main a.primary").Attr("href")
	other.get(s.provider.Visit(t, link).RequestURI()).want(http.StatusSeeOther)
	other.get("/account").want(http.StatusOK).has(".notice-bad", "another account of this studio")

	// It is ended by the owner or an admin, not by others, and not where nobody could sign in any more.
	ways := into[annotator.SignInWays](owner.api(http.MethodGet, fmt.Sprintf("/users/%d/ways", me.ID), nil).want(http.StatusOK))
	at := fmt.Sprintf("/users/%d/identities/%d", me.ID, ways.Identities[0].ID)
	other.api(http.MethodDelete, at, nil).want(http.StatusForbidden)
	s.as(annotator.RoleAdmin).get(fmt.Sprintf("/people/%d/ways", me.ID)).want(http.StatusOK).has("tr[data-identity] button", "Disconnect")
	owner.post(fmt.Sprintf("/account/identities/%d/remove", ways.Identities[0].ID), nil).want(http.StatusSeeOther)
	_, r = s.signsIn(oidctest.Person{Subject: "rui", Email: me.Email, Verified: true, Groups: []string{"staff"}})
	r.want(http.StatusForbidden)
	b, r = s.signsIn(maria)
	r.want(http.StatusSeeOther)
	in := into[signedIn](b.api(http.MethodGet, "/session", nil))
	ways = into[annotator.SignInWays](b.api(http.MethodGet, fmt.Sprintf("/users/%d/ways", in.User.ID), nil).want(http.StatusOK))
	s.as(annotator.RoleAdmin).api(http.MethodDelete, fmt.Sprintf("/users/%d/identities/%d", in.User.ID, ways.Identities[0].ID), nil).want(http.StatusConflict)
}

// Who has no password shows that it is them by signing in at the institution a moment ago; that it signed them in without asking is not enough.
// They give themselves no password.
func TestInstitutionShowsPresence(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	s.provider.Asleep.Store(true)
	b, r := s.signsIn(maria)
	r.want(http.StatusSeeOther)
	token := map[string]any{"name": "script", "scopes": []string{"read"}}
	refused := into[Problem](b.api(http.MethodPost, "/tokens", token).want(http.StatusUnprocessableEntity))
	if !strings.Contains(refused.Detail, "show once more that it is you") {
		t.Errorf("told %q", refused.Detail)
	}
	page := b.get("/account").want(http.StatusOK)
	page.hasNot(`form[action="/account/password"]`)
	page.has(`a[href="/signin/institution?again=1&next=%2Faccount"]`, "Show that it is you")
	back := s.leave(b, "?again=1&next=%2Faccount")
	b.get(back.RequestURI()).want(http.StatusSeeOther) // the provider did not ask: it says an hour ago
	b.get("/account").want(http.StatusOK).has(".notice-bad", "is not valid")
	s.provider.Asleep.Store(false)
	other := maria
	other.Subject, other.Email = "otto", "otto@uni.example"
	s.provider.Knows(other)
	b.get(s.leave(b, "?again=1&next=%2Faccount").RequestURI()).want(http.StatusSeeOther)
	b.get("/account").want(http.StatusOK).has(".notice-bad", "as somebody else than here")
	b.api(http.MethodPost, "/tokens", token).want(http.StatusUnprocessableEntity)
	s.provider.Knows(maria)
	if to := b.get(s.leave(b, "?again=1&next=%2Faccount").RequestURI()).want(http.StatusSeeOther).Header.Get("Location"); to != "/account" {
		t.Errorf("sent to %s", to)
	}
	b.api(http.MethodPost, "/tokens", token).want(http.StatusCreated)
	me := into[signedIn](b.api(http.MethodGet, "/session", nil))
	b.api(http.MethodPatch, fmt.Sprintf("/users/%d", me.User.ID), map[string]any{"password": "plum-kettle-91"}).want(http.StatusConflict)
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE user_sessions SET shown_at = shown_at - interval '11 minutes'`)
	must(t, err)
	b.api(http.MethodPost, "/tokens", token).want(http.StatusUnprocessableEntity)
}

// A state that is not this browser's, an answer that was used, one of long ago, a nonce of another sign-in and a refusal sign nobody in.
func TestInstitutionAnswersOnce(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	s.provider.Knows(maria)
	b := s.nobody()
	back := s.leave(b, "")
	s.nobody().get(back.RequestURI()).want(http.StatusBadRequest).has(".notice-bad", "not begun in this browser")
	changed := *back
	query := back.Query()
	query.Set("state", "another")
	changed.RawQuery = query.Encode()
	b.get(changed.RequestURI()).want(http.StatusBadRequest)
	b.get(back.RequestURI()).want(http.StatusBadRequest) // the way is gone with the first try
	b.get(InstitutionBack).want(http.StatusBadRequest)

	back = s.leave(b, "")
	query = back.Query()
	b.get(InstitutionBack+"?error=access_denied&state="+query.Get("state")).want(http.StatusForbidden).has(".notice-bad", "did not sign you in")
	b.get(InstitutionBack+"?code=made-up&state="+s.leave(b, "").Query().Get("state")).want(http.StatusForbidden).has(".notice-bad", "did not sign you in")
	query = s.leave(b, "").Query()
	b.get(InstitutionBack + "?code=" + query.Get("code") + "&iss=https%3A%2F%2Felsewhere.example&state=" + query.Get("state")).want(http.StatusForbidden)
	s.provider.Nonce.Store("of another sign-in")
	b.get(s.leave(b, "").RequestURI()).want(http.StatusForbidden).has(".notice-bad", "is not valid")
	s.provider.Nonce.Store("")
	b.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)
	b.get(s.leave(b, "").RequestURI()).want(http.StatusSeeOther)
	b.api(http.MethodGet, "/session", nil).want(http.StatusOK)
}

// Afterwards the browser stays in the studio, wherever the address that led to the sign-in points.
func TestInstitutionLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	s.provider.Knows(maria)
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`, "javascript:alert(1)", "/\t/elsewhere.example"} {
		b := s.nobody()
		if to := b.get(s.leave(b, "?next="+url.QueryEscape(next)).RequestURI()).want(http.StatusSeeOther).Header.Get("Location"); to != "/projects" {
			t.Errorf("%q leads to %s", next, to)
		}
	}
}

// The last admin stays one, whatever the groups say; with another there they do not.
func TestInstitutionKeepsTheLastAdmin(t *testing.T) {
	t.Parallel()
	s := newInstitute(t, func(i *annotator.Institution, _ *oidc.Settings) { i.LinkByEmail = true })
	boss := s.people[annotator.RoleAdmin]
	who := oidctest.Person{Subject: "boss", Email: boss.Email, Verified: true, Groups: []string{"students"}}
	b, r := s.signsIn(who)
	r.want(http.StatusSeeOther)
	if me := into[signedIn](b.api(http.MethodGet, "/session", nil)); me.User.ID != boss.ID || me.Role != annotator.RoleAdmin {
		t.Errorf("signed in: %+v", me)
	}
	if lines := s.trailLines("user.change"); !has(lines, "stays the last admin; by groups") {
		t.Errorf("the trail: %q", lines)
	}
	_, r = s.signsIn(oidctest.Person{Subject: "it", Email: "it@uni.example", Verified: true, Groups: []string{"it"}})
	r.want(http.StatusSeeOther)
	b, r = s.signsIn(who)
	r.want(http.StatusSeeOther)
	if me := into[signedIn](b.api(http.MethodGet, "/session", nil)); me.Role != annotator.RoleAnnotator {
		t.Errorf("signed in: %+v", me)
	}
}

// A provider that is away keeps neither the studio from starting nor others from signing in, and is asked again once it is back.
func TestInstitutionIsAway(t *testing.T) {
	t.Parallel()
	s := newInstitute(t)
	s.provider.Knows(maria)
	s.provider.Away.Store(true)
	b := s.nobody()
	page := b.get(institutionPath).want(http.StatusServiceUnavailable)
	page.has(".notice-bad", "Example University does not answer. Try again in a moment")
	page.has(`form[action="/signin"]`, "")
	s.as(annotator.RoleAnnotator).get("/projects").want(http.StatusOK)
	s.provider.Away.Store(false)
	for b.get(institutionPath).StatusCode == http.StatusServiceUnavailable { // it is not asked again for two seconds
		if t.Context().Err() != nil {
			t.Fatal("it is never asked again")
		}
	}
	back := s.leave(b, "")
	s.provider.Away.Store(true)
	b.get(back.RequestURI()).want(http.StatusServiceUnavailable).has(".notice-bad", "does not answer")
}

// Where people have passwords alone, nothing leads to an institution.
func TestNoInstitution(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.nobody().get("/signin").want(http.StatusOK).hasNot(`a[href^="/signin/institution"]`)
	s.nobody().get(institutionPath).want(http.StatusNotFound)
	s.nobody().get(InstitutionBack).want(http.StatusNotFound)
	s.as(annotator.RoleAnnotator).get("/account").want(http.StatusOK).hasNot("#ways")
}
