package dataset

import (
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// bird is one line of images.txt and what the other lists say of it.
type bird struct {
	name  string // below images/, in NFC; "" if no image has this id
	class int    // of classes.txt; 0 where unknown
	split string
	marks *Marks
	found bool
}

// maxIDs bounds the ids of CUB-200-2011's lists, which are indices of a slice.
const maxIDs = 20_000_000

// isUUID matches the ids of NABirds, which has the layout of 2011.
var isUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f-]{1,36}$`)

// readCUB2011 reads the layout of 2011, whose lists are joined by an image's id: images.txt, train_test_split.txt (1: training),
// image_class_labels.txt with classes.txt, bounding_boxes.txt, parts/. A mask is the grey picture of the same name below
// segmentations/, whose shades say how many annotators agreed; without one, the box is the mask.
func (d *Dataset) readCUB2011() error {
	if !d.isDir("images") {
		return fmt.Errorf("%w: it has images.txt but no folder images/: put the folder beside the file", ErrLayout)
	}
	var birds []bird          // by id
	words := map[string]int{} // ids of NABirds, which are no numbers
	at := func(file string, number int, id string) (*bird, error) {
		n, err := strconv.Atoi(id)
		if known, ok := words[id]; ok {
			n, err = known, nil
		} else if isUUID.MatchString(id) && len(words) < maxIDs-1 && (len(words) > 0 || len(birds) == 0) {
			if file != "images.txt" {
				n = len(words) + 1
			} else {
				n = max(1, len(birds))
				words[strings.Clone(id)] = n
			}
			err = nil
		}
		if err != nil || n < 1 || n >= maxIDs {
			return nil, fmt.Errorf("%w: line %d of %s: %q is no id of an image", ErrLayout, number, file, text.Cut(id, 40))
		}
		if file != "images.txt" && (n >= len(birds) || birds[n].name == "") {
			d.count(file, "an id that images.txt does not have is passed over")
			return nil, nil
		}
		for n >= len(birds) {
			birds = append(birds, bird{})
		}
		return &birds[n], nil
	}
	// list reads a file of lines that begin with an image's id and have more numbers or words; it reports whether the file is there.
	list := func(file string, words int, use func(b *bird, words []string, where string) error) (bool, error) {
		if !d.isRegular(file) {
			return false, nil
		}
		return true, d.lines(file, func(number int, line string) error {
			fields := strings.Fields(line)
			if file == "images.txt" {
				fields = strings.SplitN(line, " ", 2)
			}
			where := fmt.Sprintf("line %d of %s", number, file)
			if len(fields) < words {
				return fmt.Errorf("%w: %s: %q has %d words, want %d, an image's id first", ErrLayout, where, text.Cut(line, 60), len(fields), words)
			}
			b, err := at(file, number, fields[0])
			if err != nil || b == nil {
				return err
			}
			return use(b, fields[1:], where)
		})
	}
	if _, err := list("images.txt", 2, func(b *bird, words []string, where string) error {
		name, ok := localName(strings.TrimSpace(words[0]))
		if !ok {
			d.skip(words[0], "%s leads out of the data set's folder", where)
			return nil
		}
		if b.name != "" {
			return fmt.Errorf("%w: %s gives the id of %s again", ErrLayout, where, b.name)
		}
		b.name = name
		return nil
	}); err != nil {
		return err
	}
	if there, err := list("train_test_split.txt", 2, func(b *bird, words []string, where string) error {
		split, ok := map[string]string{"1": Train, "0": Test}[words[0]]
		if !ok {
			return fmt.Errorf("%w: %s: %q is neither 1 (training) nor 0 (test)", ErrLayout, where, text.Cut(words[0], 40))
		}
		if b.split != "" && b.split != split {
			return fmt.Errorf("%w: %s: %s is in both splits", ErrLayout, where, b.name)
		}
		b.split = split
		return nil
	}); err != nil {
		return err
	} else if !there {
		d.note("train_test_split.txt", "not there: the images have no split")
	}
	classes, err := d.numbered("classes.txt")
	if err != nil {
		return err
	}
	labels, err := list("image_class_labels.txt", 2, func(b *bird, words []string, where string) error {
		n, err := strconv.Atoi(words[0])
		if err != nil || classes != nil && classes[n] == "" {
			return fmt.Errorf("%w: %s: classes.txt has no class %q", ErrLayout, where, text.Cut(words[0], 40))
		}
		b.class = n
		return nil
	})
	if err != nil {
		return err
	}
	boxes, err := list("bounding_boxes.txt", 5, func(b *bird, words []string, where string) error {
		v, err := floats(words[:4], where)
		if err != nil {
			return err
		}
		b.mark().Boxes = append(b.mark().Boxes, Box{X: v[0], Y: v[1], Width: v[2], Height: v[3]})
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.readBirdParts(list); err != nil {
		return err
	}
	place := make(map[string]int, len(birds))
	for id, b := range birds {
		if b.name != "" {
			if other, ok := place[b.name]; ok {
				return fmt.Errorf("%w: images.txt gives %s the ids %d and %d", ErrLayout, b.name, other, id)
			}
			place[b.name] = id
		}
	}
	folder := d.segmentations()
	if folder != "" && d.options.Mask == nil && d.isDir("segmentations") {
		d.options.Mask = &MaskRule{Shades: true} // a shade is the share of annotators who agree
	}
	masks := 0
	err = d.walk("images", func(name string) {
		below := strings.TrimPrefix(name, "images/")
		id, ok := place[text.NFC(below)]
		if !ok {
			d.skip(name, "not in images.txt")
			return
		}
		b := &birds[id]
		b.found = true
		class := path.Dir(below)
		if b.class > 0 && classes != nil {
			if text.NFC(class) != classes[b.class] {
				d.count(name, "the class is that of image_class_labels.txt, not the folder's name")
			}
			class = classes[b.class]
		}
		if b.split == "" {
			d.count(name, "not in train_test_split.txt: no split")
		}
		if labels && b.class == 0 {
			d.count(name, "not in image_class_labels.txt: the class is the folder's name")
		}
		s := Sample{Split: b.split, Class: class, Marks: b.marks}
		if folder != "" {
			if mask := folder + "/" + strings.TrimSuffix(below, path.Ext(below)) + ".png"; isFile(mask) {
				s.Mask = mask
				masks++
			}
		}
		d.add(name, s)
	})
	if err != nil {
		return err
	}
	skipped := map[string]bool{}
	for _, p := range d.Skipped {
		skipped[text.NFC(p.Path)] = true
	}
	for _, b := range birds {
		if name := "images/" + b.name; b.name != "" && !b.found && !skipped[name] {
			d.miss(name, "named in images.txt")
		}
	}
	switch {
	case folder == "" && boxes:
		d.note("bounding_boxes.txt", "no folder segmentations/: the box is the mask of each image")
	case folder != "" && masks < d.Len():
		d.note(filepath.Base(folder), "%d of %d images have a segmentation; for the others the box is the mask", masks, d.Len())
	}
	if d.isDir("attributes") {
		d.note("attributes", "passed over: the studio keeps no attributes")
	}
	return nil
}

// segmentations returns the path of the folder of segmentations. They come as an archive of their own, so the folder may also be beside
// the data set's.
func (d *Dataset) segmentations() string {
	if name := d.maskFolder(); name != "" {
		return d.file(name)
	}
	if d.Dir != d.root {
		above := *d
		above.Dir = filepath.Dir(d.Dir)
		if name := above.maskFolder(); name != "" {
			return above.file(name)
		}
	}
	return ""
}

// isFile reports whether a path is that of a regular file.
func isFile(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.Mode().IsRegular()
}

// readBirdParts reads the places of a bird's parts: those that the annotators agreed on, and every annotator's click.
func (d *Dataset) readBirdParts(list func(string, int, func(*bird, []string, string) error) (bool, error)) error {
	kinds, err := d.numbered("parts/parts.txt")
	if err != nil {
		return err
	}
	point := func(words []string, where string) (Point, bool, error) {
		v, err := floats(words[1:3], where)
		if err != nil {
			return Point{}, false, err
		}
		n, err := strconv.Atoi(words[0])
		if err != nil || kinds != nil && kinds[n] == "" {
			return Point{}, false, fmt.Errorf("%w: %s: parts.txt has no part %q", ErrLayout, where, text.Cut(words[0], 40))
		}
		kind := kinds[n]
		if kind == "" {
			kind = words[0]
		}
		return Point{Kind: d.shared(kind), X: v[0], Y: v[1]}, words[3] != "0", nil
	}
	if _, err := list("parts/part_locs.txt", 5, func(b *bird, words []string, where string) error {
		p, visible, err := point(words, where)
		if err == nil && visible {
			b.mark().Points = append(b.mark().Points, p)
		}
		return err
	}); err != nil {
		return err
	}
	_, err = list("parts/part_click_locs.txt", 5, func(b *bird, words []string, where string) error {
		p, visible, err := point(words, where)
		if err == nil && visible {
			b.mark().Clicks = append(b.mark().Clicks, p)
		}
		return err
	})
	return err
}

// numbered reads a list of "number name"; nil where the file is not there.
func (d *Dataset) numbered(file string) (map[int]string, error) {
	if !d.isRegular(file) {
		return nil, nil
	}
	out := map[int]string{}
	err := d.lines(file, func(number int, line string) error {
		first, name, ok := strings.Cut(line, " ")
		n, err := strconv.Atoi(first)
		name = strings.TrimSpace(name)
		switch {
		case !ok || err != nil || n < 0 || name == "" || len(name) > text.MaxName:
			return fmt.Errorf("%w: line %d of %s: %q is not a number and a name", ErrLayout, number, file, text.Cut(line, 60))
		case out[n] != "":
			return fmt.Errorf("%w: line %d of %s: the number %d occurs twice", ErrLayout, number, file, n)
		}
		out[n] = strings.Clone(name)
		return nil
	})
	return out, err
}

func (b *bird) mark() *Marks {
	if b.marks == nil {
		b.marks = &Marks{}
	}
	return b.marks
}

// floats reads finite numbers.
func floats(words []string, where string) ([]float32, error) {
	out := make([]float32, len(words))
	for i, word := range words {
		v, err := strconv.ParseFloat(word, 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%w: %s: %q is no number", ErrLayout, where, text.Cut(word, 40))
		}
		out[i] = float32(v)
	}
	return slices.Clip(out), nil
}
