package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// cocoFolders are the folders below the root in which COCO files may lie.
var cocoFolders = []string{"annotations", "Annotations"}

// cocoFiles finds the COCO files of Dir: at the root, in annotations/, or one in each split's folder, as Roboflow exports them.
// If there are files of instances, only they are read, and not the files of captions or keypoints of the same pictures.
func (d *Dataset) cocoFiles() []string {
	var out []string
	for _, folder := range append([]string{""}, cocoFolders...) {
		if folder == "" || d.isDir(folder) {
			out = append(out, d.jsonFiles(folder, kindCOCO)...)
		}
	}
	for _, folder := range d.folders("") {
		if _, ok := d.splitWord(folder); ok {
			out = append(out, d.jsonFiles(folder, kindCOCO)...)
		}
	}
	out = slices.Compact(slices.Sorted(slices.Values(out)))
	instances := slices.DeleteFunc(slices.Clone(out), func(name string) bool { return !strings.HasPrefix(path.Base(name), "instances_") })
	if len(instances) > 0 {
		return instances
	}
	return out
}

func (d *Dataset) fitsCOCO() string {
	files := d.cocoFiles()
	if len(files) == 0 {
		return ""
	}
	return "COCO: " + strings.Join(files[:min(3, len(files))], " and ")
}

// cocoImage is an image of a COCO file and what its annotations say.
type cocoImage struct {
	name     string
	category int32 // place in the categories, -1 for none
	several  bool
	largest  float64 // area of its largest annotation
	marks    *Marks
	size     [2]int32 // width and height on which they were made, 0 where the file does not say
}

// side is a side of a picture as a file says it, 0 where that is no number of pixels.
func side(said float64) int32 {
	if said >= 1 && said <= 1<<20 && said == math.Trunc(said) {
		return int32(said)
	}
	return 0
}

// cocoAnnotation is what is read of an annotation.
type cocoAnnotation struct {
	Image        *identity       `json:"image_id"`
	Category     *identity       `json:"category_id"`
	Box          []float32       `json:"bbox"`
	Segmentation json.RawMessage `json:"segmentation"`
	Area         float64         `json:"area"`
}

// area returns an annotation's area in pixels: the one that it gives, or else its box's.
func (a cocoAnnotation) area() float64 {
	if a.Area > 0 || len(a.Box) != 4 {
		return a.Area
	}
	return float64(a.Box[2]) * float64(a.Box[3])
}

