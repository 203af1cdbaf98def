package web

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/npy"
)

// This file has a test for each class of weakness that other tools of the trade have had, as far as no other file has one: SECURITY.md
// lists the classes with their tests.

// lived is a studio in which people have done one of everything, and a walker that knows what is there.
func lived(t *testing.T, change ...func(*Config)) *walker {
	t.Helper()
	s := newStudio(t, append(change, func(c *Config) { c.SignIn.PerAddress = 1000 })...)
	w := &walker{studio: s, api: newAPI(nil, chi.NewMux())}
	round := s.queuedRound()
	admin, painter, reviewer := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer)
	admin.api(http.MethodPost, fmt.Sprintf("/rounds/%d/cancel", round.ID), nil).want(http.StatusOK) // its events end
	skipped := painter.take()
	painter.api(http.MethodPost, fmt.Sprintf("/tasks/%d/skip", skipped.ID), map[string]any{"reason": "no bird"}).want(http.StatusNoContent)
	returned, waiting := s.submit(), s.submit()
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", returned.Edit.ID), map[string]any{"verdict": "reject", "comment": "the beak", "pins": []map[string]any{{"row": 0, "column": 0, "words": "here"}}}).want(http.StatusOK)
	model, manifest := referenceModel(t, "abn-resnet-tiny")
	upload := s.inspected(http.StatusOK, "model", "net.onnx", string(model), "manifest", "net.json", string(manifest))
	staged := s.sentImport(admin)
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	questioned := images[len(images)-1]
	label := into[annotator.LabelVerdict](painter.api(http.MethodPost, fmt.Sprintf("/images/%d/label", questioned.ID), map[string]any{"says": "ambiguous", "comment": "dusk"}).want(http.StatusCreated))
	s.token(annotator.RoleAdmin, annotator.ScopeRead)
	must(t, errorOf(s.service.CreateProject(t.Context(), annotator.System, "gone", "Gone", "")))
	must(t, errorOf(s.service.DeleteProject(t.Context(), annotator.System, "gone", "Gone")))
	w.things = map[string]string{"slug": "birds", "project": "birds", "point": "model", "token": "1", "import": staged.ID, "example": "0", "class": "0", "undo": "1"}
	for name, id := range map[string]int64{"skipped": skipped.ID, "returned": returned.ID, "image of skipped": skipped.ImageID, "image of returned": returned.ImageID, "task": waiting.ID, "image": waiting.ImageID, "version": s.version.ID, "round": round.ID, "upload": upload.ID,
		"edit": waiting.Edit.ID, "user": s.people[annotator.RoleReviewer].ID, "verdict": label.ID} {
		w.things[name] = strconv.FormatInt(id, 10)
	}
	return w
}

func errorOf[T any](_ T, err error) error { return err }

