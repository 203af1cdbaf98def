package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Errors that Open wraps.
var (
	ErrFormat = errors.New("unknown data set format")
	ErrEmpty  = errors.New("no image found")
	ErrLayout = errors.New("the folder does not have the layout of this format")
)

// Splits, as Sample.Split names them.
const (
	Train      = "train"
	Validation = "validation"
	Test       = "test"
	Pool       = "pool" // labelled, not trained on: edits are made here
)

// Formats lists the names that Open takes.
func Formats() []string { return []string{"folder", "cub", "idrid", "csv"} }

// Sample is one picture of a data set.
type Sample struct {
	Name  string // slash-separated path below the data set's root, with suffix: unique in the data set
	Path  string // where the file is
	Split string // Train, Validation, Test or Pool; "" where the data set does not say
	Class string // "" where unlabelled
	Group string // subgroup for worst-group accuracy, "" for none
	Mask  string // path of the object's mask (grey picture, white inside), "" where unknown
	// Parts are masks of several kinds, by kind (IDRiD's lesions), in order. A kind that is not there is unknown, not empty.
	Parts []Part
}

// Part is the mask of one kind of thing in a picture.
type Part struct {
	Kind string
	Path string
}

// Problem is a file that was passed over, or a name without a file.
type Problem struct {
	Path   string // slash-separated, below the root
	Reason string
}

// Dataset is what Open found. Samples are ordered by split (train, validation, test, pool, none),
// then by name, so that two readings of one folder agree anywhere.
type Dataset struct {
	Format  string
	Dir     string
	Classes []string // sorted; the labels of a model's output only through its manifest
	Samples []Sample
	Skipped []Problem // files that are no usable pictures, with the reason
	Missing []Problem // named by a list, a label file or metadata.csv, and not there
	Notes   []Problem // what was read differently than it stands there, such as a mask that is empty and so taken as unknown
}

// Open reads the data set in dir. Format is one of Formats. Reading is by name and by the first
// bytes of each file: a picture that is damaged further in is found when it is decoded.
//
// It returns ErrFormat, ErrLayout or ErrEmpty, wrapped with what to do about it.
func Open(format, dir string) (*Dataset, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("opening data set: %w", err)
	}
	d := &Dataset{Format: format, Dir: dir}
	var err error
	switch format {
	case "folder":
		err = d.readFolder()
	case "cub":
		err = d.readCUB()
	case "idrid":
		err = d.readIDRiD()
	case "csv":
		err = d.readTable()
	default:
		return nil, fmt.Errorf("%w %q: want one of %s", ErrFormat, format, strings.Join(Formats(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s as %s: %w", dir, format, err)
	}
	if len(d.Samples) == 0 {
		hint := "it holds no " + pictureSuffixes()
		if len(d.Skipped) > 0 {
			hint = fmt.Sprintf("%d skipped, the first: %s: %s", len(d.Skipped), d.Skipped[0].Path, d.Skipped[0].Reason)
		}
		return nil, fmt.Errorf("opening %s as %s: %w: %s", dir, format, ErrEmpty, hint)
	}
	d.arrange()
	return d, nil
}

// arrange puts samples, classes and problems into their documented order.
func (d *Dataset) arrange() {
	slices.SortStableFunc(d.Samples, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(splitRank(a.Split), splitRank(b.Split)), cmp.Compare(a.Name, b.Name))
	})
	for _, s := range d.Samples {
		if s.Class != "" {
			d.Classes = append(d.Classes, s.Class)
		}
	}
	slices.Sort(d.Classes)
	d.Classes = slices.Compact(d.Classes)
	byPath := func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	}
	slices.SortFunc(d.Skipped, byPath)
	slices.SortFunc(d.Missing, byPath)
	slices.SortFunc(d.Notes, byPath)
}

// Split returns the samples of one split, in order, sharing memory with d.
func (d *Dataset) Split(name string) []Sample {
	first := slices.IndexFunc(d.Samples, func(s Sample) bool { return s.Split == name })
	if first < 0 {
		return nil
	}
	end := first
	for end < len(d.Samples) && d.Samples[end].Split == name {
		end++
	}
	return d.Samples[first:end:end]
}

func splitRank(split string) int {
	if i := slices.Index([]string{Train, Validation, Test, Pool}, split); i >= 0 {
		return i
	}
	return 4
}

// SplitName reads a folder's or a table's word for a split: "val" and "valid" are Validation,
// "training" is Train, "testing" Test, whatever the case. ok is false for any other word.
func SplitName(word string) (split string, ok bool) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "train", "training":
		return Train, true
	case "val", "valid", "validation":
		return Validation, true
	case "test", "testing":
		return Test, true
	case "pool":
		return Pool, true
	}
	return "", false
}

func (d *Dataset) skip(path, format string, args ...any) {
	d.Skipped = append(d.Skipped, Problem{Path: path, Reason: fmt.Sprintf(format, args...)})
}

func (d *Dataset) miss(path, format string, args ...any) {
	d.Missing = append(d.Missing, Problem{Path: path, Reason: fmt.Sprintf(format, args...)})
}

// SameClasses reports whether two lists name the same classes, in whatever order.
func SameClasses(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
