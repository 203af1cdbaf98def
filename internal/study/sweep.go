package study

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// Sweep measures how much edits improve the demo's network. It runs fine-tunings over the number of edits and over γ, for both
// strategies and several seeds, and over anchors, optimisers and crops. docs/aviary.md holds the results.
//
// A fine-tuning with γ=0 is the control of those with the same images, labels, order, anchor, augmentation and steps. With Cross,
// γ varies at the third number of edits only, and the number of edits at the middle γ only; without it every pair is run.
type Sweep struct {
	Model      string   // the ABN to start from
	Images     string   // what studio aviary wrote
	Out        string   // file that outcomes are appended to; what it holds already is not run again
	Sources    []string // where edited images come from: train (misclassified ones first, then any) or pool (misclassified ones)
	Strategies []string
	Edits      []int     // numbers of edits
	Gammas     []float64 // 0 is always run
	Cross      bool      // vary one at a time
	Anchors    []float64 // without any, that of Settings
	Optimizers []string
	Crops      []float64
	Seeds      int // the seeds 1 to Seeds are run
	MapLoss    string
	Parallel   int             // fine-tunings at a time; 0: one per core
	Limit      time.Duration   // start none after so long; 0: no limit
	Settings   recipe.Settings // what all fine-tunings share
	Left       []string        // names of settings that are left to the studio, which looks at the network
}

// sweep is a running Sweep.
type sweep struct {
	Sweep
	started  time.Time // of the first fine-tuning
	model    []byte
	opened   *network.Network
	manifest manifest.Manifest
	network  *inference.Network
	images   *samples.Set
	wrong    map[string]bool // by name: train and pool images the model gets wrong
	store    *features.Store
	work     string
}

// Run runs the fine-tunings that Out has no outcome of, and summarises all outcomes.
func (c Sweep) Run(ctx context.Context, meter *progress.Meter) (rows []SweepRow, err error) {
	done, err := readSweep(c.Out)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	var todo [][]sweepPoint
	for _, p := range c.points() {
		if known[p.key()] {
			continue
		}
		if _, err := c.settings(p); err != nil { // before the first hour, not after it
			return nil, fmt.Errorf("%s: %w", p.key(), err)
		}
		todo = append(todo, []sweepPoint{p})
	}
	if len(todo) > 0 {
		s, e := c.open(ctx)
		if e != nil {
			return nil, e
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.work), s.network.Close()) }()
		s.started = time.Now()
		fresh, err := campaign[sweepPoint]{out: c.Out, parallel: c.Parallel, firstAlone: true, meter: meter, try: s.try}.run(ctx, todo)
		if err != nil {
			return nil, err
		}
		done = append(done, fresh...)
	}
	return summarizeSweep(done), nil
}

func (c Sweep) open(ctx context.Context) (*sweep, error) {
	s := &sweep{Sweep: c, wrong: map[string]bool{}}
	model, data, err := onnx.Load(ctx, c.Model)
	if err != nil {
		return nil, err
	}
	s.model = data
	if s.manifest, err = manifest.Load(c.Model, model.MetadataValue); err != nil {
		return nil, err
	}
	if s.opened, err = network.Open(ctx, model, s.manifest); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	if s.network, err = ready(c.Model, s.opened, 0); err != nil {
		return nil, err
	}
	set, err := dataset.Open("folder", c.Images)
	if err != nil {
		return nil, err
	}
	if s.images, err = samples.Open(ctx, set, samples.ViewOf(s.network, s.manifest.Classes, ""), progress.NewMeter(nil)); err != nil {
		return nil, err
	}
	if s.work, err = os.MkdirTemp("", "aviary-sweep-"); err != nil {
		return nil, err
	}
	if s.store, err = features.Open(filepath.Join(s.work, "features"), features.Options{}); err != nil {
		return nil, err
	}
	answers, err := answersTo(ctx, s.network, s.images, s.images.Of(dataset.Train, dataset.Pool))
	for _, a := range answers {
		if a.wrong {
			s.wrong[a.Name] = true
		}
	}
	return s, err
}

