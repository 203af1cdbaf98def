package annotator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// This file decides what an import does about an image, from what the project has under its name and what the source has now.

// DefaultSource is the source of images whose import named none.
const DefaultSource = "main"

// Difference is a way in which a source and a project are not the same.
type Difference string

// The kinds of differences. An image may differ in several ways, and is counted once under each.
const (
	DiffersNew        Difference = "new"        // the project has no image of the name
	DiffersBytes      Difference = "bytes"      // another picture under the name
	DiffersRenamed    Difference = "renamed"    // the project has the picture under another name, which the source has no longer
	DiffersUnreadable Difference = "unreadable" // the file cannot be read: the project keeps the picture it has, if it has one
	DiffersLabel      Difference = "label"      // its class at the source has changed
	DiffersCorrected  Difference = "corrected"  // people corrected its class, which it keeps
	DiffersSplit      Difference = "split"
	DiffersGroup      Difference = "group"
	DiffersMask       Difference = "mask"
	DiffersClicks     Difference = "clicks"
	DiffersRepaired   Difference = "repaired" // could not be read before, and can now
	DiffersReturned   Difference = "returned" // was gone, and is there again
	DiffersGone       Difference = "gone"     // the project has it, and the source no longer
	DiffersDeleted    Difference = "deleted"  // a person deleted it, and the source has it: it stays deleted
)

// ImageDifference is one difference of one image.
type ImageDifference struct {
	Kind Difference `json:"kind"`
	Name string     `json:"name"`
	Was  string     `json:"was,omitempty"` // in the project: a class, a split, a group, the start of a hash
	Is   string     `json:"is,omitempty"`  // at the source; for an unreadable file, the reason
	Maps MapsOf     `json:"maps,omitempty" doc:"Whether people have painted maps of the image, and one is approved; for kinds that concern them: bytes, label, split, gone."`
}

// MapsOf says what maps people have painted of an image.
type MapsOf string

// There are maps, and one of them is approved.
const (
	MapsPainted  MapsOf = "painted"
	MapsApproved MapsOf = "approved"
)

// MapsOfs are both.
var MapsOfs = []MapsOf{MapsPainted, MapsApproved}

// Painted counts images of which people have painted maps.
type Painted struct {
	Images   int `json:"images"`
	Approved int `json:"approved" doc:"Those with an approved map."`
}

// Text returns the count in words for people, "" for none.
func (p Painted) Text() string {
	switch {
	case p.Images == 0:
		return ""
	case p.Approved == 0:
		return fmt.Sprintf("%s with people's maps", text.Count(p.Images))
	}
	return fmt.Sprintf("%s with people's maps, %s approved", text.Count(p.Images), text.Count(p.Approved))
}

// Differences are the kinds in the order in which they are listed, in words for people.
var Differences = []struct {
	Kind  Difference
	Words string
}{
	{DiffersUnreadable, "cannot be read"},
	{DiffersNew, "new"},
	{DiffersRepaired, "could be read again"},
	{DiffersReturned, "back again"},
	{DiffersRenamed, "renamed at the source"},
	{DiffersBytes, "another picture"},
	{DiffersLabel, "another class"},
	{DiffersCorrected, "keeps the class that people gave it"},
	{DiffersSplit, "another split"},
	{DiffersGroup, "another group"},
	{DiffersMask, "another mask"},
	{DiffersClicks, "other clicks"},
	{DiffersGone, "gone from the source"},
	{DiffersDeleted, "deleted here, which they stay"},
}

// Text returns the old and the new value, and whether there are people's maps, in words for people; "" for nothing.
func (d ImageDifference) Text() string {
	maps := map[MapsOf]string{MapsPainted: "has people's maps", MapsApproved: "has an approved map"}[d.Maps]
	if was := d.wasIs(); was != "" && maps != "" {
		return was + "; " + maps
	} else if was != "" {
		return was
	}
	return maps
}

func (d ImageDifference) wasIs() string {
	switch {
	case d.Was == "" && d.Is == "":
		return ""
	case d.Kind == DiffersUnreadable:
		return d.Is
	case d.Kind == DiffersRepaired, d.Kind == DiffersRenamed, d.Kind == DiffersReturned, d.Kind == DiffersDeleted:
		return fmt.Sprintf("it was %s", d.Was)
	}
	return cmp.Or(d.Was, "none") + " → " + cmp.Or(d.Is, "none")
}

// MaxDifferences bounds how many differences of each kind a report lists by name.
const MaxDifferences = 1000

