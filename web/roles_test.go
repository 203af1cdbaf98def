package web

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
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

	"GET /signin/code":                 "for who has typed their password",
	"POST /signin/code":                "for who has typed their password",
	"GET /signin/institution":          "the way in",
	"GET /signin/institution/callback": "the way in, from the institution's provider",

	"POST /language":   "the sign-in page is read too",
	"GET /invitation":  "for who has an invitation's link",
	"POST /invitation": "for who has an invitation's link",
	"GET /setup":       "for who has the link in the log, while there is nobody",
	"POST /setup":      "for who has the link in the log, while there is nobody",

	"POST /api/v1/session": "the way in",

	"POST /api/v1/session/passkey/begin": "the way in",
	"POST /api/v1/session/passkey":       "the way in",

	"GET /api/v1/openapi.json":     "describes, holds nothing",
	"GET /api/v1/openapi.yaml":     "describes, holds nothing",
	"GET /api/v1/openapi-3.0.json": "describes, holds nothing",
	"GET /api/v1/openapi-3.0.yaml": "describes, holds nothing",
}

// pageRoles are the roles that pages need: below a project in that, else in the studio. The test fails for a new address until it is listed here.
var pageRoles = map[string]annotator.Role{
	"GET /": annotator.RoleAnnotator, "GET /projects": annotator.RoleAnnotator, "POST /projects": annotator.RoleAdmin,
	"POST /deleted/{slug}": annotator.RoleAdmin,
	"GET /archives":        annotator.RoleAdmin, "GET /archives/{import}": annotator.RoleAdmin, "POST /archives/{import}": annotator.RoleAdmin,
	"GET /people": annotator.RoleAdmin, "POST /people": annotator.RoleAdmin, "POST /people/{user}": annotator.RoleAdmin,
	"POST /invitations": annotator.RoleAdmin, "POST /invitations/{invitation}/revoke": annotator.RoleAdmin,
	"POST /projects/{slug}/invitations": annotator.RoleLead, "POST /projects/{slug}/invitations/{invitation}/revoke": annotator.RoleLead,
	"GET /audit": annotator.RoleAdmin,
	"GET /space": annotator.RoleAdmin, "POST /space": annotator.RoleAdmin,
	"GET /webhooks": annotator.RoleAdmin, "POST /webhooks": annotator.RoleAdmin, "GET /webhooks/{webhook}": annotator.RoleAdmin, "POST /webhooks/{webhook}": annotator.RoleAdmin,
	"GET /projects/{slug}/webhooks": annotator.RoleLead, "POST /projects/{slug}/webhooks": annotator.RoleLead, "GET /projects/{slug}/webhooks/{webhook}": annotator.RoleLead, "POST /projects/{slug}/webhooks/{webhook}": annotator.RoleLead,
	"GET /segmenter": annotator.RoleAdmin, "POST /segmenter": annotator.RoleAdmin, "POST /segmenter/remove": annotator.RoleAdmin,
	"GET /jobs": annotator.RoleAdmin, "GET /jobs/*": annotator.RoleAdmin, "POST /jobs/*": annotator.RoleAdmin, "PUT /jobs/*": annotator.RoleAdmin, "PATCH /jobs/*": annotator.RoleAdmin,
	"GET /guide":   annotator.RoleAnnotator,
	"GET /account": annotator.RoleAnnotator, "POST /account/name": annotator.RoleAnnotator,
	"POST /account/password": annotator.RoleAnnotator, "POST /account/tokens": annotator.RoleAnnotator,

	"GET /projects/{slug}/": annotator.RoleAnnotator, "GET /projects/{slug}/queue": annotator.RoleAnnotator,
	"POST /projects/{slug}/tasks/next": annotator.RoleAnnotator, "POST /projects/{slug}/tasks/bulk": annotator.RoleAnnotator,
	"GET /projects/{slug}/tasks/{task}": annotator.RoleAnnotator, "POST /projects/{slug}/tasks/undo": annotator.RoleReviewer,
	"GET /projects/{slug}/review": annotator.RoleReviewer, "GET /projects/{slug}/review/{task}": annotator.RoleReviewer,
	"POST /projects/{slug}/review/accept": annotator.RoleReviewer, "POST /projects/{slug}/review/undo": annotator.RoleReviewer,
	"GET /projects/{slug}/review/{task}/correct": annotator.RoleReviewer, "POST /projects/{slug}/review/next": annotator.RoleReviewer, "POST /projects/{slug}/review/{task}": annotator.RoleReviewer, "POST /projects/{slug}/review/{task}/retract": annotator.RoleReviewer,
	"GET /projects/{slug}/people": annotator.RoleAnnotator, "POST /projects/{slug}/members": annotator.RoleLead, "POST /projects/{slug}/members/{user}": annotator.RoleLead,
	"GET /projects/{slug}/agreement": annotator.RoleReviewer, "GET /projects/{slug}/agreement/{image}": annotator.RoleReviewer, "POST /projects/{slug}/agreement/{image}": annotator.RoleReviewer,
	"POST /projects/{slug}/settings/overlap": annotator.RoleLead,
	"GET /projects/{slug}/rounds":            annotator.RoleAnnotator, "POST /projects/{slug}/rounds": annotator.RoleLead,
	"GET /projects/{slug}/rounds/new": annotator.RoleLead, "GET /projects/{slug}/rounds/{round}": annotator.RoleAnnotator,
	"POST /projects/{slug}/rounds/{round}/cancel": annotator.RoleLead,
	"GET /projects/{slug}/versions":               annotator.RoleAnnotator, "POST /projects/{slug}/versions/{version}/activate": annotator.RoleLead,
	"POST /projects/{slug}/versions/{version}/scan": annotator.RoleLead, "POST /projects/{slug}/versions/{version}/state-dict": annotator.RoleAnnotator,
	"GET /projects/{slug}/versions/new": annotator.RoleLead, "POST /projects/{slug}/uploads": annotator.RoleLead,
	"GET /projects/{slug}/uploads/{upload}": annotator.RoleLead, "POST /projects/{slug}/uploads/{upload}": annotator.RoleLead,
	"POST /account/identities": annotator.RoleAnnotator, "POST /account/identities/{identity}/remove": annotator.RoleAnnotator,
	"POST /account/passkeys/{passkey}": annotator.RoleAnnotator, "POST /people/{user}/passkeys/{passkey}/remove": annotator.RoleAdmin,
	"POST /account/factor": annotator.RoleAnnotator, "POST /account/factor/confirm": annotator.RoleAnnotator, "POST /account/factor/codes": annotator.RoleAnnotator, "POST /account/factor/off": annotator.RoleAnnotator,
	"POST /people/{user}/factor/off": annotator.RoleAdmin,
	"GET /people/{user}/ways":        annotator.RoleAdmin, "POST /people/{user}/identities/{identity}/remove": annotator.RoleAdmin,
	"POST /account/tokens/{token}/revoke": annotator.RoleAnnotator, "GET /people/{user}/tokens": annotator.RoleAdmin, "POST /account/sessions": annotator.RoleAnnotator,
	"GET /people/{user}/sessions": annotator.RoleAdmin, "POST /people/{user}/sessions": annotator.RoleAdmin,
	"GET /people/{user}/data": annotator.RoleAdmin, "POST /people/{user}/remove": annotator.RoleAdmin, "GET /account/data": annotator.RoleAnnotator,
	"GET /projects/{slug}/images": annotator.RoleAnnotator, "POST /projects/{slug}/images": annotator.RoleLead, "POST /projects/{slug}/images/{image}": annotator.RoleLead,
	"GET /projects/{slug}/images/{image}": annotator.RoleAnnotator, "GET /projects/{slug}/activity": annotator.RoleAnnotator,
	"POST /projects/{slug}/images/{image}/task": annotator.RoleAnnotator, "POST /projects/{slug}/images/{image}/label": annotator.RoleAnnotator, "GET /projects/{slug}/labels": annotator.RoleAnnotator,
	"GET /projects/{slug}/forecast": annotator.RoleAnnotator, "POST /projects/{slug}/forecast": annotator.RoleReviewer,
	"GET /projects/{slug}/suspects": annotator.RoleAnnotator, "GET /projects/{slug}/suspects/next": annotator.RoleAnnotator,
	"GET /projects/{slug}/labels/next": annotator.RoleReviewer, "GET /projects/{slug}/labels/{verdict}": annotator.RoleAnnotator,
	"POST /projects/{slug}/labels/{verdict}": annotator.RoleAnnotator,
	"GET /projects/{slug}/settings":          annotator.RoleAnnotator,
	"POST /projects/{slug}/settings":         annotator.RoleLead, "POST /projects/{slug}/settings/class": annotator.RoleLead, "POST /projects/{slug}/settings/state": annotator.RoleLead, "POST /projects/{slug}/settings/mix": annotator.RoleLead, "POST /projects/{slug}/settings/sampling": annotator.RoleLead,
	"GET /projects/{slug}/maps": annotator.RoleLead, "POST /projects/{slug}/maps": annotator.RoleLead,
	"GET /projects/{slug}/leakage": annotator.RoleAnnotator, "POST /projects/{slug}/leakage/leave-out": annotator.RoleLead,
	"POST /projects/{slug}/leakage/restore": annotator.RoleLead,
	"GET /projects/{slug}/export":           annotator.RoleAnnotator,
	"GET /projects/{slug}/start":            annotator.RoleLead, "POST /projects/{slug}/start": annotator.RoleLead,
	"GET /projects/{slug}/imports/new": annotator.RoleLead, "POST /projects/{slug}/imports": annotator.RoleAdmin, "GET /projects/{slug}/imports/{import}": annotator.RoleLead,
	"POST /projects/{slug}/imports/{import}": annotator.RoleLead,
}

