package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// queuedRound is a round that no worker takes.
func (s *studio) queuedRound() annotator.Round {
	s.t.Helper()
	task := s.submit()
	s.as(annotator.RoleReviewer).api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	return into[roundMade](s.as(annotator.RoleAdmin).api(http.MethodPost, "/projects/birds/rounds", map[string]any{}).want(http.StatusCreated)).Round
}

// An event stream ends when its reader loses the right to read it: within a heartbeat, and without another event.
func TestAnEventStreamEndsWithItsReader(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.server.heartbeat = 20 * time.Millisecond
	round := s.queuedRound()
	admin := s.people[annotator.RoleAdmin]
	path := fmt.Sprintf("%s/rounds/%d/events", apiPrefix, round.ID)
	setter := s.as(annotator.RoleAdmin)
	yes := true
	for name, end := range map[string]func(b *browser, u annotator.User, token annotator.Token){
		"the account is disabled": func(_ *browser, u annotator.User, _ annotator.Token) {
			_, err := s.service.ChangeUser(t.Context(), admin, u.ID, annotator.UserChange{Disabled: &yes})
			must(t, err)
		},
		"the password is changed": func(_ *browser, u annotator.User, _ annotator.Token) {
			setter.api(http.MethodPatch, fmt.Sprintf("/users/%d", u.ID), map[string]any{"password": "another horse battery", "current_password": password}).want(http.StatusOK)
		},
		"they sign out": func(b *browser, _ annotator.User, _ annotator.Token) {
			b.post("/signout", nil).want(http.StatusSeeOther)
		},
		"the token is revoked": func(_ *browser, _ annotator.User, token annotator.Token) {
			must(t, s.service.RevokeToken(t.Context(), admin, token.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			email := url.QueryEscape(name) + "@example.org"
			s.person(email, passwordHash())
			b := s.nobody()
			b.post("/signin", url.Values{"email": {email}, "password": {password}}).want(http.StatusSeeOther)
			user := into[signedIn](b.api(http.MethodGet, "/session", nil).want(http.StatusOK)).User
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http.URL+path, nil)
			must(t, err)
			var token annotator.Token
			client := b.client
			if name == "the token is revoked" {
				made := into[tokenMade](b.api(http.MethodPost, "/tokens", map[string]any{"name": "script", "scopes": []string{"read"}, "current_password": password}).want(http.StatusCreated))
				tokens, err := s.service.Tokens(ctx, admin, user.ID)
				must(t, err)
				token, client = tokens[0], http.DefaultClient
				r.Header.Set("Authorization", "Bearer "+made.Token)
			}
			res, err := client.Do(r)
			must(t, err)
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			for lines.Scan() && lines.Text() != ": still here" {
			}
			end(b, user, token)
			for lines.Scan() {
			}
			if err := lines.Err(); err != nil || ctx.Err() != nil {
				t.Errorf("the stream goes on: %v", err)
			}
		})
	}
}

func TestADownloadEndsWithItsReader(t *testing.T) {
	t.Parallel()
	gone := false
	file := &watched{ReadSeeker: bytes.NewReader(make([]byte, 100)), ctx: t.Context(), asked: time.Now(), still: func(context.Context) error {
		if gone {
			return annotator.ErrUnauthorized
		}
		return io.ErrUnexpectedEOF // the database is away for a moment
	}}
	for range 3 {
		file.asked = time.Now().Add(-time.Hour)
		if _, err := file.Read(make([]byte, 10)); err != nil {
			t.Fatalf("reading on: %v", err)
		}
	}
	gone = true
	file.asked = time.Now().Add(-time.Hour)
	if _, err := file.Read(make([]byte, 10)); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("after the account is gone: %v", err)
	}
}

// The upload of a person whose account is disabled meanwhile is refused and not stored.
func TestAnUploadEndsWithItsSender(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	raw, err := os.ReadFile(filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx"))
	must(t, err)
	second, err := s.store.InsertUser(t.Context(), annotator.User{Email: "second@example.org", Name: "Second", Role: annotator.RoleAdmin, CreatedAt: time.Now()}, passwordHash())
	must(t, err)
	b := s.nobody()
	b.post("/signin", url.Values{"email": {second.Email}, "password": {password}}).want(http.StatusSeeOther)
	r := httptest.NewRequest(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", io.MultiReader(
		bytes.NewReader(raw[:1000]),
		onFirstRead(func() { // the sender's role has been asked for, and half of the model been read
			role := annotator.RoleReviewer
			_, err := s.service.ChangeUser(t.Context(), s.people[annotator.RoleAdmin], second.ID, annotator.UserChange{Role: &role})
			must(t, err)
		}),
		bytes.NewReader(raw[1000:])))
	r.Header.Set("Content-Type", "application/octet-stream")
	home, err := url.Parse(s.http.URL)
	must(t, err)
	for _, c := range b.client.Jar.Cookies(home) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.server.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusNotFound { // they are no member of the project either
		t.Errorf("an upload whose sender is no admin any more: %d %.300s", w.Code, w.Body)
	}
}

// onFirstRead is an empty reader that does something when it is read.
type onFirstRead func()

func (f onFirstRead) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// Nobody takes a task by opening its page, whoever led the browser there: a link looks.
func TestALinkTakesNoTask(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	page, err := s.service.Tasks(t.Context(), s.people[annotator.RoleAnnotator], annotator.TaskFilter{Project: "birds"})
	must(t, err)
	task := page.Tasks[0].ID
	path := fmt.Sprintf("/projects/birds/tasks/%d", task)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "same-origin", "Purpose", "prefetch"},
		{"Sec-Fetch-Site", ""},
	} {
		b.do(http.MethodGet, path, nil, headers...).want(http.StatusOK).has("#editor[data-readonly='']", "")
		d, err := s.service.Task(t.Context(), s.people[annotator.RoleAnnotator], task)
		must(t, err)
		if d.Lease != nil {
			t.Fatalf("%q takes the task", headers)
		}
	}
	// What somebody else holds is only shown.
	_, err = s.service.ClaimTask(t.Context(), s.people[annotator.RoleReviewer], task)
	must(t, err)
	b.get(path).want(http.StatusOK).has("#editor:not([data-readonly=''])", "")
}
