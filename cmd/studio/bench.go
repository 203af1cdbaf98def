package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/internal/bench"
)

// benchCommand times the studio's work against the bare runtime; internal/bench measures.
type benchCommand struct {
	All      benchAllCommand      `cmd:"" default:"withargs" help:"All that time something, one after the other (this is what \"bench\" alone does)."`
	Scan     benchScanCommand     `cmd:"" help:"A scan of files against runs of the same pictures from memory."`
	Score    benchScoreCommand    `cmd:"" help:"Live scores against bare runs of the perception branch."`
	Features benchFeaturesCommand `cmd:"" help:"An epoch over cached features against reading their files."`
	Train    benchTrainCommand    `cmd:"" help:"Training steps against a large matrix product."`
	Table    benchTableCommand    `cmd:"" help:"Training steps, scans and live scores of several networks, here and in PyTorch, as one table; it needs PyTorch, so \"bench\" alone leaves it out."`
	Serve    benchServeCommand    `cmd:"" help:"Pages of a running studio with a million images, while many people paint; it needs a database, so \"bench\" alone leaves it out."`
	Recipe   benchRecipeCommand   `cmd:"" help:"A round's defaults on many networks: does a branch die, and what are maps worth. Hours, so \"bench\" alone leaves it out."`
}

// benchSubject is the network and the pictures that scan and score are timed on.
type benchSubject struct {
	Model  string `help:"ABN to time, an ONNX file; without it one of --arch at random weights." type:"existingfile"`
	Arch   string `help:"Architecture to time where there is no --model, as in \"studio train\"." default:"resnet18"`
	Images string `help:"Folder of pictures; without it Aviary's are drawn." type:"existingdir"`
	Format string `help:"Layout of the data set: ${formats}." enum:"${formats}" default:"auto"`
	partFlags
}

// subject is what they time.
func (s benchSubject) subject() bench.Subject {
	return bench.Subject{Model: s.Model, Names: s.names(), Arch: s.Arch, Images: s.Images, Format: s.Format}
}

// pytorchFlag asks for a comparison with PyTorch.
type pytorchFlag struct {
	PyTorch string   `name:"pytorch" placeholder:"PYTHON" help:"Compare with PyTorch in this Python, which needs torch and torchvision, or \"auto\" for the first that has them: plain modules, eager, in channels_last and compiled."`
	Forms   []string `name:"pytorch-form" help:"Which of them: ${enum}." enum:"eager,channels_last,compile,compile_channels_last" default:"eager,channels_last,compile,compile_channels_last"`
}

func (f pytorchFlag) against() bench.PyTorch { return bench.PyTorch{Python: f.PyTorch, Forms: f.Forms} }

// benchScanCommand times a scan.
type benchScanCommand struct {
	benchSubject
	pytorchFlag
	Limit   int  `help:"Pictures to scan at most." default:"96"`
	Batch   int  `help:"Pictures per run." default:"16"`
	Rounds  int  `help:"How often scan and bare runs are repeated, in turn." default:"5"`
	Threads int  `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool `name:"json" help:"Print one JSON document."`
}

// benchScoreCommand times live scores.
type benchScoreCommand struct {
	benchSubject
	pytorchFlag
	Runs int  `help:"Scores to time." default:"200"`
	JSON bool `name:"json" help:"Print one JSON document."`
}

// benchFeaturesCommand times an epoch's reading of cached features.
type benchFeaturesCommand struct {
	Images   int    `help:"Entries to keep and read." default:"512"`
	Channels int    `help:"Channels of the features." default:"1024"`
	Side     int    `help:"Height and width of the features." default:"14"`
	Rounds   int    `help:"How often both are repeated, in turn." default:"5"`
	Dir      string `help:"Folder on the disk to measure (default: the system's for temporary files)." type:"existingdir"`
	JSON     bool   `name:"json" help:"Print one JSON document."`
}

// measured is a benchmark's result; as JSON it is an object of figures.
type measured interface{ Print(w io.Writer) error }

// printMeasured prints what a benchmark found.
func printMeasured(streams *stdio, asJSON bool, result measured, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(streams.Out, result)
	}
	return result.Print(streams.Out)
}

func (c *benchScanCommand) measure(ctx context.Context) (measured, error) {
	return c.scan().Measure(ctx)
}

func (c *benchScanCommand) scan() bench.Scan {
	return bench.Scan{Subject: c.subject(), Limit: c.Limit, Batch: c.Batch, Rounds: c.Rounds, Threads: c.Threads, PyTorch: c.against()}
}

// Run implements the command.
func (c *benchScanCommand) Run(ctx context.Context, streams *stdio) error {
	result, err := c.measure(ctx)
	return printMeasured(streams, c.JSON, result, err)
}

func (c *benchScoreCommand) measure(ctx context.Context) (measured, error) {
	return c.score().Measure(ctx)
}

func (c *benchScoreCommand) score() bench.Score {
	return bench.Score{Subject: c.subject(), Runs: c.Runs, PyTorch: c.against()}
}

// Run implements the command.
func (c *benchScoreCommand) Run(ctx context.Context, streams *stdio) error {
	result, err := c.measure(ctx)
	return printMeasured(streams, c.JSON, result, err)
}

func (c *benchFeaturesCommand) measure(ctx context.Context) (measured, error) {
	return bench.Features{Images: c.Images, Channels: c.Channels, Side: c.Side, Rounds: c.Rounds, Dir: c.Dir}.Measure(ctx)
}

// Run implements the command.
func (c *benchFeaturesCommand) Run(ctx context.Context, streams *stdio) error {
	result, err := c.measure(ctx)
	return printMeasured(streams, c.JSON, result, err)
}

// benchAllCommand runs every benchmark; its JSON document has the keys of all of them.
type benchAllCommand struct {
	benchSubject
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run runs them all, each at its command's defaults.
func (c *benchAllCommand) Run(ctx context.Context, streams *stdio) error {
	var scan benchScanCommand
	var score benchScoreCommand
	var features benchFeaturesCommand
	var train benchTrainCommand
	for _, command := range []any{&scan, &score, &features, &train} {
		if err := kong.ApplyDefaults(command, withHelpWords()); err != nil {
			return err
		}
	}
	scan.benchSubject, score.benchSubject = c.benchSubject, c.benchSubject
	all := map[string]json.RawMessage{}
	for _, b := range []struct {
		name    string
		measure func(ctx context.Context) (measured, error)
	}{{"scan", scan.measure}, {"score", score.measure}, {"features", features.measure}, {"train", train.measure}} {
		if !c.JSON {
			fmt.Fprintf(streams.Out, "%s\n", b.name)
		}
		result, err := b.measure(ctx)
		switch {
		case err != nil:
		case c.JSON:
			var text []byte
			if text, err = json.Marshal(result); err == nil {
				err = json.Unmarshal(text, &all) // adds its keys to those of the others
			}
		default:
			err = result.Print(streams.Out)
		}
		if err != nil {
			return fmt.Errorf("bench %s: %w", b.name, err)
		}
	}
	if c.JSON {
		return printJSON(streams.Out, all)
	}
	return nil
}