// inQuery are the addresses that name a project in their query.
var inQuery = map[string]string{"GET " + apiPrefix + "/tasks": "?project=", "GET " + apiPrefix + "/tasks/facets": "?project="}

// personal are the addresses that refuse people of the role, since the thing is, or is not, their own.
var personal = map[string]bool{
	"PATCH " + apiPrefix + "/users/{user}": true, "GET " + apiPrefix + "/users/{user}/data": true, "GET " + apiPrefix + "/users/{user}/ways": true, // their own account, if they are no admin
	"POST " + apiPrefix + "/labels/{verdict}/withdraw": true, "POST /projects/{slug}/labels/{verdict}": true, // what they said themselves
	"POST " + apiPrefix + "/tasks/{task}/review/claim": true, // not a map that they drew
}

// things are what the parameters of addresses stand for, of one project.
type things map[string]string

// thingsOf makes one thing of every kind in a project.
func (s *studio) thingsOf(project string) things {
	t, ctx := s.t, s.t.Context()
	t.Helper()
	admin, actor := s.as(annotator.RoleAdmin), s.people[annotator.RoleAdmin]
	task, err := s.service.NextTask(ctx, actor, annotator.TaskFilter{Project: project})
	must(t, err)
	edit, err := s.service.SaveDraft(ctx, actor, task.ID, annotator.Draft{Source: annotator.SourceModel, Map: task.Prediction.Map})
	must(t, err)
	_, err = s.service.Submit(ctx, actor, task.ID, edit.Revision)
	must(t, err)
	_, err = s.service.Review(ctx, s.people[annotator.RoleReviewer], edit.ID, annotator.VerdictApprove, "")
	must(t, err)
	round, err := s.service.StartRound(ctx, actor, project, recipe.Defaults(), "")
	must(t, err)
	_, err = s.service.CancelRound(ctx, actor, round.ID) // its events end
	must(t, err)
	model, manifest := referenceModel(t, "abn-resnet-tiny")
	form, media := modelFormOf(t, "model", string(model), "manifest", string(manifest))
	upload := into[sentModel](admin.do(http.MethodPost, apiPrefix+"/projects/"+project+"/versions?inspect=true", form, "Content-Type", media).want(http.StatusOK))
	staged, _, err := s.service.BeginImport(ctx, actor, project, "more.zip", []annotator.StagedFile{{Path: "more.zip", Bytes: 100}})
	must(t, err)
	images, err := s.store.Images(ctx, task.ProjectID)
	must(t, err)
	other := images[slices.IndexFunc(images, func(i annotator.Image) bool { return i.ID != task.ImageID })]
	label, err := s.service.ProposeLabel(ctx, actor, other.ID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous})
	must(t, err)
	all := things{"slug": project, "project": project, "import": staged.ID, "example": "0", "class": "0", "point": "model", "undo": "1", "token": "987654", "session": "987654", "invitation": "987654", "identity": "987654", "passkey": "987654", "webhook": "987654", "delivery": "987654"}
	for name, id := range map[string]int64{"task": task.ID, "image": task.ImageID, "version": task.VersionID, "round": round.ID, "upload": upload.Upload.ID, "edit": edit.ID, "verdict": label.ID, "user": s.people[annotator.RoleAnnotator].ID} {
		all[name] = strconv.FormatInt(id, 10)
	}
	return all
}

