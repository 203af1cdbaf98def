package main

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/progress"
)

// aviaryCommand is about the demo's data.
type aviaryCommand struct {
	Draw  aviaryDrawCommand  `cmd:"" default:"withargs" help:"Draw the demo's pictures (the default)."`
	Sweep aviarySweepCommand `cmd:"" hidden:"" help:"Measure what edits are worth over their number and γ."`
}

// aviaryDrawCommand writes the demo's pictures as an image folder, to look at or to train on.
type aviaryDrawCommand struct {
	Out         string `required:"" type:"path" help:"Folder to write to; it is created."`
	Seed        int64  `default:"1" help:"Seed of the pictures: each seed gives different ones, which are the same on every machine."`
	HomePercent int    `default:"95" help:"How many of 100 training pictures show a bird in its home scene."`
	Train       int    `default:"200" help:"Pictures of each bird for training."`
	Validation  int    `default:"20" help:"Pictures of each bird for validation, a multiple of 4."`
	Test        int    `default:"80" help:"Pictures of each bird for test, a multiple of 4."`
	Pool        int    `default:"80" help:"Pictures of each bird in the pool, a multiple of 4; 0 for none."`
	JSON        bool   `name:"json" help:"Print one JSON document."`
}

// aviaryReport is what --json prints.
type aviaryReport struct {
	Out     string         `json:"out"`
	Seed    int64          `json:"seed"`
	Images  int            `json:"images"`
	Splits  map[string]int `json:"splits"`
	Classes []string       `json:"classes"`
	Seconds float64        `json:"seconds"`
}

// Run draws.
func (c *aviaryDrawCommand) Run(ctx context.Context, io *stdio) error {
	start := time.Now()
	options := aviary.Options{
		Seed: c.Seed, HomePercent: c.HomePercent,
		Train: c.Train, Validation: c.Validation, Test: c.Test, Pool: c.Pool,
	}
	line := newProgressLine(io.Err)
	meter := line.meter(plan{Stage: progress.Drawing, Total: len(aviary.Plan(options))})
	err := aviary.Generate(ctx, c.Out, options, func(done, _ int) { meter.Advance(progress.Drawing, done) })
	if err == nil {
		meter.Finish()
	}
	line.done()
	if err != nil {
		return err
	}
	written, err := dataset.Open("folder", c.Out)
	if err != nil {
		return err
	}
	report := aviaryReport{
		Out: c.Out, Seed: c.Seed, Images: len(written.Samples()), Splits: map[string]int{},
		Classes: written.Classes, Seconds: time.Since(start).Seconds(),
	}
	for _, sample := range written.Samples() {
		report.Splits[sample.Split]++
	}
	if c.JSON {
		return printJSON(io.Out, report)
	}
	fmt.Fprintf(io.Out, "%d pictures of %d birds in %s\n", report.Images, len(report.Classes), c.Out)
	for _, split := range []string{dataset.Train, dataset.Validation, dataset.Test, dataset.Pool} {
		if n := report.Splits[split]; n > 0 {
			fmt.Fprintf(io.Out, "  %-10s %5d\n", split, n)
		}
	}
	return nil
}
