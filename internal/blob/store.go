package blob

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/fault"
)

// Options say how a store in a bucket uses this machine.
type Options struct {
	// CacheDir keeps files of a bucket that were needed here. A folder needs none. Default: a folder
	// below the system's temporary one.
	CacheDir string
	// CacheBytes bounds the cache. Default: DefaultCacheBytes.
	CacheBytes int64
}

// DefaultCacheBytes bounds the copies of a bucket's files.
const DefaultCacheBytes = 10 << 30

// Store is a content-addressed store. It is safe for concurrent use, also by several processes. Its errors say what was being done
// and wrap annotator.ErrMissing, ErrDamaged (a file's bytes do not have the hash that names it), ErrFull, or ErrBlobsAway
// (a bucket does not answer).
type Store struct {
	files  *folder // the store itself, or the cache of bucket
	bucket *bucket // nil for a folder

	linkLasts time.Duration // how long a link works; 0: none are given
}

// Open opens the store of an address (see the package's documentation).
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	dir, isFolder, err := folderOf(address)
	if err != nil {
		return nil, fmt.Errorf("opening the blob store %q: %w", address, err)
	}
	if isFolder {
		files, err := openFolder(dir, 0)
		if err != nil {
			return nil, fmt.Errorf("opening the blob store %s: %w", dir, err)
		}
		return &Store{files: files}, nil
	}
	cache := cmp.Or(o.CacheDir, filepath.Join(os.TempDir(), "abn-studio-blobs"))
	files, err := openFolder(cache, cmp.Or(o.CacheBytes, DefaultCacheBytes))
	if err != nil {
		return nil, fmt.Errorf("opening the blob cache %s: %w", cache, err)
	}
	b, err := openBucket(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("opening the blob store %s: %w", withoutSecrets(address), err)
	}
	return &Store{files: files, bucket: b}, nil
}

// folderOf reports whether an address is a folder's, and which.
func folderOf(address string) (string, bool, error) {
	if address == "" {
		return "", false, errors.New("no address is given")
	}
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		dir, err := filepath.Abs(address)
		return dir, true, err
	}
	if scheme != "file" {
		return "", false, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", false, err
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", false, fmt.Errorf("%q names another machine", u.Host)
	}
	return filepath.FromSlash(u.Path), true, nil
}

func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

// Close ends what the store keeps open.
func (s *Store) Close() error {
	if s.bucket == nil {
		return nil
	}
	return s.bucket.Close()
}

// Put keeps the bytes of r and returns their SHA-256 (lower-case hex) and their number. It is atomic: an interrupted Put leaves no
// file in the store. Bytes that the store has already are not kept twice.
func (s *Store) Put(ctx context.Context, r io.Reader) (hash string, size int64, err error) {
	in, err := s.files.receive(readerWithContext{ctx, r})
	if err != nil {
		return "", 0, fmt.Errorf("storing a file: %w", err)
	}
	defer in.close() // its name is gone already where it was kept
	if s.bucket != nil {
		if err := s.bucket.upload(ctx, in.hash, in.file.Name()); err != nil {
			return "", 0, fmt.Errorf("storing file %s: %w", in.hash, err)
		}
	}
	if err := s.files.keep(in); err != nil {
		return "", 0, fmt.Errorf("storing file %s: %w", in.hash, err)
	}
	fault.At(fault.BlobStored)
	return in.hash, in.size, nil
}

// Open opens a file by its hash. The whole file is read and its hash compared before Open returns. That takes 3 ms a megabyte, less
// on a processor with SHA instructions; decoding a JPEG takes 150 ms a megabyte.
func (s *Store) Open(ctx context.Context, hash string) (io.ReadSeekCloser, error) {
	if !valid(hash) {
		return nil, fmt.Errorf("file %q: %w: that is no SHA-256 in lower-case hex", hash, annotator.ErrMissing)
	}
	path := s.files.path(hash)
	file, err := openChecked(ctx, path, hash)
	switch {
	case err == nil:
		s.files.touch(path)
		return file, nil
	case s.bucket == nil:
		return nil, err
	case errors.Is(err, annotator.ErrDamaged):
		os.Remove(path) // a copy; the bucket has the file
	case !errors.Is(err, annotator.ErrMissing):
		return nil, err
	}
	if err := s.fetch(ctx, hash); err != nil {
		return nil, fmt.Errorf("fetching file %s: %w", hash, err)
	}
	return openChecked(ctx, path, hash)
}

