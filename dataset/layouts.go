package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Auto is the format by which the layout is recognised from the files.
const Auto = "auto"

// layout is a format: how it is recognised and read.
type layout struct {
	name  string
	about string                  // for people
	fits  func(d *Dataset) string // says by what Dir is recognised as this layout, "" if it is not; nil: this layout is the last resort
	read  func(d *Dataset) error  // reads Dir
}

// layouts lists all formats, in the order in which they are shown to people.
func layouts() []layout {
	return []layout{
		{"folder", "split/class/image, class/split/image or class/image, with metadata.csv or metadata.jsonl where there is one", nil, (*Dataset).readFolder},
		{"csv", "a table (CSV, TSV, semicolons) with a column of files", (*Dataset).fitsCSV, func(d *Dataset) error { return d.readManifest(csvSuffixes) }},
		{"jsonl", "JSON Lines with a key for the file", (*Dataset).fitsLines, func(d *Dataset) error { return d.readManifest(linesSuffixes) }},
		{"imagefolder", "Hugging Face: a folder with metadata.csv or metadata.jsonl at its root or in its splits", (*Dataset).fitsImageFolder, (*Dataset).readFolder},
		{"cub", "Caltech-UCSD Birds 200, 2010 or 2011", (*Dataset).fitsCUB, (*Dataset).readCUB},
		{"idrid", "Indian Diabetic Retinopathy Image Dataset", (*Dataset).fitsIDRiD, (*Dataset).readIDRiD},
		{"coco", "COCO: instances_*.json or Roboflow's export, one label an image", (*Dataset).fitsCOCO, (*Dataset).readCOCO},
		{"imagenet", "ImageNet (ILSVRC): train by WNID, val with the devkit's or Kaggle's labels; Tiny ImageNet", (*Dataset).fitsImageNet, (*Dataset).readImageNet},
		{"fiftyone", "FiftyOne: data/ with labels.json or samples.json", (*Dataset).fitsFiftyOne, (*Dataset).readFiftyOne},
		{"labelstudio", "Label Studio: an export as JSON or JSON-MIN, with its pictures", (*Dataset).fitsLabelStudio, (*Dataset).readLabelStudio},
		{"json", `a JSON file of the kind {"1.jpg": "cat"} or {"cat": ["1.jpg"]}`, (*Dataset).fitsFileMap, (*Dataset).readFileMap},
		{"lists", "Oxford-IIIT Pets, DTD, FGVC-Aircraft, Flowers-102, Stanford Cars: their own lists", (*Dataset).fitsLists, (*Dataset).readLists},
		{"webdataset", "WebDataset: tar shards of pictures with .cls or .json", (*Dataset).fitsWebDataset, (*Dataset).readWebDataset},
		{"parquet", "Hugging Face's Parquet files with the bytes of images", (*Dataset).fitsParquet, (*Dataset).readParquet},
	}
}

func layoutNamed(name string) *layout {
	for _, l := range layouts() {
		if l.name == name {
			return &l
		}
	}
	return nil
}

// Formats lists the names of formats that Open accepts besides Auto.
func Formats() []string {
	var names []string
	for _, l := range layouts() {
		names = append(names, l.name)
	}
	return names
}

// read finds the layout and reads it.
func (d *Dataset) read(info fs.FileInfo) error {
	d.given = d.Dir
	if !info.IsDir() {
		if err := d.enterFile(); err != nil {
			return err
		}
	} else if shards := slices.Concat(d.shards(), d.shardsInSplits()); len(shards) > 0 && (d.Format == Auto || d.Format == "webdataset") {
		d.missNumbers(shards)
		if err := d.unpack(shards); err != nil {
			return err
		}
		if err := d.copyBeside(); err != nil {
			return err
		}
	}
	if d.Format == Auto {
		l, err := d.tell()
		if err != nil {
			return err
		}
		d.Format = l.name
		return l.read(d)
	}
	l := layoutNamed(d.Format)
	if l.fits == nil || l.name == "imagefolder" {
		if err := d.refuseAnnotated(); err != nil {
			return err
		}
		d.Why = "an image folder, as asked"
	} else if _, inner := d.seek(*l); inner != "" {
		d.down(inner)
	}
	if l.fits != nil {
		if why := l.fits(d); why != "" {
			d.Why = why
		}
	}
	return l.read(d)
}

