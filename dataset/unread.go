package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// Layouts that are not read are refused by name: their folders say nothing of the labels, or only a part.

const (
	toConvert    = "convert it to COCO, to a table, or to a folder for each class"
	toReadLabels = "name the format if it is one of those, or make a table of files and classes (images.csv)"
)

// insideFile says what a file that holds pictures and is not read is, by its name; "" for another.
func insideFile(name string) string {
	lower := strings.ToLower(path.Base(name))
	switch {
	case strings.Contains(lower, ".tfrec"), strings.HasSuffix(lower, ".records"), numberedPart.MatchString(lower):
		return "TFRecord"
	case lower == "data.mdb":
		return "LMDB"
	case suffix(lower) == ".arrow":
		return "Arrow, as Hugging Face's save_to_disk writes it"
	case suffix(lower) == ".h5" || suffix(lower) == ".hdf5":
		return "HDF5"
	case strings.HasSuffix(lower, "-ubyte") || strings.HasSuffix(lower, "-ubyte.gz"):
		return "IDX, as MNIST has it"
	case strings.HasPrefix(lower, "data_batch"), lower == "batches.meta":
		return "CIFAR's batches"
	case suffix(lower) == ".rec":
		return "RecordIO"
	case suffix(lower) == ".beton":
		return "FFCV"
	case suffix(lower) == ".dcm" || suffix(lower) == ".dicom":
		return "DICOM"
	}
	return ""
}

// mayHoldAll is insideFile, and says what a file is in which the pictures may be where there are none beside it.
func mayHoldAll(name string) string {
	switch suffix(name) {
	case ".npz", ".npy":
		return "numpy's arrays, as MedMNIST has them"
	case ".pkl", ".pickle":
		return "Python's pickle"
	}
	return insideFile(name)
}

var numberedPart = regexp.MustCompile(`-[0-9]{5}-of-[0-9]{5}$`)

// glimpse is how much of a file is looked at to tell what it is.
const glimpse = 64 << 10

// programs tell files of labels that are not read by their suffix and by words that stand in them.
var programs = []struct {
	name     string
	suffixes []string
	words    []string // all of them
}{
	{"CVAT for images", []string{".xml"}, []string{"<annotations", "<image "}},
	{"Pascal VOC, an XML file for each image", []string{".xml", ""}, []string{"<annotation"}},
	{"VGG Image Annotator", []string{".json"}, []string{`"_via_`}},
	{"VGG Image Annotator", []string{".json"}, []string{`"regions"`, `"file_attributes"`}},
	{"LabelMe, a JSON file for each image", []string{".json"}, []string{`"shapes"`, `"imagePath"`}},
	{"CreateML", []string{".json"}, []string{`"image"`, `"annotations"`, `"coordinates"`}},
	{"Supervisely", []string{".json"}, []string{`"classTitle"`}},
	{"Datumaro", []string{".json"}, []string{`"items"`, `"categories"`, `"attr"`}},
	{"Labelbox", []string{".json", ".ndjson", ".jsonl"}, []string{`"data_row"`}},
	{"Darwin", []string{".json"}, []string{`"item"`, `"slots"`, `"annotations"`}},
	{"Vertex AI", []string{".json", ".jsonl", ".ndjson"}, []string{`"imageGcsUri"`}},
	{"SageMaker Ground Truth", []string{".manifest", ".json", ".jsonl"}, []string{`"source-ref"`}},
}

// foreign says which program's labels a file holds that are not read; "" for none that is known. beside says that the file may be the
// labels of one picture.
func (d *Dataset) foreign(name string, beside bool) string {
	s := suffix(name)
	text := s == ".txt" && beside
	if !text && !slices.ContainsFunc(programs, func(p struct {
		name     string
		suffixes []string
		words    []string
	}) bool {
		return slices.Contains(p.suffixes, s)
	}) {
		return ""
	}
	head := d.glimpse(name)
	if text {
		if yoloLines(head) {
			return "YOLO, a text file for each image"
		}
		return ""
	}
	for _, p := range programs {
		if slices.Contains(p.suffixes, s) && !slices.ContainsFunc(p.words, func(word string) bool { return !bytes.Contains(head, []byte(word)) }) {
			return p.name
		}
	}
	return ""
}

