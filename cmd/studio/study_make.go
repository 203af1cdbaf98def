package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/confound"
)

// studyMakeCommand makes sets for studies.
type studyMakeCommand struct {
	Confounded studyMakeConfoundedCommand `cmd:"" help:"Put objects on photographs of places; in training each class is mostly on its own (Waterbirds' recipe)."`
	Split      studyMakeSplitCommand      `cmd:"" help:"Divide labelled pictures into training, validation, pool and test."`
	Decoy      studyMakeDecoyCommand      `cmd:"" help:"Put a mark into photographs whose colour goes with the class in training, as tags, watermarks and rulers do."`
}

// studyMakeFlags are those of both.
type studyMakeFlags struct {
	Images string `help:"Data set of labelled photographs of objects." required:"" type:"existingdir"`
	Masks  string `help:"Folder of object masks named after the images (default: those of the data set)." type:"existingdir"`
	layoutFlags
	Out               string   `help:"Folder to write to: empty or new, or with a set of the same flags, which is written again." required:"" type:"path"`
	Classes           []string `help:"Classes, or how many: those with the most usable objects (default: all that have enough)." placeholder:"N|NAME"`
	Strength          float64  `help:"The share of each class's training pictures that shows what goes with the class, 0 to 1." default:"0.95"`
	Size              int      `help:"Side of the pictures in pixels; they are square." default:"224"`
	Seed              int64    `help:"Seed of everything that is drawn at random: the same pictures on every machine." default:"1"`
	Objects           int      `help:"At most so many objects of a class, drawn by the seed; 0: all." default:"0"`
	TrainObjects      float64  `help:"Objects of each class for training: a share below 1, or how many. What training, validation and pool leave is the test's." default:"0.4"`
	ValidationObjects float64  `help:"Objects of each class for validation; 0: no such split." default:"0.1"`
	PoolObjects       float64  `help:"Objects of each class for the pool, where edits are made; 0: no such split." default:"0.2"`
	ValidationRepeats int      `help:"Pictures of each object in validation." default:"4"`
	PoolRepeats       int      `help:"Pictures of each object in the pool." default:"4"`
	MinArea           float64  `help:"The least share of a picture that its object covers, 0 to 1." default:"0.04"`
	MaxArea           float64  `help:"The largest." default:"0.7"`
	JSON              bool     `name:"json" help:"Print one JSON document."`
}

// studyMakeConfoundedCommand writes a confounded set.
type studyMakeConfoundedCommand struct {
	studyMakeFlags
	Places       string `help:"Folder of photographs of places: PLACE/photograph, or SPLIT/PLACE/photograph, of whose test and validation photographs the test is made." required:"" type:"existingdir"`
	TrainRepeats int    `help:"Pictures of each object in training." default:"6"`
	Groups       string `help:"What a picture's group is: home, whether the object is at home or away; or place, the class and the place (Sagawa et al. 2020): a group for each pair, of few pictures where classes and places are many." enum:"home,place" default:"home"`
}

// studyMakeDecoyCommand writes a set with decoys.
type studyMakeDecoyCommand struct {
	studyMakeFlags
	Decoy        string  `help:"The mark: frame, all around; band, from side to side; patch, in a corner; ruler, with ticks, along a side." enum:"frame,band,patch,ruler" default:"frame"`
	Thickness    float64 `help:"How thick it is, as a share of the picture's side; 0: frame 0.0725, band 0.2, patch 0.375, ruler 0.14." default:"0"`
	Colours      int     `help:"How many colours there are, 2 to 10; 0: 10, or one for each class if these are fewer." default:"0"`
	Bare         bool    `help:"Show each of the test's objects without the mark too."`
	TrainRepeats int     `help:"Pictures of each object in training." default:"4"`
	Groups       string  `help:"What a picture's group is: home, whether the colour is the class's own, or away; or colour, the class and the colour." enum:"home,colour" default:"home"`
}

// studyMakeReport is what --json prints.
type studyMakeReport struct {
	Out string `json:"out"`
	confound.Study
	Seconds float64 `json:"seconds"`
}

// Run makes the set.
func (c *studyMakeConfoundedCommand) Run(ctx context.Context, streams *stdio) error {
	o := c.options(confound.Confounded, c.TrainRepeats, c.Groups)
	if err := o.Validate(); err != nil {
		return err
	}
	if err := refuseWithin(c.Out, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}, namedFile{"--places", c.Places}); err != nil {
		return err
	}
	places, err := layoutFlags{Format: dataset.Auto}.read(c.Places, io.Discard)
	if err != nil {
		return fmt.Errorf("--places: %w", err)
	}
	defer places.Close()
	return c.make(ctx, streams, o, places)
}

