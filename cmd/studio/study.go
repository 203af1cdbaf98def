package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/sample"
)

// studyCommand groups studies of what maps are worth.
type studyCommand struct {
	Rounds  studyRoundsCommand  `cmd:"" help:"Say what maps are worth against every arm without them, over seeds, numbers of edits, strategies, orders and hands. Hours."`
	Edits   studyEditsCommand   `cmd:"" help:"Say what a network answers with edited maps in the place of its own, before any training."`
	IDRiD   studyIDRiDCommand   `cmd:"" name:"idrid" help:"Say what lesion masks are worth as maps where the question is whether there is disease (IDRiD). Hours."`
	Make    studyMakeCommand    `cmd:"" help:"Make a data set in which something beside the object goes with the class in training."`
	Publish studyPublishCommand `cmd:"" help:"Write a study of rounds in the small form in which a repository keeps it."`
}

// studyEditsCommand puts edited maps in the place of a network's own.
type studyEditsCommand struct {
	Model  string `help:"The ABN, an ONNX file." required:"" type:"existingfile"`
	Images string `help:"Folder of labelled pictures: split/class/image. Those that have a map are answered, whatever their split." required:"" type:"existingdir"`
	layoutFlags
	partFlags
	Maps  string `help:"Edited maps: a folder of .npy or grey .png named after their images, or an .npz." type:"path"`
	Masks string `help:"Folder of object masks named after the images: an image without a map in --maps is edited to its mask, averaged over the map's cells." type:"existingdir"`
	featureFlags
	Cache   string `help:"Folder in which features are kept from run to run (default: in the user's cache folder)." type:"path"`
	Rows    string `help:"Write what the network answers to each image under each map as JSON, a line an image: every figure follows from these rows." type:"path" placeholder:"FILE"`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// studyEditsReport is study edits' JSON document.
type studyEditsReport struct {
	Model   string   `json:"model"`
	Classes []string `json:"classes"` // a class's place is its number in pairs and rows
	forecast.MapsInPlace
	Unused  []string      `json:"unused_maps"`
	Broken  []brokenImage `json:"broken"` // pictures that could not be used
	Seconds float64       `json:"seconds"`
}

// Run answers the images and prints the table.
func (c *studyEditsCommand) Run(ctx context.Context, io *stdio) error {
	start := time.Now()
	if c.Maps == "" && c.Masks == "" {
		return errors.New("no maps: give edited ones with --maps, or the objects' masks with --masks")
	}
	if c.Rows != "" {
		read := wholeModel("--model", c.Model)
		for _, f := range []namedFile{{"--maps", c.Maps}, {"--masks", c.Masks}} {
			if f.path != "" {
				read = append(read, f)
			}
		}
		if err := refuseOverwriting([]namedFile{{"--rows", c.Rows}}, read, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}, namedFile{"--maps", c.Maps}); err != nil {
			return err
		}
	}
	report, rows, err := c.answer(ctx, io.Err)
	if err != nil {
		return err
	}
	if c.Rows != "" {
		if err := writeRows(c.Rows, rows); err != nil {
			return fmt.Errorf("writing %s: %w", c.Rows, err)
		}
	}
	report.Seconds = time.Since(start).Seconds()
	if c.JSON {
		return printJSON(io.Out, report)
	}
	report.print(io.Out)
	return nil
}

