package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// A page is in the language that a person chose, else in their browser's, else in English, and says which it is.
func TestLanguageOfPages(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	for accepted, want := range map[string]string{
		"": "en", "ja": "ja", "ja-JP,ja;q=0.9,en;q=0.8": "ja", "en-GB,ja;q=0.5": "en", "de": "en", "de,ja;q=0.3": "ja", "*": "en",
		"\xff": "en", strings.Repeat("-", 2000): "en",
	} {
		page := s.nobody().do(http.MethodGet, "/signin", nil, "Accept-Language", accepted).want(http.StatusOK)
		if got := page.page().Find("html").AttrOr("lang", ""); got != want {
			t.Errorf("Accept-Language %.40q: the page is in %q, want %q", accepted, got, want)
		}
	}
	page := s.nobody().do(http.MethodGet, "/signin", nil, "Accept-Language", "ja")
	page.has("button.primary", "サインイン")
	page.has("title", "サインイン · ABN Studio")
	page.has("form.language button[lang=en]", "English")
	page.has(`script[src^="/static/words.ja."]`, "")
	s.nobody().get("/signin").hasNot(`script[src^="/static/words."]`)

	b := s.as(annotator.RoleAnnotator)
	b.get("/projects/birds/queue?state=open").has(`form.language input[name=next][value="/projects/birds/queue?state=open"]`, "")
	r := b.post("/language", url.Values{"language": {"ja"}, "next": {"/projects/birds/queue?state=open"}}).want(http.StatusSeeOther)
	if to := r.Header.Get("Location"); to != "/projects/birds/queue?state=open" {
		t.Errorf("leads back to %q", to)
	}
	b.do(http.MethodGet, "/projects/birds/queue", nil, "Accept-Language", "en").has("nav.tabs", "キュー")
	b.post("/language", url.Values{"language": {"en"}, "next": {"//elsewhere.example"}}).want(http.StatusSeeOther)
	b.do(http.MethodGet, "/projects/birds/queue", nil, "Accept-Language", "ja").has("nav.tabs", "Queue")
	b.post("/language", url.Values{"language": {"tlh"}}).want(http.StatusUnprocessableEntity)
}

// What went wrong is said in the reader's language, on pages and in the API, as far as the catalogue has it.
func TestLanguageOfProblems(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.nobody().do(http.MethodPost, "/signin", strings.NewReader("email=a%40b.example&password=x"), "Content-Type", "application/x-www-form-urlencoded", "Accept-Language", "ja").
		has(".notice-bad", "このメールアドレスとパスワードのアカウントはありません。")
	b := s.as(annotator.RoleAnnotator)
	b.do(http.MethodGet, "/nowhere", nil, "Accept-Language", "ja").want(http.StatusNotFound).has("h1", "見つかりません")
	p := into[Problem](b.api(http.MethodGet, "/tasks/999999", nil, "Accept-Language", "ja").want(http.StatusNotFound))
	if p.Title != "見つかりません" {
		t.Errorf("the API says %q", p.Title)
	}
	if p := into[Problem](b.api(http.MethodGet, "/tasks/999999", nil).want(http.StatusNotFound)); p.Title != "Not found" {
		t.Errorf("in English the API says %q", p.Title)
	}
}

// What the API's validator refuses is said in the reader's language, title and fields, as is what a measure is called.
func TestLanguageOfTheValidator(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "/tasks", ""}, {http.MethodGet, "/projects/birds/images?limit=0", ""}, {http.MethodGet, "/projects/birds/images?limit=x", ""}, {http.MethodGet, "/projects/birds/images?limit=1&limit=2", ""},
		{http.MethodGet, "/projects/birds/images?stat=deleted", ""}, {http.MethodGet, "/projects?state=lost", ""}, {http.MethodGet, "/projects/birds/images?since=yesterday", ""},
		{http.MethodPatch, "/projects/birds", `{"check_share": 101}`}, {http.MethodPatch, "/projects/birds", `{"check_share": "1"}`}, {http.MethodPatch, "/projects/birds", `{"name": null}`},
		{http.MethodPatch, "/projects/birds", ``}, {http.MethodPost, "/projects", `{}`}, {http.MethodPost, "/projects", `[]`}, {http.MethodPost, "/projects", `{"slug": "x", "name": "x", "more": 1}`},
		{http.MethodPost, "/projects/birds/images/delete", `{"images": []}`}, {http.MethodPost, "/projects/birds/images/delete", `{"images": ["a"]}`}, {http.MethodPost, "/projects/birds/tasks/bulk", `{"action": "sell"}`},
	} {
		r := admin.do(c.method, apiPrefix+c.path, strings.NewReader(c.body), "Content-Type", "application/json", "Accept-Language", "ja")
		p := into[Problem](r)
		said := []string{p.Title, p.Detail}
		for _, wrong := range p.Errors {
			said = append(said, wrong.Message)
		}
		for _, text := range said {
			if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r > 0x3000 }) || p.Status < 400 {
				t.Errorf("%s %s %s: %d, %q", c.method, c.path, c.body, p.Status, text)
			}
		}
	}
	shared := into[annotator.Shared](admin.api(http.MethodGet, "/projects/birds/agreement", nil, "Accept-Language", "ja").want(http.StatusOK))
	for _, a := range shared.Agreement {
		if a.Measure == "spearman" && a.Label != "順位相関" {
			t.Errorf("a measure is called %q", a.Label)
		}
	}
}

// Why a task is in a list, and why one was left out of many, is said in the reader's language; a class has the name that it has now.
func TestLanguageOfLists(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, ana := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	admin.api(http.MethodPatch, "/projects/birds/classes/1", map[string]any{"name": "jug with handle, with lid"}).want(http.StatusOK)
	list := into[annotator.TaskPage](ana.api(http.MethodGet, "/tasks?project=birds", nil, "Accept-Language", "ja").want(http.StatusOK))
	if len(list.Tasks) == 0 {
		t.Fatal("no tasks")
	}
	for _, task := range list.Tasks {
		if !strings.HasPrefix(task.Why, "ネットワークの答えは "+task.Prediction.Top[0].Name+"（") {
			t.Errorf("the list says %q of an image that is taken for %s", task.Why, task.Prediction.Top[0].Name)
		}
	}
	done := into[annotator.BulkResult](ana.api(http.MethodPost, "/projects/birds/tasks/bulk", map[string]any{"action": "release", "tasks": []int64{list.Tasks[0].ID}}, "Accept-Language", "ja").want(http.StatusOK))
	if done.LeftOut != 1 || strings.ContainsAny(done.Why, "abcdefghijklmnopqrstuvwxyz") {
		t.Errorf("left out: %q", done.Why)
	}
}

// A page of export, with its formats and filters, has no English on a Japanese page beside names of formats.
func TestLanguageOfExports(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	page := s.as(annotator.RoleAnnotator).do(http.MethodGet, "/projects/birds/export?what=maps", nil, "Accept-Language", "ja").want(http.StatusOK)
	for _, text := range page.page().Find("fieldset.choices small, fieldset.choices .check").EachIter() {
		if said := strings.TrimSpace(text.Text()); strings.HasPrefix(said, "A ") || strings.Trim(said, "abcdefghijklmnopqrstuvwxyz -") == "" {
			t.Errorf("the page says %q", said)
		}
	}
}
