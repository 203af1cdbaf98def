package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/health"
)

func TestHeadersOfEveryPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAdmin)
	for _, path := range []string{"/signin", "/projects", "/projects/birds/queue", "/projects/birds/versions", "/nothing", "/api/v1/projects", "/healthz"} {
		h := b.get(path).Header
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		if h.Get("X-Request-Id") == "" {
			t.Errorf("%s has no request id", path)
		}
	}
	// What the policy forbids is nowhere in the pages: inline scripts, styles, handlers.
	for _, path := range []string{"/signin", "/projects", "/projects/birds/queue", "/projects/birds/versions", "/projects/birds/rounds/new", "/people", "/guide", "/account"} {
		page := b.get(path)
		page.hasNot("script:not([src]):not([type='application/json'])")
		page.hasNot("style, [style], [onclick], [onload], [onsubmit]")
	}
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.TrustedOrigins = []string{"https://proxy.example"} })
	b := s.as(annotator.RoleAdmin)
	form := url.Values{"name": {"Evil"}, "slug": {"evil"}}.Encode()
	send := func(headers ...string) *response {
		return b.do(http.MethodPost, "/projects", strings.NewReader(form), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
	}
	send("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").want(http.StatusForbidden).has("h1", "Refused")
	send("Sec-Fetch-Site", "", "Origin", "https://evil.example").want(http.StatusForbidden)
	api := b.do(http.MethodPost, apiPrefix+"/projects", strings.NewReader("{}"), "Content-Type", "text/plain", "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
	if api.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API refuses with %s", api.Header.Get("Content-Type"))
	}
	if list := into[projectList](b.api(http.MethodGet, "/projects", nil)); len(list.Projects) != 1 {
		t.Errorf("a refused request made a project: %d are there", len(list.Projects))
	}
	// Behind a proxy that rewrites Host, the public origin is trusted by name.
	send("Sec-Fetch-Site", "cross-site", "Origin", "https://proxy.example").want(http.StatusSeeOther)
}

func TestSignInIsThrottled(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.SignIn = Throttle{PerPair: 3, Refill: time.Hour} })
	b := s.nobody()
	try := func(email, word string) *response {
		return b.post("/signin", url.Values{"email": {email}, "password": {word}})
	}
	for range 3 {
		try("admin@example.org", "guess").want(http.StatusUnauthorized).has("[role=alert]", "No account has this")
	}
	refused := try(" ADMIN@example.org", password).want(http.StatusTooManyRequests) // the right one, too: a guesser learns nothing
	refused.has("[role=alert]", "Too many failed sign-ins")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("a throttled sign-in does not say when to come back")
	}
	refused = b.api(http.MethodPost, "/session", map[string]string{"email": "admin@example.org", "password": password}).want(http.StatusTooManyRequests)
	if refused.Header.Get("Retry-After") == "" {
		t.Error("the API does not say when to come back")
	}
	try("reviewer@example.org", password).want(http.StatusSeeOther) // others are not locked out
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.TrustProxy = true })
	b := s.nobody()
	b.do(http.MethodGet, "/signin", nil)
	form := url.Values{"email": {"admin@example.org"}, "password": {password}}.Encode()
	signIn := func(headers ...string) *http.Cookie {
		r := b.do(http.MethodPost, "/signin", strings.NewReader(form), append(headers, "Content-Type", "application/x-www-form-urlencoded")...).want(http.StatusSeeOther)
		for _, c := range r.Cookies() {
			if c.Name == "studio" {
				return c
			}
		}
		t.Fatal("signing in sets no cookie")
		return nil
	}
	first := signIn()
	if !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Secure {
		t.Errorf("over plain HTTP the cookie is %v", first)
	}
	second := signIn()
	if second.Value == first.Value {
		t.Error("signing in again keeps the session's token")
	}
	if !signIn("X-Forwarded-Proto", "https").Secure {
		t.Error("behind a proxy with TLS the cookie is not secure")
	}
	old := s.nobody()
	old.do(http.MethodGet, "/projects", nil, "Cookie", "studio="+first.Value).want(http.StatusSeeOther) // the old token is worth nothing

	b.post("/signout", nil).want(http.StatusSeeOther)
	b.get("/projects").want(http.StatusSeeOther)
}

func TestANewPasswordEndsOpenSessions(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, here, elsewhere := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator), s.as(annotator.RoleAnnotator)
	form := url.Values{"current": {password}, "password": {"another pass phrase"}}
	here.post("/account/password", form).want(http.StatusSeeOther)
	here.get("/projects").want(http.StatusOK)
	elsewhere.get("/projects").want(http.StatusSeeOther)

	address := fmt.Sprintf("/users/%d", s.people[annotator.RoleAnnotator].ID)
	admin.api(http.MethodPatch, address, map[string]string{"password": "set by an admin", "current_password": password}).want(http.StatusOK)
	here.get("/projects").want(http.StatusSeeOther)
	admin.get("/projects").want(http.StatusOK)
}

func TestWithoutATrustedProxyItsHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	r := s.nobody().do(http.MethodGet, "/signin", nil, "X-Forwarded-Proto", "https")
	if r.Header.Get("Strict-Transport-Security") != "" {
		t.Error("anybody's X-Forwarded-Proto is believed")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAdmin)
	big := strings.Repeat("x", maxForm+1)
	b.post("/projects", url.Values{"name": {big}}).want(http.StatusRequestEntityTooLarge)
	b.api(http.MethodPost, "/projects", map[string]string{"slug": "a", "name": strings.Repeat("x", 2<<20)}).want(http.StatusRequestEntityTooLarge)
}

