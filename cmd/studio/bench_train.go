package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"

	"github.com/abn-studio/studio/internal/bench"
	"github.com/abn-studio/studio/internal/manifest"
)

// benchTrainCommand times training steps.
type benchTrainCommand struct {
	Model    string `help:"ABN whose branches to train, an ONNX file; without it one of --arch at random weights." type:"existingfile"`
	Arch     string `help:"Architecture whose branches to train, as in \"studio train\"." default:"resnet18"`
	Classes  int    `help:"Classes of --arch." default:"200"`
	Batch    int    `help:"Images in a step, ${batch_size}." default:"${batch_size_default}"`
	Steps    int    `help:"Steps to time, after a first one that is not timed." default:"5"`
	Threads  int    `help:"Threads of one operator; 0: one per core." default:"0"`
	Strategy string `help:"Branches to train: ${strategy}." default:"${strategy_default}"`
	Norm     string `help:"BatchNorm statistics: ${batch_norm}." default:"${batch_norm_default}"`
	pytorchFlag
	Gorgonia bool   `help:"Compare with the Gorgonia engine."`
	Standard bool   `help:"Compare with a step of standard operators alone, as it is on processors without AVX2 and on devices."`
	Memory   bool   `help:"Measure the peak memory of training, in a process of its own."`
	Profile  bool   `help:"Tell what the operators of a step cost."`
	Trace    string `placeholder:"PREFIX" help:"Keep the runtime's own profile as PREFIX_<time>.json." type:"path"`
	JSON     bool   `help:"Print one JSON document." name:"json"`
	partFlags

	// Resident makes this process the one whose memory is measured.
	Resident bool `hidden:""`
}

// Run implements the command.
func (c *benchTrainCommand) Run(ctx context.Context, streams *stdio) error {
	if c.Resident {
		result, err := c.train().Resident(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(verbatim(streams.Out)).Encode(result)
	}
	result, err := c.measure(ctx)
	if err == nil && c.JSON {
		return json.NewEncoder(verbatim(streams.Out)).Encode(result)
	}
	return printMeasured(streams, false, result, err)
}

func (c *benchTrainCommand) measure(ctx context.Context) (measured, error) {
	return c.train().Measure(ctx)
}

func (c *benchTrainCommand) train() bench.Train {
	t := bench.Train{
		Model: c.Model, Names: c.names(), Arch: c.Arch, Classes: c.Classes, Batch: c.Batch, Steps: c.Steps, Threads: c.Threads, Strategy: c.Strategy, Norm: c.Norm,
		PyTorch: c.against(), Gorgonia: c.Gorgonia, Standard: c.Standard, Profile: c.Profile, Trace: c.Trace,
	}
	if c.Memory {
		t.Memory = c.resident
	}
	return t
}

// resident is this command for the process whose memory is measured.
func (c *benchTrainCommand) resident(ctx context.Context, model string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"bench", "train", "--resident", "--model", model, "--batch", strconv.Itoa(c.Batch),
		"--steps", "3", "--threads", strconv.Itoa(c.Threads), "--strategy", c.Strategy, "--norm", c.Norm}
	for _, f := range manifest.NameFields {
		if name := f.Of(c.names()); name != "" {
			args = append(args, f.Flag(), name)
		}
	}
	return exec.CommandContext(ctx, program, args...), nil
}