// rows are the contents of every table by its name, but for sessions, which also keep what a page says once, and for figures of edits, which
// are computed from the edits when somebody first looks at them.
func (s *studio) rows() map[string]string {
	s.t.Helper()
	names, err := s.store.Pool().Query(s.t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT IN ('sessions', 'edit_figures')`)
	must(s.t, err)
	var tables []string
	for names.Next() {
		var name string
		must(s.t, names.Scan(&name))
		tables = append(tables, name)
	}
	must(s.t, names.Err())
	var each []string
	for _, name := range tables {
		each = append(each, fmt.Sprintf(`SELECT '%[1]s', coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM %[1]s t`, name))
	}
	sums, err := s.store.Pool().Query(s.t.Context(), strings.Join(each, " UNION ALL "))
	must(s.t, err)
	out := map[string]string{}
	for sums.Next() {
		var name, sum string
		must(s.t, sums.Scan(&name, &sum))
		out[name] = sum
	}
	must(s.t, sums.Err())
	if len(out) < 25 {
		s.t.Fatalf("only %d tables", len(out))
	}
	return out
}

// changedSince names the tables that are others than they were.
func (s *studio) changedSince(before map[string]string) []string {
	s.t.Helper()
	var changed []string
	for name, sum := range s.rows() {
		if before[name] != sum {
			changed = append(changed, name)
		}
	}
	return changed
}

// toldByTheTrail are the addresses that a GET takes records from: the trail has a line of that, and nothing else changes.
var toldByTheTrail = map[string]bool{
	"/account/data": true, "/people/{user}/data": true, apiPrefix + "/users/{user}/data": true,
	apiPrefix + "/projects/{project}/export": true, apiPrefix + "/projects/{project}/archive": true, apiPrefix + "/audit/export": true,
}

// A GET changes nothing, whoever sends it and whatever the address: a link or a picture on another site's page can do no harm.
func TestNoGetChangesAnything(t *testing.T) {
	t.Parallel()
	w := lived(t)
	got, walked := 0, 0
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleAdmin} {
		b := w.as(role)
		before := w.rows() // signing in says when somebody was there last
		for _, c := range w.calls() {
			if c.method != http.MethodGet {
				continue
			}
			walked++
			query := ""
			switch c.route {
			case apiPrefix + "/tasks", apiPrefix + "/tasks/recent", apiPrefix + "/tasks/day", apiPrefix + "/tasks/facets":
				query = "?project=birds"
			case apiPrefix + "/projects/{project}/export", apiPrefix + "/audit/export":
				query = "?format=jsonl"
			case apiPrefix + "/versions/{version}/compare":
				query = "?with=" + w.things["version"]
			}
			if r := b.get(w.path(c, "*", "studio.css") + query); r.StatusCode < 400 {
				got++
			}
			if changed := w.changedSince(before); len(changed) > 0 {
				if told := slices.Equal(changed, []string{"audit"}) && toldByTheTrail[c.route]; !told {
					t.Errorf("GET %s as %s changes %v", c.route, role, changed)
				}
				before = w.rows()
			}
		}
	}
	if got < walked/2 || walked < 120 {
		t.Errorf("of %d addresses only %d answered with something", walked, got)
	}
	t.Log(got, "of", walked, "addresses answered")
}

// No request from another site is carried out, at any address that changes something, with or without the header of present browsers.
func TestNoRequestFromAnotherSiteIsCarriedOut(t *testing.T) {
	t.Parallel()
	w := lived(t)
	b := w.as(annotator.RoleAdmin)
	before := w.rows()
	walked := 0
	for _, c := range w.calls() {
		if c.method == http.MethodGet {
			continue
		}
		walked++
		for _, site := range []string{"cross-site", "same-site", ""} {
			r := b.do(c.method, w.path(c, "", ""), strings.NewReader(forms[c.route]), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", site, "Origin", "https://evil.example")
			if r.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s from another site (%q): %s", c.method, c.route, site, r.Status)
			}
		}
	}
	if changed := w.changedSince(before); len(changed) > 0 {
		t.Errorf("refused requests changed %v", changed)
	}
	b.get("/projects").want(http.StatusOK) // still signed in
	if walked < 90 {
		t.Errorf("only %d addresses were walked", walked)
	}
}

// markup is text that would become an element or an attribute wherever it is not written as text: in elements, in attributes with and
// without quotes, in scripts, comments and titles, and as an address. of says where it came from.
func markup(of string) string {
	return `<evil-x of="` + of + `" evil=1>` + "`" + `'" evil=1 </script></textarea></title></style>--><evil-x evil=1><img src=x onerror=evil()>`
}

// became reports how a page took text for markup; "" if it did not.
func became(page *goquery.Document) string {
	said := ""
	page.Find("*").Each(func(_ int, e *goquery.Selection) {
		n := e.Get(0)
		if n.Data == "evil-x" {
			said = "an element"
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case a.Key == "evil" || strings.HasPrefix(a.Key, "on"):
				said = "an attribute " + a.Key
			case (a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction") && strings.HasPrefix(value, "javascript:"):
				said = "a program in " + a.Key
			}
		}
	})
	return said
}

// inert are the media types that a browser shows no markup of.
var inert = []string{"application/json", "application/problem+json", "text/event-stream", "image/jpeg", "image/png", "image/webp", "image/gif", "application/octet-stream", "application/zip", "text/css", "application/jsonl",
	"application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "application/openapi+json", "application/openapi+yaml", "text/plain", "font/woff2"}

// checkInert fails if an answer lets a browser take its text for markup.
func checkInert(r *response, what string) {
	r.t.Helper()
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(r.body) == 0:
	case err != nil:
		r.t.Errorf("%s: the type is %q", what, r.Header.Get("Content-Type"))
	case media == "text/html":
		if how := became(r.page()); how != "" {
			r.t.Errorf("%s: text became %s", what, how)
		}
	case !slices.Contains(inert, media):
		r.t.Errorf("%s: the type %s may show markup: if it cannot, it belongs into the test's list", what, media)
	}
	if r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		r.t.Errorf("%s may be taken for another type", what)
	}
}

// keptWords are columns of text that are not words: what the program compares with, or looks up by.
var keptWords = []string{"sessions.token", "users.password_hash", "segmenter.encoder_hash", "segmenter.decoder_hash", "images.broken", "projects.slug"}

// plant writes markup behind every text of the database that is not one of a few words, and into the JSON that has people's words. It
// returns the columns. What the interface takes is one thing; an archive, an import or an older release may bring any text.
func (s *studio) plant() []string {
	s.t.Helper()
	ctx := s.t.Context()
	conn, err := s.store.Pool().Acquire(ctx)
	must(s.t, err)
	defer conn.Release()
	_, err = conn.Exec(ctx, `SET session_replication_role = replica`) // past what keeps the trail from being changed
	must(s.t, err)
	defer func() { must(s.t, errorOf(conn.Exec(ctx, `SET session_replication_role = DEFAULT`))) }()
	must(s.t, errorOf(conn.Exec(ctx, `UPDATE rounds SET state = 'failed', error = 'it broke'`))) // its page says why
	found, err := conn.Query(ctx, `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'river%' AND table_name NOT LIKE 'goose%'
		AND data_type = 'text' AND is_generated = 'NEVER' ORDER BY 1`)
	must(s.t, err)
	var columns, planted []string
	for found.Next() {
		var name string
		must(s.t, found.Scan(&name))
		if !slices.Contains(keptWords, name) {
			columns = append(columns, name)
		}
	}
	must(s.t, found.Err())
	for _, name := range columns {
		table, column, _ := strings.Cut(name, ".")
		done, err := conn.Exec(ctx, fmt.Sprintf(`UPDATE %s SET %s = %[2]s || $1`, table, column), markup(name))
		if err == nil && done.RowsAffected() > 0 { // an error: it has to be one of a few words
			planted = append(planted, name)
		}
	}
	for name, change := range map[string]string{
		"reviews.pins":      `pins = replace(pins::text, 'here', $1)::jsonb`,
		"uploads.report":    `report = replace(report::text, 'net.onnx', $1)::jsonb`,
		"uploads.manifest":  `manifest = replace(manifest::text, 'bird-', 'bird-' || $1)::jsonb`,
		"versions.manifest": `manifest = replace(manifest::text, 'bird-', 'bird-' || $1)::jsonb`,
		"versions.warnings": `warnings = jsonb_build_array(to_json($1::text))`,
		"rounds.settings":   `settings = settings || jsonb_build_object('engine', to_json($1::text))`,
	} {
		table, _, _ := strings.Cut(name, ".")
		quoted, err := json.Marshal(markup(name))
		must(s.t, err)
		text := string(quoted[1 : len(quoted)-1])
		if strings.Contains(change, "to_json") {
			text = markup(name)
		}
		done, err := conn.Exec(ctx, `UPDATE `+table+` SET `+change, text)
		must(s.t, err)
		if done.RowsAffected() > 0 {
			planted = append(planted, name)
		}
	}
	return planted
}

// Whatever text is in the database, from people, pictures' names or networks, no page takes it for markup, and no other answer is of a type
// that a browser would: not on any address, nor in what it says of an address or a form that it refuses.
func TestNoTextBecomesMarkup(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("many requests, one after the other: they take minutes under the race detector")
	}
	w := lived(t)
	admin := w.as(annotator.RoleAdmin)
	for _, way := range []string{"<p>%s</p>", "<p title=%s>", `<p title="%s">`, "<p title='%s'>", "<script>var a = \"%s\"</script>", "<title>%s</title>", "<textarea>%s</textarea>", "<!--%s-->", `<a href="javascript:%s">`} {
		page, err := goquery.NewDocumentFromReader(strings.NewReader(fmt.Sprintf(way, markup("itself"))))
		must(t, err)
		if became(page) == "" {
			t.Errorf("the test does not see markup in %s", way)
		}
	}
	planted := w.plant()
	seen := map[string]bool{}
	pages := 0
	look := func(r *response, what string) {
		t.Helper()
		checkInert(r, what)
		if r.StatusCode >= 500 {
			t.Errorf("%s: %s %.300s", what, r.Status, r.body)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			return
		}
		pages++
		page := string(r.body)
		for _, name := range planted {
			if strings.Contains(page, "evil-x of=&#34;"+name+"&#34;") || strings.Contains(page, `\u003cevil-x of=\"`+name+`\"`) {
				seen[name] = true
			}
		}
	}
	text := url.QueryEscape(markup("an address"))
	for _, c := range w.calls() {
		if c.method != http.MethodGet {
			continue
		}
		path := w.path(c, "*", "studio.css")
		look(admin.get(path), "GET "+c.route)
		if strings.HasPrefix(c.route, apiPrefix) {
			look(admin.get(path+"?project="+text+"&q="+text+"&format="+text+"&"+text+"=1"), "GET "+c.route+" with words in the query")
		} else {
			look(admin.get(path+"?"+strings.Join(pageQueries, "="+text+"&")+"="+text), "GET "+c.route+" with words in the query")
		}
		for _, name := range parametersOf(c.route) {
			look(admin.get(w.path(c, name, url.PathEscape(markup("an address")))), "GET "+c.route+" with words as "+name)
		}
	}
	for _, name := range []string{"skipped", "returned"} { // tasks in other states than the walked one
		for _, route := range []string{"tasks", "review"} {
			look(admin.get("/projects/birds/"+route+"/"+w.things[name]), "a task that was "+name)
		}
		look(admin.get("/projects/birds/images/"+w.things["image of "+name]), "the image of a task that was "+name)
	}
	look(admin.get("/"+url.PathEscape(markup("an address"))), "GET nothing")
	for _, c := range w.calls() {
		form, page := forms[c.route]
		if c.method != http.MethodPost || !page || c.route == "/signout" {
			continue
		}
		usual, err := url.ParseQuery(form)
		must(t, err)
		for odd := range usual {
			changed := maps.Clone(usual)
			changed.Set(odd, usual.Get(odd)+markup("a form"))
			look(admin.post(w.path(c, "", ""), changed), "POST "+c.route+" with words as "+odd)
			look(admin.get("/projects/birds/queue"), "what is said after POST "+c.route)
		}
	}
	// The test sees what it looks for: these stand on some page.
	for _, name := range []string{"projects.name", "projects.description", "classes.name", "images.name", "users.name", "users.email", "tasks.skip_reason", "reviews.comment", "reviews.pins", "label_verdicts.comment",
		"tokens.name", "uploads.name", "audit.detail", "rounds.error", "rounds.started_by_name", "versions.warnings"} {
		if !seen[name] {
			t.Errorf("%s is on no page: the test does not see it", name)
		}
	}
	t.Logf("%d pages, %d of %d columns of text seen on them: %v", pages, len(seen), len(planted), slices.Sorted(maps.Keys(seen)))
}

