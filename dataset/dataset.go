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
	"sort"
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

// What Options.Label may be besides "".
const (
	LabelLargest = "largest" // an image's class is the category of its largest annotation
	LabelWhole   = "whole"   // what looks like several labels in one cell of a table ("a;b") is the name of one class
)

// Labels are both.
var Labels = []string{LabelLargest, LabelWhole}

// Options say how a data set is read. With the zero value everything is told from the files.
type Options struct {
	Format      string // one of Formats; "" is Auto
	FollowLinks bool   // follow symbolic links that stay inside the data set's folder
	// Encoding is that of tables and lists that are neither UTF-8 nor marked as UTF-16, by the names of the WHATWG standard:
	// "windows-1252", "shift_jis".
	Encoding string
	Columns  map[string]string // names of a table's columns by what they hold (ColumnFile, …), if they are not the usual ones; "": not read
	Splits   map[string]string // the splits that words mean which SplitName does not know
	Mask     *MaskRule         // which values of a mask mean the object; nil: told from each mask (see Mask)
	// Label says what to do about an image with several labels: "" refuses it, LabelLargest takes one of COCO's categories, LabelWhole
	// takes what a cell holds for one label.
	Label string
	// Context ends the fetching of a bucket's files; nil: nothing does. Fetched, if it is not nil, is called for every file, by several
	// goroutines at once.
	Context context.Context
	Fetched func(done, all int)
	Parts   []string // the kinds of masks (Sample.Parts) that together make the object's; none: they stay apart

	folders []string // columns that need not be in a table, because folders tell the same (ColumnClass, ColumnSplit)
}

// Sample is one picture of a data set.
type Sample struct {
	Name  string // slash-separated path below the data set's root, with suffix: unique in the data set
	Path  string // where the file is
	Split string // Train, Validation, Test or Pool; "" where the data set does not say
	Class string // "" where unlabelled
	Group string // subgroup for worst-group accuracy, "" for none
	// Cluster is the same for pictures that belong together, of one patient, object or video, which intervals draw together; "" for none.
	Cluster string
	Mask    string // path of the file that shows the object: a mask (see Mask), a CUB-200-2010 .mat, a box .xml; "" where unknown
	// Parts are masks of several kinds (IDRiD's lesions), ordered by kind. A kind that is absent is unknown, not empty.
	Parts []Part
	Marks *Marks // boxes, polygons and points that the data set gives; nil for none
}

// Part is the mask of one kind of thing in a picture.
type Part struct {
	Kind string
	Path string
}

// Problem is a file that was not read, or a name without a file, with the reason.
type Problem struct {
	Path   string // slash-separated, below the root
	Reason string
}

// Dataset is what Open found: its samples (Len, Sample, All) and what it says of them.
type Dataset struct {
	Format  string    // never Auto: what was read
	Why     string    // how the format was recognised, such as "CUB-200-2011: images.txt and train_test_split.txt"
	Dir     string    // the folder that has the layout: the one given, one below it, or where an archive was unpacked
	Classes []string  // sorted; which output of a model each one is, only the model's manifest tells
	Skipped []Problem // files that are not usable pictures, with the reason
	Missing []Problem // files that a list, a label file or metadata.csv names and that do not exist
	Notes   []Problem // how unclear things were read, such as an empty mask that counts as unknown

	samples  packed
	options  Options
	given    string                  // the folder or file that was given
	single   string                  // the one file to read; "": all of Dir
	root     string                  // the folder inside which links must stay
	unpacked []*disk.TemporaryFolder // of this data set's own
	tables   []string                // metadata tables that were found
	maskDirs []maskDir               // folders of masks that were passed, to be paired
	labelled string                  // the column or file that the classes were read from as text; "": they are names of folders or listed
	links    map[string]string       // folders that links led to, by their real path
	names    map[string]string       // see shared
	looked   map[string][]entry      // see look
	legends  *legends                // see legendOf
	tallies  map[string]*tally
	seen     *masksSeen // of the masks that ObjectMask has read
	spelling struct {   // see spelt
		folder string
		names  map[string]string
	}
}

// tally counts the files that one note is about.
type tally struct {
	first string
	n     int
}

// Open reads the data set in dir, in a format of Formats or Auto; see Read.
func Open(format, dir string) (*Dataset, error) { return Read(dir, Options{Format: format}) }

