package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// columns are the indices of the table's columns that the studio reads; -1 for a column that the table does not have.
type columns struct {
	file, class, split, group, mask, cluster int
	flags                                    []flag      // columns that tell the split instead; none: split does
	oneHot                                   *oneHot     // the class is told by these columns instead; nil: by class, if at all
	two                                      *twoClasses // another column could hold the class; nil: none
}

// column returns the index of the first of names that the table has, -1 if it has none of them.
func (t *table) column(names ...string) int {
	for _, name := range names {
		key := strings.ReplaceAll(columnKey(name), "_", "") // ClassId, class_id, class id
		if i := slices.IndexFunc(t.columns, func(c string) bool { return strings.ReplaceAll(columnKey(c), "_", "") == key }); i >= 0 {
			return i
		}
	}
	return -1
}

// choose finds a table's columns by Options.Columns or by their usual names. It notes columns that were found under another name, that
// are missing, and that are ignored.
func (d *Dataset) choose(t *table) (columns, error) {
	if err := t.foreign(); err != nil {
		return columns{}, err
	}
	found := map[string]int{}
	var read, absent []string
	var flags []flag
	for _, usual := range usualColumns {
		said, asked := d.options.Columns[usual.column]
		i := -1
		if asked {
			if said != "" { // "": the column is not to be read
				if i = t.column(said); i < 0 {
					return columns{}, fmt.Errorf("%w: %s has no column %q for the %s; its columns are %s", ErrLayout, t.file, said, usual.column, t.list())
				}
			}
		} else {
			i = t.column(usual.names...)
			if usual.column == ColumnFile {
				i = d.fileColumn(t, usual.names)
			}
		}
		if usual.column == ColumnSplit && (i < 0 && !asked || i >= 0 && flagOf(t.columns[i]) != nil) {
			if flags = d.findFlags(t, i); len(flags) > 0 {
				i = flags[0].column
				read = append(read, flagsRead(t, flags))
			}
		}
		if usual.column == ColumnGroup && i >= 0 && i == found[ColumnClass] {
			i = -1
		}
		found[usual.column] = i
		if i >= 0 {
			if again := slices.Index(t.columns[i+1:], t.columns[i]); again >= 0 {
				return columns{}, fmt.Errorf("%w: %s has two columns %q: rename one", ErrLayout, t.file, t.columns[i])
			}
			if !asked && columnKey(t.columns[i]) != usual.column && (usual.column != ColumnSplit || len(flags) == 0) {
				read = append(read, fmt.Sprintf("%s from %q", usual.column, t.columns[i]))
			}
		} else if !asked && (usual.column == ColumnClass || usual.column == ColumnSplit) && !slices.Contains(d.options.folders, usual.column) {
			absent = append(absent, usual.column)
		}
	}
	c := columns{file: found[ColumnFile], class: found[ColumnClass], split: found[ColumnSplit], group: found[ColumnGroup], mask: found[ColumnMask], cluster: found[ColumnCluster], flags: flags}
	if c.file < 0 {
		if picture := t.pictureInHeader(); picture != "" {
			return c, fmt.Errorf("%w: the first line of %s names a picture (%s), and no columns: put a header line above it, such as file,class, or take the table away", errLabels, t.file, text.Cut(picture, 60))
		}
		return c, fmt.Errorf("%w: %s has no column \"file\"; its columns are %s: say which names the images with --columns file=…", ErrLayout, t.file, t.list())
	}
	if _, asked := d.options.Columns[ColumnClass]; !asked && !slices.Contains(d.options.folders, ColumnClass) {
		var err error
		if c.class >= 0 {
			c.two = t.secondClass(c.class)
		} else if err = t.severalColumns(); err == nil {
			others := append(c.ofFlags(), c.file, c.split, c.group, c.mask, c.cluster)
			if c.oneHot, err = d.findOneHot(t, others); err == nil && c.oneHot == nil {
				err = d.refuseMarks(t, others)
			}
		}
		if err != nil {
			return c, err
		}
		if c.oneHot != nil {
			absent = slices.DeleteFunc(absent, func(column string) bool { return column == ColumnClass })
			read = append(read, fmt.Sprintf("class from the column of %d that is 1 (%s)", len(c.oneHot.classes), text.Cut(strings.Join(c.oneHot.classes, ", "), 200)))
		}
	}
	var over []string
	for i, name := range t.columns {
		if name != "" && !slices.Contains(append(c.ofFlags(), c.file, c.class, c.split, c.group, c.mask, c.cluster), i) && (c.oneHot == nil || !slices.Contains(c.oneHot.columns, i)) {
			over = append(over, name)
		}
	}
	if len(read) > 0 {
		d.note(t.file, "read as: %s", strings.Join(read, ", "))
	}
	switch {
	case len(absent) > 0 && len(over) > 0:
		d.note(t.file, "has no column for the %s (its columns are %s): say which it is with --columns %s=…", strings.Join(absent, " and the "), t.list(), absent[0])
	case !c.labels() && !slices.Contains(d.options.folders, ColumnClass):
		d.note(t.file, "has no column for the class: the images are unlabelled")
	case len(over) > 0:
		d.note(t.file, "columns passed over: %s", text.Cut(strings.Join(over, ", "), 500))
	}
	return c, nil
}