// ImportReport counts what an import found and did. Images is Added + Known + Changed + Repaired + Returned.
type ImportReport struct {
	Source  string `json:"source,omitempty"` // the name of the source
	Images  int    `json:"images"`           // in the data set
	Added   int    `json:"added"`            // new to the project
	Known   int    `json:"known"`            // in the project already, and the same
	Changed int    `json:"changed"`          // in the project, and different; each once
	// Unreadable are those of Changed whose files cannot be read any more: the project keeps the pictures it has, also with an update.
	Unreadable int `json:"unreadable"`
	Renamed    int `json:"renamed"`  // of Changed: in the project under another name, with the same bytes
	Updated    int `json:"updated"`  // of Changed: updated in the project
	Repaired   int `json:"repaired"` // could not be read before, and can now: updated in the project
	Returned   int `json:"returned"` // were gone, and are back: in use again
	Gone       int `json:"gone"`     // in the project, and no longer at the source
	Retired    int `json:"retired"`  // of Gone: taken out of use
	Waiting    int `json:"waiting"`  // of Repaired and Returned: not updated because a round runs
	// Corrected are images that keep a class that people gave them, though the source has another; Overruled those whose class had
	// changed at the source, which was taken over in place of the people's.
	Corrected int                `json:"corrected"`
	Overruled int                `json:"overruled"`
	Broken    int                `json:"broken"`            // files of the data set that cannot be read
	Changes   map[Difference]int `json:"changes,omitempty"` // how many images differ in each way
	// Painted counts those of Changes whose maps an update or a prune concerns: it takes the image out of use, or gives it another
	// picture, class or split.
	Painted map[Difference]Painted `json:"painted,omitempty" doc:"Of bytes, label, split and gone: how many have people's maps."`
	// Differences are the first MaxDifferences of each kind. When the source had no images before, only those that cannot be read are
	// listed.
	Differences []ImageDifference `json:"differences,omitempty"`
	// NoRoom says, of a look, why the import would be refused: its files are seen not to fit the project's quota.
	NoRoom string `json:"no_room,omitempty" doc:"Of a look: why the import would be refused, for its files do not fit the project's quota."`
}

// Left counts the differences that were not taken over, and can be.
func (r ImportReport) Left() int { return r.NotUpdated() + r.Gone - r.Retired + r.Waiting }

// NotUpdated counts the images that an update would change, and that were not.
func (r ImportReport) NotUpdated() int { return r.Changed - r.Unreadable - r.Updated }

// Names lists the names of the images with one kind of difference, as far as the report has them.
func (r ImportReport) Names(kind Difference) []string {
	var names []string
	for _, d := range r.Differences {
		if d.Kind == kind {
			names = append(names, d.Name)
		}
	}
	return names
}

// add adds the report of a further part.
func (r *ImportReport) add(part ImportReport) {
	r.Images += part.Images
	r.Added += part.Added
	r.Known += part.Known
	r.Changed += part.Changed
	r.Unreadable += part.Unreadable
	r.Renamed += part.Renamed
	r.Updated += part.Updated
	r.Repaired += part.Repaired
	r.Returned += part.Returned
	r.Gone += part.Gone
	r.Retired += part.Retired
	r.Waiting += part.Waiting
	r.Corrected += part.Corrected
	r.Overruled += part.Overruled
	r.Broken += part.Broken
	listed := map[Difference]int{}
	for _, d := range r.Differences {
		listed[d.Kind]++
	}
	for _, d := range part.Differences {
		if listed[d.Kind]++; listed[d.Kind] <= MaxDifferences {
			r.Differences = append(r.Differences, d)
		}
	}
	if r.Changes == nil {
		r.Changes = map[Difference]int{}
	}
	for kind, n := range part.Changes {
		r.Changes[kind] += n
	}
	for kind, n := range part.Painted {
		r.paint(kind, n)
	}
}

func (r *ImportReport) paint(kind Difference, n Painted) {
	if r.Painted == nil {
		r.Painted = map[Difference]Painted{}
	}
	all := r.Painted[kind]
	r.Painted[kind] = Painted{all.Images + n.Images, all.Approved + n.Approved}
}

// countPainted counts the listed differences of images with people's maps.
func (r *ImportReport) countPainted() {
	r.Painted = nil
	for _, d := range r.Differences {
		switch d.Maps {
		case MapsPainted:
			r.paint(d.Kind, Painted{Images: 1})
		case MapsApproved:
			r.paint(d.Kind, Painted{Images: 1, Approved: 1})
		}
	}
}

// clone returns a copy that can be added to.
func (r ImportReport) clone() ImportReport {
	r.Differences, r.Changes, r.Painted = slices.Clone(r.Differences), maps.Clone(r.Changes), maps.Clone(r.Painted)
	return r
}

