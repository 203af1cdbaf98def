package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// JSON files that give each picture its class, {"1.jpg": "cat"}, or each class its pictures, {"cat": ["1.jpg"]}.

// fileMaps lists the JSON files beside or above the pictures that are such maps.
func (d *Dataset) fileMaps() (files []string) {
	for _, folder := range []string{"", "annotations", "labels"} {
		for _, entry := range d.look(folder) {
			if name := path.Join(folder, entry.Name()); !entry.IsDir() && suffix(name) == ".json" && len(files) < maxLooked && d.isFileMap(name) {
				files = append(files, name)
			}
		}
	}
	return files
}

// isFileMap reports whether the first entries of a JSON object name pictures that are there.
func (d *Dataset) isFileMap(name string) bool {
	j, err := d.openJSON(name)
	if err != nil {
		return false
	}
	defer j.file.Close()
	is, n := false, 0
	err = j.object(func(key string) error {
		var value any
		if err := j.value(&value); err != nil {
			return err
		}
		list, _ := value.([]any)
		first := ""
		if len(list) > 0 {
			first, _ = list[0].(string)
		}
		fields, object := value.(map[string]any)
		is = picture.HasSuffix(key) && (!object || fieldOf(d, fields, ColumnClass) != "") || picture.HasSuffix(first)
		if n++; !is || n == 3 {
			return errEnough
		}
		return nil
	})
	return is && (err == nil || errors.Is(err, errEnough)) && d.namesPicturesHere(name)
}

func (d *Dataset) fitsFileMap() string {
	if files := d.fileMaps(); len(files) > 0 {
		return "JSON of files and classes: " + strings.Join(files, ", ")
	}
	return ""
}

// fieldOf returns what an object has under one of a column's usual names.
func fieldOf(d *Dataset, fields map[string]any, column string) string {
	names := usualColumns[slices.IndexFunc(usualColumns, func(u usualColumn) bool { return u.column == column })].names
	if said, ok := d.options.Columns[column]; ok {
		names = []string{said}
	}
	for _, name := range names {
		for key, value := range fields {
			if columnKey(key) == columnKey(name) {
				return cellOf(value)
			}
		}
	}
	return ""
}

func (d *Dataset) readFileMap() error {
	files := d.fileMaps()
	if len(files) == 0 {
		return fmt.Errorf(`%w: no JSON file of the kind {"1.jpg": "cat"} names pictures that are here`, ErrLayout)
	}
	places, seen := placer{d: d}, map[string]Sample{}
	for _, file := range files {
		split := ""
		if len(files) > 1 {
			split, _ = d.splitWord(stem(file))
		}
		if err := d.readFileMapOf(file, split, &places, seen); err != nil {
			return err
		}
		d.labelled = file
	}
	return d.countOthers("", strings.Join(files, " and "), func(name string) bool { _, is := seen[text.NFC(name)]; return is })
}

func (d *Dataset) readFileMapOf(file, split string, places *placer, seen map[string]Sample) error {
	j, err := d.openJSON(file)
	if err != nil {
		return err
	}
	defer j.file.Close()
	j.UseNumber()
	add := func(given string, s Sample) error {
		where := fmt.Sprintf("%s, near byte %d", file, j.InputOffset())
		if err := checkName(where, "class", s.Class); err != nil {
			return err
		}
		disk, reason := places.find(given, s.Split)
		if disk == "" && reason == "" && path.Dir(file) != "." {
			disk, reason = places.find(path.Join(path.Dir(file), given), s.Split)
		}
		s.Class = text.NFC(s.Class)
		before, twice := seen[text.NFC(disk)]
		switch {
		case reason != "":
			return fmt.Errorf("%w: %s: %s %s", ErrLayout, where, given, reason)
		case disk == "":
			d.miss(given, "named in %s", file)
			return nil
		case twice && before.Class != s.Class:
			return fmt.Errorf("%w: %s: %s has the class %q, and had the class %q: an image has one class", ErrLayout, where, given, s.Class, before.Class)
		case twice && before.Split != s.Split:
			return fmt.Errorf("%w: %s: %s has the split %q, and had the split %q", ErrLayout, where, given, s.Split, before.Split)
		case twice:
			return nil
		}
		seen[text.NFC(disk)] = s
		if d.linked(disk) != "" {
			d.skip(disk, "%s", linkReason(d.linked(disk)))
			return nil
		}
		if reason := d.checkPicture(disk); reason != "" {
			d.skip(disk, "%s", reason)
			return nil
		}
		d.add(disk, s)
		return nil
	}
	return j.object(func(key string) error {
		var value any
		if err := j.value(&value); err != nil {
			return err
		}
		list, isList := value.([]any)
		if !picture.HasSuffix(key) && isList {
			for _, of := range list {
				name, ok := of.(string)
				if !ok {
					return fmt.Errorf("%w: %s: the list of the class %q holds what is no name of a file", ErrLayout, file, text.Cut(key, 40))
				}
				if err := add(name, Sample{Split: split, Class: key}); err != nil {
					return err
				}
			}
			return nil
		}
		s := Sample{Split: split}
		switch v := value.(type) {
		case nil:
		case string:
			s.Class = v
		case json.Number:
			s.Class = v.String()
		case []any:
			if len(v) != 1 {
				return fmt.Errorf("%w: %s: %s has %d labels: %s", ErrLayout, file, text.Cut(key, 80), len(v), oneLabel)
			}
			s.Class = cellOf(v[0])
		case map[string]any:
			s.Class, s.Group, s.Cluster = fieldOf(d, v, ColumnClass), fieldOf(d, v, ColumnGroup), fieldOf(d, v, ColumnCluster)
			if word := fieldOf(d, v, ColumnSplit); word != "" {
				said, ok := d.splitWord(word)
				if !ok {
					return fmt.Errorf("%w: %s: split %q of %s is none of train, validation, test, pool", ErrLayout, file, text.Cut(word, 40), text.Cut(key, 80))
				}
				s.Split = said
			}
		default:
			return fmt.Errorf("%w: %s: %s has the value %v, which is no class", ErrLayout, file, text.Cut(key, 80), v)
		}
		if s.Class == "" {
			d.count(key, "no class in "+file+": unlabelled")
		}
		return add(key, s)
	})
}