// list returns a table's columns for a message.
func (t *table) list() string {
	var names []string
	for _, name := range t.columns {
		if name != "" {
			names = append(names, name)
		}
	}
	return text.Cut(strings.Join(names, ", "), 500)
}

// labels reports whether the table has the images' classes.
func (c columns) labels() bool { return c.class >= 0 || c.oneHot != nil }

// labels reads the class, split, group, cluster and mask of a row's image. Equal strings of several rows share memory.
func (d *Dataset) labels(t *table, c columns, r row, s *Sample) error {
	for _, field := range []struct {
		column int
		to     *string
	}{{c.class, &s.Class}, {c.group, &s.Group}, {c.cluster, &s.Cluster}} {
		value := r.at(field.column)
		if len(value) > text.MaxName {
			return fmt.Errorf("reading %s: line %d, column %s: %q %s", t.file, r.line, t.columns[field.column], text.Cut(value, 40), text.TooLong)
		}
		if field.column >= 0 {
			*field.to = d.shared(value)
		}
	}
	if r.short {
		d.count(fmt.Sprintf("%s:%d", t.file, r.line), "the row has fewer cells than the header: the others count as empty")
	}
	if c.oneHot != nil {
		s.Class = d.shared(c.oneHot.class(r))
	}
	if c.two != nil {
		if err := c.two.check(t, r); err != nil {
			return err
		}
	}
	if c.class >= 0 && d.labelled == "" {
		d.labelled = t.file + ", column " + t.columns[c.class]
	}
	if c.class >= 0 {
		s.Class = d.shared(listed(s.Class))
	}
	if c.labels() && s.Class == "" {
		d.count(fmt.Sprintf("%s:%d", t.file, r.line), "the row has no label: its image is unlabelled")
	}
	if len(c.flags) > 0 {
		split, err := c.flagged(t, r)
		if err == nil && split != "" {
			s.Split = split
		}
		return err
	}
	if word := r.at(c.split); word != "" {
		split, ok := d.splitWord(word)
		if !ok {
			return fmt.Errorf("%w: line %d of %s: split %q is none of train, validation, test, pool: say what it means with --splits %s=train, or pass over the column with --columns split=",
				ErrLayout, r.line, t.file, text.Cut(word, 40), text.Cut(word, 40))
		}
		s.Split = split
	}
	return nil
}

// shared returns a name in NFC. Equal names share one string, since a million images may have only a thousand classes.
func (d *Dataset) shared(name string) string {
	if name == "" {
		return ""
	}
	if known, ok := d.names[name]; ok {
		return known
	}
	if d.names == nil {
		d.names = map[string]string{}
	}
	kept := strings.Clone(text.NFC(name))
	if len(d.names) < 100_000 { // with more names, sharing saves little
		d.names[strings.Clone(name)] = kept
	}
	return kept
}

// localName cleans a file name that a table gives, in NFC; ok is false if it leads out of the root.
func localName(name string) (string, bool) {
	name = path.Clean(strings.ReplaceAll(text.NFC(name), `\`, "/"))
	return name, filepath.IsLocal(filepath.FromSlash(name))
}
