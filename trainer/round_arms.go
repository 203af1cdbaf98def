package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/onnx"
)

// round is one call of RunRound.
type round struct {
	spec     RoundSpec
	net      *network
	observer Observer
	started  time.Time

	features *Features
	train    []Sample // that can be read
	edited   []Sample // of them with an edit
	heldout  []Sample
	valid    []Sample        // what early stopping looks at; nil without it
	anchors  []attention.Map // M° of train, see anchor.go; nil without an anchor
	parents  []float32       // the parent's maps of heldout, [N, h·w]
	meter    *meter
	edits    [3][]Result // on edited: parent, control, candidate
	outcome  RoundOutcome
}

func (r *round) run(ctx context.Context) error {
	control := !r.spec.WithoutControl && r.spec.Settings.Gamma > 0
	r.plan(control)
	parent, err := r.parent(ctx)
	if err != nil {
		return err
	}
	candidate, err := r.arm(ctx, ArmCandidate, r.spec.Settings)
	if err != nil {
		return err
	}
	r.edits[0], r.edits[2] = parent.edits, candidate.edits
	r.outcome.ParentEvaluation, r.outcome.CandidateEvaluation = parent.evaluation, candidate.evaluation
	r.outcome.Model, r.outcome.ModelHash = candidate.file, hexHash(candidate.file)
	r.outcome.Curve, r.outcome.Runs = candidate.curve, []ArmRun{candidate.run}
	base := parent
	if control {
		without := r.spec.Settings
		without.Gamma = 0
		if base, err = r.arm(ctx, ArmControl, without); err != nil {
			return err
		}
		r.outcome.Control, r.outcome.ControlEvaluation = base.file, base.evaluation
		r.outcome.Curve, r.outcome.Runs = append(r.outcome.Curve, base.curve...), append(r.outcome.Runs, base.run)
	}
	r.compare(parent, base, candidate, control)
	r.outcome.Settings = r.spec.Settings
	r.outcome.Seconds = time.Since(r.started).Seconds()
	return nil
}

// plan sets up the meter: how much there is to do, as far as it is known before any file was opened.
func (r *round) plan(control bool) {
	steps := r.spec.Settings.Epochs * newOrder(r.spec.Train, r.spec.Settings).batches
	networks, edits := 2, 0
	for _, s := range r.spec.Train {
		if !s.Edited.IsZero() {
			edits++
		}
	}
	phases := []*stretch{{phase: PhaseFeatures}, {phase: PhaseEvaluating}, {phase: PhaseCandidate, total: steps}}
	if control {
		networks++
		phases = append(phases, &stretch{phase: PhaseControl, total: steps})
	}
	phases[1].total = networks * (len(r.spec.Heldout) + edits)
	if r.spec.Settings.Anchor > 0 {
		phases[1].total += len(r.spec.Train) - edits
	}
	r.meter = newMeter(r.observer.Progress, phases...)
}

// gauge times a forward pass over zeros, so that the remaining time is known to a factor of two before
// the first step: a step is forward, backward and update, about three times as long.
func (r *round) gauge(ctx context.Context, engine Engine) error {
	n := r.spec.Settings.BatchSize
	zeros := make([]float32, n*r.net.features[0]*r.net.cells())
	var took time.Duration
	for range 2 { // the first pass opens the session
		start := time.Now()
		if _, err := engine.Forward(ctx, n, zeros); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		took = time.Since(start)
	}
	for _, s := range r.meter.phases {
		switch s.phase {
		case PhaseEvaluating:
			s.prior = took / time.Duration(n)
		case PhaseCandidate, PhaseControl:
			s.prior = 3 * took
		}
	}
	return nil
}

// parent opens the parent, computes the features and evaluates it.
func (r *round) parent(ctx context.Context) (out armResult, err error) {
	engine, err := r.net.newEngine(ctx, r.spec.Settings)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", r.spec.Settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := r.gauge(ctx, engine); err != nil {
		return out, err
	}
	if err := r.prepare(ctx); err != nil {
		return out, err
	}
	if err := r.takeAnchors(ctx, engine); err != nil {
		return out, err
	}
	return out, r.evaluate(ctx, "", engine, &out)
}

