package confound

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/random"
)

// class is one of the set, with its objects by split.
type class struct {
	name, folder string
	home         int // of the cues
	of           map[string][]object
}

// bare is the cue of a picture without a decoy.
const bare = -1

// Row says what one picture shows, as in metadata.csv.
type Row struct {
	File       string // below the set's folder: images/train/wren/0007.png
	Class      string
	Split      string
	Group      string
	Mask       string // below the set's folder
	Avoid      string // the decoy's mask; "" in a confounded set and where there is no decoy
	Object     string // the object's photograph, in its data set
	Cue        string // the place or the colour; "" where there is no decoy
	Photograph string // the place's photograph, in its folder; "" in a set of decoys
	Home       bool
}

// shot is a row and what it is made of.
type shot struct {
	Row
	cue        int
	photograph photograph
}

// scene is an object and the pictures that are made of it.
type scene struct {
	object object
	shots  []shot
}

// classes chooses the set's classes and divides their objects. Their homes are not set yet.
func (o Options) classes(of map[string][]object, r *reading, from string) ([]class, error) {
	least := o.fewest()
	var names []string
	for name, list := range of {
		random.New(o.Seed, "objects", name).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if o.Objects > 0 {
			of[name] = list[:min(len(list), o.Objects)]
		}
		if len(of[name]) >= least {
			names = append(names, name)
		}
	}
	remedy := fmt.Sprintf("a class needs %d for all splits: give more masks, widen --min-area and --max-area, or lower --train-objects, --validation-objects and --pool-objects", least)
	for _, name := range o.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("the class %s of %s has %d usable objects%s; %s", name, from, len(of[name]), r.why(), remedy)
		}
	}
	if want := max(2, o.Count); len(names) < want {
		return nil, fmt.Errorf("%d classes of %s have enough usable objects, and %d are wanted%s; %s", len(names), from, want, r.why(), remedy)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(of[b])-len(of[a]), strings.Compare(a, b)) })
	if o.Count > 0 {
		names = names[:o.Count]
	}
	slices.Sort(names)
	var out []class
	folders := map[string]bool{}
	for _, name := range names {
		list := of[name]
		d, _ := o.divide(len(list))
		c := class{name: name, folder: folderOf(name, folders), of: map[string][]object{}}
		for _, part := range []struct {
			split string
			n     int
		}{{dataset.Train, d.train}, {dataset.Validation, d.validation}, {dataset.Pool, d.pool}, {dataset.Test, d.test}} {
			c.of[part.split], list = list[:part.n], list[part.n:]
		}
		out = append(out, c)
	}
	return out, nil
}

// cues are the names of a set's: its places, or the colours for so many classes.
func (o Options) cues(classes int, places []place) (names []string) {
	if o.Kind == Confounded {
		for _, p := range places {
			names = append(names, p.name)
		}
		return names
	}
	for _, c := range Colours[:cmp.Or(o.Colours, min(classes, len(Colours)))] {
		names = append(names, c.Name)
	}
	return names
}

// why says what became of photographs that are not used, for an error.
func (r *reading) why() string {
	var said []string
	for _, p := range r.all() {
		said = append(said, fmt.Sprintf("%d: %s", p.Images, p.Reason))
	}
	if len(r.broken) > 0 {
		said = append(said, fmt.Sprintf("%d cannot be read, the first %s: %s", len(r.broken), r.broken[0].Image, r.broken[0].Error))
	}
	if len(said) == 0 {
		return ""
	}
	return " (not used: " + strings.Join(said, "; ") + ")"
}

// folderOf is the name of a class's folder: the class's own, if that can be the name of a folder on every system and is read as one of a
// class.
func folderOf(name string, taken map[string]bool) string {
	folder := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	folder = strings.TrimRight(strings.TrimLeft(folder, "."), ". ")
	if _, split := dataset.SplitName(folder); folder == "" || split {
		folder = "class_" + folder
	}
	for i, base := 2, folder; taken[strings.ToLower(folder)]; i++ {
		folder = fmt.Sprintf("%s_%d", base, i)
	}
	taken[strings.ToLower(folder)] = true
	return folder
}