// answer runs the network over the images that have an edited map.
func (c *studyEditsCommand) answer(ctx context.Context, say io.Writer) (r studyEditsReport, rows []forecast.RowInPlace, err error) {
	model, _, err := onnx.Load(ctx, c.Model)
	if err != nil {
		return r, nil, err
	}
	opened, err := openABN(ctx, c.Model, model, c.partFlags)
	if err != nil {
		return r, nil, err
	}
	trial, err := tryABN(ctx, opened)
	if err != nil {
		return r, nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	tellWarnings(say, c.Model, trial.Warnings)
	network, err := runABN(c.Model, opened, c.Threads)
	if err != nil {
		return r, nil, err
	}
	defer network.Close()
	set, err := c.read(c.Images, say)
	if err != nil {
		return r, nil, err
	}
	defer set.Close()
	line := newProgressLine(say)
	defer line.done()
	meter := line.meter(append([]plan{samples.Plan(set)}, trainer.ForecastPlan(set.Len())...)...)
	manifest, sizes := opened.Manifest(), network.Sizes()
	images, err := samples.Open(ctx, set, samples.ViewOf(network, manifest.Classes, c.Masks), meter)
	if err != nil {
		return r, nil, err
	}
	r = studyEditsReport{Model: c.Model, Classes: manifest.Classes, Unused: []string{}, Broken: []brokenImage{}}
	edited, unused, err := c.edited(images, set, sizes.GridHeight, sizes.GridWidth)
	if err != nil {
		return r, nil, err
	}
	r.Unused = append(r.Unused, unused...)
	store, err := c.open(c.Cache)
	if err != nil {
		return r, nil, err
	}
	dims := [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}
	view := store.View(features.Origin{Extractor: opened.ExtractorHash(), Preprocessing: manifest.PreprocessingHash()}, dims)
	defer view.Close()
	rows, skipped, err := trainer.Forecast(ctx, trainer.ForecastSpec{
		Network: network, Input: [3]int{sizes.ImageChannels, sizes.ImageHeight, sizes.ImageWidth}, Dims: dims, Classes: sizes.Classes,
		Edited: edited, Pixels: images.Pixels, View: view, Meter: meter,
	})
	if err != nil {
		return r, nil, err
	}
	for i := range rows {
		rows[i].ImageID = 0 // a folder's images have names alone
	}
	for _, p := range skipped {
		r.Broken = append(r.Broken, brokenImage{p.Sample.Name, p.Err.Error()})
	}
	if r.MapsInPlace, err = trainer.JudgeForecast(rows); err != nil {
		return r, nil, fmt.Errorf("%w, the first: %s: %s", err, r.Broken[0].Image, r.Broken[0].Error)
	}
	meter.Finish()
	return r, rows, nil
}

// edited are the images that have a map, each with it, and the maps that are of no image.
func (c *studyEditsCommand) edited(images *samples.Set, set *dataset.Dataset, height, width int) (edited []sample.Sample, unused []string, err error) {
	first := ""
	if c.Maps != "" {
		maps, err := dataset.Maps(c.Maps)
		if err != nil {
			return nil, nil, err
		}
		if err := maps.ValidateOn(height, width); err != nil {
			return nil, nil, err
		}
		of, none, err := maps.Match(set.Samples())
		if err != nil {
			return nil, nil, err
		}
		unused, first = none, fmt.Sprintf("none of the %d maps in %s belongs to a labelled image of %s; the first is %s", len(maps.Maps), c.Maps, c.Images, maps.Maps[0].Source)
		for i := range images.Samples {
			if m, ok := of[images.Samples[i].Name]; ok {
				images.Samples[i].Edited = m
			}
		}
	}
	for _, s := range images.Samples {
		if c.Masks != "" && s.Edited.IsZero() && !s.Mask.IsZero() {
			s.Edited = aviary.EditFromGrid(s.Mask)
		}
		if !s.Edited.IsZero() {
			edited = append(edited, s)
		}
	}
	if len(edited) == 0 {
		if first == "" {
			first = fmt.Sprintf("no labelled image of %s has a mask in %s with an object in the network's view", c.Images, c.Masks)
		}
		return nil, nil, errors.New(first)
	}
	return edited, unused, nil
}

// print writes the report for people.
func (r studyEditsReport) print(out io.Writer) {
	fmt.Fprintln(out, r.Sentence)
	for _, a := range r.Advice {
		fmt.Fprintf(out, "  %s\n", a.Words())
	}
	for _, set := range []struct {
		label string
		forecast.UnderMaps
	}{{"all images with a map", r.All}, {"those the network gets wrong", r.Wrong}, {"those it gets right", r.Right}} {
		if set.Images == 0 {
			continue
		}
		fmt.Fprintf(out, "%s: %d\n", set.label, set.Images)
		fmt.Fprintf(out, "  %-26s %8s  %-24s %12s %12s\n", "map in place", "right", "share (95%)", "top-1 error", "top-5 error")
		for _, u := range set.Maps {
			fmt.Fprintf(out, "  %-26s %8.1f  %-24s %12.1f %12.1f\n", u.Map.Label(), u.Right, fmt.Sprintf("%.1f (%.1f to %.1f)", 100*u.Share, 100*u.Low, 100*u.High), 100*u.TopOneErr, 100*u.TopFiveErr)
		}
	}
	fmt.Fprintf(out, "Edited less another image's map, of those it gets wrong: %+.1f points (95%% %.1f to %.1f); less a flat map: %+.1f (%.1f to %.1f). Another image's map: mean of %d draws.\n",
		100*r.OverShuffled.Value, 100*r.OverShuffled.Low, 100*r.OverShuffled.High, 100*r.OverFlat.Value, 100*r.OverFlat.Low, 100*r.OverFlat.High, r.Draws)
	for _, p := range r.Pairs {
		fmt.Fprintf(out, "  %s taken for %s: %d edits, right with the edited map %d, with another image's %.1f\n", r.Classes[p.Label], r.Classes[p.Predicted], p.Edits, p.Edited, p.Shuffled)
	}
	if n := len(r.Unused); n > 0 {
		fmt.Fprintf(out, "%d maps belong to no image, the first: %s\n", n, r.Unused[0])
	}
	if n := len(r.Broken); n > 0 {
		fmt.Fprintf(out, "%d images could not be used, the first: %s: %s\n", n, r.Broken[0].Image, r.Broken[0].Error)
	}
}
