package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // registers azblob://
	_ "gocloud.dev/blob/s3blob"    // registers s3://
	"gocloud.dev/gcerrors"

	"github.com/abn-studio/studio/annotator"
	store "github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/durable"
)

// Place is where backups lie. Names have slashes, whatever the system. It is safe for concurrent use.
type Place interface {
	// List hands over the files whose names begin with a prefix, in any order.
	List(ctx context.Context, prefix string, file func(name string, size int64, at time.Time) error) error
	// Open opens a file to be read once; errMissing where there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Write makes or replaces a file with what write writes. Under its name a file is whole or absent, whatever happens.
	Write(ctx context.Context, name string, write func(io.Writer) error) error
	// Remove removes a file, if it is there.
	Remove(ctx context.Context, name string) error
	// Free is how many bytes may still be written; false where that is not known.
	Free() (int64, bool)
	// Parallel is how many files are best written or read at once.
	Parallel() int
	Close() error
	String() string
}

// Folder returns the folder of a place's address, "" for a bucket's.
func Folder(address string) (string, error) {
	scheme, rest, isURL := strings.Cut(address, "://")
	switch {
	case address == "":
		return "", errors.New("no folder and no bucket is named")
	case !isURL:
		return filepath.Abs(address)
	case scheme != "file":
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
		return "", fmt.Errorf("%q: want a folder's path, or file:///PATH", rest)
	}
	return filepath.FromSlash(u.Path), nil
}

// OpenPlace opens a folder, or a bucket: s3://BUCKET/PREFIX?region=R, azblob://CONTAINER/PREFIX.
func OpenPlace(ctx context.Context, address string) (Place, error) {
	dir, err := Folder(address)
	if err != nil {
		return nil, err
	}
	if dir != "" {
		if target, err := filepath.EvalSymlinks(dir); err == nil { // walking does not enter a link
			dir = target
		}
		return folder(dir), nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the bucket's address cannot be read: want s3://BUCKET/PREFIX?region=R")
	}
	name := u.Redacted()
	prefix := strings.Trim(u.Path, "/")
	u.Path = ""
	opened, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	ok, err := opened.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("there is no such bucket, or the credentials do not reach it")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", name, err), opened.Close())
	}
	if prefix != "" {
		opened = blob.PrefixedBucket(opened, prefix+"/")
	}
	return &bucket{opened, name}, nil
}

// folder is a place on a disk.
type folder string

func (f folder) String() string { return string(f) }
func (f folder) Close() error   { return nil }
func (f folder) Parallel() int  { return 4 }

func (f folder) path(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }

func (f folder) Free() (int64, bool) {
	for dir := string(f); ; dir = filepath.Dir(dir) { // it may not be there yet
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			free, _, known := disk.Room(dir)
			return free, known
		}
	}
}

func (f folder) List(ctx context.Context, prefix string, file func(name string, size int64, at time.Time) error) error {
	from := string(f)
	if dir, _ := path.Split(prefix); dir != "" {
		from = f.path(dir)
	}
	return filepath.WalkDir(from, func(at string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there is no such folder, or another process removed the file
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") { // one that begins with a dot is being written
			return err
		}
		name, err := filepath.Rel(string(f), at)
		if name = filepath.ToSlash(name); err != nil || !strings.HasPrefix(name, prefix) {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return file(name, info.Size(), info.ModTime())
	})
}

func (f folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMissing
	}
	return file, err
}

func (f folder) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o700); err != nil {
		return disk.Full(err)
	}
	return disk.Full(durable.Write(f.path(name), func(w io.Writer) error {
		if err := write(w); err != nil {
			return err
		}
		return context.Cause(ctx)
	}))
}

func (f folder) Remove(_ context.Context, name string) error {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for dir := path.Dir(name); err == nil && dir != "."; dir = path.Dir(dir) {
		if os.Remove(f.path(dir)) != nil { // until one is not empty
			break
		}
	}
	return err
}

// bucket is a place in an object store.
type bucket struct {
	*blob.Bucket
	name string
}

func (b *bucket) String() string      { return b.name }
func (b *bucket) Free() (int64, bool) { return 0, false }
func (b *bucket) Parallel() int       { return 16 }

func (b *bucket) List(ctx context.Context, prefix string, file func(name string, size int64, at time.Time) error) error {
	for objects := b.Bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		object, err := objects.Next(ctx)
		if err == io.EOF { //nolint:errorlint // a connection that broke wraps io.EOF: that is not the list's end
			return nil
		}
		if err != nil {
			return b.away(ctx, err)
		}
		if err := file(object.Key, object.Size, object.ModTime); err != nil {
			return err
		}
	}
}

func (b *bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, errMissing
	}
	if err != nil {
		return nil, b.away(ctx, err)
	}
	return r, nil
}

func (b *bucket) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	w, err := b.NewWriter(writing, name, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return b.away(ctx, err)
	}
	if err := write(w); err != nil {
		stop() // so that closing gives the object up
		_ = w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return b.away(ctx, err)
	}
	return nil
}

func (b *bucket) Remove(ctx context.Context, name string) error {
	err := b.Delete(ctx, name)
	if err == nil || gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return b.away(ctx, err)
}

// away says that it is the bucket that fails, unless the work was given up.
func (b *bucket) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s: %w", annotator.ErrUnavailable, b.name, store.Said(err))
}

// readAll reads a small file.
func readAll(ctx context.Context, p Place, name string, limit int64) ([]byte, error) {
	r, err := p.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}

func writeAll(ctx context.Context, p Place, name string, content []byte) error {
	return p.Write(ctx, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
