package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// Where the folders of files say something else than the table that names them.

// byTable reports whether classes or splits were read from a table of files.
func (d *Dataset) byTable() bool {
	return slices.Contains([]string{"csv", "jsonl", "json"}, d.Format) || len(d.tables) > 0
}

// contradictions counts the files that lie in a folder which says something else than the table.
type contradictions struct {
	n     int
	first []string
}

func (c *contradictions) add(name, told string) {
	if c.n++; len(c.first) < 3 {
		c.first = append(c.first, fmt.Sprintf("%s (%s)", name, told))
	}
}

func (c *contradictions) String() string {
	if c.n > len(c.first) {
		return strings.Join(c.first, ", ") + ", …"
	}
	return strings.Join(c.first, ", ")
}

// compareFolders notes where the folders of files say another class or split than the table that names them, which goes before. A table
// that tells no split gets that of the folders.
func (d *Dataset) compareFolders(file string) {
	if !d.byTable() {
		return
	}
	keys := map[uint32]string{0: ""} // of classes, by their place
	classes := map[string]bool{}
	split := false
	for _, r := range d.samples.rows {
		if _, ok := keys[r.class]; !ok {
			key := legendKey(d.samples.texts.at(r.class))
			keys[r.class], classes[key] = key, true
		}
		split = split || splits[r.split] != ""
	}
	delete(classes, "")
	var folder string // of the parts
	var parts []string
	var word string // the split that they say
	enter := func(name string) {
		at, _ := path.Split(name)
		if at == folder && parts != nil {
			return
		}
		folder, parts, word = strings.Clone(at), []string{}, ""
		for part := range strings.SplitSeq(strings.TrimSuffix(at, "/"), "/") {
			if s, ok := d.splitWord(part); ok && word == "" {
				word = s
			}
			parts = append(parts, legendKey(part))
		}
	}
	levels := map[int]bool{} // at which a folder has the name of its files' class
	found := map[string]int{}
	for _, r := range d.samples.rows {
		enter(d.samples.texts.at(r.name))
		found[word]++
		for level, part := range parts {
			if r.class > 0 && part == keys[r.class] {
				levels[level] = true
			}
		}
	}
	_, said := d.options.Columns[ColumnSplit]
	take := !split && !said && (found[Validation] > 0 || found[Test] > 0 || found[Pool] > 0)
	var ofClass, ofSplit contradictions
	for i := range d.samples.rows {
		r := &d.samples.rows[i]
		name := d.samples.texts.at(r.name)
		enter(name)
		if r.class > 0 && !slices.Contains(parts, keys[r.class]) {
			for level, part := range parts {
				if classes[part] || levels[level] {
					ofClass.add(name, d.samples.texts.at(r.class))
					break
				}
			}
		}
		switch {
		case take:
			r.split = splitRank(word)
		case word != "" && splits[r.split] != "" && word != splits[r.split]:
			ofSplit.add(name, splits[r.split])
		}
	}
	if file == "" && len(d.tables) > 0 {
		file = d.tables[0]
	}
	if ofClass.n > 0 {
		d.note(file, "%s in the folder of another class than the table says; the table's is taken: %s", lie(ofClass.n), &ofClass)
	}
	if ofSplit.n > 0 {
		d.note(file, "%s in the folder of another split than the table says; the table's is taken: %s", lie(ofSplit.n), &ofSplit)
	}
	if take {
		var counts []string
		for _, s := range splits {
			if s != "" && found[s] > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", found[s], s))
			}
		}
		d.note(file, "tells no split: those of the folders are taken (%s)", strings.Join(counts, ", "))
	}
}

// lie is "1 file lies" or "2 files lie".
func lie(n int) string {
	if n == 1 {
		return "1 file lies"
	}
	return text.Plural(n, "file") + " lie"
}