// A picture is answered as what its bytes are, whatever its name says, and what is no picture is none: nothing that was sent is answered as
// a page.
func TestPicturesAreAnsweredAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	picture, err := os.ReadFile(filepath.Join(s.reference(), referencePictures[0]))
	must(t, err)
	script := "<script>alert(1)</script>"
	files := map[string]string{
		"train/bird-0/<img src=x onerror=alert(1)>.jpg": string(picture) + script, // both a picture and a page
		"train/bird-0/page.html.jpg":                    string(picture) + script + " ",
		"train/bird-0/page.html":                        script,
		"train/bird-0/page.jpg":                         script,
		"train/bird-0/drawing.svg":                      `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
		"train/bird-0/drawing.png":                      `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
	}
	looked := s.sentFiles(admin, files)
	if looked.Report == nil || looked.Report.Sync.Added != 2 {
		t.Fatalf("looked at: %+v", looked)
	}
	checkInert(admin.get("/projects/birds/imports/"+looked.ID).want(http.StatusOK), "the import's page")
	admin.api(http.MethodPost, "/imports/"+looked.ID+"/start", map[string]any{}).want(http.StatusAccepted)
	if done := s.unpacked(admin, looked.ID); done.State != annotator.StagedImported {
		t.Fatalf("imported: %+v", done)
	}
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	added := 0
	for _, image := range images {
		if !strings.Contains(image.Name, "page.html") && !strings.Contains(image.Name, "onerror") {
			continue
		}
		added++
		for _, kind := range []string{"original", "whole", "view", "thumb"} {
			r := admin.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=%s", image.ID, kind), nil).want(http.StatusOK)
			if r.Header.Get("Content-Type") != "image/jpeg" {
				t.Errorf("%s, %s: the type is %s", image.Name, kind, r.Header.Get("Content-Type"))
			}
			checkInert(r, image.Name)
			if kind != "original" && bytes.Contains(r.body, []byte("script")) {
				t.Errorf("%s, %s: what stood behind the picture is still there", image.Name, kind)
			}
		}
		checkInert(admin.get(fmt.Sprintf("/projects/birds/images/%d", image.ID)).want(http.StatusOK), "the image's page")
	}
	if added != 2 {
		t.Errorf("%d images were added, want 2", added)
	}
	for _, format := range []string{"jsonl", "csv", "labelstudio", "coco"} {
		r := admin.api(http.MethodGet, "/projects/birds/export?format="+format, nil)
		checkInert(r, "an export as "+format)
		if r.StatusCode == http.StatusOK && !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("an export as %s is shown and not kept", format)
		}
	}
}

