package dataset

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// readIDRiD reads the Indian Diabetic Retinopathy Image Dataset (Porwal et al. 2018) by its own
// folders. Graded photographs (part B) are the labelled samples, the retinopathy grade their class.
// Photographs of part A carry lesion masks and no grade: they are unlabelled samples with Parts.
//
// Ids restart in each part and each set, so IDRiD_01 of A, IDRiD_001 of B and IDRiD_001 of B's
// testing set are three photographs: names are whole paths, and a mask is looked for only in its own
// part and set. A lesion without a mask file is unknown. If there is a seg_to_grade_match.csv beside the parts, a photograph that is in
// both parts is read once: as the graded one of part B, with the masks of part A.
func (d *Dataset) readIDRiD() error {
	segmentation, grading := d.idridParts()
	if grading == "" && segmentation == "" {
		for _, entry := range d.look("") { // the archive's folder may be inside a folder of the same name
			inner := *d
			inner.Dir = d.file(entry.Name())
			if s, g := inner.idridParts(); entry.IsDir() && s+g != "" {
				return fmt.Errorf("%w: no folder \"1. Original Images\" in it: it is further down, in %q", ErrLayout, entry.Name())
			}
		}
		return fmt.Errorf("%w: no folder \"B. Disease Grading\" or \"A. Segmentation\" with \"1. Original Images\" in it", ErrLayout)
	}
	if grading != "" {
		if err := d.readGrading(grading); err != nil {
			return err
		}
	}
	if segmentation != "" {
		return d.readSegmentation(segmentation)
	}
	return nil
}

// fitsIDRiD recognises the layout by its parts.
func (d *Dataset) fitsIDRiD() string {
	segmentation, grading := d.idridParts()
	switch {
	case segmentation == "" && grading == "":
		return ""
	case grading == "":
		grading = segmentation
	}
	if grading == "." {
		grading = "1. Original Images"
	}
	return "IDRiD: " + grading
}

// idridParts finds the folders of the parts that hold original images: below the root, one further down in a folder of the
// part's own name, or the root itself (".") where it is one.
func (d *Dataset) idridParts() (segmentation, grading string) {
	if d.idridImages("") {
		lower := strings.ToLower(filepath.Base(d.Dir))
		if strings.Contains(lower, "segmentation") || !strings.Contains(lower, "grading") && !d.holdsTable("") {
			return ".", ""
		}
		return "", "."
	}
	for _, entry := range d.look("") {
		name := entry.Name()
		if !entry.IsDir() {
			continue
		}
		if !d.idridImages(name) {
			if inner := d.folders(name); len(inner) == 1 && d.idridImages(path.Join(name, inner[0])) {
				name = path.Join(name, inner[0])
			} else {
				continue
			}
		}
		switch lower := strings.ToLower(name); {
		case strings.Contains(lower, "segmentation"):
			segmentation = name
		case strings.Contains(lower, "grading"):
			grading = name
		}
	}
	return segmentation, grading
}

// idridImages reports whether a folder holds "1. Original Images" with the sets in it.
func (d *Dataset) idridImages(part string) bool {
	for _, entry := range d.look(part) {
		if entry.IsDir() && strings.Contains(strings.ToLower(entry.Name()), "original images") {
			return slices.ContainsFunc(d.folders(path.Join(part, entry.Name())), func(set string) bool { return idridSplit(set) != "" })
		}
	}
	return false
}

// holdsTable reports whether the ground truth of a part is tables.
func (d *Dataset) holdsTable(part string) bool {
	for _, truths := range d.look(part) {
		if truths.IsDir() && strings.Contains(strings.ToLower(truths.Name()), "groundtruth") {
			return slices.ContainsFunc(d.look(path.Join(part, truths.Name())), func(e entry) bool { return suffix(e.Name()) == ".csv" })
		}
	}
	return false
}

// idridSets pairs the folders of one part's images with its ground truth: "a. Training Set" with what starts with "a.".
func (d *Dataset) idridSets(part string) (images map[string]string, truths string, err error) {
	images = map[string]string{}
	list, err := d.entries(part)
	if err != nil {
		return nil, "", err
	}
	for _, entry := range list {
		lower, name := strings.ToLower(entry.Name()), path.Join(part, entry.Name())
		switch {
		case !entry.IsDir():
		case strings.Contains(lower, "groundtruth"):
			truths = name
		case strings.Contains(lower, "images"):
			sets, err := d.entries(name)
			if err != nil {
				return nil, "", err
			}
			for _, set := range sets {
				if split := idridSplit(set.Name()); split != "" && set.IsDir() {
					images[split] = path.Join(name, set.Name())
				}
			}
		}
	}
	return images, truths, nil
}

func idridSplit(name string) string {
	switch lower := strings.ToLower(name); {
	case strings.Contains(lower, "train"):
		return Train
	case strings.Contains(lower, "test"):
		return Test
	}
	return ""
}

func (d *Dataset) readGrading(part string) error {
	images, truths, err := d.idridSets(part)
	if err != nil {
		return err
	}
	grades := map[string]map[string]string{Train: {}, Test: {}} // split → id → grade
	if truths != "" {
		files, err := d.entries(truths)
		if err != nil {
			return err
		}
		for _, entry := range files {
			split := idridSplit(entry.Name())
			if entry.IsDir() || split == "" || !strings.EqualFold(path.Ext(entry.Name()), ".csv") {
				continue
			}
			if err := d.readGrades(path.Join(truths, entry.Name()), grades[split]); err != nil {
				return err
			}
		}
	}
	for _, split := range []string{Train, Test} {
		folder := images[split]
		if folder == "" {
			continue
		}
		err := d.walk(folder, func(name string) {
			id := text.NFC(stem(name))
			d.add(name, Sample{Split: split, Class: grades[split][id]})
			if grades[split][id] == "" {
				d.note(name, "not in the label file: unlabelled")
			}
			delete(grades[split], id)
		})
		if err != nil {
			return err
		}
		for id := range grades[split] {
			d.miss(path.Join(folder, id+".jpg"), "named in the label file")
		}
	}
	return nil
}

