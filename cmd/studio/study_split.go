package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/study"
	"github.com/abn-studio/studio/internal/text"
)

// studyMakeSplitCommand divides a data set.
type studyMakeSplitCommand struct {
	Images string `help:"Data set of labelled pictures; splits of its own do not matter." required:"" type:"existingdir"`
	Masks  string `help:"Folder of object masks named after the images (default: those of the data set)." type:"existingdir"`
	layoutFlags
	Out        string            `help:"Folder to write to: empty or new, or with a set of the same flags, which is left as it is." required:"" type:"path"`
	Train      float64           `help:"The share of each class's pictures for training." default:"0.5"`
	Validation float64           `help:"For validation; 0: no such split." default:"0.1"`
	Pool       float64           `help:"For the pool, where edits are made. What is left is the test's. Where fewer than half of the pictures have a mask, two thirds of those that do are the pool, and a third is the test's." default:"0.15"`
	Join       map[string]string `help:"Classes made of others, whose names are apart by commas; the rest is left out." placeholder:"sick=1,2;well=0"`
	Seed       int64             `help:"Seed of who goes where: the same on every machine." default:"1"`
	JSON       bool              `name:"json" help:"Print one JSON document."`
}

// Run writes the set.
func (c *studyMakeSplitCommand) Run(ctx context.Context, streams *stdio) error {
	if err := refuseWithin(c.Out, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
		return err
	}
	images, err := c.read(c.Images, streams.Err)
	if err != nil {
		return err
	}
	defer images.Close()
	o := study.SplitOptions{Seed: c.Seed, Train: c.Train, Validation: c.Validation, Pool: c.Pool}
	for name, classes := range c.Join {
		if o.Join == nil {
			o.Join = map[string][]string{}
		}
		o.Join[name] = strings.Split(classes, ",")
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	made, err := divide(ctx, study.Split{Images: images, Masks: c.Masks, SplitOptions: o}, c.Out, line)
	if err != nil {
		return err
	}
	line.done()
	if c.JSON {
		return printJSON(streams.Out, made)
	}
	printDivided(streams.Out, made, c.Out)
	return nil
}

// divide writes a set that is not there yet.
func divide(ctx context.Context, split study.Split, out string, line *progressLine) (study.Divided, error) {
	meter := line.meter(progress.Plan{Stage: progress.Composing, Total: split.Images.Len()})
	made, err := split.Make(ctx, out, meter)
	if err == nil {
		meter.Finish()
	}
	return made, err
}

func printDivided(out io.Writer, d study.Divided, dir string) {
	fmt.Fprintf(out, "%s in %s\n", text.Plural(len(d.Classes), "class"), dir)
	fmt.Fprintf(out, "  %-10s %8s %9s\n", "split", "pictures", "with mask")
	for _, split := range study.DividedSplits {
		if of := d.Splits[split]; of.Images > 0 {
			fmt.Fprintf(out, "  %-10s %8d %9d\n", split, of.Images, of.Masked)
		}
	}
	if d.Twice > 0 {
		fmt.Fprintf(out, "%d left out: the same file as another\n", d.Twice)
	}
	if n := len(d.Broken); n > 0 {
		fmt.Fprintf(out, "%d cannot be read, the first: %s\n", n, d.Broken[0])
	}
	fmt.Fprintf(out, "digest %s\n", d.Digest)
}

// studyIDRiDCommand is a study of rounds on IDRiD: is there disease? Lesion masks are the maps.
type studyIDRiDCommand struct {
	Networks []string `arg:"" help:"ONNX files, classifiers or ABNs of two classes, each with its manifest." type:"existing" placeholder:"FILE"`
	Images   string   `help:"IDRiD's folder, with \"B. Disease Grading\" and \"A. Segmentation\", and seg_to_grade_match.csv, which says which photographs are in both." required:"" type:"existingdir"`
	Lesions  []string `help:"Kinds of lesions that maps are made of (default: all; the optic disc is none)." placeholder:"KIND"`
	Gains    []string `help:"Mechanisms that a classifier is given, of ${enum}." enum:"M,1+M" default:"M,1+M"`
	Seeds    int      `help:"Number of seeds, from 1 on; a seed decides who is in which split, new layers, order and augmentation." default:"3"`
	Training int      `help:"Epochs in which the branches of an attached classifier are trained, by AdamW on mirrored images." default:"20"`
	Edits    []int    `help:"Numbers of edits; 0: all images that the order has." default:"0"`
	Orders   []string `help:"Which pool images are edited first, of ${enum}, as in study rounds; with random and 0 edits, all that have lesions." enum:"confident,uncertain,wrong-reason,random" default:"random"`
	Out      string   `help:"Folder of the study: the divided pictures, its rounds and their rows. What it holds already is not made again." required:"" type:"path"`
	Parallel int      `help:"Networks at a time, one thread each; 0: one a core." default:"0"`
	JSON     bool     `name:"json" help:"Print one JSON document."`
	settingFlags
}

// presence are the classes of the study, of the grades that there are (Porwal et al. 2018: 0 is no apparent retinopathy).
func presence(grades []string) map[string][]string {
	of := map[string][]string{}
	for _, grade := range grades {
		name := "disease"
		if grade == "0" {
			name = "none"
		}
		of[name] = append(of[name], grade)
	}
	return of
}

// opticDisc is a kind of mask of IDRiD that is no lesion.
const opticDisc = "optic disc"

// Run divides the photographs, runs the rounds and prints their table.
func (c *studyIDRiDCommand) Run(ctx context.Context, streams *stdio) error {
	if err := refuseWithin(c.Out, namedFile{"--images", c.Images}); err != nil {
		return err
	}
	lesions, err := c.lesions()
	if err != nil {
		return err
	}
	images, err := layoutFlags{Format: "idrid", readingFlags: readingFlags{MaskObject: dataset.Auto, Parts: lesions}}.read(c.Images, streams.Err)
	if err != nil {
		return err
	}
	defer images.Close()
	line := newProgressLine(streams.Err)
	defer line.done()
	for seed := range c.Seeds {
		split := study.Split{Images: images, SplitOptions: study.SplitOptions{Seed: int64(seed + 1), Train: 0.55, Validation: 0.1, Pool: 0.05, Join: presence(images.Classes)}}
		out := filepath.Join(c.Out, "sets", fmt.Sprint(seed+1))
		made, err := divide(ctx, split, out, line)
		if err != nil {
			return err
		}
		line.done()
		if !c.JSON {
			printDivided(streams.Err, made, out)
		}
	}
	sets := filepath.Join(c.Out, "sets", study.SeedMark)
	rounds := studyRoundsCommand{
		subjectFlags: subjectFlags{Networks: c.Networks, Images: filepath.Join(sets, "images"), Masks: filepath.Join(sets, "masks"), Format: dataset.Auto, Gains: c.Gains, Seeds: c.Seeds, Training: c.Training},
		Edits:        c.Edits, Strategies: []string{"both"}, Orders: c.Orders, Hands: []string{string(study.Exact)}, Out: c.Out, Parallel: c.Parallel, JSON: c.JSON, settingFlags: c.settingFlags,
	}
	return rounds.run(ctx, streams)
}

// lesions are the kinds of masks that maps are made of.
func (c *studyIDRiDCommand) lesions() (kinds []string, err error) {
	images, err := dataset.Open("idrid", c.Images)
	if err != nil {
		return nil, err
	}
	defer images.Close()
	for _, s := range images.All() {
		for _, p := range s.Parts {
			if !slices.Contains(kinds, p.Kind) {
				kinds = append(kinds, p.Kind)
			}
		}
	}
	slices.Sort(kinds)
	for _, asked := range c.Lesions {
		if !slices.Contains(kinds, asked) {
			return nil, fmt.Errorf("--lesions: %s has no masks of %q: there are %s", c.Images, asked, strings.Join(kinds, ", "))
		}
	}
	if c.Lesions != nil {
		return c.Lesions, nil
	}
	return slices.DeleteFunc(kinds, func(kind string) bool { return kind == opticDisc }), nil
}
