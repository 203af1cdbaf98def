package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
)

// A studio whose files are in a bucket: its cache may be deleted while it runs. While the bucket is away, what needs a file answers 503 and when to try
// again, without saying where the bucket is, and calls no file missing and no disk full; pages and saving go on; then all works again.
func TestBucketAway(t *testing.T) { // not in parallel: credentials are in the environment
	cache := t.TempDir()
	var away atomic.Bool
	blobs, address := inBucket(t, cache, &away)
	check := disk.NewCheck(0, slog.New(slog.DiscardHandler), disk.Place{Name: "the blob store", Writable: blobs.Writable})
	s := studioOn(t, blobs, func(c *Config) { c.Disk = check.Err })
	ctx := t.Context()
	images, err := s.store.Images(ctx, s.project.ID)
	must(t, err)
	b := s.as(annotator.RoleAnnotator)
	picture := func(n int) *response {
		return b.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=original", images[n].ID), nil)
	}
	must(t, os.RemoveAll(cache))
	if parts := check.Parts(ctx); parts[0].Err != nil {
		t.Errorf("after the cache was deleted: %v", parts)
	}
	picture(0).want(http.StatusOK)
	task := b.take()
	must(t, os.RemoveAll(cache))
	away.Store(true)
	model, manifest := referenceModel(t, "abn-resnet-tiny")
	form, media := modelFormOf(t, "model", string(model), "manifest", string(manifest))
	for name, r := range map[string]*response{
		"a picture": picture(1),
		"a score":   b.api(http.MethodPost, fmt.Sprintf("/tasks/%d/score", task.ID), map[string]any{"map": painted(task)}),
		"an upload": s.as(annotator.RoleAdmin).do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", form, "Content-Type", media),
	} {
		r.want(http.StatusServiceUnavailable)
		if r.Header.Get("Retry-After") == "" || strings.Contains(string(r.body), address) || strings.Contains(string(r.body), "127.0.0.1") || !strings.Contains(string(r.body), "blob store") {
			t.Errorf("%s: %v %s", name, r.Header, r.body)
		}
	}
	if parts := check.Parts(ctx); len(parts) != 1 || parts[0].Err == nil || parts[0].Err.Error() != "the blob store does not answer" {
		t.Errorf("the health check says %v", parts)
	}
	b.get("/projects/birds/images").want(http.StatusOK)
	b.api(http.MethodPut, fmt.Sprintf("/tasks/%d/draft", task.ID), map[string]any{"base_revision": 0, "map": painted(task)}).want(http.StatusOK)
	away.Store(false)
	picture(1).want(http.StatusOK)
	b.api(http.MethodPost, fmt.Sprintf("/tasks/%d/score", task.ID), map[string]any{"map": painted(task)}).want(http.StatusOK)
}

// inBucket opens a store in a bucket, which breaks every connection while it is away, and returns the bucket's address.
func inBucket(t *testing.T, cache string, away *atomic.Bool) (*blob.Store, string) {
	t.Helper()
	backend := s3mem.New()
	must(t, backend.CreateBucket("studio"))
	works := gofakes3.New(backend).Server()
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		works.ServeHTTP(w, r)
	}))
	t.Cleanup(s3.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "B")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	blobs, err := blob.Open(t.Context(), "s3://studio?region=us-east-1&use_path_style=true&endpoint="+s3.URL, blob.Options{CacheDir: cache})
	must(t, err)
	t.Cleanup(func() { must(t, blobs.Close()) })
	return blobs, s3.URL
}

// Where originals are handed out by links, the studio still asks who wants one, and only then says where it is. What it renders it sends itself.
func TestOriginalLink(t *testing.T) { // not in parallel: credentials are in the environment
	blobs, address := inBucket(t, t.TempDir(), new(atomic.Bool))
	must(t, blobs.GiveLinks(t.Context(), time.Minute))
	s := studioOn(t, blobs)
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	picture := func(b *browser, kind string) *response {
		return b.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=%s&v=1", images[0].ID, kind), nil)
	}
	r := picture(s.as(annotator.RoleAnnotator), "original").want(http.StatusFound)
	link := r.Header.Get("Location")
	if !strings.HasPrefix(link, address) || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
		t.Fatalf("the original is at %q, kept for %q", link, r.Header.Get("Cache-Control"))
	}
	answer, err := s.http.Client().Get(link)
	must(t, err)
	defer answer.Body.Close()
	bytes, err := io.ReadAll(answer.Body)
	must(t, err)
	if sum := sha256.Sum256(bytes); hex.EncodeToString(sum[:]) != images[0].Hash {
		t.Errorf("the link has %d other bytes", len(bytes))
	}
	picture(s.as(annotator.RoleAnnotator), "thumb").want(http.StatusOK)
	if r := picture(s.nobody(), "original"); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Location") != "" {
		t.Errorf("a stranger gets %s, %q", r.Status, r.Header.Get("Location"))
	}
}
