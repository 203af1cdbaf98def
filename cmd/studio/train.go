package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// trainCommand trains a network of our own making from images and labels.
type trainCommand struct {
	Images string `help:"Folder of labelled pictures: split/class/image. The split train is trained on, or everything where there are no splits." required:"" type:"existingdir"`
	Format string `help:"Layout of the folder." enum:"folder,cub,idrid,csv" default:"folder"`
	Arch   string `help:"Network: micro, tiny, small, resnet18, resnet34, resnet50 or resnet101." required:""`
	Gain   string `help:"Attention mechanism: 1+M or M (default: the architecture's)." enum:"1+M,M," default:""`
	Size   int    `help:"Side of the network's input in pixels; 0: the architecture's own."`
	Out    string `help:"ONNX file to write; its manifest goes beside it." required:"" type:"path"`
	schedule
	regime
	Shift int `help:"Move each picture by up to so many pixels at random, each time anew."`

	Split   string `help:"Split to measure on afterwards; without it test, else validation, if there is one."`
	Masks   string `help:"Folder of object masks named after the images, for attention inside the object." type:"existingdir"`
	Work    string `help:"Folder for checkpoints and decoded pictures (default: beside --out)." type:"path"`
	Resume  bool   `help:"Go on from the last epoch of an interrupted run with the same settings." default:"true" negatable:""`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// scratchDefaults are the settings that train fills in; they made the demo's model.
func scratchDefaults() trainer.Settings {
	return trainer.Settings{
		Strategy: trainer.StrategyScratch, Epochs: 24, BatchSize: 32, LearningRate: 0.05, WeightDecay: 5e-4, WarmUp: 0.05,
	}.WithDefaults()
}

// trainReport is train's JSON document.
type trainReport struct {
	Out        string              `json:"out"`
	Arch       string              `json:"arch"`
	Settings   trainer.Settings    `json:"settings"`
	Images     int                 `json:"images"` // trained on
	Classes    int                 `json:"classes"`
	Steps      int                 `json:"steps"`
	Run        trainer.ArmRun      `json:"run"`
	Validation int                 `json:"validation_images"` // that early stopping looked at
	HeldBack   bool                `json:"held_back"`         // they are training images that were held back
	Split      string              `json:"split"`             // measured on
	Evaluation *trainer.Evaluation `json:"evaluation,omitempty"`
	Skipped    []brokenImage       `json:"skipped"`
	Curve      []trainer.Point     `json:"curve"`
	Seconds    float64             `json:"seconds"`
}

// Run trains.
func (c *trainCommand) Run(ctx context.Context, io *stdio) error {
	settings := scratchDefaults()
	if c.Optimizer == string(trainer.OptimizerAdamW) {
		settings.LearningRate = trainer.AdamWLearningRate
	}
	c.schedule.fill(&settings)
	c.regime.fill(&settings)
	if err := settings.Validate(); err != nil {
		return err
	}
	arch, err := trainer.ArchitectureNamed(c.Arch)
	if err != nil {
		return err
	}
	if c.Size != 0 {
		arch.ImageSize = c.Size
	}
	if c.Gain != "" {
		arch.Gain = onnx.Gain(c.Gain)
	}
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return err
	}
	set, err := dataset.Open(c.Format, c.Images)
	if err != nil {
		return err
	}
	manifest := onnx.Manifest{
		Resize: &arch.ImageSize, Crop: [2]int{arch.ImageSize, arch.ImageSize}, Interpolation: "bilinear", Channels: "RGB",
		Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.5, 0.5, 0.5}, Classes: set.Classes,
	}
	preprocessor, err := inference.NewPreprocessor(manifest, 0)
	if err != nil {
		return err
	}
	grid := arch.Grid(arch.ImageSize)
	images, err := openTrainingImages(ctx, set, manifest.Classes, preprocessor, c.Masks, grid, grid)
	if err != nil {
		return err
	}
	split, heldout, err := images.heldOut(c.Split)
	if err != nil {
		return err
	}
	network, err := arch.Build(len(set.Classes), settings.Seed)
	if err != nil {
		return err
	}
	model, err := network.Marshal()
	if err != nil {
		return err
	}
	work := c.Work
	if work == "" {
		work = c.Out + ".work"
	}
	if !c.Resume {
		if err := os.RemoveAll(work); err != nil {
			return err
		}
	}
	progress := newProgressLine(io.Err)
	outcome, err := trainer.TrainScratch(ctx, trainer.ScratchSpec{
		Model: model, Manifest: manifest, Settings: settings, Shift: c.Shift,
		Train: images.trainedOn(), Heldout: heldout, Validation: images.validation(split), Pixels: images.pixels, WorkDir: work, Threads: c.Threads,
	}, progress.observer())
	progress.done()
	tellHowToGoOn(io.Err, err, work)
	if err != nil {
		return err
	}
	if err := writeTrained(c.Out, outcome.Model, manifest); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	report := trainReport{
		Out: c.Out, Arch: arch.Name, Settings: settings, Images: outcome.Images, Classes: len(set.Classes), Steps: outcome.Steps,
		Run: outcome.Run, Validation: outcome.ValidationImages, HeldBack: outcome.HeldBack,
		Split: split, Evaluation: outcome.Evaluation, Skipped: []brokenImage{}, Curve: outcome.Curve, Seconds: outcome.Seconds,
	}
	for _, p := range outcome.Skipped {
		report.Skipped = append(report.Skipped, brokenImage{p.Sample.Name, p.Err.Error()})
	}
	if c.JSON {
		return printJSON(io.Out, report)
	}
	report.print(io.Out)
	return nil
}

// writeTrained writes a model and its manifest beside it.
func writeTrained(out string, model []byte, manifest onnx.Manifest) error {
	text, err := json.MarshalIndent(manifest, "", " ")
	if err != nil {
		return err
	}
	if err := writeModel(out, out, model); err != nil {
		return err
	}
	return os.WriteFile(manifestPath(out), append(text, '\n'), 0o644)
}

// print writes the report for people.
func (r trainReport) print(out io.Writer) {
	last := trainer.Point{}
	if len(r.Curve) > 0 {
		last = r.Curve[len(r.Curve)-1]
	}
	fmt.Fprintf(out, "%s: %s, %d classes, %d images, %d steps, engine %s, %s, %.0f s; the last batches: L_att %.3f, L_per %.3f, accuracy %.1f%%\n",
		r.Out, r.Arch, r.Classes, r.Images, r.Steps, r.Settings.Engine, r.Settings.Optimizer, r.Seconds, last.LossAtt, last.LossPer, 100*last.Accuracy)
	if r.Validation > 0 {
		fmt.Fprintln(out, keptEpoch(r.Run, r.Settings.Epochs, r.Validation, r.HeldBack))
	}
	if n := len(r.Skipped); n > 0 {
		fmt.Fprintf(out, "%d images could not be used, the first: %s: %s\n", n, r.Skipped[0].Image, r.Skipped[0].Error)
	}
	if r.Evaluation != nil {
		var text strings.Builder
		evaluateReport{Split: r.Split, Evaluation: *r.Evaluation}.print(&text)
		fmt.Fprint(out, text.String())
	}
}
