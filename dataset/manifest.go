package dataset

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"

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
	masks := nameSet{}
	for _, file := range files {
		split := ""
		if len(files) > 1 {
			split, _ = d.splitWord(stem(file))
			split = cmp.Or(split, splitsOfSeries(files)[file])
		}
		if err := d.readRows(file, split, seen, masks); err != nil {
			return err
		}
	}
	if d.Len() == 0 {
		return nil
	}
	return d.countOthers("", strings.Join(files, " and "), func(name string) bool {
		return seen[maphash.String(nameSeed, name)].line > 0 || masks.has(text.NFC(name))
	})
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
func (d *Dataset) readRows(file, split string, seen map[uint64]firstRow, masks nameSet) error {
	t, err := d.openTable(file)
	if err != nil {
		return err
	}
	if split != "" {
		d.options.folders = []string{ColumnSplit} // the table's name tells it
	}
	c, err := d.choose(t)
	d.options.folders = nil
	if err != nil {
		t.close()
		return err
	}
	where := placer{d: d, masks: masks}
	where.split, _ = d.splitWord(stem(file))
	if err = d.masksNamed(t, c, masks); err != nil {
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
		if !text.Valid(given) {
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
				given, name = disk, disk
			} else {
				d.miss(given, "named in line %d of %s", r.line, file)
				return nil
			}
		}
		disk, reason := where.find(given, s.Split)
		switch {
		case disk == "" && reason == "" && !ok:
			d.skip(given, "leads out of the data set's folder")
			return nil
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

// masksNamed adds the masks that a table names, as it names them.
func (d *Dataset) masksNamed(t *table, c columns, masks nameSet) error {
	if c.mask < 0 {
		return nil
	}
	again, err := d.openTable(t.file)
	if err != nil {
		return err
	}
	return again.each(func(r row) error {
		if name, ok := localName(r.at(c.mask)); ok && r.at(c.mask) != "" {
			masks.add(name)
		}
		return nil
	})
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
