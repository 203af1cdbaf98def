package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serving is a studio that listens as 'studio serve' does, on this machine alone.
func (s *studio) serving() string {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.server.Serve(ctx, listener) }()
	s.t.Cleanup(func() {
		stop()
		must(s.t, <-ended)
	})
	return listener.Addr().String()
}

// A page of another site whose name resolves to 127.0.0.1 gets no answer from the studio there, not even of the health check.
func TestOnLoopbackOnlyThisMachineIsAnswered(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) {
		c.PublicURL, c.TrustedOrigins = "https://studio.example.org", []string{"http://Proxy.example:8000"}
	})
	address := s.serving()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	ask := func(host, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		must(t, err)
		r.Host = host
		res, err := http.DefaultTransport.RoundTrip(r)
		must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return res.StatusCode, string(body)
	}
	for _, host := range []string{"localhost", "LOCALHOST:9", "127.0.0.1:" + port, "[::1]", "[::1]:" + port, "studio.example.org", "studio.example.org:443", "proxy.example"} {
		if status, body := ask(host, "/signin"); status != http.StatusOK {
			t.Errorf("asked as %q: %d %s", host, status, body)
		}
	}
	for _, path := range []string{"/signin", "/healthz", "/readyz", "/static/studio.css", "/api/v1/openapi.json", "/projects"} {
		for _, host := range []string{"evil.example", "evil.example:" + port, "localhost.evil.example", "127.0.0.1.nip.io", "localhost.", "0.0.0.0", "127.0.0.2", "[::]", "[::1].evil.example", "::1:80:evil"} {
			status, body := ask(host, path)
			if status != http.StatusMisdirectedRequest || !strings.Contains(body, "STUDIO_PUBLIC_URL") {
				t.Errorf("%s asked as %q: %d %.100s, want 421 and why", path, host, status, body)
			}
		}
	}
	// On an address that others reach, the name is whatever they call it.
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://studio.internal/healthz", nil)
	OnLoopback(&net.TCPAddr{IP: net.IPv4zero, Port: 80}, nil, s.server.Handler()).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("on every address, asked as studio.internal: %d", w.Code)
	}
}
