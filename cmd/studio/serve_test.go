package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// askAs sends a request with the given Host header; it returns status and body.
func askAs(t *testing.T, host, address string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// addressIn returns the address at the end of a printed line.
func addressIn(line string) string { return line[strings.LastIndex(line, "http://"):] }

// Metrics are on an address of their own and not on the public one. Servers that listen on loopback, also for the worker's health, answer
// only to this machine's names.
func TestMetricsAndHealthHaveAddressesOfTheirOwn(t *testing.T) {
	t.Parallel()
	database := pgtest.DSN(t)
	s := launch(t, "serve", "--database", database, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--no-worker")
	metrics := addressIn(s.until(t, "Metrics: "))
	public := addressIn(s.until(t, "answers on"))
	w := launch(t, "worker", "--database", database, "--data", t.TempDir(), "--health-listen", "127.0.0.1:0")
	health := addressIn(w.until(t, "Health: "))
	for _, c := range []struct {
		host, address string
		status        int
		contains      string
	}{
		{"", metrics, http.StatusOK, "studio_event_streams"},
		{"evil.example", metrics, http.StatusMisdirectedRequest, "STUDIO_PUBLIC_URL"},
		{"", public + "/metrics", http.StatusNotFound, "Not found"},
		{"", public + "/readyz", http.StatusOK, "ready"},
		{"evil.example", public + "/readyz", http.StatusMisdirectedRequest, "localhost"},
		{"localhost:1", public + "/signin", http.StatusOK, "Sign in"},
		{"", health, http.StatusOK, "ready"},
		{"evil.example", health, http.StatusMisdirectedRequest, "localhost"},
	} {
		if status, body := askAs(t, c.host, c.address); status != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s asked as %q: %d %.200s, want %d and %q", c.address, c.host, status, body, c.status, c.contains)
		}
	}
}

// A studio that nobody can sign in to prints the link that makes its first admin; once there is one, it prints none.
func TestTheLogHasTheLinkOfTheFirstAdmin(t *testing.T) {
	t.Parallel()
	database := pgtest.DSN(t)
	s := launch(t, "serve", "--database", database, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--no-worker", "--public-url", "http://127.0.0.1:1/")
	public := addressIn(s.until(t, "answers on"))
	link := addressIn(s.until(t, "makes the first admin"))
	path, ok := strings.CutPrefix(link, "http://127.0.0.1:1/setup?key=")
	if !ok {
		t.Fatalf("the link is %s", link)
	}
	if status, body := askAs(t, "", public+"/setup?key="+path); status != http.StatusOK || !strings.Contains(body, "Make the first admin") {
		t.Errorf("the link: %d %.200s", status, body)
	}
	if status, body := askAs(t, "", public+"/setup?key="+path[1:]); status != http.StatusForbidden || strings.Contains(body, "Make the first admin") {
		t.Errorf("another link: %d %.200s", status, body)
	}
	res, err := http.PostForm(public+"/setup", url.Values{"key": {path}, "name": {"Ada"}, "email": {"ada@example.org"}, "password": {"plum-kettle-91"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	again := launch(t, "serve", "--database", database, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--no-worker")
	public = addressIn(again.until(t, "answers on"))
	askAs(t, "", public+"/healthz") // it answers once it has said all
	again.kill(t)
	for line := range again.lines {
		if strings.Contains(line, "/setup") {
			t.Errorf("a studio with an admin says %s", line)
		}
	}
}
