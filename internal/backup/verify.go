package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/progress"
)

// Verified says what a check of a backup found.
type Verified struct {
	Name    string   `json:"name"`
	Parts   int      `json:"parts"`
	Objects int      `json:"objects"`
	Bytes   int64    `json:"bytes"`  // read
	Opened  bool     `json:"opened"` // what is encrypted was opened too
	Damaged []string `json:"damaged"`
	Lost    []Lost   `json:"lost"` // by the studio, before the backup was made
}

// Verify reads all of a backup and compares it with what was written. Where it is encrypted and no key was given, it compares the bytes
// alone. It goes on behind what is damaged.
func (b *Backup) Verify(ctx context.Context, meter *progress.Meter) (Verified, error) {
	if meter == nil {
		meter = progress.NewMeter(nil)
	}
	v := Verified{Name: b.Name, Opened: b.Readable(), Damaged: []string{}, Lost: []Lost{}}
	meter.Plan(progress.Plan{Stage: progress.Verifying, Total: megabytes(b.About.Bytes)})
	meter.Begin(progress.Verifying, 0)
	var mu sync.Mutex
	note := func(err error, bytes int64) error {
		mu.Lock()
		defer mu.Unlock()
		v.Bytes += bytes
		meter.Advance(progress.Verifying, megabytes(v.Bytes))
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			v.Damaged = append(v.Damaged, fmt.Sprintf("%s: %v", damaged.Part, damaged.Err))
			return nil
		}
		return err
	}
	rows := map[string]int64{}
	if b.Readable() {
		contents, err := b.Contents(ctx)
		if errors.Is(err, ErrKey) {
			return v, err
		}
		for _, t := range contents.Tables {
			rows[t.Name] = t.Rows
		}
		v.Lost = append(v.Lost, contents.Lost...)
	}
	for _, part := range b.About.Parts {
		v.Parts++
		if err := note(b.verifyPart(ctx, part, rows), part.Bytes); err != nil {
			return v, err
		}
	}
	if err := note(b.verifyKey(ctx), 0); err != nil {
		return v, err
	}
	objects, err := b.objects(ctx)
	if err = note(err, 0); err != nil {
		return v, err
	}
	hashes := map[string]string{} // of what is in an object
	if b.Readable() {
		err := b.blobs(ctx, func(one Blob) error {
			hashes[one.object()] = one.SHA256
			if _, is := objects[one.object()]; !is {
				return note(&DamagedError{Part: objectPath(b.About.Blobs, one.object()), Err: errMissing}, 0)
			}
			return nil
		})
		if err := note(err, 0); err != nil {
			return v, err
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(b.place.Parallel())
	for _, o := range objects {
		v.Objects++
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			return note(b.verifyObject(inner, o, hashes[o.Name]), o.Bytes)
		})
	}
	if err := group.Wait(); err != nil {
		return v, err
	}
	meter.Finish()
	slices.Sort(v.Damaged)
	v.Damaged = slices.Compact(v.Damaged)
	return v, nil
}

func (b *Backup) verifyPart(ctx context.Context, part Part, rows map[string]int64) error {
	var r io.ReadCloser
	var err error
	if b.Readable() {
		r, err = b.openPart(ctx, part)
	} else {
		at := part
		at.Name = b.in + part.Name
		r, err = b.openFile(ctx, at, false)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	lines := &lineCounter{}
	if _, err := io.Copy(lines, r); err != nil {
		return err
	}
	if want, is := rows[tableOf(part.Name)]; is && want != lines.n {
		return &DamagedError{Part: b.in + part.Name, Err: fmt.Errorf("it has %d rows, and should have %d", lines.n, want)}
	}
	return nil
}

// verifyObject compares the blob in an object with its hash, or, where it cannot be opened, the object's bytes with those that were written.
func (b *Backup) verifyObject(ctx context.Context, o Object, hash string) error {
	at := Part{objectPath(b.About.Blobs, o.Name), o.Bytes, o.sum()}
	var r io.ReadCloser
	var err error
	if b.Readable() {
		r, err = b.openObject(ctx, o)
	} else {
		r, err = b.openFile(ctx, at, false)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if b.Readable() && hash != hex.EncodeToString(sum.Sum(nil)) {
		return &DamagedError{Part: at.Name, Err: errOther}
	}
	return nil
}

// lineCounter counts lines, which are rows.
type lineCounter struct{ n int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}
