package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
)

// trainCommand trains a network from images and labels: an architecture that the studio builds, or an ABN such as model attach makes.
type trainCommand struct {
	Images string `help:"Folder of labelled pictures: split/class/image. The split train is trained on, or everything where there are no splits." required:"" type:"existingdir"`
	layoutFlags
	partFlags
	Arch   string `help:"Network to train from scratch: micro, tiny, small, resnet18, resnet34, resnet50, resnet101 or mobilenetv2; sizes are listed above." required:"" xor:"network"`
	From   string `help:"ABN to start from instead, an ONNX file with its manifest, such as model attach writes." required:"" xor:"network" type:"existingfile" placeholder:"FILE"`
	Frozen bool   `help:"With --from: leave the extractor as it is and train the branches on features that are computed once."`
	Gain   string `help:"With --arch: attention mechanism, 1+M or M (default: the architecture's)." enum:"1+M,M," default:""`
	Size   *int   `help:"With --arch: side of the network's input in pixels (default: the architecture's own)."`
	Out    string `help:"ONNX file to write; its manifest goes beside it." required:"" type:"path"`
	settingFlags
	featureFlags
	Shift int `help:"Move each picture by a random number of pixels up to this, different each time."`

	Split   string `help:"Split to measure on afterwards; without it test, else validation, if there is one."`
	Masks   string `help:"Folder of object masks named after the images, for attention inside the object." type:"existingdir"`
	Cache   string `help:"With --frozen: folder in which features are kept from run to run (default: in the user's cache folder)." type:"path"`
	Work    string `help:"Folder for checkpoints and decoded pictures (default: beside --out)." type:"path"`
	Resume  bool   `help:"Go on from the last checkpoint of an interrupted run with the same settings." default:"true" negatable:""`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// trainReport is train's JSON document.
type trainReport struct {
	Out        string              `json:"out"`
	Arch       string              `json:"arch,omitempty"`
	From       string              `json:"from,omitempty"` // the file it started from
	Frozen     bool                `json:"frozen"`
	Settings   recipe.Settings     `json:"settings"`
	Images     int                 `json:"images"` // trained on
	Classes    int                 `json:"classes"`
	Steps      int                 `json:"steps"`
	Run        trainer.ArmRun      `json:"run"`
	Validation int                 `json:"validation_images"` // that early stopping looked at
	HeldBack   bool                `json:"held_back"`         // they are training images that were held back
	Split      string              `json:"split"`             // measured on
	Evaluation *measure.Evaluation `json:"evaluation,omitempty"`
	Skipped    []brokenImage       `json:"skipped"`
	Curve      []trainer.Point     `json:"curve"`
	Seconds    float64             `json:"seconds"`
}

// Run trains.
func (c *trainCommand) Run(ctx context.Context, io *stdio) error {
	var read []namedFile
	if c.From != "" {
		read = wholeModel("--from", c.From)
	}
	if err := refuseOverwriting(withManifest("--out", c.Out), read, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
		return err
	}
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return err
	}
	set, err := c.read(c.Images, io.Err)
	if err != nil {
		return err
	}
	defer set.Close()
	start, err := c.start(ctx, set.Classes, settings.Seed, io.Err)
	if err != nil {
		return err
	}
	if start.opened != nil && slices.Contains(c.left(), "learning_rate") {
		settings.LearningRate = trainer.SuggestedLearningRate(start.opened.ABN(), settings.Optimizer, settings.Rates)
	}
	preprocessor, err := inference.NewPreprocessor(start.manifest)
	if err != nil {
		return err
	}
	progress := newProgressLine(io.Err)
	meter := progress.meter(append([]plan{samples.Plan(set)}, trainer.TrainPlan(settings, samples.Workload(set, c.Split, 0), c.Frozen)...)...)
	images, err := samples.Open(ctx, set, samples.View{Classes: start.manifest.Classes, Preprocessor: preprocessor, Height: start.height, Width: start.width, Masks: c.Masks}, meter)
	if err != nil {
		return err
	}
	split, heldout, err := images.HeldOut(c.Split)
	if err != nil {
		return err
	}
	var store *features.Store
	if c.Frozen {
		if store, err = c.open(c.Cache); err != nil {
			return err
		}
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
	outcome, err := trainer.TrainScratch(ctx, trainer.ScratchSpec{
		Model: start.model, Opened: start.opened, Manifest: start.manifest, Settings: settings, Frozen: c.Frozen, Shift: c.Shift, Store: store,
		Train: images.TrainedOn(), Heldout: heldout, Validation: images.Validation(split), Pixels: images.Pixels, WorkDir: work, Threads: c.Threads,
	}, progress.observer(meter))
	if err == nil {
		if err = writeTrained(c.Out, outcome.Model, start.manifest); err == nil {
			meter.Finish()
		}
	}
	progress.done()
	tellHowToGoOn(io.Err, err, work)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	report := trainReport{
		Out: c.Out, Arch: c.Arch, From: c.From, Frozen: c.Frozen, Settings: outcome.Settings, Images: outcome.Images, Classes: len(start.manifest.Classes), Steps: outcome.Steps,
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
func writeTrained(out string, model []byte, manifest manifest.Manifest) error {
	text, err := json.MarshalIndent(manifest, "", " ")
	if err != nil {
		return err
	}
	if err := writeModel(out, out, model); err != nil {
		return err
	}
	return durable.WriteFile(manifestPath(out), append(text, '\n'))
}

// print writes the report for people.
func (r trainReport) print(out io.Writer) {
	last := trainer.Point{}
	if len(r.Curve) > 0 {
		last = r.Curve[len(r.Curve)-1]
	}
	network := r.Arch
	if r.From != "" {
		network = "from " + r.From
	}
	if r.Frozen {
		network += ", extractor frozen"
	}
	fmt.Fprintf(out, "%s: %s, %d classes, %d images, %d steps, engine %s, %s, %.0f s; the last batches: L_att %.3f, L_per %.3f, accuracy %.1f%%\n",
		r.Out, network, r.Classes, r.Images, r.Steps, r.Settings.Engine, r.Settings.Optimizer, r.Seconds, last.LossAtt, last.LossPer, 100*last.Accuracy)
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
