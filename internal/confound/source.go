package confound

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/random"
	"github.com/abn-studio/studio/internal/samples"
)

// Source is what a set is made of.
type Source struct {
	Images *dataset.Dataset // labelled photographs of objects
	Masks  string           // a folder of masks named after them; "": the data set's own
	Places *dataset.Dataset // photographs of places, whose classes are the places; nil for decoys
}

// object is a photograph of an object that can be used.
type object struct {
	sample      dataset.Sample // with its mask
	hash        string         // SHA-256 of the file
	maskHash    string         // of the mask over the square
	size        image.Point    // of the photograph as it is shown
	orientation int            // EXIF, of the file
	window      image.Rectangle
}

// photograph is one of a place.
type photograph struct{ name, path, hash string }

// Problem is a file that cannot be used, and why.
type Problem struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// Passed counts photographs that can be read and are not used.
type Passed struct {
	Reason string `json:"reason"`
	Images int    `json:"images"`
	First  string `json:"first"`
}

// reading is what is known of the files of a source.
type reading struct {
	broken []Problem
	passed map[string]*Passed
	seen   map[string]string // SHA-256 → the first file of these bytes
}

func (r *reading) pass(name, reason string) {
	p := r.passed[reason]
	if p == nil {
		p = &Passed{Reason: reason, First: name}
		r.passed[reason] = p
	}
	p.Images++
	p.First = min(p.First, name)
}

// again reports, and counts, a file whose bytes were seen under another name.
func (r *reading) again(name, hash string) bool {
	if _, ok := r.seen[hash]; ok {
		r.pass(name, "the same file as another")
		return true
	}
	r.seen[hash] = name
	return false
}

// all are the counts, the most frequent first.
func (r *reading) all() []Passed {
	out := []Passed{}
	for _, p := range r.passed {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Passed) int { return cmp.Or(b.Images-a.Images, strings.Compare(a.Reason, b.Reason)) })
	return out
}

// looked is what was found of one file: it can be used if reason and fault are empty.
type looked struct {
	object object
	reason string // why it is passed over
	fault  error  // why it cannot be read
}

// objects are the usable ones by class, each class's in the order of their names.
func (s Source) objects(ctx context.Context, o Options, r *reading, meter *progress.Meter) (map[string][]object, error) {
	for _, class := range o.Only {
		if !slices.Contains(s.Images.Classes, class) {
			return nil, fmt.Errorf("--classes: %s has no class %q: it has %s", s.Images.Dir, class, some(s.Images.Classes))
		}
	}
	var candidates []dataset.Sample
	view, masked := samples.View{Masks: s.Masks}, 0
	for _, one := range s.Images.All() {
		if one.Class == "" || len(o.Only) > 0 && !slices.Contains(o.Only, one.Class) {
			continue
		}
		if one = view.Masked(one); s.Images.HasMask(one) {
			masked++
		}
		candidates = append(candidates, one)
	}
	switch {
	case len(candidates) == 0:
		return nil, fmt.Errorf("%s has no labelled picture: objects are put together by class", s.Images.Dir)
	case masked == 0 && s.Masks != "":
		return nil, fmt.Errorf("none of the masks in %s is named like an image of %s: a mask has its image's path below the data set's folder, or its file name, and the suffix .png", s.Masks, s.Images.Dir)
	case masked == 0:
		return nil, fmt.Errorf("%s has no masks: objects are found by them. Name a folder of masks, named after the images, with --masks", s.Images.Dir)
	}
	slices.SortFunc(candidates, func(a, b dataset.Sample) int { return strings.Compare(a.Name, b.Name) })
	found := make([]looked, len(candidates))
	err := each(ctx, len(candidates), meter, progress.Reading, 0, func(ctx context.Context, i int) (err error) {
		found[i], err = s.look(ctx, candidates[i], o)
		return err
	})
	if err != nil {
		return nil, err
	}
	of := map[string][]object{}
	for _, f := range found {
		name := f.object.sample.Name
		switch {
		case f.fault != nil:
			r.broken = append(r.broken, Problem{name, f.fault.Error()})
		case f.reason != "":
			r.pass(name, f.reason)
		case !r.again(name, f.object.hash):
			of[f.object.sample.Class] = append(of[f.object.sample.Class], f.object)
		}
	}
	return of, nil
}

