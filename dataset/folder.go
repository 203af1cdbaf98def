package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
)

// The optional tables of an image folder, at its root or in any folder below: names in it are relative to the table.
const (
	MetadataFile  = "metadata.csv"
	metadataLines = "metadata.jsonl"
)

func isMetadata(name string) bool { return name == MetadataFile || name == metadataLines }

// readFolder reads an image folder: split/class/image where a folder of the root is named like a split and holds folders itself,
// class/split/image where the folders of every class are named like splits, else class/image; a root that holds pictures and no
// folder of them is a set of unlabelled images, and so is one whose folders are all splits without classes. Below a class
// pictures are found to any depth, as torchvision's ImageFolder finds them. metadata.csv or metadata.jsonl, at the root or
// further down, adds classes, splits, groups and masks; a class it names goes before a folder's name.
func (d *Dataset) readFolder() error {
	d.descend()
	list, err := d.entries("")
	if err != nil {
		return err
	}
	folders := names(list)
	shape, err := d.shape(list)
	if err != nil {
		return err
	}
	d.takeMasks("", folders)
	for _, entry := range list {
		name := entry.Name()
		split, isSplit := d.splitWord(name)
		switch {
		case !entry.IsDir():
			if d.besidePictures(name) {
				d.tables = append(d.tables, name)
			}
		case shape.masks[name]: // metadata.csv names masks in it
		case inMap(shape.pairs, name): // paired when all pictures are known
		case shape.splits && isSplit:
			err = d.readSplit(name, split, shape.flat, 0)
		case shape.splits:
			d.skip(name, "not a split: want train, val, validation, test or pool, or say what it is with --splits")
		case d.aside("", name, folders):
			d.skip(name, "describes the pictures and is not read as a class: rename it if it is one")
		case shape.inside:
			err = d.readSplitClass(name)
		case d.onlyFolder(list, name) && (isContainer(name) || d.holdsFolder(name) && !d.holdsPicture(name)):
			if other := d.annotationAmong(list); other != "" && d.options.Format == Auto && !d.rootTable() {
				return fmt.Errorf("%w: %s holds the pictures, and %s is no file of labels that is read%s: %s", ErrLayout, name, other, d.columnsOf(other), toReadLabels)
			}
			err = d.readContainer(name)
		default:
			err = d.readClass(name, "", name)
		}
		if err != nil {
			return err
		}
	}
	loose := d.Len() == 0 && !shape.splits || d.rootTable()
	lists := d.splitLists()
	for _, entry := range list { // the files beside the folders
		name := entry.Name()
		if entry.IsDir() || d.isAbout(name) || slices.Contains(d.tables, name) {
			continue
		}
		switch reason := d.checkPicture(name); {
		case slices.Contains(lists, name):
		case reason != "" && mayTell(name):
			d.skip(name, "not read in this layout: if it holds labels or splits, name its format, or take it away")
		case reason != "":
			d.skip(name, "%s", reason)
		case loose:
			d.add(name, Sample{})
		default:
			d.skip(name, "in no class folder")
		}
	}
	if shape.flat && len(d.tables) == 0 {
		d.note("", "the splits hold no folders of classes and no table: the images are unlabelled")
	}
	if err := d.applyMetadata(); err != nil {
		return err
	}
	if err := d.applyLists(lists); err != nil {
		return err
	}
	return d.refuseUnlabelled(lists)
}

