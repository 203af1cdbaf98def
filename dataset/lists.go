package dataset

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// Public data sets whose classes and splits are in lists or MATLAB files of their own beside the pictures.

// published is one of them: by what it is recognised, and how it is read.
type published struct {
	name string
	file func(d *Dataset) string // a file that only this data set has, "" if it is not there
	read func(d *Dataset, l *listing) error
}

func publications() []published {
	return []published{
		{"Oxford-IIIT Pets", func(d *Dataset) string { return d.onlyWith("annotations/list.txt", "images") }, (*Dataset).readPets},
		{"DTD", func(d *Dataset) string { return d.onlyWith("labels/train1.txt", "images") }, (*Dataset).readDTD},
		{"FGVC-Aircraft", func(d *Dataset) string { return d.onlyWith(aircraftList("train"), "images") }, (*Dataset).readAircraft},
		{"Flowers-102", func(d *Dataset) string { return d.onlyWith("imagelabels.mat", "jpg") }, (*Dataset).readFlowers},
		{"Stanford Cars", func(d *Dataset) string {
			if found := d.carFiles("cars_train_annos.mat", "cars_annos.mat"); len(found) > 0 {
				return found[0]
			}
			return ""
		}, (*Dataset).readCars},
	}
}

// onlyWith returns a file that is there beside a folder, else "".
func (d *Dataset) onlyWith(file, folder string) string {
	if d.isRegular(file) && d.isDir(folder) {
		return file
	}
	return ""
}

func (d *Dataset) fitsLists() string {
	for _, p := range publications() {
		if file := p.file(d); file != "" {
			return p.name + ": " + file
		}
	}
	return ""
}

func (d *Dataset) readLists() error {
	for _, p := range publications() {
		file := p.file(d)
		if file == "" {
			continue
		}
		l := &listing{d: d, named: map[string]string{}}
		if err := p.read(d, l); err != nil {
			return err
		}
		return d.countOthers("", file, func(name string) bool {
			return l.named[text.NFC(name)] != "" || !slices.Contains(l.folders, firstFolder(name))
		})
	}
	return fmt.Errorf("%w: none of the lists of Oxford-IIIT Pets, DTD, FGVC-Aircraft, Flowers-102 or Stanford Cars is there", ErrLayout)
}

func firstFolder(name string) string { first, _, _ := strings.Cut(name, "/"); return first }

// listing adds the pictures that lists name.
type listing struct {
	d       *Dataset
	folders []string          // in which the pictures are
	named   map[string]string // by what each picture was named
}

// add adds the picture of a name, with or without suffix, in a folder. where is the list's line.
func (l *listing) add(folder, name, where string, s Sample) error {
	d := l.d
	if first := firstFolder(folder); !slices.Contains(l.folders, first) {
		l.folders = append(l.folders, first)
	}
	file, ok := localName(path.Join(folder, name))
	if !ok {
		d.skip(name, "leads out of the data set's folder")
		return nil
	}
	disk := d.locate(file)
	for _, s := range picture.Completions() {
		if d.isRegular(disk) {
			break
		}
		if !picture.HasSuffix(file) && d.isRegular(d.locate(file+s)) {
			disk = d.locate(file + s)
		}
	}
	if before := l.named[text.NFC(disk)]; before != "" {
		return fmt.Errorf("%w: %s: %s was named in %s already", ErrLayout, where, name, before)
	}
	l.named[text.NFC(disk)] = where
	if !d.isRegular(disk) {
		if d.linked(disk) != "" {
			d.skip(disk, "%s", linkReason(d.linked(disk)))
			return nil
		}
		d.miss(file, "named in %s", where)
		return nil
	}
	if reason := d.checkPicture(disk); reason != "" {
		d.skip(disk, "%s", reason)
		return nil
	}
	if err := checkName(where, "class", s.Class); err != nil {
		return err
	}
	d.add(disk, s)
	return nil
}

// listLine says where something is named.
func listLine(file string, number int) string { return fmt.Sprintf("line %d of %s", number, file) }

// readPets reads Oxford-IIIT Pets (Parkhi et al., 2012): the breed is in the file's name, and of a trimap 1 is the pet, 2 the background
// and 3 what lies between them or is unknown.
func (d *Dataset) readPets(l *listing) error {
	lists := map[string]string{Train: "annotations/trainval.txt", Test: "annotations/test.txt"}
	if !d.isRegular(lists[Train]) && !d.isRegular(lists[Test]) {
		lists = map[string]string{"": "annotations/list.txt"}
		d.note("annotations", "trainval.txt and test.txt are not there: the images are in no split")
	}
	for _, split := range []string{Train, Test, ""} {
		file := lists[split]
		if file == "" || !d.isRegular(file) {
			continue
		}
		err := d.lines(file, func(number int, line string) error {
			if strings.HasPrefix(line, "#") {
				return nil
			}
			name := strings.Fields(line)[0]
			cut := strings.LastIndex(name, "_")
			if cut < 1 {
				return fmt.Errorf("%w: %s: %q is not a breed, a line and a number, as in Abyssinian_1", ErrLayout, listLine(file, number), text.Cut(name, 40))
			}
			s := Sample{Split: split, Class: name[:cut]}
			if mask := "annotations/trimaps/" + name + ".png"; d.isRegular(d.locate(mask)) {
				s.Mask = d.file(d.locate(mask))
			}
			return l.add("images", name, listLine(file, number), s)
		})
		if err != nil {
			return err
		}
	}
	if d.isDir("annotations/trimaps") && d.options.Mask == nil {
		d.options.Mask = &MaskRule{Values: []int{1}}
		d.note("annotations/trimaps", "of the trimaps, 1 is the pet; 2, the background, and 3, the border, are outside; --mask-object 1,3 takes the border in")
	}
	if d.isDir("annotations/xmls") {
		d.note("annotations/xmls", "boxes of heads, not of the whole pets: not read")
	}
	return nil
}

