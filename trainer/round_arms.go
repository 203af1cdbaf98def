package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// round is one call of RunRound.
type round struct {
	spec     RoundSpec
	net      *parent
	observer Observer
	started  time.Time

	features *sampleFeatures
	train    []sample.Sample // that can be read
	edited   []sample.Sample // of them with an edit
	heldout  []sample.Sample
	valid    []sample.Sample // what early stopping looks at; nil without it
	anchors  []attention.Map // M° of train, see anchor.go; nil without an anchor
	parents  []float32       // the parent's maps of heldout, [N, h·w]
	layer    *refit.Layer    // the last layer, if it is refitted
	refitted []sample.Sample // the rows of train that it is fitted on
	beside   beside
	plan     []progress.Plan
	meter    *progress.Meter
	edits    [3][]measure.Result // on edited: parent, control, candidate
	outcome  RoundOutcome
}

func (r *round) run(ctx context.Context) error {
	control := !r.spec.WithoutControl && (r.spec.Settings.Gamma > 0 || r.spec.Settings.GammaAvoid > 0 && marked(r.spec.Train))
	r.plan = RoundPlan(r.spec.Settings, workload(r.spec.Train, r.spec.Heldout, r.spec.Validation), control)
	r.meter.Plan(r.plan...)
	r.meter.Begin(progress.Features, 0)
	defer func() {
		if r.features != nil {
			r.features.Close()
		}
	}()
	parent, err := r.parent(ctx)
	if err != nil {
		return err
	}
	candidate, base, err := r.trainArms(ctx, parent, control)
	if err != nil {
		return err
	}
	r.edits[0], r.edits[2] = parent.edits, candidate.edits
	r.outcome.ParentEvaluation, r.outcome.CandidateEvaluation = parent.evaluation, candidate.evaluation
	r.outcome.Model, r.outcome.ModelHash = candidate.file, hexHash(candidate.file)
	r.outcome.Curve, r.outcome.Runs = candidate.curve, []ArmRun{candidate.run}
	if control {
		r.outcome.Control, r.outcome.ControlEvaluation = base.file, base.evaluation
		r.outcome.Curve, r.outcome.Runs = append(r.outcome.Curve, base.curve...), append(r.outcome.Runs, base.run)
	}
	r.compare(parent, base, candidate, control)
	r.outcome.Settings = r.spec.Settings
	r.outcome.Seconds = time.Since(r.started).Seconds()
	return nil
}

// maxRestarts is how often a round that diverged begins again.
const maxRestarts = 2

// trainArms trains candidate and control; base is the control, or the parent if there is no control. If either diverges, both
// begin again at half the rate: the answers of a diverged network say nothing about maps.
func (r *round) trainArms(ctx context.Context, parent armResult, control bool) (candidate, base armResult, err error) {
	for restarts := 0; ; restarts++ {
		base = parent
		candidate, err = r.arm(ctx, ArmCandidate, r.spec.Settings)
		if err == nil && control {
			without := r.spec.Settings
			without.Gamma, without.GammaAvoid = 0, 0
			base, err = r.arm(ctx, ArmControl, without)
		}
		var diverged *DivergedError
		if !errors.As(err, &diverged) || restarts == maxRestarts || r.spec.withoutRestarts {
			return candidate, base, err
		}
		r.spec.Settings.LearningRate /= 2
		r.outcome.Warnings = append(r.outcome.Warnings, fmt.Sprintf("Training came apart at step %d of the %s with a learning rate of %.2g, and began again, both arms, at %.2g.",
			diverged.Step, diverged.Arm, diverged.Rate, r.spec.Settings.LearningRate))
		if r.observer.Restarted != nil {
			r.observer.Restarted(diverged, r.spec.Settings.LearningRate)
		}
	}
}

// planned corrects the plan that was made before any file was opened.
func (r *round) planned() {
	judged := len(r.heldout) + len(r.edited)
	measured := judged + len(r.refitted) // of an arm, whose last layer's inputs are computed first
	for stage, total := range map[progress.Stage]int{
		progress.EvaluatingParent: judged + r.anchorRows(), progress.Candidate: r.outcome.Steps, progress.EvaluatingCandidate: measured,
		progress.Control: r.outcome.Steps, progress.EvaluatingControl: measured,
	} {
		r.meter.Expect(stage, total, 0)
	}
}

// gauge times a forward pass over zeros, so that the remaining time is known within a factor of two before the first step. It
// returns the time for one image of size values.
func gauge(ctx context.Context, engine engine.Engine, batch, size int) (time.Duration, error) {
	n := min(batch, measure.BatchSize)
	zeros := make([]float32, n*size)
	var took time.Duration
	for range 2 { // the first pass opens the session
		start := time.Now()
		if _, err := engine.Forward(ctx, n, zeros); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return 0, cause
			}
			return 0, err
		}
		took = time.Since(start)
	}
	return max(took/time.Duration(n), time.Microsecond), nil
}

// parent opens the parent, computes the features and evaluates it.
func (r *round) parent(ctx context.Context) (out armResult, err error) {
	engine, err := r.net.newEngine(ctx, r.spec.Settings)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", r.spec.Settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	image, err := gauge(ctx, engine, r.spec.Settings.BatchSize, r.net.features[0]*r.net.cells())
	if err != nil {
		return out, err
	}
	for _, p := range r.plan {
		switch p.Stage {
		case progress.Features:
			continue
		case progress.Candidate, progress.Control:
			p.Each = stepPrior(r.spec.Settings, image)
		default:
			p.Each = image
		}
		r.meter.Plan(p)
	}
	if err := r.prepare(ctx); err != nil {
		return out, err
	}
	r.meter.Begin(progress.EvaluatingParent, 0)
	if err := r.takeLosses(ctx, engine); err != nil {
		return out, err
	}
	if err := r.takeAnchors(ctx, engine); err != nil {
		return out, err
	}
	return out, r.evaluate(ctx, progress.EvaluatingParent, r.anchorRows(), engine, &out)
}