// each calls do for 0 ≤ i < n, on all cores, and moves the stage on from what is done before, if there is a meter.
func each(ctx context.Context, n int, meter *progress.Meter, stage progress.Stage, before int, do func(context.Context, int) error) error {
	var done atomic.Int64
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			if err := do(inner, i); err != nil {
				return err
			}
			if meter != nil {
				meter.Advance(stage, before+int(done.Add(1)))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// look reads a photograph of an object and its mask. The error is the context's.
func (s Source) look(ctx context.Context, one dataset.Sample, o Options) (l looked, err error) {
	l.object.sample = one
	if !s.Images.HasMask(one) {
		l.reason = "no mask"
		return l, nil
	}
	if l.fault = l.object.open(); l.fault != nil {
		return l, nil
	}
	area := 0.0
	err = s.Images.ObjectMask(ctx, one, func(mask *image.Gray) error {
		mask = picture.Upright(mask, l.object.orientation)
		l.object.window = window(l.object.size, boxOf(mask, l.object.size), o.Kind == Confounded)
		shown := inference.RegionOfMask(mask, l.object.size, l.object.window, o.Size)
		sum := sha256.Sum256(shown.Pix)
		area, l.object.maskHash = share(shown), hex.EncodeToString(sum[:])
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return l, context.Cause(ctx)
	case errors.Is(err, dataset.ErrNoObject):
		l.reason = dataset.ErrNoObject.Error()
	case err != nil:
		l.fault = err
	case area < o.MinArea:
		l.reason = fmt.Sprintf("the object covers less than %.4g%% of the square (--min-area)", 100*o.MinArea)
	case area > o.MaxArea:
		l.reason = fmt.Sprintf("the object covers more than %.4g%% of the square (--max-area)", 100*o.MaxArea)
	default:
		_, l.fault = l.object.pixels(ctx, o.Size)
	}
	if ctx.Err() != nil {
		return l, context.Cause(ctx)
	}
	return l, nil
}

// share is the part of a mask that the object has by more than half.
func share(mask *image.Gray) float64 {
	n := 0
	for _, v := range mask.Pix {
		if v >= half {
			n++
		}
	}
	return float64(n) / float64(len(mask.Pix))
}

// open reads what the object's file says of itself, and its hash.
func (t *object) open() error {
	f, err := os.Open(t.sample.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := picture.Process().Header(f)
	if err != nil {
		return err
	}
	t.size.X, t.size.Y = h.Shown()
	t.orientation = h.Orientation
	t.hash, err = hashOf(f)
	return err
}

// pixels are the square of the photograph, black where it reaches beyond.
func (t *object) pixels(ctx context.Context, side int) (*image.RGBA, error) {
	f, err := os.Open(t.sample.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return inference.Region(ctx, f, func(image.Point) image.Rectangle { return t.window }, side)
}

// opacity is the mask over those pixels.
func (t *object) opacity(ctx context.Context, images *dataset.Dataset, side int) (out *image.Gray, err error) {
	err = images.ObjectMask(ctx, t.sample, func(mask *image.Gray) error {
		out = inference.RegionOfMask(picture.Upright(mask, t.orientation), t.size, t.window, side)
		return nil
	})
	return out, err
}

// pixels are the middle square of a photograph of a place.
func (p photograph) pixels(ctx context.Context, side int) (*image.RGBA, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return inference.Region(ctx, f, func(size image.Point) image.Rectangle { return window(size, image.Rectangle{Max: size}, false) }, side)
}

// hashOf is the SHA-256 of a file, from its start.
func hashOf(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// mostPhotographs bounds the photographs of one place in one split of its folder that are read.
const mostPhotographs = 1000

// place has the photographs of one place by the split in which they are used. Training and pool share those of training.
type place struct {
	name string
	of   map[string][]photograph // by dataset.Train, Validation, Test, in the order in which they are dealt
}

// places are those of the source, in alphabetical order.
func (s Source) places(ctx context.Context, o Options, r *reading, before int, meter *progress.Meter) ([]place, error) {
	if len(s.Places.Classes) < 2 {
		return nil, fmt.Errorf("%s has %d place: a set needs two or more, each a folder of photographs (PLACE/photograph.jpg, or SPLIT/PLACE/photograph.jpg)", s.Places.Dir, len(s.Places.Classes))
	}
	all, given := s.photographs(o.Seed)
	found, faults := make([]photograph, len(all)), make([]error, len(all))
	err := each(ctx, len(all), meter, progress.Reading, before, func(ctx context.Context, i int) error {
		found[i], faults[i] = lookPhotograph(ctx, all[i], o.Size)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := map[string]map[string][]photograph{} // by place and split
	for i, one := range all {
		switch {
		case faults[i] != nil:
			r.broken = append(r.broken, Problem{one.Name, faults[i].Error()})
		case !r.again(one.Name, found[i].hash):
			if kept[one.Class] == nil {
				kept[one.Class] = map[string][]photograph{}
			}
			kept[one.Class][one.Split] = append(kept[one.Class][one.Split], found[i])
		}
	}
	var out []place
	for _, name := range slices.Sorted(slices.Values(s.Places.Classes)) {
		one := place{name, splitPhotographs(kept[name], given, o.Validation > 0)}
		for _, split := range []string{dataset.Train, dataset.Validation, dataset.Test} {
			if len(one.of[split]) == 0 && (split != dataset.Validation || o.Validation > 0) {
				return nil, fmt.Errorf("the place %s of %s has no photograph for %s (usable: %d for training, %d for validation, %d for test): add photographs to it, or take it away",
					name, s.Places.Dir, split, len(one.of[dataset.Train]), len(one.of[dataset.Validation]), len(one.of[dataset.Test]))
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// photographs are those of places that are looked at, in the order in which they are dealt: shuffled by the seed. given are the splits
// among them.
func (s Source) photographs(seed int64) (all []dataset.Sample, given map[string]bool) {
	given = map[string]bool{}
	of := map[[2]string][]dataset.Sample{}
	for _, one := range s.Places.All() {
		if one.Class == "" {
			continue
		}
		if one.Split == dataset.Pool || one.Split == "" {
			one.Split = dataset.Train
		}
		given[one.Split] = true
		of[[2]string{one.Class, one.Split}] = append(of[[2]string{one.Class, one.Split}], one)
	}
	for _, class := range slices.Sorted(slices.Values(s.Places.Classes)) {
		for _, split := range []string{dataset.Train, dataset.Validation, dataset.Test} {
			list := of[[2]string{class, split}]
			slices.SortFunc(list, func(a, b dataset.Sample) int { return strings.Compare(a.Name, b.Name) })
			random.New(seed, "photographs", class, split).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			all = append(all, list[:min(len(list), mostPhotographs)]...)
		}
	}
	return all, given
}

func lookPhotograph(ctx context.Context, one dataset.Sample, side int) (p photograph, err error) {
	p = photograph{name: one.Name, path: one.Path}
	if _, err := p.pixels(ctx, side); err != nil {
		return p, err
	}
	f, err := os.Open(one.Path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	p.hash, err = hashOf(f)
	return p, err
}

// splitPhotographs decides in which split a place's photographs are used. What a split lacks is taken from training's: a quarter for the
// test, and then an eighth for validation.
func splitPhotographs(kept map[string][]photograph, given map[string]bool, validation bool) map[string][]photograph {
	train, valid, test := kept[dataset.Train], kept[dataset.Validation], kept[dataset.Test]
	if given[dataset.Validation] && !given[dataset.Test] {
		valid, test = nil, valid
	}
	take := func(share int) (taken []photograph) {
		n := min(len(train), max(1, len(train)/share))
		taken, train = train[:n], train[n:]
		return taken
	}
	if !given[dataset.Test] && !given[dataset.Validation] {
		test = take(4)
	}
	if validation && (!given[dataset.Validation] || !given[dataset.Test]) {
		valid = take(8)
	}
	return map[string][]photograph{dataset.Train: train, dataset.Validation: valid, dataset.Test: test}
}

// some are the first names of a list.
func some(list []string) string {
	if len(list) > 8 {
		return fmt.Sprintf("%s, … (%d)", strings.Join(list[:8], ", "), len(list))
	}
	return strings.Join(list, ", ")
}
