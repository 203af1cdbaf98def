package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// answers is what evaluate knows of one network.
type answers struct {
	classes []string
	rows    []measure.Row
	report  evaluateReport // what does not follow from the rows alone, and the figures of an Evaluation
}

// passPrior is the time that one pass of deletion or insertion is expected to take.
const passPrior = 5 * time.Millisecond

// measure runs a network over the images and measures its answers and maps.
func (c *evaluateCommand) measure(ctx context.Context, path string, set *dataset.Dataset, say io.Writer) (m answers, err error) {
	network, manifest, err := openModel(ctx, path, c.partFlags, c.Threads, say)
	if err != nil {
		return m, err
	}
	defer network.Close()
	line := newProgressLine(say)
	defer line.done()
	plans := []plan{samples.Plan(set), {Stage: progress.Scanning, Total: samples.Workload(set, c.Split, 0).Heldout, Each: scanPrior}}
	if c.Curves > 0 {
		plans = append(plans, plan{Stage: progress.Evaluating, Total: c.Curves, Each: time.Duration(network.Sizes().ImageHeight) * passPrior})
	}
	meter := line.meter(plans...)
	images, err := samples.Open(ctx, set, samples.ViewOf(network, manifest.Classes, c.Masks), meter)
	if err != nil {
		return m, err
	}
	if m.report.Unused, err = c.addMaps(images, set, network); err != nil {
		return m, err
	}
	split, heldout, err := images.HeldOut(c.Split)
	if err != nil {
		return m, err
	}
	if split == "" {
		heldout = images.Samples
	}
	if len(heldout) == 0 {
		return m, fmt.Errorf("there are no labelled images in %s", c.Images)
	}
	meter.Expect(progress.Scanning, len(heldout), 0)
	e := evaluation{network: network, images: images, broken: []brokenImage{}}
	if err := e.scan(ctx, heldout, line.scanned(meter)); err != nil {
		return m, err
	}
	kept := func(i int) (attention.Map, error) { return e.maps[i], nil }
	if m.report.Activation, err = measure.SetWrongReasons(e.judged, kept, func(i int) *measure.OfMap { return &e.rows[i].OfMap }); err != nil {
		return m, err
	}
	if c.Curves > 0 {
		curves := perturbing{evaluation: &e, step: c.Step, held: c.HoldMap}
		if err := curves.add(ctx, c.Curves, func(done, of int) {
			meter.Expect(progress.Evaluating, of, 0)
			meter.Advance(progress.Evaluating, done)
		}); err != nil {
			return m, err
		}
	}
	meter.Finish()
	if c.Compare != "" {
		for i := range e.rows {
			e.rows[i].Model = path
		}
	}
	m.report.Split, m.report.Evaluation, m.report.Broken = split, *measure.Summarize(e.judged, e.results), e.broken
	for i := range m.report.PerClass {
		m.report.PerClass[i].Name = manifest.Classes[m.report.PerClass[i].Class]
	}
	m.classes, m.rows = manifest.Classes, e.rows
	return m, nil
}

// addMaps gives the images the maps that people made of them and returns those that are of no image.
func (c *evaluateCommand) addMaps(images *samples.Set, set *dataset.Dataset, network *inference.Network) (unused []string, err error) {
	if c.Maps == "" {
		return nil, nil
	}
	maps, err := dataset.Maps(c.Maps)
	if err != nil {
		return nil, err
	}
	if err := maps.ValidateOn(network.Sizes().GridHeight, network.Sizes().GridWidth); err != nil {
		return nil, err
	}
	edited, unused, err := maps.Match(set.Samples())
	if err != nil {
		return nil, err
	}
	found := false
	for i := range images.Samples {
		if m, ok := edited[images.Samples[i].Name]; ok {
			images.Samples[i].Edited, found = m, true
		}
	}
	if !found {
		return nil, fmt.Errorf("none of the %d maps in %s belongs to a labelled image of %s; the first is %s", len(maps.Maps), c.Maps, c.Images, maps.Maps[0].Source)
	}
	return unused, nil
}

// evaluation is one network's evaluation under way.
type evaluation struct {
	network *inference.Network
	images  *samples.Set
	broken  []brokenImage
	judged  []sample.Sample // whose results and rows follow
	results []measure.Result
	rows    []measure.Row
	maps    []attention.Map // of judged, for the wrong-reason score, whose threshold is known only at the end
}

// scan judges the network's answer to each image.
func (e *evaluation) scan(ctx context.Context, heldout []sample.Sample, tell func(inference.Progress)) error {
	for _, b := range e.images.Broken {
		e.broken = append(e.broken, brokenImage{Error: b})
	}
	_, err := inference.Scan(ctx, e.network, e.images.Scan(heldout), func(ctx context.Context, batch []inference.ScanResult) error {
		start := len(e.rows)
		for _, r := range batch {
			s := heldout[r.Image.ID]
			if r.Err != nil {
				e.broken = append(e.broken, brokenImage{s.Name, r.Err.Error()})
				continue
			}
			result := measure.Judge(s, r.Probabilities, r.AttClass, r.Map)
			e.judged, e.results, e.rows, e.maps = append(e.judged, s), append(e.results, result), append(e.rows, measure.RowOf(s, result)), append(e.maps, r.Map)
		}
		group, ctx := errgroup.WithContext(ctx)
		for i := start; i < len(e.rows); i++ {
			group.Go(func() error { return e.lookAt(ctx, &e.rows[i].OfMap, e.judged[i], e.maps[i]) })
		}
		return group.Wait()
	}, inference.ScanOptions{Total: len(heldout), Progress: tell})
	if err == nil && len(e.rows) == 0 {
		err = errors.New("none of the images can be read: " + e.broken[0].Image + ": " + e.broken[0].Error)
	}
	return err
}

// lookAt measures a map against the object and against a person's map.
func (e *evaluation) lookAt(ctx context.Context, to *measure.OfMap, s sample.Sample, m attention.Map) error {
	sizes := e.network.Sizes()
	mask, err := e.images.PixelMask(ctx, s, sizes.ImageHeight, sizes.ImageWidth)
	if err == nil {
		to.LookAt(m, s.Edited, mask)
	}
	return err
}
