package dataset

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// imagenet names the files and folders of an ImageNet folder, as far as they were found.
type imagenet struct {
	data     string // the folder of the splits, "" for Dir
	solution string // Kaggle's LOC_val_solution.csv
	truth    string // the devkit's ILSVRC20XX_…validation_ground_truth.txt
	ids      string // the file that maps truth's ids to WNIDs: meta.mat or map_clsloc.txt
	tiny     string // Tiny ImageNet's val/val_annotations.txt
	splits   map[string]string
	boxes    []string // folders of XML files
}

var (
	groundTruth = regexp.MustCompile(`(?i)^ILSVRC\d*_.*validation_ground_truth\.txt$`)
	valNumber   = regexp.MustCompile(`(?i)_val_0*(\d{1,9})\.`)
)

func (d *Dataset) lookForImageNet() imagenet {
	n := imagenet{splits: map[string]string{}}
	for _, data := range []string{"ILSVRC/Data/CLS-LOC", "Data/CLS-LOC"} {
		if d.isDir(data) {
			n.data = data
			break
		}
	}
	for _, name := range d.folders(n.data) {
		if split, ok := d.splitWord(name); ok && n.splits[split] == "" && !strings.Contains(strings.ToLower(name), "bbox") {
			n.splits[split] = path.Join(n.data, name)
		}
	}
	if d.isRegular("LOC_val_solution.csv") {
		n.solution = "LOC_val_solution.csv"
	}
	places := []string{""}
	for _, name := range d.folders("") {
		lower := strings.ToLower(name)
		if strings.Contains(lower, "devkit") {
			places = append(places, name, path.Join(name, "data"))
			for _, inner := range d.folders(name) { // ILSVRC2012_devkit_t12/ILSVRC2012_devkit_t12/data
				if strings.Contains(strings.ToLower(inner), "devkit") {
					places = append(places, path.Join(name, inner, "data"))
				}
			}
		}
		if strings.Contains(lower, "bbox") || lower == "annotation" {
			n.boxes = append(n.boxes, name)
		}
	}
	for _, name := range []string{"ILSVRC/Annotations/CLS-LOC", "Annotations/CLS-LOC"} {
		if d.isDir(name) {
			n.boxes = append(n.boxes, name)
		}
	}
	for _, place := range places {
		for _, entry := range d.look(place) {
			name := path.Join(place, entry.Name())
			if !entry.IsDir() && groundTruth.MatchString(entry.Name()) {
				n.truth = name
				for _, ids := range []string{"meta.mat", "map_clsloc.txt"} {
					if d.isRegular(path.Join(place, ids)) {
						n.ids = path.Join(place, ids)
						break
					}
				}
			}
		}
	}
	for _, split := range n.splits {
		if name := path.Join(split, "val_annotations.txt"); d.isRegular(name) {
			n.tiny = name
		}
	}
	return n
}

func (d *Dataset) fitsImageNet() string {
	n := d.lookForImageNet()
	switch {
	case n.data != "":
		return "ImageNet: " + n.data
	case n.solution != "" && len(n.splits) > 0:
		return "ImageNet: " + n.solution
	case n.truth != "" && len(n.splits) > 0:
		return "ImageNet: " + n.truth
	case n.tiny != "":
		return "Tiny ImageNet: " + n.tiny
	}
	if val := n.splits[Validation]; val != "" {
		for i, entry := range d.look(val) {
			if i == 3 {
				break
			}
			if !entry.IsDir() && valNumber.MatchString(entry.Name()) && strings.HasPrefix(strings.ToUpper(entry.Name()), "ILSVRC") {
				return "ImageNet: " + path.Join(val, entry.Name())
			}
		}
	}
	return ""
}

