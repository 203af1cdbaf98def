package confound

import (
	"fmt"
	"slices"
	"strings"
)

// Kinds of sets.
const (
	Confounded = "confounded"
	Decoy      = "decoy"
)

// What a picture's group is, for worst-group accuracy.
const (
	// GroupByCue is the class and the cue, as in Sagawa et al. (2020).
	GroupByCue = "cue"
	// GroupByHome is home or away. With many classes and cues the groups by cue are of a few pictures each, and the worst of them is chosen by
	// luck.
	GroupByHome = "home"
)

// Groups with GroupByHome.
const (
	Home = "home"
	Away = "away"
	Bare = "bare" // without a decoy
)

// Shapes of decoys.
const (
	Frame = "frame" // all around
	Band  = "band"  // from side to side, at the top or at the bottom
	Patch = "patch" // a square in a corner
	Ruler = "ruler" // a strip with ticks along a side
)

// Options say what is made. The zero value is not valid: see Defaults.
type Options struct {
	Kind     string  `json:"kind"`     // Confounded or Decoy
	Strength float64 `json:"strength"` // the share of each class's training pictures that is at home, 0 to 1
	Size     int     `json:"size"`     // the side of the pictures, pixels
	Seed     int64   `json:"seed"`

	// Of all classes are used: those named in Only, or the Count with most usable objects; with neither, all that have enough.
	Only  []string `json:"only,omitempty"`
	Count int      `json:"count,omitempty"`

	Objects    int     `json:"objects"`            // at most so many of a class, by the seed; 0: all
	Train      Share   `json:"train_objects"`      // objects of each class in training
	Validation Share   `json:"validation_objects"` // in validation; 0: no such split
	Pool       Share   `json:"pool_objects"`       // in the pool; 0: no such split. The others are the test's
	Repeats    Repeats `json:"repeats"`            // pictures of each object
	MinArea    float64 `json:"min_area"`           // the least share of the square that an object covers, by its mask's half
	MaxArea    float64 `json:"max_area"`           // the largest
	Groups     string  `json:"groups"`             // GroupByCue or GroupByHome

	Shape     string  `json:"shape,omitempty"`     // of decoys: Frame, Band, Patch or Ruler
	Thickness float64 `json:"thickness,omitempty"` // of decoys, as a share of the side; 0: the shape's own
	Colours   int     `json:"colours,omitempty"`   // of decoys, 2 to all Colours; 0: all, or as many as classes if they are fewer
	Bare      bool    `json:"bare,omitempty"`      // the test shows each object without a decoy too
}

// Share is a part of each class's objects: below 1 the share of them, from 1 on how many.
type Share float64

// Repeats are how many pictures are made of each object. Of the test's there is one with each cue.
type Repeats struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Pool       int `json:"pool"`
}

// Defaults are the options of a kind, but for the size and seed, which have none.
func Defaults(kind string) Options {
	o := Options{
		Kind: kind, Strength: 0.95, Train: 0.4, Validation: 0.1, Pool: 0.2, Repeats: Repeats{Train: 6, Validation: 4, Pool: 4},
		MinArea: 0.04, MaxArea: 0.7, Groups: GroupByHome,
	}
	if kind == Decoy {
		o.Shape, o.Repeats.Train = Frame, 4
	}
	return o
}

// Validate returns an error for the first option that is out of bounds.
func (o Options) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high float64
	}{
		{"--strength", o.Strength, 0, 1},
		{"--size", float64(o.Size), 32, 2048},
		{"--objects", float64(o.Objects), 0, 1e6},
		{"--train-objects", float64(o.Train), 1e-6, 1e6},
		{"--validation-objects", float64(o.Validation), 0, 1e6},
		{"--pool-objects", float64(o.Pool), 0, 1e6},
		{"--train-repeats", float64(o.Repeats.Train), 1, 1000},
		{"--validation-repeats", float64(o.Repeats.Validation), 1, 1000},
		{"--pool-repeats", float64(o.Repeats.Pool), 1, 1000},
		{"--min-area", o.MinArea, 0, 1},
		{"--max-area", o.MaxArea, o.MinArea, 1},
		{"--thickness", o.Thickness, 0, 0.5},
	} {
		if !(f.value >= f.low && f.value <= f.high) {
			return fmt.Errorf("%s is %g, want %g to %g", f.name, f.value, f.low, f.high)
		}
	}
	for _, s := range []struct {
		name string
		Share
	}{{"--train-objects", o.Train}, {"--validation-objects", o.Validation}, {"--pool-objects", o.Pool}} {
		if s.Share >= 1 && s.Share != Share(int(s.Share)) {
			return fmt.Errorf("%s is %g: want a share below 1, or a whole number of objects", s.name, float64(s.Share))
		}
	}
	if len(o.Only) == 0 && o.Count != 0 && o.Count < 2 || len(o.Only) == 1 {
		return fmt.Errorf("--classes: one class alone cannot be told from others: name two or more, or how many")
	}
	if o.Colours != 0 && (o.Colours < 2 || o.Colours > len(Colours)) {
		return fmt.Errorf("--colours is %d, want 2 to %d", o.Colours, len(Colours))
	}
	if !slices.Contains([]string{GroupByCue, GroupByHome}, o.Groups) {
		return fmt.Errorf("groups %q: want %s or %s", o.Groups, GroupByCue, GroupByHome)
	}
	switch {
	case o.Kind == Decoy && shapes[o.Shape] == 0:
		return fmt.Errorf("shape %q: want %s", o.Shape, strings.Join([]string{Frame, Band, Patch, Ruler}, ", "))
	case o.Kind != Decoy && o.Kind != Confounded:
		return fmt.Errorf("kind %q: want %s or %s", o.Kind, Confounded, Decoy)
	}
	return nil
}

// division is how many objects of a class are in each split.
type division struct{ train, validation, pool, test int }

// divide divides n objects of a class. Every split that is asked for has one at least; ok is false if the test would have none.
func (o Options) divide(n int) (d division, ok bool) {
	of := func(s Share) int {
		switch {
		case s >= 1:
			return int(s)
		case s > 0:
			return max(1, rounded(float64(s)*float64(n)))
		}
		return 0
	}
	d = division{train: of(o.Train), validation: of(o.Validation), pool: of(o.Pool)}
	d.test = n - d.train - d.validation - d.pool
	return d, d.test > 0
}

// fewest is the least number of objects of a class that can be divided.
func (o Options) fewest() int {
	for n := 1; n < 10_000_000; n++ {
		if _, ok := o.divide(n); ok {
			return n
		}
	}
	return -1 // the shares leave nothing for the test
}

// rounded is the nearest whole number, halves up. The conversion keeps a product that is handed over from being fused with the sum.
func rounded(x float64) int { return int(float64(x) + 0.5) }