func (d *Dataset) readGrades(file string, grades map[string]string) error {
	t, err := d.openTable(file)
	if err != nil {
		return err
	}
	name, grade := t.column("image name", "image", "id_code"), t.column("retinopathy grade", "grade")
	if name < 0 || grade < 0 {
		t.close()
		return fmt.Errorf("%w: %s: want the columns \"Image name\" and \"Retinopathy grade\"; it has %s", ErrLayout, file, t.list())
	}
	return t.each(func(r row) error {
		id, g := text.NFC(r.at(name)), r.at(grade)
		if id == "" {
			return nil
		}
		if len(g) != 1 || g[0] < '0' || g[0] > '4' {
			return fmt.Errorf("%w: %s, line %d: retinopathy grade %q is none of 0 to 4", ErrLayout, file, r.line, text.Cut(g, 40))
		}
		if known := grades[id]; known != "" && known != g {
			return fmt.Errorf("%w: %s, line %d: %s has the grade %s and the grade %s", ErrLayout, file, r.line, id, known, g)
		}
		grades[strings.Clone(id)] = d.shared(g)
		return nil
	})
}

func (d *Dataset) readSegmentation(part string) error {
	images, truths, err := d.idridSets(part)
	if err != nil {
		return err
	}
	masks := map[string]map[string][]Part{Train: {}, Test: {}} // split → id → parts
	if truths != "" {
		if err := d.readLesions(truths, masks); err != nil {
			return err
		}
	}
	graded, err := d.readMatches()
	if err != nil {
		return err
	}
	byID := map[string]int{}
	for i, s := range d.All() {
		if s.Split == Train {
			byID[stem(s.Name)] = i
		}
	}
	for _, split := range []string{Train, Test} {
		if images[split] == "" {
			continue
		}
		err := d.walk(images[split], func(name string) {
			id := stem(name)
			if twin, found := byID[graded[id]]; found && split == Train {
				d.samples.extra(twin).parts = masks[split][id]
				d.skip(name, "the same photograph as %s, which has its masks", d.Sample(twin).Name)
				return
			}
			d.add(name, Sample{Split: split, Parts: masks[split][id]})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readLesions collects truths/SET/KIND/ID_XX.tif.
func (d *Dataset) readLesions(truths string, masks map[string]map[string][]Part) error {
	sets, err := d.entries(truths)
	if err != nil {
		return err
	}
	for _, set := range sets {
		split := idridSplit(set.Name())
		if !set.IsDir() || split == "" {
			continue
		}
		kinds, err := d.entries(path.Join(truths, set.Name()))
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			if !kind.IsDir() {
				continue
			}
			below := path.Join(truths, set.Name(), kind.Name())
			files, err := d.entries(below)
			if err != nil {
				return err
			}
			for _, file := range files {
				suffix := strings.ToLower(path.Ext(file.Name()))
				if file.IsDir() || suffix != ".tif" && suffix != ".tiff" && suffix != ".png" {
					continue
				}
				id := stem(file.Name())
				if cut := strings.LastIndexByte(id, '_'); cut > 0 {
					id = id[:cut]
				}
				masks[split][id] = append(masks[split][id], Part{Kind: lesion(kind.Name()), Path: d.file(path.Join(below, file.Name()))})
			}
		}
	}
	return nil
}

// lesion is a folder's name without its number: "1. Microaneurysms" is "microaneurysms".
func lesion(folder string) string {
	if _, name, ok := strings.Cut(folder, ". "); ok {
		folder = name
	}
	return strings.ToLower(folder)
}

// readMatches reads which photograph of part A is which of part B, from seg_to_grade_match.csv; none if there is no such file.
func (d *Dataset) readMatches() (map[string]string, error) {
	const file = "seg_to_grade_match.csv"
	out := map[string]string{}
	if !d.isRegular(file) {
		return out, nil
	}
	t, err := d.openTable(file)
	if err != nil {
		return nil, err
	}
	from, to := t.column("seg_file"), t.column("grade_image")
	err = t.each(func(r row) error {
		if r.at(from) != "" && r.at(to) != "" {
			out[stem(r.at(from))] = strings.Clone(r.at(to))
		}
		return nil
	})
	return out, err
}

// joinParts makes the masks of the kinds Options.Parts the object's. An image that has any of them gets their union as its mask.
func (d *Dataset) joinParts() error {
	kinds, images := map[string]bool{}, 0
	for _, e := range d.samples.more {
		if len(e.parts) > 0 && e.parts[0].Kind != "" {
			images++
		}
		for _, part := range e.parts {
			if part.Kind != "" {
				kinds[part.Kind] = true
			}
		}
	}
	for _, kind := range d.options.Parts {
		if !kinds[kind] {
			return fmt.Errorf("%w: no mask is of the kind %q; there are %s", ErrLayout, kind, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
	}
	if images > 0 && len(d.options.Parts) == 0 {
		d.note("", "%s masks of kinds (%s), and no mask of an object: name those that make it with --parts", have(images, "image"), strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	return nil
}

func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}
