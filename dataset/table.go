package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// MetadataFile is the optional table at the root of an image folder.
const MetadataFile = "metadata.csv"

// table is a CSV file with a header: rows by lower-case, trimmed column name.
type table struct {
	columns []string
	rows    []map[string]string
	lines   []int // line of each row in the file
}

// openTable reads a CSV. A byte order mark, CRLF, padded headers, trailing empty columns and short
// rows are all met in the wild and all allowed.
func openTable(file string) (*table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := readTable(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(file), err)
	}
	return t, nil
}

func readTable(r io.Reader) (*table, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	reader := csv.NewReader(buffered)
	reader.FieldsPerRecord = -1
	reader.TrimLeadingSpace = true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: want a header line")
	}
	if err != nil {
		return nil, err
	}
	t := &table{}
	for i, column := range header {
		if !text.Valid(column) {
			return nil, illegible(reader, i, "of the header")
		}
		t.columns = append(t.columns, strings.ToLower(strings.TrimSpace(column)))
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		row, filled := make(map[string]string, len(record)), false
		for i, cell := range record {
			if !text.Valid(cell) {
				name := fmt.Sprint(i + 1)
				if i < len(t.columns) && t.columns[i] != "" {
					name = t.columns[i]
				}
				return nil, illegible(reader, i, name)
			}
			if len(cell) > text.MaxName && i < len(t.columns) && named[t.columns[i]] {
				line, _ := reader.FieldPos(i)
				return nil, fmt.Errorf("line %d, column %s: %q %s", line, t.columns[i], text.Cut(cell, 40), text.TooLong)
			}
			if i < len(t.columns) && t.columns[i] != "" {
				row[t.columns[i]] = strings.TrimSpace(cell)
				filled = filled || row[t.columns[i]] != ""
			}
		}
		if !filled {
			continue
		}
		line, _ := reader.FieldPos(0)
		t.rows, t.lines = append(t.rows, row), append(t.lines, line)
	}
}

// named are the columns that name something: a class, a group.
var named = map[string]bool{"class": true, "label": true, "group": true}

// illegible names a cell that nothing can keep; spreadsheets write such files in the encoding of their country.
func illegible(reader *csv.Reader, field int, column string) error {
	line, _ := reader.FieldPos(field)
	return fmt.Errorf("line %d, column %s %s: save the table as CSV UTF-8", line, column, text.Problem)
}

// column returns the first of the given names that the header has, "" if none.
func (t *table) column(names ...string) string {
	for _, name := range names {
		for _, column := range t.columns {
			if column == name {
				return name
			}
		}
	}
	return ""
}

// localName cleans a file name that a table gives; ok is false if it leads out of the root.
func localName(name string) (string, bool) {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	return name, filepath.IsLocal(filepath.FromSlash(name))
}

// readTable reads format csv: a table (Dir itself, or the folder's images.csv, labels.csv,
// metadata.csv or only .csv) with the columns file and, where known, class (or label), split,
// group and mask. Paths are relative to the table.
func (d *Dataset) readTable() error {
	file := d.Dir
	if info, err := os.Stat(d.Dir); err != nil {
		return err
	} else if info.IsDir() {
		if file, err = findTable(d.Dir); err != nil {
			return err
		}
	} else {
		d.Dir = filepath.Dir(d.Dir)
	}
	t, err := openTable(file)
	if err != nil {
		return err
	}
	fileColumn := t.column("file", "filename", "file_name", "image", "path")
	if fileColumn == "" {
		return fmt.Errorf("%w: %s has no column \"file\"; its columns are %s", ErrLayout, filepath.Base(file), strings.Join(t.columns, ", "))
	}
	class, split := t.column("class", "label"), t.column("split")
	group, mask := t.column("group"), t.column("mask")
	seen := map[string]bool{}
	for i, row := range t.rows {
		name, ok := localName(row[fileColumn])
		switch {
		case row[fileColumn] == "":
			d.skip(fmt.Sprintf("%s:%d", filepath.Base(file), t.lines[i]), "the row names no file")
			continue
		case !ok:
			d.skip(row[fileColumn], "leads out of the data set's folder")
			continue
		case seen[name]:
			d.skip(name, "named again in line %d", t.lines[i])
			continue
		case d.linked(name) != "":
			d.skip(name, "%s", linkReason(d.linked(name)))
			continue
		case !d.isRegular(name):
			d.miss(name, "named in line %d of %s", t.lines[i], filepath.Base(file))
			continue
		}
		seen[name] = true
		if reason := checkPicture(d.file(name)); reason != "" {
			d.skip(name, "%s", reason)
			continue
		}
		s := Sample{Name: name, Path: d.file(name), Class: row[class], Group: row[group]}
		if word := row[split]; word != "" {
			if s.Split, ok = SplitName(word); !ok {
				return fmt.Errorf("%w: line %d of %s: split %q is none of train, validation, test, pool", ErrLayout, t.lines[i], filepath.Base(file), word)
			}
		}
		s.Mask = d.maskNamed(row[mask], name)
		d.Samples = append(d.Samples, s)
	}
	return nil
}

func findTable(dir string) (string, error) {
	for _, name := range []string{"images.csv", "labels.csv", MetadataFile} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, name), nil
		}
	}
	all, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.csv"))
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("%w: want images.csv, or one .csv file, in the folder; it has %d", ErrLayout, len(all))
	}
	return all[0], nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// maskNamed resolves the mask a table gives for an image; a mask that is not there is Missing and unknown.
func (d *Dataset) maskNamed(name, image string) string {
	if name == "" {
		return ""
	}
	clean, ok := localName(name)
	if !ok {
		d.skip(name, "the mask of %s leads out of the data set's folder", image)
		return ""
	}
	if link := d.linked(clean); link != "" {
		d.skip(name, "the mask of %s %s", image, linkReason(link))
		return ""
	}
	if !d.isRegular(clean) {
		d.miss(clean, "the mask of %s", image)
		return ""
	}
	return d.file(clean)
}

// applyMetadata adds the groups and masks of metadata.csv, where there is one.
func (d *Dataset) applyMetadata() error {
	if !d.isRegular(MetadataFile) {
		return nil
	}
	t, err := openTable(d.file(MetadataFile))
	if err != nil {
		return err
	}
	fileColumn := t.column("file", "file_name", "filename", "image", "path")
	if fileColumn == "" {
		return fmt.Errorf("%w: %s has no column \"file\"; its columns are %s", ErrLayout, MetadataFile, strings.Join(t.columns, ", "))
	}
	byName := make(map[string]*Sample, len(d.Samples))
	for i := range d.Samples {
		byName[d.Samples[i].Name] = &d.Samples[i]
	}
	skipped := make(map[string]bool, len(d.Skipped))
	for _, p := range d.Skipped {
		skipped[p.Path] = true
	}
	group, mask := t.column("group"), t.column("mask")
	for i, row := range t.rows {
		name, ok := localName(row[fileColumn])
		s := byName[name]
		if !ok || s == nil {
			if !skipped[name] {
				d.miss(row[fileColumn], "named in line %d of %s", t.lines[i], MetadataFile)
			}
			continue
		}
		s.Group = row[group]
		s.Mask = d.maskNamed(row[mask], name)
	}
	return nil
}
