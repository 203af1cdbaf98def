package backup

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"
)

// unfinished is the age from which a backup without a description is taken for given up: no backup takes that long.
const unfinished = 48 * time.Hour

// Pruned says what was removed.
type Pruned struct {
	Backups int
	Objects int
	Bytes   int64
	Waits   bool // objects were not looked at, since another backup seems to be running
}

// prune removes all but the newest backups, those that were never finished, and the objects that no backup needs any more. Where a backup
// cannot be read, no object is removed.
func prune(ctx context.Context, p Place, keep int, newest string, now time.Time) (done Pruned, err error) {
	all, err := Backups(ctx, p)
	if err != nil {
		return done, err
	}
	needed := map[string]bool{} // by their paths
	whole := 0
	for _, l := range all {
		var half *HalfError
		var other *DamagedError
		switch {
		case errors.As(l.Err, &half):
			at, err := time.Parse(timeLayout, l.Name)
			if err != nil {
				return done, err
			}
			if now.Sub(at) < unfinished {
				done.Waits = true // it counts on objects that no other backup may need
				continue
			}
		case errors.As(l.Err, &other):
			// Its objects are not known. It stays, to be looked at, until it is one too many.
			if whole < keep {
				done.Waits = true
				continue
			}
		case l.Err != nil:
			return done, l.Err
		default:
			if whole++; whole <= keep || l.Name == newest {
				objects, err := l.in(p).objects(ctx)
				if err != nil {
					return done, err
				}
				for name := range objects {
					needed[objectPath(l.About.Blobs, name)] = true
				}
				continue
			}
		}
		if err := removeBackup(ctx, p, l.Name); err != nil {
			return done, err
		}
		done.Backups++
	}
	if done.Waits {
		return done, nil
	}
	var forgotten []string
	if err := p.List(ctx, strings.TrimSuffix(plainBlobs, "/"), func(name string, size int64, _ time.Time) error {
		if hashPattern.MatchString(path.Base(name)) && !needed[name] {
			forgotten = append(forgotten, name)
			done.Bytes += size
		}
		return nil
	}); err != nil {
		return done, err
	}
	for _, name := range forgotten {
		if err := p.Remove(ctx, name); err != nil {
			return done, err
		}
		done.Objects++
	}
	return done, nil
}

// removeBackup removes the parts of a backup, its description first, so that what is left is not taken for whole.
func removeBackup(ctx context.Context, p Place, name string) error {
	in := folderOf(name)
	if err := p.Remove(ctx, in+aboutName); err != nil {
		return err
	}
	var parts []string
	if err := p.List(ctx, in, func(name string, _ int64, _ time.Time) error {
		parts = append(parts, name)
		return nil
	}); err != nil {
		return err
	}
	for _, part := range parts {
		if err := p.Remove(ctx, part); err != nil {
			return err
		}
	}
	return nil
}
