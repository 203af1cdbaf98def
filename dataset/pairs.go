package dataset

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// Masks that no table names: in folders of their own, beside the pictures or in their classes, and beside their pictures in one folder.
// They are found by names, and never read as pictures.

// isMaskFile reports whether a file in a folder of masks may be one, by its name.
func isMaskFile(name string) bool { return picture.HasSuffix(name) || isArray(name) }

// maskDir is a folder of masks.
type maskDir struct {
	parent string // the folder that it stands in
	path   string
	of     string // the folder beside it whose pictures the masks are of; "": of all pictures below parent
}

// masksAmong finds folders of masks among those of a folder: its name says so (masks, gt), or says of which other one (cat_masks beside
// cat). The folders of a data set about masks ("mask", "no_mask") are none. The result is the folder that each is of, "" for all.
func (d *Dataset) masksAmong(below string, folders []string) map[string]string {
	var out map[string]string
	for _, name := range folders {
		whose, sure, ok := maskName(name)
		if !ok || whose == "" && isMaskFolder(name) && aboutMasks(folders) {
			continue
		}
		of := ""
		if whose != "" {
			if of = folderOf(whose, folders); of == "" {
				continue
			}
		}
		if !sure && !d.fitsMasks(below, name, of) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = of
	}
	return out
}

// folderOf returns the folder, which is not of masks, whose name has these words; "" for none.
func folderOf(words string, folders []string) string {
	i := slices.IndexFunc(folders, func(other string) bool {
		_, _, masks := maskName(other)
		return !masks && strings.Join(nameWords(other), "_") == words
	})
	if i < 0 {
		return ""
	}
	return folders[i]
}

// aboutMasks reports whether folders are classes with and without masks: one has another word beside mask, which is no folder's name.
func aboutMasks(folders []string) bool {
	return slices.ContainsFunc(folders, func(name string) bool {
		whose, sure, ok := maskName(name)
		return ok && sure && whose != "" && folderOf(whose, folders) == "" || !ok && strings.Contains(strings.ToLower(name), "mask") // nomask, unmasked
	})
}

// aside reports whether a folder below another, among the folders there, describes the pictures. One of pictures may be a class called
// parts or labels, among other classes.
func (d *Dataset) aside(below, name string, folders []string) bool {
	if !isCompanion(name) || isMaskFolder(name) && aboutMasks(folders) {
		return false
	}
	_, _, masks := maskName(name)
	mayBeClass := !masks || holdsLabels(name)
	return !mayBeClass || slices.Contains(pictured, strings.ToLower(name)) || slices.ContainsFunc(folders, isContainer) || !d.onlyPictures(path.Join(below, name)) ||
		!slices.ContainsFunc(folders, func(other string) bool { return !isCompanion(other) && d.holdsPicture(path.Join(below, other)) })
}

// onlyPictures reports whether a folder holds pictures and nothing else.
func (d *Dataset) onlyPictures(name string) bool {
	list := d.look(name)
	return len(list) > 0 && !slices.ContainsFunc(list, func(e entry) bool { return e.IsDir() || !picture.HasSuffix(e.Name()) })
}

// takeMasks keeps the folders of masks among those of a folder, to be paired when all pictures are known, and returns them.
func (d *Dataset) takeMasks(below string, folders []string) map[string]string {
	masks := d.masksAmong(below, folders)
	for name, of := range masks {
		d.maskDirs = append(d.maskDirs, maskDir{below, path.Join(below, name), of})
	}
	return masks
}

// fitsMasks reports whether the pictures in a folder have the names of pictures beside it.
func (d *Dataset) fitsMasks(below, folder, of string) bool {
	const looked = 8
	var some []string // paths below folder
	var find func(at string, depth int)
	find = func(at string, depth int) {
		for _, e := range d.look(path.Join(below, folder, at)) {
			switch {
			case len(some) >= looked:
				return
			case e.IsDir() && depth < 3:
				find(path.Join(at, e.Name()), depth+1)
			case isMaskFile(e.Name()):
				some = append(some, path.Join(at, e.Name()))
			}
		}
	}
	find("", 0)
	above := []string{path.Join(below, of)}
	if of == "" {
		for _, name := range d.folders(below) {
			if isContainer(name) {
				above = append(above, path.Join(below, name))
			}
		}
	}
	fit := 0
	for _, mask := range some {
		own := stem(mask)
		ended := maskEnd.FindStringSubmatch(own)
		for _, at := range above {
			if slices.ContainsFunc(d.look(path.Join(at, path.Dir(mask))), func(e entry) bool {
				return !e.IsDir() && picture.HasSuffix(e.Name()) && (stem(e.Name()) == own || e.Name() == own || ended != nil && stem(e.Name()) == ended[1])
			}) {
				fit++
				break
			}
		}
	}
	return fit > 0 && 2*fit >= len(some)
}

