package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/alexedwards/argon2id"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/agreement"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/roundrows"
	"github.com/abn-studio/studio/onnx"
)

// TestMain is also the process that looks at an uploaded model.
func TestMain(m *testing.M) {
	jobs.Inspect()
	os.Exit(pgtest.Main(m))
}

// studio is a whole studio on a database of its own: a server, three people, and, with pictures, a
// project "birds" whose small network has looked at the reference pictures.
type studio struct {
	sources jobs.Sources // "shared", a folder of the test's own
	t       *testing.T
	store   *postgres.Store
	service *annotator.Service
	server  *Server
	http    *httptest.Server
	people  map[annotator.Role]annotator.User
	version annotator.Version
	project annotator.Project
	blobs   *blob.Store
}

const password = "correct horse battery"

// passwordHash is the password's hash with parameters that cost next to nothing: the tests sign in often.
var passwordHash = sync.OnceValue(func() string {
	hash, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		panic(err)
	}
	return hash
})

// newStudio starts a studio with a project, "birds", whose files are in a folder.
func newStudio(t *testing.T, change ...func(*Config)) *studio {
	t.Helper()
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	must(t, err)
	return studioOn(t, blobs, change...)
}

// studioOf is newStudio for a studio whose people an institution signs in, too.
func studioOf(t *testing.T, institution *annotator.Institution, change ...func(*Config)) *studio {
	t.Helper()
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	must(t, err)
	return startStudio(t, blobs, institution, change...)
}

// studioOn starts a studio with its files in a store.
func studioOn(t *testing.T, blobs *blob.Store, change ...func(*Config)) *studio {
	t.Helper()
	return startStudio(t, blobs, nil, change...)
}

func startStudio(t *testing.T, blobs *blob.Store, institution *annotator.Institution, change ...func(*Config)) *studio {
	t.Helper()
	ctx := t.Context()
	s := &studio{t: t, store: pgtest.Store(t), people: map[annotator.Role]annotator.User{}, sources: jobs.Sources{"shared": t.TempDir()}, blobs: blobs}
	scorer := inference.NewLiveScorer(network.NewStore(blobs.Path, 0), blobs, inference.LiveScorerOptions{FeatureBytes: 16 << 20})
	t.Cleanup(func() { must(t, scorer.Close()) })
	segmenters := inference.NewSegmenters(blobs, blobs.Path)
	t.Cleanup(func() { must(t, segmenters.Close()) })
	s.service = annotator.NewService(annotator.ServiceConfig{Store: s.store, Scorer: scorer, ActivationMaps: scorer, Likener: scorer, Describer: scorer, Segmenting: segmenters, Blobs: blobs, Links: blobs,
		Pictures: inference.NewPictures(blobs, t.TempDir(), 0, slog.New(slog.DiscardHandler)), Starts: jobs.NewCatalog(blobs, nil, 1), Checking: jobs.NewCatalog(blobs, nil, 1), Logger: slog.New(slog.DiscardHandler),
		Models: jobs.NewModels(blobs, t.TempDir(), 4<<20), Staging: newStaging(t, s), Rows: roundrows.Reader{}, Agreement: agreement.Measures{}, Institution: institution})
	c := Config{Service: s.service, SessionStore: s.store.Sessions(), Ready: databaseAnswers(s.store), Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	var err error
	s.server, err = NewServer(c)
	must(t, err)
	s.http = httptest.NewServer(s.server.Handler())
	t.Cleanup(func() { s.server.stopStreams(); s.http.Close() })
	for _, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleReviewer, annotator.RoleAdmin} {
		u, err := s.store.InsertUser(ctx, annotator.User{Email: string(role) + "@example.org", Name: "The " + string(role), Role: role, CreatedAt: time.Now()}, passwordHash())
		must(t, err)
		s.people[role] = u
	}
	s.project, err = s.service.CreateProject(ctx, s.people[annotator.RoleAdmin], "birds", "Birds", "What the tests look at.")
	must(t, err)
	s.blobsInto(blobs)
	return s
}

// anotherProject makes a project like the first, of which everybody is a member.
func (s *studio) anotherProject(slug string) {
	s.t.Helper()
	project, version := s.project, s.version
	var err error
	s.project, err = s.service.CreateProject(s.t.Context(), s.people[annotator.RoleAdmin], slug, strings.ToUpper(slug[:1])+slug[1:], "Another one.")
	must(s.t, err)
	s.blobsInto(s.blobs)
	s.project, s.version = project, version
}

// referencePictures are the pictures the project is made of, each real and each of another make.
var referencePictures = []string{"photo-420.jpg", "photo-444.jpg", "progressive.jpg", "palette.png", "grey.jpg", "lossy.webp"}

// databaseAnswers is a check of health that asks the database alone.
func databaseAnswers(store *postgres.Store) health.Check {
	return func(ctx context.Context) []health.Part {
		return []health.Part{store.Health(ctx)}
	}
}

