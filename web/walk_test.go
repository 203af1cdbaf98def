package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/recipe/recipetest"
)

// walker sends odd requests to every address that the router has and notes what is answered with a 5xx.
type walker struct {
	*studio
	things map[string]string // what the parameters of addresses stand for: {task} → the id of a task that is there
	api    *api
	sent   int
	broken []string
}

// call is one address of the router.
type call struct{ method, route string }

func (c call) operation(a *api) *huma.Operation {
	path, ok := strings.CutPrefix(c.route, apiPrefix)
	item := a.huma.OpenAPI().Paths[path]
	if !ok || item == nil {
		return nil
	}
	switch c.method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return nil
}

// calls lists every address, those that end what others need last.
func (s *studio) calls() []call {
	var all, last []call
	must(s.t, chi.Walk(s.server.handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		c := call{method, route}
		if method == http.MethodDelete || strings.HasSuffix(route, "/signout") || strings.HasSuffix(route, "/close") || strings.HasSuffix(route, "/settings/state") {
			last = append(last, c)
		} else {
			all = append(all, c)
		}
		return nil
	}))
	return append(all, last...)
}

// path is the address with its parameters filled in; odd stands for one of them.
func (w *walker) path(c call, name, odd string) string {
	path := c.route
	for key, value := range w.things {
		if key == name {
			value = odd
		}
		path = strings.ReplaceAll(path, "{"+key+"}", value)
	}
	if name == "*" {
		path = strings.ReplaceAll(path, "*", odd)
	}
	return path
}

func parametersOf(route string) []string {
	var names []string
	for part := range strings.SplitSeq(route, "{") {
		if name, _, ok := strings.Cut(part, "}"); ok {
			names = append(names, name)
		}
	}
	if strings.HasSuffix(route, "*") {
		names = append(names, "*")
	}
	return names
}

// send sends a request as it is written, however broken its address.
func (w *walker) send(b *browser, method, path, query, body string, headers ...string) {
	w.t.Helper()
	w.sent++
	home, err := url.Parse(w.http.URL)
	must(w.t, err)
	r := &http.Request{Method: method, Header: http.Header{"Sec-Fetch-Site": {"same-origin"}}, Host: home.Host,
		URL: &url.URL{Scheme: "http", Host: home.Host, Opaque: "//" + home.Host + path, RawQuery: query}}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := b.client.Do(r.WithContext(w.t.Context()))
	must(w.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.broken = append(w.broken, fmt.Sprintf("%s %.100s?%.100s: the answer broke off: %v", method, path, query, err))
		return
	}
	if res.StatusCode >= 500 {
		w.broken = append(w.broken, fmt.Sprintf("%s %.100s?%.100s %.100q %.120q: %s %.200s", method, path, query, headers, body, res.Status, answer))
	}
}

// oddIDs are in an address where an id or a slug should be.
var oddIDs = []string{"0", "-1", "2147483648", "9223372036854775807", "9223372036854775808", "1e3", "NaN", "%00", "%ff", "%zz", "%2e%2e%2f", "%F0%9F%90%A6", "%20", ""}

// oddQueries are what no form and no link of the studio would send, value by value.
var oddValues = []string{"", "%00", "%ff", "%zz", "-1", "2147483648", "-9223372036854775809", "1e400", "NaN", "-Inf", "%f0%9f%90%a6", "a;b", strings.Repeat("x", 5000)}

// pageQueries are the names that pages read from their addresses.
var pageQueries = []string{"state", "q", "cursor", "label", "predicted", "from", "to", "author", "part", "before", "after", "like", "next", "v", "name", "undo", "split", "out", "suspect", "what", "format", "threshold", "class", "search", "round", "version", "since", "until", "revisions", "do", "person", "kind", "project", "again", "code", "error", "iss"}

