package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// evaluateCommand measures a model on labelled pictures.
type evaluateCommand struct {
	Model  string `help:"The ABN, an ONNX file." required:"" type:"existingfile"`
	Images string `help:"Folder of labelled pictures: split/class/image." required:"" type:"existingdir"`
	layoutFlags
	partFlags
	Split   string `help:"Split to measure on; without it test, else validation, else everything."`
	Masks   string `help:"Folder of object masks named after the images, for attention inside the object." type:"existingdir"`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// evaluateReport is evaluate's JSON document.
type evaluateReport struct {
	Model string `json:"model"`
	Split string `json:"split"` // "" where the folder has none
	measure.Evaluation
	Broken  []brokenImage `json:"broken"` // pictures that could not be used
	Seconds float64       `json:"seconds"`
}

type brokenImage struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// Run measures.
func (c *evaluateCommand) Run(ctx context.Context, io *stdio) error {
	start := time.Now()
	network, manifest, err := openModel(ctx, c.Model, c.partFlags, c.Threads, io.Err)
	if err != nil {
		return err
	}
	defer network.Close()
	set, err := c.read(c.Images, io.Err)
	if err != nil {
		return err
	}
	defer set.Close()
	line := newProgressLine(io.Err)
	defer line.done()
	meter := line.meter(samples.Plan(set), plan{Stage: progress.Scanning, Total: samples.Workload(set, c.Split, 0).Heldout, Each: scanPrior})
	images, err := samples.Open(ctx, set, samples.ViewOf(network, manifest.Classes, c.Masks), meter)
	if err != nil {
		return err
	}
	split, heldout, err := images.HeldOut(c.Split)
	if err != nil {
		return err
	}
	if split == "" {
		heldout = images.Samples
	}
	if len(heldout) == 0 {
		return fmt.Errorf("there are no labelled images in %s", c.Images)
	}
	report := evaluateReport{Model: c.Model, Split: split, Broken: []brokenImage{}}
	meter.Expect(progress.Scanning, len(heldout), 0)
	report.Evaluation, report.Broken, err = evaluateNetwork(ctx, network, images, heldout, line.scanned(meter))
	if err != nil {
		return err
	}
	meter.Finish()
	line.done()
	for i := range report.PerClass {
		report.PerClass[i].Name = manifest.Classes[report.PerClass[i].Class]
	}
	report.Seconds = time.Since(start).Seconds()
	if c.JSON {
		return printJSON(io.Out, report)
	}
	report.print(io.Out)
	return nil
}

// scanPrior is the time that an image of a scan is expected to take, before one has been timed.
const scanPrior = 20 * time.Millisecond

// plan is a stage of a command's work, for its progress.
type plan = progress.Plan

// evaluateNetwork scans images and judges each answer.
func evaluateNetwork(ctx context.Context, network *inference.Network, images *samples.Set, heldout []sample.Sample, tell func(inference.Progress)) (measure.Evaluation, []brokenImage, error) {
	broken := []brokenImage{}
	for _, b := range images.Broken {
		broken = append(broken, brokenImage{Error: b})
	}
	var judged []sample.Sample
	var results []measure.Result
	_, err := inference.Scan(ctx, network, images.Scan(heldout), func(_ context.Context, batch []inference.ScanResult) error {
		for _, r := range batch {
			s := heldout[r.Image.ID]
			if r.Err != nil {
				broken = append(broken, brokenImage{s.Name, r.Err.Error()})
				continue
			}
			judged = append(judged, s)
			results = append(results, measure.Judge(s, r.Probabilities, r.AttClass, r.Map))
		}
		return nil
	}, inference.ScanOptions{Total: len(heldout), Progress: tell})
	if err != nil {
		return measure.Evaluation{}, nil, err
	}
	if len(results) == 0 {
		return measure.Evaluation{}, nil, errors.New("none of the images can be read: " + broken[0].Image + ": " + broken[0].Error)
	}
	return *measure.Summarize(judged, results), broken, nil
}

// print writes the report for people.
func (r evaluateReport) print(out io.Writer) {
	on := r.Split
	if on == "" {
		on = "all images"
	}
	fmt.Fprintf(out, "%d images (%s)\n", r.Images, on)
	fmt.Fprintf(out, "  top-1 %.2f%%, top-5 %.2f%%, attention branch %.2f%%, mean confidence %.2f%%\n", 100*r.Top1, 100*r.Top5, 100*r.AttTop1, 100*r.Confidence)
	if r.WorstGroup != nil {
		fmt.Fprintf(out, "  worst group %s: %.2f%% of %d\n", r.WorstGroup.Group, 100*r.WorstGroup.Top1, r.WorstGroup.Images)
	}
	if r.Inside != nil {
		fmt.Fprintf(out, "  attention inside the object %.1f%% (it covers %.1f%%), %d images with a mask\n", 100*r.Inside.Mean, 100*r.Inside.Area, r.Inside.Images)
	}
	if n := len(r.Broken); n > 0 {
		fmt.Fprintf(out, "  %d images could not be used, the first: %s: %s\n", n, r.Broken[0].Image, r.Broken[0].Error)
	}
}

// openModel opens an ABN and its manifest on the runtime, tries it and writes the warnings on it.
func openModel(ctx context.Context, path string, names partFlags, threads int, warn io.Writer) (*inference.Network, manifest.Manifest, error) {
	model, err := onnx.ReadFile(ctx, path)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	opened, err := openABN(ctx, path, model, names)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	ready, err := runABN(path, opened, threads)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	trial, err := ready.Try(ctx, opened)
	if err != nil {
		return nil, manifest.Manifest{}, errors.Join(fmt.Errorf("%s: %w", path, err), ready.Close())
	}
	tellWarnings(warn, path, trial.Warnings)
	return ready, opened.Manifest(), nil
}

// tellWarnings writes what is known against a network that is used all the same.
func tellWarnings(w io.Writer, path string, warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(w, "studio: %s: %s\n", path, warning)
	}
}

// tryABN runs an opened ABN on test pictures, in sessions that are closed again.
func tryABN(ctx context.Context, opened *network.Network) (inference.Trial, error) {
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return inference.Trial{}, err
	}
	return inference.TryOpened(ctx, opened, inference.NetworkOptions{})
}

// openABN finds the parts of a model that was read from path, with its manifest and the names that flags give.
func openABN(ctx context.Context, path string, model *onnx.Model, names partFlags) (*network.Network, error) {
	m, err := manifest.Load(path, model.MetadataValue)
	if err != nil {
		return nil, err
	}
	m = names.over(m)
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, onnx.AttachAdvice(ctx, model, m.PartNames(), err))
	}
	return opened, nil
}

// runABN makes an opened ABN ready to run. The caller closes it.
func runABN(path string, opened *network.Network, threads int) (*inference.Network, error) {
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return nil, err
	}
	ready, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: threads}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ready, nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(verbatim(out))
	e.SetIndent("", "  ")
	return e.Encode(v)
}
