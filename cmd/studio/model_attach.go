package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/step"
)

// modelAttachCommand gives a plain classifier an attention branch.
type modelAttachCommand struct {
	Model   string `help:"The classifier, an ONNX file with one input (the image) and class scores." required:"" type:"existingfile"`
	Out     string `help:"ONNX file to write; its manifest goes beside it." required:"" type:"path"`
	At      string `help:"Where to split: the name of a node or value that all later ones are computed from, or auto." default:"auto" placeholder:"NODE"`
	Classes string `help:"File with the classes of the ABN, one a line." type:"existingfile" xor:"classes"`
	Images  string `help:"Folder of labelled pictures whose classes are to be the ABN's." type:"existingdir" xor:"classes"`
	layoutFlags
	NewHead bool   `help:"Give the last layer new values even if it has the number of classes asked for."`
	Gain    string `help:"Attention mechanism, 1+M or M." enum:"1+M,M" default:"1+M"`
	Seed    int64  `help:"Seed of the new layers' values." default:"1"`
	Logits  string `help:"Name of the class scores, if they are not found." aliases:"logits-per" placeholder:"VALUE"`
	Image   string `help:"${name_image}" placeholder:"VALUE"`
	preprocessingFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// preprocessingFlags say how pixels become the input. They replace what the manifest beside the model or in it says.
type preprocessingFlags struct {
	Manifest      string    `help:"Manifest to take the preprocessing from (default: beside the model, or in its metadata)." type:"existingfile" placeholder:"FILE"`
	Resize        *int      `help:"Shorter side of a picture before the crop, in pixels; 0: it is left as it is."`
	Side          int       `help:"Side of the crop in pixels, for a file that leaves its input's size open."`
	Interpolation string    `help:"How pictures are resized: ${interpolation}." enum:"${interpolation_words}," default:""`
	Channels      string    `help:"Order of the input's channels: ${channels} (grey)." enum:"${channels_words}," default:""`
	Mean          []float32 `help:"Mean of each channel, of values from 0 to 1; ${imagenet_mean} for most networks trained on ImageNet." placeholder:"M,…"`
	Std           []float32 `help:"Standard deviation of each channel; ${imagenet_std} for most networks trained on ImageNet." placeholder:"S,…"`
}

// attachReport is attach's JSON document.
type attachReport struct {
	Out        string                 `json:"out"`
	Cut        onnx.Cut               `json:"cut"`
	Candidates []onnx.Cut             `json:"candidates"`
	Image      [2]int                 `json:"image"` // H, W
	Gain       onnx.Gain              `json:"gain"`
	Classes    int                    `json:"classes"`
	Was        int                    `json:"classifier_classes"`
	HeadKept   bool                   `json:"head_kept"`
	Assumed    bool                   `json:"classes_assumed"` // the head is kept for classes whose names the classifier does not know
	CopyEnd    onnx.Cut               `json:"copy_end"`        // where the attention branch's copy ends, at the classifier's own stride
	Copied     int                    `json:"copied_nodes"`
	Training   []trainer.Trainability `json:"training"`
}

// Run attaches.
func (c *modelAttachCommand) Run(ctx context.Context, streams *stdio) error {
	read := wholeModel("--model", c.Model)
	for _, f := range []namedFile{{"--manifest", c.Manifest}, {"--classes", c.Classes}} {
		if f.path != "" {
			read = append(read, f)
		}
	}
	if err := refuseOverwriting(withManifest("--out", c.Out), read, namedFile{"--images", c.Images}); err != nil {
		return err
	}
	model, err := onnx.ReadFile(ctx, c.Model)
	if err != nil {
		return err
	}
	known, err := c.knownManifest(model)
	if err != nil {
		return err
	}
	classes, err := c.classes(streams.Err)
	if err != nil {
		return err
	}
	settings := onnx.AttachSettings{Classes: len(classes), NewHead: c.NewHead, Gain: onnx.Gain(c.Gain), Seed: c.Seed}
	if c.At != "auto" {
		settings.At = c.At
	}
	if known != nil {
		settings.Names = known.PartNames()
		settings.NewHead = settings.NewHead || classes != nil && !dataset.SameClasses(classes, known.Classes)
	}
	settings.Names.LogitsPer, settings.Names.Image = c.Logits, cmp.Or(c.Image, settings.Names.Image)
	if c.Side != 0 {
		settings.Names.Size = &[2]int{c.Side, c.Side}
	}
	attached, err := onnx.Attach(ctx, model, settings)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	if attached.HeadKept && known != nil {
		classes = known.Classes // in the order of the kept layer's outputs
	}
	if len(classes) == 0 {
		return fmt.Errorf("the names of the %d classes are not known: give them with --classes or --images, or in the manifest", attached.Classes)
	}
	report, beside, err := c.describe(ctx, attached, known, classes, streams.Err)
	if err != nil {
		return err
	}
	attached.Model.Metadata = slices.DeleteFunc(attached.Model.Metadata, func(m onnx.Metadata) bool { return m.Key == manifest.Key }) // it stands beside the file
	attached.Model.SetMetadata("abn.attached_at", attached.Cut.Value)
	data, err := attached.Model.Marshal()
	if err != nil {
		return err
	}
	if err := writeTrained(c.Out, data, beside); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, report)
	}
	report.print(streams.Out)
	return nil
}

