package web

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/abn-studio/studio/annotator"
)

// key is somebody's authenticator with one passkey, as a browser at the studio's public address sees it.
type key struct {
	t             *testing.T
	party         virtualwebauthn.RelyingParty
	authenticator virtualwebauthn.Authenticator
	credential    virtualwebauthn.Credential
}

func newKey(t *testing.T, home string) *key {
	t.Helper()
	at, err := url.Parse(home)
	must(t, err)
	k := &key{t: t, party: virtualwebauthn.RelyingParty{Name: "ABN Studio", ID: at.Hostname(), Origin: home}, authenticator: virtualwebauthn.NewAuthenticator(), credential: virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)}
	return k
}

// made is the authenticator's answer to the options of a new passkey.
func (k *key) made(options json.RawMessage) json.RawMessage {
	k.t.Helper()
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(options))
	must(k.t, err)
	return json.RawMessage(virtualwebauthn.CreateAttestationResponse(k.party, k.authenticator, k.credential, *parsed))
}

// shown is its answer to those of a sign-in.
func (k *key) shown(options json.RawMessage) json.RawMessage {
	k.t.Helper()
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(options))
	must(k.t, err)
	return json.RawMessage(virtualwebauthn.CreateAssertionResponse(k.party, k.authenticator, k.credential, *parsed))
}

// adds adds a passkey of who is signed in in a browser.
func (k *key) adds(b *browser, name string) annotator.Passkey {
	k.t.Helper()
	begun := into[passkeyOptions](b.api(http.MethodPost, "/passkeys/begin", map[string]any{"current_password": password}).want(http.StatusOK))
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(begun.Options))
	must(k.t, err)
	added := into[annotator.Passkey](b.api(http.MethodPost, "/passkeys", map[string]any{"name": name, "credential": k.made(begun.Options)}).want(http.StatusCreated))
	k.authenticator.Options.UserHandle = []byte(parsed.UserID)
	k.authenticator.AddCredential(k.credential)
	return added
}

func (k *key) signsIn(b *browser) *response {
	k.t.Helper()
	begun := into[passkeyOptions](b.api(http.MethodPost, "/session/passkey/begin", nil).want(http.StatusOK))
	return b.api(http.MethodPost, "/session/passkey", map[string]any{"credential": k.shown(begun.Options)})
}

const byName = "https://studio.example.org"

// A passkey is added with the present password, and signs its owner in, who types nothing, not even a code. It is renamed and removed by them, or
// removed by an admin, and then signs nobody in.
func TestPasskeySignsIn(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.PublicURL = byName })
	me := s.people[annotator.RoleAnnotator]
	b := s.as(annotator.RoleAnnotator)
	b.get("/account").want(http.StatusOK).has("#passkeys form[data-add-passkey]", "Add a passkey")
	b.api(http.MethodPost, "/passkeys/begin", map[string]any{"current_password": "guessed"}).want(http.StatusUnprocessableEntity)
	k := newKey(t, byName)
	added := k.adds(b, "my phone")
	if handle := k.authenticator.Options.UserHandle; binary.BigEndian.Uint64(handle) != uint64(me.ID) {
		t.Errorf("the authenticator knows %x", handle)
	}
	withFactor(t, b)
	guest := s.nobody()
	guest.get("/signin?next=%2Fguide").want(http.StatusOK).has(`[data-passkey-sign-in="/guide"] button`, "Sign in with a passkey")
	if in := into[signedIn](k.signsIn(guest).want(http.StatusOK)); in.User.ID != me.ID {
		t.Errorf("signed in: %+v", in)
	}
	guest.get("/projects").want(http.StatusOK)
	guest.get("/account").want(http.StatusOK).has("#passkeys [data-passkey] .token-name", "my phone added just now, used just now")

	at := fmt.Sprintf("/account/passkeys/%d", added.ID)
	s.as(annotator.RoleReviewer).post(at, url.Values{"action": {"remove"}}).want(http.StatusSeeOther)
	b.post(at, url.Values{"action": {"rename"}, "name": {"my old phone"}}).want(http.StatusSeeOther)
	admin := s.as(annotator.RoleAdmin)
	admin.get(fmt.Sprintf("/people/%d/ways", me.ID)).want(http.StatusOK).has("tr[data-passkey] .token-name", "my old phone")
	admin.post(fmt.Sprintf("/people/%d/passkeys/%d/remove", me.ID, added.ID), nil).want(http.StatusSeeOther)
	k.signsIn(s.nobody()).want(http.StatusUnauthorized)

	other := newKey(t, byName)
	second := other.adds(b, "laptop")
	other.signsIn(s.nobody()).want(http.StatusOK)
	path := fmt.Sprintf("/users/%d/passkeys/%d", me.ID, second.ID)
	s.as(annotator.RoleReviewer).api(http.MethodDelete, path, nil).want(http.StatusForbidden)
	b.api(http.MethodDelete, path, nil).want(http.StatusNoContent)
	b.api(http.MethodDelete, path, nil).want(http.StatusNotFound)
	of := userWord(me.ID)
	lines := s.trailLines("%")
	for _, line := range []string{me.Name + fmt.Sprintf(" passkey.add %s passkey %d", of, added.ID), me.Name + " passkey.rename " + of, "The admin passkey.remove " + of, me.Name + " session.start " + of + " by a passkey; ", "somebody session.fail a passkey that nobody has wrong passkey"} {
		if !has(lines, line) {
			t.Errorf("the trail lacks %q", line)
		}
	}
	if has(lines, "phone") {
		t.Error("the trail has what somebody calls their passkey")
	}
}

