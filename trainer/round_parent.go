package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

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
	judged := image
	if some := min(r.spec.Settings.Perturbed, len(r.spec.Heldout)); some > 0 {
		pass, err := r.gaugePerturbed(ctx, image)
		if err != nil {
			return err
		}
		passes, images := some*measure.Passes(r.net.input[1]), len(r.spec.Heldout)
		judged = (time.Duration(passes)*pass + time.Duration(images)*image) / time.Duration(passes+images)
	}
	for _, p := range r.plan {
		if p.Stage == progress.Features {
			continue
		}
		p.Each = judged
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
	before += r.judgedImages()
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
