package dataset

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
)

// isSubmission reports whether a table shows what a competition wants: its classes are made up.
func isSubmission(name string) bool {
	return strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", ""), "samplesubmission")
}

// tableFolders are folders in which tables lie apart from the pictures.
var tableFolders = []string{"labels", "annotations", "metadata", "meta", "csv", "tables"}

// isTableFolder reports whether a folder's name says that tables lie in it: one of tableFolders, or ISIC2018_Task3_Training_GroundTruth.
func isTableFolder(name string) bool {
	lower := strings.ToLower(name)
	return slices.Contains(tableFolders, lower) || strings.HasSuffix(strings.ReplaceAll(lower, "_", ""), "groundtruth")
}

// findTables finds the tables of a data set: in its folder, or else those with labels in a folder for tables.
func (d *Dataset) findTables(suffixes []string) ([]string, error) {
	found, err := d.tablesIn("", suffixes)
	if len(found) > 0 || err != nil {
		return found, err
	}
	for _, folder := range d.folders("") {
		if !isTableFolder(folder) {
			continue
		}
		inside, err := d.tablesIn(folder, suffixes)
		if err != nil {
			return nil, err
		}
		for _, table := range inside {
			if file, class, _ := d.holds(table); file && class {
				found = append(found, table)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: want images%s, or one %s file, in the folder, and there is none: give the table itself as the data set", ErrLayout, suffixes[0], strings.Join(suffixes, " or "))
	}
	return found, nil
}

// tablesIn finds the tables of one folder: one by its usual name, else tables by the names of splits (train.csv, test.csv), else the
// only one, or the only one that has the labels of files.
func (d *Dataset) tablesIn(folder string, suffixes []string) ([]string, error) {
	var all []string
	for _, entry := range d.look(folder) {
		name := path.Join(folder, entry.Name())
		switch {
		case entry.IsDir() || !slices.Contains(suffixes, suffix(name)) || isLegend(entry.Name()):
		case isSubmission(entry.Name()):
			d.note(name, "passed over: it holds no labels")
		case !d.listsNames(name):
			all = append(all, name)
		}
	}
	passOver := func(kept []string) []string {
		for _, other := range all {
			if !slices.Contains(kept, other) {
				d.note(other, "a table that is not read: %s is", strings.Join(kept, " and "))
			}
		}
		return kept
	}
	for _, usual := range []string{"images", "labels", "metadata"} {
		for _, s := range suffixes {
			if table := path.Join(folder, usual+s); slices.Contains(all, table) {
				return passOver([]string{table}), nil
			}
		}
	}
	if len(all) < 2 || d.allSplits(all) {
		return all, nil
	}
	var files, labels []string // the tables with a column for the file, and those with the class too
	for _, table := range all {
		file, class, _ := d.holds(table)
		if file {
			files = append(files, table)
		}
		if file && class {
			labels = append(labels, table)
		}
	}
	switch {
	case len(labels) == 1 && !d.allSplits(files):
		return passOver(labels), nil
	case len(labels) > 0 && d.allSplits(files):
		return passOver(files), nil
	case d.severalSplits(labels) != nil:
		return passOver(d.severalSplits(labels)), nil
	case len(labels) > 0:
		return nil, fmt.Errorf("%w: %s and %s both name files and classes: give one of them as the data set, or merge them", errTables, labels[0], labels[1])
	}
	return nil, fmt.Errorf("%w: want images%s, or one %s file, in the folder; it has %d: give the table itself as the data set", ErrLayout, suffixes[0], strings.Join(suffixes, " or "), len(all))
}

// errTables is the ErrSeveral of several tables of which each could be the one.
var errTables = fmt.Errorf("%w: its tables", ErrSeveral)

// allSplits reports whether all tables are called like splits.
func (d *Dataset) allSplits(tables []string) bool {
	return len(tables) > 0 && !slices.ContainsFunc(tables, func(table string) bool { _, ok := d.splitWord(stem(table)); return !ok })
}

// severalSplits returns the tables that are called like splits, if those are several; else nil.
func (d *Dataset) severalSplits(tables []string) []string {
	if splits := splitsOfSeries(tables); splits != nil {
		return tables
	}
	var named []string
	words := map[string]bool{}
	for _, table := range tables {
		if split, ok := d.splitWord(stem(table)); ok {
			named = append(named, table)
			words[split] = true
		}
	}
	if len(words) < 2 {
		return nil
	}
	return named
}

// splitsOfSeries returns the split of each of several tables whose names differ in nothing but its word, such as
// ISIC2018_Task3_Training_GroundTruth.csv; nil for others.
func splitsOfSeries(tables []string) map[string]string {
	splits, rests, different := map[string]string{}, map[string]bool{}, map[string]bool{}
	for _, table := range tables {
		var rest []string
		for _, word := range words(stem(table)) {
			if split := splitWords[word]; split != "" {
				splits[table], different[split] = split, true
			} else {
				rest = append(rest, word)
			}
		}
		rests[strings.Join(rest, "_")] = true
	}
	if len(different) < 2 || len(splits) < len(tables) || len(rests) > 1 {
		return nil
	}
	return splits
}

// holds reports whether a table has columns for the file, and for the class or the split. Labels that cannot be read are labels.
func (d *Dataset) holds(table string) (file, class, split bool) {
	quiet := *d // its notes are not kept
	quiet.Notes = nil
	t, err := quiet.openTable(table)
	if err != nil {
		return false, false, false
	}
	defer t.close()
	c, err := quiet.choose(t)
	if errors.Is(err, errLabels) {
		return true, true, false
	}
	return err == nil, err == nil && c.labels(), err == nil && c.split >= 0
}

// countOthers notes how many pictures below a folder a table does not name.
func (d *Dataset) countOthers(folder, table string, named func(name string) bool) error {
	first, n := "", 0
	var count func(folder string) error
	count = func(folder string) error {
		below, err := d.list(folder, func(string, string, ...any) {}, func(e entry) bool {
			if name := path.Join(folder, e.name); !e.isDir && picture.HasSuffix(e.name) && !named(name) {
				if n++; first == "" || name < first {
					first = name
				}
			}
			return e.isDir && !isCompanion(e.name)
		})
		for _, e := range below {
			if err == nil {
				err = count(path.Join(folder, e.name))
			}
		}
		return err
	}
	if err := count(folder); err != nil || n == 0 {
		return err
	}
	d.note(first, "in no row of %s, as %d pictures are: passed over", table, n)
	return nil
}
