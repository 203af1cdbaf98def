package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// ScratchSpec is a training of a whole network from images and labels, the extractor too unless it is frozen.
type ScratchSpec struct {
	Model    []byte           // the network at its initial parameters, an ONNX file
	Opened   *network.Network // Model, if the caller has opened it with Manifest; nil: the training opens it
	Manifest manifest.Manifest
	// Strategy in Settings is set to scratch, or to both if the extractor is frozen, and Anchor to 0, since there is no parent.
	Settings recipe.Settings
	// Frozen does not train the extractor: the branches learn from features that are computed once per image and kept in Store,
	// or from features of crops.
	Frozen bool
	// Shift moves each training image by up to so many pixels either way along both axes, its edge
	// pixels repeated where it leaves a gap. 0: not at all.
	Shift   int
	Train   []sample.Sample
	Heldout []sample.Sample // measured once, after the last epoch; may be empty
	// Validation is what early stopping looks at; see RoundSpec.
	Validation []sample.Sample
	Pixels     PixelReader
	// Store keeps the network's inputs, so that each picture is decoded once; nil: they are kept in WorkDir.
	Store   *features.Store
	WorkDir string // checkpoints; see RoundSpec
	Threads int

	network         *parent       // tests bring their own
	checkpointEvery time.Duration // 0: checkpointEvery
}

// ScratchOutcome is a trained network.
type ScratchOutcome struct {
	Model      []byte
	Settings   recipe.Settings     // those trained with, with values in place of automatic ones
	Evaluation *measure.Evaluation // on Heldout, nil without any
	Curve      []Point
	Images     int // trained on
	Steps      int // if early stopping does not end it before
	Run        ArmRun
	// How many validation images early stopping used, 0 without it; and whether they are training images that were held back.
	ValidationImages int
	HeldBack         bool
	Skipped          []Problem
	Seconds          float64
}

// TrainScratch trains a network. Cancelling and resuming are as in RunRound.
func TrainScratch(ctx context.Context, spec ScratchSpec, observer Observer) (out ScratchOutcome, err error) {
	started := time.Now()
	spec.Settings.Strategy, spec.Settings.Anchor = spec.strategy(), 0
	if err := spec.Settings.Validate(recipe.Training); err != nil {
		return out, fmt.Errorf("train: %w", err)
	}
	if spec.Frozen && spec.Shift != 0 {
		return out, fmt.Errorf("train: %w", &recipe.Error{Field: "shift", Message: "cannot move pictures behind a frozen extractor: use crops"})
	}
	net := spec.network
	if net == nil {
		if net, err = spec.open(ctx); err != nil {
			return out, fmt.Errorf("train: %w", err)
		}
		defer net.close()
	}
	if net.require != nil {
		if err := net.require(ctx, spec.Settings); err != nil {
			return out, fmt.Errorf("train: %w", err)
		}
	}
	for _, list := range [][]sample.Sample{spec.Train, spec.Heldout, spec.Validation} {
		if err := sample.Check(list, net.classes, net.grid[0], net.grid[1]); err != nil {
			return out, fmt.Errorf("train: %w", err)
		}
	}
	if len(spec.Train) == 0 {
		return out, errors.New("train: no images to train on")
	}
	release, err := claimWorkDir(spec.WorkDir)
	if err != nil {
		return out, fmt.Errorf("train: %w", err)
	}
	defer func() {
		if errors.Is(context.Cause(ctx), ErrCancelled) && err != nil {
			err = errors.Join(err, os.RemoveAll(spec.WorkDir))
		}
		release()
	}()
	out, err = spec.run(ctx, net, observer)
	if err != nil {
		return ScratchOutcome{}, fmt.Errorf("train: %w", err)
	}
	out.Seconds = time.Since(started).Seconds()
	return out, nil
}

