package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// Folders beside a table, and beside the pictures: where they say something else than the table, and what masks they hold.

// byTable reports whether classes or splits were read from a table of files.
func (d *Dataset) byTable() bool {
	return d.Format == "csv" || d.Format == "jsonl" || len(d.tables) > 0
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
		d.note(file, "%d files lie in the folder of another class than the table says; the table's is taken: %s", ofClass.n, &ofClass)
	}
	if ofSplit.n > 0 {
		d.note(file, "%d files lie in the folder of another split than the table says; the table's is taken: %s", ofSplit.n, &ofSplit)
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

// pairMasks finds the masks of pictures in folders such as masks/ beside them: a mask has its picture's path below masks/, or
// below images/, and its name or that with a word behind it. Masks that a table gives stay.
func (d *Dataset) pairMasks() error {
	if !d.byTable() && d.Format != "folder" && d.Format != "imagefolder" {
		return nil
	}
	if slices.ContainsFunc(d.samples.rows, func(r sampleRow) bool { return r.mask > 0 || r.more > 0 }) {
		return nil
	}
	above := []string{""}
	if folders := d.folders(""); len(folders) <= 64 {
		above = append(above, folders...)
	}
	for _, parent := range above {
		for _, name := range d.folders(parent) {
			if isMaskFolder(name) {
				if err := d.pairFrom(parent, path.Join(parent, name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// maskEnds are what stands behind a picture's name in that of its mask.
var maskEnds = []string{"", "_mask", "-mask", "_seg", "_segmentation", "_gt", "_segmentation_mask"}

var maskSuffixes = picture.Completions()

// pairFrom gives the pictures below a folder the masks of another folder in it.
func (d *Dataset) pairFrom(parent, masks string) error {
	if parent != "" {
		parent += "/"
	}
	inside := masks + "/"
	var listed string // the folder whose files are in there
	var there nameSet
	files, found, without := 0, 0, 0
	for i := range d.samples.rows {
		name := d.samples.texts.at(d.samples.rows[i].name)
		rest, ok := strings.CutPrefix(name, parent)
		if !ok || strings.HasPrefix(name, inside) {
			continue
		}
		if first, below, ok := strings.Cut(rest, "/"); ok && isContainer(first) {
			rest = below
		}
		folder := path.Join(masks, path.Dir(rest))
		if folder != listed {
			listed, there = folder, nameSet{}
			if d.isDir(d.locate(folder)) {
				_, err := d.list(d.locate(folder), func(string, string, ...any) {}, func(e entry) bool {
					if !e.isDir {
						there.add(text.NFC(e.name))
					}
					return false
				})
				if err != nil {
					return err
				}
			}
		}
		mask := ""
		if len(there) > 0 {
			mask = maskAmong(there, path.Base(rest))
		}
		if mask == "" {
			without++
			continue
		}
		found++
		d.samples.mask(i, d.file(d.locate(path.Join(folder, mask))))
	}
	if found == 0 {
		return nil
	}
	if err := d.countFiles(masks, &files); err != nil {
		return err
	}
	d.Skipped = slices.DeleteFunc(d.Skipped, func(p Problem) bool { return p.Path == masks })
	says := fmt.Sprintf("the masks of %d images, by their names", found)
	if without > 0 {
		says += fmt.Sprintf("; %d images have none there", without)
	}
	if files > found {
		says += fmt.Sprintf("; %d of its pictures are no image's", files-found)
	}
	d.note(masks, "%s", says)
	return nil
}

// maskAmong returns the mask of a picture among the names of files, "" for none.
func maskAmong(there nameSet, name string) string {
	for _, end := range maskEnds {
		for _, stem := range []string{strings.TrimSuffix(name, path.Ext(name)), name} {
			for _, s := range maskSuffixes {
				if there.has(stem + end + s) {
					return stem + end + s
				}
			}
		}
	}
	return ""
}

// countFiles counts the pictures in a folder and those below it.
func (d *Dataset) countFiles(folder string, n *int) error {
	below, err := d.list(folder, func(string, string, ...any) {}, func(e entry) bool {
		if !e.isDir && picture.HasSuffix(e.name) {
			*n++
		}
		return e.isDir
	})
	for _, e := range below {
		if err == nil {
			err = d.countFiles(path.Join(folder, e.name), n)
		}
	}
	return err
}
