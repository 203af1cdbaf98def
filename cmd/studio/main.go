// Command studio is ABN Studio: it serves the pages, does the background work, and imports and exports models. It is the only place
// that reads flags and the environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/internal/jobs"
)

// stdio is what a command reads from and writes to. Results go to Out, progress and logs to Err.
type stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// commandLine has a field for every command; each command is in a file of its name.
type commandLine struct {
	providerFlags
	memoryFlags

	Demo       demoCommand       `cmd:"" help:"Serve a demo project of its own making, with its own database."`
	Serve      serveCommand      `cmd:"" help:"Serve pages and API, and do the background work."`
	Worker     workerCommand     `cmd:"" help:"Do background work beside a server."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database up to date."`
	User       userCommand       `cmd:"" help:"Add and list people, set passwords."`
	Project    projectCommand    `cmd:"" help:"Create and list projects."`
	Import     importCommand     `cmd:"" help:"Bring a folder of pictures into a project."`
	ImportMaps importMapsCommand `cmd:"" help:"Bring maps that were made elsewhere into a project."`
	Export     exportCommand     `cmd:"" help:"Write a project's maps, predictions, reviews, tasks or audit trail for other programs."`
	Model      modelCommand      `cmd:"" help:"Inspect a model, or add it to a project."`
	Verify     verifyCommand     `cmd:"" help:"Read every picture and model that is kept, and say what is missing or damaged."`
	Backup     backupCommand     `cmd:"" help:"Back up database and files into a folder or a bucket, while the studio runs; check and list backups."`
	Restore    restoreCommand    `cmd:"" help:"Restore a backup into an empty database, or put files back that were lost."`

	Train    trainCommand    `cmd:"" group:"Without a database" help:"Train a network from pictures and labels."`
	Predict  predictCommand  `cmd:"" group:"Without a database" help:"Predict a folder of pictures."`
	Finetune finetuneCommand `cmd:"" group:"Without a database" help:"Fine-tune a model with edited maps."`
	Evaluate evaluateCommand `cmd:"" group:"Without a database" help:"Measure a model on a folder of labelled pictures."`
	Study    studyCommand    `cmd:"" group:"Without a database" help:"Say what maps are worth before a training, and make data sets on which it can be found out."`
	Bench    benchCommand    `cmd:"" group:"Without a database" help:"Time scans, live scores and training against the bare runtime."`
	Aviary   aviaryCommand   `cmd:"" group:"Without a database" help:"Draw the demo's pictures."`

	Version versionCommand `cmd:"" help:"Say which build this is."`

	OpenAPI openapiCommand `cmd:"" name:"openapi" hidden:"" help:"Print the description of the JSON API."`
	Health  healthCommand  `cmd:"" hidden:"" help:"Ask a running server whether it is healthy."`
}

// newCommandLine gives the commands that train the flags of their settings.
func newCommandLine() (cli commandLine) {
	cli.Finetune.settingFlags, cli.Train.settingFlags = finetuneFlags(), trainFlags()
	cli.Bench.Recipe.settingFlags, cli.Aviary.Sweep.settingFlags = benchRecipeFlags(), sweepFlags()
	cli.Study.Rounds.settingFlags, cli.Study.IDRiD.settingFlags = studyRoundsFlags(), studyRoundsFlags()
	return cli
}

// modelCommand groups what is done with model files.
type modelCommand struct {
	Inspect   modelInspectCommand   `cmd:"" help:"Say what is in an ONNX file: parts, shapes, what can be trained."`
	Add       modelAddCommand       `cmd:"" help:"Make a model a version of a project."`
	Segmenter modelSegmenterCommand `cmd:"" help:"Give the editor an interactive segmenter, such as MobileSAM; show or remove it."`
	Attach    modelAttachCommand    `cmd:"" help:"Give a plain classifier an attention branch."`
	Manifest  modelManifestCommand  `cmd:"" help:"Write a manifest from what Hugging Face, timm or torchvision say of a network."`
	Compare   modelCompareCommand   `cmd:"" help:"Check a model's answers against those saved in PyTorch."`
	Export    modelExportCommand    `cmd:"" help:"Write a model as it is given away, or its weights by the names PyTorch has for them."`
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitLost    = 3 // studio verify, backup, backup verify: a file is missing or damaged
)

func main() {
	jobs.Inspect()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}

// run parses the arguments and runs one command; it returns the exit code.
func run(ctx context.Context, args []string, streams *stdio) int {
	streams = &stdio{In: streams.In, Out: plain{streams.Out}, Err: plain{streams.Err}}
	cli := newCommandLine()
	exit := -1
	parser, err := kong.New(&cli,
		kong.Name("studio"),
		kong.Description("Teach image classifiers where to look."),
		kong.UsageOnError(),
		kong.Writers(verbatim(streams.Out), verbatim(streams.Err)),
		withHelpWords(),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams),
	)
	if err != nil {
		fmt.Fprintln(streams.Err, "studio:", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help has been printed
		return exit
	}
	if err != nil {
		fmt.Fprintf(streams.Err, "studio: %v\nRun \"studio --help\" for the commands.\n", err)
		return exitUsage
	}
	if err = errors.Join(cli.apply(), cli.choose(streams)); err == nil {
		err = command.Run()
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errLost), errors.Is(err, errDamagedBackup):
		fmt.Fprintln(streams.Err, "studio:", err)
		return exitLost
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(streams.Err, "studio: interrupted")
		return exitFailure
	default:
		fmt.Fprintln(streams.Err, "studio:", err)
		return exitFailure
	}
}