// readImageNet reads ILSVRC as torchvision's users, the devkit and Kaggle lay it out, and Tiny ImageNet: train/WNID/*, and a flat
// val/ whose labels are in Kaggle's solution, in the devkit's ground truth with meta.mat's WNIDs, or in val_annotations.txt. Classes are
// WNIDs. The boxes of XML files are the masks.
func (d *Dataset) readImageNet() error {
	n := d.lookForImageNet()
	if len(n.splits) == 0 {
		return fmt.Errorf("%w: no folders train/ and val/", ErrLayout)
	}
	labels, where, err := d.imagenetLabels(n)
	if err != nil {
		return err
	}
	for _, split := range []string{Train, Validation, Test} {
		below := n.splits[split]
		if below == "" {
			continue
		}
		if err := d.readImageNetSplit(n, below, split, labels, where); err != nil {
			return err
		}
	}
	for name := range labels {
		d.count(name, "named in "+where+" and not there")
	}
	return nil
}

func (d *Dataset) readImageNetSplit(n imagenet, below, split string, labels map[string]string, where string) error {
	list, err := d.entries(below)
	if err != nil {
		return err
	}
	flat := func(name string) error {
		class := labels[stem(name)]
		delete(labels, stem(name))
		if class == "" && split == Validation {
			if where == "" {
				return fmt.Errorf("%w: %s is in no folder of a class, and there is no file of labels for it: put LOC_val_solution.csv, or the devkit's data/ with meta.mat and the validation ground truth, beside %s",
					ErrLayout, name, below)
			}
			d.count(name, "not in "+where+": unlabelled")
		}
		d.add(name, Sample{Split: split, Class: class, Mask: d.boxFile(n, below, class, name)})
		return nil
	}
	var tars int
	for _, entry := range list {
		name := path.Join(below, entry.Name())
		if !entry.IsDir() {
			if suffix(name) == ".tar" {
				tars++
			} else if name != n.tiny {
				if reason := d.checkPicture(name); reason != "" {
					d.skip(name, "%s", reason)
				} else if err := flat(name); err != nil {
					return err
				}
			}
			continue
		}
		if isContainer(entry.Name()) { // Tiny ImageNet's val/images
			var fault error
			err := d.walk(name, func(name string) {
				if fault == nil {
					fault = flat(name)
				}
			})
			if err = firstError(err, fault); err != nil {
				return err
			}
			continue
		}
		class := entry.Name()
		before := d.Len()
		err := d.walkQuietly(name, func(name string) {
			d.add(name, Sample{Split: split, Class: class, Mask: d.boxFile(n, below, class, name)})
		})
		if err != nil {
			return err
		}
		if d.Len() == before {
			d.skip(name, "a class folder without a usable picture")
		}
	}
	if tars > 0 {
		return fmt.Errorf("%w: %s holds %d .tar files, as the archive of the training images does: unpack each into a folder of its name", ErrLayout, below, tars)
	}
	return nil
}

// walkQuietly walks as walk does, but ignores Tiny ImageNet's tables of boxes without a note.
func (d *Dataset) walkQuietly(below string, found func(name string)) error {
	before := len(d.Skipped)
	err := d.walk(below, found)
	kept := d.Skipped[:before]
	for _, p := range d.Skipped[before:] {
		if !strings.HasSuffix(p.Path, "_boxes.txt") {
			kept = append(kept, p)
		}
	}
	d.Skipped = kept
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// boxFile returns the XML file of an image's boxes, "" for none.
func (d *Dataset) boxFile(n imagenet, below, class, name string) string {
	file := stem(name) + ".xml"
	for _, folder := range n.boxes {
		for _, place := range []string{path.Join(class, file), file, path.Join(path.Base(below), class, file), path.Join(path.Base(below), file), path.Join("Annotation", class, file)} {
			if candidate := d.file(path.Join(folder, place)); isFile(candidate) {
				return candidate
			}
		}
	}
	return ""
}

// imagenetLabels reads the WNIDs of the validation images, by their names without suffix, and says which file they are from.
func (d *Dataset) imagenetLabels(n imagenet) (labels map[string]string, where string, err error) {
	labels = map[string]string{}
	val := n.splits[Validation]
	switch {
	case n.tiny != "":
		return labels, n.tiny, d.lines(n.tiny, func(number int, line string) error {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				return fmt.Errorf("%w: line %d of %s: want a file and a WNID", ErrLayout, number, n.tiny)
			}
			labels[stem(fields[0])] = d.shared(fields[1])
			return nil
		})
	case val == "" || !slices.ContainsFunc(d.look(val), func(e entry) bool { return !e.IsDir() && picture.HasSuffix(e.Name()) }):
		return labels, "", nil // the images are in folders of their classes
	case n.solution != "":
		t, err := d.openTable(n.solution)
		if err != nil {
			return nil, "", err
		}
		id, said := t.column("ImageId"), t.column("PredictionString")
		if id < 0 || said < 0 {
			t.close()
			return nil, "", fmt.Errorf("%w: %s: want the columns ImageId and PredictionString; it has %s", ErrLayout, n.solution, t.list())
		}
		return labels, n.solution, t.each(func(r row) error {
			wnid, _, _ := strings.Cut(r.at(said), " ")
			if wnid == "" || r.at(id) == "" {
				return fmt.Errorf("%w: line %d of %s: no image or no WNID", ErrLayout, r.line, n.solution)
			}
			labels[strings.Clone(text.NFC(r.at(id)))] = d.shared(wnid)
			return nil
		})
	case n.truth != "":
		labels, err := d.devkitLabels(n)
		return labels, n.truth, err
	}
	return labels, "", nil
}

