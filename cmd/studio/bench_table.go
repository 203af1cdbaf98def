package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/internal/bench"
)

// benchTableCommand compares with PyTorch on several networks.
type benchTableCommand struct {
	pytorchFlag
	Networks []string `name:"arch" help:"Architectures, as in \"studio train\"." default:"resnet18,resnet50,mobilenetv2"`
	Steps    int      `help:"Training steps to time." default:"5"`
	Limit    int      `help:"Pictures to scan." default:"96"`
	Rounds   int      `help:"Scans to time." default:"5"`
	Runs     int      `help:"Live scores to time." default:"200"`
	Into     string   `placeholder:"PAGE" help:"Write the table into this page, between its lines \"bench table\"; without it, it is printed." type:"existingfile"`
	JSON     bool     `name:"json" help:"Print one JSON document."`
}

// Help says how long it takes, below the flags.
func (*benchTableCommand) Help() string {
	return "A training step, a scan and a live score of each network, here and in PyTorch, in turn: minutes, of which compiling takes most. " +
		"On two cores that do nothing else it takes about half an hour."
}

// Run implements the command.
func (c *benchTableCommand) Run(ctx context.Context, streams *stdio) error {
	c.PyTorch = cmp.Or(c.PyTorch, "auto")
	var page *bench.TablePage
	if c.Into != "" {
		var err error
		if page, err = bench.OpenTablePage(c.Into); err != nil {
			return err
		}
	}
	var train benchTrainCommand
	var scan benchScanCommand
	var score benchScoreCommand
	for _, command := range []any{&train, &scan, &score} {
		if err := kong.ApplyDefaults(command, withHelpWords()); err != nil {
			return err
		}
	}
	train.Steps, scan.Limit, scan.Rounds, score.Runs = c.Steps, c.Limit, c.Rounds, c.Runs
	result, err := bench.Table{
		PyTorch: c.against(), Networks: c.Networks, Train: train.train(), Scan: scan.scan(), Score: score.score(), Build: cmp.Or(version, "development"),
		Progress: func(row string) { fmt.Fprintln(streams.Err, row) },
	}.Measure(ctx)
	if err == nil && page != nil {
		return page.Write(result)
	}
	return printMeasured(streams, c.JSON, result, err)
}
