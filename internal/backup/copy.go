package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/progress"
)

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// files copies the blobs that the snapshot names and that the place does not have.
func (m *making) files(ctx context.Context) error {
	listed, err := m.o.Blobs.List(ctx)
	if err != nil {
		return err
	}
	sizes := make(map[string]int64, len(listed))
	for _, f := range listed {
		sizes[f.Hash] = f.Size
	}
	known, err := m.known(ctx, sizes)
	if err != nil {
		return err
	}
	var needed []string
	var total int64
	for hash := range m.uses {
		if object, is := known[m.sealing.name(hash)]; is {
			m.keep(hash, object)
			continue
		}
		needed = append(needed, hash)
		total += sizes[hash]
	}
	if free, known := m.place.Free(); known && free < total+total/50 {
		return fmt.Errorf("%w: %d MiB are to be copied, and there is room for %d", annotator.ErrFull, megabytes(total), megabytes(free))
	}
	slices.Sort(needed)
	m.o.Meter.Expect(progress.Copying, megabytes(total), 0)
	m.o.Meter.Begin(progress.Copying, 0)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(m.place.Parallel())
	var mu sync.Mutex
	var done int64
	for _, hash := range needed {
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			object, err := m.copy(inner, hash)
			mu.Lock()
			defer mu.Unlock()
			done += sizes[hash]
			m.o.Meter.Advance(progress.Copying, megabytes(done))
			switch {
			case err == nil:
				m.keep(hash, object)
				m.copied++
				m.copiedBytes += object.Bytes
			case errors.Is(err, annotator.ErrMissing), errors.Is(err, annotator.ErrDamaged):
				reason, _, _ := strings.Cut(err.Error(), ": put it back")
				m.contents.Lost = append(m.contents.Lost, Lost{hash, m.uses[hash], reason})
			default:
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.SortFunc(m.contents.Lost, func(a, b Lost) int { return strings.Compare(a.SHA256, b.SHA256) })
	if len(m.contents.Lost) > 0 && !m.snapshot.Holds(ctx) {
		return fmt.Errorf("%w: the connection to the database broke, and files may have been removed since: run the backup again, files that were copied stay", annotator.ErrDatabaseAway)
	}
	return nil
}

// stored is an object of the place, with the size of the blob that it holds.
type stored struct {
	Object
	plain int64
}

// keep notes that a blob is in the place.
func (m *making) keep(hash string, o stored) {
	m.objects[o.Name] = o.Object
	b := Blob{SHA256: hash, Bytes: o.plain}
	if o.Name != hash {
		b.Object = o.Name
	}
	m.blobs = append(m.blobs, b)
}

// copy copies a blob. Its own hash is compared while it is read; a damaged one is not copied.
func (m *making) copy(ctx context.Context, hash string) (o stored, err error) {
	from, err := m.o.Blobs.Stream(ctx, hash)
	if err != nil {
		return o, err
	}
	defer from.Close()
	name := m.sealing.name(hash)
	err = m.place.Write(ctx, objectPath(m.sealing.folder(), name), func(w io.Writer) error {
		out := newCounted(w)
		if err := m.sealing.seal(out, func(w io.Writer) (err error) {
			o.plain, err = io.Copy(w, from)
			return err
		}); err != nil {
			return err
		}
		o.Object = Object{Name: name, Bytes: out.n}
		if m.sealing != nil {
			o.SHA256 = out.hash()
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("copying file %s to %s: %w", hash, m.place, err)
	}
	return o, err
}

// allThere fails where an object has gone meanwhile: another backup into the same place has removed it.
func (m *making) allThere(ctx context.Context) error {
	found := 0
	if err := m.place.List(ctx, m.sealing.folder(), func(name string, size int64, _ time.Time) error {
		if o, is := m.objects[path.Base(name)]; is && o.Bytes == size {
			found++
		}
		return nil
	}); err != nil {
		return err
	}
	if found != len(m.objects) {
		return fmt.Errorf("%d of %d files are no longer in %s: does another backup run there? Run this one again", len(m.objects)-found, len(m.objects), m.place)
	}
	return nil
}

// known returns the objects that the place has already, as the newest backup lists them. One that no backup lists was left by a backup that
// was not finished; it is read, to know its hash. Of an encrypted one that is nothing to compare with: it is as long as its blob, of these sizes, makes it.
func (m *making) known(ctx context.Context, sizes map[string]int64) (map[string]stored, error) {
	there := map[string]int64{}
	if err := m.place.List(ctx, m.sealing.folder(), func(name string, size int64, _ time.Time) error {
		if hashPattern.MatchString(path.Base(name)) {
			there[path.Base(name)] = size
		}
		return nil
	}); err != nil || len(there) == 0 {
		return nil, err
	}
	listed, err := m.listed(ctx)
	if err != nil {
		return nil, err
	}
	overhead, err := m.sealing.overhead()
	if err != nil {
		return nil, err
	}
	all := make(map[string]stored, len(there))
	for hash := range m.uses {
		name := m.sealing.name(hash)
		size, is := there[name]
		if !is {
			continue
		}
		o := Object{Name: name, Bytes: size}
		before, was := listed[name]
		if was && before.Bytes == size {
			o = before
		} else if m.sealing != nil && (was || size-overhead(size) != sizes[hash]) {
			continue // cut short: it is written again
		} else if o.SHA256, err = sumOf(ctx, m.place, objectPath(m.sealing.folder(), name)); err != nil {
			return nil, err
		} else if m.sealing == nil {
			if o.SHA256 != name {
				continue // cut short or damaged: it is written again
			}
			o.SHA256 = ""
		}
		all[name] = stored{o, size - overhead(size)}
	}
	return all, nil
}

// listed returns the objects of the newest backups that lie in this backup's folder of blobs.
func (m *making) listed(ctx context.Context) (map[string]Object, error) {
	backups, err := Backups(ctx, m.place)
	if err != nil {
		return nil, err
	}
	for _, l := range backups {
		if l.Err != nil || l.About.Blobs != m.sealing.folder() {
			continue
		}
		objects, err := l.in(m.place).objects(ctx)
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			continue // an older list serves as well
		}
		return objects, err
	}
	return nil, nil
}

// sumOf hashes a file of a place.
func sumOf(ctx context.Context, p Place, name string) (string, error) {
	r, err := p.Open(ctx, name)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	defer r.Close()
	sum := newCounted(io.Discard)
	if _, err := io.Copy(sum, r); err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return sum.hash(), context.Cause(ctx)
}

// age encrypts in pieces of so many bytes, each with a tag.
const (
	agePiece = 64 << 10
	ageTag   = 16
)

// overhead returns how many of an object's bytes are the encryption's: a header that is as long for every file, and a tag a piece.
func (s *sealing) overhead() (func(size int64) int64, error) {
	if s == nil {
		return func(int64) int64 { return 0 }, nil
	}
	empty := newCounted(io.Discard)
	if err := s.seal(empty, func(io.Writer) error { return nil }); err != nil {
		return nil, err
	}
	header := empty.n - ageTag // an empty file has one piece
	return func(size int64) int64 {
		pieces := (size - header + agePiece + ageTag - 1) / (agePiece + ageTag)
		return header + ageTag*max(1, pieces)
	}, nil
}