// reference is the folder of the reference pictures.
func (s *studio) reference() string {
	return filepath.Join("..", "testdata", "reference", "preprocess")
}

// sentFiles is a data set of these files that is sent and looked at.
func (s *studio) sentFiles(admin *browser, files map[string]string) annotator.StagedImport {
	s.t.Helper()
	var list []annotator.StagedFile
	var stream bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, annotator.StagedFile{Path: name, Bytes: int64(len(files[name]))})
		stream.WriteString(files[name])
	}
	begun := stagedIn(s.t, admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"name": "sent", "files": list}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset=0", &stream, "Content-Type", "application/octet-stream").want(http.StatusOK)
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{}).want(http.StatusAccepted)
	return s.lookedAt(admin, begun.ID)
}

// The server fetches no address that a request or a file names: a listener on this machine stands in every text of every operation and
// form, and in tables, labels, manifests and networks that are sent, and nobody asks it.
func TestNoAddressThatIsSentIsFetched(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("many requests, one after the other: they take minutes under the race detector")
	}
	w := lived(t)
	admin := w.as(annotator.RoleAdmin)
	var asked atomic.Int64
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		t.Errorf("the server asks for %s", r.URL)
	}))
	t.Cleanup(listener.Close)
	places := []string{listener.URL + "/a.png", "s3://bucket/a?region=x&use_path_style=true&endpoint=" + listener.URL, "gs://bucket/a?anonymous=true&endpoint=" + listener.URL, strings.TrimPrefix(listener.URL, "http:")}
	sent := 0
	for _, c := range w.calls() {
		if c.method == http.MethodGet || c.method == http.MethodDelete || strings.HasSuffix(c.route, "/signout") || strings.HasSuffix(c.route, "/close") || strings.HasSuffix(c.route, "/delete") ||
			strings.HasSuffix(c.route, "/purge") || strings.HasSuffix(c.route, "/settings/state") {
			continue // what others need
		}
		by := admin
		if _, is := open[c.method+" "+c.route]; is {
			by = w.nobody() // what signs in would change who the others are sent by
		}
		for _, place := range places {
			path := w.path(c, "", "")
			if o := c.operation(w.api); o != nil {
				if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
					continue
				}
				schema := o.RequestBody.Content["application/json"].Schema
				if schema.Ref != "" {
					schema = w.api.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
				}
				for _, odd := range slices.Sorted(maps.Keys(schema.Properties)) { // one at a time: else the first that is refused would hide the others
					body := map[string]any{}
					for name, of := range schema.Properties {
						if slices.Contains(schema.Required, name) {
							body[name] = w.plausible(name, of)
						}
					}
					body[odd] = addressed(schema.Properties[odd], place)
					by.do(c.method, path, strings.NewReader(jsonOf(t, body)), "Content-Type", "application/json")
					sent++
				}
				continue
			}
			usual, err := url.ParseQuery(forms[c.route])
			must(t, err)
			for _, odd := range slices.Sorted(maps.Keys(usual)) {
				changed := maps.Clone(usual)
				changed.Set(odd, place)
				by.post(path, changed)
				sent++
			}
		}
	}
	at := listener.URL + "/1.png"
	for name, files := range map[string]map[string]string{
		"a table":         {"images.csv": "file,class,mask\n" + at + ",a," + at + "\n1.png,b," + at + "\n", "1.png": "x"},
		"JSON Lines":      {"train/metadata.jsonl": `{"file_name": "` + at + `", "label": "a"}` + "\n"},
		"COCO":            {"annotations.json": `{"images": [{"id": 1, "file_name": "` + at + `", "coco_url": "` + at + `", "flickr_url": "` + at + `"}], "annotations": [{"image_id": 1, "category_id": 1}], "categories": [{"id": 1, "name": "a"}]}`},
		"Label Studio":    {"labels.json": `[{"data": {"image": "` + at + `"}, "annotations": [{"result": [{"type": "choices", "value": {"choices": ["a"]}}]}]}]`},
		"an XML document": {"1.xml": `<!DOCTYPE a [<!ENTITY e SYSTEM "` + at + `">]><annotation><path>&e;</path></annotation>`, "1.png": "x"},
		"YAML of YOLO":    {"data.yaml": "path: " + at + "\ntrain: " + at + "\ndownload: " + at + "\nnames: [a]\n"},
	} {
		if looked := w.sentFiles(admin, files); looked.Report != nil && looked.Report.Sync.Added > 0 {
			t.Errorf("%s brings an image that was not sent", name)
		}
	}
	model, _ := referenceModel(t, "abn-resnet-tiny")
	for _, parts := range [][]string{
		{"model", string(model), "manifest", `{"crop": [8, 8], "classes": "` + at + `", "model": "` + at + `"}`},
		{"manifest", `{"_name_or_path": "` + at + `", "image_processor_type": "` + at + `"}`, "model", string(model)},
	} {
		form, media := modelFormOf(t, parts...)
		admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", form, "Content-Type", media)
	}
	if sent < 500 || asked.Load() > 0 {
		t.Errorf("%d requests named the listener, and it was asked %d times", sent, asked.Load())
	}
}

