package blob

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// Errors of a store. They are wrapped with what was being done.
var (
	ErrNotFound = errors.New("no such file in the blob store")
	ErrFull     = errors.New("the disk is full: free some space, or move the data folder")
	ErrDamaged  = errors.New("the file's bytes do not match its name")
)

// Options say how a store in a bucket uses this machine.
type Options struct {
	// CacheDir keeps files of a bucket that were needed here. A folder needs none. Default: a folder
	// below the system's temporary one.
	CacheDir string
	// CacheBytes bounds the cache. Default: 10 GiB.
	CacheBytes int64
}

// Store is a content-addressed store. It is safe for concurrent use, also by several processes.
type Store struct {
	files  *folder // the store itself, or the cache of bucket
	bucket *bucket // nil for a folder
}

// Open opens the store of an address (see the package's documentation).
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	dir, isFolder, err := folderOf(address)
	if err != nil {
		return nil, fmt.Errorf("opening the blob store %q: %w", address, err)
	}
	if isFolder {
		files, err := openFolder(dir)
		if err != nil {
			return nil, fmt.Errorf("opening the blob store %s: %w", dir, err)
		}
		return &Store{files: files}, nil
	}
	cache := cmp.Or(o.CacheDir, filepath.Join(os.TempDir(), "abn-studio-blobs"))
	files, err := openFolder(cache)
	if err != nil {
		return nil, fmt.Errorf("opening the blob cache %s: %w", cache, err)
	}
	files.limit = cmp.Or(o.CacheBytes, 10<<30)
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

// Put keeps the bytes of r and returns their SHA-256 (lower-case hex) and how many they are. It is
// atomic: an interrupted one leaves nothing under a name. Bytes that are there already are not written again.
func (s *Store) Put(ctx context.Context, r io.Reader) (hash string, size int64, err error) {
	hash, size, temporary, err := s.files.receive(readerWithContext{ctx, r})
	if err != nil {
		return "", 0, fmt.Errorf("storing a file: %w", err)
	}
	defer os.Remove(temporary) // gone already where it was kept
	if s.bucket != nil {
		if err := s.bucket.upload(ctx, hash, temporary); err != nil {
			return "", 0, fmt.Errorf("storing file %s: %w", hash, err)
		}
	}
	if err := s.files.keep(hash, temporary, size); err != nil {
		return "", 0, fmt.Errorf("storing file %s: %w", hash, err)
	}
	return hash, size, nil
}

// Open opens a file by its hash; ErrNotFound if there is none.
func (s *Store) Open(ctx context.Context, hash string) (io.ReadSeekCloser, error) {
	path, err := s.Path(ctx, hash)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening file %s: %w", hash, missing(err))
	}
	return file, nil
}

// Path returns a local path of a file, which must not be changed. From a bucket it is fetched first,
// and its bytes are checked against its hash. A cached file may be removed later, so open it soon.
func (s *Store) Path(ctx context.Context, hash string) (string, error) {
	if !valid(hash) {
		return "", fmt.Errorf("file %q: %w: that is no SHA-256 in lower-case hex", hash, ErrNotFound)
	}
	path := s.files.path(hash)
	_, err := os.Stat(path)
	if err == nil {
		s.files.touch(path)
		return path, nil
	}
	if s.bucket == nil {
		return "", fmt.Errorf("file %s: %w", hash, missing(err))
	}
	reader, err := s.bucket.open(ctx, hash)
	if err != nil {
		return "", fmt.Errorf("fetching file %s: %w", hash, err)
	}
	defer reader.Close()
	got, size, temporary, err := s.files.receive(readerWithContext{ctx, reader})
	if err != nil {
		return "", fmt.Errorf("fetching file %s: %w", hash, err)
	}
	defer os.Remove(temporary)
	if got != hash {
		return "", fmt.Errorf("fetching file %s: %w", hash, ErrDamaged)
	}
	if err := s.files.keep(hash, temporary, size); err != nil {
		return "", fmt.Errorf("fetching file %s: %w", hash, err)
	}
	return path, nil
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

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// valid keeps whatever is no hash from becoming a path.
func valid(hash string) bool { return hashPattern.MatchString(hash) }

func missing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotFound
	}
	return err
}

// full names the one error of a disk that people can do something about.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}

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

func newHash() hash.Hash { return sha256.New() }

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