// readDTD reads the Describable Textures Dataset (Cimpoi et al., 2014): the first of its ten partitions, as torchvision does.
func (d *Dataset) readDTD(l *listing) error {
	for _, split := range []struct{ name, file string }{{Train, "labels/train1.txt"}, {Validation, "labels/val1.txt"}, {Test, "labels/test1.txt"}} {
		if !d.isRegular(split.file) {
			d.miss(split.file, "the list of a split")
			continue
		}
		err := d.lines(split.file, func(number int, line string) error {
			class := firstFolder(line)
			if class == line {
				return fmt.Errorf("%w: %s: %q has no folder of a class before it", ErrLayout, listLine(split.file, number), text.Cut(line, 40))
			}
			return l.add("images", line, listLine(split.file, number), Sample{Split: split.name, Class: class})
		})
		if err != nil {
			return err
		}
	}
	d.note("labels", "the splits are those of the first of the ten partitions (train1.txt, val1.txt, test1.txt); an image has the class of its folder, not its further attributes")
	return nil
}

func aircraftList(split string) string { return "images_variant_" + split + ".txt" }

// readAircraft reads FGVC-Aircraft (Maji et al., 2013): a variant is the class; boxes count pixels from 1 and include their ends.
func (d *Dataset) readAircraft(l *listing) error {
	boxes := map[string]Box{}
	if file := "images_box.txt"; d.isRegular(file) {
		err := d.lines(file, func(number int, line string) error {
			fields := strings.Fields(line)
			var v [4]float64
			for i := range v {
				n, err := 0.0, error(nil)
				if i+1 < len(fields) {
					n, err = strconv.ParseFloat(fields[i+1], 32)
				}
				if err != nil || len(fields) != 5 {
					return fmt.Errorf("%w: %s: want an image and the four sides of its box", ErrLayout, listLine(file, number))
				}
				v[i] = n
			}
			boxes[fields[0]] = boxFromOne(v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, split := range []struct{ name, file string }{{Train, aircraftList("train")}, {Validation, aircraftList("val")}, {Test, aircraftList("test")}} {
		if !d.isRegular(split.file) {
			d.miss(split.file, "the list of a split")
			continue
		}
		err := d.lines(split.file, func(number int, line string) error {
			name, class, ok := strings.Cut(line, " ")
			if class = strings.TrimSpace(class); !ok || class == "" {
				return fmt.Errorf("%w: %s: want an image and its variant", ErrLayout, listLine(split.file, number))
			}
			s := Sample{Split: split.name, Class: class}
			if box, is := boxes[name]; is {
				s.Marks = &Marks{Boxes: []Box{box}}
			}
			return l.add("images", name, listLine(split.file, number), s)
		})
		if err != nil {
			return err
		}
	}
	d.note("", "the classes are the variants; families and manufacturers are not read")
	return nil
}

// boxFromOne is the box of left, top, right and bottom pixels that are counted from 1.
func boxFromOne(v [4]float64) Box {
	return Box{X: float32(v[0] - 1), Y: float32(v[1] - 1), Width: float32(v[2] - v[0] + 1), Height: float32(v[3] - v[1] + 1)}
}

// arrays reads a MATLAB file.
func (d *Dataset) arrays(file string) (map[string]*matrix, error) {
	f, err := os.Open(d.file(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := readMAT(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	out := map[string]*matrix{}
	for _, a := range all {
		out[a.name] = a
	}
	return out, nil
}

// readFlowers reads Flowers-102 (Nilsback and Zisserman, 2008): labels by the images' numbers, and the numbers of each split.
func (d *Dataset) readFlowers(l *listing) error {
	const labelsFile, splitsFile = "imagelabels.mat", "setid.mat"
	found, err := d.arrays(labelsFile)
	if err != nil {
		return err
	}
	labels := found["labels"]
	if labels == nil || len(labels.numbers) == 0 {
		return fmt.Errorf("%w: %s has no array labels", ErrLayout, labelsFile)
	}
	in := make([]string, len(labels.numbers))
	if d.isRegular(splitsFile) {
		sets, err := d.arrays(splitsFile)
		if err != nil {
			return err
		}
		for _, set := range []struct{ name, split string }{{"trnid", Train}, {"valid", Validation}, {"tstid", Test}} {
			numbers := sets[set.name]
			if numbers == nil {
				return fmt.Errorf("%w: %s has no array %s", ErrLayout, splitsFile, set.name)
			}
			for _, n := range numbers.numbers {
				i := int(n) - 1
				switch {
				case i < 0 || i >= len(in) || float64(i+1) != n:
					return fmt.Errorf("%w: %s names the image %g, and %s has labels of %d", ErrLayout, splitsFile, n, labelsFile, len(in))
				case in[i] != "":
					return fmt.Errorf("%w: %s has the image %d in the splits %s and %s", ErrLayout, splitsFile, i+1, in[i], set.split)
				}
				in[i] = set.split
			}
		}
	} else {
		d.note(labelsFile, "%s is not beside it: the images are in no split", splitsFile)
	}
	for i, label := range labels.numbers {
		if err := l.add("jpg", fmt.Sprintf("image_%05d.jpg", i+1), fmt.Sprintf("number %d of %s", i+1, labelsFile), Sample{Split: in[i], Class: strconv.Itoa(int(label))}); err != nil {
			return err
		}
	}
	d.labelled = labelsFile
	if d.isDir("segmim") {
		d.note("segmim", "pictures with a blue background, not masks: not read")
	}
	return nil
}

// carFiles lists which of some files are there: beside the pictures, or in the devkit.
func (d *Dataset) carFiles(names ...string) (found []string) {
	places := []string{""}
	for _, folder := range d.folders("") {
		if strings.Contains(strings.ToLower(folder), "devkit") {
			places = append(places, folder, path.Join(folder, "devkit"))
		}
	}
	for _, name := range names {
		for _, place := range places {
			if file := path.Join(place, name); d.isRegular(file) {
				found = append(found, file)
				break
			}
		}
	}
	return found
}

// readCars reads Stanford Cars (Krause et al., 2013): the devkit's annotations of train and test, or cars_annos.mat of both.
func (d *Dataset) readCars(l *listing) error {
	classes := []string{}
	for _, file := range d.carFiles("cars_meta.mat", "cars_annos.mat") {
		found, err := d.arrays(file)
		if err != nil {
			return err
		}
		if names := found["class_names"]; names != nil && len(classes) == 0 {
			for _, cell := range names.cells {
				classes = append(classes, text.NFC(strings.TrimSpace(cell.text)))
			}
		}
	}
	if len(classes) == 0 {
		d.note("", "cars_meta.mat, which names the classes, is not there: they are numbers")
	}
	files := d.carFiles("cars_train_annos.mat")
	if len(files) == 0 {
		return d.readCarFile(l, d.carFiles("cars_annos.mat")[0], "", classes)
	}
	if err := d.readCarFile(l, files[0], Train, classes); err != nil {
		return err
	}
	if files = d.carFiles("cars_test_annos_withlabels.mat", "cars_test_annos.mat"); len(files) > 0 {
		return d.readCarFile(l, files[0], Test, classes)
	}
	return nil
}

func (d *Dataset) readCarFile(l *listing, file, split string, classes []string) error {
	found, err := d.arrays(file)
	if err != nil {
		return err
	}
	a := found["annotations"]
	if a == nil || a.fields == nil {
		return fmt.Errorf("%w: %s has no structure annotations", ErrLayout, file)
	}
	fields, folder := a.fields, ""
	names := fields["fname"]
	if names == nil {
		names = fields["relative_im_path"]
	} else {
		folder = map[string]string{Train: "cars_train", Test: "cars_test"}[split]
		if inner := path.Join(folder, folder); d.isDir(inner) { // as Kaggle has it
			folder = inner
		}
	}
	at := func(field string, i int) (v float64, ok bool) {
		if values := fields[field]; i < len(values) && len(values[i].numbers) == 1 {
			return values[i].numbers[0], true
		}
		return 0, false
	}
	for i := range names {
		where := fmt.Sprintf("number %d of %s", i+1, file)
		s := Sample{Split: split}
		if class, ok := at("class", i); !ok {
			d.count(filepath.Base(file), "annotations without a class: their images are unlabelled")
		} else if s.Class = strconv.Itoa(int(class)); len(classes) > 0 {
			if class < 1 || int(class) > len(classes) {
				return fmt.Errorf("%w: %s: class %g, and there are names of %d", ErrLayout, where, class, len(classes))
			}
			s.Class = classes[int(class)-1]
		}
		if test, ok := at("test", i); ok {
			s.Split = map[bool]string{true: Test, false: Train}[test != 0]
		}
		var sides [4]float64
		boxed := true
		for k, side := range []string{"bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"} {
			v, ok := at(side, i)
			sides[k], boxed = v, boxed && ok
		}
		if boxed {
			s.Marks = &Marks{Boxes: []Box{boxFromOne(sides)}}
		}
		if names[i].text == "" {
			return fmt.Errorf("%w: %s names no file", ErrLayout, where)
		}
		if err := l.add(folder, names[i].text, where, s); err != nil {
			return err
		}
	}
	return nil
}
