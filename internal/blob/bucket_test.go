package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
)

// s3Server is an S3 server that can fail in several ways.
type s3Server struct {
	*httptest.Server
	how atomic.Pointer[func(w http.ResponseWriter, r *http.Request) (answered bool)]
}

func (s *s3Server) fails(how func(w http.ResponseWriter, r *http.Request) bool) { s.how.Store(&how) }

// newS3 runs one with a bucket "studio", and sets the credentials and what else the documentation tells to set. Such a test cannot run in parallel.
func newS3(t *testing.T) *s3Server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("studio"); err != nil {
		t.Fatal(err)
	}
	works := gofakes3.New(backend).Server()
	s := &s3Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if how := s.how.Load(); how != nil && (*how)(w, r) {
			return
		}
		works.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "B")
	t.Setenv("AWS_MAX_ATTEMPTS", "1") // the client's own patience is not what is tested
	return s
}

// address is as docs/deployment.md writes it for a server that is not Amazon's.
func (s *s3Server) address() string {
	return "s3://studio?prefix=abn/&region=us-east-1&use_path_style=true&endpoint=" + s.URL
}

// The documented address of an S3 server works for all that the store does, below a prefix of its own.
func TestS3(t *testing.T) {
	s := newS3(t)
	ctx := t.Context()
	open := func(cache string) *blob.Store {
		t.Helper()
		b, err := blob.Open(ctx, s.address(), blob.Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	one, other := open(t.TempDir()), open(t.TempDir())
	const text = "a picture"
	hash, _, err := one.Put(ctx, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	file, err := other.Open(ctx, hash) // from the bucket
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || string(got) != text {
		t.Errorf("%q, %v", got, err)
	}
	if err := errors.Join(one.Claim(ctx, "studio-1"), other.Claim(ctx, "studio-1"), one.Writable(ctx), one.Ping(ctx)); err != nil {
		t.Error(err)
	}
	if err := one.Claim(ctx, "studio-2"); !errors.Is(err, blob.ErrOwned) {
		t.Errorf("another studio: %v", err)
	}
	if all, err := one.List(ctx); err != nil || len(all) != 1 || all[0].Hash != hash {
		t.Errorf("listed %v, %v", all, err)
	}
	if err := one.Remove(ctx, hash); err != nil {
		t.Error(err)
	}
	if there, err := other.Exists(ctx, hash); err != nil || there {
		t.Errorf("removed, and there: %v, %v", there, err)
	}
	if _, err := blob.Open(ctx, strings.Replace(s.address(), "://studio", "://nothing", 1), blob.Options{CacheDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

// A bucket that fails, breaks off or does not answer is away: each call says so within its patience, and names no file missing or damaged. What is in
// the cache is still read. When it is back all works.
func TestBucketAway(t *testing.T) {
	s := newS3(t)
	ctx := t.Context()
	near, err := blob.Open(ctx, s.address(), blob.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	far, err := blob.Open(ctx, s.address(), blob.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	blob.SetPatience(far, 300*time.Millisecond)
	hash, _, err := near.Put(ctx, bytes.NewReader(bytes.Repeat([]byte("pixels"), 1<<16)))
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	for name, how := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"errors": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"refuses": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		},
		"cuts": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return true
		},
		"breaks off": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || strings.Contains(r.URL.RawQuery, "list-type") {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Length", "393216")
			_, _ = w.Write([]byte("pixels"))
			panic(http.ErrAbortHandler)
		},
	} {
		s.fails(how)
		calls := map[string]func(context.Context) error{
			"put":    func(ctx context.Context) error { _, _, err := far.Put(ctx, strings.NewReader(name)); return err },
			"open":   func(ctx context.Context) error { _, err := far.Open(ctx, hash); return err },
			"exists": func(ctx context.Context) error { _, err := far.Exists(ctx, hash); return err },
			"verify": func(ctx context.Context) error { return far.Verify(ctx, hash) },
			"remove": func(ctx context.Context) error { return far.Remove(ctx, strings.Repeat("0", 64)) },
			"list":   func(ctx context.Context) error { _, err := far.List(ctx); return err },
			"write":  far.Writable, "ping": far.Ping,
			"claim": func(ctx context.Context) error { return far.Claim(ctx, "studio") },
		}
		for call, do := range calls {
			err := do(ctx)
			if !errors.Is(err, annotator.ErrBlobsAway) || errors.Is(err, annotator.ErrMissing) || errors.Is(err, annotator.ErrDamaged) || errors.Is(err, annotator.ErrFull) {
				t.Errorf("a bucket that %s: %s: %v", name, call, err)
			}
		}
		if file, err := near.Open(ctx, hash); err != nil {
			t.Errorf("a bucket that %s: what is in the cache: %v", name, err)
		} else {
			file.Close()
		}
	}
	for name, how := range map[string]func(w http.ResponseWriter, r *http.Request) bool{ // it answers that there is no such object, and then takes nothing
		"takes nothing": func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return true
		},
		"stalls": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || strings.Contains(r.URL.RawQuery, "list-type") {
				return false
			}
			w.Header().Set("Content-Length", "393216")
			_, _ = w.Write([]byte("pixels"))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-release:
			}
			return true
		},
	} {
		s.fails(how)
		var err error
		if name == "stalls" {
			_, err = far.Open(ctx, hash)
		} else {
			_, _, err = far.Put(ctx, strings.NewReader("what is not there yet"))
		}
		if !errors.Is(err, annotator.ErrBlobsAway) {
			t.Errorf("a bucket that %s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := far.Open(gone, hash); errors.Is(err, annotator.ErrBlobsAway) || !errors.Is(err, context.Canceled) {
		t.Errorf("who asked went away: %v", err)
	}
	s.how.Store(nil)
	if file, err := far.Open(ctx, hash); err != nil {
		t.Errorf("it is back: %v", err)
	} else {
		file.Close()
	}
}