// enterFile prepares to read a file that was given as a data set: a table by itself, or an archive, which it unpacks.
func (d *Dataset) enterFile() error {
	name := filepath.Base(d.Dir)
	switch s := suffix(name); {
	case slices.Contains(csvSuffixes, s) && (d.Format == Auto || d.Format == "csv"):
		d.Format, d.Why = "csv", "the table "+name
	case slices.Contains(linesSuffixes, s) && (d.Format == Auto || d.Format == "jsonl"):
		d.Format, d.Why = "jsonl", "the lines of "+name
	case isArchive(name):
		return d.unpack([]string{d.Dir})
	case s == ".parquet" && (d.Format == Auto || d.Format == "parquet"):
		d.Format, d.single = "parquet", name
		d.Dir = filepath.Dir(d.Dir)
		d.root = d.Dir
	case d.Format == "csv" || d.Format == "jsonl":
	case s == ".json":
		return fmt.Errorf("%w: %s is a file of labels: give the folder that it and its pictures are in", ErrLayout, name)
	default:
		return fmt.Errorf("%w: %s is a file: want a folder, a table or an archive (%s)", ErrLayout, name, strings.Join(archiveSuffixes, ", "))
	}
	return nil
}

// found is a layout that was recognised, and where.
type found struct {
	layout
	why   string
	below string // the folder it lies in, "" for Dir
}

// besideFolders reports whether a layout is a table that may stand beside an image folder and be a part of it.
func (f found) besideFolders() bool {
	return slices.Contains([]string{"csv", "jsonl", "json", "imagefolder"}, f.name)
}

func (f found) String() string {
	if f.below == "" {
		return f.name + " (" + f.why + ")"
	}
	return f.name + " in " + f.below + " (" + f.why + ")"
}

// seek looks for a layout in Dir and in the folders below it. It returns why the layout was recognised, and the folder in which; below
// is "" for Dir itself, and if the layout was found nowhere or in several folders.
func (d *Dataset) seek(l layout) (why, below string) {
	if why := l.fits(d); why != "" {
		return why, ""
	}
	all := d.within(func(inner *Dataset) []found {
		if why := l.fits(inner); why != "" {
			return []found{{layout: l, why: why}}
		}
		return nil
	})
	if len(all) == 1 {
		return all[0].why, all[0].below
	}
	return "", ""
}

// within calls ask for the folders below Dir, level by level, and returns the results of the first level that has any.
func (d *Dataset) within(ask func(*Dataset) []found) []found {
	level := []string{""}
	for range 3 {
		var next []string
		var out []found
		for _, above := range level {
			for _, name := range d.folders(above) {
				if len(next) == 64 { // so many folders are classes, not parts of an archive
					return nil
				}
				name = path.Join(above, name)
				next = append(next, name)
				inner := *d
				inner.Dir = d.file(name)
				for _, f := range ask(&inner) {
					f.below = name
					out = append(out, f)
				}
			}
		}
		if len(out) > 0 {
			return out
		}
		level = next
	}
	return nil
}

// annotated lists the layouts with label files that Dir fits.
func (d *Dataset) annotated() []found {
	var out []found
	for _, l := range layouts() {
		if l.fits == nil {
			continue
		}
		if why := l.fits(d); why != "" {
			out = append(out, found{layout: l, why: why})
		}
	}
	return out
}

// onlyFolders lists the only folder in Dir, the only one in that, and so on, as long as they may be an archive's and are no split.
func (d *Dataset) onlyFolders() []string {
	var out []string
	inner, below := *d, ""
	for range 4 {
		name, ok := inner.onlyInner()
		if _, isSplit := d.splitWord(name); !ok || isSplit {
			break
		}
		below = path.Join(below, name)
		inner.Dir = d.file(below)
		out = append(out, below)
	}
	return out
}