// oddHeaders are bundles of headers that are read by what serves files, compresses, negotiates and signs in.
var oddHeaders = [][]string{
	{"Range", "bytes=9-1", "If-None-Match", `W/"`, "If-Modified-Since", "yesterday", "Accept-Encoding", "br;q=x, , ;;, gzip;q=-1", "Accept", "nonsense/;;q=1, */*;q=x"},
	{"Range", "bytes=" + strings.Repeat("0-,", 2000), "If-None-Match", strings.Repeat(`"x",`, 2000), "Accept-Encoding", strings.Repeat("br,", 2000), "Accept", "application/cbor"},
	{"Range", "bytes=9223372036854775807-9223372036854775808", "If-Range", "\xff", "Accept-Encoding", "\xff\xfe", "Accept", "\xff", "Accept-Language", "\xff"},
	{"Range", "lines=-", "If-Match", "\"", "If-Unmodified-Since", "-1", "Last-Event-ID", "9223372036854775808", "Idempotency-Key", strings.Repeat("k", 5000)},
	{"Last-Event-ID", "\xff", "Idempotency-Key", "\xff", "Cookie", "studio=\xff\"; theme=%00; studio=x", "X-Forwarded-For", "\xff", "X-Request-Id", "\xff", "Content-Type", "\xff"},
	{"Authorization", "Bearer \xff"}, {"Authorization", "Bearer "}, {"Authorization", "Basic \xff"},
}

// oddBodies are bodies of requests with their types.
var oddBodies = [][2]string{
	{"", ""}, {"application/json", "{"}, {"application/json", "null"}, {"application/json", "[]"}, {"application/json", `"\u0000"`}, {"application/json", "\xff"},
	{"application/json", strings.Repeat("[", 100_000)}, {"application/json", strings.Repeat(`{"a":`, 100_000)}, {"application/json;;;charset=\xff", "{}"},
	{"text/plain", "x"}, {"application/xml", "<a/>"}, {"application/cbor", "{}"}, {"application/cbor", strings.Repeat("\x81", 100_000)},
	{"multipart/form-data", "x"}, {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"model\"; filename=\"\xff\x00\"\r\n\r\nx"},
	{"multipart/form-data; boundary=x", "--x\r\n\xff: \xff\r\n\r\n--x--"}, {"multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n\r\n", 2000)},
	{"application/x-www-form-urlencoded", "%zz=%zz&=&;"}, {"application/x-www-form-urlencoded", "%00=%ff"}, {"application/octet-stream", "x"},
}

