package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// armResult is one network of a round.
type armResult struct {
	seed       int64
	evaluation *measure.Evaluation // on the held-out images
	validation *measure.Evaluation // on those that the baseline is chosen on; nil without
	edits      []measure.Result    // on the edited training images
	maps       *keptMaps           // of the held-out images; of the first seed
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
	maps, err := newKeptMaps(r.spec.WorkDir, h, w)
	if err != nil {
		return nil, err
	}
	if out.seed == r.spec.Settings.Seed {
		r.kept, out.maps = append(r.kept, maps), maps
	} else {
		defer maps.close()
	}
	looker := &mapLooker{Forwarder: judged, samples: r.heldout, masks: r.spec.Masks, input: r.net.input, grid: [2]int{h, w}, maps: maps, parents: r.parents}
	if out.evaluation, err = measured(looker, r.heldout); err != nil {
		return nil, err
	}
	if err := looker.tell(out.evaluation.Results); err != nil {
		return nil, err
	}
	if r.parents == nil {
		r.parents = maps // the parent comes first
	}
	if r.choosing != nil {
		if out.validation, err = measured(judged, r.choosing); err != nil {
			return nil, err
		}
	}
	tell := func(passes int) { r.meter.Advance(stage, before+passes) }
	if two == nil {
		return nil, r.perturb(ctx, judged, nil, maps, out, nil, tell)
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
	return refitted, r.perturb(ctx, judged, two, maps, out, &refitted.armResult, tell)
}
