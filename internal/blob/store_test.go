package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "gocloud.dev/blob/fileblob"

	"github.com/abn-studio/studio/annotator"
)

// stores opens a store of each kind: a folder, and a bucket behind a cache. The bucket is gocloud's on a
// folder, which answers the same calls as S3's.
func stores(t *testing.T) map[string]*Store {
	t.Helper()
	folder, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openBucket(t.Context(), "file://"+t.TempDir()+"?no_tmp_dir=true")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := openFolder(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	behind := &Store{files: cache, bucket: b}
	t.Cleanup(func() { behind.Close() })
	return map[string]*Store{"folder": folder, "bucket": behind}
}

const abcHash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // SHA-256 of "abc", FIPS 180-2

func TestPutKeepsBytesUnderTheirHash(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			hash, size, err := s.Put(t.Context(), strings.NewReader("abc"))
			if err != nil || hash != abcHash || size != 3 {
				t.Fatalf("Put = %s, %d, %v", hash, size, err)
			}
			if again, _, err := s.Put(t.Context(), strings.NewReader("abc")); err != nil || again != hash {
				t.Fatalf("the second Put = %s, %v", again, err)
			}
			file, err := s.Open(t.Context(), hash)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if data, err := io.ReadAll(file); err != nil || string(data) != "abc" {
				t.Errorf("read %q, %v", data, err)
			}
			if ok, err := s.Exists(t.Context(), hash); !ok || err != nil {
				t.Errorf("Exists = %v, %v", ok, err)
			}
			if left, _ := os.ReadDir(filepath.Join(s.files.dir, "incoming")); len(left) > 0 {
				t.Errorf("%d temporary files were left", len(left))
			}
		})
	}
}

func TestOpenOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for _, hash := range []string{abcHash, "", "../../etc/passwd", strings.ToUpper(abcHash)} {
				if _, err := s.Open(t.Context(), hash); !errors.Is(err, annotator.ErrMissing) {
					t.Errorf("Open(%q) = %v, want annotator.ErrMissing", hash, err)
				}
			}
		})
	}
}

func TestPutOfABrokenReaderLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			broken := io.MultiReader(strings.NewReader("half"), errReader{syscall.ENOSPC})
			if _, _, err := s.Put(t.Context(), broken); !errors.Is(err, annotator.ErrFull) {
				t.Errorf("Put on a full disk = %v, want annotator.ErrFull", err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("enough"))
			if _, _, err := s.Put(ctx, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "enough") {
				t.Errorf("Put of a cancelled context = %v", err)
			}
			files, _, err := s.files.list()
			if err != nil || len(files) > 0 {
				t.Errorf("%d files were left, %v", len(files), err)
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestPathFetchesFromTheBucketAndChecks(t *testing.T) {
	t.Parallel()
	s := stores(t)["bucket"]
	hash, _, err := s.Put(t.Context(), strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.files.path(hash)); err != nil { // as on another machine
		t.Fatal(err)
	}
	path, err := s.Path(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != "abc" {
		t.Errorf("fetched %q", data)
	}
	os.Remove(path)
	if err := s.bucket.WriteAll(t.Context(), hash, []byte("abd"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Path(t.Context(), hash); !errors.Is(err, annotator.ErrDamaged) {
		t.Errorf("Path of changed bytes = %v, want annotator.ErrDamaged", err)
	}
}

func TestCacheStaysWithinItsLimit(t *testing.T) {
	t.Parallel()
	s := stores(t)["bucket"]
	first, _, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte{0}, 300<<10)))
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(s.files.path(first), long, long); err != nil {
		t.Fatal(err)
	}
	for i := byte(1); i < 6; i++ {
		if _, _, err := s.Put(t.Context(), bytes.NewReader(bytes.Repeat([]byte{i}, 300<<10))); err != nil {
			t.Fatal(err)
		}
	}
	if _, total, err := s.files.list(); err != nil || total > 1<<20 {
		t.Errorf("the cache holds %d bytes, %v; want at most %d", total, err, 1<<20)
	}
	if _, err := os.Stat(s.files.path(first)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the longest unused file is still cached")
	}
	if ok, err := s.Exists(t.Context(), first); !ok || err != nil {
		t.Errorf("the bucket lost it: %v, %v", ok, err)
	}
}

func TestSweepRemovesOldFilesNobodyNeeds(t *testing.T) {
	t.Parallel()
	s := stores(t)["folder"]
	var hashes []string
	for _, text := range []string{"needed", "forgotten", "new"} {
		hash, _, err := s.Put(t.Context(), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
		if text != "new" {
			long := time.Now().Add(-2 * time.Hour)
			os.Chtimes(s.files.path(hash), long, long)
		}
	}
	removed, size, err := s.Sweep(t.Context(), time.Hour, func(hash string) bool { return hash == hashes[0] })
	if err != nil || removed != 1 || size != int64(len("forgotten")) {
		t.Fatalf("Sweep = %d, %d, %v; want 1 file of 9 bytes", removed, size, err)
	}
	if ok, _ := s.Exists(t.Context(), hashes[1]); ok {
		t.Error("the forgotten file is still there")
	}
}

func TestPutTogether(t *testing.T) {
	t.Parallel()
	s := stores(t)["folder"]
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if hash, _, err := s.Put(t.Context(), strings.NewReader("abc")); err != nil || hash != abcHash {
				t.Errorf("Put = %s, %v", hash, err)
			}
		})
	}
	all.Wait()
}

func TestOpenRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "file://elsewhere/x", "nfs://x"} {
		if _, err := Open(t.Context(), address, Options{CacheDir: t.TempDir()}); err == nil {
			t.Errorf("Open(%q) succeeded", address)
		}
	}
}

// A file whose bytes do not have its hash is never opened. If it is the local copy of a bucket's file, it is fetched again.
func TestDamagedFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			hash, _, err := s.Put(t.Context(), strings.NewReader("abc"))
			if err != nil {
				t.Fatal(err)
			}
			for _, bytes := range []string{"abd", "ab", ""} { // a flipped bit, an end cut off, nothing left
				if err := os.Chmod(s.files.path(hash), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(s.files.path(hash), []byte(bytes), 0o600); err != nil {
					t.Fatal(err)
				}
				file, err := s.Open(t.Context(), hash)
				if name == "bucket" {
					if err != nil {
						t.Fatal(err)
					}
					data, _ := io.ReadAll(file)
					file.Close()
					if string(data) != "abc" {
						t.Errorf("the copy %q was handed out as %q", bytes, data)
					}
					continue
				}
				if !errors.Is(err, annotator.ErrDamaged) || !strings.Contains(err.Error(), hash) || !strings.Contains(err.Error(), "studio verify") {
					t.Errorf("%q opened: %v", bytes, err)
				}
				if _, err := s.Path(t.Context(), hash); !errors.Is(err, annotator.ErrDamaged) {
					t.Errorf("the path of %q: %v", bytes, err)
				}
				if err := s.Verify(t.Context(), hash); !errors.Is(err, annotator.ErrDamaged) {
					t.Errorf("%q verified: %v", bytes, err)
				}
			}
			files, err := s.List(t.Context())
			if err != nil || len(files) != 1 || files[0].Hash != hash {
				t.Errorf("listed %v, %v", files, err)
			}
			if err := s.Writable(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Verify(t.Context(), strings.Repeat("0", 64)); !errors.Is(err, annotator.ErrMissing) {
				t.Errorf("what is not there verified: %v", err)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	hash, _, err := s.Put(b.Context(), bytes.NewReader(make([]byte, 64<<20)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		file, err := s.Open(b.Context(), hash)
		if err != nil {
			b.Fatal(err)
		}
		file.Close()
	}
}
