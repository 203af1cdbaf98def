package dataset

import (
	"fmt"
	"path"
	"strings"
)

// readIDRiD reads the Indian Diabetic Retinopathy Image Dataset (Porwal et al. 2018) by its own
// folders. Graded photographs (part B) are the labelled samples, the retinopathy grade their class.
// Photographs of part A carry lesion masks and no grade: they are unlabelled samples with Parts.
//
// Ids restart in each part and each set, so IDRiD_01 of A, IDRiD_001 of B and IDRiD_001 of B's
// testing set are three photographs: names are whole paths, and a mask is looked for only in its own
// part and set. A lesion without a mask file is unknown. Where seg_to_grade_match.csv stands beside
// the parts, the masks go to the graded photograph and its copy in part A is passed over.
func (d *Dataset) readIDRiD() error {
	parts, err := d.entries("")
	if err != nil {
		return err
	}
	var segmentation, grading string
	for _, entry := range parts {
		lower := strings.ToLower(entry.Name())
		switch {
		case !entry.IsDir():
		case strings.Contains(lower, "segmentation"):
			segmentation = entry.Name()
		case strings.Contains(lower, "grading"):
			grading = entry.Name()
		}
	}
	if grading == "" && segmentation == "" {
		return fmt.Errorf("%w: no folder \"B. Disease Grading\" or \"A. Segmentation\"", ErrLayout)
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
			id := stem(name)
			d.add(name, split, grades[split][id])
			if grades[split][id] == "" {
				d.Notes = append(d.Notes, Problem{Path: name, Reason: "not in the label file: unlabelled"})
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
	t, err := openTable(d.file(file))
	if err != nil {
		return err
	}
	name, grade := t.column("image name", "image"), t.column("retinopathy grade", "grade")
	if name == "" || grade == "" {
		return fmt.Errorf("%w: %s: want the columns \"Image name\" and \"Retinopathy grade\"; it has %s", ErrLayout, file, strings.Join(t.columns, ", "))
	}
	for i, row := range t.rows {
		id, g := row[name], row[grade]
		if id == "" {
			continue
		}
		if len(g) != 1 || g[0] < '0' || g[0] > '4' {
			return fmt.Errorf("%w: %s, line %d: retinopathy grade %q is none of 0 to 4", ErrLayout, file, t.lines[i], g)
		}
		if known := grades[id]; known != "" && known != g {
			return fmt.Errorf("%w: %s, line %d: %s has the grade %s and the grade %s", ErrLayout, file, t.lines[i], id, known, g)
		}
		grades[id] = g
	}
	return nil
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
	byID := map[string]*Sample{}
	for i := range d.Samples {
		if s := &d.Samples[i]; s.Split == Train {
			byID[stem(s.Name)] = s
		}
	}
	var found []Sample
	for _, split := range []string{Train, Test} {
		if images[split] == "" {
			continue
		}
		err := d.walk(images[split], func(name string) {
			id := stem(name)
			if twin := byID[graded[id]]; split == Train && twin != nil {
				twin.Parts = masks[split][id]
				d.skip(name, "the same photograph as %s, which has its masks", twin.Name)
				return
			}
			found = append(found, Sample{Name: name, Path: d.file(name), Split: split, Parts: masks[split][id]})
		})
		if err != nil {
			return err
		}
	}
	d.Samples = append(d.Samples, found...)
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

// readMatches reads which photograph of part A is which of part B, where someone has found out.
func (d *Dataset) readMatches() (map[string]string, error) {
	const file = "seg_to_grade_match.csv"
	out := map[string]string{}
	if !d.isRegular(file) {
		return out, nil
	}
	t, err := openTable(d.file(file))
	if err != nil {
		return nil, err
	}
	for _, row := range t.rows {
		out[stem(row["seg_file"])] = row["grade_image"]
	}
	return out, nil
}

func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}
