package dataset

import (
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// tableSuffixes are how the names of tables end, with and without JSON Lines.
var (
	csvSuffixes   = []string{".csv", ".tsv", ".tab"}
	linesSuffixes = []string{".jsonl", ".ndjson", ".jsonlines"}
)

// readManifest reads the formats csv and jsonl: tables of files, the given one or those that findTables finds in Dir. Paths are
// relative to the table; placer says where else a file is looked for.
func (d *Dataset) readManifest(suffixes []string) error {
	files := []string{filepath.Base(d.Dir)}
	if info, err := os.Stat(d.Dir); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = d.findTables(suffixes); err != nil {
			return err
		}
	} else {
		d.Dir = filepath.Dir(d.Dir)
		d.root = d.Dir
	}
	seen := map[uint64]firstRow{}
	for _, file := range files {
		split := ""
		if len(files) > 1 {
			split, _ = d.splitWord(stem(file))
		}
		if err := d.readRows(file, split, seen); err != nil {
			return err
		}
	}
	return nil
}

// firstRow is where a file was named first. It is small, since a table may have millions of rows.
type firstRow struct {
	file  string
	line  uint32
	place int32 // of the sample; -1: it was skipped
}

// again refuses a row that says of a sample another class or split than the row that named it first.
func (d *Dataset) again(first firstRow, file string, line int, s Sample) error {
	if first.place < 0 {
		return nil
	}
	before := d.Sample(int(first.place))
	what, one, other := "class", before.Class, text.NFC(s.Class)
	if one == other {
		what, one, other = "split", before.Split, s.Split
	}
	if one == other {
		return nil
	}
	return fmt.Errorf("%w: line %d of %s: %s has the %s %q, and was named in line %d of %s with the %s %q: keep one of the rows",
		ErrLayout, line, file, before.Name, what, other, first.line, first.file, what, one)
}

// readRows reads one table of files. split is the split of rows that name none.
func (d *Dataset) readRows(file, split string, seen map[uint64]firstRow) error {
	t, err := d.openTable(file)
	if err != nil {
		return err
	}
	c, err := d.choose(t)
	if err != nil {
		t.close()
		return err
	}
	where := placer{d: d}
	if where.masks, err = d.masksNamed(t, c); err != nil {
		t.close()
		return err
	}
	studio := t.column("annotation_id") >= 0 && t.column("lead_time") >= 0 // Label Studio's export as CSV
	if studio {
		d.note(file, "read as an export of Label Studio")
	}
	return t.each(func(r row) error {
		given := r.at(c.file)
		name, ok := localName(given)
		if given == "" {
			d.skip(fmt.Sprintf("%s:%d", file, r.line), "the row names no file")
			return nil
		}
		if !text.Valid(name) {
			return fmt.Errorf("reading %s: line %d, column %s %s", file, r.line, t.columns[c.file], text.Problem)
		}
		s := Sample{Split: split}
		if err := d.labels(t, c, r, &s); err != nil {
			return err
		}
		if studio {
			if strings.HasPrefix(s.Class, "{") || strings.HasPrefix(s.Class, "[") {
				return fmt.Errorf("%w: line %d of %s: the annotation %s is shapes or several choices, which are not read from a table: export the project as JSON",
					ErrLayout, r.line, file, text.Cut(s.Class, 40))
			}
			if disk := d.seekPicture(given); disk != "" {
				name, ok = disk, true
			} else {
				d.miss(given, "named in line %d of %s", r.line, file)
				return nil
			}
		}
		if !ok {
			d.skip(given, "leads out of the data set's folder")
			return nil
		}
		disk, reason := where.find(name, s.Split)
		switch {
		case reason != "":
			return fmt.Errorf("%w: line %d of %s: %s %s", ErrLayout, r.line, file, name, reason)
		case disk == "":
			d.miss(name, "named in line %d of %s", r.line, file)
			return nil
		case seen[maphash.String(nameSeed, disk)].line > 0:
			if err := d.again(seen[maphash.String(nameSeed, disk)], file, r.line, s); err != nil {
				return err
			}
			d.skip(name, "named again in line %d", r.line)
			return nil
		case d.linked(disk) != "":
			d.skip(name, "%s", linkReason(d.linked(disk)))
			return nil
		}
		first := firstRow{file: file, line: uint32(r.line), place: -1}
		seen[maphash.String(nameSeed, disk)] = first
		if reason := d.checkPicture(disk); reason != "" {
			d.skip(name, "%s", reason)
			return nil
		}
		s.Mask = d.maskNamed(r.at(c.mask), name)
		place := d.Len()
		if d.add(disk, s); d.Len() > place {
			first.place = int32(place)
			seen[maphash.String(nameSeed, disk)] = first
		}
		return nil
	})
}