// addressed is a value of a schema's kind, with a text wherever it can have one.
func addressed(schema *huma.Schema, text string) any {
	switch schema.Type {
	case huma.TypeArray:
		return []any{text}
	case huma.TypeObject:
		return map[string]any{"a": text, "path": text}
	}
	return text
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	must(t, err)
	return string(raw)
}

// Nobody gains rights by what they say of themselves: no role, no account of another, no scope that the role does not have, and no field
// that is not theirs to set.
func TestNobodyRaisesThemselves(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.as(annotator.RoleAdmin)
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleReviewer} {
		b, me := s.as(role), s.people[role].ID
		before := s.rows()["users"]
		for _, id := range []int64{me, s.people[annotator.RoleAdmin].ID} {
			path := fmt.Sprintf("/users/%d", id)
			for _, body := range []map[string]any{
				{"role": "admin"}, {"role": "admin", "name": "Me"}, {"disabled": false}, {"role": string(role)}, {"password": "orbit and gravel 5", "current_password": password, "role": "admin"},
			} {
				b.api(http.MethodPatch, path, body).want(http.StatusForbidden)
			}
			for _, field := range []string{"id", "email", "Role", "is_admin", "is_staff", "is_superuser", "generator", "removed_at", "password_hash", "came_as", "scopes", "user"} {
				r := b.api(http.MethodPatch, path, map[string]any{field: "admin", "name": "Me"})
				if r.StatusCode != http.StatusUnprocessableEntity && r.StatusCode != http.StatusForbidden {
					t.Errorf("%s sets %s of user %d: %s", role, field, id, r.Status)
				}
			}
			b.post(fmt.Sprintf("/people/%d", id), url.Values{"action": {"role"}, "role": {"admin"}}).want(http.StatusForbidden)
		}
		b.api(http.MethodPost, "/users", map[string]any{"email": "m@example.org", "name": "M", "password": "orbit and gravel 5", "role": "admin"}).want(http.StatusForbidden)
		if s.rows()["users"] != before {
			t.Errorf("%s changed an account", role)
		}
		b.post("/account/name", url.Values{"name": {"Me"}, "role": {"admin"}, "action": {"role"}, "id": {strconv.FormatInt(s.people[annotator.RoleAdmin].ID, 10)}, "disabled": {"false"}}).want(http.StatusSeeOther)
		b.post("/account/password", url.Values{"current": {password}, "password": {"orbit and gravel 5"}, "role": {"admin"}, "action": {"role"}}).want(http.StatusSeeOther)
		now, err := s.store.User(t.Context(), me)
		must(t, err)
		if now.Role != role || now.Name != "Me" {
			t.Errorf("%s is now %s, called %s", role, now.Role, now.Name)
		}
		for _, scopes := range [][]string{{"admin"}, {"read", "admin"}, {"Admin"}, {"*"}, {"read", "paint", "review", "admin"}} {
			r := b.api(http.MethodPost, "/tokens", map[string]any{"name": "more", "scopes": scopes, "current_password": "orbit and gravel 5"})
			if r.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s makes a token with %v: %s", role, scopes, r.Status)
			}
			b.post("/account/tokens", url.Values{"name": {"more"}, "scope": scopes, "days": {"7"}, "current": {"orbit and gravel 5"}}).want(http.StatusUnprocessableEntity)
		}
		if role == annotator.RoleAnnotator {
			b.api(http.MethodPost, "/tokens", map[string]any{"name": "more", "scopes": []string{"review"}, "current_password": "orbit and gravel 5"}).want(http.StatusUnprocessableEntity)
		}
	}
	admin, err := s.store.User(t.Context(), s.people[annotator.RoleAdmin].ID)
	must(t, err)
	if admin.Name != "The admin" {
		t.Errorf("the admin is called %s", admin.Name)
	}
}

