package dataset

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// tree is the shape of an image folder, recognised from its folders.
type tree struct {
	splits bool              // the root's folders are splits
	flat   bool              // the splits' folders hold the pictures themselves
	inside bool              // the splits are inside the folders of the classes
	named  bool              // the splits' folders have the data set's name in theirs
	masks  map[string]bool   // folders of the root that hold masks, by a table
	pairs  map[string]string // and by their names, with the folder whose pictures they are of; see masksAmong
}

// onlyFolder reports whether a folder is the only one of a list that could be a class.
func (d *Dataset) onlyFolder(list []entry, name string) bool {
	folders := names(list)
	masks := d.masksAmong("", folders)
	for _, entry := range list {
		if entry.IsDir() && entry.Name() != name && !d.aside("", entry.Name(), folders) && !inMap(masks, entry.Name()) && d.holdsPictures(entry.Name(), 3) {
			return false
		}
	}
	return true
}

// shape recognises the tree from the folders of the root. If all of them have the same folders in them, they may be splits or classes,
// whatever their names: that is an error with Auto, and a note if the format was named.
func (d *Dataset) shape(list []entry) (tree, error) {
	masks, err := d.maskFolders()
	if err != nil {
		return tree{}, err
	}
	all := names(list)
	t := tree{masks: masks, pairs: d.masksAmong("", all)}
	var folders, words []string
	nested := false
	for _, entry := range list {
		name := entry.Name()
		if !entry.IsDir() || masks[name] || inMap(t.pairs, name) || d.aside("", name, all) {
			continue
		}
		folders = append(folders, name)
		if _, ok := d.splitWord(name); ok {
			words = append(words, name)
			nested = nested || d.holdsFolder(name)
		}
	}
	if len(words) == 0 {
		named, err := d.splitsOfOneName(folders)
		if err != nil {
			return t, err
		}
		for _, name := range named {
			words = append(words, name)
			nested = nested || d.holdsFolder(name)
		}
		t.named = len(words) > 0
	}
	if nested || t.named || len(words) > 0 && len(words) == len(folders) {
		t.splits, t.flat = true, !nested
		return t, d.refuseHalfSplits(folders, words)
	}
	inside := 0
	for _, name := range folders {
		if below := d.classesIn(name); len(below) > 0 && !slices.ContainsFunc(below, func(sub string) bool { _, ok := d.splitWord(sub); return !ok }) {
			inside++
		}
	}
	first, alike := d.alike(folders)
	t.inside = inside > 0 && inside == len(folders) && (len(folders) > 1 || len(first) > 1 && !isContainer(folders[0]))
	deeper := slices.IndexFunc(folders, func(name string) bool {
		return t.inside && slices.ContainsFunc(d.folders(name), func(split string) bool {
			return d.holdsFolder(path.Join(name, split)) && !d.holdsPicture(path.Join(name, split))
		})
	})
	switch {
	case deeper >= 0 && len(folders) > 1:
		says := fmt.Sprintf("%q and %q each have splits with folders in them, as data sets side by side do: import each by itself, under a --source of its own", folders[0], folders[1])
		if d.options.Format == Auto {
			return t, fmt.Errorf("%w: %s; if they are classes, name the format folder", ErrSeveral, says)
		}
		d.note("", "%s", says)
	case t.inside:
	case alike:
		says := fmt.Sprintf("the folders %q and %q have the same folders in them (%s, …): if they are splits, say which with --splits %s=train,%s=test",
			folders[0], folders[1], first[0], folders[0], folders[1])
		if d.options.Format == Auto {
			return t, fmt.Errorf("%w: %s; if they are classes, name the format folder", ErrSeveral, says)
		}
		d.note("", "%s", says)
	case inside > 0 && (len(folders) > 1 || !isContainer(folders[0])): // a container of splits is entered
		d.note("", "%d of %d folders hold folders named like splits, which are read as parts of their class: if they are splits, every class needs them", inside, len(folders))
	}
	return t, nil
}

// alike reports whether folders have the same folders in them, several, whatever folder by itself is above those in each. first is what
// the first has.
func (d *Dataset) alike(folders []string) (first []string, alike bool) {
	if len(folders) == 0 {
		return nil, false
	}
	first = d.classesIn(folders[0])
	most := 0
	for _, name := range folders {
		below := d.classesIn(name)
		if len(below) == 0 || !among(below, first) && !among(first, below) || d.holdsPicture(name) {
			return first, false
		}
		most = max(most, len(below))
	}
	if most > 1 || len(folders) == 1 {
		return first, len(folders) > 1
	}
	if strings.Count(folders[0], "/") > 2 {
		return first, false
	}
	inner := make([]string, len(folders))
	for i, name := range folders {
		inner[i] = path.Join(name, first[0])
	}
	if below, same := d.alike(inner); same {
		return below, true
	}
	return first, false
}

// refuseHalfSplits refuses folders beside splits that have the same classes in them and are not known as splits.
func (d *Dataset) refuseHalfSplits(folders, words []string) error {
	known := map[string]bool{}
	for _, name := range words {
		for _, class := range d.folders(name) {
			known[class] = true
		}
	}
	for _, name := range folders {
		below := d.folders(name)
		if d.options.Format != Auto || slices.Contains(words, name) || len(below) == 0 || slices.ContainsFunc(below, func(class string) bool { return !known[class] }) {
			continue
		}
		return fmt.Errorf("%w: %s has the same folders in it as the split %s: say which split it is with --splits %s=test, or name the format folder to pass it over", ErrSeveral, name, words[0], name)
	}
	return nil
}

// splitsOfOneName finds folders such as cars_train and cars_test, which are splits if one name stands in all of them, and makes them
// known as such. If there are others beside them, what those are has to be said.
func (d *Dataset) splitsOfOneName(folders []string) ([]string, error) {
	all := slices.DeleteFunc(slices.Clone(folders), func(name string) bool { return !d.holdsPictures(name, 2) })
	found, rests := map[string]string{}, map[string][]string{} // what is left of names without the words for splits
	for _, name := range all {
		rest := ""
		for _, word := range words(name) {
			if split := splitWords[word]; split != "" {
				found[name] = split
			} else {
				rest += "_" + word
			}
		}
		if found[name] != "" && rest != "" {
			rests[rest] = append(rests[rest], name)
		}
	}
	for _, named := range rests {
		switch {
		case len(named) < 2 || !slices.ContainsFunc(named, func(name string) bool { return found[name] != found[named[0]] }):
			continue
		case len(named) < len(all) && d.options.Format == Auto:
			return nil, fmt.Errorf("%w: %s may be splits, and there are other folders beside them: say which folder is which with --splits %s=%s, or name the format folder if all are classes",
				ErrSeveral, strings.Join(named, " and "), named[0], found[named[0]])
		case len(named) < len(all):
			continue
		}
		maps.Copy(found, d.options.Splits)
		d.options.Splits = found
		d.note("", "%s are read as splits", strings.Join(all, ", "))
		return all, nil
	}
	return nil, nil
}

// among reports whether all of some names are among others.
func among(names, others []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(others, name) })
}