// forms are the pages' forms as they are usually sent, by their address. One that is not here fails the test.
var forms = map[string]string{
	"/jobs/*":   "",
	"/space":    "do=quota&project=birds&quota=12.5",
	"/webhooks": "url=https%3A%2F%2Fci.example.org%2Fhook&kind=rounds", "/webhooks/{webhook}": "do=test", "/projects/{slug}/webhooks": "url=https%3A%2F%2Fci.example.org%2Fhook", "/projects/{slug}/webhooks/{webhook}": "do=off",
	"/signin": "email=nobody@example.org&password=x&next=/projects", "/signout": "", "/language": "language=ja&next=/projects", "/invitation": "key=x&name=Walked&password=x", "/invitations": "email=in@example.org&role=annotator&project-birds=lead", "/invitations/{invitation}/revoke": "", "/projects/{slug}/invitations": "email=in@example.org&role=reviewer", "/projects/{slug}/invitations/{invitation}/revoke": "", "/setup": "key=x&name=First&email=first@example.org&password=x",
	"/projects/{slug}/leakage/leave-out": "within=8&image=1", "/projects/{slug}/leakage/restore": "image=1",
	"/projects/{slug}/images/{image}/task": "", "/projects/{slug}/images/{image}/label": "says=class&class=One&comment=why", "/projects/{slug}/labels/{verdict}": "verdict=reject&comment=why",
	"/projects/{slug}/images": "action=delete&image=1&back=/projects", "/projects/{slug}/images/{image}": "split=train&group=x",
	"/deleted/{slug}": "action=restore&name=x", "/projects/{slug}/settings/state": "action=reopen&name=x",
	"/segmenter": "encoder=x&decoder=x&pixels=0-1", "/segmenter/remove": "",
	"/archives/{import}": "action=start&slug=from-archive&name=x",
	"/projects":          "name=Walked&slug=walked&description=x&everybody=true", "/people": "email=walked@example.org&name=Walked&password=&role=annotator&join=true", "/projects/{slug}/members": "email=other@example.org&role=reviewer", "/projects/{slug}/members/{user}": "action=role&role=annotator",
	"/people/{user}": "action=role&role=annotator", "/people/{user}/remove": "email=x", "/account/name": "name=Walker", "/account/password": "current=&password=",
	"/signin/code": "code=123456&next=/projects", "/account/factor": "current=x", "/account/factor/confirm": "code=123456", "/account/factor/codes": "current=x&code=1", "/account/factor/off": "current=x&code=1", "/people/{user}/factor/off": "",
	"/account/passkeys/{passkey}": "action=rename&name=x", "/people/{user}/passkeys/{passkey}/remove": "",
	"/account/identities": "current=x", "/account/identities/{identity}/remove": "", "/people/{user}/identities/{identity}/remove": "",
	"/account/sessions": "session=987654", "/people/{user}/sessions": "session=987654",
	"/account/tokens": "name=walker&scope=read&days=30&current=correct+horse+battery", "/account/tokens/{token}/revoke": "user=1",
	"/projects/{slug}/tasks/next": "", "/projects/{slug}/tasks/bulk": "action=skip&reason=why&task=1&back=/projects&user=1&all=", "/projects/{slug}/tasks/undo": "undo=1&back=/projects",
	"/projects/{slug}/review/next": "after=1&except=1&release=1&part=review&order=far", "/projects/{slug}/review/accept": "edit=1&order=far", "/projects/{slug}/review/undo": "edit=1", "/projects/{slug}/review/{task}": "edit=1&verdict=reject&comment=why", "/projects/{slug}/rounds/{round}/cancel": "", "/projects/{slug}/review/{task}/retract": "edit=1",
	"/projects/{slug}/rounds":  recipetest.Form(recipe.Defaults()).Encode() + "&key=k",
	"/projects/{slug}/uploads": "model=x", "/projects/{slug}/maps": "maps=x", "/projects/{slug}/settings": "name=Birds&description=", "/projects/{slug}/settings/class": "class=0&class_name=wren", "/projects/{slug}/settings/mix": "confident=60&random=40", "/projects/{slug}/settings/sampling": "share=50&newcomer=10", "/projects/{slug}/start": "method=max&radius=1", "/projects/{slug}/versions/{version}/activate": "", "/projects/{slug}/versions/{version}/scan": "", "/projects/{slug}/versions/{version}/state-dict": "reference=x",
	"/projects/{slug}/agreement/{image}": "source=1&source=2&edit=0&comment=why", "/projects/{slug}/settings/overlap": "share=10&painters=3&seed=1&check_share=0",
	"/projects/{slug}/forecast":         "",
	"/projects/{slug}/imports":          "source=shared&path=a/b",
	"/projects/{slug}/imports/{import}": "action=look&format=folder&split=train&splits=fold1=train&columns=class=species&source=main&update=true&prune=true",
	"/projects/{slug}/uploads/{upload}": "manifest=typed&resize=8&crop_height=8&crop_width=8&interpolation=bilinear&channels=RGB&exif=true&scaling=own&mean=0,0,0&std=1,1,1&classes=a%0Ab&activate=false",
}

// plausible is a value that a schema would take.
func (w *walker) plausible(name string, schema *huma.Schema) any {
	if schema.Ref != "" {
		schema = w.api.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	switch {
	case name == "email":
		return "nobody@example.org"
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Type == "string":
		return "words of some length"
	case schema.Type == "integer":
		return 1
	case schema.Type == "number":
		return 0.5
	case schema.Type == "boolean":
		return true
	case schema.Type == "array":
		return []any{0.5}
	default:
		return map[string]any{}
	}
}

// oddJSON takes the place of one field of a body.
var oddJSON = []string{`"\u0000"`, `"\ud800"`, "\"\xff\"", `""`, `-1`, `2147483648`, `9223372036854775808`, `1e308`, `1e999`, `1e-320`, `null`, `[]`, `{}`, `true`, `[null]`,
	strings.Repeat("[", 9000) + strings.Repeat("]", 9000), strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000), `"` + strings.Repeat("x", 50_000) + `"`}

