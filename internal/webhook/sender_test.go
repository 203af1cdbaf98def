package webhook_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func networks(t *testing.T, all ...string) []netip.Prefix {
	t.Helper()
	var out []netip.Prefix
	for _, s := range all {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// No address that a name or a number leads to is dialled unless it is of the public internet: the machine itself, its networks, the addresses
// where clouds keep credentials, in every way of writing them. A studio's operator may allow some, and those alone.
func TestPrivateNetworksAreNotDialled(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	closed, other := webhook.NewSender(webhook.Options{}), webhook.NewSender(webhook.Options{Private: networks(t, "10.9.0.0/16", "fd00:9::/32")})
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "localhost", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "192.0.2.1",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]",
	} {
		for name, s := range map[string]*webhook.Sender{"closed": closed, "another network": other} {
			for _, scheme := range []string{"https://", "http://"} {
				if status, err := s.Send(t.Context(), scheme+host+port+"/x", secret, "msg_1", time.Now(), []byte("{}")); !errors.Is(err, webhook.ErrAddress) || status != 0 {
					t.Errorf("%s: %s%s: %d, %v", name, scheme, host, status, err)
				}
			}
		}
	}
	if status, err := closed.Send(t.Context(), "http://93.184.215.14/x", secret, "msg_1", time.Now(), []byte("{}")); err == nil || !strings.Contains(err.Error(), "https://") || status != 0 {
		t.Errorf("a public address without TLS: %d, %v", status, err)
	}
	if asked != 0 {
		t.Errorf("%d requests arrived", asked)
	}
	open := webhook.NewSender(webhook.Options{Private: networks(t, "127.0.0.0/8", "::1/128")})
	if status, err := open.Send(t.Context(), "http://localhost"+port+"/x", secret, "msg_1", time.Now(), []byte("{}")); err != nil || status != http.StatusOK || asked != 1 {
		t.Errorf("allowed: %d, %v, %d requests", status, err, asked)
	}
}

// What arrives can be verified with the secret, and not with another, nor when it was changed on its way. Only a 2xx is an arrival; a redirect is not
// followed, and nothing of an answer's body is told.
func TestSend(t *testing.T) {
	t.Parallel()
	verifier, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := standard.NewWebhook("whsec_" + strings.Repeat("A", 32))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get(standard.HeaderWebhookID) != "msg_s_7":
			w.WriteHeader(http.StatusBadRequest)
		case verifier.Verify(body, r.Header) != nil, verifier.Verify(append(body, ' '), r.Header) == nil, stranger.Verify(body, r.Header) == nil:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		case r.URL.Path == "/broken":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("inner secrets"))
		case r.URL.Path == "/cut":
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // somebody distrusts it below
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s := webhook.NewSender(webhook.Options{Private: networks(t, "127.0.0.1/32"), Roots: roots})
	body, err := webhook.Of(annotator.TrailLine{ID: 3, Action: "edit.approve", Actor: "Rui", Project: "birds"})
	if err != nil || !strings.Contains(string(body), `"type":"edit.approve"`) || !strings.Contains(string(body), `"project":"birds"`) {
		t.Errorf("%s, %v", body, err)
	}
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"/": {200, ""}, "/moved": {307, "307: redirects are not followed"}, "/broken": {500, "it answered 500"}, "/cut": {0, "the connection broke"},
	} {
		status, err := s.Send(t.Context(), server.URL+path, secret, webhook.ID("s", 7), time.Now(), body)
		if status != want.status || (err == nil) != (want.says == "") || err != nil && !strings.HasSuffix(err.Error(), want.says) {
			t.Errorf("%s: %d, %v; want %+v", path, status, err, want)
		}
	}
	distrusting := webhook.NewSender(webhook.Options{Private: networks(t, "127.0.0.1/32")})
	if _, err := distrusting.Send(t.Context(), server.URL, secret, "msg_1", time.Now(), body); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	server.Close()
	s = webhook.NewSender(webhook.Options{Private: networks(t, "127.0.0.1/32"), Roots: roots}) // without connections from before
	if _, err := s.Send(t.Context(), server.URL, secret, "msg_1", time.Now(), body); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := s.Send(t.Context(), "https://nowhere.invalid/", secret, "msg_1", time.Now(), body); err == nil || strings.Contains(err.Error(), "lookup") {
		t.Errorf("no such name: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Send(stopped, server.URL, secret, "msg_1", time.Now(), body); !errors.Is(err, context.Canceled) {
		t.Errorf("a worker that stops: %v", err)
	}
}
