package dataset_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/abn-studio/studio/dataset"
)

const onePNG = "\x89PNG\r\n\x1a\n"

// s3With runs an S3 server with a bucket of these files, behind wrap, and returns the query with which addresses of it end.
func s3With(t *testing.T, files map[string]string, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("pictures"); err != nil {
		t.Fatal(err)
	}
	for key, content := range files {
		if _, err := backend.PutObject("pictures", key, map[string]string{}, strings.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
	}
	handler := gofakes3.New(backend).Server()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "B")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Setenv("TMPDIR", t.TempDir())
	return "?region=us-east-1&use_path_style=true&endpoint=" + server.URL
}

// nothingLeft fails if a temporary folder is left.
func nothingLeft(t *testing.T) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(t.TempDir(), "..", "*", dataset.TemporaryPrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestBucket(t *testing.T) { // not in parallel: credentials are in the environment
	at := s3With(t, map[string]string{
		"birds/train/cat/1.png": onePNG, "birds/train/cat/2.png": onePNG, "birds/test/dog/3.png": onePNG, "birds/train/": "", "birds/train/.DS_Store": "x",
		"birds/../out.png": onePNG, "birdsong/train/cat/9.png": onePNG, "other.txt": "x",
	}, nil)
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	terminal := os.Stderr
	os.Stderr = said // where the client's own log goes
	defer func() { os.Stderr = terminal }()
	var told atomic.Int64
	d, err := dataset.Read("s3://pictures/birds"+at, dataset.Options{Fetched: func(_, all int) {
		told.Add(1)
		if all != 5 {
			t.Errorf("of %d files", all)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"train|cat|train/cat/1.png", "train|cat|train/cat/2.png", "test|dog|test/dog/3.png"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	if told.Load() != 3 {
		t.Errorf("told of %d files", told.Load())
	}
	if diff := cmp.Diff([]string{"../out.png"}, keys(reasons(d.Skipped))); diff != "" {
		t.Error("skipped:", diff)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
	if lines, err := os.ReadFile(said.Name()); err != nil || len(lines) > 0 {
		t.Errorf("on the terminal: %.300s, %v", lines, err)
	}
}

func TestArchiveInABucket(t *testing.T) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create("train/cat/1.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(onePNG)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	at := s3With(t, map[string]string{"sets/birds.zip": archive.String()}, nil)
	d, err := dataset.Open(dataset.Auto, "s3://pictures/sets/birds.zip"+at)
	if err != nil || d.Len() != 1 || d.Sample(0).Class != "cat" {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}

// A file whose connection breaks is fetched again, and half a file is never taken for the whole.
func TestBucketThatBreaksOff(t *testing.T) {
	var broken atomic.Int64
	at := s3With(t, map[string]string{"a/cat/1.png": onePNG + strings.Repeat("x", 1<<20)}, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".png") && broken.Add(1) == 1 {
				w.Header().Set("Content-Length", "1048584")
				_, _ = w.Write([]byte(onePNG))
				panic(http.ErrAbortHandler)
			}
			inner.ServeHTTP(w, r)
		})
	})
	d, err := dataset.Open("folder", "s3://pictures/a"+at)
	if err != nil || d.Len() != 1 || broken.Load() != 2 {
		t.Fatalf("%v, asked for %d times", err, broken.Load())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A list whose connection breaks is not a shorter list: an import would take the rest for gone.
func TestListThatBreaksOff(t *testing.T) {
	files := map[string]string{}
	for n := range 1001 { // more than a page has
		files[fmt.Sprintf("a/cat/%d.png", n)] = onePNG
	}
	at := s3With(t, files, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "continuation-token") {
				panic(http.ErrAbortHandler)
			}
			inner.ServeHTTP(w, r)
		})
	})
	if d, err := dataset.Read("s3://pictures/a"+at, dataset.Options{}); err == nil {
		t.Errorf("%d pictures, and no error", d.Len())
	}
}

func TestBucketsThatCannotBeRead(t *testing.T) {
	at := s3With(t, map[string]string{"a/cat/1.png": onePNG}, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/secret") {
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`))
				return
			}
			inner.ServeHTTP(w, r)
		})
	})
	for address, says := range map[string]string{
		"s3://nowhere/a/" + at:    `nowhere, prefix "a/": it is not there`,
		"s3://secret/a/" + at:     "these credentials may not read it",
		"s3://pictures/none" + at: `no file below "none/"`,
		"s3:///a":                 "no bucket is named",
		"gs://pictures/a?x=1":     "?x= is not known",
		"ftp://pictures/a":        "ftp:// is not read",
		"file://elsewhere/a":      `"elsewhere" names another machine`,
		"azblob://pictures/a":     "AZURE_STORAGE_ACCOUNT",
	} {
		d, err := dataset.Open(dataset.Auto, address)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
		if !errors.Is(err, dataset.ErrBucket) && !errors.Is(err, dataset.ErrEmpty) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"s3://nowhere/a/", "s3://secret/a/"} {
		if _, err := dataset.Open(dataset.Auto, address+at); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
			t.Errorf("%s: no remedy in %v", address, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dataset.Read("s3://pictures/a"+at, dataset.Options{Context: ended}); !errors.Is(err, context.Canceled) {
		t.Errorf("after Ctrl+C: %v", err)
	}
	nothingLeft(t)
	folder := tree(t, map[string]string{"cat/1.png": ""})
	if d, err := dataset.Open("folder", "file://"+filepath.ToSlash(folder)); err != nil || d.Len() != 1 {
		t.Errorf("a folder's address: %v", err)
	}
}

// gcsWith runs a server of Google's JSON API with a bucket of these files. Lists come in pages of two.
func gcsWith(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	names := keys(files)
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, value any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	object := func(name string) map[string]any {
		return map[string]any{"name": name, "size": strconv.Itoa(len(files[name])), "updated": "2026-01-02T03:04:05Z"}
	}
	mux.HandleFunc("GET /storage/v1/b/pictures/o", func(w http.ResponseWriter, r *http.Request) {
		prefix, after := r.FormValue("prefix"), r.FormValue("pageToken")
		var items []map[string]any
		for _, name := range names {
			if !strings.HasPrefix(name, prefix) || name <= after {
				continue
			}
			if len(items) == 2 {
				answer(w, http.StatusOK, map[string]any{"items": items, "nextPageToken": items[1]["name"]})
				return
			}
			items = append(items, object(name))
		}
		answer(w, http.StatusOK, map[string]any{"items": items})
	})
	mux.HandleFunc("GET /storage/v1/b/pictures/o/{name}", func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.PathValue("name")]
		switch {
		case !ok:
			answer(w, http.StatusNotFound, map[string]any{"error": map[string]any{"message": "No such object"}})
		case r.FormValue("alt") == "media":
			_, _ = io.WriteString(w, content)
		default:
			answer(w, http.StatusOK, object(r.PathValue("name")))
		}
	})
	mux.HandleFunc("GET /storage/v1/b/secret/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusForbidden, map[string]any{"error": map[string]any{"message": "does not have storage.objects.list access"}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("TMPDIR", t.TempDir())
	return server
}

func TestGoogleBucket(t *testing.T) { // not in parallel: the server is named in the environment
	server := gcsWith(t, map[string]string{
		"birds/train/cat/1.png": onePNG, "birds/train/cat/2 ü?.png": onePNG, "birds/test/dog/3.png": onePNG, "birds/train/": "", "birdsong/train/cat/9.png": onePNG, "table.csv": "file,class\n",
	})
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	d, err := dataset.Open(dataset.Auto, "gs://pictures/birds")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"train|cat|train/cat/1.png", "train|cat|train/cat/2 ü?.png", "test|dog|test/dog/3.png"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
	for address, says := range map[string]string{
		"gs://pictures/none": `no file below "none/"`,
		"gs://nowhere/a/":    "it is not there",
		"gs://secret/a/":     "these credentials may not read it",
	} {
		if _, err := dataset.Open(dataset.Auto, address); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	if _, err := dataset.Open(dataset.Auto, "gs://pictures/birds"); !errors.Is(err, dataset.ErrBucket) || !strings.Contains(err.Error(), "GOOGLE_APPLICATION_CREDENTIALS") {
		t.Errorf("without credentials: %v", err)
	}
	d, err = dataset.Open(dataset.Auto, "gs://pictures/birds?anonymous=true&endpoint="+server.URL)
	if err != nil || d.Len() != 3 {
		t.Fatalf("a server by its address: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
