package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// finetuneCommand teaches a model with edited maps.
type finetuneCommand struct {
	Model  string `help:"The ABN to start from, an ONNX file." required:"" type:"existingfile"`
	Images string `help:"Folder of labelled pictures: split/class/image. The split train is trained on, and every image that has a map." required:"" type:"existingdir"`
	layoutFlags
	partFlags
	Maps string `help:"Edited maps: a folder of .npy or grey .png named after their images, or an .npz." required:"" type:"path"`
	Out  string `help:"ONNX file to write." required:"" type:"path"`

	settingFlags
	featureFlags

	Control bool   `help:"Also train a control with γ=0 from the same start and seed, and measure against it; --arms does so too."`
	Rows    string `help:"Write what every arm answered to each image as JSON, a line an image: with a control, the comparison of the arms follows from these rows." type:"path" placeholder:"FILE"`
	Split   string `help:"Split to measure on; without it test, else validation. Images that are trained on are left out."`
	Masks   string `help:"Folder of object masks named after the images, for attention inside the object." type:"existingdir"`
	Cache   string `help:"Folder in which features are kept from run to run (default: in the user's cache folder)." type:"path"`
	Work    string `help:"Folder for checkpoints (default: beside --out). An interrupted run with the same settings goes on from there." type:"path"`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// settings are the defaults with what was given in their place.
func (c *finetuneCommand) settings() (recipe.Settings, error) {
	s := recipe.Defaults()
	if err := c.fill(&s); err != nil {
		return s, err
	}
	c.Control = c.Control || s.Arms != 0
	kind := recipe.FineTuning
	if c.Control {
		kind = recipe.Round
	}
	return s, s.Validate(kind)
}

// finetuneReport is finetune's JSON document.
type finetuneReport struct {
	Out           string               `json:"out"`
	ModelHash     string               `json:"model_hash"`
	ControlOut    string               `json:"control_out,omitempty"`
	Settings      recipe.Settings      `json:"settings"`
	Images        int                  `json:"images"` // trained on
	Edits         int                  `json:"edits"`
	Steps         int                  `json:"steps"`
	Runs          []trainer.ArmRun     `json:"runs"`                   // of the candidate, and of the control if there is one
	Validation    int                  `json:"validation_images"`      // that early stopping and the search for γ looked at
	HeldBack      bool                 `json:"held_back"`              // they are training images that were held back
	GammaSearch   *trainer.GammaSearch `json:"gamma_search,omitempty"` // how γ was found; absent without a search
	Warnings      []string             `json:"warnings"`
	Split         string               `json:"split"` // measured on
	Headline      string               `json:"headline"`
	Maps          trainer.Arm          `json:"maps"`    // the arm that measures, verdict, fixed and broken are of
	Against       trainer.Arm          `json:"against"` // and the one that it is compared with: "control" in them
	Measures      []measure.Measure    `json:"measures"`
	Arms          *measure.ArmTable    `json:"arms,omitempty"`    // all networks compared; absent without a control
	Verdict       *measure.Verdict     `json:"verdict,omitempty"` // classes and reliability; absent where there is no held-out image
	Parent        *measure.Evaluation  `json:"parent"`
	Control       *measure.Evaluation  `json:"control,omitempty"`
	Candidate     *measure.Evaluation  `json:"candidate"`
	Fixed         []string             `json:"fixed"` // images the control gets wrong and the candidate right
	Broken        []string             `json:"broken"`
	Excluded      int                  `json:"excluded"` // of the split, because they are trained on
	Skipped       []brokenImage        `json:"skipped"`  // unusable pictures
	UnusedMaps    []string             `json:"unused_maps"`
	Curve         []trainer.Point      `json:"curve"`
	Seconds       float64              `json:"seconds"`
	FeatureSecs   float64              `json:"feature_seconds"`
	FeatureMisses int                  `json:"features_computed"`
}

// Run fine-tunes.
func (c *finetuneCommand) Run(ctx context.Context, streams *stdio) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	written := withManifest("--out", c.Out)
	if c.Control {
		written = append(written, withManifest("the control beside --out", controlPath(c.Out))...)
	}
	if c.Rows != "" {
		written = append(written, namedFile{"--rows", c.Rows})
	}
	if err := refuseOverwriting(written, append(wholeModel("--model", c.Model), namedFile{"--maps", c.Maps}), namedFile{"--maps", c.Maps}, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
		return err
	}
	model, file, err := onnx.Load(ctx, c.Model)
	if err != nil {
		return err
	}
	opened, err := openABN(ctx, c.Model, model, c.partFlags)
	if err != nil {
		return err
	}
	trial, err := tryABN(ctx, opened)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	tellWarnings(streams.Err, c.Model, trial.Warnings)
	settings = trainer.Suggest(opened.ABN(), settings, c.left())
	manifest := opened.Manifest()
	network, err := runABN(c.Model, opened, c.Threads)
	if err != nil {
		return err
	}
	defer network.Close()
	maps, err := dataset.Maps(c.Maps)
	if err != nil {
		return err
	}
	sizes := network.Sizes()
	if err := maps.ValidateOn(sizes.GridHeight, sizes.GridWidth); err != nil {
		return err
	}
	set, err := c.read(c.Images, streams.Err)
	if err != nil {
		return err
	}
	defer set.Close()
	progress := newProgressLine(streams.Err)
	defer progress.done()
	meter := progress.meter(append([]plan{samples.Plan(set)}, trainer.RoundPlan(settings, samples.Workload(set, c.Split, len(maps.Maps)), c.Control)...)...)
	images, err := samples.Open(ctx, set, samples.ViewOf(network, manifest.Classes, c.Masks), meter)
	if err != nil {
		return err
	}
	edited, unused, err := maps.Match(set.Samples())
	if err != nil {
		return err
	}
	for i := range images.Samples {
		if m, ok := edited[images.Samples[i].Name]; ok {
			images.Samples[i].Edited = m
		}
	}
	train := images.TrainedOn()
	if !slices.ContainsFunc(train, func(s sample.Sample) bool { return !s.Edited.IsZero() }) {
		return fmt.Errorf("none of the %d maps in %s belongs to a labelled image of %s; the first is %s", len(maps.Maps), c.Maps, c.Images, maps.Maps[0].Source)
	}
	split, heldout, err := images.HeldOut(c.Split)
	if err != nil {
		return err
	}
	store, err := c.open(c.Cache)
	if err != nil {
		return err
	}
	work := c.Work
	if work == "" {
		work = c.Out + ".work"
	}
	outcome, err := trainer.RunRound(ctx, trainer.RoundSpec{
		Model: file, Opened: opened, Manifest: manifest, Settings: settings, Train: train, Heldout: heldout, Validation: images.Validation(split),
		Pixels: images.Pixels, Masks: images.PixelMask, Store: store, Extractor: network, WorkDir: work,
		WithoutControl: !c.Control, Threads: c.Threads,
	}, progress.observer(meter))
	if err != nil {
		progress.done()
		tellHowToGoOn(streams.Err, err, work)
		return err
	}
	report := newFinetuneReport(c.Out, split, outcome, images)
	report.UnusedMaps = append(report.UnusedMaps, unused...)
	if err := writeModel(c.Out, c.Model, outcome.Model); err != nil {
		return err
	}
	if c.names().Any() { // names that were given are stored in the manifest
		named, err := json.Marshal(manifest)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(manifestPath(c.Out), named); err != nil {
			return err
		}
	}
	if outcome.Control != nil {
		report.ControlOut = controlPath(c.Out)
		if err := writeModel(report.ControlOut, c.Model, outcome.Control); err != nil {
			return err
		}
	}
	if c.Rows != "" {
		if err := durable.Write(c.Rows, func(w io.Writer) error { return measure.WriteArmRows(w, outcome.Rows) }); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	meter.Finish()
	progress.done()
	if c.JSON {
		return printJSON(streams.Out, report)
	}
	report.print(streams.Out)
	return nil
}

// tellHowToGoOn says how to continue a training that was interrupted or diverged.
func tellHowToGoOn(out io.Writer, err error, work string) {
	var diverged *trainer.DivergedError
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(out, "studio: the same command goes on from the last checkpoint; remove %s to begin anew\n", work)
	case errors.As(err, &diverged):
		kept := "No step of it was good"
		if diverged.GoodStep > 0 {
			kept = fmt.Sprintf("The checkpoint of step %d, the last good one, is kept in %s", diverged.GoodStep, work)
		}
		fmt.Fprintf(out, "studio: no model was written. %s. The same command would diverge again at the same step; with another --lr, --gamma or --clip-norm it begins anew, "+
			"since a run's settings hold from its first step to its last\n", kept)
	}
}

