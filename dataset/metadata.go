package dataset

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// applyMetadata adds the classes, splits, groups and masks of the metadata tables.
func (d *Dataset) applyMetadata() error {
	if len(d.tables) == 0 {
		return nil
	}
	sort.Sort(byName{&d.samples})
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

// besidePictures reports whether a file is a table of the pictures in its folder: metadata.csv and the like, or any with columns for the
// file and for the class or the split, unless the format is an image folder without one.
func (d *Dataset) besidePictures(name string) bool {
	if isMetadata(path.Base(name)) {
		return true
	}
	if d.options.Format == "folder" || !slices.Contains(csvSuffixes, suffix(name)) && !slices.Contains(linesSuffixes, suffix(name)) || isSubmission(path.Base(name)) || isLegend(path.Base(name)) {
		return false
	}
	file, class, split := d.holds(name)
	return file && (class || split)
}

func (d *Dataset) applyTable(file string, skipped map[string]bool) error {
	t, err := d.openTable(file)
	if err != nil {
		return err
	}
	folder := text.NFC(path.Dir(file))
	from, to := 0, d.Len() // the samples below the table's folder
	if folder != "." {
		from, _ = d.samples.find(folder + "/")
		to, _ = d.samples.find(folder + "0") // the character after a slash
	}
	if slices.ContainsFunc(d.samples.rows[from:to], func(r sampleRow) bool { return r.class > 0 }) {
		d.options.folders = append(d.options.folders, ColumnClass)
	}
	if slices.ContainsFunc(d.samples.rows[from:to], func(r sampleRow) bool { return splits[r.split] != "" }) {
		d.options.folders = append(d.options.folders, ColumnSplit)
	}
	c, err := d.choose(t)
	d.options.folders = nil
	if err != nil {
		t.close()
		return err
	}
	told := make([]bool, d.Len()) // which samples the table names
	if c.labels() {
		for i := from; i < to; i++ {
			if d.samples.rows[i].class > 0 {
				d.count(file, "the classes are those of the table, not the names of folders")
			}
			d.samples.rows[i].class = 0
		}
	}
	err = t.each(func(r row) error {
		given := r.at(c.file)
		name, ok := localName(path.Join(folder, strings.ReplaceAll(given, `\`, "/")))
		var place int
		if ok && given != "" {
			place = d.placeOf(name)
			ok = place >= 0
		}
		if !ok || given == "" {
			if !skipped[name] && !skipped[d.locate(name)] {
				d.miss(cmp.Or(given, file), "named in line %d of %s", r.line, file)
			}
			return nil
		}
		s := d.Sample(place)
		split, class := s.Split, s.Class
		if err := d.labels(t, c, r, &s); err != nil {
			return err
		}
		if told[place] && s.Class != class {
			return fmt.Errorf("%w: line %d of %s: %s has the class %s and the class %s", ErrLayout, r.line, file, name, class, s.Class)
		}
		if told[place] && s.Split != split {
			return fmt.Errorf("%w: line %d of %s: %s has the split %s and the split %s", ErrLayout, r.line, file, name, split, s.Split)
		}
		told[place] = true
		if c.mask >= 0 {
			d.samples.mask(place, d.maskNamed(d.beside(folder, r.at(c.mask)), name))
		}
		d.samples.label(place, s)
		return nil
	})
	if err != nil {
		return err
	}
	if c.labels() {
		for i := from; i < to; i++ {
			if !told[i] {
				d.count(d.Sample(i).Name, "not in "+file+": unlabelled")
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

// applyLists reads splits from lists whose lines name images, with or without their suffix; the word after the last space is the class of
// an image that has none. A note names a list that could not be understood.
func (d *Dataset) applyLists(lists []string) error {
	if len(lists) == 0 {
		return nil
	}
	sort.Sort(byName{&d.samples})
	prefixes := []string{""}
	for _, entry := range d.look("") {
		if entry.IsDir() && isContainer(entry.Name()) {
			prefixes = append(prefixes, text.NFC(entry.Name())+"/")
		}
	}
	find := func(line string) int {
		name, ok := localName(line)
		if !ok {
			return -1
		}
		for _, prefix := range prefixes {
			if i := d.placeOf(prefix + name); i >= 0 {
				return i
			}
		}
		return -1
	}
	labels := nameSet{} // images whose class was in a list
	for _, list := range lists {
		split, _ := d.splitWord(stem(list))
		found, missed := 0, len(d.Missing)
		err := d.lines(list, func(number int, line string) error {
			i := find(line)
			label := ""
			if cut := strings.LastIndexAny(line, " \t,"); i < 0 && cut > 0 {
				i, label = find(strings.TrimSpace(line[:cut])), line[cut+1:]
			}
			if i < 0 {
				d.miss(line, "named in line %d of %s", number, list)
				return nil
			}
			s := d.Sample(i)
			if s.Split != "" && s.Split != split {
				return fmt.Errorf("%w: line %d of %s: %s is in the split %s already", ErrLayout, number, list, s.Name, s.Split)
			}
			if label != "" && s.Class != label && (s.Class == "" || labels.has(s.Name)) {
				if s.Class != "" {
					return fmt.Errorf("%w: line %d of %s: %s has the class %s already", ErrLayout, number, list, s.Name, s.Class)
				}
				if err := checkName(list, "class", label); err != nil {
					return err
				}
				labels.add(s.Name)
				d.labelled = list
				s.Class = d.shared(label)
			}
			s.Split = split
			d.samples.label(i, s)
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
			d.note(list, "%s %s in the split %s", text.Plural(found, "image"), are(found), split)
			if d.labelled == list {
				d.note(list, "the words behind the names are the classes")
			}
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
