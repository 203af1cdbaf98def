package confound

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/dataset"

	"github.com/abn-studio/studio/internal/text"
)

// studyFormat must be changed when the same options would make other pictures.
const studyFormat = 1

// Study says how a set was made and what is in it. It names no folder of the machine that it was made on.
type Study struct {
	Format  int     `json:"format"`
	Options Options `json:"options"`
	// Digests of what the set is made of: SHA-256 over a line for each file, class, name, SHA-256 of the
	// file and of its mask over the square, or nothing. Files that are not used do not count.
	Sources    map[string]string     `json:"sources"`
	Classes    []ClassOf             `json:"classes"`
	Cues       []CueOf               `json:"cues"`
	Splits     map[string]SplitOf    `json:"splits"`
	Groups     map[string]SmallestOf `json:"groups"`      // by split
	PassedOver []Passed              `json:"passed_over"` // photographs that can be read and are not used
	Broken     []Problem             `json:"broken"`      // that cannot be read
	// Digest is SHA-256 over a line for each row of metadata.csv: the row, and the SHA-256 of the picture's pixels (RGBA) and of its masks'. It
	// does not depend on how files are compressed. "" while the set is being made.
	Digest string `json:"digest"`
}

// ClassOf is a class and how many objects it has in each split.
type ClassOf struct {
	Class   string         `json:"class"`
	Home    string         `json:"home"`
	Objects map[string]int `json:"objects"`
}

// CueOf is a place or a colour and how many photographs of it each split has.
type CueOf struct {
	Cue         string         `json:"cue"`
	Photographs map[string]int `json:"photographs,omitempty"`
}

// SplitOf counts a split.
type SplitOf struct {
	Objects  int `json:"objects"`
	Pictures int `json:"pictures"`
	Home     int `json:"home"` // pictures at home
}

// SmallestOf counts a split's groups.
type SmallestOf struct {
	Groups   int    `json:"groups"`
	Smallest string `json:"smallest"`
	Pictures int    `json:"pictures"` // of the smallest
}

// Pictures is how many there are.
func (s Study) Pictures() (n int) {
	for _, split := range s.Splits {
		n += split.Pictures
	}
	return n
}

// describe says what is planned.
func describe(o Options, classes []class, cues []string, places []place, scenes []scene, r *reading) Study {
	s := Study{
		Format: studyFormat, Options: o, Sources: map[string]string{}, Splits: map[string]SplitOf{}, Groups: map[string]SmallestOf{},
		PassedOver: r.all(), Broken: append([]Problem{}, r.broken...),
	}
	var lines []string
	for _, c := range classes {
		of := ClassOf{Class: c.name, Home: cues[c.home], Objects: map[string]int{}}
		for split, list := range c.of {
			if len(list) > 0 {
				of.Objects[split] = len(list)
			}
			for _, one := range list {
				lines = append(lines, fmt.Sprintf("%s, %s, %s, %s", c.name, one.sample.Name, one.hash, one.maskHash))
			}
		}
		s.Classes = append(s.Classes, of)
	}
	s.Sources["objects"] = digestOf(lines)
	lines = nil
	for i, cue := range cues {
		of := CueOf{Cue: cue}
		if places != nil {
			of.Photographs = map[string]int{}
			for split, list := range places[i].of {
				if len(list) > 0 {
					of.Photographs[split] = len(list)
				}
				for _, p := range list {
					lines = append(lines, fmt.Sprintf("%s, %s, %s, ", cue, p.name, p.hash))
				}
			}
		}
		s.Cues = append(s.Cues, of)
	}
	if places != nil {
		s.Sources["places"] = digestOf(lines)
	}
	groups := map[string]map[string]int{}
	for _, one := range scenes {
		split := one.shots[0].Split
		of := s.Splits[split]
		of.Objects++
		for _, shot := range one.shots {
			of.Pictures++
			if shot.Home {
				of.Home++
			}
			if groups[split] == nil {
				groups[split] = map[string]int{}
			}
			groups[split][shot.Group]++
		}
		s.Splits[split] = of
	}
	for split, of := range groups {
		smallest := slices.MinFunc(slices.Collect(maps.Keys(of)), func(a, b string) int { return cmp.Or(of[a]-of[b], strings.Compare(a, b)) })
		s.Groups[split] = SmallestOf{len(of), smallest, of[smallest]}
	}
	return s
}

