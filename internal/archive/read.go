package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
)

// maxRow bounds a row: a map of 512×512 cells has 2 MiB as it is written, a history of strokes 1 MiB.
const maxRow = 16 << 20

// maxAbout bounds the description.
const maxAbout = 64 << 20

// Archive is an archive that is read. It implements annotator.ArchiveSource.
type Archive struct {
	About   About
	name    string
	zip     *zip.Reader
	tables  map[string]*zip.File
	files   []*zip.File
	lost    map[string]bool
	images  string // the folder of images that it has by reference
	observe func(share float64)
}

var fileName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Open reads an archive's description and the names of its entries. What it refuses it refuses by name: a file that is no archive of a
// project, one that a newer studio wrote, and one that lacks something.
func Open(name string, file io.ReaderAt, size int64) (*Archive, error) {
	refuse := func(format string, args ...any) error {
		return &annotator.ValidationError{Field: "archive", Message: fmt.Sprintf(format, args...)}
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, refuse("%s is no archive of a project, or is cut off: %v", name, err)
	}
	a := &Archive{name: name, zip: z, tables: map[string]*zip.File{}, lost: map[string]bool{}, observe: func(float64) {}}
	var about *zip.File
	for _, f := range z.File {
		table, isRows := strings.CutPrefix(f.Name, rowsFolder)
		hash, isFile := strings.CutPrefix(f.Name, filesFolder)
		table = strings.TrimSuffix(table, rowsSuffix)
		switch {
		case f.Name == aboutName && about == nil:
			about = f
		case isRows && slices.Contains(annotator.ArchiveTables, table) && a.tables[table] == nil:
			a.tables[table] = f
		case isFile && fileName.MatchString(hash):
			a.files = append(a.files, f)
		} // what else there is is a later format's, which is refused by its number
	}
	if about == nil {
		return nil, refuse("%s is no archive of a project: it has no %s. Archives are written by an Export page (Whole project) and by studio project pack", name, aboutName)
	}
	r, err := about.Open()
	if err == nil {
		err = json.NewDecoder(io.LimitReader(r, maxAbout)).Decode(&a.About)
		r.Close()
	}
	switch {
	case err != nil:
		return nil, &annotator.DamagedError{Part: aboutName, Err: err}
	case a.About.Format != Format:
		return nil, refuse("%s is no archive of a project: its format is %q", name, a.About.Format)
	case a.About.Version > FormatVersion:
		return nil, refuse("%s was written by studio %s in format %d, and this studio reads up to %d: update it first", name, a.About.Studio, a.About.Version, FormatVersion)
	case a.About.Version < 1:
		return nil, &annotator.DamagedError{Part: aboutName, Err: fmt.Errorf("format %d", a.About.Version)}
	}
	for _, table := range annotator.ArchiveTables {
		if a.About.Version < since[table] {
			continue
		}
		if _, said := a.About.Tables[table]; !said || a.tables[table] == nil {
			return nil, &annotator.DamagedError{Part: rowsFolder + table + rowsSuffix, Err: errors.New("it is not there")}
		}
	}
	if len(a.files) != a.About.Files {
		return nil, &annotator.DamagedError{Part: "list of files", Err: fmt.Errorf("it has %d, and %s says %d", len(a.files), aboutName, a.About.Files)}
	}
	for _, m := range a.About.Missing {
		a.lost[m.SHA256] = true
	}
	return a, nil
}

// With says where images are that the archive has by reference ("": nowhere), and who is told how much of the files has been read.
func (a *Archive) With(images string, observe func(share float64)) *Archive {
	a.images = images
	if observe != nil {
		a.observe = observe
	}
	return a
}

// Name implements annotator.ArchiveSource.
func (a *Archive) Name() string { return a.name }

// Lost implements annotator.ArchiveSource.
func (a *Archive) Lost(hash string) bool { return a.lost[hash] }

// Rows implements annotator.ArchiveSource. The error of rows that are not those that were written comes after the last of them.
func (a *Archive) Rows(table string, row func([]byte) error) error {
	entry := a.tables[table]
	if entry == nil { // of an earlier format
		return nil
	}
	bad := func(err error) error { return &annotator.DamagedError{Part: entry.Name, Err: err} }
	r, err := entry.Open()
	if err != nil {
		return bad(err)
	}
	defer r.Close()
	sum, rows := sha256.New(), 0
	lines := bufio.NewScanner(io.TeeReader(r, sum))
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	for lines.Scan() {
		line := lines.Bytes()
		if !json.Valid(line) || !bytes.HasPrefix(line, []byte{'{'}) {
			return bad(fmt.Errorf("line %d is no row", rows+1))
		}
		if rows++; rows > a.About.Tables[table].Rows {
			return bad(errors.New("it has more rows than it should"))
		}
		if err := row(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return bad(err)
	}
	if want := a.About.Tables[table]; rows != want.Rows || hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return bad(fmt.Errorf("it is not as it was written: %d rows of %d, or others", rows, want.Rows))
	}
	return nil
}

// Files implements annotator.ArchiveSource.
func (a *Archive) Files(ctx context.Context, file func(hash string, content io.Reader) error) error {
	read := int64(0)
	for _, f := range a.files {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		r, err := f.Open()
		if err == nil {
			err = file(strings.TrimPrefix(f.Name, filesFolder), r)
			r.Close()
		}
		if errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = &annotator.DamagedError{Part: f.Name, Err: err}
		}
		if err != nil {
			return err
		}
		read += int64(f.UncompressedSize64)
		a.observe(float64(read) / float64(max(1, a.About.Bytes)))
	}
	return nil
}

// Find implements annotator.ArchiveSource: the image by its name below the folder that was given.
func (a *Archive) Find(image string) (io.ReadCloser, error) {
	if a.images == "" {
		return nil, annotator.ErrNotFound
	}
	root, err := os.OpenRoot(a.images) // a name leads nowhere else
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.Open(filepath.FromSlash(image))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, annotator.ErrNotFound
	}
	return file, err
}