// controlPath is where the control of a candidate at out is written.
func controlPath(out string) string {
	ext := filepath.Ext(out)
	return out[:len(out)-len(ext)] + "-control" + ext
}

// manifestPath returns the path of the manifest beside a model.
func manifestPath(model string) string {
	return model[:len(model)-len(filepath.Ext(model))] + ".json"
}

// writeModel writes a model, and beside it a copy of the manifest beside its parent, if there is one.
func writeModel(out, parent string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	manifest, err := os.ReadFile(manifestPath(parent))
	if err == nil && manifestPath(out) != manifestPath(parent) {
		err = durable.WriteFile(manifestPath(out), manifest)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return durable.WriteFile(out, data)
}

func newFinetuneReport(out, split string, o trainer.RoundOutcome, images *samples.Set) finetuneReport {
	r := finetuneReport{
		Out: out, ModelHash: o.ModelHash, Settings: o.Settings, Images: o.Images, Edits: o.Edits, Steps: o.Steps,
		Runs: o.Runs, Validation: o.ValidationImages, HeldBack: o.HeldBack, GammaSearch: o.GammaSearch, Warnings: append([]string{}, o.Warnings...),
		Split: split, Headline: o.Headline, Maps: o.Maps, Against: o.Against, Measures: o.Measures, Arms: o.Arms, Verdict: o.Verdict,
		Parent: o.ParentEvaluation, Control: o.ControlEvaluation, Candidate: o.CandidateEvaluation,
		Fixed: []string{}, Broken: []string{}, Skipped: []brokenImage{}, UnusedMaps: []string{}, Excluded: o.Excluded, Curve: o.Curve,
		Seconds: o.Seconds, FeatureSecs: o.FeatureSeconds, FeatureMisses: o.FeatureMisses,
	}
	names := map[int64]string{}
	for _, s := range images.Samples {
		names[s.ID] = s.Name
	}
	for _, id := range o.Fixed {
		r.Fixed = append(r.Fixed, names[id])
	}
	for _, id := range o.Broken {
		r.Broken = append(r.Broken, names[id])
	}
	for _, p := range o.Skipped {
		r.Skipped = append(r.Skipped, brokenImage{p.Sample.Name, p.Err.Error()})
	}
	return r
}

// keptEpoch says what early stopping did to an arm.
func keptEpoch(run trainer.ArmRun, epochs, images int, heldBack bool) string {
	name := string(run.Arm)
	if run.Seed != 0 {
		name += fmt.Sprintf(", seed %d", run.Seed)
	}
	return fmt.Sprintf("%s: trained %d of %d epochs, kept epoch %d (loss %.4f, accuracy %.1f%% on %s)",
		name, run.Epochs, epochs, run.Kept, run.Validation.Loss, 100*run.Validation.Accuracy, validatedOn(images, heldBack))
}

// validatedOn says what early stopping and the search for γ measured on.
func validatedOn(images int, heldBack bool) string {
	if heldBack {
		return fmt.Sprintf("%d training images held back", images)
	}
	return fmt.Sprintf("%d images of the split validation", images)
}

// searchedGamma is the table of a search for γ.
func searchedGamma(found trainer.GammaSearch, images int, heldBack bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "γ searched on %s, epochs each: %d\n", validatedOn(images, heldBack), found.Epochs)
	for _, try := range found.Tries {
		switch {
		case try.Diverged:
			fmt.Fprintf(&b, "%8g  came apart\n", try.Gamma)
		case try.Gamma == found.Gamma:
			fmt.Fprintf(&b, "%8g  loss %.4f, accuracy %.1f%%, chosen\n", try.Gamma, try.Validation.Loss, 100*try.Validation.Accuracy)
		default:
			fmt.Fprintf(&b, "%8g  loss %.4f, accuracy %.1f%%\n", try.Gamma, try.Validation.Loss, 100*try.Validation.Accuracy)
		}
	}
	return b.String()
}