// Run makes the set.
func (c *studyMakeDecoyCommand) Run(ctx context.Context, streams *stdio) error {
	o := c.options(confound.Decoy, c.TrainRepeats, c.Groups)
	o.Shape, o.Thickness, o.Colours, o.Bare = c.Decoy, c.Thickness, c.Colours, c.Bare
	if err := o.Validate(); err != nil {
		return err
	}
	if err := refuseWithin(c.Out, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
		return err
	}
	return c.make(ctx, streams, o, nil)
}

// options are the flags as the package has them. A single number among the classes is how many.
func (c *studyMakeFlags) options(kind string, trainRepeats int, groups string) confound.Options {
	o := confound.Options{
		Kind: kind, Strength: c.Strength, Size: c.Size, Seed: c.Seed, Only: c.Classes, Objects: c.Objects,
		Train: confound.Share(c.TrainObjects), Validation: confound.Share(c.ValidationObjects), Pool: confound.Share(c.PoolObjects),
		Repeats: confound.Repeats{Train: trainRepeats, Validation: c.ValidationRepeats, Pool: c.PoolRepeats},
		MinArea: c.MinArea, MaxArea: c.MaxArea, Groups: confound.GroupByHome,
	}
	if groups != confound.GroupByHome { // place or colour
		o.Groups = confound.GroupByCue
	}
	if len(c.Classes) == 1 {
		if n, err := strconv.Atoi(c.Classes[0]); err == nil {
			o.Only, o.Count = nil, max(n, 1)
		}
	}
	return o
}

// refuseWithin returns an error for a folder to be written that lies in one that is read, or is it: the next run would read what this one
// wrote.
func refuseWithin(out string, folders ...namedFile) error {
	for _, folder := range folders {
		if folder.path == "" {
			continue
		}
		if below, err := filepath.Rel(resolved(folder.path), resolved(out)); err == nil && filepath.IsLocal(below) {
			return fmt.Errorf("--out, %s, lies in the folder of %s: name one outside of it, what is read stays as it is", out, folder.what)
		}
	}
	return nil
}

// make reads the objects, makes the set and prints what it is.
func (c *studyMakeFlags) make(ctx context.Context, streams *stdio, o confound.Options, places *dataset.Dataset) error {
	start := time.Now()
	images, err := c.read(c.Images, streams.Err)
	if err != nil {
		return err
	}
	defer images.Close()
	source := confound.Source{Images: images, Masks: c.Masks, Places: places}
	line := newProgressLine(streams.Err)
	defer line.done()
	meter := line.meter(confound.Plan(source, o)...)
	study, err := confound.Make(ctx, c.Out, source, o, meter)
	if err != nil {
		return err
	}
	meter.Finish()
	line.done()
	for _, note := range images.MasksSeen().Notes {
		fmt.Fprintf(streams.Err, "  %s\n", noteLine(note))
	}
	report := studyMakeReport{Out: c.Out, Study: study, Seconds: time.Since(start).Seconds()}
	if c.JSON {
		return printJSON(streams.Out, report)
	}
	report.print(streams.Out)
	return nil
}

// print writes the report for people.
func (r studyMakeReport) print(out io.Writer) {
	cues := "places"
	if r.Options.Kind == confound.Decoy {
		cues = "colours"
	}
	fmt.Fprintf(out, "%d pictures of %d classes, %d %s, in %s\n", r.Pictures(), len(r.Classes), len(r.Cues), cues, r.Out)
	fmt.Fprintf(out, "  %-10s %8s %9s %8s %7s  %s\n", "split", "objects", "pictures", "at home", "groups", "pictures of the smallest")
	for _, split := range confound.Splits {
		of, ok := r.Splits[split]
		if !ok {
			continue
		}
		fmt.Fprintf(out, "  %-10s %8d %9d %7.1f%% %7d  %d (%s)\n", split, of.Objects, of.Pictures, 100*float64(of.Home)/float64(of.Pictures), r.Groups[split].Groups, r.Groups[split].Pictures, r.Groups[split].Smallest)
	}
	for _, p := range r.PassedOver {
		fmt.Fprintf(out, "%d not used: %s; the first: %s\n", p.Images, p.Reason, p.First)
	}
	if n := len(r.Broken); n > 0 {
		fmt.Fprintf(out, "%d cannot be read, the first: %s: %s\n", n, r.Broken[0].Image, r.Broken[0].Error)
	}
	fmt.Fprintf(out, "digest %s\n", r.Digest)
	fmt.Fprintf(out, "measure a network on it: studio evaluate --model abn.onnx --images %s --masks %s\n", filepath.Join(r.Out, "images"), filepath.Join(r.Out, "masks"))
}
