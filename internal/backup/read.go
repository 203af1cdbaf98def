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

	"github.com/abn-studio/studio/internal/postgres"
)

// Backup is a backup that is read.
type Backup struct {
	About About
	Name  string // the moment it is of, such as 20261130T071000Z

	place    Place
	in       string // its folder
	keys     opening
	contents *Contents
}

// Listed is a backup of a place, as it is listed.
type Listed struct {
	Name  string
	About About
	Err   error // why it cannot be used; *HalfError where it was never finished
}

// in is the backup in its place, without the keys to open what is encrypted.
func (l Listed) in(p Place) *Backup {
	return &Backup{About: l.About, Name: l.Name, place: p, in: folderOf(l.Name)}
}

// HalfError is the error of a backup that was not finished, or is still being written.
type HalfError struct{ Name string }

func (e *HalfError) Error() string {
	return fmt.Sprintf("backup %s was not finished, or is being written: it has no %s", e.Name, aboutName)
}

// FormatError is the error of a backup that a newer release wrote.
type FormatError struct {
	Name, Release string
	Version       int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("backup %s was written by studio %s in format %d, and this studio reads up to %d: use that release, or a newer one", e.Name, e.Release, e.Version, Version)
}

// maxAbout bounds a description.
const maxAbout = 16 << 20

// readMark reads what a place is; errMissing where it is no place for backups.
func readMark(ctx context.Context, p Place) (m Mark, err error) {
	text, err := readAll(ctx, p, markName, maxAbout)
	if err != nil {
		return m, err
	}
	if err := unseal(text, &m); err != nil {
		return m, &DamagedError{Part: markName, Err: err}
	}
	if m.Version > Version {
		return m, fmt.Errorf("%s holds backups in format %d, and this studio reads up to %d: use the release that wrote them, or a newer one", p, m.Version, Version)
	}
	return m, nil
}

// Backups lists the backups of a place, the newest first, also those that cannot be used.
func Backups(ctx context.Context, p Place) ([]Listed, error) {
	if _, err := readMark(ctx, p); errors.Is(err, errMissing) {
		return nil, fmt.Errorf("%s has no backups: it has no %s", p, markName)
	} else if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	if err := p.List(ctx, backupsIn, func(name string, _ int64, _ time.Time) error {
		name, _, _ = strings.Cut(strings.TrimPrefix(name, backupsIn), "/")
		if _, err := time.Parse(timeLayout, name); err == nil {
			names[name] = true
		}
		return nil
	}); err != nil {
		return nil, err
	}
	all := make([]Listed, 0, len(names))
	for name := range names {
		about, err := readAbout(ctx, p, name)
		all = append(all, Listed{name, about, err})
	}
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(b.Name, a.Name) })
	return all, context.Cause(ctx)
}

func readAbout(ctx context.Context, p Place, name string) (a About, err error) {
	text, err := readAll(ctx, p, folderOf(name)+aboutName, maxAbout)
	if errors.Is(err, errMissing) {
		return a, &HalfError{name}
	}
	if err != nil {
		return a, err
	}
	if err := unseal(text, &a); err != nil {
		return a, &DamagedError{Part: folderOf(name) + aboutName, Err: err}
	}
	if a.Version > Version {
		return a, &FormatError{name, a.Release, a.Version}
	}
	return a, nil
}

// Open opens a backup by its name, or by the beginning of it; "": the newest that was finished.
func Open(ctx context.Context, p Place, name string, keys Keys) (*Backup, error) {
	all, err := Backups(ctx, p)
	if err != nil {
		return nil, err
	}
	var chosen *Listed
	for i, l := range all {
		var half *HalfError
		if !strings.HasPrefix(l.Name, name) || name == "" && errors.As(l.Err, &half) {
			continue
		}
		if chosen != nil && name != "" && chosen.Name != name {
			return nil, fmt.Errorf("several backups of %s begin with %s: %s, %s", p, name, chosen.Name, l.Name)
		}
		if chosen == nil {
			chosen = &all[i]
		}
	}
	switch {
	case chosen == nil && name == "":
		return nil, fmt.Errorf("%s has no backup that was finished", p)
	case chosen == nil:
		return nil, fmt.Errorf("%s has no backup %s: 'studio backup list' lists what there is", p, name)
	case chosen.Err != nil:
		return nil, chosen.Err
	}
	b := chosen.in(p)
	if b.keys, err = keys.opening(ctx, p, b.About.Encryption); err != nil {
		return nil, err
	}
	return b, nil
}

// Readable reports whether the rows and files can be read: not where the backup is encrypted and no key was given.
func (b *Backup) Readable() bool { return !b.keys.sealed || len(b.keys.identities) > 0 }

// part finds a part by its name without the ending of encrypted ones.
func (b *Backup) part(name string) (Part, error) {
	for _, p := range b.About.Parts {
		if strings.TrimSuffix(p.Name, encrypted) == name {
			return p, nil
		}
	}
	return Part{}, &DamagedError{Part: b.in + name, Err: errMissing}
}

// Contents reads what is in the backup; ErrKey where the key is another.
func (b *Backup) Contents(ctx context.Context) (Contents, error) {
	if b.contents != nil {
		return *b.contents, nil
	}
	if !b.Readable() {
		return Contents{}, fmt.Errorf("%w: it is encrypted to %s: name the file of a secret key (--identity), or where the passphrase is (--passphrase-file, STUDIO_BACKUP_PASSPHRASE)", ErrKey, strings.Join(b.About.Encryption.Recipients, ", "))
	}
	part, err := b.part(contentsName)
	if err != nil {
		return Contents{}, err
	}
	r, err := b.openPart(ctx, part)
	if err != nil {
		return Contents{}, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return Contents{}, err
	}
	var c Contents
	if err := json.Unmarshal(text, &c); err != nil {
		return Contents{}, &DamagedError{Part: b.in + part.Name, Err: err}
	}
	b.contents = &c
	return c, nil
}

// table is the part with the rows of a table.
func (b *Backup) table(t postgres.SavedTable) (Part, error) {
	return b.part(tablesIn + t.Name + ".zst")
}

// objects reads which objects lie in the place for the backup, by their names.
func (b *Backup) objects(ctx context.Context) (map[string]Object, error) {
	part, err := b.part(objectsName)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Object, b.About.Objects)
	err = readLines(ctx, b, part, func(o Object) error {
		if !hashPattern.MatchString(o.Name) {
			return &DamagedError{Part: b.in + part.Name, Err: fmt.Errorf("%q names no object", o.Name)}
		}
		all[o.Name] = o
		return nil
	})
	return all, err
}

// blobs hands over the files of the studio.
func (b *Backup) blobs(ctx context.Context, each func(Blob) error) error {
	part, err := b.part(blobsName)
	if err != nil {
		return err
	}
	return readLines(ctx, b, part, func(one Blob) error {
		if !hashPattern.MatchString(one.SHA256) || !hashPattern.MatchString(one.object()) {
			return &DamagedError{Part: b.in + part.Name, Err: fmt.Errorf("%q names no file", one.SHA256)}
		}
		return each(one)
	})
}