func TestAssetsAreKeptForEver(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.nobody()
	page := b.get("/signin").page()
	style, _ := page.Find("link[rel=stylesheet]").Attr("href")
	css := b.do(http.MethodGet, style, nil, "Accept-Encoding", "br").want(http.StatusOK)
	if css.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || css.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%s: %s, %s", style, css.Header.Get("Cache-Control"), css.Header.Get("Content-Encoding"))
	}
	font, _ := page.Find("link[rel=preload]").Attr("href")
	if media := b.get(font).want(http.StatusOK).Header.Get("Content-Type"); media != "font/woff2" {
		t.Errorf("%s is %s", font, media)
	}
	if plain := b.get("/static/studio.css").want(http.StatusOK); !strings.Contains(string(plain.body), font) {
		t.Errorf("the style sheet does not name the font's address %s", font)
	}
	b.get("/static/../server.go").want(http.StatusNotFound)
	b.do(http.MethodGet, style, nil, "If-None-Match", css.Header.Get("Etag")).want(http.StatusNotModified)
}

func TestProbesAndMetrics(t *testing.T) {
	t.Parallel()
	down := false
	s := newStudio(t, func(c *Config) {
		ready := c.Ready
		c.Ready = func(ctx context.Context) []health.Part {
			if down {
				return []health.Part{{Name: "the database", Err: annotator.ErrDatabaseAway}}
			}
			return ready(ctx)
		}
	})
	b := s.nobody()
	b.get("/healthz").want(http.StatusOK)
	b.get("/readyz").want(http.StatusOK)
	down = true
	b.get("/readyz").want(http.StatusServiceUnavailable)
	b.get("/healthz").want(http.StatusOK)
	s.as(annotator.RoleAnnotator).get("/projects/birds/queue")
	metrics := s.scrape()
	for _, line := range []string{
		`studio_http_requests_total{method="GET",route="/projects/{slug}/queue",status="200"} 1`,
		`studio_sign_ins_total{outcome="accepted"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
}

// scrape is what a scraper reads on the metrics' own address.
func (s *studio) scrape() string {
	w := httptest.NewRecorder()
	s.server.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		s.t.Fatalf("/metrics on its own address: %d", w.Code)
	}
	return w.Body.String()
}

func TestMetricsAreNotPublic(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.nobody().get("/metrics").want(http.StatusNotFound)
	s.as(annotator.RoleAdmin).get("/metrics").want(http.StatusNotFound)
	s = newStudio(t, func(c *Config) { c.MetricsToken = "a scraper's token" })
	s.nobody().get("/metrics").want(http.StatusUnauthorized)
	s.as(annotator.RoleAdmin).get("/metrics").want(http.StatusUnauthorized)
	for _, wrong := range []string{"Bearer ", "Bearer a scraper's toke", "Basic a scraper's token"} {
		s.nobody().do(http.MethodGet, "/metrics", nil, "Authorization", wrong).want(http.StatusUnauthorized)
	}
	r := s.nobody().do(http.MethodGet, "/metrics", nil, "Authorization", "Bearer a scraper's token").want(http.StatusOK)
	if !strings.Contains(string(r.body), "studio_http_requests_total") {
		t.Errorf("the metrics are %.200s", r.body)
	}
}

// Whatever a client sends, the number of metrics' series and the length of log lines stay bounded.
func TestStrangersFillNeitherMetricsNorLog(t *testing.T) {
	t.Parallel()
	var log logged
	s := newStudio(t, log.into)
	send := func(i int) {
		long := strings.Repeat("x", 20_000)
		r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/projects/%d/%s?%s=%d", i, long, long, i), nil)
		switch i % 6 {
		case 0:
			r.Method = fmt.Sprint("MADEUP", i, long)
		case 1:
			r.Method = fmt.Sprint("get", i)
		case 2:
			r.URL.Path = fmt.Sprint(apiPrefix, "/", i, long)
		case 3:
			r.URL.Path = fmt.Sprint("/static/", i, long)
		case 4:
			r.Method, r.URL.Path = http.MethodPost, fmt.Sprint("/", i, long)
		case 5:
			r.Method, r.URL.Path = fmt.Sprint("MADEUP", i), apiPrefix+"/session"
		}
		r.Host = fmt.Sprint(i, ".", long, ".example")
		r.RemoteAddr = "192.0.2.1:1"
		for _, name := range []string{"User-Agent", "Referer", "X-Request-Id", "X-Forwarded-For", "Sec-Fetch-Site", "Origin", "Content-Type", "Accept-Encoding"} {
			r.Header.Set(name, fmt.Sprint(i, long))
		}
		r.Header.Set("X-Request-Id", fmt.Sprintf("made-up-%08d", i))
		s.server.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	for i := range 60 {
		send(i)
	}
	before := strings.Count(s.scrape(), "\n")
	for i := range 600 {
		send(60 + i)
	}
	if after := strings.Count(s.scrape(), "\n"); after != before {
		t.Errorf("600 made-up requests make of %d lines of metrics %d", before, after)
	}
	for line := range strings.Lines(log.String()) {
		if len(line) > 1000 {
			t.Fatalf("a line of the log has %d bytes: %.300s", len(line), line)
		}
		if strings.Contains(line, "request=made-up") {
			t.Fatalf("a stranger chooses the id in the log: %s", line)
		}
	}
}
