package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// fiftyOneFiles finds FiftyOne's files of labels: one at the root, or one in each split.
func (d *Dataset) fiftyOneFiles() []string {
	found := d.jsonFiles("", kindFiftyOne, kindFiftyOneSet)
	if len(found) > 0 {
		return found
	}
	for _, folder := range d.folders("") {
		if _, ok := d.splitWord(folder); ok {
			if inside := d.jsonFiles(folder, kindFiftyOne); len(inside) == 1 {
				found = append(found, inside...)
			}
		}
	}
	return found
}

func (d *Dataset) fitsFiftyOne() string {
	if files := d.fiftyOneFiles(); len(files) == 1 || len(files) > 1 && path.Dir(files[0]) != "." {
		return "FiftyOne: " + strings.Join(files, " and ")
	}
	return ""
}

// readFiftyOne reads FiftyOne's exports: FiftyOneImageClassificationDataset (data/ and labels.json, which names pictures without
// their suffix), by itself or in a folder for each split, and FiftyOneDataset (data/ and samples.json).
func (d *Dataset) readFiftyOne() error {
	files := d.fiftyOneFiles()
	if len(files) == 0 || len(files) > 1 && path.Dir(files[0]) == "." {
		return fmt.Errorf("%w: want one labels.json (with classes and labels) or samples.json; there are %d", ErrLayout, len(files))
	}
	for _, file := range files {
		var err error
		if d.sniff(file) == kindFiftyOneSet {
			err = d.readFiftyOneSamples(file)
		} else {
			err = d.readFiftyOneLabels(file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Dataset) readFiftyOneLabels(file string) error {
	below := strings.TrimPrefix(path.Dir(file), ".")
	split, _ := d.splitWord(below)
	for _, folder := range []string{"data", "images"} {
		if inside := path.Join(path.Dir(file), folder); d.isDir(inside) {
			below = inside
		}
	}
	if err := d.walk(below, func(name string) { d.add(name, Sample{Split: split}) }); err != nil {
		return err
	}
	d.Skipped = slices.DeleteFunc(d.Skipped, func(p Problem) bool { return p.Path == file })
	sort.Sort(byName{&d.samples})
	var classes []string
	listed := false
	err := d.inJSON(file, func(j *jsonFile, key string) error {
		if key != "classes" {
			return j.skip()
		}
		var names []string
		if err := j.value(&names); err != nil { // null where labels are names
			return err
		}
		listed = names != nil
		for _, name := range names {
			if err := checkName(file, "class", name); err != nil {
				return err
			}
			classes = append(classes, d.shared(name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	told := make([]bool, d.Len())
	err = d.inJSON(file, func(j *jsonFile, key string) error {
		if key != "labels" {
			return j.skip()
		}
		return j.object(func(name string) error {
			var value any
			if err := j.value(&value); err != nil {
				return err
			}
			class, err := classOf(value, classes, listed)
			if err != nil {
				return j.fault(fmt.Errorf("the label of %s %w", text.Cut(name, 60), err))
			}
			if err := checkName(file, "class", class); err != nil {
				return err
			}
			clean, ok := localName(path.Join(below, name))
			at := -1
			if ok {
				at = d.placeOf(clean)
			}
			if at < 0 {
				d.miss(text.Clean(name), "named in %s", file)
				return nil
			}
			d.samples.rows[at].class = d.samples.texts.share(d.shared(class))
			told[at] = true
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i, s := range d.All() {
		if !told[i] && (below == "" || strings.HasPrefix(s.Name, text.NFC(below)+"/")) {
			d.count(s.Name, "not in "+file+": unlabelled")
		}
	}
	return nil
}

// classOf reads a FiftyOne label: the index of a class, a name, or an object with a name. null is "" (unlabelled).
func classOf(value any, classes []string, listed bool) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case float64:
		if !listed {
			return strconv.FormatFloat(v, 'g', -1, 64), nil
		}
		if v != float64(int(v)) || v < 0 || int(v) >= len(classes) {
			return "", fmt.Errorf("is %v, and there are %d classes", v, len(classes))
		}
		return classes[int(v)], nil
	case string:
		return v, nil
	case []any:
		if len(v) == 1 {
			return classOf(v[0], classes, listed)
		}
		return "", fmt.Errorf("is %d labels, and "+oneLabel, len(v))
	case map[string]any:
		return classOf(v["label"], classes, listed)
	}
	return "", errors.New("is neither a name nor a number")
}

// placeOf returns the index of a sample by its name with or without suffix, once the samples are sorted by name; -1 if there is none.
func (d *Dataset) placeOf(name string) int {
	if i, ok := d.samples.find(name); ok {
		return i
	}
	if i, _ := d.samples.find(name + "."); i < d.Len() {
		if other := d.Sample(i).Name; strings.TrimSuffix(other, path.Ext(other)) == name {
			return i
		}
	}
	return -1
}

// readFiftyOneSamples reads samples.json: a path, tags (the split among them) and fields, of which the first classification or
// detections are the label.
func (d *Dataset) readFiftyOneSamples(file string) error {
	named := nameSet{}
	return d.inJSON(file, func(j *jsonFile, key string) error {
		if key != "samples" {
			return j.skip()
		}
		return j.array(func(int) error {
			var sample map[string]json.RawMessage
			if err := j.value(&sample); err != nil {
				return err
			}
			var given string
			var tags []string
			if json.Unmarshal(sample["filepath"], &given) != nil || given == "" {
				return j.fault(errors.New("a sample without filepath"))
			}
			_ = json.Unmarshal(sample["tags"], &tags)
			disk, ok := d.pictureOf(given, file, named)
			if !ok {
				return nil
			}
			split := ""
			for _, tag := range tags {
				if s, ok := d.splitWord(tag); ok {
					split = s
				}
			}
			class, boxes, err := fiftyOneLabel(sample)
			if err != nil {
				return j.fault(fmt.Errorf("%s: %w", text.Cut(given, 60), err))
			}
			if err := checkName(file, "class", class); err != nil {
				return err
			}
			if class == "" {
				d.count(disk, "no label in "+file+": unlabelled")
			}
			d.add(disk, Sample{Split: split, Class: class, Marks: d.inPixels(d.file(disk), boxes)})
			return nil
		})
	})
}

// fiftyOneLabel finds a sample's label, and its boxes as shares of the picture.
func fiftyOneLabel(sample map[string]json.RawMessage) (class string, boxes []Box, err error) {
	for _, field := range slices.Concat([]string{"ground_truth", "label"}, keysOf(sample)) {
		var label struct {
			Kind       string `json:"_cls"`
			Label      string `json:"label"`
			Detections []struct {
				Label string    `json:"label"`
				Box   []float32 `json:"bounding_box"`
			} `json:"detections"`
		}
		if json.Unmarshal(sample[field], &label) != nil {
			continue
		}
		switch label.Kind {
		case "Classification":
			return label.Label, nil, nil
		case "Classifications":
			return "", nil, errors.New("several labels, and " + oneLabel)
		case "Detections":
			for _, one := range label.Detections {
				if class != "" && one.Label != class {
					return "", nil, fmt.Errorf("the labels %s and %s, and "+oneLabel, class, one.Label)
				}
				class = one.Label
				if len(one.Box) == 4 {
					boxes = append(boxes, Box{one.Box[0], one.Box[1], one.Box[2], one.Box[3]})
				}
			}
			return class, boxes, nil
		}
	}
	return "", nil, nil
}

func keysOf(m map[string]json.RawMessage) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