// pairMasks gives pictures their masks by names: a mask has its picture's path below the folder of masks, or below images/, and its name
// or that with a word behind it. Masks that a table gives stay.
func (d *Dataset) pairMasks() error {
	if !d.byTable() && d.Format != "folder" && d.Format != "imagefolder" {
		return nil
	}
	named := slices.ContainsFunc(d.samples.rows, func(r sampleRow) bool { return r.mask > 0 || r.more > 0 })
	if d.Format == "folder" || d.Format == "imagefolder" {
		if named {
			d.dropMasks()
		}
		if err := d.pairBeside(); err != nil {
			return err
		}
	}
	if named {
		return nil
	}
	if d.Format != "folder" { // whose folders were read with this in mind
		above := []string{""}
		if folders := d.folders(""); len(folders) <= 64 {
			above = append(above, folders...)
		}
		for _, parent := range above {
			d.takeMasks(parent, d.folders(parent))
		}
	}
	slices.SortFunc(d.maskDirs, func(a, b maskDir) int { return strings.Compare(a.path, b.path) })
	for _, dir := range slices.Compact(d.maskDirs) {
		if err := d.pairFrom(dir); err != nil {
			return err
		}
	}
	d.maskDirs = nil
	return nil
}

// maskNames are the names in a folder of masks.
type maskNames struct {
	names    nameSet
	folders  nameSet
	suffixes []string // that they have
	ends     []string // what stands behind a picture's name before them, words before numbers
	numbers  bool     // ends has numbers alone
}

// mostEnds bounds how many ends a folder's masks may have.
const mostEnds = 64

func (m *maskNames) add(e entry) {
	if e.isDir {
		m.folders.add(text.NFC(e.name))
		return
	}
	if !isMaskFile(e.name) {
		return
	}
	name := text.NFC(e.name)
	m.names.add(name)
	s := path.Ext(name)
	if !slices.Contains(m.suffixes, s) {
		m.suffixes = append(m.suffixes, s)
	}
	own := strings.TrimSuffix(name, s)
	for _, end := range []*struct {
		found []string
		front bool
	}{{maskEnd.FindStringSubmatch(own), true}, {numberEnd.FindStringSubmatch(own), false}} {
		if end.found == nil {
			continue
		}
		if e := own[len(end.found[1]):]; len(m.ends) < mostEnds && !slices.Contains(m.ends, e) {
			m.numbers = m.numbers || !end.front
			m.ends = append(m.ends, e)
		}
		break
	}
}

