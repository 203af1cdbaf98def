package annotator

import (
	"context"
	"maps"
	"path"
	"slices"
)

// This file finds images whose names changed at their source: what is there under another name, with the same bytes, is the same image
// and keeps its edits. Files that were renamed, moved to the folder of another class or split, or numbered anew are such.

// moves are what an import has found of images under other names so far.
type moves struct {
	found     map[int64]bool            // images that were found under another name: each is found once
	taken     map[int64]bool            // images that were taken out of use because their names have other pictures
	displaced map[int64]ImageDifference // as syncPlan.displaced
	holds     map[string]string         // the hashes that names of the current part's candidates hold
}

func newMoves() moves {
	return moves{found: map[int64]bool{}, taken: map[int64]bool{}, displaced: map[int64]ImageDifference{}, holds: map[string]string{}}
}

// take adds a written part.
func (m *moves) take(p syncPlan) {
	for _, id := range p.moved {
		m.found[id] = true
	}
	for _, id := range p.replace {
		m.taken[id] = true
	}
	maps.Copy(m.displaced, p.displaced)
	clear(m.holds)
}

// moved finds those of images that the project has under another name, or had, by their place in the list. Such an image has the same
// bytes, and its own name has them no longer. Of several that of the same file name goes first, then of the same class.
func (i *importer) moved(ctx context.Context, store Store, classes []Class, known map[string]KnownImage, images []NewImage) (map[int]KnownImage, error) {
	if i.last == 0 || i.in.Holds == nil {
		return nil, nil
	}
	strangers, hashes := []int{}, map[string]bool{}
	for n, in := range images {
		if now, is := known[in.Name]; in.Broken == "" && (!is || now.Hash != in.Hash) {
			strangers = append(strangers, n)
			hashes[in.Hash] = true
		}
	}
	if len(strangers) == 0 {
		return nil, nil
	}
	all, err := store.ImagesOfBytes(ctx, i.project.ID, i.in.Source, slices.Sorted(maps.Keys(hashes)))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	byHash := map[string][]KnownImage{}
	for _, k := range all {
		if i.moves.found[k.ID] {
			continue
		}
		if i.moves.taken[k.ID] { // by this import: it was in use
			k.Retired = ""
		}
		byHash[k.Hash] = append(byHash[k.Hash], k)
	}
	find, moved := ClassFinder(classes), map[int]KnownImage{}
	for _, n := range strangers {
		in := images[n]
		now, is := known[in.Name]
		used := is && now.Retired == ""
		best, most := -1, -1
		for at, k := range byHash[in.Hash] {
			if used && k.staysOut() {
				continue
			}
			score := k.likeness(in, find)
			if score <= most {
				continue
			}
			if free, err := i.free(ctx, k, in.Name); err != nil {
				return nil, err
			} else if free {
				best, most = at, score
			}
		}
		if best >= 0 {
			moved[n] = byHash[in.Hash][best]
			byHash[in.Hash] = slices.Delete(byHash[in.Hash], best, best+1)
		}
	}
	return moved, nil
}

// free reports whether an image may be what the data set has under a name: its own name has other bytes there, or none, or it is that
// name.
func (i *importer) free(ctx context.Context, k KnownImage, name string) (bool, error) {
	if k.Name == name {
		return true, nil
	}
	hash, looked := i.moves.holds[k.Name]
	if !looked {
		var err error
		if hash, err = i.in.Holds(ctx, k.Name); err != nil {
			return false, err
		}
		i.moves.holds[k.Name] = hash
	}
	return hash != k.Hash, nil
}

// likeness says how well an image of the project fits one of the source with the same bytes.
func (k KnownImage) likeness(in NewImage, find func(string) (int, bool)) (score int) {
	for _, fits := range []bool{k.Name == in.Name, k.Retired == "", !k.staysOut(), path.Base(k.Name) == path.Base(in.Name), isClass(find, in.Class, k.Label)} {
		score *= 2
		if fits {
			score++
		}
	}
	return score
}

// staysOut reports whether an image is out of use by a person's will, so that no import brings it back.
func (k KnownImage) staysOut() bool { return k.Retired == string(RetiredDeleted) || k.Purged }

// move decides about an image that the project has, or had, as was. now is what the project has under its name, zero for nothing.
func (p *syncPlan) move(s syncState, find func(string) (int, bool), now, was KnownImage, in NewImage) {
	p.moved, p.seen = append(p.moved, was.ID), append(p.seen, was.ID)
	from := was.Name
	if from == in.Name {
		from = ""
	}
	used := now.ID != 0 && now.Retired == ""
	switch {
	case was.staysOut():
		p.report.Known++
		p.differs(DiffersDeleted, in.Name, from, "")
		return
	case !used && was.Retired != "":
		p.takeBack(s, find, was, in, DiffersReturned, from, &p.report.Returned)
		return
	case used && now.Broken != "":
		p.displaced[now.ID] = ImageDifference{Kind: DiffersRepaired, Name: in.Name, Was: now.Broken}
	case used:
		p.displaced[now.ID] = ImageDifference{Kind: DiffersBytes, Name: in.Name, Was: firstOf(now.Hash), Is: firstOf(in.Hash)}
	}
	if used && s.update {
		p.replace = append(p.replace, now.ID)
	}
	if was.Retired != "" {
		p.differs(DiffersReturned, in.Name, from, "")
	} else {
		p.report.Renamed++
		p.differs(DiffersRenamed, in.Name, was.Name, "")
	}
	p.compare(s, find, was, in, true)
}

// stay keeps images in use that only change their names, so that work on them goes on.
func (p *syncPlan) stay() {
	if len(p.replace) == 0 || len(p.moved) == 0 {
		return
	}
	updated := map[int64]bool{}
	for _, u := range p.update {
		updated[u.ID] = true
	}
	p.replace = slices.DeleteFunc(p.replace, func(id int64) bool { return updated[id] })
}
