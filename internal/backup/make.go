package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/progress"
)

// Options say what is backed up, and how.
type Options struct {
	DSN     string      // the database's address
	Blobs   *blob.Store // the studio's files
	Keys    Keys        // whom the backup is encrypted to
	Release string      // that writes it
	Keep    int         // how many backups stay, the new one included; 0: all
	Now     func() time.Time
	Meter   *progress.Meter // nil: nobody looks

	work int // of a passphrase; 0: the usual
}

// Result says what was written.
type Result struct {
	Name     string
	About    About
	Contents Contents
	New      int   // objects that were not there yet
	NewBytes int64 // their size and that of the parts
	Pruned   Pruned
}

// Make writes a backup of a studio, which may be running, into a place. A backup without its description, which is written last, is
// none; what was copied for it is found by the next one.
func Make(ctx context.Context, p Place, o Options) (result Result, err error) {
	o.Now = orNow(o.Now)
	if o.Meter == nil {
		o.Meter = progress.NewMeter(nil)
	}
	snapshot, err := postgres.OpenSnapshot(ctx, o.DSN)
	if err != nil {
		return result, err
	}
	defer snapshot.Close()
	if err := claim(ctx, p, snapshot.Installation); err != nil {
		return result, err
	}
	s, err := o.Keys.sealing(ctx, p, snapshot.Installation, o.work)
	if err != nil {
		return result, err
	}
	m := &making{place: p, o: o, snapshot: snapshot, sealing: s}
	if err := m.begin(ctx); err != nil {
		return result, err
	}
	if err := m.make(ctx); err != nil {
		return result, errors.Join(m.explain(err), m.giveUp(ctx))
	}
	result = Result{Name: m.name, About: m.about, Contents: m.contents, New: m.copied, NewBytes: m.copiedBytes}
	if o.Keep > 0 {
		if result.Pruned, err = prune(ctx, p, o.Keep, m.name, o.Now()); err != nil {
			return result, fmt.Errorf("backup %s is complete, and older ones could not be removed: %w", m.name, err)
		}
	}
	o.Meter.Finish()
	return result, nil
}

// claim makes a place the studio's, if it is empty.
func claim(ctx context.Context, p Place, installation string) error {
	mark, err := readMark(ctx, p)
	studio := studioOf(installation)
	switch {
	case err == nil && mark.Studio == studio:
		return nil
	case err == nil:
		return fmt.Errorf("%s has the backups of another studio: give each studio a folder, or a prefix, of its own", p)
	case !errors.Is(err, errMissing):
		return err
	}
	errUsed := fmt.Errorf("%s has other files, and no backups: name a folder that is empty or not there yet, or a prefix of its own in the bucket", p)
	if err := p.List(ctx, "", func(string, int64, time.Time) error { return errUsed }); err != nil {
		return err
	}
	text, err := seal(Mark{Format: Format, Version: Version, Studio: studio})
	if err != nil {
		return err
	}
	return writeAll(ctx, p, markName, text)
}

// making is a backup that is being written.
type making struct {
	place    Place
	o        Options
	snapshot *postgres.Snapshot
	sealing  *sealing

	name, in    string
	about       About
	contents    Contents
	uses        map[string][]string // of each blob, the rows that refer to it
	objects     map[string]Object   // of this backup, by their names
	blobs       []Blob
	copied      int
	copiedBytes int64
}

// begin finds a name.
func (m *making) begin(ctx context.Context) error {
	at := m.o.Now().UTC().Truncate(time.Second)
	for there := true; there; at = at.Add(time.Second) {
		there = false
		m.name = at.Format(timeLayout)
		m.in = folderOf(m.name)
		if err := m.place.List(ctx, m.in, func(string, int64, time.Time) error { there = true; return nil }); err != nil {
			return err
		}
	}
	m.about = About{Format: Format, Version: Version, Release: m.o.Release, At: m.o.Now().UTC(), Schema: m.snapshot.Schema, Blobs: m.sealing.folder()}
	if m.sealing != nil {
		m.about.Encryption = &m.sealing.Encryption
	}
	m.contents = Contents{Installation: m.snapshot.Installation, Tables: m.snapshot.Tables, Sequences: m.snapshot.Sequences}
	m.objects = map[string]Object{}
	return nil
}