// readCOCO reads COCO files. An image's label is the category of its annotations; its mask is their polygons and runs, or else their
// boxes. An image with annotations of several categories is an error. With LabelLargest it gets the category of its largest
// annotation, and only that category's annotations are its mask.
func (d *Dataset) readCOCO() error {
	files := d.cocoFiles()
	if len(files) == 0 {
		return fmt.Errorf("%w: no COCO file (with images, annotations and categories) at the root, in annotations/ or in a split's folder", ErrLayout)
	}
	named := nameSet{}
	var folders []string
	for _, file := range files {
		folder, err := d.readCOCOFile(file, named)
		if err != nil {
			return err
		}
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		if folder == "" {
			continue // the root holds more than pictures
		}
		err := d.walk(folder, func(name string) {
			if !named.has(name) {
				d.count(name, "in none of the annotation files: passed over")
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// splitOfFile returns the split of an annotation file, told by its name or its folder's, and the word that names the split there.
func (d *Dataset) splitOfFile(file string) (split, word string) {
	word = stem(file)
	for _, prefix := range []string{"instances_", "captions_", "person_keypoints_", "stuff_", "panoptic_", "_annotations."} {
		word = strings.TrimPrefix(word, prefix)
	}
	if split, ok := d.splitWord(word); ok {
		return split, word
	}
	if split, ok := d.splitWord(path.Dir(file)); ok {
		return split, path.Dir(file)
	}
	return "", word
}

// readCOCOFile reads one file and returns the folder that its pictures are in.
func (d *Dataset) readCOCOFile(file string, named nameSet) (string, error) {
	var images []cocoImage
	place := map[identity]int32{}
	var categories []string
	categoryAt := map[identity]int32{}
	err := d.inJSON(file, func(j *jsonFile, key string) error {
		switch key {
		case "images":
			return j.array(func(int) error {
				var image struct {
					ID   *identity `json:"id"`
					Name string    `json:"file_name"`
					// of the picture that its annotations were made on
					Width, Height float64
				}
				if err := j.value(&image); err != nil {
					return err
				}
				if image.ID == nil || image.Name == "" {
					return j.fault(errors.New("an image without id or file_name"))
				}
				if _, again := place[*image.ID]; again {
					return j.fault(fmt.Errorf("two images have the id %s", *image.ID))
				}
				place[*image.ID] = int32(len(images))
				images = append(images, cocoImage{name: image.Name, category: -1, size: [2]int32{side(image.Width), side(image.Height)}})
				return nil
			})
		case "categories":
			return j.array(func(int) error {
				var category struct {
					ID   *identity `json:"id"`
					Name string    `json:"name"`
				}
				if err := j.value(&category); err != nil {
					return err
				}
				if category.ID == nil || category.Name == "" {
					return j.fault(errors.New("a category without id or name"))
				}
				if err := checkName(file, "category", category.Name); err != nil {
					return err
				}
				if _, again := categoryAt[*category.ID]; again {
					return j.fault(fmt.Errorf("two categories have the id %s", *category.ID))
				}
				categoryAt[*category.ID] = int32(len(categories))
				categories = append(categories, d.shared(strings.TrimSpace(category.Name)))
				return nil
			})
		}
		return j.skip()
	})
	if err != nil {
		return "", err
	}
	note := func(what string) { d.count(file, what) }
	// annotations calls use for each annotation of a known image and a known category.
	annotations := func(use func(j *jsonFile, image *cocoImage, category int32, a cocoAnnotation) error) error {
		return d.inJSON(file, func(j *jsonFile, key string) error {
			if key != "annotations" {
				return j.skip()
			}
			return j.array(func(int) error {
				var a cocoAnnotation
				if err := j.value(&a); err != nil {
					return err
				}
				if a.Image == nil {
					return j.fault(errors.New("an annotation without image_id"))
				}
				at, ok := place[*a.Image]
				if !ok {
					note("an annotation of an image that is not in the file is passed over")
					return nil
				}
				if a.Category == nil {
					note("an annotation without category_id is passed over")
					return nil
				}
				category, ok := categoryAt[*a.Category]
				if !ok {
					return j.fault(fmt.Errorf("no category has the id %s", *a.Category))
				}
				return use(j, &images[at], category, a)
			})
		})
	}
	largest := d.options.Label == LabelLargest
	take := func(j *jsonFile, image *cocoImage, category int32, a cocoAnnotation) error {
		if largest && image.category != category {
			return nil
		}
		if err := image.take(a); errors.Is(err, errFlatBox) {
			d.count(file, "an annotation with a box without width or height shows nothing")
		} else if err != nil {
			return j.fault(fmt.Errorf("an annotation of image %s: %w", *a.Image, err))
		}
		return nil
	}
	several, first := 0, ""
	err = annotations(func(j *jsonFile, image *cocoImage, category int32, a cocoAnnotation) error {
		area := a.area()
		if image.category >= 0 && image.category != category && !image.several {
			image.several = true
			if several++; first == "" {
				first = fmt.Sprintf("%s has %s and %s", image.name, categories[image.category], categories[category])
			}
		}
		if image.category < 0 || largest && area > image.largest {
			image.category, image.largest = category, area
		}
		if largest {
			return nil
		}
		return take(j, image, category, a)
	})
	if err != nil {
		return "", err
	}
	if several > 0 && !largest {
		return "", fmt.Errorf("%w: %s: %d of %d images have several labels (%s), and the studio knows one label an image: keep the annotations of one, crop the objects into images of their own, "+
			"or take the category of the largest annotation with --label largest", ErrLayout, file, several, len(images), first)
	}
	if largest {
		note = func(string) {} // note it once
		if err := annotations(take); err != nil {
			return "", err
		}
	}
	split, word := d.splitOfFile(file)
	folder := d.folderOf(images, file, word)
	for i := range images {
		image := &images[i]
		name, ok := localName(path.Join(folder, image.name))
		if path.IsAbs(image.name) || !ok || hasDrive(image.name) { // from another machine
			if disk := d.seekPicture(image.name); disk != "" {
				name, ok = text.NFC(disk), true
				d.count(file, "paths of another place are read without the folders that are not here")
			}
		}
		if !ok || !text.Valid(name) {
			d.skip(text.Clean(image.name), "leads out of the data set's folder")
			continue
		}
		disk := d.locate(name)
		switch {
		case d.linked(disk) != "":
			d.skip(name, "%s", linkReason(d.linked(disk)))
			continue
		case !d.isRegular(disk):
			d.miss(name, "named in %s", file)
			continue
		case named.has(disk):
			d.skip(name, "named again in %s", file)
			continue
		}
		named.add(disk)
		if reason := d.checkPicture(disk); reason != "" {
			d.skip(name, "%s", reason)
			continue
		}
		class := ""
		if image.category >= 0 {
			class = categories[image.category]
		} else {
			d.count(name, "no annotation in "+file+": unlabelled")
		}
		if image.several {
			d.count(name, "several labels: that of the largest annotation is taken, and its annotations are the mask")
		}
		if m := image.marks; m != nil && image.size[0] > 0 && image.size[1] > 0 {
			m.Width, m.Height = int(image.size[0]), int(image.size[1])
		}
		d.add(disk, Sample{Split: split, Class: class, Marks: image.marks})
	}
	return folder, nil
}

// inJSON calls use for every key at the top of a JSON file.
func (d *Dataset) inJSON(file string, use func(j *jsonFile, key string) error) error {
	j, err := d.openJSON(file)
	if err != nil {
		return err
	}
	defer j.file.Close()
	return j.object(func(key string) error { return use(j, key) })
}

// folderOf finds the folder to which the file names in a COCO file are relative. It looks for the
// first image in every candidate, then for the next one: the first candidate that has the image is the folder.
func (d *Dataset) folderOf(images []cocoImage, file, word string) string {
	here := path.Dir(file)
	candidates := []string{word, path.Join("images", word), path.Join("train", word)}
	if here != "." {
		candidates = append(candidates, here)
	}
	candidates = append(candidates, "", "images", "data", "JPEGImages", path.Join(here, "images"), path.Join(here, "data"))
	for i := range images[:min(100, len(images))] {
		for _, folder := range candidates {
			if name, ok := localName(path.Join(folder, images[i].name)); ok && d.isRegular(d.locate(name)) {
				if folder == "." {
					return ""
				}
				return folder
			}
		}
	}
	return ""
}

// errFlatBox is a box without an inside.
var errFlatBox = errors.New("a box without width or height")

// maxCorners bounds the corners of one annotation and the runs of one mask.
const maxCorners = 1_000_000

// take adds an annotation's shape to its image.
func (image *cocoImage) take(a cocoAnnotation) error {
	mark := func() *Marks {
		if image.marks == nil {
			image.marks = &Marks{}
		}
		return image.marks
	}
	shape := strings.TrimSpace(string(a.Segmentation))
	switch {
	case strings.HasPrefix(shape, "[") && shape != "[]":
		var polygons [][]float32
		if err := json.Unmarshal(a.Segmentation, &polygons); err != nil {
			return fmt.Errorf("its polygons: %w", err)
		}
		for _, flat := range polygons {
			if len(flat) < 6 || len(flat)%2 != 0 || len(flat) > maxCorners {
				return fmt.Errorf("a polygon of %d numbers", len(flat))
			}
			polygon := make([]Corner, len(flat)/2)
			for i := range polygon {
				polygon[i] = Corner{flat[2*i], flat[2*i+1]}
			}
			mark().Polygons = append(mark().Polygons, polygon)
		}
	case strings.HasPrefix(shape, "{"):
		var runs struct {
			Counts json.RawMessage `json:"counts"`
			Size   [2]int          `json:"size"`
		}
		if err := json.Unmarshal(a.Segmentation, &runs); err != nil {
			return fmt.Errorf("its runs: %w", err)
		}
		lengths, err := runLengths(runs.Counts)
		if err != nil {
			return err
		}
		if runs.Size[0] < 1 || runs.Size[1] < 1 || runs.Size[0] > 1<<20 || runs.Size[1] > 1<<20 {
			return fmt.Errorf("runs of a size of %v", runs.Size)
		}
		mark().Runs = append(mark().Runs, Runs{Height: runs.Size[0], Width: runs.Size[1], Lengths: lengths})
	case len(a.Box) == 4 && a.Box[2] > 0 && a.Box[3] > 0:
		mark().Boxes = append(mark().Boxes, Box{a.Box[0], a.Box[1], a.Box[2], a.Box[3]})
	case len(a.Box) == 4:
		return errFlatBox
	case len(a.Box) != 0 && len(a.Box) != 4:
		return fmt.Errorf("a box of %d numbers", len(a.Box))
	}
	return nil
}

// runLengths reads the lengths of runs, from a list or from the packed text of COCO's own library. In that, a character holds five bits
// of a number, and its sixth bit says that more follow. From the third length on, the number is the difference to the length two
// before.
func runLengths(data json.RawMessage) ([]uint32, error) {
	if strings.HasPrefix(string(data), "[") {
		var lengths []uint32
		if err := json.Unmarshal(data, &lengths); err != nil || len(lengths) > maxCorners {
			return nil, errors.New("its runs are no list of lengths")
		}
		return lengths, nil
	}
	var packed string
	if err := json.Unmarshal(data, &packed); err != nil {
		return nil, errors.New("its runs are neither a list nor text")
	}
	var lengths []uint32
	for i := 0; i < len(packed); {
		var v int64
		for bits, more := 0, true; more; bits += 5 {
			if i == len(packed) || bits > 30 {
				return nil, errors.New("its runs end too early")
			}
			c := int64(packed[i]) - 48
			if c < 0 || c > 63 {
				return nil, fmt.Errorf("a character %q in its runs", packed[i])
			}
			v |= (c & 31) << bits
			more = c&32 != 0
			if !more && c&16 != 0 {
				v |= -1 << (bits + 5)
			}
			i++
		}
		if len(lengths) > 2 {
			v += int64(lengths[len(lengths)-2])
		}
		if v < 0 || v > 1<<31 || len(lengths) >= maxCorners {
			return nil, errors.New("its runs have an impossible length")
		}
		lengths = append(lengths, uint32(v))
	}
	return lengths, nil
}