// print writes the report for people.
func (r finetuneReport) print(out io.Writer) {
	fmt.Fprintf(out, "%s: %d images, %d with an edited map, %d steps, engine %s, %s, %.0f s\n", r.Out, r.Images, r.Edits, r.Steps, r.Settings.Engine, r.Settings.Optimizer, r.Seconds)
	for _, w := range r.Warnings {
		fmt.Fprintln(out, w)
	}
	if r.GammaSearch != nil {
		fmt.Fprint(out, searchedGamma(*r.GammaSearch, r.Validation, r.HeldBack))
	}
	for _, run := range r.Runs {
		if r.Settings.Patience > 0 {
			fmt.Fprintln(out, keptEpoch(run, r.Settings.Epochs, r.Validation, r.HeldBack))
		}
	}
	if n := len(r.Skipped); n > 0 {
		fmt.Fprintf(out, "%d images could not be used, the first: %s: %s\n", n, r.Skipped[0].Image, r.Skipped[0].Error)
	}
	if n := len(r.UnusedMaps); n > 0 {
		fmt.Fprintf(out, "%d maps belong to no image, the first: %s\n", n, r.UnusedMaps[0])
	}
	fmt.Fprintln(out, r.Headline)
	if len(r.Measures) == 0 {
		return
	}
	maps, against, difference := "candidate", "control", "candidate − control"
	switch {
	case r.Control == nil:
		difference = "candidate − parent"
	case r.Maps != arms.Candidate || r.Against != arms.Control:
		maps, against, difference = "maps", "against", "maps − against"
		fmt.Fprintf(out, "maps: %s; against: %s\n", arms.Of(r.Maps).Words, arms.Of(r.Against).Words)
	}
	fmt.Fprintf(out, "%-46s %9s %9s %9s  %s\n", r.Split, "parent", against, maps, difference+" (95%)")
	for _, m := range r.Measures {
		scale := 1.0
		if m.Unit == "fraction" {
			scale = 100
		}
		control := fmt.Sprintf("%9.2f", scale*m.Control)
		if r.Control == nil {
			control = "        –"
		}
		fmt.Fprintf(out, "%-46s %9.2f %s %9.2f  %+.2f (%.2f to %.2f), %d images\n", m.Label, scale*m.Parent, control, scale*m.Candidate,
			scale*m.Difference, scale*m.Low, scale*m.High, m.Images)
	}
	if r.Arms != nil && r.Settings.Arms != 0 {
		printArms(out, *r.Arms)
	}
}

