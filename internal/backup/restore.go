package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
)

// Target is what a backup is restored into.
type Target struct {
	DSN   string      // the database's address
	Blobs *blob.Store // the studio's files
	Log   *slog.Logger
	Meter *progress.Meter // nil: nobody looks
}

// Restored says what was restored.
type Restored struct {
	Contents Contents
	From, To int64    // the schema of the backup, and of the database now
	Files    int      // that were not there
	Bytes    int64    // their size
	Foreign  []string // tables that are not the studio's, and were passed over
}

// Restore fills an empty database and a blob store. Everything is compared with its hash before the database has any of it; until then
// there are only files that nothing refers to, and a second try finds them.
func (b *Backup) Restore(ctx context.Context, to Target) (done Restored, err error) {
	if to.Meter == nil {
		to.Meter = progress.NewMeter(nil)
	}
	if b.About.Schema.Studio > postgres.SchemaVersion() {
		return done, fmt.Errorf("backup %s has a database of schema %d, and this studio knows schemas up to %d: it was written by studio %s, use that release or a newer one",
			b.Name, b.About.Schema.Studio, postgres.SchemaVersion(), b.About.Release)
	}
	c, err := b.Contents(ctx)
	if err != nil {
		return done, err
	}
	done.Contents, done.From, done.To = c, b.About.Schema.Studio, postgres.SchemaVersion()
	to.Meter.Plan(
		progress.Plan{Stage: progress.Loading, Total: int(c.Rows()), Each: 20 * time.Microsecond},
		progress.Plan{Stage: progress.Copying, Total: megabytes(c.BlobBytes), Each: 10 * time.Millisecond})
	r, err := postgres.BeginRestore(ctx, to.DSN, to.Log)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close(ctx)) }()
	if done.Foreign, err = b.load(ctx, r, c, to.Meter); err != nil {
		return done, err
	}
	installation, err := r.Installation(ctx)
	if err != nil {
		return done, err
	}
	if err := to.Blobs.Claim(ctx, installation); err != nil {
		return done, err
	}
	if done.Files, done.Bytes, err = b.files(ctx, to, nil); err != nil {
		return done, err
	}
	if err := r.Upgrade(ctx); err != nil {
		return done, err
	}
	if err := r.Commit(ctx); err != nil {
		return done, err
	}
	to.Meter.Finish()
	return done, nil
}

// load fills the database's tables.
func (b *Backup) load(ctx context.Context, r *postgres.Restore, c Contents, meter *progress.Meter) (foreign []string, err error) {
	meter.Begin(progress.Loading, 0)
	rows := &lineCounter{}
	var damaged error
	foreign, err = r.Load(ctx, b.About.Schema, c.Tables, c.Sequences, func(t postgres.SavedTable) (io.ReadCloser, error) {
		part, err := b.table(t)
		if err != nil {
			return nil, err
		}
		file, err := b.openPart(ctx, part)
		if err != nil {
			return nil, err
		}
		return loading{io.TeeReader(file, writerFunc(func(p []byte) (int, error) {
			n, err := rows.Write(p)
			meter.Advance(progress.Loading, int(rows.n))
			return n, err
		})), func() error {
			damaged = because(file, damaged) // the database may have refused a row before its end was read
			return file.Close()
		}}, nil
	})
	if err != nil && damaged != nil {
		err = damaged
	}
	return foreign, err
}

// loading is a part whose rows are counted.
type loading struct {
	io.Reader
	close func() error
}

func (l loading) Close() error { return l.close() }

// PutBack brings the files of a backup that are missing or damaged in a blob store, of those that are in use, and returns how many there were.
func (b *Backup) PutBack(ctx context.Context, to Target, used map[string]struct{}) (files int, bytes int64, err error) {
	if to.Meter == nil {
		to.Meter = progress.NewMeter(nil)
	}
	c, err := b.Contents(ctx)
	if err != nil {
		return 0, 0, err
	}
	to.Meter.Plan(progress.Plan{Stage: progress.Copying, Total: megabytes(c.BlobBytes), Each: 10 * time.Millisecond})
	if files, bytes, err = b.files(ctx, to, func(hash string) bool { _, is := used[hash]; return is }); err == nil {
		to.Meter.Finish()
	}
	return files, bytes, err
}

// files brings the files that are not in the store, or are damaged there; wanted nil: all of them.
func (b *Backup) files(ctx context.Context, to Target, wanted func(hash string) bool) (files int, bytes int64, err error) {
	objects, err := b.objects(ctx)
	if err != nil {
		return 0, 0, err
	}
	var all []Blob
	if err := b.blobs(ctx, func(one Blob) error {
		if wanted == nil || wanted(one.SHA256) {
			all = append(all, one)
		}
		return nil
	}); err != nil {
		return 0, 0, err
	}
	to.Meter.Begin(progress.Copying, 0)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(b.place.Parallel())
	var mu sync.Mutex
	var done int64
	for _, one := range all {
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			object, is := objects[one.object()]
			if !is {
				return &DamagedError{Part: objectPath(b.About.Blobs, one.object()), Err: errMissing}
			}
			brought, err := b.bring(inner, to.Blobs, one, object)
			mu.Lock()
			defer mu.Unlock()
			if brought {
				files++
				bytes += one.Bytes
			}
			done += one.Bytes
			to.Meter.Advance(progress.Copying, megabytes(done))
			return err
		})
	}
	return files, bytes, group.Wait()
}

// bring brings a file, unless it is there and whole.
func (b *Backup) bring(ctx context.Context, to *blob.Store, one Blob, object Object) (bool, error) {
	switch err := to.Verify(ctx, one.SHA256); {
	case err == nil:
		return false, nil
	case errors.Is(err, annotator.ErrDamaged):
		if err := to.Remove(ctx, one.SHA256); err != nil {
			return false, err
		}
	case !errors.Is(err, annotator.ErrMissing):
		return false, err
	}
	r, err := b.openObject(ctx, object)
	if err != nil {
		return false, err
	}
	defer r.Close()
	hash, _, err := to.Put(ctx, r)
	if err == nil && hash != one.SHA256 {
		err = &DamagedError{Part: objectPath(b.About.Blobs, object.Name), Err: errOther}
	}
	return err == nil, err
}
