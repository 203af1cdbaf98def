package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
)

// open are the addresses that need no sign-in, each with its reason.
var open = map[string]string{
	"GET /healthz":     "probes",
	"GET /readyz":      "probes",
	"GET /metrics":     "for who sends the metrics' own token, a scraper's",
	"GET /static/*":    "the sign-in page needs its style",
	"GET /favicon.ico": "a redirect into /static",
	"GET /signin":      "the way in",
	"POST /signin":     "the way in",
	"POST /signout":    "harmless for whoever is not signed in",
	"POST /language":   "the sign-in page is read too",
	"GET /setup":       "for who has the link in the log, while there is nobody",
	"POST /setup":      "for who has the link in the log, while there is nobody",

	"POST /api/v1/session":         "the way in",
	"GET /api/v1/openapi.json":     "describes, holds nothing",
	"GET /api/v1/openapi.yaml":     "describes, holds nothing",
	"GET /api/v1/openapi-3.0.json": "describes, holds nothing",
	"GET /api/v1/openapi-3.0.yaml": "describes, holds nothing",
}

// pageRoles are the roles that pages need. The test fails for a new address until it is listed here.
var pageRoles = map[string]annotator.Role{
	"GET /": annotator.RoleAnnotator, "GET /projects": annotator.RoleAnnotator, "POST /projects": annotator.RoleAdmin,
	"POST /deleted/{slug}": annotator.RoleAdmin,
	"GET /archives":        annotator.RoleAdmin, "GET /archives/{import}": annotator.RoleAdmin, "POST /archives/{import}": annotator.RoleAdmin,
	"GET /people": annotator.RoleAdmin, "POST /people": annotator.RoleAdmin, "POST /people/{user}": annotator.RoleAdmin,
	"GET /segmenter": annotator.RoleAdmin, "POST /segmenter": annotator.RoleAdmin, "POST /segmenter/remove": annotator.RoleAdmin,
	"GET /guide":   annotator.RoleAnnotator,
	"GET /account": annotator.RoleAnnotator, "POST /account/name": annotator.RoleAnnotator,
	"POST /account/password": annotator.RoleAnnotator, "POST /account/tokens": annotator.RoleAnnotator,

	"GET /projects/{slug}/": annotator.RoleAnnotator, "GET /projects/{slug}/queue": annotator.RoleAnnotator,
	"POST /projects/{slug}/tasks/next": annotator.RoleAnnotator, "POST /projects/{slug}/tasks/bulk": annotator.RoleAnnotator,
	"GET /projects/{slug}/tasks/{task}": annotator.RoleAnnotator, "POST /projects/{slug}/tasks/undo": annotator.RoleReviewer,
	"GET /projects/{slug}/review": annotator.RoleReviewer, "GET /projects/{slug}/review/{task}": annotator.RoleReviewer,
	"POST /projects/{slug}/review/accept": annotator.RoleReviewer, "POST /projects/{slug}/review/undo": annotator.RoleReviewer,
	"GET /projects/{slug}/review/{task}/correct": annotator.RoleReviewer, "POST /projects/{slug}/review/next": annotator.RoleReviewer, "POST /projects/{slug}/review/{task}": annotator.RoleReviewer, "POST /projects/{slug}/review/{task}/retract": annotator.RoleReviewer,
	"GET /projects/{slug}/people":    annotator.RoleAnnotator,
	"GET /projects/{slug}/agreement": annotator.RoleReviewer, "GET /projects/{slug}/agreement/{image}": annotator.RoleReviewer, "POST /projects/{slug}/agreement/{image}": annotator.RoleReviewer,
	"POST /projects/{slug}/settings/overlap": annotator.RoleAdmin,
	"GET /projects/{slug}/rounds":            annotator.RoleAnnotator, "POST /projects/{slug}/rounds": annotator.RoleAdmin,
	"GET /projects/{slug}/rounds/new": annotator.RoleAdmin, "GET /projects/{slug}/rounds/{round}": annotator.RoleAnnotator,
	"POST /projects/{slug}/rounds/{round}/cancel": annotator.RoleAdmin,
	"GET /projects/{slug}/versions":               annotator.RoleAnnotator, "POST /projects/{slug}/versions/{version}/activate": annotator.RoleAdmin,
	"POST /projects/{slug}/versions/{version}/scan": annotator.RoleAdmin, "POST /projects/{slug}/versions/{version}/state-dict": annotator.RoleAnnotator,
	"GET /projects/{slug}/versions/new": annotator.RoleAdmin, "POST /projects/{slug}/uploads": annotator.RoleAdmin,
	"GET /projects/{slug}/uploads/{upload}": annotator.RoleAdmin, "POST /projects/{slug}/uploads/{upload}": annotator.RoleAdmin,
	"POST /account/tokens/{token}/revoke": annotator.RoleAnnotator, "GET /people/{user}/tokens": annotator.RoleAdmin,
	"GET /people/{user}/data": annotator.RoleAdmin, "POST /people/{user}/remove": annotator.RoleAdmin, "GET /account/data": annotator.RoleAnnotator,
	"GET /projects/{slug}/images": annotator.RoleAnnotator, "POST /projects/{slug}/images": annotator.RoleAdmin, "POST /projects/{slug}/images/{image}": annotator.RoleAdmin,
	"GET /projects/{slug}/images/{image}": annotator.RoleAnnotator, "GET /projects/{slug}/activity": annotator.RoleAnnotator,
	"POST /projects/{slug}/images/{image}/task": annotator.RoleAnnotator, "POST /projects/{slug}/images/{image}/label": annotator.RoleAnnotator, "GET /projects/{slug}/labels": annotator.RoleAnnotator,
	"GET /projects/{slug}/forecast": annotator.RoleAnnotator, "POST /projects/{slug}/forecast": annotator.RoleReviewer,
	"GET /projects/{slug}/suspects": annotator.RoleAnnotator, "GET /projects/{slug}/suspects/next": annotator.RoleAnnotator,
	"GET /projects/{slug}/labels/next": annotator.RoleReviewer, "GET /projects/{slug}/labels/{verdict}": annotator.RoleAnnotator,
	"POST /projects/{slug}/labels/{verdict}": annotator.RoleAnnotator,
	"GET /projects/{slug}/settings":          annotator.RoleAnnotator,
	"POST /projects/{slug}/settings":         annotator.RoleAdmin, "POST /projects/{slug}/settings/class": annotator.RoleAdmin, "POST /projects/{slug}/settings/state": annotator.RoleAdmin, "POST /projects/{slug}/settings/mix": annotator.RoleAdmin, "POST /projects/{slug}/settings/sampling": annotator.RoleAdmin,
	"GET /projects/{slug}/maps": annotator.RoleAdmin, "POST /projects/{slug}/maps": annotator.RoleAdmin,
	"GET /projects/{slug}/leakage": annotator.RoleAnnotator, "POST /projects/{slug}/leakage/leave-out": annotator.RoleAdmin,
	"POST /projects/{slug}/leakage/restore": annotator.RoleAdmin,
	"GET /projects/{slug}/export":           annotator.RoleAnnotator,
	"GET /projects/{slug}/start":            annotator.RoleAdmin, "POST /projects/{slug}/start": annotator.RoleAdmin,
	"GET /projects/{slug}/imports/new": annotator.RoleAdmin, "POST /projects/{slug}/imports": annotator.RoleAdmin, "GET /projects/{slug}/imports/{import}": annotator.RoleAdmin,
	"POST /projects/{slug}/imports/{import}": annotator.RoleAdmin,
}