// of returns the masks of a picture: one of its own name, or else all of that name with an end. taken reports whether a name without
// suffix is another picture's.
func (m *maskNames) of(name string, taken func(stem string) bool) (found []string) {
	own := strings.TrimSuffix(name, path.Ext(name))
	for _, stem := range []string{own, name} {
		for _, s := range m.suffixes {
			if m.names.has(stem + s) {
				return []string{stem + s}
			}
		}
		for _, end := range m.ends {
			for _, s := range m.suffixes {
				if m.names.has(stem+end+s) && !taken(stem+end) {
					found = append(found, stem+end+s)
				}
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// listMasks lists a folder of masks.
func (d *Dataset) listMasks(folder string) (*maskNames, error) {
	m := &maskNames{names: nameSet{}, folders: nameSet{}}
	if !d.isDir(d.locate(folder)) {
		return m, nil
	}
	_, err := d.list(d.locate(folder), func(string, string, ...any) {}, func(e entry) bool { m.add(e); return false })
	slices.Sort(m.ends)
	return m, err
}

// pairFrom gives the pictures below a folder the masks of another folder in it.
func (d *Dataset) pairFrom(dir maskDir) error {
	parent := dir.parent
	if parent != "" {
		parent += "/"
	}
	if dir.of != "" {
		parent += dir.of + "/"
	}
	inside := dir.path + "/"
	var below []int // the pictures, and their paths below the folder
	relative := func(i int) (rest string, ok bool) {
		name := d.samples.texts.at(d.samples.rows[i].name)
		if rest, ok = strings.CutPrefix(name, parent); !ok || strings.HasPrefix(name, inside) {
			return "", false
		}
		if first, after, inner := strings.Cut(rest, "/"); inner && dir.of == "" && isContainer(first) {
			rest = after
		}
		return rest, true
	}
	for i := range d.samples.rows {
		if _, ok := relative(i); ok {
			below = append(below, i)
		}
	}
	top, err := d.listMasks(dir.path)
	if err != nil {
		return err
	}
	flat, twice := d.flatMasks(top, below, relative)
	var pictures nameSet // paths without suffix, where a mask's end may be a part of its picture's name
	var at string        // the folder that there is the list of
	there := top
	found, without, files, many := 0, 0, 0, 0
	for _, i := range below {
		rest, _ := relative(i)
		folder := path.Join(dir.path, path.Dir(rest))
		if flat {
			folder = dir.path
		}
		if folder != at {
			if at = folder; folder == dir.path {
				there = top
			} else if there, err = d.listMasks(folder); err != nil {
				return err
			}
		}
		if there.numbers && pictures == nil {
			pictures = nameSet{}
			for _, k := range below {
				other, _ := relative(k)
				pictures.add(strings.TrimSuffix(other, path.Ext(other)))
			}
		}
		masks := there.of(path.Base(rest), func(stem string) bool { return pictures.has(path.Join(path.Dir(rest), stem)) })
		if own := stem(rest); masks == nil && there.folders.has(own) { // a folder of its own
			for _, e := range d.look(d.locate(path.Join(folder, own))) {
				if !e.IsDir() && isMaskFile(e.Name()) {
					masks = append(masks, path.Join(own, text.NFC(e.Name())))
				}
			}
		}
		if len(masks) == 0 {
			without++
			continue
		}
		found++
		files += len(masks)
		if len(masks) > 1 {
			many++
		}
		for k := range masks {
			masks[k] = path.Join(folder, masks[k])
		}
		d.giveMasks(i, masks)
	}
	all := 0
	if err := d.countFiles(dir.path, &all); err != nil {
		return err
	}
	d.Skipped = slices.DeleteFunc(d.Skipped, func(p Problem) bool { return p.Path == dir.path })
	if found == 0 {
		d.skip(dir.path, "%s", d.noPairs(dir, all, twice, func(yield func(name, rest string) bool) {
			for _, i := range below {
				if rest, _ := relative(i); !yield(d.Sample(i).Name, rest) {
					return
				}
			}
		}))
		return nil
	}
	says := "the masks of " + text.Plural(found, "image") + ", by their names"
	if many > 0 {
		says += "; where an image has several, they are joined (" + text.Plural(many, "image") + ")"
	}
	if without > 0 {
		says += fmt.Sprintf("; %s none there", have(without, "image"))
	}
	if all > files {
		says += fmt.Sprintf("; of its pictures, %d %s no image's", all-files, are(all-files))
	}
	d.note(dir.path, "%s", says)
	return nil
}

// have is "1 image has" or "2 images have".
func have(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " has"
	}
	return text.Plural(n, noun) + " have"
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// flatMasks reports whether a folder of masks has no folders, while its pictures lie in several, so that names alone tell; twice is a
// name that two of the pictures have, with which they do not.
func (d *Dataset) flatMasks(top *maskNames, below []int, relative func(int) (string, bool)) (flat bool, twice string) {
	if len(top.folders) > 0 || len(top.names) == 0 {
		return false, ""
	}
	seen := nameSet{}
	for _, i := range below {
		rest, _ := relative(i)
		flat = flat || path.Dir(rest) != "."
		own := stem(rest)
		if seen.has(own) {
			twice = own
		}
		seen.add(own)
	}
	return flat && twice == "", twice
}

// noPairs says why the masks of a folder are no picture's. below are the paths of pictures beside it.
func (d *Dataset) noPairs(dir maskDir, all int, twice string, below func(yield func(name, rest string) bool)) string {
	if all == 0 {
		if file := d.firstFile(dir.path); file != "" {
			return fmt.Sprintf("a folder of masks, with no picture in it: %s is not read as a mask: save masks as PNG or .npy", file)
		}
		return "a folder of masks, with no picture in it"
	}
	if twice != "" {
		return fmt.Sprintf("a folder of masks without folders, and several images are called %s: put the masks into folders as the images are", twice)
	}
	for name, rest := range below {
		return fmt.Sprintf("a folder of masks, none of which has the path and name of an image: that of %s is looked for as %s",
			name, path.Join(dir.path, path.Dir(rest), stem(rest)+".png"))
	}
	return "a folder of masks, with no images beside it"
}

// firstFile returns the first file in a folder or below it, "" for none.
func (d *Dataset) firstFile(folder string) string {
	for _, e := range d.look(folder) {
		name := path.Join(folder, e.Name())
		if !e.IsDir() {
			return name
		}
		if file := d.firstFile(name); file != "" {
			return file
		}
	}
	return ""
}

// giveMasks gives a sample one mask, or several that together show its object.
func (d *Dataset) giveMasks(i int, masks []string) {
	if len(masks) == 1 {
		d.samples.mask(i, d.file(d.locate(masks[0])))
		return
	}
	slices.Sort(masks)
	e := d.samples.extra(i)
	for _, mask := range masks {
		e.parts = append(e.parts, Part{Path: d.file(d.locate(mask))})
	}
}

// dropMasks takes pictures out that a table names as the masks of others.
func (d *Dataset) dropMasks() {
	masks := nameSet{}
	for _, s := range d.All() {
		if s.Mask != "" {
			masks.add(s.Mask)
		}
	}
	d.Keep(func(s Sample) bool { return s.Mask != "" || !masks.has(s.Path) })
}

// pairBeside finds masks among the pictures: 1_mask.png beside 1.jpg. They become that picture's masks, and one whose picture is not there
// is skipped. Photographs of such names stay pictures.
func (d *Dataset) pairBeside() error {
	type candidate struct {
		row   int
		owner string // the path of its picture, without suffix
	}
	var ended []candidate
	wanted := map[string]int{} // owners by their path; -1: not seen
	for i := range d.samples.rows {
		name := d.samples.texts.at(d.samples.rows[i].name)
		if m := maskEnd.FindStringSubmatch(stem(name)); m != nil {
			owner := path.Join(path.Dir(name), strings.TrimRight(m[1], " "))
			ended = append(ended, candidate{i, owner})
			wanted[owner] = -1
		}
	}
	if len(ended) == 0 {
		return nil
	}
	for i := range d.samples.rows {
		name := d.samples.texts.at(d.samples.rows[i].name)
		key := strings.TrimSuffix(name, path.Ext(name))
		if at, ok := wanted[key]; ok && at < 0 {
			wanted[key] = i
		}
	}
	paired := slices.DeleteFunc(slices.Clone(ended), func(c candidate) bool { return wanted[c.owner] < 0 })
	if len(paired) == 0 {
		return nil
	}
	first := d.Sample(paired[0].row).Name
	for k := range min(3, len(paired)) {
		s := d.Sample(paired[k*(len(paired)-1)/2].row)
		if photo, err := isPhotograph(s.Path); err == nil && photo {
			d.note(s.Name, "named like the mask of a picture beside it, and a photograph: such files are read as pictures")
			return nil
		}
	}
	masks := map[int][]string{}
	gone := make(map[int]bool, len(ended))
	for _, c := range ended {
		gone[c.row] = true
		name := d.Sample(c.row).Name
		if at := wanted[c.owner]; at < 0 {
			d.skip(name, "named like a mask, and its picture is not there")
		} else {
			masks[at] = append(masks[at], name)
		}
	}
	owner := d.Sample(wanted[paired[0].owner]).Name
	for i, names := range masks {
		if r := d.samples.rows[i]; r.mask == 0 && r.more == 0 {
			d.giveMasks(i, names)
		}
	}
	kept := d.samples.rows[:0]
	for i, r := range d.samples.rows {
		if !gone[i] {
			kept = append(kept, r)
		}
	}
	d.samples.rows = kept
	d.note(first, "%s", such("the mask of "+owner+", by its name", len(paired)))
	return nil
}

// isPhotograph reports whether a file has the colours of a photograph, which no mask has.
func isPhotograph(file string) (photo bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = picture.Process().Decode(context.Background(), f, nil, func(_ context.Context, decoded image.Image, _ picture.Header) error {
		colours := map[[3]uint8]struct{}{}
		bounds := decoded.Bounds()
		step := max(1, max(bounds.Dx(), bounds.Dy())/256)
		for y := bounds.Min.Y; y < bounds.Max.Y; y += step {
			for x := bounds.Min.X; x < bounds.Max.X; x += step {
				c := color.NRGBAModel.Convert(decoded.At(x, y)).(color.NRGBA)
				if max(c.R, c.G, c.B)-min(c.R, c.G, c.B) >= 16 {
					colours[[3]uint8{c.R >> 3, c.G >> 3, c.B >> 3}] = struct{}{}
				}
			}
		}
		photo = len(colours) > 256
		return nil
	})
	return photo, err
}

// countFiles counts the masks in a folder and those below it.
func (d *Dataset) countFiles(folder string, n *int) error {
	below, err := d.list(folder, func(string, string, ...any) {}, func(e entry) bool {
		if !e.isDir && isMaskFile(e.name) {
			*n++
		}
		return e.isDir
	})
	for _, e := range below {
		if err == nil {
			err = d.countFiles(path.Join(folder, e.name), n)
		}
	}
	return err
}