// glimpse reads the beginning of a file; it is empty if it cannot be read.
func (d *Dataset) glimpse(name string) []byte {
	f, err := os.Open(d.file(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	converted, err := text.Reader(f, d.options.Encoding)
	if err != nil {
		return nil
	}
	head, err := io.ReadAll(io.LimitReader(converted, glimpse))
	if err != nil {
		return nil
	}
	return head
}

var yoloLine = regexp.MustCompile(`^[0-9]+( -?[0-9.]+(e-?[0-9]+)?){4,}$`)

// yoloLines reports whether every line is a class and at least four numbers.
func yoloLines(head []byte) bool {
	lines := strings.FieldsFunc(string(head), func(r rune) bool { return r == '\n' || r == '\r' })
	if len(head) == glimpse && len(lines) > 1 {
		lines = lines[:len(lines)-1]
	}
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(line string) bool { return !yoloLine.MatchString(strings.TrimSpace(line)) })
}

// named matches what may be the name of a picture in a text.
var named = regexp.MustCompile(`(?i)[^"'<>,;|\t\r\n=]{1,300}\.(?:jpe?g|png|webp|bmp|tiff?|jfif)\b`)

// namesPicturesHere reports whether a text names pictures that are there.
func (d *Dataset) namesPicturesHere(name string) bool {
	places := placer{d: &Dataset{Dir: d.Dir, root: d.root, options: d.options, looked: d.looked}} // its notes are not kept
	for _, match := range named.FindAll(d.glimpse(name), 20) {
		words := strings.TrimSpace(string(match))
		if !text.Valid(words) {
			return false
		}
		for _, given := range []string{words, path.Join(path.Dir(name), words)} {
			if disk, reason := places.find(given, ""); disk != "" || reason != "" {
				return true
			}
		}
	}
	return false
}

// namesStems reports whether the lines of a text begin with names of pictures without their suffix, or the text is called like a picture
// beside it.
func (d *Dataset) namesStems(folder, name string) bool {
	places := placer{d: &Dataset{Dir: d.Dir, root: d.root, options: d.options, looked: d.looked}}
	if disk, _ := places.place(path.Join(folder, stem(name)), ""); disk != "" && !picture.HasSuffix(stem(name)) {
		return true
	}
	lines := strings.SplitN(string(d.glimpse(name)), "\n", 6)
	for _, line := range lines[:min(len(lines), 5)] {
		if words := strings.Fields(line); len(words) > 0 && text.Valid(words[0]) {
			if disk, reason := places.find(words[0], ""); disk != "" || reason != "" {
				return true
			}
		}
	}
	return false
}

// maxLooked bounds the folders, and the files of a kind in each, that are looked at for labels that are not read.
const maxLooked = 64

// refuseUnread refuses layouts whose labels are in files that are not read.
func (d *Dataset) refuseUnread() error {
	for _, entry := range d.look("") {
		if what := insideFile(entry.Name()); what != "" && !entry.IsDir() {
			return fmt.Errorf("%w: %s is a file of pictures that is not read (%s): write its pictures as files", ErrLayout, entry.Name(), what)
		}
	}
	level := []string{""}
	tops := append(d.onlyFolders(), "")
	looked := 0
	for range 3 {
		var next []string
		for _, folder := range level {
			if looked++; looked > maxLooked {
				return nil
			}
			if err := d.refuseUnreadIn(folder, slices.Contains(tops, folder)); err != nil {
				return err
			}
			for _, below := range d.folders(folder) {
				if isCompanion(path.Base(folder)) {
					continue // refusePairs looks there
				}
				next = append(next, path.Join(folder, below))
			}
		}
		level = next
	}
	return nil
}

// refuseUnreadIn looks at one folder. top says that it is where files for the whole data set lie.
func (d *Dataset) refuseUnreadIn(folder string, top bool) error {
	list := d.look(folder)
	images := ""
	var labels []string
	stems := map[string]bool{} // of the pictures
	for _, entry := range list {
		name, lower := path.Join(folder, entry.Name()), strings.ToLower(entry.Name())
		switch {
		case !entry.IsDir():
			if picture.HasSuffix(name) {
				stems[stem(name)] = true
			}
		case isContainer(lower):
			images = name
		case holdsLabels(lower) && !d.fitsMasks(folder, entry.Name(), ""):
			labels = append(labels, name)
		}
	}
	if fine := slices.IndexFunc(list, func(e entry) bool {
		return strings.EqualFold(e.Name(), "gtFine") || strings.EqualFold(e.Name(), "gtCoarse")
	}); fine >= 0 && d.isDir(path.Join(folder, "leftImg8bit")) {
		return fmt.Errorf("%w: %s and leftImg8bit are Cityscapes', whose labels are of pixels and none of an image: make a table of files, classes and masks (images.csv)", ErrLayout, path.Join(folder, list[fine].Name()))
	}
	for _, beside := range labels {
		if images == "" {
			break
		}
		if err := d.refusePairs(images, beside); err != nil {
			return err
		}
	}
	_, isSplit := d.splitWord(path.Base(folder))
	top = top || isSplit || isContainer(path.Base(folder)) || isCompanion(path.Base(folder))
	lists := d.splitLists()
	seen := map[string]int{} // files of each suffix
	for _, entry := range list {
		name := path.Join(folder, entry.Name())
		if entry.IsDir() || picture.HasSuffix(name) || isLegend(entry.Name()) {
			continue
		}
		if s := suffix(name); seen[s] >= maxLooked/8 || d.besidePictures(name) {
			continue
		}
		seen[suffix(name)]++
		beside := stems[stem(name)] || stems[entry.Name()]
		if what := d.foreign(name, beside || len(stems) == 0 && top && folder != ""); what != "" {
			return fmt.Errorf("%w: %s holds labels that are not read (%s): %s", ErrLayout, name, what, toConvert)
		}
		if s := suffix(name); top && slices.Contains([]string{".csv", ".tsv"}, s) {
			if err := d.refuseTable(name); err != nil {
				return err
			}
		} else if top && !slices.Contains(lists, name) && !d.isAbout(entry.Name()) && slices.Contains([]string{".json", ".jsonl", ".ndjson", ".xml", ".manifest", ".labels", ".txt"}, s) && d.namesPicturesHere(name) {
			return fmt.Errorf("%w: %s names the pictures, and is no file of labels that is read: %s, or name the format folder if it has nothing to say of them", ErrLayout, name, toReadLabels)
		}
	}
	return nil
}

// refuseTable refuses a table that names the pictures and is not read, with what to do.
func (d *Dataset) refuseTable(name string) error {
	t, err := d.openTable(name)
	if err != nil {
		return nil // it is skipped
	}
	defer t.close()
	if err := t.foreign(); err != nil {
		return err
	}
	if isSubmission(path.Base(name)) || d.listsNames(name) {
		return nil
	}
	quiet := *d
	if _, err := quiet.choose(t); errors.Is(err, errLabels) {
		return err
	}
	if d.namesPicturesHere(name) {
		return fmt.Errorf("%w: %s names the pictures, and no column is known to hold their classes%s: name the format folder if it has nothing to say of them", ErrLayout, name, d.columnsOf(name))
	}
	return nil
}

// refusePairs refuses a folder of labels beside one of pictures, unless the pictures are in folders of their classes.
func (d *Dataset) refusePairs(images, labels string) error {
	folders := []string{labels}
	for _, below := range d.folders(labels) {
		folders = append(folders, path.Join(labels, below))
	}
	files := false
	for _, folder := range folders[:min(len(folders), maxLooked/8)] {
		looked := 0
		for _, entry := range d.look(folder) {
			if entry.IsDir() || looked > maxLooked/8 {
				continue
			}
			looked++
			files = true
			name := path.Join(folder, entry.Name())
			what := d.foreign(name, true)
			if s := suffix(name); what == "" || strings.HasPrefix(what, "Pascal VOC") && d.sameFolders(images, labels) && (s == "" || s == ".xml") {
				continue // boxes in the classes' folders
			}
			return fmt.Errorf("%w: %s and %s stand side by side, and the labels are in files that are not read (%s): %s", ErrLayout, images, labels, what, toConvert)
		}
	}
	classes := slices.ContainsFunc(d.folders(images), func(folder string) bool { _, ok := d.splitWord(folder); return !ok })
	if files && !classes {
		if strings.EqualFold(path.Base(labels), "imagesets") {
			return fmt.Errorf("%w: %s holds labels that are not read (Pascal VOC, a list for each class): %s", ErrLayout, labels, toConvert)
		}
		return fmt.Errorf("%w: %s and %s stand side by side, and %s may hold the labels, in a form that is not read: %s", ErrLayout, images, labels, labels, toConvert)
	}
	return nil
}

// sameFolders reports whether two folders have folders of the same names in them.
func (d *Dataset) sameFolders(a, b string) bool {
	below := d.folders(a)
	return len(below) > 0 && among(d.folders(b), below) && len(d.folders(b)) > 0
}

// foreign refuses a table whose rows are not what its columns seem to say.
func (t *table) foreign() error {
	switch {
	case t.column("region_shape_attributes") >= 0:
		return fmt.Errorf("%w: %s is of the VGG Image Annotator, which is not read: %s", errLabels, t.file, toConvert)
	case t.column("imageid") >= 0 && t.column("labelname") >= 0 && t.column("confidence") >= 0:
		return fmt.Errorf("%w: %s is of Open Images, whose rows with the confidence 0 say what an image is not, and which has several labels an image: make a table with one row for each image and its class", errLabels, t.file)
	}
	return nil
}