// scenes plan all pictures. places is nil in a set of decoys.
func (o Options) scenes(classes []class, cues []string, places []place) []scene {
	var out []scene
	dealt := map[[2]string]int{} // photographs of a place and split so far
	for _, split := range Splits {
		trained := 0 // pictures of the classes so far
		for _, c := range classes {
			list := c.of[split]
			each, deck := o.deal(c, split, len(list), len(cues), trained)
			trained += len(deck)
			for i, one := range list {
				s := scene{object: one}
				for j := range each {
					n := i*each + j
					s.shots = append(s.shots, o.shot(c, split, n, deck[n], cues, one))
					if places == nil {
						continue
					}
					at, from := &s.shots[j], split
					if from == dataset.Pool {
						from = dataset.Train
					}
					of, key := places[deck[n]].of[from], [2]string{cues[deck[n]], from}
					at.photograph = of[dealt[key]%len(of)]
					at.Photograph = at.photograph.name
					dealt[key]++
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// Splits are those of a set, in the order in which its rows stand.
var Splits = []string{dataset.Train, dataset.Validation, dataset.Pool, dataset.Test}

// deal returns how many pictures each of a class's n objects has in a split, and the cue of each picture. before are the pictures of the
// classes before it: what is rounded off one class's share at home is made up by the next.
func (o Options) deal(c class, split string, n, cues, before int) (each int, deck []int) {
	r := random.New(o.Seed, "cues", split, c.name)
	switch split {
	case dataset.Test:
		for range n {
			for cue := range cues {
				deck = append(deck, cue)
			}
			if o.Bare {
				deck = append(deck, bare)
			}
		}
		return len(deck) / max(1, n), deck
	case dataset.Train:
		each = o.Repeats.Train
		home := o.atHome(before+n*each) - o.atHome(before)
		var away []int
		for cue := range cues {
			if cue != c.home {
				away = append(away, cue)
			}
		}
		deck = evenly(away, n*each-home, r)
		for range home {
			deck = append(deck, c.home)
		}
		r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		return each, deck
	case dataset.Validation:
		each = o.Repeats.Validation
	default:
		each = o.Repeats.Pool
	}
	all := make([]int, cues)
	for cue := range all {
		all[cue] = cue
	}
	return each, evenly(all, n*each, r)
}

// atHome is how many of n training pictures are at home.
func (o Options) atHome(n int) int { return rounded(o.Strength * float64(n)) }

// evenly deals n cues: all of them in a random order, then all in another, and so on.
func evenly(cues []int, n int, r *random.Stream) (deck []int) {
	for len(deck) < n {
		r.Shuffle(len(cues), func(i, j int) { cues[i], cues[j] = cues[j], cues[i] })
		deck = append(deck, cues[:min(len(cues), n-len(deck))]...)
	}
	return deck
}

// shot is the nth picture of a class in a split, but for the place's photograph.
func (o Options) shot(c class, split string, n, cue int, cues []string, one object) shot {
	name := path.Join(split, c.folder, fmt.Sprintf("%04d.png", n))
	s := shot{cue: cue, Row: Row{
		File: path.Join(imagesFolder, name), Class: c.name, Split: split, Mask: path.Join(masksFolder, name), Object: one.sample.Name, Home: cue == c.home,
	}}
	s.Group = Away
	switch cue {
	case bare:
		s.Group = Bare
	case c.home:
		s.Group = Home
	}
	if cue != bare {
		s.Cue = cues[cue]
		if o.Kind == Decoy {
			s.Avoid = path.Join(decoysFolder, name)
		}
	}
	if o.Groups == GroupByCue {
		switch {
		case cue == bare:
			s.Group = c.name + " without a decoy"
		case o.Kind == Decoy:
			s.Group = c.name + " with " + s.Cue
		default:
			s.Group = c.name + " on " + s.Cue
		}
	}
	return s
}
