package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// emptyStudio is a server on a database without a person.
func emptyStudio(t *testing.T) *studio {
	t.Helper()
	s := &studio{t: t, store: pgtest.Store(t)}
	s.service = annotator.NewService(annotator.ServiceConfig{Store: s.store})
	var err error
	s.server, err = NewServer(Config{Service: s.service, SessionStore: s.store.Sessions(), Ready: databaseAnswers(s.store), Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	s.http = httptest.NewServer(s.server.Handler())
	t.Cleanup(func() { s.server.stopStreams(); s.http.Close() })
	return s
}

func TestTheLinkInTheLogIsAWayIn(t *testing.T) {
	t.Parallel()
	s := emptyStudio(t)
	key, err := s.service.NewSetupLink(t.Context(), annotator.System)
	must(t, err)
	b := s.nobody()
	if text := b.get("/signin").page().Find("main").Text(); !strings.Contains(text, "link that makes the first admin") {
		t.Errorf("the page of signing in says %q", text)
	}
	link := "/setup?key=" + url.QueryEscape(key)
	page := b.get(link).want(http.StatusOK).page()
	if page.Find("form input[name=password]").Length() != 1 {
		t.Fatal("the page has no form")
	}
	form := url.Values{"key": {key}, "name": {"Ada"}, "email": {"ada@example.org"}, "password": {"ada"}}
	page = b.post("/setup", form).want(http.StatusUnprocessableEntity).page()
	if got, _ := page.Find("input[name=name]").Attr("value"); got != "Ada" || page.Find("input[name=password][aria-invalid]").Length() != 1 {
		t.Errorf("a weak password: the name is %q, and the field of the password is not marked", got)
	}
	form.Set("password", "plum-kettle-91")
	if to := b.post("/setup", form).want(http.StatusSeeOther).Header.Get("Location"); to != "/projects" {
		t.Errorf("the first admin is sent to %s", to)
	}
	b.get("/people").want(http.StatusOK) // signed in, as an admin
	page = s.nobody().get(link).want(http.StatusConflict).page()
	if text := page.Find("[role=alert]").Text(); !strings.Contains(text, "has its people already") || page.Find("form:not(.language)").Length() != 0 {
		t.Errorf("the link once more: %q", text)
	}
	form.Set("email", "eve@example.org")
	s.nobody().post("/setup", form).want(http.StatusConflict)
	if text := s.nobody().get("/signin").page().Find("main").Text(); strings.Contains(text, "first admin") {
		t.Error("the page of signing in still speaks of the link")
	}
}

// Keys cannot be tried in numbers, and who tries them keeps nobody else from using the right one.
func TestKeysOfTheFirstAdminCannotBeTriedInNumbers(t *testing.T) {
	t.Parallel()
	s := emptyStudio(t)
	s.server.sessions.trustProxy = true // so that the test can come from several addresses
	key, err := s.service.NewSetupLink(t.Context(), annotator.System)
	must(t, err)
	status := 0
	for range 20 {
		status = s.nobody().do(http.MethodGet, "/setup?key=guess", nil, "X-Forwarded-For", "203.0.113.7").StatusCode
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("the twentieth guess: %d", status)
	}
	s.nobody().do(http.MethodGet, "/setup?key="+key, nil, "X-Forwarded-For", "203.0.113.8").want(http.StatusOK)
	s.nobody().do(http.MethodPost, "/setup", strings.NewReader("key="+key), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
}