// No list can be asked for by a column that it does not show: every operation refuses a parameter that it does not describe, and those
// that it describes name nothing secret.
func TestListsAreNotAskedByWhatTheyHide(t *testing.T) {
	t.Parallel()
	w := lived(t)
	b := w.as(annotator.RoleAnnotator)
	asked := 0
	for _, c := range w.calls() {
		o := c.operation(w.api)
		if o == nil || c.method != http.MethodGet {
			continue
		}
		for _, p := range o.Parameters {
			if name := strings.ToLower(p.Name); p.In == "query" && (strings.Contains(name, "password") || strings.Contains(name, "hash") || strings.Contains(name, "secret") || strings.Contains(name, "check") || strings.Contains(name, "mask") || strings.Contains(name, "email")) {
				t.Errorf("%s can be asked by %s", o.OperationID, p.Name)
			}
		}
		usual := "?"
		for _, p := range o.Parameters {
			if p.In == "query" && p.Required {
				usual += p.Name + "=" + map[string]string{"project": "birds", "format": "jsonl", "with": "1"}[p.Name] + "&"
			}
		}
		path := w.path(c, "", "")
		if r := b.get(path + usual); r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusNotFound {
			continue
		}
		for _, hidden := range []string{"password_hash__startswith=a", "author__password_hash__regex=^a", "filter=users.password_hash", "order_by=is_check", "is_check=true", "masked=true", "mask_hash=a", "ordering=-author__email"} {
			asked++
			if r := b.get(path + usual + hidden); r.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%s?%s: %s", o.OperationID, hidden, r.Status)
			}
		}
	}
	for _, order := range []string{"password_hash", "is_check", "oldest;drop table users", "loss,password_hash"} {
		w.as(annotator.RoleReviewer).api(http.MethodGet, "/projects/birds/reviews?order="+url.QueryEscape(order), nil).want(http.StatusUnprocessableEntity)
	}
	if asked < 200 {
		t.Errorf("only %d requests were sent", asked)
	}
	// Addresses of people are shown to admins alone, so an export is asked by them alone, and by one's own.
	for _, c := range []struct {
		role   annotator.Role
		author string
		some   bool
	}{
		{annotator.RoleAnnotator, "The reviewer", true}, {annotator.RoleAnnotator, "reviewer@example.org", false}, {annotator.RoleAnnotator, "Annotator@example.org", true},
		{annotator.RoleReviewer, "annotator@example.org", false}, {annotator.RoleAdmin, "reviewer@example.org", true},
	} {
		r := w.as(c.role).api(http.MethodGet, "/projects/birds/export?format=jsonl&what=audit&author="+url.QueryEscape(c.author), nil).want(http.StatusOK)
		if (len(bytes.TrimSpace(r.body)) > 0) != c.some {
			t.Errorf("the trail of %s to %s: %.200s", c.author, c.role, r.body)
		}
	}
}

// What one studio gave out is worth nothing to another, though both have the same people with the same passwords: sessions and tokens are
// random, and no key is shared.
func TestStudiosShareNoSessions(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	b := here.as(annotator.RoleAdmin)
	home, err := url.Parse(here.http.URL)
	must(t, err)
	session := ""
	for _, c := range b.client.Jar.Cookies(home) {
		if c.Name == "studio" {
			session = c.Value
		}
	}
	if len(session) < 43 {
		t.Fatalf("the session is %q", session)
	}
	token := here.token(annotator.RoleAdmin, annotator.ScopeRead)
	for _, c := range []struct {
		s    *studio
		want int
	}{{here, http.StatusOK}, {there, http.StatusUnauthorized}} {
		c.s.nobody().do(http.MethodGet, apiPrefix+"/session", nil, "Cookie", "studio="+session).want(c.want)
		c.s.nobody().do(http.MethodGet, apiPrefix+"/session", nil, "Authorization", "Bearer "+token).want(c.want)
	}
	again := here.as(annotator.RoleAdmin)
	for _, c := range again.client.Jar.Cookies(home) {
		if c.Name == "studio" && c.Value == session {
			t.Error("two sessions have one token")
		}
	}
	// Nor does the database's own copy open anything: it has hashes.
	var kept string
	must(t, here.store.Pool().QueryRow(t.Context(), `SELECT token FROM sessions LIMIT 1`).Scan(&kept))
	here.nobody().do(http.MethodGet, apiPrefix+"/session", nil, "Cookie", "studio="+url.QueryEscape(kept)).want(http.StatusUnauthorized)
}

