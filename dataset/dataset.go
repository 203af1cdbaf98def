package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/disk"
)

// Errors that Open wraps.
var (
	ErrFormat  = errors.New("unknown data set format")
	ErrEmpty   = errors.New("no image found")
	ErrLayout  = errors.New("the folder does not have the layout of this format")
	ErrSeveral = errors.New("the folder could be read in several ways")
)

// Splits, as Sample.Split names them.
const (
	Train      = "train"
	Validation = "validation"
	Test       = "test"
	Pool       = "pool" // labelled, not trained on: edits are made here
)

// LabelLargest takes the category of an image's largest annotation for its class.
const LabelLargest = "largest"

// Options say how a data set is read. The zero value lets the files tell.
type Options struct {
	Format      string // one of Formats; "" is Auto
	FollowLinks bool   // follow symbolic links that stay inside the data set's folder
	// Encoding of tables and lists that are neither UTF-8 nor marked UTF-16: "windows-1252", "shift_jis", as browsers know them.
	Encoding string
	Columns  map[string]string // the names of a table's columns by what they hold (ColumnFile, …), where they are not the usual ones; "": not read
	Splits   map[string]string // what words for splits mean, for those that SplitName does not know
	Mask     *MaskRule         // which values of a mask mean the object; nil: each mask tells (see Mask)
	// Label is what the class of an image is whose annotations name several (COCO): "" refuses it, LabelLargest takes one.
	Label string
	// Context ends the fetching of a bucket's files; nil: nothing does. Fetched, where there is one, is told of every file, by
	// several goroutines at once.
	Context context.Context
	Fetched func(done, all int)
	Parts   []string // the kinds of masks (Sample.Parts) that together make the object's; none: they stay apart

	folders []string // what the folders tell already (ColumnClass, ColumnSplit): a table without it is no surprise
}

// Sample is one picture of a data set.
type Sample struct {
	Name  string // slash-separated path below the data set's root, with suffix: unique in the data set
	Path  string // where the file is
	Split string // Train, Validation, Test or Pool; "" where the data set does not say
	Class string // "" where unlabelled
	Group string // subgroup for worst-group accuracy, "" for none
	Mask  string // path of what shows the object: a mask (see Mask), a CUB-200-2010 .mat, a box .xml; "" where unknown
	// Parts are masks of several kinds, by kind (IDRiD's lesions), in order. A kind that is not there is unknown, not empty.
	Parts []Part
	Marks *Marks // boxes, polygons and points that the data set gives; nil for none
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
	Format  string   // never Auto: what was read
	Why     string   // what the format was told by, such as "CUB-200-2011: images.txt and train_test_split.txt"
	Dir     string   // the folder that has the layout: the one given, one below it, or where an archive was unpacked
	Classes []string // sorted; the labels of a model's output only through its manifest
	Samples []Sample
	Skipped []Problem // files that are no usable pictures, with the reason
	Missing []Problem // named by a list, a label file or metadata.csv, and not there
	Notes   []Problem // what was read differently than it stands there, such as a mask that is empty and so taken as unknown

	options  Options
	given    string                  // the folder or file that was given
	single   string                  // the one file to read, "" for what Dir holds
	root     string                  // the folder that links may lead anywhere in
	unpacked []*disk.TemporaryFolder // of this data set's own
	tables   []string                // metadata tables met on the way
	links    map[string]string       // folders that links led to, by their real path
	names    map[string]string       // see shared
	tallies  map[string]*tally
	spelling struct { // see spelt
		folder string
		names  map[string]string
	}
}

// tally counts what is noted of many files.
type tally struct {
	first string
	n     int
}

// Open reads the data set in dir, in a format of Formats or Auto; see Read.
func Open(format, dir string) (*Dataset, error) { return Read(dir, Options{Format: format}) }