// prepare computes features and leaves out what cannot be read.
func (r *round) prepare(ctx context.Context) error {
	start := time.Now()
	store := r.spec.Store
	if store == nil {
		var err error
		if store, err = OpenFeatureStore(filepath.Join(r.spec.WorkDir, "features"), FeatureStoreOptions{}); err != nil {
			return err
		}
	}
	r.features = &Features{
		Store: store, Extractor: r.net.extractor, ExtractorHash: r.net.extractorHash,
		Preprocessing: PreprocessingHash(r.spec.Manifest), Pixels: r.spec.Pixels, Input: r.net.input, Dims: r.net.features,
	}
	trained := map[string]bool{}
	for _, s := range r.spec.Train {
		trained[s.Hash] = true
	}
	for _, s := range r.spec.Heldout {
		if trained[s.Hash] {
			r.outcome.Excluded++
			continue
		}
		s.Edited.Height, s.Edited.Width, s.Edited.Values = 0, 0, nil
		r.heldout = append(r.heldout, s)
	}
	train := r.spec.Train
	if r.spec.Settings.Patience > 0 {
		var err error
		if train, r.valid, err = chooseValidation(train, r.spec.Validation, r.spec.Heldout, r.spec.Settings.Seed); err != nil {
			return &SettingError{"patience", err.Error()}
		}
		r.outcome.HeldBack = len(train) < len(r.spec.Train)
	}
	last := start
	track := func(offset int) func(done, total int) {
		before := 0
		return func(done, total int) {
			now := time.Now()
			r.meter.expect(PhaseFeatures, offset+total, featurePrior)
			r.meter.advance(PhaseFeatures, offset+done, done-before, now.Sub(last))
			last, before = now, done
			r.outcome.FeatureMisses = offset + total
		}
	}
	mirrored := r.spec.Settings.Flip && r.spec.Settings.Crop == 0 // crops are mirrored before they are extracted
	problems, err := r.features.Prepare(ctx, train, mirrored, track(0))
	if err != nil {
		return err
	}
	more, err := r.features.Prepare(ctx, r.heldout, false, track(r.outcome.FeatureMisses))
	if err != nil {
		return err
	}
	unseen, err := r.features.Prepare(ctx, r.valid, false, track(r.outcome.FeatureMisses))
	if err != nil {
		return err
	}
	r.outcome.Skipped = slices.Concat(problems, more, unseen)
	r.train = readable(train, problems)
	r.heldout = readable(r.heldout, more)
	if len(r.train) == 0 {
		return fmt.Errorf("none of %d training images can be read; the first: %w", len(train), problems[0].Err)
	}
	if r.valid = readable(r.valid, unseen); r.spec.Settings.Patience > 0 && len(r.valid) == 0 {
		return fmt.Errorf("none of the validation images can be read; the first: %w", unseen[0].Err)
	}
	r.outcome.ValidationImages = len(r.valid)
	for _, s := range r.train {
		if !s.Edited.IsZero() {
			r.edited = append(r.edited, s)
		}
	}
	o := newOrder(r.train, r.spec.Settings)
	r.outcome.Images, r.outcome.Edits, r.outcome.Steps = len(r.train), len(r.edited), r.spec.Settings.Epochs*o.batches
	r.outcome.OrderKey = runKey(r.net.modelHash, Settings{Seed: r.spec.Settings.Seed}, r.train, nil)
	r.outcome.FeatureSeconds = time.Since(start).Seconds()
	r.expectCrops()
	r.outcome.Warnings = r.warnings()
	return nil
}

// fewValidation is how many validation images it takes to tell one epoch from another: the loss of an image differs
// from the mean by about as much as that mean.
const fewValidation = 50

// warnings are what should be known of the images before the figures are believed.
func (r *round) warnings() (out []string) {
	if plain := len(r.train) - len(r.edited); len(r.edited) > 0 && plain < len(r.edited) {
		out = append(out, fmt.Sprintf("Only %d training images without an edit take part beside %d with one: they are what holds the branches to what "+
			"they know, so expect forgetting. Add the images the model was trained on to the training split.", plain, len(r.edited)))
	}
	if n := len(r.valid); n > 0 && n < fewValidation {
		out = append(out, fmt.Sprintf("Early stopping looks at %d validation images only: which epoch it keeps is partly chance.", n))
	}
	return out
}

// readable leaves out the samples with a problem, and others of the same file.
func readable(samples []Sample, problems []Problem) []Sample {
	if len(problems) == 0 {
		return samples
	}
	broken := map[string]bool{}
	for _, p := range problems {
		broken[p.Sample.Hash] = true
	}
	var out []Sample
	for _, s := range samples {
		if !broken[s.Hash] {
			out = append(out, s)
		}
	}
	return out
}

// armResult is one network of the three.
type armResult struct {
	evaluation *Evaluation
	edits      []Result // on the edited training images
	curve      []Point
	run        ArmRun
	file       []byte
}

// arm trains one network, exports and evaluates it.
func (r *round) arm(ctx context.Context, arm Arm, settings Settings) (out armResult, err error) {
	engine, err := r.net.newEngine(ctx, settings)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	phase := Phase(arm)
	l := &loop{
		arm: arm, engine: engine, settings: settings, samples: r.train, anchors: r.anchors,
		inputs: r.inputs(settings), crop: newCropper(settings, r.net.input), cells: r.net.cells(), chance: math.Log(float64(r.net.classes)),
		key:         runKey(r.net.modelHash, settings, r.train, r.valid),
		checkpoints: &checkpoints{dir: r.spec.WorkDir, arm: arm}, saveEvery: r.spec.checkpointEvery,
		point: r.observer.Point,
		step: func(done, steps int, took time.Duration) {
			r.meter.expect(phase, steps, 0)
			timed := 0
			if took > 0 {
				timed = 1
			}
			r.meter.advance(phase, done, timed, took)
		},
	}
	if r.valid != nil {
		l.validation = &validation{inputs: featureInputs{r.features, r.valid}, samples: r.valid}
	}
	if out.curve, out.run, err = l.run(ctx); err != nil {
		return out, err
	}
	if out.file, err = r.net.export(engine.Parameters(), r.metadata(arm, settings)); err != nil {
		return out, fmt.Errorf("export %s: %w", arm, err)
	}
	return out, r.evaluate(ctx, arm, engine, &out)
}