// short returns the report with the first each differences of each kind, as a job stores it.
func (r ImportReport) short(each int) ImportReport {
	listed := map[Difference]int{}
	r.Differences = slices.DeleteFunc(slices.Clone(r.Differences), func(d ImageDifference) bool {
		listed[d.Kind]++
		return listed[d.Kind] > each
	})
	for i := range r.Differences {
		r.Differences[i].Is = shortReason(r.Differences[i].Is)
	}
	return r
}

// KnownImage is the image that a project has under a name: the one in use, or, if there is none, the one retired last.
type KnownImage struct {
	Image
	Clicks [][2]float64 // on an image in use
}

// ImageUpdate changes an image of the project to what the source says of it now; its bytes are the same.
type ImageUpdate struct {
	ID int64
	NewImage
	Keep *int // the class that people gave it and that it keeps; nil: it has the source's
}

// syncState is the state on which decisions about an import's images depend.
type syncState struct {
	classes []Class
	frozen  bool // a round runs, whose images must not change
	update  bool // change images that differ
	first   bool // the source had no images, so that all are new and are not listed
	// moved are the images of the project that have the bytes of some of those that are decided about, by their place in the list
	// (importer.moved).
	moved map[int]KnownImage
}

// syncPlan is what an import does about some images.
type syncPlan struct {
	add     []NewImage
	replace []int64       // images whose bytes have changed; their replacements are in add
	update  []ImageUpdate // in place
	seen    []int64       // images of the project that the source has
	moved   []int64       // of seen: under another name
	// displaced are images of the project whose names have pictures that the project knows from other names. What each tells is told
	// at the end, if the source has its picture nowhere.
	displaced map[int64]ImageDifference
	report    ImportReport
	concerned map[int]int64 // the images of differences, by their place in the report, that concern people's maps; see painted
}

// plan decides what to do about images. known is what the project has under their names.
func (s syncState) plan(known map[string]KnownImage, images []NewImage) syncPlan {
	p := syncPlan{report: ImportReport{Images: len(images), Changes: map[Difference]int{}}, displaced: map[int64]ImageDifference{}}
	find := ClassFinder(s.classes)
	for n, in := range images {
		if in.Broken != "" {
			p.report.Broken++
		}
		now, is := known[in.Name]
		if was, moved := s.moved[n]; moved {
			p.move(s, find, now, was, in)
			continue
		}
		if is {
			p.seen = append(p.seen, now.ID)
		}
		switch {
		case !is, now.Retired != "" && now.Hash != in.Hash:
			p.report.Added++
			p.add = append(p.add, in)
			if in.Broken != "" {
				p.differs(DiffersUnreadable, in.Name, "", in.Broken)
			}
			if !s.first {
				p.differs(DiffersNew, in.Name, "", "")
			}
		case now.staysOut():
			p.report.Known++
			p.differs(DiffersDeleted, in.Name, "", "")
		case now.Retired != "":
			p.takeBack(s, find, now, in, DiffersReturned, now.Broken, &p.report.Returned)
		case now.Broken != "" && in.Broken == "":
			if now.Hash != in.Hash { // the broken image is replaced; no round has used it
				p.report.Repaired++
				p.differs(DiffersRepaired, in.Name, now.Broken, "")
				p.replace, p.add = append(p.replace, now.ID), append(p.add, in)
				continue
			}
			p.takeBack(s, find, now, in, DiffersRepaired, now.Broken, &p.report.Repaired)
		default:
			p.compare(s, find, now, in, false)
		}
	}
	p.stay()
	return p
}

// takeBack puts an image of the same bytes back into use, unless a round runs.
func (p *syncPlan) takeBack(s syncState, find func(string) (int, bool), now KnownImage, in NewImage, kind Difference, was string, count *int) {
	*count++
	p.differs(kind, in.Name, was, "")
	if s.frozen {
		p.report.Waiting++
		return
	}
	u := ImageUpdate{ID: now.ID, NewImage: in}
	if now.keepsLabel(find, in.Class) {
		u.Keep = p.keep(s.classes, now, in)
	}
	p.update = append(p.update, u)
}

// keepsLabel reports whether people corrected the image's class and its source still has the class of before.
func (k KnownImage) keepsLabel(find func(string) (int, bool), class string) bool {
	return k.Corrected() && isClass(find, class, k.SourceLabel) && !isClass(find, class, k.Label)
}

// isClass reports whether a class of a source, by its key, is a label.
func isClass(find func(string) (int, bool), key string, label *int) bool {
	if key == "" || label == nil {
		return key == "" && label == nil
	}
	index, known := find(key)
	return known && index == *label
}

// keep tells that an image keeps the class that people gave it, and returns that.
func (p *syncPlan) keep(classes []Class, now KnownImage, in NewImage) *int {
	p.report.Corrected++
	p.differs(DiffersCorrected, in.Name, classKey(classes, now.Label), in.Class)
	return now.Label
}

