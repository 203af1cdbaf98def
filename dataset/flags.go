package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// flag is a column that says with true or false whether an image is in a split.
type flag struct {
	column  int
	in, out string // the splits that true and false mean
}

// flagOf reads a column's name: is_valid, test; nil if it is no flag's. Alone, is_valid says that the others are trained on, and
// is_train that the others measure.
func flagOf(name string) *flag {
	word, said := strings.CutPrefix(columnKey(name), "is_")
	split, ok := SplitName(word)
	if !ok || !said && splitWords[word] == "" {
		return nil
	}
	if split == Train {
		return &flag{in: Train, out: Test}
	}
	return &flag{in: split, out: Train}
}

// truth reads true and false as programs write them.
func truth(cell string) (is, ok bool) {
	if is, ok := bit(strings.ToLower(cell)); ok {
		return is, true
	}
	switch strings.ToLower(cell) {
	case "yes", "y", "t":
		return true, true
	case "no", "n", "f":
		return false, true
	}
	return false, false
}

// findFlags finds a table's flags: the given column, or all columns that are called like flags and hold truth values in the first row.
func (d *Dataset) findFlags(t *table, given int) []flag {
	first := d.firstRow(t)
	var found []flag
	for i, name := range t.columns {
		if f := flagOf(name); f != nil && (given == i || given < 0) {
			if _, ok := truth(first.at(i)); ok || given == i && first.at(i) == "" {
				f.column = i
				found = append(found, *f)
			}
		}
	}
	return found
}

// flagsRead says how flags are read.
func flagsRead(t *table, flags []flag) string {
	var names []string
	for _, f := range flags {
		names = append(names, fmt.Sprintf("%q", t.columns[f.column]))
	}
	if len(flags) > 1 {
		return "split from the one of " + strings.Join(names, ", ") + " that is true"
	}
	return fmt.Sprintf("split from %s (true is %s, false is %s)", names[0], flags[0].in, flags[0].out)
}

func (c columns) ofFlags() []int {
	var all []int
	for _, f := range c.flags {
		all = append(all, f.column)
	}
	return all
}

// flagged returns the split that a row's flags say, "" if none does.
func (c columns) flagged(t *table, r row) (string, error) {
	var in []string
	known := 0
	for _, f := range c.flags {
		cell := r.at(f.column)
		if cell == "" {
			continue
		}
		is, ok := truth(cell)
		if !ok {
			return "", fmt.Errorf("%w: line %d of %s: %s is %q, and neither true nor false: pass over the column with --columns split=", ErrLayout, r.line, t.file, t.columns[f.column], text.Cut(cell, 40))
		}
		known++
		if is && !slices.Contains(in, f.in) {
			in = append(in, f.in)
		}
	}
	switch {
	case len(in) > 1:
		return "", fmt.Errorf("%w: line %d of %s: the image is in %s at once: keep one", ErrLayout, r.line, t.file, strings.Join(in, " and "))
	case len(in) == 1:
		return in[0], nil
	case known > 0 && (len(c.flags) == 1 || !slices.ContainsFunc(c.flags, func(f flag) bool { return f.in == Train })):
		return c.flags[0].out, nil
	}
	return "", nil
}

// firstRow reads the first row of a table again.
func (d *Dataset) firstRow(t *table) row {
	again, err := d.openTable(t.file)
	if err != nil {
		return row{}
	}
	defer again.close()
	r, err := again.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return row{}
	}
	return r
}

// fileColumn finds the column of files among usual names: the first that names a picture, or else the first.
func (d *Dataset) fileColumn(t *table, names []string) int {
	var all []int
	for _, name := range names {
		if i := t.column(name); i >= 0 {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return -1
	}
	if len(all) > 1 {
		first := d.firstRow(t)
		for _, i := range all {
			if picture.HasSuffix(urlPath(first.at(i))) {
				return i
			}
		}
	}
	return all[0]
}

// pictureInHeader returns a column's name that is that of a picture, "" for none: then the table has no header.
func (t *table) pictureInHeader() string {
	for _, name := range t.header {
		if picture.HasSuffix(urlPath(name)) {
			return name
		}
	}
	return ""
}