// placer finds the pictures that a table names: under the name itself, else with a picture's suffix added, else in one of the root's
// folders of pictures. Competitions give a table of ids and a folder such as train_images.
type placer struct {
	d       *Dataset
	folders []string
	masks   nameSet // of all rows: none of them is a picture
	looked  bool
	noted   map[string]bool
}

// find returns a file as the disk spells it, "" if it does not exist, or the reason why it is ambiguous.
func (p *placer) find(name, split string) (disk, reason string) {
	if disk := p.d.locate(name); p.there(disk) {
		return disk, ""
	}
	suffixes := []string{""}
	if !picture.HasSuffix(name) {
		suffixes = picture.Completions()
		for _, s := range suffixes {
			if disk := p.d.locate(name + s); p.there(disk) {
				p.note("names are completed with " + s)
				return disk, ""
			}
		}
	}
	if !p.looked {
		p.looked = true
		for _, entry := range p.d.look("") {
			if entry.IsDir() && !isCompanion(entry.Name()) && len(p.folders) < 32 {
				p.folders = append(p.folders, entry.Name())
			}
		}
	}
	var found []string
	for _, folder := range p.folders {
		if other, ok := SplitName(folder); ok && split != "" && other != split {
			continue
		}
		for _, s := range suffixes {
			if disk := p.d.locate(path.Join(folder, name+s)); p.there(disk) {
				found = append(found, disk)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return "", ""
	case 1:
		folder, _, _ := strings.Cut(found[0], "/")
		p.note("files are found in " + folder + "/")
		return found[0], ""
	}
	return "", fmt.Sprintf("could be %s or %s: write the path below the folder", found[0], found[1])
}

// masksNamed returns the masks that a table names, as it names them.
func (d *Dataset) masksNamed(t *table, c columns) (nameSet, error) {
	masks := nameSet{}
	if c.mask < 0 {
		return masks, nil
	}
	again, err := d.openTable(t.file)
	if err != nil {
		return nil, err
	}
	return masks, again.each(func(r row) error {
		if name, ok := localName(r.at(c.mask)); ok && r.at(c.mask) != "" {
			masks.add(name)
		}
		return nil
	})
}

func (p *placer) there(name string) bool {
	if p.masks.has(text.NFC(name)) {
		return false
	}
	info, err := os.Lstat(p.d.file(name))
	return err == nil && (info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0 || p.d.linked(name) != "")
}

func (p *placer) note(what string) {
	if !p.noted[what] {
		if p.noted == nil {
			p.noted = map[string]bool{}
		}
		p.noted[what] = true
		p.d.note("", "%s", what)
	}
}

// isSubmission reports whether a table shows what a competition wants: its classes are made up.
func isSubmission(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), "sample_submission")
}

// findTables finds the tables of a folder: one by its usual name, else tables by the names of splits (train.csv, test.csv), else
// the only one.
func (d *Dataset) findTables(suffixes []string) ([]string, error) {
	var all, splits []string
	for _, entry := range d.look("") {
		name := entry.Name()
		if entry.IsDir() || !slices.Contains(suffixes, suffix(name)) || isLegend(name) {
			continue
		}
		if isSubmission(name) {
			d.note(name, "passed over: it holds no labels")
			continue
		}
		if d.listsNames(name) {
			continue
		}
		all = append(all, name)
		if _, ok := d.splitWord(stem(name)); ok {
			splits = append(splits, name)
		}
	}
	for _, usual := range []string{"images", "labels", "metadata"} {
		for _, s := range suffixes {
			if slices.Contains(all, usual+s) {
				for _, other := range all {
					if other != usual+s {
						d.note(other, "a table that is not read: %s is", usual+s)
					}
				}
				return []string{usual + s}, nil
			}
		}
	}
	switch {
	case len(all) == 1:
		return all, nil
	case len(splits) > 0 && len(splits) == len(all):
		return splits, nil
	}
	return nil, fmt.Errorf("%w: want images%s, or one %s file, in the folder; it has %d: give the table itself as the data set", ErrLayout, suffixes[0], strings.Join(suffixes, " or "), len(all))
}

// maskNamed resolves the mask that a table gives for an image. A mask that does not exist is Missing, and "" is returned.
func (d *Dataset) maskNamed(name, image string) string {
	if name == "" {
		return ""
	}
	clean, ok := localName(name)
	if !ok {
		d.skip(name, "the mask of %s leads out of the data set's folder", image)
		return ""
	}
	disk := d.locate(clean)
	if link := d.linked(disk); link != "" {
		d.skip(name, "the mask of %s %s", image, linkReason(link))
		return ""
	}
	if !d.isRegular(disk) {
		d.miss(clean, "the mask of %s", image)
		return ""
	}
	return d.file(disk)
}
