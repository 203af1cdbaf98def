// Package passkey makes and checks passkeys (Web Authentication, https://www.w3.org/TR/webauthn-3/) by github.com/go-webauthn/webauthn. It
// keeps nothing: a ceremony is begun here, kept by the caller out of the browser's reach, and finished here (ADR 49).
package passkey

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/abn-studio/studio/annotator"
)

// ErrRefused is the error of a passkey that shows nothing: it is of another ceremony, address or person, or its signature is not right.
var ErrRefused = errors.New("the passkey is not right")

// CeremonyLasts is how long somebody may take to touch their authenticator.
const CeremonyLasts = 5 * time.Minute

// Party is the studio as authenticators know it: by its name in the net, to which passkeys are bound.
type Party struct{ webauthn *webauthn.WebAuthn }

// NewParty is the studio at an address. An address without a name, such as http://127.0.0.1, has no passkeys: nil.
func NewParty(home string) (*Party, error) {
	at, err := url.Parse(home)
	if err != nil || at.Hostname() == "" || net.ParseIP(at.Hostname()) != nil {
		return nil, nil //nolint:nilerr // what is no address has no passkeys either
	}
	limit := webauthn.TimeoutConfig{Enforce: true, Timeout: CeremonyLasts, TimeoutUVD: CeremonyLasts}
	w, err := webauthn.New(&webauthn.Config{
		RPID: at.Hostname(), RPDisplayName: "ABN Studio", RPOrigins: []string{at.Scheme + "://" + at.Host}, AttestationPreference: protocol.PreferNoAttestation,
		// It is found without an address being typed, and the authenticator asks for a finger, a face or a PIN: it stands for password and code.
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired},
		Timeouts:               webauthn.TimeoutsConfig{Login: limit, Registration: limit},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys at %s: %w", home, err)
	}
	return &Party{w}, nil
}

// person is a user as the library asks for them. The handle, which authenticators keep, is their number.
type person struct {
	annotator.User
	passkeys []webauthn.Credential
}

func handleOf(userID int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(userID)) }

func (p person) WebAuthnID() []byte                         { return handleOf(p.ID) }
func (p person) WebAuthnName() string                       { return p.Email }
func (p person) WebAuthnDisplayName() string                { return p.Name }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.passkeys }

func personOf(u annotator.User, there []annotator.Passkey) (person, error) {
	p := person{User: u}
	for _, k := range there {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Credential, &c); err != nil {
			return p, fmt.Errorf("passkey %d as it is kept: %w", k.ID, err)
		}
		p.passkeys = append(p.passkeys, c)
	}
	return p, nil
}

// Ceremony is one that was begun: Options are for the browser, Kept is for the end of it.
type Ceremony struct{ Options, Kept json.RawMessage }

func begun(options any, session *webauthn.SessionData, err error) (c Ceremony, _ error) {
	if err != nil {
		return c, fmt.Errorf("beginning with a passkey: %w", err)
	}
	if c.Options, err = json.Marshal(options); err != nil {
		return c, err
	}
	c.Kept, err = json.Marshal(session)
	return c, err
}

func sessionOf(kept []byte) (s webauthn.SessionData, err error) {
	if err := json.Unmarshal(kept, &s); err != nil || s.Challenge == "" {
		return s, fmt.Errorf("%w: no ceremony was begun in this browser", ErrRefused)
	}
	return s, nil
}

// Add begins to make a passkey of a person, who has others already.
func (p *Party) Add(u annotator.User, there []annotator.Passkey) (Ceremony, error) {
	who, err := personOf(u, there)
	if err != nil {
		return Ceremony{}, err
	}
	options, session, err := p.webauthn.BeginRegistration(who, webauthn.WithExclusions(webauthn.Credentials(who.passkeys).CredentialDescriptors()))
	return begun(options, session, err)
}

// Added returns the passkey that the person's authenticator made; ErrRefused where it is none.
func (p *Party) Added(u annotator.User, kept, answer []byte) (k annotator.Passkey, err error) {
	session, err := sessionOf(kept)
	if err != nil {
		return k, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return k, refused(err)
	}
	c, err := p.webauthn.CreateCredential(person{User: u}, session, parsed)
	if err != nil {
		return k, refused(err)
	}
	return asKept(annotator.Passkey{UserID: u.ID}, c)
}

func asKept(k annotator.Passkey, c *webauthn.Credential) (annotator.Passkey, error) {
	var err error
	k.Handle = c.ID
	k.Credential, err = json.Marshal(c)
	return k, err
}

// SignIn begins a sign-in by whatever passkey of this studio the browser finds.
func (p *Party) SignIn() (Ceremony, error) {
	options, session, err := p.webauthn.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	return begun(options, session, err)
}

// SignedIn returns the passkey that was used, as it is to be kept from now on. find looks for one by its handle. ErrRefused where it shows
// nothing; the passkey is returned then, too, if it is somebody's.
func (p *Party) SignedIn(kept, answer []byte, find func(handle []byte) (annotator.Passkey, annotator.User, error)) (k annotator.Passkey, err error) {
	session, err := sessionOf(kept)
	if err != nil {
		return k, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return k, refused(err)
	}
	var failed error
	_, c, err := p.webauthn.ValidatePasskeyLogin(func(raw, _ []byte) (webauthn.User, error) {
		var u annotator.User
		if k, u, failed = find(raw); failed != nil {
			return nil, failed
		}
		who, err := personOf(u, []annotator.Passkey{k})
		return who, err
	}, session, parsed)
	switch {
	case failed != nil && !errors.Is(failed, annotator.ErrNotFound):
		return k, failed
	case err != nil:
		return k, refused(err)
	case c.Authenticator.CloneWarning:
		return k, fmt.Errorf("%w: its counter went back, as that of a copy does", ErrRefused)
	}
	return asKept(k, c)
}

func refused(err error) error {
	var told *protocol.Error
	if errors.As(err, &told) {
		return fmt.Errorf("%w: %s (%s)", ErrRefused, told.Details, told.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}