// A challenge is good once, in the browser that began, at this address, for whom the key is; whose authenticator asks for nothing does not come
// in, nor who is disabled.
func TestPasskeyShowsWhoItIs(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.PublicURL = byName })
	me := s.people[annotator.RoleAnnotator]
	b := s.as(annotator.RoleAnnotator)
	k := newKey(t, byName)
	k.adds(b, "my phone")
	b.api(http.MethodPost, "/passkeys", map[string]any{"name": "again", "credential": k.made(json.RawMessage(`{"publicKey": {"challenge": "AAAA", "user": {"id": "AAAA"}, "rp": {"id": "studio.example.org"}}}`))}).want(http.StatusUnprocessableEntity)

	guest := s.nobody()
	begun := into[passkeyOptions](guest.api(http.MethodPost, "/session/passkey/begin", nil).want(http.StatusOK))
	answer := map[string]any{"credential": k.shown(begun.Options)}
	s.nobody().api(http.MethodPost, "/session/passkey", answer).want(http.StatusUnauthorized)
	guest.api(http.MethodPost, "/session/passkey", answer).want(http.StatusOK)
	guest.api(http.MethodPost, "/session/passkey", answer).want(http.StatusUnauthorized)

	for what, change := range map[string]func(k *key){
		"another address":  func(k *key) { k.party.Origin = "https://studio.example.net" },
		"another name":     func(k *key) { k.party.ID = "example.org" },
		"another's handle": func(k *key) { k.authenticator.Options.UserHandle = binary.BigEndian.AppendUint64(nil, uint64(me.ID+1)) },
		"no handle":        func(k *key) { k.authenticator.Options.UserHandle = nil },
		"not verified":     func(k *key) { k.authenticator.Options.UserNotVerified = true },
		"another key": func(k *key) {
			id := k.credential.ID
			k.credential = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
			k.credential.ID = id
		},
	} {
		forged := *k
		change(&forged)
		guest := s.nobody()
		if r := forged.signsIn(guest); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", what, r.Status)
		}
		guest.api(http.MethodGet, "/session", nil).want(http.StatusUnauthorized)
	}
	late := s.nobody()
	begun = into[passkeyOptions](late.api(http.MethodPost, "/session/passkey/begin", nil).want(http.StatusOK))
	_, err := s.store.Pool().Exec(t.Context(), `UPDATE sessions SET expiry = $1 WHERE expiry < $2`, time.Now().Add(-time.Second), time.Now().Add(time.Hour)) // of ceremonies alone
	must(t, err)
	late.api(http.MethodPost, "/session/passkey", map[string]any{"credential": k.shown(begun.Options)}).want(http.StatusUnauthorized)
	b.get("/account").want(http.StatusOK)
	yes := true
	_, err = s.service.ChangeUser(t.Context(), s.people[annotator.RoleAdmin], me.ID, annotator.UserChange{Disabled: &yes})
	must(t, err)
	k.signsIn(s.nobody()).want(http.StatusUnauthorized)
}

// At a number there are no passkeys, and the pages say so.
func TestPasskeysNeedAName(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	s.nobody().get("/signin").want(http.StatusOK).hasNot("[data-passkey-sign-in]")
	b.get("/account").want(http.StatusOK).has("#passkeys", "open the studio by a name such as localhost")
	b.api(http.MethodPost, "/passkeys/begin", map[string]any{"current_password": password}).want(http.StatusConflict)
	s.nobody().api(http.MethodPost, "/session/passkey/begin", nil).want(http.StatusConflict)
}