// devkitLabels joins the ground truth (one id per line, in the order of the images' numbers) with the WNIDs of the ids.
func (d *Dataset) devkitLabels(n imagenet) (map[string]string, error) {
	if n.ids == "" {
		return nil, fmt.Errorf("%w: %s has ids of classes, and meta.mat, which says what they are, is not beside it: put the whole of the devkit's data/ there", ErrLayout, n.truth)
	}
	wnids, err := d.wnids(n.ids)
	if err != nil {
		return nil, err
	}
	var truth []string
	err = d.lines(n.truth, func(number int, line string) error {
		id, err := strconv.Atoi(line)
		if err != nil || wnids[id] == "" {
			return fmt.Errorf("%w: line %d of %s: %q is no id that %s knows", ErrLayout, number, n.truth, text.Cut(line, 40), n.ids)
		}
		truth = append(truth, wnids[id])
		return nil
	})
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	pictures, err := d.list(n.splits[Validation], func(string, string, ...any) {}, nil)
	if err != nil {
		return nil, err
	}
	for _, entry := range pictures {
		if m := valNumber.FindStringSubmatch(entry.Name()); m != nil {
			number, err := strconv.Atoi(m[1])
			if err != nil || number < 1 || number > len(truth) {
				return nil, fmt.Errorf("%w: %s has %d lines, and %s is number %s", ErrLayout, n.truth, len(truth), entry.Name(), m[1])
			}
			labels[stem(entry.Name())] = truth[number-1]
		}
	}
	return labels, nil
}

// wnids reads the WNID of each of the devkit's ids, from meta.mat's synsets or from lines "WNID id name".
func (d *Dataset) wnids(file string) (map[int]string, error) {
	out := map[int]string{}
	if suffix(file) == ".txt" {
		return out, d.lines(file, func(number int, line string) error {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				return fmt.Errorf("%w: line %d of %s: want a WNID and an id", ErrLayout, number, file)
			}
			id, err := strconv.Atoi(fields[1])
			if err != nil {
				return fmt.Errorf("%w: line %d of %s: %q is no id", ErrLayout, number, file, text.Cut(fields[1], 40))
			}
			out[id] = d.shared(fields[0])
			return nil
		})
	}
	f, err := os.Open(d.file(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	arrays, err := readMAT(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	for _, a := range arrays {
		ids, names := a.fields["ILSVRC2012_ID"], a.fields["WNID"]
		if a.name != "synsets" || len(ids) != len(names) {
			continue
		}
		for i := range ids {
			if len(ids[i].numbers) == 1 && names[i].text != "" {
				if err := checkName(file, "WNID", names[i].text); err != nil {
					return nil, err
				}
				out[int(ids[i].numbers[0])] = d.shared(names[i].text)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s has no synsets with ILSVRC2012_ID and WNID", ErrLayout, file)
	}
	return out, nil
}