// Basic authentication is no way in, anywhere, with the right password or a token as one; nor is a token of somebody who was disabled.
func TestBasicAuthenticationIsNoWayIn(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	w := &walker{studio: s, api: newAPI(nil, chi.NewMux()), things: map[string]string{"slug": "birds", "project": "birds"}}
	token := s.token(annotator.RoleAdmin, annotator.AllScopes()...)
	basic := func(user, word string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+word))
	}
	walked := 0
	for _, c := range w.calls() {
		if open[c.method+" "+c.route] != "" {
			continue
		}
		walked++
		path := w.path(c, "", "")
		for strings.Contains(path, "{") {
			start, end := strings.Index(path, "{"), strings.Index(path, "}")
			path = path[:start] + "1" + path[end+1:]
		}
		for _, way := range []string{basic("admin@example.org", password), basic("token", token), basic(token, ""), "Token " + token, "Digest " + token, token} {
			r := s.nobody().do(c.method, path, nil, "Authorization", way)
			if r.StatusCode != http.StatusUnauthorized && (r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), "/signin")) {
				t.Errorf("%s %s with %.12s…: %s", c.method, c.route, way, r.Status)
			}
			if strings.Contains(strings.ToLower(r.Header.Get("WWW-Authenticate")), "basic") {
				t.Errorf("%s %s asks for Basic", c.method, c.route)
			}
		}
	}
	if walked < 150 {
		t.Errorf("only %d addresses were walked", walked)
	}
	s.with(token, http.MethodGet, apiPrefix+"/session", "", "").want(http.StatusOK)
	second, err := s.store.InsertUser(t.Context(), annotator.User{Email: "second@example.org", Name: "Second", Role: annotator.RoleAdmin, CreatedAt: time.Now()}, passwordHash())
	must(t, err)
	yes := true
	must(t, errorOf(s.service.ChangeUser(t.Context(), second, s.people[annotator.RoleAdmin].ID, annotator.UserChange{Disabled: &yes})))
	s.with(token, http.MethodGet, apiPrefix+"/session", "", "").want(http.StatusUnauthorized)
	s.with(token, http.MethodPost, apiPrefix+"/projects", "application/json", `{"slug": "x", "name": "X"}`).want(http.StatusUnauthorized)
}

// Nobody makes an account for themselves: the addresses that need no sign-in make none once there is a person, whatever they are sent.
func TestNobodySignsUp(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) { c.SignIn.PerAddress = 1000 })
	before := s.rows()["users"]
	form := url.Values{"email": {"m@example.org"}, "name": {"M"}, "password": {"orbit and gravel 5"}, "password1": {"orbit and gravel 5"}, "role": {"admin"}, "key": {"x"}, "next": {"/projects"}}.Encode()
	body := `{"email": "m@example.org", "name": "M", "password": "orbit and gravel 5", "role": "admin"}`
	addresses := []string{"POST /register", "POST /signup", "POST /users", "POST /user/signup", "POST /invite", "POST " + apiPrefix + "/register", "POST " + apiPrefix + "/users", "POST /people", "PUT " + apiPrefix + "/session"}
	for address := range open {
		_, path, _ := strings.Cut(address, " ")
		addresses = append(addresses, "POST "+path)
	}
	for _, address := range addresses {
		method, path, _ := strings.Cut(address, " ")
		for media, content := range map[string]string{"application/x-www-form-urlencoded": form, "application/json": body} {
			r := s.nobody().do(method, path, strings.NewReader(content), "Content-Type", media)
			if len(r.Cookies()) > 0 && r.StatusCode < 400 && path != "/signout" {
				t.Errorf("%s signs a stranger in: %s", address, r.Status)
			}
		}
	}
	if s.rows()["users"] != before {
		t.Error("a stranger made an account")
	}
	s.nobody().get("/signin").want(http.StatusOK).hasNot("a[href*=sign-up], a[href*=signup], a[href*=register]")
}

// What an admin has begun is not shown to others nor ended by them, by its real number: imports, uploads, archives and rounds. Where work
// stands in line for the workers (River's numbers) is in no answer.
func TestOthersJobsAreNotShownOrEnded(t *testing.T) {
	t.Parallel()
	w := lived(t)
	theirs := func(route string) bool {
		return strings.Contains(route, "{import}") || strings.Contains(route, "{upload}") || strings.Contains(route, "/imports") || strings.Contains(route, "/archives") || strings.Contains(route, "/cancel") || strings.Contains(route, "/uploads")
	}
	walked := 0
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleReviewer} {
		b := w.as(role)
		all := w.token(role, annotator.ScopeRead)
		before := w.rows()
		for _, c := range w.calls() {
			if !theirs(c.route) {
				continue
			}
			walked++
			path, media := w.path(c, "", ""), "application/x-www-form-urlencoded"
			content := forms[c.route]
			if strings.HasPrefix(c.route, apiPrefix) {
				content, media = "{}", "application/json"
				w.with(all, c.method, path, media, content).want(http.StatusForbidden)
			}
			if r := b.do(c.method, path, strings.NewReader(content), "Content-Type", media); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s as %s: %s", c.method, c.route, role, r.Status)
			}
		}
		for _, name := range w.changedSince(before) {
			if name != "tokens" { // when they were used last
				t.Errorf("as %s, %s changed", role, name)
			}
		}
	}
	if walked < 30 {
		t.Errorf("only %d addresses were walked", walked)
	}
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleAdmin} {
		raw := strings.ToLower(string(w.as(role).api(http.MethodGet, "/projects/birds/jobs", nil).want(http.StatusOK).body))
		for _, word := range []string{"river", "queue_id", "worker", "claimed_by", "host"} {
			if strings.Contains(raw, word) {
				t.Errorf("the jobs tell %s their %s: %s", role, word, raw)
			}
		}
	}
}

