package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/network"
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
	choosing []sample.Sample // what the baseline is chosen on; nil where no arm is asked for
	anchors  []attention.Map // M° of train, see anchor.go; nil without an anchor
	parents  []float32       // the parent's maps of heldout, [N, h·w]
	layer    *refit.Layer    // the last layer, if it is refitted
	refitted []sample.Sample // the rows of train that it is fitted on
	beside   beside
	plan     []progress.Plan
	meter    *progress.Meter
	leftOut  []measure.LeftOut
	outcome  RoundOutcome
}

// networks are what a round has made, each arm's by its seeds.
type networks map[Arm][]armResult

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
	made := networks{}
	if err := r.parent(ctx, made); err != nil {
		return err
	}
	if r.spec.Settings.GammaSearch {
		if err := r.searchGamma(ctx); err != nil {
			return fmt.Errorf("search γ: %w", err)
		}
	}
	if err := r.trainArms(ctx, control, made); err != nil {
		return err
	}
	for _, arm := range trainedArms(r.spec.Settings, control) {
		for _, n := range made[arm] {
			r.outcome.Curve, r.outcome.Runs = append(r.outcome.Curve, n.curve...), append(r.outcome.Runs, n.run)
		}
	}
	if err := r.conclude(made, control); err != nil {
		return err
	}
	if r.outcome.ExtractorHash = r.net.extractorHash; r.spec.Settings.Strategy == recipe.StrategyAll {
		made, err := network.Read(ctx, r.outcome.Model, r.spec.Manifest)
		if err != nil {
			return fmt.Errorf("reading what was trained: %w", err)
		}
		r.outcome.ExtractorHash = made.ExtractorHash()
	}
	r.outcome.Settings = r.spec.Settings
	r.outcome.Seconds = time.Since(r.started).Seconds()
	return nil
}

// leaveOut notes why an arm that was asked for is not judged. Of a pair neither is.
func (r *round) leaveOut(arm Arm, why string) {
	for _, a := range []Arm{arm, arm.Pair()} {
		if a != "" && r.without(a) == "" {
			r.leftOut = append(r.leftOut, measure.LeftOut{Arm: a, Why: why})
		}
	}
}

// without is why an arm is left out; "" if it is not.
func (r *round) without(arm Arm) string {
	for _, l := range r.leftOut {
		if l.Arm == arm {
			return l.Why
		}
	}
	return ""
}

// maxRestarts is how often a round that diverged begins again.
const maxRestarts = 2

// trainArms trains all arms with all seeds. If candidate or control diverges, all begin again at half the rate: the answers of a
// diverged network say nothing about maps. Another arm that diverges is left out.
func (r *round) trainArms(ctx context.Context, control bool, made networks) error {
	planned := slices.Clone(r.leftOut)
	for restarts := 0; ; restarts++ {
		err := r.trainAll(ctx, control, made)
		var diverged *DivergedError
		if !errors.As(err, &diverged) || restarts == maxRestarts || r.spec.withoutRestarts {
			return err
		}
		r.leftOut = slices.Clone(planned)
		r.spec.Settings.LearningRate /= 2
		every := "both arms"
		if len(trainedArms(r.spec.Settings, control)) > 2 || r.spec.Settings.Seeds > 1 {
			every = "all arms"
		}
		r.outcome.Warnings = append(r.outcome.Warnings, fmt.Sprintf("Training came apart at step %d of the %s with a learning rate of %.2g, and began again, %s, at %.2g.",
			diverged.Step, diverged.Arm, diverged.Rate, every, r.spec.Settings.LearningRate))
		if r.observer.Restarted != nil {
			r.observer.Restarted(diverged, r.spec.Settings.LearningRate)
		}
	}
}

