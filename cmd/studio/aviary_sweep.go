package main

import (
	"context"
	"time"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/study"
)

// aviarySweepCommand measures how much edits improve the demo's network.
type aviarySweepCommand struct {
	Model      string        `required:"" type:"existingfile" help:"The ABN to start from."`
	Images     string        `required:"" type:"existingdir" help:"What studio aviary wrote."`
	Out        string        `required:"" type:"path" help:"File to append results to, a JSON document a line. What it holds already is not run again."`
	Sources    []string      `default:"train" enum:"train,pool" help:"Where edited images come from: train (misclassified ones first, then any) or pool (misclassified ones)."`
	Strategies []string      `default:"${strategy_all}" help:"Branches to update: ${strategy}."`
	Edits      []int         `default:"20,60,200,600" help:"Numbers of edits."`
	Gammas     []float64     `default:"0.1,0.3,1,3,10" help:"Scales of the map loss; 0 is always run."`
	Cross      bool          `help:"Vary the number of edits and γ one at a time, not in all pairs."`
	Anchors    []float64     `help:"Scales of the anchor; without any, that of a round's defaults."`
	Optimizers []string      `default:"${optimizer_default}" help:"Updates: ${optimizer}."`
	Crops      []float64     `default:"${crop_default}" help:"Least shares of the view that random crops keep; 0: no crops."`
	Seeds      int           `default:"3" help:"Number of seeds, from 1 on; a seed decides which images are edited, and the order of training."`
	MapLoss    string        `default:"${map_loss_default}" help:"Form of the map loss: ${map_loss}."`
	Parallel   int           `help:"Fine-tunings at a time; 0: one a core."`
	Limit      time.Duration `help:"Start no fine-tuning after this time; 0: no limit."`
	JSON       bool          `name:"json" help:"Print the summary as JSON."`
	settingFlags
}

// Run runs the fine-tunings that --out has no outcome of, and prints a summary of all.
func (c *aviarySweepCommand) Run(ctx context.Context, streams *stdio) error {
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, wholeModel("--model", c.Model)); err != nil {
		return err
	}
	settings := recipe.Defaults()
	if err := c.fill(&settings); err != nil {
		return err
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	rows, err := study.Sweep{
		Model: c.Model, Images: c.Images, Out: c.Out, Sources: c.Sources, Strategies: c.Strategies, Edits: c.Edits, Gammas: c.Gammas, Cross: c.Cross,
		Anchors: c.Anchors, Optimizers: c.Optimizers, Crops: c.Crops, Seeds: c.Seeds, MapLoss: c.MapLoss, Parallel: c.Parallel, Limit: c.Limit,
		Settings: settings, Left: c.left(),
	}.Run(ctx, line.meter())
	line.done()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, rows)
	}
	study.PrintSweep(streams.Out, rows)
	return nil
}