// Read reads the data set that lies in a folder, a table, or an archive, or below a prefix in a bucket ("s3://bucket/prefix"). Reading is by name and by the first bytes of each
// file: a picture that is damaged further in is found when it is decoded. An archive is unpacked into a temporary folder, which
// Close removes.
//
// It returns ErrFormat, ErrLayout, ErrSeveral, ErrEmpty or ErrBucket, wrapped with what to do about it.
func Read(dir string, o Options) (*Dataset, error) {
	if o.Format == "" {
		o.Format = Auto
	}
	if o.Format != Auto && layoutNamed(o.Format) == nil {
		return nil, fmt.Errorf("%w %q: want one of %s", ErrFormat, o.Format, strings.Join(Formats(), ", "))
	}
	if o.Label != "" && o.Label != LabelLargest {
		return nil, fmt.Errorf("%w: --label %s: want %s", ErrLayout, o.Label, LabelLargest)
	}
	for word, split := range o.Splits {
		if _, ok := SplitName(split); !ok {
			return nil, fmt.Errorf("%w: --splits %s=%s: want train, validation, test or pool", ErrLayout, word, split)
		}
	}
	for column := range o.Columns {
		if !slices.ContainsFunc(usualColumns, func(u usualColumn) bool { return u.column == column }) {
			return nil, fmt.Errorf("%w: --columns %s=…: want file, class, split, group or mask", ErrLayout, column)
		}
	}
	d := &Dataset{Format: o.Format, options: o}
	at, err := d.resolve(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", shown(dir), err), d.Close())
	}
	info, err := os.Stat(at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening data set: %w", err), d.Close())
	}
	dir = shown(dir)
	d.Dir, d.root = at, at
	if err := d.read(info); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w", dir, d.Format, err), d.Close())
	}
	if len(d.Samples) == 0 {
		hint := "it holds no " + pictureSuffixes()
		if len(d.Skipped) > 0 {
			hint = fmt.Sprintf("%d skipped, the first: %s: %s", len(d.Skipped), d.Skipped[0].Path, d.Skipped[0].Reason)
		} else if len(d.Missing) > 0 {
			hint = fmt.Sprintf("%d named and not there, the first: %s: %s", len(d.Missing), d.Missing[0].Path, d.Missing[0].Reason)
		}
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w: %s", dir, d.Format, ErrEmpty, hint), d.Close())
	}
	if err := d.joinParts(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w", dir, d.Format, err), d.Close())
	}
	d.arrange()
	if err := d.describeMasks(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w", dir, d.Format, err), d.Close())
	}
	return d, nil
}

// shown is what was given, without secrets.
func shown(given string) string {
	if u, err := url.Parse(given); err == nil && IsAddress(given) {
		return u.Redacted()
	}
	return given
}

// Close removes what was unpacked for this data set. The files of its samples are not there afterwards.
func (d *Dataset) Close() error {
	if d == nil {
		return nil
	}
	var all []error
	for _, folder := range d.unpacked {
		all = append(all, folder.Close())
	}
	d.unpacked = nil
	return errors.Join(all...)
}

// arrange puts samples, classes and problems into their documented order.
func (d *Dataset) arrange() {
	slices.SortStableFunc(d.Samples, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(splitRank(a.Split), splitRank(b.Split)), cmp.Compare(a.Name, b.Name))
	})
	known := map[string]bool{}
	for _, s := range d.Samples {
		if s.Class != "" {
			known[s.Class] = true
		}
	}
	d.Classes = slices.Sorted(maps.Keys(known))
	for reason, t := range d.tallies {
		if t.n > 1 {
			reason = fmt.Sprintf("%s (%d such, this is the first)", reason, t.n)
		}
		d.Notes = append(d.Notes, Problem{Path: t.first, Reason: reason})
	}
	d.tallies, d.names = nil, nil
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

func (d *Dataset) note(path, format string, args ...any) {
	d.Notes = append(d.Notes, Problem{Path: path, Reason: fmt.Sprintf(format, args...)})
}

// count notes what may be said of many files: once, with their number and the first of them.
func (d *Dataset) count(path, reason string) {
	if d.tallies == nil {
		d.tallies = map[string]*tally{}
	}
	t := d.tallies[reason]
	if t == nil {
		t = &tally{first: path}
		d.tallies[reason] = t
	}
	t.n++
	t.first = min(t.first, path)
}
