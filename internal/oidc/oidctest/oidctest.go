// Package oidctest runs a provider of OpenID Connect in a test's process: github.com/zitadel/oidc, a certified implementation, with people
// that the test makes up. Its sign-in page asks for nothing: it signs in whom the test says.
package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// ClientID and Secret are those of the one client that the provider knows.
const ClientID = "studio"

// Secret is another one in each run.
var Secret = rand.Text()

// Person is somebody whom the provider knows.
type Person struct {
	Subject  string
	Name     string
	Email    string
	Verified bool
	Unsaid   bool // whether the address is verified is not said
	Groups   []string
}

// Provider is a running provider.
type Provider struct {
	Issuer string

	people  sync.Map     // by subject
	signsIn atomic.Value // the subject of whom the sign-in page signs in
	Away    atomic.Bool  // it answers nothing but errors
	Nonce   atomic.Value // what ID tokens have in place of the nonce that was asked for; "": that
	Asleep  atomic.Bool  // the person signed in an hour ago, whatever is asked for
}

// Start runs a provider until the test ends. It sends browsers back to the addresses of redirects alone, which is asked at each sign-in.
func Start(t testing.TB, redirects func() []string) *Provider {
	t.Helper()
	p := &Provider{}
	var handler atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.Away.Load() {
			http.Error(w, "closed for today", http.StatusBadGateway)
			return
		}
		handler.Load().(http.Handler).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.Issuer = server.URL
	kept := &keeper{p: p, redirects: redirects}
	kept.Storage = storage.NewStorageWithClients(people{p}, map[string]*storage.Client{ClientID: storage.WebClient(ClientID, Secret)})
	provider, err := op.NewProvider(&op.Config{CryptoKey: sha256.Sum256([]byte("test")), CryptoKeyId: "test", CodeMethodS256: true, AuthMethodPost: true},
		kept, op.StaticIssuer(p.Issuer), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	callback := op.AuthCallbackURL(provider)
	mux := http.NewServeMux()
	mux.Handle("/login/username", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.FormValue("authRequestID")
		who, _ := p.signsIn.Load().(string)
		if err := kept.CheckUsernamePassword(who, "", id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, callback(r.Context(), id), http.StatusFound)
	}))
	mux.Handle("/", provider)
	handler.Store(http.Handler(mux))
	return p
}

// Knows makes somebody known, or known otherwise, and lets the sign-in page sign them in.
func (p *Provider) Knows(who Person) {
	p.people.Store(who.Subject, who)
	p.signsIn.Store(who.Subject)
}

// Visit goes with a browser that came to the provider's address, and returns the address to which that sends it back.
func (p *Provider) Visit(t testing.TB, address string) *url.URL {
	t.Helper()
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != mustParse(t, p.Issuer).Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	r, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	back, err := r.Location()
	if err != nil {
		t.Fatalf("the provider answers %s to %s", r.Status, address)
	}
	return back
}

func mustParse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// people are those whom the example's storage looks for.
type people struct{ p *Provider }

func (s people) GetUserByID(id string) *storage.User {
	if who, there := s.p.people.Load(id); there {
		return &storage.User{ID: id, Username: id, FirstName: who.(Person).Name, Email: who.(Person).Email, EmailVerified: who.(Person).Verified}
	}
	return nil
}

func (s people) GetUserByUsername(name string) *storage.User { return s.GetUserByID(name) }

func (s people) ExampleClientID() string { return "none" }

// keeper is the example's storage, which says a person's groups, too.
type keeper struct {
	*storage.Storage
	p         *Provider
	redirects func() []string
}

// client is the studio as the provider knows it: sent back to where the test runs it, and told of people in its tokens.
type client struct {
	op.Client
	redirects func() []string
}

func (c client) RedirectURIs() []string { return c.redirects() }

func (k *keeper) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := k.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c, k.redirects}, nil
}

// request is a request for a sign-in with the nonce and the time that the test wants.
type request struct {
	*storage.AuthRequest
	p *Provider
}

func (r request) GetNonce() string {
	if nonce, _ := r.p.Nonce.Load().(string); nonce != "" {
		return nonce
	}
	return r.AuthRequest.GetNonce()
}

func (r request) GetAuthTime() time.Time {
	if r.p.Asleep.Load() {
		return time.Now().Add(-time.Hour)
	}
	return r.AuthRequest.GetAuthTime()
}

func (k *keeper) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := k.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	return request{r.(*storage.AuthRequest), k.p}, nil
}

func (k *keeper) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	if wrapped, is := r.(request); is {
		r = wrapped.AuthRequest
	}
	return k.Storage.CreateAccessToken(ctx, r)
}

func (k *keeper) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := k.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	if who, there := k.p.people.Load(info.Subject); there {
		info.AppendClaims("groups", who.(Person).Groups)
		if who := who.(Person); !who.Verified && !who.Unsaid {
			info.AppendClaims("email_verified", false) // the library leaves it out
		}
	}
	return nil
}