func (spec ScratchSpec) run(ctx context.Context, net *parent, observer Observer) (out ScratchOutcome, err error) {
	meter := observer.meter()
	plan := TrainPlan(spec.Settings, workload(spec.Train, spec.Heldout, spec.Validation), spec.Frozen)
	meter.Plan(plan...)
	meter.Begin(progress.Features, 0)
	engine, err := net.newEngine(ctx, spec.Settings)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", spec.Settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	image, err := gauge(ctx, engine, spec.Settings.BatchSize, spec.features(net, nil).Size())
	if err != nil {
		return out, err
	}
	for _, p := range plan {
		switch p.Stage {
		case progress.Train:
			p.Each = stepPrior(spec.Settings, image)
		case progress.Evaluating:
			p.Each = image
		default:
			continue
		}
		meter.Plan(p)
	}
	store := spec.Store
	if store == nil {
		if store, err = features.Open(filepath.Join(spec.WorkDir, "inputs"), features.Options{}); err != nil {
			return out, err
		}
	}
	inputs := spec.features(net, store)
	defer inputs.Close()
	chosen, valid := spec.Train, []sample.Sample(nil)
	if spec.Settings.Patience > 0 {
		if chosen, valid, err = chooseValidation(spec.Train, spec.Validation, spec.Heldout, spec.Settings.Seed); err != nil {
			return out, &recipe.Error{Field: "patience", Message: "cannot be followed: " + err.Error()}
		}
		out.HeldBack = len(chosen) < len(spec.Train)
	}
	measured := slices.Concat(spec.Heldout, valid) // only what is trained on is mirrored
	preparation := preparation{meter: meter, later: len(chosen) + len(measured)}
	problems, err := preparation.of(ctx, inputs, chosen, spec.mirrorsFeatures())
	if err != nil {
		return out, err
	}
	more, err := preparation.of(ctx, inputs, measured, false)
	if err != nil {
		return out, err
	}
	problems = append(problems, more...)
	skipped := everyImage(slices.Concat(chosen, measured), problems)
	if len(skipped) > 0 && observer.Skipped != nil {
		observer.Skipped(skipped)
	}
	train, heldout := readable(chosen, problems), readable(spec.Heldout, problems)
	if len(train) == 0 {
		return out, fmt.Errorf("none of %d training images can be read; the first: %w", len(chosen), problems[0].Err)
	}
	if valid = readable(valid, problems); spec.Settings.Patience > 0 && len(valid) == 0 {
		return out, fmt.Errorf("none of the validation images can be read; the first: %w", problems[0].Err)
	}
	spec.Settings.EditRepeat = recipe.Repeat(newOrder(train, spec.Settings).repeat) // the value in place of automatic
	l := &loop{
		arm: ArmTrain, engine: engine, settings: spec.Settings, samples: train,
		inputs: spec.rows(inputs, net, train),
		crop:   newCropper(spec.Settings, net.input), cells: net.cells(), key: runKey(net.modelHash+" "+strconv.Itoa(spec.Shift), spec.Settings, train, valid),
		checkpoints: &checkpoints{dir: spec.WorkDir, arm: ArmTrain}, saveEvery: spec.checkpointEvery, point: observer.Point,
		resumed: observer.Resumed, meter: meter, stage: progress.Train,
	}
	if valid != nil {
		l.validation = &validation{inputs: &augmented{sampleFeatures: inputs, samples: valid}, samples: valid}
	}
	meter.Expect(progress.Evaluating, len(heldout), 0)
	out.Settings = spec.Settings
	out.Steps, out.Images, out.ValidationImages, out.Skipped = l.steps(), len(train), len(valid), skipped
	if out.Curve, out.Run, err = l.run(ctx); err != nil {
		return out, err
	}
	settings, err := json.Marshal(spec.Settings)
	if err != nil {
		return out, err
	}
	lineage := []onnx.Metadata{
		{Key: "abn.settings", Value: string(settings)},
		{Key: "abn.images", Value: strconv.Itoa(len(train))},
		{Key: "abn.seed", Value: strconv.FormatInt(spec.Settings.Seed, 10)},
		{Key: "abn.run", Value: l.key},
	}
	if !spec.Frozen {
		lineage = append(lineage, extractorTrained("all of it"))
	}
	if out.Model, err = net.export(engine.Parameters(), lineage); err != nil {
		return out, fmt.Errorf("export: %w", err)
	}
	if len(heldout) > 0 {
		meter.Begin(progress.Evaluating, 0)
		out.Evaluation, err = measure.Evaluate(ctx, engine, &augmented{sampleFeatures: inputs, samples: heldout}, heldout,
			net.classes, net.grid[0], net.grid[1], func(done int) { meter.Advance(progress.Evaluating, done) })
	}
	return out, err
}