// describe makes report and manifest, writes the warnings on the network, and refuses what could not be trained.
func (c *modelAttachCommand) describe(ctx context.Context, attached *onnx.Attached, known *manifest.Manifest, classes []string, warn io.Writer) (attachReport, manifest.Manifest, error) {
	r := attachReport{
		Out: c.Out, Cut: attached.Cut, Candidates: attached.Cuts, Gain: onnx.Gain(c.Gain), Classes: attached.Classes, Was: attached.Was,
		HeadKept: attached.HeadKept, Assumed: attached.HeadKept && known == nil, CopyEnd: attached.CopyEnd, Copied: attached.Copied,
	}
	opened, err := network.Open(ctx, attached.Model, manifest.Manifest{}) // its outputs have the usual names
	if err != nil {
		return r, manifest.Manifest{}, err
	}
	tellWarnings(warn, c.Out, opened.Warnings())
	abn := opened.ABN()
	r.Image = [2]int{abn.ImageHeight, abn.ImageWidth}
	manifest, err := c.manifest(known, &abn.Parts, classes)
	if err != nil {
		return r, manifest, err
	}
	for _, strategy := range []recipe.Strategy{recipe.StrategyBoth, recipe.StrategyScratch} {
		t := trainer.Trainability{Engine: recipe.EngineORT, Strategy: strategy, BatchNorm: recipe.BatchNormBatch}
		if t.Reasons, err = step.Untrainable(ctx, abn, strategy, t.BatchNorm); err != nil {
			t.Reasons = []gradient.Reason{{Why: err.Error()}}
		}
		t.OK = len(t.Reasons) == 0
		r.Training = append(r.Training, t)
	}
	return r, manifest, nil
}

// knownManifest returns the manifest that was given, or is beside the model or in it; nil if there is none.
func (c *modelAttachCommand) knownManifest(model *onnx.Model) (*manifest.Manifest, error) {
	var known manifest.Manifest
	var err error
	if c.Manifest != "" {
		known, err = manifest.ReadFile(c.Manifest)
	} else {
		_, inside := model.MetadataValue(manifest.Key)
		if _, missing := os.Stat(manifest.Path(c.Model)); errors.Is(missing, os.ErrNotExist) && !inside {
			return nil, nil
		}
		known, err = manifest.Load(c.Model, model.MetadataValue)
	}
	if err != nil {
		return nil, err
	}
	return &known, nil
}

// manifest makes the ABN's manifest: the classifier's preprocessing, as far as it is known, replaced by the flags that are given.
func (c *modelAttachCommand) manifest(known *manifest.Manifest, parts *onnx.Parts, classes []string) (manifest.Manifest, error) {
	crop := [2]int{parts.ImageHeight, parts.ImageWidth}
	base := manifest.Of(parts.ImageChannels, crop[0], crop[1], manifest.Unit) // the flags give the range
	switch {
	case known != nil:
		base = *known
		base.Names = nil // the outputs have the usual names
	case c.Mean == nil || c.Std == nil:
		return base, fmt.Errorf("how pixels become the input of %s is not known: give --mean and --std (and --resize), or write %s",
			c.Model, filepath.Base(manifest.Path(c.Model)))
	}
	overrides := manifest.Overrides{Resize: c.Resize, Crop: &crop, Mean: c.Mean, Std: c.Std, Classes: classes}
	if c.Interpolation != "" {
		overrides.Interpolation = &c.Interpolation
	}
	if c.Channels != "" {
		overrides.Channels = &c.Channels
	}
	manifest, err := base.With(overrides)
	if err != nil {
		return manifest, err
	}
	return manifest, manifest.Fits(parts.Sizes())
}

// classes returns the classes asked for; nil: the classifier's own.
func (c *modelAttachCommand) classes(say io.Writer) ([]string, error) {
	switch {
	case c.Images != "":
		set, err := c.read(c.Images, say)
		if err != nil {
			return nil, err
		}
		defer set.Close()
		return set.Classes, nil
	case c.Classes != "":
		return readLines(c.Classes)
	}
	return nil, nil
}

// maxClassList bounds a list of classes, in bytes.
const maxClassList = 16 << 20

// readLines reads the lines of a text file that are not empty, without the space around them and in NFC, the form in which classes are
// compared.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxClassList+1))
	if err == nil && len(data) > maxClassList {
		err = fmt.Errorf("larger than %d bytes", maxClassList)
	}
	if err == nil {
		data, err = text.UTF8(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var lines []string
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if !text.Valid(line) {
			return nil, fmt.Errorf("read %s: line %d %s", path, number, text.Problem)
		}
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, text.NFC(line))
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s names no classes", path)
	}
	return lines, nil
}

// print writes the report for people.
func (r attachReport) print(w io.Writer) {
	fmt.Fprintln(w, "values it can be split at, with the convolutions behind each:")
	for _, cut := range r.Candidates {
		mark := " "
		if cut.Value == r.Cut.Value {
			mark = "→"
		}
		fmt.Fprintf(w, "%s %4d  %s\n", mark, cut.Convolutions, cut)
	}
	head := "the classifier's last layer is kept"
	switch {
	case r.Assumed:
		head += ", whose classes are taken to be those given, in their order; if they are others, use --new-head"
	case !r.HeadKept:
		head = fmt.Sprintf("a new last layer (the classifier has %d classes)", r.Was)
	}
	fmt.Fprintf(w, "%s: split at %s, map %d×%d of %d×%d pixels, %s; the attention branch copies %d nodes at stride 1, to %s; %d classes, %s\n",
		r.Out, r.Cut, r.Cut.Height, r.Cut.Width, r.Image[0], r.Image[1], r.Gain, r.Copied, cmp.Or(r.CopyEnd.Node, r.CopyEnd.Value), r.Classes, head)
	for _, t := range r.Training {
		what := map[recipe.Strategy]string{recipe.StrategyBoth: "branches", recipe.StrategyScratch: "the whole network"}[t.Strategy]
		if t.OK {
			fmt.Fprintf(w, "%s: can be trained\n", what)
		}
		for _, reason := range t.Reasons {
			fmt.Fprintf(w, "%s: cannot be trained: %s\n", what, reason)
		}
	}
}