// blobsInto gives the project a model and pictures, and scans them: most are labelled so that the
// model is wrong about them, the last so that it is right.
func (s *studio) blobsInto(blobs *blob.Store) {
	t, ctx := s.t, s.t.Context()
	file := filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx")
	raw, err := os.ReadFile(file)
	must(t, err)
	model, err := onnx.Read(t.Context(), raw)
	must(t, err)
	shape := model.Graph.Feeds()[0].Shape
	manifest := manifest.Manifest{Crop: [2]int{int(shape[2].Size), int(shape[3].Size)}, Channels: "RGB"}
	catalog := jobs.NewCatalog(blobs, nil, 1)
	defer func() { must(t, catalog.Close()) }()
	pixels, err := catalog.Pixels(manifest)
	must(t, err)
	opened, err := network.Open(t.Context(), model, manifest)
	must(t, err)
	network, err := inference.NewNetwork(opened, inference.NetworkOptions{})
	must(t, err)
	defer func() { must(t, network.Close()) }()
	sizes := network.Sizes()
	for i := range sizes.Classes {
		manifest.Classes = append(manifest.Classes, "bird-"+strconv.Itoa(i))
	}

	var images []annotator.NewImage
	byHash := map[string]annotator.Prediction{}
	for i, name := range referencePictures {
		data, err := os.ReadFile(filepath.Join(fixture.Reference(t), "preprocess", name))
		must(t, err)
		hash, _, err := blobs.Put(ctx, bytes.NewReader(data))
		must(t, err)
		x := make([]float32, sizes.Image())
		must(t, pixels(ctx, hash, x))
		out, err := network.Forward(ctx, 1, x)
		must(t, err)
		network.Probabilities(out.LogitsPer)
		p := annotator.Prediction{Class: argmax(out.LogitsPer), AttClass: argmax(out.LogitsAtt), Probabilities: out.LogitsPer,
			Map: attention.Map{Height: sizes.GridHeight, Width: sizes.GridWidth, Values: out.Maps}}
		p.Confidence = p.Probabilities[p.Class]
		byHash[hash] = p
		label := (p.Class + 1) % sizes.Classes
		if i == len(referencePictures)-1 {
			label = p.Class
		}
		info, err := picture.Process().Header(bytes.NewReader(data))
		must(t, err)
		images = append(images, annotator.NewImage{Name: "train/" + name, Split: annotator.SplitTrain, Class: manifest.Classes[label], Hash: hash, Width: info.Width, Height: info.Height})
	}
	beside, err := json.Marshal(manifest)
	must(t, err)
	s.version, err = s.service.AddModel(ctx, s.people[annotator.RoleAdmin], s.project.Slug, annotator.ModelToAdd{Name: "birds.onnx", File: raw, Manifest: beside, NoScan: true})
	must(t, err)
	_, err = s.store.AddImages(ctx, s.project.ID, images)
	must(t, err)
	job, err := s.store.EnqueueScan(ctx, s.version.ID)
	must(t, err)
	chunk, err := s.store.ClaimChunk(ctx, job.ID, "test", 0)
	must(t, err)
	var predictions []annotator.Prediction
	for _, image := range chunk.Images {
		p := byHash[image.Hash]
		p.VersionID, p.ImageID = s.version.ID, image.ID
		predictions = append(predictions, p)
	}
	_, err = s.store.CompleteChunk(ctx, chunk, predictions, nil)
	must(t, err)
	s.project, err = s.store.ProjectBySlug(ctx, s.project.Slug)
	must(t, err)
}

func argmax(x []float32) int { return slices.Index(x, slices.Max(x)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser is somebody's browser: cookies, and headers as browsers send them.
type browser struct {
	s      *studio
	client *http.Client
}

// nobody is a browser that has not signed in.
func (s *studio) nobody() *browser {
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	return &browser{s: s, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as is the browser of the person of a role, signed in.
func (s *studio) as(role annotator.Role) *browser {
	s.t.Helper()
	b := s.nobody()
	r := b.post("/signin", url.Values{"email": {string(role) + "@example.org"}, "password": {password}})
	if r.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("signing in as %s: %s", role, r.Status)
	}
	return b
}

// answer is a response whose body has been read.
type response struct {
	*http.Response
	t    testing.TB
	body []byte
}

func (b *browser) do(method, path string, body io.Reader, headers ...string) *response {
	b.s.t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(b.s.t.Context()), method, b.s.http.URL+path, body)
	must(b.s.t, err)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(r)
	must(b.s.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(b.s.t, err)
	return &response{res, b.s.t, data}
}

func (b *browser) get(path string) *response { return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, form url.Values) *response {
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// api sends and expects JSON; body nil sends none.
func (b *browser) api(method, path string, body any, headers ...string) *response {
	b.s.t.Helper()
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		must(b.s.t, err)
		reader = bytes.NewReader(data)
		headers = append(headers, "Content-Type", "application/json")
	}
	return b.do(method, apiPrefix+path, reader, headers...)
}

// want fails unless the status is the one expected.
func (r *response) want(status int) *response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s %s: %s, want %d\n%.600s", r.Request.Method, r.Request.URL.Path, r.Status, status, r.body)
	}
	return r
}

// page parses a page.
func (r *response) page() *goquery.Document {
	r.t.Helper()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(r.body))
	must(r.t, err)
	return doc
}

// has fails unless the page has an element that matches selector and contains text.
func (r *response) has(selector, text string) {
	r.t.Helper()
	found := r.page().Find(selector)
	if found.Length() == 0 {
		r.t.Errorf("%s has no %s\n%.2000s", r.Request.URL.Path, selector, r.body)
		return
	}
	if text != "" && !strings.Contains(strings.Join(strings.Fields(found.Text()), " "), text) {
		r.t.Errorf("%s of %s is %q, want %q in it", selector, r.Request.URL.Path, strings.Join(strings.Fields(found.Text()), " "), text)
	}
}

// hasNot fails if the page has an element that matches selector.
func (r *response) hasNot(selector string) {
	r.t.Helper()
	if r.page().Find(selector).Length() > 0 {
		r.t.Errorf("%s has a %s", r.Request.URL.Path, selector)
	}
}

// into decodes a JSON answer.
func into[T any](r *response) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		r.t.Fatalf("%s: %v\n%.600s", r.Request.URL.Path, err, r.body)
	}
	return v
}
