package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/abn-studio/studio/internal/disk"
)

// Sweep removes the files that are older than age and for which keep is false. It returns how many files and bytes it removed. age
// must be longer than the time between a Put and the commit of the row that refers to the file: an hour, say.
func (s *Store) Sweep(ctx context.Context, age time.Duration, keep func(hash string) bool) (removed int, bytes int64, err error) {
	before := time.Now().Add(-age)
	if _, err := s.SweepIncoming(); err != nil {
		return 0, 0, err
	}
	if s.bucket != nil {
		removed, bytes, err = s.bucket.sweep(ctx, before, keep)
		return removed, bytes, wrapSweep(err)
	}
	files, _, err := s.files.list()
	if err != nil {
		return 0, 0, wrapSweep(err)
	}
	for _, file := range files {
		if ctx.Err() != nil {
			return removed, bytes, context.Cause(ctx)
		}
		if file.used.After(before) || keep(file.hash) {
			continue
		}
		// A Put of the same bytes meanwhile has made it young again, and its row may not have been among those kept.
		if info, err := os.Stat(file.path); err != nil || info.ModTime().After(before) {
			continue
		}
		if err := os.Remove(file.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, bytes, wrapSweep(err)
		}
		removed++
		bytes += file.size
	}
	return removed, bytes, nil
}

func wrapSweep(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sweeping the blob store: %w", err)
}

// SweepIncoming removes what a Put left behind when its process was killed. Files of living processes are left alone.
func (s *Store) SweepIncoming() (removed int, err error) {
	removed, err = disk.SweepTemporary(s.files.incoming())
	return removed, wrapSweep(err)
}

func (b *bucket) sweep(ctx context.Context, before time.Time, keep func(string) bool) (removed int, bytes int64, err error) {
	err = b.each(ctx, func(object *bucketObject) error {
		if !valid(object.Key) || object.ModTime.After(before) || keep(object.Key) {
			return nil
		}
		if err := b.remove(ctx, object.Key); err != nil {
			return err
		}
		removed++
		bytes += object.Size
		return nil
	})
	return removed, bytes, err
}