// bodies sends an operation's body with every field odd in its turn.
func (w *walker) bodies(b *browser, c call, o *huma.Operation, path string) {
	media := o.RequestBody.Content["application/json"]
	if media == nil {
		return
	}
	schema := media.Schema
	if schema.Ref != "" {
		schema = w.api.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	fields := slices.Sorted(maps.Keys(schema.Properties))
	for _, odd := range fields {
		for _, value := range oddJSON {
			body := map[string]json.RawMessage{}
			for _, name := range fields {
				if slices.Contains(schema.Required, name) || w.wanted(o, name) {
					body[name], _ = json.Marshal(w.plausible(name, schema.Properties[name]))
				}
			}
			w.fit(o, body)
			var text bytes.Buffer
			text.WriteByte('{')
			for _, name := range fields {
				part, there := body[name]
				if name == odd {
					part, there = json.RawMessage(value), true
				}
				if there {
					fmt.Fprintf(&text, "%q:%s,", name, part)
				}
			}
			w.send(b, c.method, path, "", strings.TrimSuffix(text.String(), ",")+"}", "Content-Type", "application/json")
		}
	}
}

// wanted are fields that are not required and without which an operation does not get far.
func (w *walker) wanted(o *huma.Operation, name string) bool {
	return name == "values" || name == "comment" || o.OperationID == "skipTask"
}

// fit makes a body one that this studio takes: maps of its grid, the present revision.
func (w *walker) fit(o *huma.Operation, body map[string]json.RawMessage) {
	if body["values"] != nil {
		body["values"], _ = json.Marshal(make([]float32, w.version.GridHeight*w.version.GridWidth))
	}
	if body["base_revision"] != nil || body["revision"] != nil {
		id, _ := strconv.ParseInt(w.things["task"], 10, 64)
		task, err := w.service.Task(w.t.Context(), w.people[annotator.RoleAdmin], id)
		must(w.t, err)
		latest := "0"
		if task.Edit != nil {
			latest = strconv.Itoa(task.Edit.Revision)
		}
		for _, name := range []string{"base_revision", "revision"} {
			if body[name] != nil {
				body[name] = json.RawMessage(latest)
			}
		}
	}
}

// No request is answered with a 5xx: the test sends odd ids, queries, headers, forms and bodies to every address of the router, also to
// addresses that are added later.
func TestNothingOddIsAnsweredWith5xx(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("thousands of requests, one after the other: they take minutes under the race detector")
	}
	var log logged
	s := newStudio(t, log.into, func(c *Config) { c.MetricsToken, c.SignIn.PerAddress = "token", 1000 })
	w := &walker{studio: s, api: newAPI(nil, chi.NewMux())}
	round := s.queuedRound()
	admin := s.as(annotator.RoleAdmin)
	admin.api(http.MethodPost, fmt.Sprintf("/rounds/%d/cancel", round.ID), nil).want(http.StatusOK) // its events end
	task := admin.take()
	edit := into[annotator.Edit](admin.api(http.MethodPut, fmt.Sprintf("/tasks/%d/draft", task.ID), map[string]any{"base_revision": 0, "map": painted(task)}).want(http.StatusOK))
	model, manifest := referenceModel(t, "abn-resnet-tiny")
	form, media := modelFormOf(t, "model", string(model), "manifest", string(manifest))
	upload := into[sentModel](admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", form, "Content-Type", media).want(http.StatusOK))
	other, err := s.store.InsertUser(t.Context(), annotator.User{Email: "other@example.org", Name: "Other", Role: annotator.RoleAnnotator}, passwordHash())
	must(t, err)
	staged := s.sentImport(admin)
	images, err := s.store.Images(t.Context(), task.ProjectID)
	must(t, err)
	questioned := images[slices.IndexFunc(images, func(i annotator.Image) bool { return i.ID != task.ImageID })]
	label := into[annotator.LabelVerdict](s.as(annotator.RoleAnnotator).api(http.MethodPost, fmt.Sprintf("/images/%d/label", questioned.ID), map[string]any{"says": "ambiguous"}).want(http.StatusCreated))
	w.things = map[string]string{"slug": "birds", "point": "model", "project": "birds", "token": "1", "session": "987654", "invitation": "987654", "identity": "987654", "passkey": "987654", "webhook": "987654", "delivery": "987654", "import": staged.ID, "example": "0", "class": "0"}
	for name, id := range map[string]int64{"task": task.ID, "image": task.ImageID, "version": s.version.ID, "round": round.ID,
		"upload": upload.Upload.ID, "edit": edit.ID, "user": other.ID, "verdict": label.ID, "undo": 1} {
		w.things[name] = strconv.FormatInt(id, 10)
	}

	calls := s.calls()
	for i, c := range calls {
		// Everyone who walks is somebody else: some addresses end the session, some count wrong passwords.
		email := fmt.Sprintf("walker-%d@example.org", i)
		_, err := s.store.InsertUser(t.Context(), annotator.User{Email: email, Name: email, Role: annotator.RoleAdmin}, passwordHash())
		must(t, err)
		b := s.nobody()
		b.post("/signin", url.Values{"email": {email}, "password": {password}}).want(http.StatusSeeOther)
		path := w.path(c, "", "")
		if strings.ContainsAny(path, "{}") {
			t.Errorf("%s has a parameter that this test knows no thing for", c.route)
		}
		for _, name := range parametersOf(c.route) {
			for _, odd := range oddIDs {
				w.send(b, c.method, w.path(c, name, odd), "", "{}", "Content-Type", "application/json")
			}
		}
		for _, headers := range oddHeaders {
			w.send(b, c.method, path, "", "", headers...)
		}
		o := c.operation(w.api)
		queries := pageQueries
		if o != nil {
			queries = nil
			for _, p := range o.Parameters {
				if p.In == "query" {
					queries = append(queries, p.Name)
				}
			}
		}
		if c.method == http.MethodGet && len(queries) > 0 {
			for _, value := range oddValues {
				if o == nil { // a page reads what it knows and leaves the rest
					w.send(b, c.method, path, strings.Join(queries, "="+value+"&")+"="+value, "")
					continue
				}
				for _, name := range queries {
					query := name + "=" + value + "&" + name + "=" + value
					if name != "project" {
						query += "&project=birds"
					}
					w.send(b, c.method, path, query, "")
				}
			}
		}
		if c.method == http.MethodGet {
			continue
		}
		for _, body := range oddBodies {
			w.send(b, c.method, path, "", body[1], "Content-Type", body[0])
		}
		if o != nil {
			if o.RequestBody != nil {
				w.bodies(b, c, o, path)
			}
			continue
		}
		if strings.HasPrefix(c.route, apiPrefix) {
			continue
		}
		text, known := forms[c.route]
		if !known {
			t.Errorf("POST %s has no form in this test: say what is usually sent", c.route)
		}
		usual, err := url.ParseQuery(text)
		must(t, err)
		for i, name := range slices.Sorted(maps.Keys(usual)) {
			for j, value := range oddValues {
				if c.route == "/projects/{slug}/uploads/{upload}" && (i+j)%6 != 0 {
					continue // each starts a process that inspects the model
				}
				odd := maps.Clone(usual)
				delete(odd, name)
				w.send(b, c.method, path, "", odd.Encode()+"&"+name+"="+value, "Content-Type", "application/x-www-form-urlencoded")
			}
		}
	}
	if len(w.broken) > 0 {
		t.Errorf("%d of %d requests are answered with a 5xx:\n%s", len(w.broken), w.sent, strings.Join(w.broken[:min(40, len(w.broken))], "\n"))
	}
	if strings.Contains(log.String(), "msg=panic") {
		t.Error("a handler panicked")
	}
	t.Logf("%d requests to %d addresses", w.sent, len(calls))
}
