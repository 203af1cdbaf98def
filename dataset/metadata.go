package dataset

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// byName orders samples by name, so that they can be found without an index of a million names.
func (d *Dataset) byName() {
	slices.SortStableFunc(d.Samples, func(a, b Sample) int { return strings.Compare(a.Name, b.Name) })
}

// named finds a sample by name once byName has been called; nil if there is none.
func (d *Dataset) named(name string) *Sample {
	i, ok := slices.BinarySearchFunc(d.Samples, name, func(s Sample, name string) int { return strings.Compare(s.Name, name) })
	if !ok {
		return nil
	}
	return &d.Samples[i]
}

// applyMetadata adds the classes, splits, groups and masks of the metadata tables.
func (d *Dataset) applyMetadata() error {
	if len(d.tables) == 0 {
		return nil
	}
	d.byName()
	skipped := make(map[string]bool, len(d.Skipped))
	for _, p := range d.Skipped {
		skipped[p.Path] = true
	}
	for _, file := range d.tables {
		if err := d.applyTable(file, skipped); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) applyTable(file string, skipped map[string]bool) error {
	t, err := d.openTable(file)
	if err != nil {
		return err
	}
	folder := text.NFC(path.Dir(file))
	here := func(s *Sample) bool { return folder == "." || strings.HasPrefix(s.Name, folder+"/") }
	tells := func(column string, value func(Sample) string) {
		if slices.ContainsFunc(d.Samples, func(s Sample) bool { return here(&s) && value(s) != "" }) {
			d.options.folders = append(d.options.folders, column)
		}
	}
	tells(ColumnClass, func(s Sample) string { return s.Class })
	tells(ColumnSplit, func(s Sample) string { return s.Split })
	c, err := d.choose(t)
	d.options.folders = nil
	if err != nil {
		t.close()
		return err
	}
	told := make([]bool, len(d.Samples)) // which samples the table names
	if c.class >= 0 {
		for i := range d.Samples {
			if s := &d.Samples[i]; here(s) {
				if s.Class != "" {
					d.count(file, "the classes are those of the table, not the names of folders")
				}
				s.Class = ""
			}
		}
	}
	err = t.each(func(r row) error {
		given := r.at(c.file)
		name, ok := localName(path.Join(folder, strings.ReplaceAll(given, `\`, "/")))
		var place int
		if ok && given != "" {
			place, ok = slices.BinarySearchFunc(d.Samples, name, func(s Sample, name string) int { return strings.Compare(s.Name, name) })
		}
		if !ok || given == "" {
			if !skipped[name] && !skipped[d.locate(name)] {
				d.miss(cmp.Or(given, file), "named in line %d of %s", r.line, file)
			}
			return nil
		}
		s := &d.Samples[place]
		split, class := s.Split, s.Class
		if err := d.labels(t, c, r, s); err != nil {
			return err
		}
		if told[place] && s.Class != class {
			return fmt.Errorf("%w: line %d of %s: %s has the class %s and the class %s", ErrLayout, r.line, file, name, class, s.Class)
		}
		told[place] = true
		if split != "" && s.Split != split {
			return fmt.Errorf("%w: line %d of %s: %s is in the folder of %s, and its split is %s", ErrLayout, r.line, file, name, split, s.Split)
		}
		if c.mask >= 0 {
			s.Mask = d.maskNamed(d.beside(folder, r.at(c.mask)), name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.class >= 0 {
		for i := range d.Samples {
			if s := &d.Samples[i]; here(s) && !told[i] {
				d.count(s.Name, "not in "+file+": unlabelled")
			}
		}
	}
	return nil
}

// beside returns the path below the root of a file that a table in a folder names.
func (d *Dataset) beside(folder, name string) string {
	if name == "" || folder == "." {
		return name
	}
	return path.Join(folder, strings.ReplaceAll(name, `\`, "/"))
}

// listFolders are the folders in which layouts keep lists of their splits.
var listFolders = []string{"", "lists", "splits", "split", "meta", "ImageSets", "ImageSets/Main"}

// splitLists finds text files named like splits (train.txt, meta/test.txt).
func (d *Dataset) splitLists() []string {
	var out []string
	for _, folder := range listFolders {
		if folder != "" && !d.isDir(folder) {
			continue
		}
		for _, entry := range d.look(folder) {
			name := path.Join(folder, entry.Name())
			if _, ok := d.splitWord(stem(name)); ok && !entry.IsDir() && (suffix(name) == ".txt" || suffix(name) == ".lst") {
				out = append(out, name)
			}
		}
	}
	return out
}

// applyLists reads splits from lists whose lines name images, with or without their suffix; text after a space is ignored. A note names
// a list that could not be understood.
func (d *Dataset) applyLists(lists []string) error {
	if len(lists) == 0 {
		return nil
	}
	d.byName()
	prefixes := []string{""}
	for _, entry := range d.look("") {
		if entry.IsDir() && isContainer(entry.Name()) {
			prefixes = append(prefixes, text.NFC(entry.Name())+"/")
		}
	}
	find := func(line string) *Sample {
		name, ok := localName(line)
		if !ok {
			return nil
		}
		for _, prefix := range prefixes {
			if s := d.named(prefix + name); s != nil {
				return s
			}
			i, _ := slices.BinarySearchFunc(d.Samples, prefix+name+".", func(s Sample, name string) int { return strings.Compare(s.Name, name) })
			if i < len(d.Samples) && strings.TrimSuffix(d.Samples[i].Name, path.Ext(d.Samples[i].Name)) == prefix+name {
				return &d.Samples[i]
			}
		}
		return nil
	}
	for _, list := range lists {
		split, _ := d.splitWord(stem(list))
		found, missed := 0, len(d.Missing)
		err := d.lines(list, func(number int, line string) error {
			s := find(line)
			if cut := strings.LastIndexAny(line, " \t,"); s == nil && cut > 0 {
				s = find(strings.TrimSpace(line[:cut]))
			}
			if s == nil {
				d.miss(line, "named in line %d of %s", number, list)
				return nil
			}
			if s.Split != "" && s.Split != split {
				return fmt.Errorf("%w: line %d of %s: %s is in the split %s already", ErrLayout, number, list, s.Name, s.Split)
			}
			s.Split = split
			found++
			return nil
		})
		if err != nil {
			return err
		}
		if found == 0 {
			d.Missing = d.Missing[:missed]
			d.note(list, "looks like the list of a split, and none of its lines names an image: the split is not read")
		} else {
			d.note(list, "%d images are in the split %s", found, split)
		}
	}
	return nil
}

// lines calls use for every line of a text file that is not empty.
func (d *Dataset) lines(file string, use func(number int, line string) error) error {
	f, err := os.Open(d.file(file))
	if err != nil {
		return err
	}
	defer f.Close()
	converted, err := text.Reader(f, d.options.Encoding)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	scanner := bufio.NewScanner(converted)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" {
			continue
		}
		if !text.Valid(line) {
			remedy := "save the list as UTF-8, or name its encoding with --encoding"
			if name := text.Likely(line); name != "" {
				remedy = "save the list as UTF-8, or pass --encoding " + name
			}
			return fmt.Errorf("%w: line %d of %s %s: %s", ErrLayout, number, file, text.Problem, remedy)
		}
		if err := use(number, text.NFC(line)); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return nil
}