// inOnly lists the layouts of the first of onlyFolders that has one.
func (d *Dataset) inOnly() []found {
	inner := *d
	for _, below := range d.onlyFolders() {
		inner.Dir = d.file(below)
		if all := inner.annotated(); len(all) > 0 {
			for i := range all {
				all[i].below = below
			}
			return all
		}
	}
	return nil
}

// tell recognises the layout of Dir, goes down to the folder that has it, and sets Why.
func (d *Dataset) tell() (layout, error) {
	all := d.annotated()
	if len(all) == 0 {
		all = d.inOnly()
	}
	if len(all) == 0 {
		all = d.within(func(inner *Dataset) []found {
			return slices.DeleteFunc(inner.annotated(), func(f found) bool {
				return f.besideFolders() // what stands beside a folder's pictures is a part of it
			})
		})
	}
	if len(all) > 1 {
		var says []string
		for _, f := range all {
			says = append(says, f.String())
		}
		return layout{}, fmt.Errorf("%w: %s: name the format, or point at the one that is meant", ErrSeveral, strings.Join(says, "; "))
	}
	if len(all) == 1 {
		if all[0].below != "" {
			d.down(all[0].below)
		}
		d.Why = all[0].why
		return all[0].layout, nil
	}
	if err := d.refuseUnread(); err != nil {
		return layout{}, err
	}
	d.Why = "an image folder: no file of labels was found"
	return *layoutNamed("folder"), nil
}

// refuseAnnotated refuses to take folders for classes if there is a file of labels beside them.
func (d *Dataset) refuseAnnotated() error {
	for _, f := range d.annotated() {
		if f.besideFolders() {
			continue // a table beside the folders is skipped by its name
		}
		return fmt.Errorf("%w: it is %s, whose labels are not its folders: read it with the format %s", ErrLayout, f.why, f.name)
	}
	return nil
}

// fitsCSV recognises a table of files: one with a usual name, or any with columns for the file and its class.
func (d *Dataset) fitsCSV() string { return d.fitsTable(csvSuffixes) }

// fitsLines is fitsCSV for JSON Lines.
func (d *Dataset) fitsLines() string { return d.fitsTable(linesSuffixes) }

func (d *Dataset) fitsTable(suffixes []string) string {
	quiet := *d // its notes are not kept
	quiet.Notes = nil
	files, err := quiet.findTables(suffixes)
	if errors.Is(err, errTables) {
		return "its tables" // the same
	}
	if err != nil {
		return ""
	}
	labelled := false
	for _, file := range files {
		if isMetadata(file) || !d.isRegular(file) {
			return ""
		}
		t, err := quiet.openTable(file)
		if err != nil {
			if slices.Contains([]string{"images", "labels"}, stem(file)) {
				return "the table " + file // its fault is reported when it is read
			}
			return ""
		}
		c, err := quiet.choose(t)
		t.close()
		if err != nil && (slices.Contains([]string{"images", "labels"}, stem(file)) || len(d.options.Columns) > 0) {
			return "the table " + file
		}
		if errors.Is(err, errLabels) {
			return "the table " + file // the same
		}
		if err != nil {
			return ""
		}
		labelled = labelled || c.labels() || stem(file) == "images"
	}
	if !labelled {
		return ""
	}
	return "the table " + strings.Join(files, ", ")
}

// fitsImageFolder recognises Hugging Face's layout by its tables.
func (d *Dataset) fitsImageFolder() string {
	var tables []string
	for _, name := range []string{MetadataFile, metadataLines} {
		if d.isRegular(name) {
			tables = append(tables, name)
		}
		for _, folder := range d.folders("") {
			if _, ok := d.splitWord(folder); ok && d.isRegular(path.Join(folder, name)) {
				tables = append(tables, path.Join(folder, name))
			}
		}
	}
	if len(tables) == 0 {
		return ""
	}
	return "an image folder with " + strings.Join(tables, " and ")
}

// About lists the formats, each with a line that explains it.
func About() [][2]string {
	var out [][2]string
	for _, l := range layouts() {
		out = append(out, [2]string{l.name, l.about})
	}
	return out
}