// Read reads a data set: a folder, a table, an archive, or the files below a prefix in a bucket ("s3://bucket/prefix"). It looks at the
// name and the first bytes of each file, so that a picture that is damaged further in is found only when it is decoded. Archives and
// buckets are copied into a temporary folder, which Close removes.
//
// Errors wrap ErrFormat, ErrLayout, ErrSeveral, ErrEmpty or ErrBucket, and say what to do.
func Read(dir string, o Options) (*Dataset, error) {
	if o.Format == "" {
		o.Format = Auto
	}
	if o.Format != Auto && layoutNamed(o.Format) == nil {
		return nil, fmt.Errorf("%w %q: want one of %s", ErrFormat, o.Format, strings.Join(Formats(), ", "))
	}
	if o.Label != "" && !slices.Contains(Labels, o.Label) {
		return nil, fmt.Errorf("%w: --label %s: want %s", ErrLayout, o.Label, strings.Join(Labels, " or "))
	}
	for word, split := range o.Splits {
		if _, ok := SplitName(split); !ok {
			return nil, fmt.Errorf("%w: --splits %s=%s: want train, validation, test or pool", ErrLayout, word, split)
		}
	}
	for column := range o.Columns {
		if !slices.ContainsFunc(usualColumns, func(u usualColumn) bool { return u.column == column }) {
			return nil, fmt.Errorf("%w: --columns %s=…: want %s", ErrLayout, column, columnNames())
		}
	}
	d := &Dataset{Format: o.Format, options: o, looked: map[string][]entry{}, legends: &legends{known: map[string]*legend{}}, seen: &masksSeen{}}
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
	if d.Len() == 0 {
		hint := "it holds no " + pictureSuffixes()
		if len(d.Skipped) > 0 {
			if i := slices.IndexFunc(d.Skipped, func(p Problem) bool { return mayHoldAll(p.Path) != "" }); i >= 0 {
				return nil, errors.Join(fmt.Errorf("opening %s as %s: %w: %s is a file of pictures that is not read (%s): write its pictures as files", dir, d.Format, ErrEmpty, d.Skipped[i].Path, mayHoldAll(d.Skipped[i].Path)), d.Close())
			}
			if i := slices.IndexFunc(d.Skipped, func(p Problem) bool { return isPacked(p.Path) }); i >= 0 {
				return nil, errors.Join(fmt.Errorf("opening %s as %s: %w: %s is an archive inside the data set: unpack it, or give it as the data set", dir, d.Format, ErrEmpty, d.Skipped[i].Path), d.Close())
			}
			hint = fmt.Sprintf("%d skipped, the first: %s: %s", len(d.Skipped), d.Skipped[0].Path, d.Skipped[0].Reason)
		} else if len(d.Missing) > 0 {
			hint = fmt.Sprintf("%d named and not there, the first: %s: %s", len(d.Missing), d.Missing[0].Path, d.Missing[0].Reason)
		}
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w: %s", dir, d.Format, ErrEmpty, hint), d.Close())
	}
	table := d.labelFile()
	if err := cmp.Or(d.samples.checkRoom(), d.nameClasses(), d.pairMasks(), d.joinParts()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w", dir, d.Format, err), d.Close())
	}
	d.compareFolders(table)
	d.arrange()
	if err := cmp.Or(d.refuseSeveral(), d.describeMasks()); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s as %s: %w", dir, d.Format, err), d.Close())
	}
	return d, nil
}

// shown returns the data set's path or address without secrets.
func shown(given string) string {
	if u, err := url.Parse(given); err == nil && IsAddress(given) {
		return u.Redacted()
	}
	return given
}

// Close removes the temporary folders of this data set. If it was unpacked or fetched, the files of its samples are gone afterwards.
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
	sort.Sort(bySplit{&d.samples})
	known := map[string]bool{}
	for _, r := range d.samples.rows {
		if r.class > 0 {
			known[d.samples.texts.at(r.class)] = true
		}
	}
	d.Classes = slices.Sorted(maps.Keys(known))
	for reason, t := range d.tallies {
		d.Notes = append(d.Notes, Problem{Path: t.first, Reason: such(reason, t.n)})
	}
	d.noteOddClasses()
	d.tallies, d.names, d.looked = nil, nil, nil
	byPath := func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	}
	slices.SortFunc(d.Skipped, byPath)
	slices.SortFunc(d.Missing, byPath)
	slices.SortFunc(d.Notes, byPath)
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

// count notes a reason that may concern many files. It is listed once, with their number and the first of them.
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

// such says of how many files a reason is that is told of the first.
func such(reason string, n int) string {
	if n > 1 {
		return fmt.Sprintf("%s (%d such, this is the first)", reason, n)
	}
	return reason
}