// classKey returns the key of a label, "" for none.
func classKey(classes []Class, label *int) string {
	if label == nil || *label >= len(classes) {
		return ""
	}
	return classes[*label].Key
}

// compare decides about an image that is in use, and that may differ already.
func (p *syncPlan) compare(s syncState, find func(string) (int, bool), now KnownImage, in NewImage, differs bool) {
	tell := func(kind Difference, was, is string) {
		differs = true
		p.differs(kind, in.Name, was, is)
		if kind == DiffersBytes || kind == DiffersLabel || kind == DiffersSplit {
			p.concerns(now.ID)
		}
	}
	switch {
	case in.Broken != "" && now.Broken == "":
		p.report.Changed++
		p.report.Unreadable++
		p.differs(DiffersUnreadable, in.Name, "", in.Broken)
		return // the project keeps its readable picture, also with update
	case now.Hash != in.Hash && now.Broken == "":
		tell(DiffersBytes, firstOf(now.Hash), firstOf(in.Hash))
	case in.Broken != "":
		p.differs(DiffersUnreadable, in.Name, "", in.Broken)
	}
	relabelled := !isClass(find, in.Class, now.SourceLabel) && !isClass(find, in.Class, now.Label)
	if relabelled {
		tell(DiffersLabel, classKey(s.classes, now.Label), in.Class)
	}
	var keep *int
	switch {
	case !now.Corrected(), isClass(find, in.Class, now.Label):
	case relabelled && s.update:
		p.report.Overruled++
	default:
		keep = p.keep(s.classes, now, in)
	}
	if now.Split != in.Split {
		tell(DiffersSplit, string(now.Split), string(in.Split))
	}
	if now.Group != in.Group {
		tell(DiffersGroup, now.Group, in.Group)
	}
	if now.MaskHash != in.MaskHash && !in.MaskBroken {
		tell(DiffersMask, firstOf(now.MaskHash), firstOf(in.MaskHash))
	}
	if !slices.EqualFunc(now.Clicks, in.Clicks, func(a, b [2]float64) bool { // kept as float32
		return float32(a[0]) == float32(b[0]) && float32(a[1]) == float32(b[1])
	}) && in.Broken == "" {
		tell(DiffersClicks, countOf(len(now.Clicks), "clicks"), countOf(len(in.Clicks), "clicks"))
	}
	if in.MaskBroken && now.Hash == in.Hash {
		in.MaskHash = now.MaskHash
	}
	if !differs {
		p.report.Known++
		return
	}
	p.report.Changed++
	switch {
	case !s.update:
	case now.Hash != in.Hash && now.Broken == "":
		p.report.Updated++
		p.replace, p.add = append(p.replace, now.ID), append(p.add, in)
	default:
		p.report.Updated++
		if now.Broken != "" {
			in.Broken = now.Broken
		}
		p.update = append(p.update, ImageUpdate{now.ID, in, keep})
	}
}

// differs counts a difference and lists it.
func (p *syncPlan) differs(kind Difference, name, was, is string) {
	p.report.Changes[kind]++
	p.report.Differences = append(p.report.Differences, ImageDifference{Kind: kind, Name: name, Was: was, Is: is})
}

// concerns marks the last difference as one that concerns people's maps of an image.
func (p *syncPlan) concerns(id int64) {
	if p.concerned == nil {
		p.concerned = map[int]int64{}
	}
	p.concerned[len(p.report.Differences)-1] = id
}

// firstOf returns the start of a hash, "" for none.
func firstOf(hash string) string { return hash[:min(12, len(hash))] }

func countOf(n int, what string) string {
	if n == 0 {
		return ""
	}
	return text.Count(n) + " " + what
}

// Text returns the report in one line, for the trail and the job: what was done, then what was left as it was.
func (r ImportReport) Text() string {
	parts := []string{fmt.Sprintf("%s added, %s the same", text.Count(r.Added), text.Count(r.Known))}
	for _, part := range []struct {
		n      int
		format string
	}{
		{r.Repaired, "%s repaired"}, {r.Returned, "%s back again"}, {r.Updated, "%s updated"}, {r.Retired, "%s taken out"},
		{r.NotUpdated(), "%s changed and left as they are"}, {r.Renamed, "%s renamed at the source"}, {r.Gone - r.Retired, "%s gone from the source and kept"}, {r.Broken, "%s cannot be read"},
		{r.Corrected, "%s keep the class that people gave them"}, {r.Overruled, "%s corrected by people and overruled by the source's new class"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf(part.format, text.Count(part.n)))
		}
	}
	if r.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%s of them wait for the round that runs", text.Count(r.Waiting)))
	}
	return strings.Join(parts, "; ")
}
