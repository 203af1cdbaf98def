package dataset

import (
	"errors"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// errLabels is the ErrLayout of a table that has labels which cannot be read.
var errLabels = fmt.Errorf("%w: its labels cannot be read", ErrLayout)

// oneLabel says what to do about pictures with several labels.
const oneLabel = "the studio knows one label an image: keep one of them"

// separators are what programs write between several labels in one cell.
const separators = ";|,"

// severalIn splits a cell at the first of separators that it has, and reports whether what is between is one thing for certain: nobody
// leaves out the space after a comma in the name of one class.
func severalIn(class string) (parts []string, certain bool) {
	at := strings.IndexAny(class, separators)
	if at < 0 {
		return nil, false
	}
	certain = true
	for part := range strings.SplitSeq(class, class[at:at+1]) {
		if len(parts) > 0 && strings.HasPrefix(part, " ") {
			certain = false
		}
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts, certain && class[at] != ','
}

// listed reads a cell in which a program has written a list, as Python writes ['cat', 'dog']: its elements with semicolons between them.
func listed(cell string) string {
	inside, ok := strings.CutPrefix(cell, "[")
	if inside, ok2 := strings.CutSuffix(inside, "]"); ok && ok2 && !strings.ContainsAny(inside, "[]") {
		parts := strings.Split(inside, ",")
		for i := range parts {
			parts[i] = strings.Trim(parts[i], ` '"`)
		}
		return strings.Join(parts, ";")
	}
	return cell
}

// manyWords are columns and keys that hold several labels, by their plural. Their labels may have spaces between them.
var manyWords = regexp.MustCompile(`(^|[ _-])(labels|classes|tags|categories)$`)

// refuseSeveral refuses classes that were read from a table's cell and are several labels: "cat;dog", "cat|dog", or "cat, dog" where
// cat and dog are classes too. A note names a class that may be several and is read as one.
func (d *Dataset) refuseSeveral() error {
	if d.labelled == "" || d.options.Label == LabelWhole {
		return nil
	}
	alone := func(class string) bool { _, found := slices.BinarySearch(d.Classes, class); return found }
	for _, class := range d.Classes {
		parts, certain := severalIn(class)
		if manyWords.MatchString(d.labelled) && parts == nil {
			if parts = strings.Fields(class); slices.ContainsFunc(parts, func(part string) bool { return !alone(part) }) {
				continue
			}
		}
		if len(parts) < 2 {
			continue
		}
		if !certain && slices.ContainsFunc(parts, func(part string) bool { return !alone(part) }) {
			if !strings.Contains(class, ",") { // which names of species have
				d.note(d.labelled, "the class %q is read as one, though it may be several labels", text.Cut(class, 60))
			}
			continue
		}
		first, images := "", 0
		for _, s := range d.All() {
			if s.Class == class {
				if images++; first == "" {
					first = s.Name
				}
			}
		}
		return fmt.Errorf("%w: %s: %s has several labels (%q; it is one of %d such images), and %s, or pass --label %s if %q is the name of one class",
			ErrLayout, d.labelled, first, text.Cut(class, 60), images, oneLabel, LabelWhole, text.Cut(class, 60))
	}
	return nil
}

// numbered matches columns for several labels: label_1, label2.
var numbered = regexp.MustCompile(`^(class|label|category|tag|diagnosis|species)(_name)?_?[0-9]+$`)

// severalColumns refuses a table without a column for the class that has several numbered ones.
func (t *table) severalColumns() error {
	var found []string
	for _, name := range t.columns {
		if numbered.MatchString(columnKey(name)) {
			found = append(found, name)
		}
	}
	if len(found) < 2 {
		return nil
	}
	return fmt.Errorf("%w: %s has several columns of labels (%s), and %s, and say which with --columns class=%s", errLabels, t.file, strings.Join(found, ", "), oneLabel, found[0])
}

// oneHot is columns that each stand for a class: of their cells in a row, one is 1 and the others are 0.
type oneHot struct {
	columns []int
	classes []string // the columns' names
}

// bit reads a cell that is 0 or 1.
func bit(cell string) (one, ok bool) {
	switch cell {
	case "0", "0.0", "false":
		return false, true
	case "1", "1.0", "true":
		return true, true
	}
	return false, false
}

// mark reads a cell of a column that says yes, no, perhaps or nothing, as CheXpert's do: 1, 0, -1 or empty.
func mark(cell string) (yes, ok bool) {
	if cell == "" || cell == "-1" || cell == "-1.0" {
		return false, true
	}
	return bit(cell)
}

// refuseMarks refuses a table without a column for the class that has several of marks, at least one of them empty or perhaps.
func (d *Dataset) refuseMarks(t *table, read []int) error {
	var found []int
	for i, name := range t.columns {
		if name != "" && !slices.Contains(read, i) {
			found = append(found, i)
		}
	}
	again, err := d.openTable(t.file)
	if err != nil {
		return err
	}
	yes, rows := map[int]bool{}, 0
	err = again.each(func(r row) error {
		rows++
		found = slices.DeleteFunc(found, func(i int) bool {
			one, ok := mark(r.at(i))
			yes[i] = yes[i] || one
			return !ok
		})
		if len(found) < 2 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	found = slices.DeleteFunc(found, func(i int) bool { return !yes[i] })
	if err != nil || rows == 0 || len(found) < 2 {
		return err
	}
	var names []string
	for _, i := range found {
		names = append(names, t.header[i])
	}
	return fmt.Errorf("%w: %s has columns that say 1, 0, -1 or nothing for %s, as data sets of several labels an image do, and %s in a column of its own, and name that with --columns class=…, or pass over these columns with --columns class=",
		errLabels, t.file, text.Cut(strings.Join(names, ", "), 200), oneLabel)
}

// findOneHot finds columns of 0 and 1 among those that are not read as something else, nil if there are fewer than two. It reads the
// table twice. A table is refused if its rows have no 1 or several in these columns.
func (d *Dataset) findOneHot(t *table, read []int) (*oneHot, error) {
	found := &oneHot{}
	for i, name := range t.columns {
		if name != "" && !slices.Contains(read, i) {
			found.columns = append(found.columns, i)
		}
	}
	each := func(use func(row) error) error {
		if len(found.columns) < 2 {
			return nil
		}
		again, err := d.openTable(t.file)
		if err != nil {
			return err
		}
		return again.each(use)
	}
	rows := 0
	err := each(func(r row) error {
		rows++
		found.columns = slices.DeleteFunc(found.columns, func(i int) bool { _, ok := bit(r.at(i)); return !ok })
		if len(found.columns) < 2 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || len(found.columns) < 2 || rows == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, i := range found.columns {
		class := text.NFC(t.header[i])
		if err := checkName(t.file, "class", class); err != nil {
			return nil, err
		}
		found.classes = append(found.classes, class)
	}
	none, several, line := 0, 0, 0
	err = each(func(r row) error {
		ones := 0
		for _, i := range found.columns {
			if one, _ := bit(r.at(i)); one {
				ones++
			}
		}
		switch {
		case ones > 1:
			if several++; several == 1 {
				line = r.line
			}
		case ones == 0:
			if none++; none == 1 && several == 0 {
				line = r.line
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	columns := text.Cut(strings.Join(found.classes, ", "), 200)
	const or = "or pass over these columns with --columns class="
	switch {
	case several > 0:
		return nil, fmt.Errorf("%w: %s has columns of 0 and 1 for %s, and a 1 in several of them in %d rows, the first in line %d: several labels, and %s, name a column that holds the class with --columns class=…, %s",
			errLabels, t.file, columns, several, line, oneLabel, or)
	case none > 0:
		return nil, fmt.Errorf("%w: %s has columns of 0 and 1 for %s, and no 1 in any of them in %d rows, the first in line %d: give every row its label, take such rows away, name a column that holds the class with --columns class=…, %s",
			errLabels, t.file, columns, none, line, or)
	}
	return found, nil
}

// class returns the class of a row.
func (o *oneHot) class(r row) string {
	for k, i := range o.columns {
		if one, _ := bit(r.at(i)); one {
			return o.classes[k]
		}
	}
	return ""
}

// twoClasses refuses a row whose second column of labels says something else than that of other rows with the same class: both cannot be
// the class, and which one is cannot be told. A second column that follows from the first is another name of it, or a coarser one.
type twoClasses struct {
	first, second int // columns
	seen          map[string]uint64
}

// secondClass finds a second column under a name that says that it is the class, nil if there is none.
func (t *table) secondClass(first int) *twoClasses {
	for _, name := range []string{"class", "label", "class_name", "label_name", "category", "category_name", "species", "breed", "diagnosis", "labels", "classes", "ground_truth"} {
		if i := t.column(name); i >= 0 && i != first {
			return &twoClasses{first, i, map[string]uint64{}}
		}
	}
	return nil
}

func (two *twoClasses) check(t *table, r row) error {
	class, other := r.at(two.first), r.at(two.second)
	if class == "" || other == "" || class == other {
		return nil
	}
	hash := maphash.String(nameSeed, other)
	known, ok := two.seen[class]
	if !ok && len(two.seen) < maxShared {
		two.seen[strings.Clone(class)] = hash
	}
	if !ok || known == hash {
		return nil
	}
	return fmt.Errorf("%w: line %d of %s: two columns may hold the class, %q (%s) and %q (%s), and neither follows from the other: say which with --columns class=%s",
		ErrLayout, r.line, t.file, t.columns[two.first], text.Cut(class, 40), t.columns[two.second], text.Cut(other, 40), t.columns[two.first])
}