// openChecked opens a file once its bytes have been hashed.
func openChecked(ctx context.Context, path, hash string) (*os.File, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("file %s: %w%s", hash, annotator.ErrMissing, remedy)
	}
	if err != nil {
		return nil, fmt.Errorf("opening file %s: %w", hash, err)
	}
	if err = checked(ctx, file, hash); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// remedy is what to do about a file that is missing or damaged.
const remedy = ": put it back from a backup, or import or add it again; 'studio verify' lists all such files"

// checked reads a file to its end; annotator.ErrDamaged where its bytes are not those of the hash.
func checked(ctx context.Context, r io.Reader, hash string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, readerWithContext{ctx, r}); err != nil {
		return fmt.Errorf("reading file %s: %w", hash, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != hash {
		return damaged(hash)
	}
	return nil
}

func damaged(hash string) error {
	return fmt.Errorf("file %s: %w (its bytes are not those of its SHA-256)%s", hash, annotator.ErrDamaged, remedy)
}

// fetch copies a file from the bucket.
func (s *Store) fetch(ctx context.Context, hash string) error {
	reader, err := s.bucket.open(ctx, hash)
	if err != nil {
		return err
	}
	defer reader.Close()
	in, err := s.files.receive(readerWithContext{ctx, reader})
	if err != nil {
		return err
	}
	defer in.close()
	if in.hash != hash {
		return fmt.Errorf("%w (its bytes are not those of its SHA-256)%s", annotator.ErrDamaged, remedy)
	}
	return s.files.keep(in)
}

// Path returns the local path of a file, whose bytes are checked as in Open. A file of a bucket is fetched first. The caller must
// not change the file, and should open it soon: a cache may remove it later.
func (s *Store) Path(ctx context.Context, hash string) (string, error) {
	file, err := s.Open(ctx, hash)
	if err != nil {
		return "", err
	}
	return s.files.path(hash), file.Close()
}

// Writable writes something small and removes it, for health checks.
func (s *Store) Writable(ctx context.Context) error {
	// A cache may have been deleted with the folder in it.
	if err := disk.Folder("", s.files.incoming()).Writable(ctx); err != nil || s.bucket == nil {
		return err
	}
	const name = "write-check" // no hash is called that
	if err := s.bucket.write(ctx, name, "studio\n"); err != nil {
		return err
	}
	return s.bucket.remove(ctx, name) // it is not there if another process checks too
}

// Ping reports whether the bucket answers; nil for a folder.
func (s *Store) Ping(ctx context.Context) error {
	if s.bucket == nil {
		return nil
	}
	return s.bucket.ping(ctx)
}

// Exists reports whether the store has a file.
func (s *Store) Exists(ctx context.Context, hash string) (bool, error) {
	if !valid(hash) {
		return false, nil
	}
	if s.bucket != nil {
		return s.bucket.exists(ctx, hash)
	}
	_, err := os.Stat(s.files.path(hash))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes a file, if the store has it. On S3 another machine's cache may keep a copy until that is full.
func (s *Store) Remove(ctx context.Context, hash string) error {
	if !valid(hash) {
		return nil
	}
	if s.bucket != nil {
		if err := s.bucket.remove(ctx, hash); err != nil {
			return fmt.Errorf("removing file %s: %w", hash, err)
		}
	}
	if err := os.Remove(s.files.path(hash)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing file %s: %w", hash, err)
	}
	return nil
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// valid reports whether hash is one: nothing else may become part of a path.
func valid(hash string) bool { return hashPattern.MatchString(hash) }

// readerWithContext stops reading when its context ends.
type readerWithContext struct {
	ctx context.Context
	r   io.Reader
}

func (r readerWithContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Cache is the folder of copies of a bucket's files and its bound in bytes; false for a store that is a folder.
func (s *Store) Cache() (dir string, limit int64, is bool) {
	if s.bucket == nil {
		return "", 0, false
	}
	return s.files.dir, s.files.cache.Limit(), true
}

// Folder is the folder that the store is; false for a bucket.
func (s *Store) Folder() (dir string, is bool) { return s.files.dir, s.bucket == nil }