// digestOf is the SHA-256 of lines in order.
func digestOf(lines []string) string {
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		io.WriteString(sum, line+"\n") //nolint:errcheck // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// columns are those of metadata.csv. The readers of data sets take file, class, split, group and mask.
func (o Options) columns() []string {
	if o.Kind == Decoy {
		return []string{"file", "class", "split", "group", "mask", "decoy_mask", "object", "colour", "home"}
	}
	return []string{"file", "class", "split", "group", "mask", "object", "place", "photograph", "home"}
}

// cells are a row in the order of the columns.
func (o Options) cells(r Row) []string {
	if o.Kind == Decoy {
		return []string{r.File, r.Class, r.Split, r.Group, r.Mask, r.Avoid, r.Object, r.Cue, strconv.FormatBool(r.Home)}
	}
	return []string{r.File, r.Class, r.Split, r.Group, r.Mask, r.Object, r.Cue, r.Photograph, strconv.FormatBool(r.Home)}
}

// table writes rows as metadata.csv.
func (o Options) table(scenes []scene) ([]byte, error) {
	return asCSV(o.columns(), scenes, func(s shot) []string { return o.cells(s.Row) })
}

// groupTable is images/metadata.csv, for those who read the pictures' folder alone: pictures of one object are a cluster. It names the
// classes if a folder is called otherwise.
func groupTable(scenes []scene) ([]byte, error) {
	named := slices.ContainsFunc(scenes, func(s scene) bool { return path.Base(path.Dir(s.shots[0].File)) != s.shots[0].Class })
	head := []string{"file", "group", "cluster"}
	if named {
		head = append(head, "class")
	}
	return asCSV(head, scenes, func(s shot) []string {
		cells := []string{strings.TrimPrefix(s.File, imagesFolder+"/"), s.Group, s.Object, s.Class}
		return cells[:len(head)]
	})
}

func asCSV(head []string, scenes []scene, cells func(shot) []string) ([]byte, error) {
	var out bytes.Buffer
	w := text.NewCSV(&out)
	if err := w.Write(head); err != nil {
		return nil, err
	}
	for _, one := range scenes {
		for _, shot := range one.shots {
			if err := w.Write(cells(shot)); err != nil {
				return nil, err
			}
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// readme is the set's README.md.
func (s Study) readme() string {
	o := s.Options
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	what, cue := "places", "place"
	if o.Kind == Decoy {
		what, cue = "colours of a "+o.Shape, "colour"
		say("# A set with decoys\n\nPhotographs with a %s whose colour goes with the class in training (after decoy MNIST, Ross et al. 2017). Made by `studio study make decoy`.\n", o.Shape)
	} else {
		say("# A confounded set\n\nObjects on photographs of places; the place goes with the class in training (after Waterbirds, Sagawa et al. 2020). Made by `studio study make confounded`.\n")
	}
	say("%d classes, %d %s, strength %g, seed %d, %d×%d pixels. No photograph is in two splits.\n", len(s.Classes), len(s.Cues), what, o.Strength, o.Seed, o.Size, o.Size)
	say("| split | objects | pictures | at home |\n|---|---|---|---|")
	for _, split := range Splits {
		if of, ok := s.Splits[split]; ok {
			say("| %s | %d | %d | %.1f%% |", split, of.Objects, of.Pictures, 100*float64(of.Home)/float64(of.Pictures))
		}
	}
	test := s.Groups[dataset.Test]
	say("\nThe test has %s, of %d pictures or more each.\n", plural(test.Groups, "group"), test.Pictures)
	say("- `images/`: the pictures, SPLIT/CLASS/NNNN.png; `images/metadata.csv` has their groups\n- `masks/`: where the object is")
	if o.Kind == Decoy {
		say("- `annotations/decoys/`: where the decoy is: do not look here")
	}
	say("- `metadata.csv`: a row for each picture: class, split, group, the photographs that it is made of, %s, home or not\n- `study.json`: every option, homes, counts, digests\n", cue)
	say("    studio evaluate --model abn.onnx --images images --masks masks\n")
	say("The licences of the photographs hold for the pictures that are made of them.")
	return b.String()
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