// printArms prints the comparison of the arms.
func printArms(out io.Writer, t measure.ArmTable) {
	fmt.Fprintf(out, "%-52s %9s %9s  %s\n", "arm", "accuracy", "inside", "what the maps are worth against it (95%)")
	for _, f := range t.Arms {
		inside := "        –"
		if f.Inside != nil {
			inside = fmt.Sprintf("%9.2f", 100**f.Inside)
		}
		var worth string
		switch {
		case f.Difference == nil:
			worth = "–"
		case f.Set == measure.OfEdited:
			worth = fmt.Sprintf("%+.2f (%.2f to %.2f) over %s, on %s", 100**f.Difference, 100**f.Low, 100**f.High, arms.Of(f.Against).Words, text.Plural(f.Images, "edited image"))
		default:
			worth = fmt.Sprintf("%+.2f (%.2f to %.2f)", 100**f.Difference, 100**f.Low, 100**f.High)
		}
		if f.Arm == t.Baseline {
			worth += ", the baseline"
		}
		fmt.Fprintf(out, "%-52s %9.2f %s  %s\n", arms.Of(f.Arm).Label, 100*f.Accuracy, inside, worth)
	}
	for _, l := range t.LeftOut {
		fmt.Fprintf(out, "%s is left out: %s\n", arms.Of(l.Arm).Label, l.Why)
	}
}