// evaluate judges a network on the held-out images and on the edited ones.
func (r *round) evaluate(ctx context.Context, arm Arm, engine Engine, out *armResult) error {
	images := len(r.heldout) + len(r.edited)
	networks, before := len(r.meter.phases)-1, r.anchorRows() // parent, candidate, perhaps control
	switch arm {
	case ArmCandidate:
		before += images
	case ArmControl:
		before += 2 * images
	}
	last, counted := time.Now(), 0
	track := func(offset int) func(int) {
		return func(done int) {
			now := time.Now()
			took := now.Sub(last)
			r.meter.expect(PhaseEvaluating, networks*images+r.anchorRows(), 0)
			r.meter.advance(PhaseEvaluating, before+offset+done, offset+done-counted, took)
			last, counted = now, offset+done
		}
	}
	classes, h, w := r.net.classes, r.net.features[1], r.net.features[2]
	edits, err := Evaluate(ctx, engine, featureInputs{r.features, r.edited}, r.edited, classes, h, w, track(0))
	if err != nil {
		return err
	}
	out.edits = edits.Results
	keeper := &mapKeeper{Forwarder: engine}
	if out.evaluation, err = Evaluate(ctx, keeper, featureInputs{r.features, r.heldout}, r.heldout, classes, h, w, track(len(r.edited))); err != nil {
		return err
	}
	if r.parents == nil {
		r.parents = keeper.maps // the parent comes first
	}
	setDrift(out.evaluation.Results, keeper.maps, r.parents, h, w)
	return nil
}

// compare fills in what the round was worth. base is the control, or the parent without one.
func (r *round) compare(parent, base, candidate armResult, control bool) {
	seed := uint64(r.spec.Settings.Seed)
	r.outcome.Measures = heldoutMeasures(arms{r.heldout, parent.evaluation.Results, base.evaluation.Results, candidate.evaluation.Results}, r.net.classes, seed)
	against := "the control"
	if !control {
		against = "the parent"
	}
	r.outcome.Headline = "Not measured: there are no held-out images."
	if len(r.outcome.Measures) > 0 {
		r.outcome.Headline = headline(r.outcome.Measures[0], against)
	}
	on := arms{r.edited, parent.edits, base.edits, candidate.edits}
	if m := on.measure(MeasureMapDistance, "Distance to people's maps (training images)", "", mean(func(r Result) float64 { return r.MapDistance }),
		func(int) bool { return true }, seed); m != nil {
		r.outcome.Measures = append(r.outcome.Measures, *m)
	}
	if m := driftMeasure(arms{r.heldout, parent.evaluation.Results, base.evaluation.Results, candidate.evaluation.Results}, seed); m != nil {
		r.outcome.Measures = append(r.outcome.Measures, *m)
	}
	r.outcome.Fixed, r.outcome.Broken = []int64{}, []int64{}
	for i, s := range r.heldout {
		was, is := base.evaluation.Results[i].Correct, candidate.evaluation.Results[i].Correct
		switch {
		case is && !was:
			r.outcome.Fixed = append(r.outcome.Fixed, s.ID)
		case was && !is:
			r.outcome.Broken = append(r.outcome.Broken, s.ID)
		}
	}
}

// metadata is the lineage of an exported model.
func (r *round) metadata(arm Arm, s Settings) []onnx.Metadata {
	out := []onnx.Metadata{
		{Key: "abn.parent", Value: r.net.modelHash},
		{Key: "abn.arm", Value: string(arm)},
		{Key: "abn.strategy", Value: string(s.Strategy)},
		{Key: "abn.gamma", Value: strconv.FormatFloat(s.Gamma, 'g', -1, 64)},
		{Key: "abn.map_loss", Value: string(s.MapLoss)},
		{Key: "abn.anchor", Value: strconv.FormatFloat(s.Anchor, 'g', -1, 64)},
		{Key: "abn.edits", Value: strconv.Itoa(len(r.edited))},
		{Key: "abn.images", Value: strconv.Itoa(len(r.train))},
		{Key: "abn.seed", Value: strconv.FormatInt(s.Seed, 10)},
		{Key: "abn.run", Value: runKey(r.net.modelHash, s, r.train, r.valid)},
	}
	if r.spec.Lineage.Round != 0 {
		out = append(out, onnx.Metadata{Key: "abn.round", Value: strconv.FormatInt(r.spec.Lineage.Round, 10)})
	}
	if r.spec.Lineage.Project != "" {
		out = append(out, onnx.Metadata{Key: "abn.project", Value: r.spec.Lineage.Project})
	}
	return out
}