// refuseUnlabelled refuses pictures without labels beside a file that may hold their labels, where the layout was not named.
func (d *Dataset) refuseUnlabelled(lists []string) error {
	if d.options.Format != Auto || d.Len() == 0 || slices.ContainsFunc(d.samples.rows, func(r sampleRow) bool { return r.class > 0 }) {
		return nil
	}
	folders := []string{""}
	for _, folder := range d.folders("") {
		empty := !d.holdsPictures(folder, 2)
		if _, isSplit := d.splitWord(folder); isSplit || isContainer(folder) || holdsLabels(folder) || empty {
			folders = append(folders, folder)
			if holdsLabels(folder) || empty {
				for _, below := range d.folders(folder) {
					folders = append(folders, path.Join(folder, below))
				}
			}
		}
	}
	for _, folder := range folders {
		for _, entry := range d.look(folder) {
			name := path.Join(folder, entry.Name())
			switch {
			case entry.IsDir() || picture.HasSuffix(name) || d.isAbout(entry.Name()) || isSubmission(entry.Name()) || slices.Contains(d.tables, name) || slices.Contains(lists, name) || d.listsNames(name):
			case mayTell(name), suffix(name) == ".txt" && (holdsLabels(path.Base(folder)) || d.namesPicturesHere(name) || d.namesStems(folder, name)):
				return fmt.Errorf("%w: %s stands beside the pictures and may hold their labels%s: %s, or read the pictures as unlabelled with the format folder", ErrLayout, name, d.columnsOf(name), toReadLabels)
			}
		}
	}
	return nil
}

// columnsOf says which columns a table has and how to choose among them; "" for another file.
func (d *Dataset) columnsOf(file string) string {
	if !slices.Contains(csvSuffixes, suffix(file)) && !slices.Contains(linesSuffixes, suffix(file)) {
		return ""
	}
	t, err := d.openTable(file)
	if err != nil {
		return ""
	}
	defer t.close()
	quiet := *d
	if c, err := quiet.choose(t); err == nil && !c.labels() {
		return fmt.Sprintf(" (its columns are %s: say which is the class with --columns class=…)", t.list())
	}
	return fmt.Sprintf(" (its columns are %s: say which name the images and the classes with --columns file=…;class=…)", t.list())
}

// annotationAmong returns the first file of a list that may hold labels, "" for none.
func (d *Dataset) annotationAmong(list []entry) string {
	for _, entry := range list {
		if !entry.IsDir() && mayTell(entry.Name()) && !isMetadata(entry.Name()) && !isLegend(entry.Name()) && !d.listsNames(entry.Name()) {
			return entry.Name()
		}
	}
	return ""
}

// mayTell reports whether a file may hold labels, by its suffix.
func mayTell(name string) bool {
	return slices.Contains([]string{
		".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".mat", ".parquet", ".arrow", ".xlsx", ".xls", ".yaml", ".yml", ".pkl", ".npy", ".npz",
		".h5", ".hdf5", ".tfrecord", ".sqlite", ".db", ".mdb", ".labels", ".manifest",
	}, suffix(name)) || strings.Contains(strings.ToLower(name), "split")
}

// descend enters the only folder in Dir, again and again, as long as there is nothing else: archives often unpack into a folder of
// their own name.
func (d *Dataset) descend() {
	for range 4 {
		inner, ok := d.onlyInner()
		if !ok || len(d.splitLists()) > 0 {
			return
		}
		if _, isSplit := d.splitWord(inner); isSplit && d.holdsFolder(inner) {
			return
		}
		if !d.holdsFolder(inner) || d.holdsPicture(inner) {
			return
		}
		d.down(inner)
	}
}

// down makes a folder below Dir the one that is read.
func (d *Dataset) down(inner string) {
	d.note(inner, "the data set is read from this folder")
	d.Dir = d.file(inner)
}

// onlyInner returns the only folder in Dir, if Dir holds neither pictures nor tables.
func (d *Dataset) onlyInner() (string, bool) {
	inner := ""
	for _, entry := range d.look("") {
		switch {
		case entry.IsDir() && inner != "":
			return "", false
		case entry.IsDir():
			inner = entry.Name()
		case picture.HasSuffix(entry.Name()) || isMetadata(entry.Name()):
			return "", false
		}
	}
	return inner, inner != ""
}

// names lists the folders of a list.
func names(list []entry) (folders []string) {
	for _, e := range list {
		if e.IsDir() {
			folders = append(folders, e.Name())
		}
	}
	return folders
}

