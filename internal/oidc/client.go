package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/abn-studio/studio/annotator"
)

// Why nobody is signed in. Errors wrap them with the provider's words, which are for the log and not for pages.
var (
	ErrAway    = errors.New("the institution's provider does not answer")
	ErrStale   = errors.New("the sign-in was not begun in this browser, or long ago")
	ErrRefused = errors.New("the institution's provider signed nobody in")
	ErrInvalid = errors.New("what the institution's provider says is not valid")
)

const (
	// WayLasts is how long somebody may take at the provider.
	WayLasts = 10 * time.Minute
	// answersWithin is how long the provider may take for one answer.
	answersWithin = 8 * time.Second
	// notAskedAgain is how long a provider that did not answer is not asked for its description again: who waited for the same try gets its error.
	notAskedAgain = 2 * time.Second
	// skew is by how much the provider's clock may be off.
	skew = time.Minute
)

// Way is a sign-in that was begun in a browser. It is kept with the browser's session, out of others' sight.
type Way struct {
	State, Nonce, Verifier string
	Redirect               string // the address to which the provider sends the browser back
	Again                  bool   // the person was to show anew who they are
	At                     time.Time
}

// Client asks one provider. It is safe for concurrent use.
type Client struct {
	settings Settings
	http     *http.Client
	now      func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider // nil until it has answered once
	failed   error
	failedAt time.Time
}

// New makes a client. It does not ask the provider, which may be away when the studio starts.
func New(s Settings) (*Client, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.GroupsClaim == "" {
		s.GroupsClaim = DefaultGroupsClaim
	}
	return &Client{settings: s, http: &http.Client{Timeout: answersWithin}, now: time.Now}, nil
}

// Host is the name of the provider's machine.
func (c *Client) Host() string {
	issuer, err := url.Parse(c.settings.Issuer)
	if err != nil {
		return c.settings.Issuer
	}
	return issuer.Hostname()
}

// discover returns the provider as it describes itself, which is asked for once.
func (c *Client) discover() (*oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider != nil {
		return c.provider, nil
	}
	if c.failed != nil && c.now().Sub(c.failedAt) < notAskedAgain {
		return nil, c.failed
	}
	// The context lives on in the provider, which fetches its keys with it.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), c.http), c.settings.Issuer)
	if err != nil {
		c.failed, c.failedAt = fmt.Errorf("%w: %w", ErrAway, err), c.now()
		return nil, c.failed
	}
	c.provider, c.failed = provider, nil
	return provider, nil
}

func (c *Client) config(provider *oidc.Provider, redirect string) oauth2.Config {
	return oauth2.Config{ClientID: c.settings.ClientID, ClientSecret: c.settings.Secret, Endpoint: provider.Endpoint(), RedirectURL: redirect, Scopes: c.settings.scopes()}
}

// Begin returns the address to send a browser to, which the provider sends back to redirect. With again the person is to sign in there anew,
// also if they have done so today. ErrAway where the provider does not answer.
func (c *Client) Begin(redirect string, again bool) (address string, way Way, err error) {
	provider, err := c.discover()
	if err != nil {
		return "", Way{}, err
	}
	way = Way{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect, Again: again, At: c.now()}
	options := []oauth2.AuthCodeOption{oidc.Nonce(way.Nonce), oauth2.S256ChallengeOption(way.Verifier)}
	if again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	config := c.config(provider, redirect)
	return config.AuthCodeURL(way.State, options...), way, nil
}

// Finish says whom the provider vouches for, of the address with which the browser came back. ErrStale, ErrRefused, ErrAway or ErrInvalid
// where it is nobody.
func (c *Client) Finish(ctx context.Context, way Way, back url.Values) (annotator.Vouched, error) {
	if way.State == "" || subtle.ConstantTimeCompare([]byte(way.State), []byte(back.Get("state"))) != 1 || c.now().Sub(way.At) > WayLasts {
		return annotator.Vouched{}, ErrStale
	}
	if issuer := back.Get("iss"); issuer != "" && issuer != c.settings.Issuer { // RFC 9207
		return annotator.Vouched{}, fmt.Errorf("%w: the answer is of the issuer %q", ErrInvalid, issuer)
	}
	if code := back.Get("error"); code != "" {
		return annotator.Vouched{}, fmt.Errorf("%w: %q, %q", ErrRefused, code, back.Get("error_description"))
	}
	provider, err := c.discover()
	if err != nil {
		return annotator.Vouched{}, err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	config := c.config(provider, way.Redirect)
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(way.Verifier))
	if err != nil {
		return annotator.Vouched{}, askedFor("tokens", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: c.settings.ClientID, Now: c.now}).Verify(ctx, raw)
	if err != nil {
		return annotator.Vouched{}, fmt.Errorf("%w: the ID token: %w", ErrInvalid, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(way.Nonce)) != 1 {
		return annotator.Vouched{}, fmt.Errorf("%w: the ID token is of another sign-in (nonce)", ErrInvalid)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return annotator.Vouched{}, fmt.Errorf("%w: the access token: %w", ErrInvalid, err)
		}
	}
	said := claims{}
	if err := id.Claims(&said); err != nil {
		return annotator.Vouched{}, fmt.Errorf("%w: the ID token's claims: %w", ErrInvalid, err)
	}
	if provider.UserInfoEndpoint() != "" && (said.text("email") == "" || said.at(c.settings.GroupsClaim) == nil) {
		if err := c.ask(ctx, provider, token, id.Subject, said); err != nil {
			return annotator.Vouched{}, err
		}
	}
	return c.vouched(way, id, said)
}

// askedFor is the error of a request to the provider: it refused, or did not answer.
func askedFor(what string, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("%w: asked for %s: %w", ErrRefused, what, err)
	}
	return fmt.Errorf("%w: asked for %s: %w", ErrAway, what, err)
}

// ask adds to what the ID token says what the userinfo address says. It must be of the same person (OpenID Connect Core 5.3.2), and what the
// token says stands.
func (c *Client) ask(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, subject string, said claims) error {
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return askedFor("what it knows of the person", err)
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: it tells of another person", ErrInvalid)
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: what it knows of the person: %w", ErrInvalid, err)
	}
	if said.text("email") == "" { // whether an address is verified is said of the one beside it
		delete(said, "email_verified")
	} else if more.text("email") != said.text("email") {
		delete(more, "email_verified")
	}
	maps.Copy(more, said)
	maps.Copy(said, more)
	return nil
}

// vouched is what the claims say, in the studio's words.
func (c *Client) vouched(way Way, id *oidc.IDToken, said claims) (annotator.Vouched, error) {
	yes, told := said.verified()
	v := annotator.Vouched{Issuer: c.settings.Issuer, Subject: id.Subject, Email: said.text("email"), Verified: yes || !told && c.settings.TrustEmail,
		Name: said.text("name"), Groups: said.groups(c.settings.GroupsClaim)}
	if at, is := said["auth_time"].(float64); is && at > 0 {
		if v.ShownAt = time.Unix(int64(at), 0); v.ShownAt.After(c.now()) {
			v.ShownAt = c.now()
		}
	}
	if way.Again && v.ShownAt.Before(way.At.Add(-skew)) {
		return annotator.Vouched{}, fmt.Errorf("%w: the person was to sign in anew, and did so at %s", ErrInvalid, strconv.FormatInt(v.ShownAt.Unix(), 10))
	}
	if v.Name == "" {
		v.Name = said.text("preferred_username")
	}
	return v, nil
}