// TestEveryRouteAsksForItsRole requests every address without a user and with each role. Below the needed role the answer is 401 (or a
// redirect to the sign-in page) or 403; with the role or above, it is neither.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	described := newAPI(nil, chi.NewMux())
	browsers := map[annotator.Role]*browser{"": s.nobody()}
	for role := range s.people {
		browsers[role] = s.as(role)
	}
	ranks := []annotator.Role{"", annotator.RoleAnnotator, annotator.RoleReviewer, annotator.RoleAdmin}
	walked := map[string]bool{}
	router := s.server.handler.(chi.Routes)
	must(t, chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		address := method + " " + route
		walked[address] = true
		if open[address] != "" {
			return nil
		}
		need, known := pageRoles[address]
		if path, ok := strings.CutPrefix(route, apiPrefix); ok {
			need, known = described.roles[method+" "+path]
		}
		if !known {
			t.Errorf("%s has no role in this test: say which it needs", address)
			return nil
		}
		if method == http.MethodDelete || route == "/account/password" {
			return nil // they end or renew the sessions this test walks with; the loop below has the others
		}
		path := strings.NewReplacer("{slug}", "birds", "{project}", "birds").Replace(route)
		for strings.Contains(path, "{") { // a thing that is not there: the role is asked for first
			start, end := strings.Index(path, "{"), strings.Index(path, "}")
			path = path[:start] + "987654" + path[end+1:]
		}
		for _, role := range ranks {
			b := browsers[role]
			var r *response
			switch {
			case strings.HasPrefix(path, apiPrefix):
				r = b.do(method, path, strings.NewReader("{}"), "Content-Type", "application/json")
			case method == http.MethodGet:
				r = b.get(path)
			default:
				r = b.post(path, nil)
			}
			refused := r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden ||
				r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.Header.Get("Location"), "/signin")
			if (address == "PATCH "+apiPrefix+"/users/{user}" || address == "GET "+apiPrefix+"/users/{user}/data") && refused && role.May(need) && role != annotator.RoleAdmin {
				continue // it is for one's own; this is somebody else's
			}
			if refused == role.May(need) {
				t.Errorf("%s as %q: %s, and it needs %s", address, role, r.Status, need)
			}
			if role == "" && r.StatusCode == http.StatusForbidden {
				t.Errorf("%s signed out: 403, want to be asked to sign in", address)
			}
		}
		return nil
	}))
	for address := range pageRoles {
		if !walked[address] {
			t.Errorf("%s is not there any more", address)
		}
	}
	if len(walked) < 60 {
		t.Errorf("only %d addresses were walked", len(walked))
	}
	t.Log(len(walked), "addresses walked")
}