func (m *making) make(ctx context.Context) error {
	m.o.Meter.Plan(
		progress.Plan{Stage: progress.Dumping, Total: megabytes(m.snapshot.Bytes), Each: 20 * time.Millisecond},
		progress.Plan{Stage: progress.Copying, Each: 10 * time.Millisecond})
	m.o.Meter.Begin(progress.Dumping, 0)
	if err := m.tables(ctx); err != nil {
		return err
	}
	uses, err := m.snapshot.Blobs(ctx)
	if err != nil {
		return err
	}
	if err := m.snapshot.End(ctx); err != nil {
		return err
	}
	m.uses = make(map[string][]string, len(uses))
	for _, u := range uses {
		m.uses[u.Hash] = append(m.uses[u.Hash], u.Use)
	}
	if err := m.files(ctx); err != nil {
		return err
	}
	return m.finish(ctx)
}

// tables writes the rows.
func (m *making) tables(ctx context.Context) error {
	var done int64
	for i := range m.contents.Tables {
		t := &m.contents.Tables[i]
		part, err := writePart(ctx, m.place, m.in, tablesIn+t.Name+".zst", m.sealing, func(w io.Writer) error {
			return m.snapshot.Copy(ctx, t, writerFunc(func(p []byte) (int, error) {
				n, err := w.Write(p)
				done += int64(n)
				m.o.Meter.Advance(progress.Dumping, megabytes(done))
				return n, err
			}))
		})
		if err != nil {
			return err
		}
		m.add(part)
	}
	return nil
}

func (m *making) add(part Part) {
	m.about.Parts = append(m.about.Parts, part)
	m.copiedBytes += part.Bytes
	m.about.Bytes += part.Bytes
}

// finish writes the lists and, when all else is there, the description.
func (m *making) finish(ctx context.Context) error {
	slices.SortFunc(m.blobs, func(a, b Blob) int { return strings.Compare(a.SHA256, b.SHA256) })
	objects := make([]Object, 0, len(m.objects))
	for _, o := range m.objects {
		objects = append(objects, o)
		m.about.Bytes += o.Bytes
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	m.about.Objects, m.contents.Blobs = len(objects), len(m.blobs)
	for _, b := range m.blobs {
		m.contents.BlobBytes += b.Bytes
	}
	part, err := writeLines(ctx, m.place, m.in, blobsName, m.sealing, m.blobs)
	if err != nil {
		return err
	}
	m.add(part)
	if part, err = writeLines(ctx, m.place, m.in, objectsName, nil, objects); err != nil {
		return err
	}
	m.add(part)
	if part, err = writePart(ctx, m.place, m.in, contentsName, m.sealing, func(w io.Writer) error {
		indented := json.NewEncoder(w)
		indented.SetIndent("", "  ")
		return indented.Encode(m.contents)
	}); err != nil {
		return err
	}
	m.add(part)
	if err := m.allThere(ctx); err != nil {
		return err
	}
	text, err := seal(m.about)
	if err != nil {
		return err
	}
	return writeAll(ctx, m.place, m.in+aboutName, text)
}

// giveUp removes the parts of a backup that will not be finished. What was copied of blobs stays for the next one.
func (m *making) giveUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	return removeBackup(ctx, m.place, m.name)
}

// explain says what to do about a full disk.
func (m *making) explain(err error) error {
	if err = disk.Full(err); errors.Is(err, annotator.ErrFull) {
		return fmt.Errorf("%w: make room in %s and run the backup again: files that were copied stay", err, m.place)
	}
	return err
}

// megabytes are bytes in MiB, as progress counts them.
func megabytes(n int64) int { return int(n >> 20) }

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