// Nothing that was pickled is read, wherever it is sent and whatever it is called: networks, maps, pictures, state_dicts, manifests. What a
// pickle would do is not done.
func TestPicklesAreRefused(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	mark := filepath.Join(t.TempDir(), "done")
	pickle := "cposix\nsystem\n(S'touch " + mark + "'\ntR."
	packed := func(names ...string) string {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for _, name := range names {
			f, err := z.Create(name)
			must(t, err)
			content := pickle
			if strings.HasSuffix(name, ".npy") {
				content = objects(pickle)
			}
			must(t, errorOf(f.Write([]byte(content))))
		}
		must(t, z.Close())
		return out.String()
	}
	torch := packed("archive/data.pkl", "archive/version", "archive/data/0") // as torch.save writes
	if _, err := npy.Read(strings.NewReader(objects(pickle)), 1<<20); err == nil {
		t.Error("an array of objects is read")
	}
	for name, content := range map[string]string{"m.onnx": pickle, "m.pt": torch, "m.pth": torch, "m.pkl": pickle, "m.bin": torch, "m.ckpt": pickle, "torch.onnx": torch, "m.npz": packed("w.npy")} {
		s.inspected(http.StatusUnprocessableEntity, "model", name, content)
	}
	model, manifest := referenceModel(t, "abn-resnet-tiny")
	for _, name := range []string{"manifest.json", "manifest.pkl", "preprocessor_config.json"} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, sent := range [][3]string{{"manifest", name, pickle}, {"model", "m.onnx", string(model)}} {
			part, err := form.CreateFormFile(sent[0], sent[1])
			must(t, err)
			must(t, errorOf(part.Write([]byte(sent[2]))))
		}
		must(t, form.Close())
		admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions", &body, "Content-Type", form.FormDataContentType()).want(http.StatusUnprocessableEntity)
	}
	s.inspected(http.StatusOK, "model", "m.onnx", string(model), "manifest", "m.json", string(manifest)) // as it is meant
	for name, content := range map[string]string{"maps.pkl": pickle, "map.npy": objects(pickle), "maps.npz": packed("train/photo-420.jpg.npy"), "maps.zip": packed("train/photo-420.jpg.npy", "maps.pkl"), "maps.jsonl": pickle, "maps.parquet": pickle} {
		form, media := mapsForm(t, [][2]string{{name, content}}, "author", "The annotator")
		admin.do(http.MethodPost, apiPrefix+"/projects/birds/maps", form, "Content-Type", media).want(http.StatusUnprocessableEntity)
	}
	for name, content := range map[string]string{"best.pt": torch, "best.pkl": pickle, "best.safetensors": pickle, "best.npz": packed("conv1.weight.npy")} {
		admin.do(http.MethodPost, fmt.Sprintf("%s/versions/%d/state-dict?name=%s", apiPrefix, s.version.ID, name), strings.NewReader(content), "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity)
	}
	for _, files := range []map[string]string{
		{"data.pkl": pickle}, {"train.pt": torch}, {"images.npy": objects(pickle), "labels.npy": objects(pickle)}, {"set.npz": packed("train_images.npy", "train_labels.npy")},
		{"data_batch_1": pickle, "batches.meta": pickle}, {"images.csv": "file,class\ndata.pkl,a\n", "data.pkl": pickle}, {"train/a/1.png": pickle}, {"set.zip": packed("train/a/1.pkl", "data.pkl")},
	} {
		if looked := s.sentFiles(admin, files); looked.Report != nil && looked.Report.Sync.Added > 0 {
			t.Errorf("%v brings images", slices.Sorted(maps.Keys(files)))
		}
	}
	for _, parts := range [][]string{{"encoder", pickle, "decoder", pickle}, {"encoder", torch, "decoder", torch}} {
		form, media := modelFormOf(t, parts...)
		admin.do(http.MethodPut, apiPrefix+"/segmenter", form, "Content-Type", media).want(http.StatusUnprocessableEntity)
	}
	archive := stagedIn(t, admin.api(http.MethodPost, "/archives", map[string]any{"name": "birds.studio.zip", "bytes": len(torch)}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+archive.ID+"/bytes?offset=0", strings.NewReader(torch), "Content-Type", "application/octet-stream").want(http.StatusOK)
	admin.api(http.MethodPost, "/archives/"+archive.ID+"/start", map[string]any{}).want(http.StatusAccepted)
	if done := s.unpacked(admin, archive.ID); done.State == annotator.StagedImported {
		t.Error("a pickle is a project")
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a pickle ran")
	}
}

// objects is a numpy file of an array of Python objects, which numpy keeps pickled.
func objects(pickle string) string {
	header := "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + pickle
}