// try runs the one fine-tuning of a group, if there is time for it.
func (s *sweep) try(ctx context.Context, group []sweepPoint, report func(sweepPoint) error) error {
	if s.Limit > 0 && time.Since(s.started) > s.Limit {
		return nil
	}
	p, err := s.point(ctx, group[0])
	if err != nil {
		return fmt.Errorf("%s: %w", p.key(), err)
	}
	return report(p)
}

// point runs one fine-tuning.
func (s *sweep) point(ctx context.Context, p sweepPoint) (sweepPoint, error) {
	train := s.images.Of(dataset.Train)
	candidates := train
	if p.Source == dataset.Pool {
		candidates = s.images.Of(dataset.Pool)
	}
	edited, err := s.pick(candidates, p)
	if err != nil {
		return p, err
	}
	p.Used = len(edited)
	if p.Source == dataset.Pool {
		train = append(train, edited...)
	} else {
		byName := map[string]sample.Sample{}
		for _, sample := range edited {
			byName[sample.Name] = sample
		}
		for i := range train {
			if sample, ok := byName[train[i].Name]; ok {
				train[i] = sample
			}
		}
	}
	settings, err := s.settings(p)
	if err != nil {
		return p, err
	}
	settings = trainer.Suggest(s.opened.ABN(), settings, s.Left)
	work, err := os.MkdirTemp(s.work, "arm-")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(work)
	outcome, err := trainer.RunRound(ctx, trainer.RoundSpec{
		Model: s.model, Opened: s.opened, Manifest: s.manifest, Settings: settings, Train: train, Heldout: s.images.Of(dataset.Test),
		Pixels: s.images.Pixels, Store: s.store, Extractor: s.network, WorkDir: work, WithoutControl: true, Threads: 1,
	}, trainer.Observer{})
	if err != nil {
		return p, err
	}
	e := outcome.CandidateEvaluation
	p.Accuracy, p.AttTop1, p.Seconds = e.Top1, e.AttTop1, outcome.Seconds
	for _, g := range e.Groups {
		switch g.Group {
		case aviary.Home:
			p.Home = g.Top1
		case aviary.Away:
			p.Away = g.Top1
		}
	}
	if e.Inside != nil {
		p.Inside = e.Inside.Mean
	}
	for _, m := range outcome.Measures {
		if m.Name == measure.MapDrift {
			p.Drift = &m.Candidate
		}
	}
	return p, nil
}

// settings returns the settings of a point.
func (c Sweep) settings(p sweepPoint) (recipe.Settings, error) {
	s := c.Settings
	s.Strategy, s.Gamma, s.Seed, s.MapLoss = recipe.Strategy(p.Strategy), p.Gamma, p.Seed, recipe.MapLoss(p.MapLoss)
	s.Anchor, s.Optimizer, s.Crop = p.Anchor, recipe.Optimizer(p.Optimizer), p.Crop
	return s, s.Validate(recipe.FineTuning)
}

// pick chooses the edited images of a point and gives them their maps. With the same seed, a larger number of edits includes the
// images of a smaller one.
func (s *sweep) pick(candidates []sample.Sample, p sweepPoint) ([]sample.Sample, error) {
	rng := rand.New(rand.NewPCG(uint64(p.Seed), 0))
	var wrong, right []sample.Sample
	for _, i := range rng.Perm(len(candidates)) {
		if sample := candidates[i]; s.wrong[sample.Name] {
			wrong = append(wrong, sample)
		} else {
			right = append(right, sample)
		}
	}
	chosen := wrong
	if p.Source == dataset.Train {
		chosen = append(chosen, right...)
	}
	chosen = chosen[:min(p.Edits, len(chosen))]
	if len(chosen) == 0 {
		return nil, fmt.Errorf("the model gets every image of %s right", p.Source)
	}
	for i := range chosen {
		chosen[i].Edited = aviary.EditFromGrid(chosen[i].Mask)
	}
	return chosen, nil
}