func inMap[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }

// classesIn lists the folders in a folder that may be classes: not those of masks, and not a container beside them.
func (d *Dataset) classesIn(name string) []string {
	all := d.folders(name)
	masks := d.masksAmong(name, all)
	return slices.DeleteFunc(all, func(folder string) bool { return inMap(masks, folder) || len(masks) > 0 && isContainer(folder) })
}

// folders lists the names of the folders in a folder.
func (d *Dataset) folders(name string) []string {
	var out []string
	for _, entry := range d.look(name) {
		if entry.IsDir() {
			out = append(out, entry.Name())
		}
	}
	return out
}

// readContainer reads a folder that holds all pictures, such as images/. Its folders are splits if all are named like splits, else
// classes.
func (d *Dataset) readContainer(name string) error {
	below := d.folders(name)
	splits := len(below) > 0 && !slices.ContainsFunc(below, func(sub string) bool { _, ok := d.splitWord(sub); return !ok })
	if !splits {
		if len(below) == 0 && !d.rootTable() {
			d.note(name, "a folder of this name is no class: its images are unlabelled")
		}
		return d.readSplit(name, "", len(below) == 0, 0)
	}
	for _, sub := range below {
		split, _ := d.splitWord(sub)
		if err := d.readSplit(path.Join(name, sub), split, !d.holdsFolder(path.Join(name, sub)), 0); err != nil {
			return err
		}
	}
	return nil
}

// readSplit reads a split's classes, or its pictures if it has no classes. The split of an archive may hold just one folder of the same
// name, or called images, with the classes in that.
func (d *Dataset) readSplit(below, split string, flat bool, depth int) error {
	list, err := d.entries(below)
	if err != nil {
		return err
	}
	var folders []string
	pictures, table := false, false
	for _, entry := range list {
		if entry.IsDir() {
			folders = append(folders, entry.Name())
		} else {
			pictures = pictures || picture.HasSuffix(entry.Name())
			table = table || d.besidePictures(path.Join(below, entry.Name()))
		}
	}
	all := slices.Clone(folders)
	masks := d.takeMasks(below, all)
	folders = slices.DeleteFunc(folders, func(folder string) bool { return inMap(masks, folder) })
	if len(folders) == 1 && !pictures && depth < 3 {
		inner := path.Join(below, folders[0])
		word, isSplit := d.splitWord(folders[0])
		if isSplit && word == split || isContainer(folders[0]) {
			if d.holdsFolder(inner) || isContainer(folders[0]) || isSplit {
				d.note(inner, "the classes of this split are read from this folder")
				for _, entry := range list {
					if isMetadata(entry.Name()) {
						d.tables = append(d.tables, path.Join(below, entry.Name()))
					}
				}
				return d.readSplit(inner, split, flat || !d.holdsFolder(inner), depth+1)
			}
		}
	}
	for _, folder := range folders {
		if d.aside(below, folder, all) && (slices.ContainsFunc(folders, isContainer) || pictures) {
			return fmt.Errorf("%w: %s stands beside the pictures of %s, as in layouts whose labels are files (YOLO, Pascal VOC), which are not read: convert them to COCO, or to a folder for each class",
				ErrLayout, path.Join(below, folder), below)
		}
	}
	for _, entry := range list {
		name := path.Join(below, entry.Name())
		if entry.IsDir() {
			if inMap(masks, entry.Name()) {
				continue
			}
			if d.aside(below, entry.Name(), all) {
				d.skip(name, "describes the pictures and is not read as a class: rename it if it is one")
			} else if err := d.readClass(name, split, entry.Name()); err != nil {
				return err
			}
			continue
		}
		if d.besidePictures(name) {
			d.tables = append(d.tables, name)
			continue
		}
		if d.isAbout(entry.Name()) {
			continue
		}
		reason := d.checkPicture(name)
		switch {
		case reason != "" && mayTell(name):
			d.skip(name, "not read in this layout: if it holds labels, name its format, or take it away")
		case reason != "":
			d.skip(name, "%s", reason)
		case flat || table || d.rootTable():
			d.add(name, Sample{Split: split})
		default:
			d.skip(name, "in no class folder")
		}
	}
	return nil
}

