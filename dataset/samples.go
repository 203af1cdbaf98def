package dataset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// A data set may have millions of samples and is held as a whole: it is sorted, and tables name its samples in any order. So a
// sample is kept as a row of 28 bytes beside its name, and becomes a Sample when it is looked at.

// packed is the samples of a data set.
type packed struct {
	texts texts
	rows  []sampleRow
	more  []extra // of those few that have more to say
}

// sampleRow is a sample; names are places in packed.texts.
type sampleRow struct {
	dir, name          uint32 // the file is below the folder dir
	class, group, mask uint32 // the mask is below dir too
	cluster            uint32
	more               uint32 // place in packed.more, counted from one; 0: none
	split              uint8  // place in splits
}

// extra is what few samples have, or what is large anyhow.
type extra struct {
	path  string // of a file that dir and name do not give
	mask  string // of a mask that is not below dir
	parts []Part
	marks *Marks
}

// splits are what Sample.Split may be, in order.
var splits = []string{Train, Validation, Test, Pool, ""}

func splitRank(split string) uint8 {
	if i := slices.Index(splits, split); i >= 0 {
		return uint8(i)
	}
	return uint8(len(splits) - 1)
}

// fileBelow is the path of a slash-separated name below a folder.
func fileBelow(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

// at is a sample by its place.
func (l *packed) at(i int) Sample {
	r := l.rows[i]
	s := Sample{Name: l.texts.at(r.name), Class: l.texts.at(r.class), Group: l.texts.at(r.group), Cluster: l.texts.at(r.cluster), Split: splits[r.split]}
	dir := l.texts.at(r.dir)
	s.Path = fileBelow(dir, s.Name)
	if r.mask > 0 {
		s.Mask = fileBelow(dir, l.texts.at(r.mask))
	}
	if r.more > 0 {
		e := l.more[r.more-1]
		s.Path, s.Mask, s.Parts, s.Marks = cmp.Or(e.path, s.Path), cmp.Or(e.mask, s.Mask), e.parts, e.marks
	}
	return s
}

// add adds a sample whose file is below dir.
func (l *packed) add(dir string, s Sample) {
	r := sampleRow{dir: l.texts.share(dir), name: l.texts.keep(s.Name)}
	l.rows = append(l.rows, r)
	i := len(l.rows) - 1
	if s.Path != fileBelow(dir, s.Name) {
		l.extra(i).path = s.Path
	}
	if s.Parts != nil || s.Marks != nil {
		e := l.extra(i)
		e.parts, e.marks = s.Parts, s.Marks
	}
	l.label(i, s)
	l.mask(i, s.Mask)
}

// extra is the sample's own, made where there is none.
func (l *packed) extra(i int) *extra {
	if l.rows[i].more == 0 {
		l.more = append(l.more, extra{})
		l.rows[i].more = uint32(len(l.more))
	}
	return &l.more[l.rows[i].more-1]
}

// label gives a sample the class, group, cluster and split of another.
func (l *packed) label(i int, s Sample) {
	r := &l.rows[i]
	r.class, r.group, r.cluster, r.split = l.texts.share(s.Class), l.texts.share(s.Group), l.texts.share(s.Cluster), splitRank(s.Split)
}

// mask gives a sample a mask by its path; "" takes it away.
func (l *packed) mask(i int, file string) {
	r := &l.rows[i]
	r.mask = 0
	if r.more > 0 {
		l.extra(i).mask = ""
	}
	if file == "" {
		return
	}
	dir := l.texts.at(r.dir)
	if name, ok := strings.CutPrefix(file, dir+string(filepath.Separator)); ok && fileBelow(dir, filepath.ToSlash(name)) == file {
		r.mask = l.texts.keep(filepath.ToSlash(name))
	} else {
		l.extra(i).mask = file
	}
}

// find is the place of a name among sorted rows, and whether it is there; else that of the name after it.
func (l *packed) find(name string) (int, bool) {
	return sort.Find(len(l.rows), func(i int) int { return bytes.Compare([]byte(name), l.texts.bytes(l.rows[i].name)) })
}

// Rows are sorted by split, then by name, then as they came.
type bySplit struct{ *packed }

func (l bySplit) Len() int      { return len(l.rows) }
func (l bySplit) Swap(i, j int) { l.rows[i], l.rows[j] = l.rows[j], l.rows[i] }
func (l bySplit) Less(i, j int) bool {
	a, b := &l.rows[i], &l.rows[j]
	return a.split < b.split || a.split == b.split && byName(l).Less(i, j)
}

// Or by name alone.
type byName struct{ *packed }

func (l byName) Len() int      { return len(l.rows) }
func (l byName) Swap(i, j int) { l.rows[i], l.rows[j] = l.rows[j], l.rows[i] }
func (l byName) Less(i, j int) bool {
	a, b := l.rows[i].name, l.rows[j].name
	return cmp.Or(bytes.Compare(l.texts.bytes(a), l.texts.bytes(b)), cmp.Compare(a, b)) < 0
}

// texts keeps strings one after another, where the garbage collector does not look at each: a place is where a string's length
// stands, and 0 is "".
type texts struct {
	blocks [][]byte
	places map[string]uint32 // of shared strings
	shared map[uint32]string
	full   bool // what was to be kept did not fit
}

const (
	textBlock = 1 << 20 // bytes; no string goes across
	maxShared = 100_000 // where every image has a group of its own, there is nothing to share
)

// keep keeps a string and returns its place.
func (t *texts) keep(s string) uint32 {
	if s == "" {
		return 0
	}
	last := len(t.blocks) - 1
	if last < 0 || len(t.blocks[last])+binary.MaxVarintLen32+len(s) > textBlock {
		first := make([]byte, 0, textBlock)
		if last < 0 {
			first = append(first, 0) // the place of ""
		}
		t.blocks = append(t.blocks, first)
		last++
	}
	if last >= 1<<32/textBlock || len(s) > textBlock/2 {
		t.full = true
		return 0
	}
	at := len(t.blocks[last])
	t.blocks[last] = append(binary.AppendUvarint(t.blocks[last], uint64(len(s))), s...)
	return uint32(last*textBlock + at)
}

// share is keep for a string that comes again: it is kept once.
func (t *texts) share(s string) uint32 {
	if s == "" {
		return 0
	}
	if place, ok := t.places[s]; ok {
		return place
	}
	place := t.keep(s)
	if place > 0 && len(t.places) < maxShared {
		if t.places == nil {
			t.places, t.shared = map[string]uint32{}, map[uint32]string{}
		}
		s = strings.Clone(s)
		t.places[s], t.shared[place] = place, s
	}
	return place
}

// bytes is the string at a place, which must not be changed.
func (t *texts) bytes(place uint32) []byte {
	if place == 0 {
		return nil
	}
	b := t.blocks[place/textBlock][place%textBlock:]
	n, head := binary.Uvarint(b)
	return b[head : head+int(n)]
}

func (t *texts) at(place uint32) string {
	if s, ok := t.shared[place]; ok {
		return s
	}
	return string(t.bytes(place))
}

// Len is the number of samples.
func (d *Dataset) Len() int { return len(d.samples.rows) }

// Sample returns a sample by its place, from 0 to Len.
func (d *Dataset) Sample(i int) Sample { return d.samples.at(i) }

// All yields every sample with its place. They are ordered by split (train, validation, test, pool, none), then by name, so that
// two readings of one folder agree anywhere.
func (d *Dataset) All() iter.Seq2[int, Sample] {
	return func(yield func(int, Sample) bool) {
		for i := range d.samples.rows {
			if !yield(i, d.samples.at(i)) {
				return
			}
		}
	}
}

// Samples returns all samples, in order. A million take half a gigabyte: All yields them one by one.
func (d *Dataset) Samples() []Sample {
	out := make([]Sample, d.Len())
	for i, s := range d.All() {
		out[i] = s
	}
	return out
}

// Split returns the samples of one split, in order.
func (d *Dataset) Split(name string) []Sample {
	var out []Sample
	for i := range d.samples.rows {
		if splits[d.samples.rows[i].split] == name {
			out = append(out, d.samples.at(i))
		}
	}
	return out
}

// Keep leaves the samples that keep is true of, which is asked in order.
func (d *Dataset) Keep(keep func(Sample) bool) {
	kept := d.samples.rows[:0]
	for i, r := range d.samples.rows {
		if keep(d.samples.at(i)) {
			kept = append(kept, r)
		}
	}
	d.samples.rows = kept
}

// Named returns the sample of a name.
func (d *Dataset) Named(name string) (Sample, bool) {
	rows := d.samples.rows
	for first := 0; first < len(rows); { // split by split
		n := sort.Search(len(rows)-first, func(i int) bool { return rows[first+i].split > rows[first].split })
		part := packed{texts: d.samples.texts, rows: rows[first : first+n]}
		if i, ok := part.find(name); ok {
			return d.Sample(first + i), true
		}
		first += n
	}
	return Sample{}, false
}

// Assign gives every sample the split that is said, and puts them in order again.
func (d *Dataset) Assign(split func(Sample) string) {
	for i, s := range d.All() {
		d.samples.rows[i].split = splitRank(split(s))
	}
	sort.Sort(bySplit{&d.samples})
}

// add adds a picture by its name on the disk, and what else is known of it.
func (d *Dataset) add(name string, s Sample) {
	s.Path, s.Name, s.Class = d.file(name), text.NFC(name), d.shared(s.Class)
	if s.Name != name && d.twin(name, s.Name) {
		d.skip(s.Name, "there are two files of this name, which differ only in how their letters are composed (Unicode NFC and NFD): rename one")
		return
	}
	d.samples.add(d.Dir, s)
}

// checkRoom says whether all names could be kept.
func (l *packed) checkRoom() error {
	if l.texts.full {
		return fmt.Errorf("%w: its names take more than 4 GiB, or one is longer than %d bytes: import it in parts", ErrLayout, textBlock/2)
	}
	return nil
}