// path is an address with its parameters filled in.
func (all things) path(address string) string {
	_, route, _ := strings.Cut(address, " ")
	path := route
	for name, value := range all {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if query := inQuery[address]; query != "" {
		path += query + all["project"]
	}
	return path
}

// TestEveryRouteAsksForItsRole requests every address of a thing of one's own project and of another project's: without a user, with each role in
// the project, and by an admin. Without a user the answer is 401 (or a redirect to the sign-in page). Below the needed role it is 403 in
// one's own project. Of another project's thing it is what is said of a thing that is not there, word for word, whatever the role; an admin
// needs to be no member of either.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("thousands of requests, one after the other")
	}
	s := newStudio(t, func(c *Config) { c.SignIn.PerAddress = 1000 })
	ctx, admin := t.Context(), s.people[annotator.RoleAdmin]
	s.anotherProject("boats")
	own, foreign := s.thingsOf("birds"), s.thingsOf("boats")
	gone := things{"slug": "goats", "project": "goats", "import": "imp0rt", "example": "0", "class": "0", "point": "model", "undo": "1", "token": "987654", "session": "987654", "invitation": "987654", "identity": "987654", "passkey": "987654", "webhook": "987654", "delivery": "987654", "user": own["user"]}
	for _, name := range []string{"task", "image", "version", "round", "upload", "edit", "verdict"} {
		gone[name] = "987654"
	}
	lead, err := s.store.InsertUser(ctx, annotator.User{Email: "lead@example.org", Name: "The lead", Role: annotator.RoleAnnotator, CreatedAt: time.Now()}, passwordHash())
	must(t, err)
	s.people[annotator.RoleLead] = lead
	_, err = s.service.SetMember(ctx, admin, "birds", lead.ID, annotator.RoleLead)
	must(t, err)
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleReviewer} { // they are of birds alone
		must(t, s.service.RemoveMember(ctx, admin, "boats", s.people[role].ID))
	}
	must(t, s.service.RemoveMember(ctx, admin, "birds", admin.ID))

	described := newAPI(nil, chi.NewMux())
	browsers := map[annotator.Role]*browser{"": s.nobody()}
	for role := range s.people {
		browsers[role] = s.as(role)
	}
	ranks := []annotator.Role{"", annotator.RoleAnnotator, annotator.RoleReviewer, annotator.RoleLead, annotator.RoleAdmin}
	ask := func(b *browser, method, path string) *response {
		switch {
		case strings.HasPrefix(path, apiPrefix) && method == http.MethodGet:
			return b.get(path)
		case strings.HasPrefix(path, apiPrefix):
			return b.do(method, path, strings.NewReader("{}"), "Content-Type", "application/json")
		case method == http.MethodGet:
			return b.get(path)
		case method != http.MethodPost:
			return b.do(method, path, nil)
		}
		return b.post(path, nil)
	}
	refused := func(r *response) bool {
		return r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden ||
			r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.Header.Get("Location"), "/signin")
	}
	walked, crossed := map[string]bool{}, 0
	for _, c := range s.calls() { // those that end what others need are last
		method, route, address := c.method, c.route, c.method+" "+c.route
		walked[address] = true
		if open[address] != "" {
			continue
		}
		need, known := pageRoles[address]
		if path, ok := strings.CutPrefix(route, apiPrefix); ok {
			need, known = described.roles[method+" "+path]
		}
		if !known {
			t.Errorf("%s has no role in this test: say which it needs", address)
			continue
		}
		_, of := thingOf(route, func(name string) string {
			if !strings.Contains(route, "{"+name+"}") {
				return ""
			}
			return own[name]
		})
		of = of || inQuery[address] != ""
		if strings.HasPrefix(route, "/deleted/") || strings.Contains(route, "/archives") { // of projects that nobody is a member of any more, or yet
			of = false
		}
		if of && own.path(address) != foreign.path(address) {
			crossed++
			for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleReviewer, annotator.RoleLead} {
				there, not := ask(browsers[role], method, foreign.path(address)), ask(browsers[role], method, gone.path(address))
				if there.StatusCode != http.StatusNotFound {
					t.Errorf("%s of another project as %s: %s, want 404\n%.300s", address, role, there.Status, there.body)
				}
				if a, b := same(there, foreign), same(not, gone); a != b {
					t.Errorf("%s as %s tells that it is there:\n%s\n%s", address, role, a, b)
				}
			}
			mixed := maps.Clone(foreign)
			mixed["slug"], mixed["project"] = "birds", "birds" // a thing of another project below one's own
			if mixed.path(address) != own.path(address) && strings.Contains(route, "/projects/") {
				none := maps.Clone(gone)
				none["slug"], none["project"] = "birds", "birds"
				there, not := ask(browsers[annotator.RoleLead], method, mixed.path(address)), ask(browsers[annotator.RoleLead], method, none.path(address))
				if a, b := same(there, mixed), same(not, none); a != b {
					t.Errorf("%s of another project's thing tells that it is there:\n%s\n%s", address, a, b)
				}
			}
		}
		if method == http.MethodDelete || route == "/account/password" {
			continue // they end or renew the sessions this test walks with, or members
		}
		things := own
		if !of {
			things = gone // what is of the studio is not there: the role is asked for first
		}
		for _, role := range ranks {
			r := ask(browsers[role], method, things.path(address))
			if personal[address] && r.StatusCode == http.StatusForbidden && role.May(need) {
				continue
			}
			if may := role.May(need) && (of || need == annotator.RoleAnnotator || role == annotator.RoleAdmin); refused(r) == may {
				t.Errorf("%s as %q: %s, and it needs %s\n%.300s", address, role, r.Status, need, r.body)
			}
			if role == "" && r.StatusCode == http.StatusForbidden {
				t.Errorf("%s signed out: 403, want to be asked to sign in", address)
			}
		}
	}
	for address := range pageRoles {
		if !walked[address] {
			t.Errorf("%s is not there any more", address)
		}
	}
	if len(walked) < 60 || crossed < 60 {
		t.Errorf("only %d addresses were walked, %d of things of projects", len(walked), crossed)
	}
	t.Log(len(walked), "addresses walked,", crossed, "of things of projects")
}

var digits = regexp.MustCompile(`[0-9]+`)

// same is an answer without what it was asked for and what differs from request to request.
func same(r *response, asked things) string {
	text := strings.ReplaceAll(string(r.body), r.Header.Get("X-Request-Id"), "ID")
	for _, name := range []string{"import", "slug"} {
		text = strings.ReplaceAll(text, asked[name], "WORD")
	}
	for _, header := range []string{"Content-Type", "Cache-Control", "Location"} {
		text += "\n" + strings.ReplaceAll(strings.ReplaceAll(r.Header.Get(header), asked["slug"], "WORD"), asked["import"], "WORD")
	}
	return fmt.Sprint(r.StatusCode, " ", digits.ReplaceAllString(text, "N"))
}