func (r *round) trainAll(ctx context.Context, control bool, made networks) error {
	for _, arm := range trainedArms(r.spec.Settings, control) {
		made[arm] = nil
		if refit := refitOf(r.spec.Settings, arm); refit != "" {
			made[refit] = nil
		}
		for n := range int(r.spec.Settings.Seeds) {
			if r.without(arm) != "" {
				break
			}
			err := r.arm(ctx, arm, n, made)
			var diverged *DivergedError
			if arms.Of(arm).Asked && errors.As(err, &diverged) {
				r.leaveOut(arm, fmt.Sprintf("its training came apart at step %d", diverged.Step))
				made[arm] = nil
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// planned corrects the plan that was made before any file was opened.
func (r *round) planned() {
	s, judged := r.spec.Settings, len(r.heldout)+len(r.edited)+len(r.choosing)
	for _, p := range r.plan {
		arm, _, trained := p.Stage.Arm()
		total := judged
		switch {
		case arm == "":
			continue
		case r.without(Arm(arm)) != "":
			total = 0
		case trained:
			total = r.outcome.Steps
		default:
			if s.Refit && Arm(arm) != arms.Parent || refitOf(s, Arm(arm)) != "" {
				total += len(r.refitted) // its last layer's inputs are computed first
			}
			if Arm(arm) == arms.Parent {
				total += r.anchorRows()
				if s.Arms.Has(arms.MapAtTest) {
					total += len(r.edited)
				}
			}
		}
		r.meter.Expect(p.Stage, total, 0)
	}
	r.meter.Expect(progress.GammaSearch, len(r.spec.Settings.GammasTried())*r.trySteps(), 0)
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

// parent opens the parent, computes the features and judges it.
func (r *round) parent(ctx context.Context, made networks) (err error) {
	engine, err := r.net.newEngine(ctx, r.spec.Settings)
	if err != nil {
		return fmt.Errorf("start %s: %w", r.spec.Settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	image, err := gauge(ctx, engine, r.spec.Settings.BatchSize, r.net.features[0]*r.net.features[1]*r.net.features[2])
	if err != nil {
		return err
	}
	for _, p := range r.plan {
		if p.Stage == progress.Features {
			continue
		}
		p.Each = image
		if _, _, trained := p.Stage.Arm(); trained || p.Stage == progress.GammaSearch {
			p.Each = stepPrior(r.spec.Settings, image)
		}
		r.meter.Plan(p)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	r.meter.Begin(progress.EvaluatingParent, 0)
	if err := r.takeLosses(ctx, engine); err != nil {
		return err
	}
	if err := r.takeAnchors(ctx, engine); err != nil {
		return err
	}
	before := r.anchorRows()
	own := armResult{seed: r.spec.Settings.Seed}
	refitted, err := r.judge(ctx, arms.Parent, progress.EvaluatingParent, before, engine, &own)
	if err != nil {
		return err
	}
	made[arms.Parent] = []armResult{own}
	before += len(r.edited) + len(r.heldout) + len(r.choosing)
	if refitted != nil {
		made[arms.ParentRefit] = []armResult{refitted.armResult}
	}
	if refitOf(r.spec.Settings, arms.Parent) != "" {
		before += len(r.refitted)
	}
	placed, err := r.mapAtTest(ctx, engine, before)
	if placed != nil {
		placed.seed = own.seed
		made[arms.MapAtTest] = []armResult{*placed}
	}
	return err
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

// armResult is one network of a round.
type armResult struct {
	seed       int64
	evaluation *measure.Evaluation // on the held-out images
	validation *measure.Evaluation // on those that the baseline is chosen on; nil without
	edits      []measure.Result    // on the edited training images
	maps       []float32           // of the held-out images, [N, h·w]; of the first seed of parent, control and candidate
	curve      []Point
	run        ArmRun
	file       []byte // of the first seed; nil of others, and where nobody asks for it
}

// arm trains an arm with the nth of the seeds, exports and judges it, and with it its refit if that is asked for.
func (r *round) arm(ctx context.Context, arm Arm, n int, made networks) (err error) {
	settings, train := r.spec.Settings.OfSeed(n), r.train
	switch arm {
	case arms.Control:
		settings.Gamma, settings.GammaAvoid = 0, 0
	case arms.ShuffledWithin, arms.ShuffledAcross:
		train, _, _ = shuffledMaps(r.train, arm, settings.Seed)
	}
	stage, evaluating := progress.Training(string(arm), n), progress.Measuring(string(arm), n)
	r.meter.Begin(stage, 0)
	engine, err := r.net.newEngine(ctx, settings)
	if err != nil {
		return fmt.Errorf("start %s: %w", settings.Strategy, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	ofSeed := int64(0) // points tell seeds apart where there are several
	name := arm
	if r.spec.Settings.Seeds > 1 {
		ofSeed = settings.Seed
	}
	if n > 0 {
		name = Arm(fmt.Sprintf("%s-seed-%d", arm, n+1))
	}
	l := r.loop(arm, name, engine, settings, train)
	l.point, l.resumed, l.meter, l.stage = r.observer.Point, r.observer.Resumed, r.meter, stage
	if r.observer.Point != nil {
		l.point = func(p Point) {
			p.Seed = ofSeed
			r.observer.Point(p)
		}
	}
	if settings.Patience > 0 {
		l.validation = &validation{inputs: featureInputs{r.features, r.valid}, samples: r.valid}
	}
	out := armResult{seed: settings.Seed}
	if out.curve, out.run, err = l.run(ctx); err != nil {
		return err
	}
	out.run.Seed = ofSeed
	for i := range out.curve {
		out.curve[i].Seed = ofSeed
	}
	trained := time.Now()
	r.meter.Begin(evaluating, 0)
	if settings.Refit {
		if err := r.refit(ctx, engine, evaluating); err != nil {
			return fmt.Errorf("%s: %w", arm, err)
		}
	}
	refitted, err := r.judge(ctx, arm, evaluating, r.fitsBefore(arm), engine, &out)
	if err != nil {
		return err
	}
	out.run.Seconds += time.Since(trained).Seconds()
	if n == 0 && !arms.Of(arm).Asked {
		if out.file, err = r.export(arm, settings, train, engine.Parameters()); err != nil {
			return err
		}
		if refitted != nil {
			parameters, err := r.withLayer(engine.Parameters(), refitted.layer, true)
			if err != nil {
				return err
			}
			if refitted.file, err = r.export(refitOf(r.spec.Settings, arm), settings, train, parameters); err != nil {
				return err
			}
		}
	}
	made[arm] = append(made[arm], out)
	if refitted != nil {
		refit := refitOf(r.spec.Settings, arm)
		made[refit] = append(made[refit], refitted.armResult)
	}
	return nil
}

// loop is a training of a network of the round, with its checkpoints under a name. It has no meter and tells nothing yet.
func (r *round) loop(arm, name Arm, engine engine.Engine, settings recipe.Settings, train []sample.Sample) *loop {
	return &loop{
		arm: arm, engine: engine, settings: settings, samples: train, anchors: r.anchors,
		inputs: r.inputs(settings, train), crop: newCropper(settings, r.net.input), cells: r.net.cells(), marked: marked(train), beside: r.beside,
		key:         runKey(r.net.modelHash, settings, train, r.valid),
		checkpoints: &checkpoints{dir: r.spec.WorkDir, arm: name}, saveEvery: r.spec.checkpointEvery,
	}
}

// fitsBefore is how many images a measuring stage has gone through when an arm that Settings.Refit refits is judged.
func (r *round) fitsBefore(arm Arm) int {
	if r.spec.Settings.Refit && arm != arms.Parent {
		return len(r.refitted)
	}
	return 0
}

// refitResult is a network with its last layer fitted anew.
type refitResult struct {
	armResult
	layer refit.Linear
}

// judge measures a network on the edited, the held-out and, where the baseline is chosen, the validation images; and with it its refit,
// if that is asked for, else nil. before units of the stage are done already.
func (r *round) judge(ctx context.Context, arm Arm, stage progress.Stage, before int, e engine.Engine, out *armResult) (refitted *refitResult, err error) {
	var judged measure.Forwarder = e
	var two *twoHeads
	if refit := refitOf(r.spec.Settings, arm); refit != "" && r.without(refit) == "" {
		h, err := r.openHead(e.Parameters())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", refit, err)
		}
		defer func() { err = errors.Join(err, h.close()) }()
		fitted, err := r.fit(ctx, h, stage, before)
		switch {
		case context.Cause(ctx) != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			r.leaveOut(refit, err.Error())
		default:
			two = &twoHeads{head: h, fitted: fitted}
			judged = two
		}
		before += len(r.refitted)
	}
	classes, h, w := r.net.classes, r.net.grid[0], r.net.grid[1]
	measured := func(f measure.Forwarder, samples []sample.Sample) (*measure.Evaluation, error) {
		e, err := measure.Evaluate(ctx, f, featureInputs{r.features, samples}, samples, classes, h, w, func(done int) { r.meter.Advance(stage, before+done) })
		before += len(samples)
		return e, err
	}
	edits, err := measured(judged, r.edited)
	if err != nil {
		return nil, err
	}
	out.edits = edits.Results
	keeper := &measure.MapKeeper{Forwarder: judged}
	if out.evaluation, err = measured(keeper, r.heldout); err != nil {
		return nil, err
	}
	if r.parents == nil {
		r.parents = keeper.Maps // the parent comes first
	}
	measure.SetDrift(out.evaluation.Results, keeper.Maps, r.parents, h, w)
	if out.seed == r.spec.Settings.Seed && !arms.Of(arm).Asked {
		out.maps = keeper.Maps
	}
	if r.choosing != nil {
		if out.validation, err = measured(judged, r.choosing); err != nil {
			return nil, err
		}
	}
	if two == nil {
		return nil, nil
	}
	refitted = &refitResult{armResult: armResult{seed: out.seed, run: out.run, maps: out.maps}, layer: two.fitted}
	answers := func(samples []sample.Sample, results []measure.Result) []measure.Result {
		other := make([]measure.Result, len(results))
		for i, s := range samples {
			other[i] = results[i].WithScores(s, two.logits[i*classes:(i+1)*classes])
		}
		two.logits = two.logits[len(samples)*classes:]
		return other
	}
	refitted.edits = answers(r.edited, out.edits)
	refitted.evaluation = measure.Summarize(r.heldout, answers(r.heldout, out.evaluation.Results))
	if out.validation != nil {
		refitted.validation = measure.Summarize(r.choosing, answers(r.choosing, out.validation.Results))
	}
	return refitted, nil
}

// export writes a network of the round as a file.
func (r *round) export(arm Arm, settings recipe.Settings, train []sample.Sample, parameters []engine.Parameter) ([]byte, error) {
	settings.Refit = settings.Refit || arms.Of(arm).Refits != "" // such a round makes the same network
	lineage, err := r.metadata(arm, settings, train)
	if err != nil {
		return nil, err
	}
	file, err := r.net.export(parameters, lineage)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", arm, err)
	}
	return file, nil
}

// metadata is the lineage of an exported model.
func (r *round) metadata(arm Arm, s recipe.Settings, train []sample.Sample) ([]onnx.Metadata, error) {
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
		{Key: "abn.images", Value: strconv.Itoa(len(train))},
		{Key: "abn.seed", Value: strconv.FormatInt(s.Seed, 10)},
		{Key: "abn.run", Value: runKey(r.net.modelHash, s, train, r.valid)},
	}
	if s.Strategy == recipe.StrategyAll {
		out = append(out, extractorTrained(fmt.Sprintf("its last %d blocks", s.Blocks)))
	}
	if r.spec.Lineage.Round != 0 {
		out = append(out, onnx.Metadata{Key: "abn.round", Value: strconv.FormatInt(r.spec.Lineage.Round, 10)})
	}
	if r.spec.Lineage.Project != "" {
		out = append(out, onnx.Metadata{Key: "abn.project", Value: r.spec.Lineage.Project})
	}
	return out, nil
}