// takeLosses measures the parent on the first rows of the training, for comparison with the run (beside).
func (r *round) takeLosses(ctx context.Context, engine engine.Engine) error {
	batches := newOrder(r.train, r.spec.Settings).epoch(0)
	var rows []sample.Sample
	for _, b := range batches[:min(len(batches), statisticsBatches)] {
		for _, row := range b {
			rows = append(rows, r.train[row.sample])
		}
	}
	att, per, _, err := crossEntropies(ctx, engine, featureInputs{r.features, rows}, rows)
	r.beside = beside{chance: math.Log(float64(r.net.classes)), att: att, per: per}
	return err
}

// armResult is one network of the three.
type armResult struct {
	evaluation *measure.Evaluation
	edits      []measure.Result // on the edited training images
	curve      []Point
	run        ArmRun
	file       []byte
}

// arm trains one network, exports and evaluates it.
func (r *round) arm(ctx context.Context, arm Arm, settings recipe.Settings) (out armResult, err error) {
	stage, evaluating := progress.Candidate, progress.EvaluatingCandidate
	if arm == ArmControl {
		stage, evaluating = progress.Control, progress.EvaluatingControl
	}
	r.meter.Begin(stage, 0)
	engine, err := r.net.newEngine(ctx, settings)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	l := &loop{
		arm: arm, engine: engine, settings: settings, samples: r.train, anchors: r.anchors,
		inputs: r.inputs(settings), crop: newCropper(settings, r.net.input), cells: r.net.cells(), marked: marked(r.train), beside: r.beside,
		key:         runKey(r.net.modelHash, settings, r.train, r.valid),
		checkpoints: &checkpoints{dir: r.spec.WorkDir, arm: arm}, saveEvery: r.spec.checkpointEvery,
		point: r.observer.Point, resumed: r.observer.Resumed, meter: r.meter, stage: stage,
	}
	if r.valid != nil {
		l.validation = &validation{inputs: featureInputs{r.features, r.valid}, samples: r.valid}
	}
	if out.curve, out.run, err = l.run(ctx); err != nil {
		return out, err
	}
	r.meter.Begin(evaluating, 0)
	if settings.Refit {
		if err := r.refit(ctx, engine, evaluating); err != nil {
			return out, fmt.Errorf("%s: %w", arm, err)
		}
	}
	lineage, err := r.metadata(arm, settings)
	if err != nil {
		return out, err
	}
	if out.file, err = r.net.export(engine.Parameters(), lineage); err != nil {
		return out, fmt.Errorf("export %s: %w", arm, err)
	}
	return out, r.evaluate(ctx, evaluating, len(r.refitted), engine, &out)
}

// evaluate judges a network on the held-out and the edited images. before units of the stage are done already.
func (r *round) evaluate(ctx context.Context, stage progress.Stage, before int, engine engine.Engine, out *armResult) error {
	track := func(offset int) func(int) {
		return func(done int) { r.meter.Advance(stage, before+offset+done) }
	}
	classes, h, w := r.net.classes, r.net.features[1], r.net.features[2]
	edits, err := measure.Evaluate(ctx, engine, featureInputs{r.features, r.edited}, r.edited, classes, h, w, track(0))
	if err != nil {
		return err
	}
	out.edits = edits.Results
	keeper := &measure.MapKeeper{Forwarder: engine}
	if out.evaluation, err = measure.Evaluate(ctx, keeper, featureInputs{r.features, r.heldout}, r.heldout, classes, h, w, track(len(r.edited))); err != nil {
		return err
	}
	if r.parents == nil {
		r.parents = keeper.Maps // the parent comes first
	}
	measure.SetDrift(out.evaluation.Results, keeper.Maps, r.parents, h, w)
	return nil
}

// compare fills in the comparison of the arms. base is the control, or the parent if there is no control.
func (r *round) compare(parent, base, candidate armResult, control bool) {
	seed := uint64(r.spec.Settings.Seed)
	heldout := measure.Arms{Samples: r.heldout, Parent: parent.evaluation.Results, Control: base.evaluation.Results, Candidate: candidate.evaluation.Results}
	r.outcome.Measures = measure.Heldout(heldout, r.net.classes, seed)
	against := "the control"
	if !control {
		against = "the parent"
	}
	r.outcome.Headline = "Not measured: there are no held-out images."
	if len(r.outcome.Measures) > 0 {
		r.outcome.Headline = measure.Headline(r.outcome.Measures[0], against)
	}
	if m := measure.Distances(measure.Arms{Samples: r.edited, Parent: parent.edits, Control: base.edits, Candidate: candidate.edits}, seed); m != nil {
		r.outcome.Measures = append(r.outcome.Measures, *m)
	}
	if m := measure.Drift(heldout, seed); m != nil {
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
func (r *round) metadata(arm Arm, s recipe.Settings) ([]onnx.Metadata, error) {
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := []onnx.Metadata{
		{Key: "abn.parent", Value: r.net.modelHash},
		{Key: "abn.arm", Value: string(arm)},
		{Key: "abn.settings", Value: string(settings)},
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
	return out, nil
}
