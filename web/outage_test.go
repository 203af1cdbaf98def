package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// line forwards connections between a studio and its database; it can be cut or made silent.
type line struct {
	net.Listener
	mu     sync.Mutex
	cut    bool // connections are closed at once
	silent bool // connections are taken, and nothing is passed on
	open   []net.Conn
}

// lineTo begins to pass on what comes, and returns the database's address by way of it.
func lineTo(t *testing.T, dsn string) (*line, string) {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &line{Listener: listener}
	t.Cleanup(func() { listener.Close(); l.set(true, false) })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			cut, silent := l.cut, l.silent
			if !cut {
				l.open = append(l.open, near)
			}
			l.mu.Unlock()
			if cut {
				near.Close()
				continue
			}
			if silent {
				continue
			}
			network, address := pgconn.NetworkAddress(c.Host, c.Port)
			far, err := net.Dial(network, address)
			if err != nil {
				near.Close()
				continue
			}
			go l.pass(near, far)
			go l.pass(far, near)
		}
	}()
	host, port, err := net.SplitHostPort(listener.Addr().String())
	must(t, err)
	return l, fmt.Sprintf("host=%s port=%s user=%s dbname=%s password='%s' sslmode=disable", host, port, c.User, c.Database, c.Password)
}

func (l *line) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		silent := l.silent
		l.mu.Unlock()
		if silent {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// set changes how connections are treated; a cut ends open ones.
func (l *line) set(cut, silent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.silent = cut, silent
	if cut {
		for _, c := range l.open {
			c.Close()
		}
		l.open = nil
	}
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// While the database is away or silent, every address answers that the database does not answer, and when to try again. The answers do not
// show the database's address or user.
func TestOutage(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	direct, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(direct.Close)
	by, address := lineTo(t, dsn)
	var store *postgres.Store
	for range 20 { // the store has little patience, so that the outage is short, and a busy machine may need more to begin with
		if store, err = postgres.Open(t.Context(), postgres.Config{DSN: address, Patience: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}); err == nil {
			break
		}
	}
	must(t, err)
	t.Cleanup(store.Close)
	var said strings.Builder
	var mu sync.Mutex
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return said.Write(p)
	}), nil))

	studio := func(store *postgres.Store, log *slog.Logger) (*Server, string) {
		server, err := NewServer(Config{Service: annotator.NewService(annotator.ServiceConfig{Store: store, Logger: log}), SessionStore: store.Sessions(), Ready: databaseAnswers(store), Logger: log})
		must(t, err)
		served := httptest.NewServer(server.Handler())
		t.Cleanup(func() { server.stopStreams(); served.Close() })
		return server, served.URL
	}
	_, healthy := studio(direct, slog.New(slog.DiscardHandler))
	server, url := studio(store, log)

	_, err = direct.InsertUser(t.Context(), annotator.User{Email: "admin@example.org", Name: "Ada", Role: annotator.RoleAdmin, CreatedAt: time.Now()}, passwordHash())
	must(t, err)
	client := &http.Client{Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	signedIn, err := client.Post(healthy+apiPrefix+"/session", "application/json", strings.NewReader(`{"email":"admin@example.org","password":"`+password+`"}`))
	must(t, err)
	signedIn.Body.Close()
	if len(signedIn.Cookies()) == 0 {
		t.Fatalf("signing in: %s", signedIn.Status)
	}
	cookie := signedIn.Cookies()[0]
	c, err := pgx.ParseConfig(address)
	must(t, err)

	type reply struct { // its body is read
		Status     string
		StatusCode int
		Header     http.Header
	}
	ask := func(method, path string, cookie *http.Cookie, headers ...string) (reply, string) {
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url+path, strings.NewReader(headers[0]))
		must(t, err)
		if cookie != nil {
			r.AddCookie(cookie)
		}
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for i := 1; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := client.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return reply{}, ""
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return reply{response.Status, response.StatusCode, response.Header}, string(body)
	}
	check := func(how, method, path string, r reply, body string) {
		t.Helper()
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || !strings.Contains(body, "does not answer") {
			t.Errorf("%s: %s %s: %s, Retry-After %q, %.200s", how, method, path, r.Status, r.Header.Get("Retry-After"), body)
		}
		for _, secret := range []string{fmt.Sprint(c.Port), c.Host + ":", c.Database, "user=", "dial", "SQLSTATE"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s: %s %s shows %q: %.400s", how, method, path, secret, body)
			}
		}
	}
	for how, set := range map[string]func(){"cut": func() { by.set(true, false) }, "silent": func() { by.set(false, true) }} {
		set()
		var asking sync.WaitGroup
		must(t, chi.Walk(server.handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
			if method == http.MethodConnect || strings.HasPrefix(route, "/static") || route == "/healthz" || route == "/favicon.ico" || route == "/metrics" {
				return nil // no session, no database
			}
			path := strings.ReplaceAll(parameter.ReplaceAllString(route, "1"), "/*", "/")
			asking.Go(func() {
				r, body := ask(method, path, cookie, "")
				check(how, method, path, r, body)
			})
			return nil
		}))
		// What needs no cookie: signing in, a bearer token.
		asking.Go(func() {
			r, body := ask("POST", "/signin", nil, "email=a%40example.org&password=x", "Content-Type", "application/x-www-form-urlencoded")
			check(how, "POST", "/signin", r, body)
		})
		asking.Go(func() {
			r, body := ask("POST", apiPrefix+"/session", nil, `{"email":"a@example.org","password":"x"}`, "Content-Type", "application/json")
			check(how, "POST", "/session", r, body)
		})
		asking.Go(func() {
			r, body := ask("GET", apiPrefix+"/projects", nil, "", "Authorization", "Bearer abn_x")
			check(how, "GET", "/projects", r, body)
		})
		asking.Go(func() {
			if r, _ := ask("GET", "/signin", nil, ""); r.StatusCode != http.StatusOK {
				t.Errorf("%s: the sign-in page, which needs no database: %s", how, r.Status)
			}
		})
		asking.Wait()
		by.set(true, false)
		by.set(false, false)
		for r, _ := ask("GET", "/projects", cookie, ""); r.StatusCode != http.StatusOK; r, _ = ask("GET", "/projects", cookie, "") {
			if t.Context().Err() != nil || r.StatusCode == 0 {
				t.Fatalf("%s: the database is back, and the answer is %s", how, r.Status)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(said.String(), "the database does not answer") || c.Password != "" && strings.Contains(said.String(), c.Password) {
		t.Errorf("the log does not tell, or tells too much: %.600s", said.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