// rootTable reports whether there is a metadata table at the root, which may name any picture.
func (d *Dataset) rootTable() bool { return d.isRegular(MetadataFile) || d.isRegular(metadataLines) }

// readSplitClass reads class/split/image.
func (d *Dataset) readSplitClass(class string) error {
	list, err := d.entries(class)
	if err != nil {
		return err
	}
	for _, entry := range list {
		name := path.Join(class, entry.Name())
		if !entry.IsDir() {
			if isMetadata(entry.Name()) {
				d.tables = append(d.tables, name)
				continue
			}
			reason := d.checkPicture(name)
			if reason == "" {
				reason = "in no split, where the other images of its class are in one"
			}
			d.skip(name, "%s", reason)
			continue
		}
		split, _ := d.splitWord(entry.Name())
		if err := d.readClass(name, split, class); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) readClass(below, split, class string) error {
	before := d.Len()
	class = strings.TrimSpace(class)
	if inner := d.folders(below); len(inner) > 0 && !isContainer(inner[0]) {
		d.count(path.Join(below, inner[0]), "a folder in that of a class is read as a part of it")
	}
	if class == unlabelledFolder {
		d.note(below, "a folder of this name is no class: its images are unlabelled")
		class = ""
	}
	err := d.walk(below, func(name string) { d.add(name, Sample{Split: split, Class: class}) })
	if err == nil && d.Len() == before {
		d.skip(below, "a class folder without a usable picture")
	}
	return err
}

// holdsFolder reports whether a folder has another in it that may be part of the data set.
func (d *Dataset) holdsFolder(name string) bool {
	return slices.ContainsFunc(d.look(name), func(e entry) bool { return e.IsDir() })
}

// holdsPicture reports whether a folder has what looks like a picture in it, by its name.
func (d *Dataset) holdsPicture(name string) bool {
	return slices.ContainsFunc(d.look(name), func(e entry) bool { return !e.IsDir() && picture.HasSuffix(e.Name()) })
}

// holdsPictures reports whether a folder has what looks like a picture in it, or in the folders of so many levels below it.
func (d *Dataset) holdsPictures(name string, levels int) bool {
	return d.holdsPicture(name) || levels > 0 && slices.ContainsFunc(d.folders(name), func(below string) bool { return d.holdsPictures(path.Join(name, below), levels-1) })
}

// isAbout reports whether a file describes the data set rather than being part of it.
func (d *Dataset) isAbout(name string) bool {
	stem := strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
	return isMetadata(name) || isLegend(name) || stem == "readme" || stem == "license" || stem == "licence" || strings.HasPrefix(stem, "license")
}

// maskFolders lists the folders of the root in which the metadata places masks.
func (d *Dataset) maskFolders() (map[string]bool, error) {
	out := map[string]bool{}
	for _, file := range []string{MetadataFile, metadataLines} {
		if !d.isRegular(file) {
			continue
		}
		t, err := d.openTable(file)
		if err != nil {
			return nil, err
		}
		before := len(d.Notes)
		c, err := d.choose(t)
		d.Notes = d.Notes[:before]
		if err != nil || c.mask < 0 {
			t.close()
			continue // applyMetadata reports the fault
		}
		err = t.each(func(r row) error {
			if name, ok := localName(r.at(c.mask)); ok && r.at(c.mask) != "" {
				folder, _, below := strings.Cut(name, "/")
				image, _ := localName(r.at(c.file))
				if holder, _, _ := strings.Cut(image, "/"); below && holder != folder {
					out[d.locate(folder)] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
