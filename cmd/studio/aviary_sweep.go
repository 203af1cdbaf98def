package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// aviarySweepCommand measures what edits are worth on the demo: fine-tunings over the number of edits
// and over γ, for both strategies and several seeds, and over anchors, optimisers and crops. docs/aviary.md holds
// what it found.
//
// A fine-tuning with γ=0 is the control of all those that share all else: the same images, labels, order, anchor,
// augmentation and steps. With --cross γ is varied at the second number of edits only and
// the number of edits at the middle γ only; else every pair is run.
type aviarySweepCommand struct {
	Model      string        `required:"" type:"existingfile" help:"The ABN to start from."`
	Images     string        `required:"" type:"existingdir" help:"What studio aviary wrote."`
	Out        string        `required:"" type:"path" help:"File to append results to, a JSON document a line. What it holds already is not run again."`
	Sources    []string      `default:"train" enum:"train,pool" help:"Where edited images come from: train (misclassified ones first, then any) or pool (misclassified ones)."`
	Strategies []string      `default:"both,attention" help:"Branches to update: ${strategy}."`
	Edits      []int         `default:"20,60,200,600" help:"Numbers of edits."`
	Gammas     []float64     `default:"0.1,0.3,1,3,10" help:"Scales of the map loss; 0 is always run."`
	Cross      bool          `help:"Vary one at a time."`
	Anchors    []float64     `help:"Scales of the anchor; without any, that of a round's defaults."`
	Optimizers []string      `default:"sgd" help:"Updates: ${optimizer}."`
	Crops      []float64     `default:"0" help:"Least shares of the view that random crops keep; 0: no crops."`
	Seeds      int           `default:"3" help:"Seeds 1 to so many: which images are edited, and the order of training."`
	MapLoss    string        `default:"l2" help:"Form of the map loss: ${map_loss}."`
	Parallel   int           `help:"Fine-tunings at a time; 0: one a core."`
	Limit      time.Duration `help:"Start none after so long; 0: no limit."`
	JSON       bool          `name:"json" help:"Print the summary as JSON."`
	schedule
	editRepeat
}

// sweep is a sweep under way.
type sweep struct {
	*aviarySweepCommand
	model    []byte
	manifest onnx.Manifest
	network  *inference.Network
	images   *trainingImages
	wrong    map[string]bool // by name: train and pool images the model gets wrong
	store    *trainer.FeatureStore
	work     string
}

// Run does what is not done yet and prints the summary of all.
func (c *aviarySweepCommand) Run(ctx context.Context, io *stdio) (err error) {
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, wholeModel("--model", c.Model)); err != nil {
		return err
	}
	done, err := readSweep(c.Out)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	todo := slices.DeleteFunc(c.points(), func(p sweepPoint) bool { return known[p.key()] })
	for _, p := range todo { // before the first hour, not after it
		if _, err := c.settings(p); err != nil {
			return fmt.Errorf("%s: %w", p.key(), err)
		}
	}
	if len(todo) > 0 {
		s, err := c.open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.work), s.network.Close()) }()
		fresh, err := s.run(ctx, todo, io)
		if err != nil {
			return err
		}
		done = append(done, fresh...)
	}
	rows := summarizeSweep(done)
	if c.JSON {
		return printJSON(io.Out, rows)
	}
	printSweep(io.Out, rows)
	return nil
}

func (c *aviarySweepCommand) open(ctx context.Context) (*sweep, error) {
	s := &sweep{aviarySweepCommand: c, wrong: map[string]bool{}}
	var err error
	if s.network, s.manifest, err = openModel(ctx, c.Model, 0); err != nil {
		return nil, err
	}
	if _, s.model, err = onnx.Load(ctx, c.Model); err != nil {
		return nil, err
	}
	set, err := dataset.Open("folder", c.Images)
	if err != nil {
		return nil, err
	}
	sizes := s.network.Sizes()
	if s.images, err = openTrainingImages(ctx, set, s.manifest.Classes, s.network.Preprocessor, "", sizes.GridHeight, sizes.GridWidth, progress.NewMeter(nil)); err != nil {
		return nil, err
	}
	if s.work, err = os.MkdirTemp("", "aviary-sweep-"); err != nil {
		return nil, err
	}
	if s.store, err = trainer.OpenFeatureStore(filepath.Join(s.work, "features"), trainer.FeatureStoreOptions{}); err != nil {
		return nil, err
	}
	return s, s.findWrong(ctx)
}

// findWrong notes which train and pool images the model misclassifies.
func (s *sweep) findWrong(ctx context.Context) error {
	const batch = 32
	sizes := s.network.Sizes()
	pixels := make([]float32, batch*sizes.Image())
	candidates := s.images.of(dataset.Train, dataset.Pool)
	for part := range slices.Chunk(candidates, batch) {
		for i, sample := range part {
			if err := s.images.pixels(ctx, sample, pixels[i*sizes.Image():(i+1)*sizes.Image()]); err != nil {
				return err
			}
		}
		out, err := s.network.Forward(ctx, len(part), pixels[:len(part)*sizes.Image()])
		if err != nil {
			return err
		}
		for i, sample := range part {
			scores := out.LogitsPer[i*sizes.Classes : (i+1)*sizes.Classes]
			if slices.Index(scores, slices.Max(scores)) != sample.Label {
				s.wrong[sample.Name] = true
			}
		}
	}
	return nil
}

func (s *sweep) run(ctx context.Context, todo []sweepPoint, io *stdio) ([]sweepPoint, error) {
	started := time.Now()
	file, err := os.OpenFile(s.Out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var mutex sync.Mutex
	var out []sweepPoint
	line := newProgressLine(io.Err)
	defer line.done()
	meter := line.meter(plan{Stage: progress.Sweeping, Total: len(todo)})
	group, inner := errgroup.WithContext(ctx)
	parallel := s.Parallel
	if parallel == 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	group.SetLimit(parallel)
	one := func(p sweepPoint) error {
		if s.Limit > 0 && time.Since(started) > s.Limit || inner.Err() != nil {
			return nil
		}
		p, err := s.point(inner, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.key(), err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		mutex.Lock()
		defer mutex.Unlock()
		out = append(out, p)
		meter.Advance(progress.Sweeping, len(out))
		_, err = file.Write(append(text, '\n'))
		return err
	}
	for i, p := range todo {
		if i == 0 { // fills the store of features for all
			if err := one(p); err != nil {
				return nil, err
			}
			continue
		}
		group.Go(func() error { return one(p) })
	}
	if err := group.Wait(); err != nil {
		return out, err
	}
	meter.Finish()
	return out, nil
}

// point runs one fine-tuning.
func (s *sweep) point(ctx context.Context, p sweepPoint) (sweepPoint, error) {
	train := s.images.of(dataset.Train)
	candidates := train
	if p.Source == dataset.Pool {
		candidates = s.images.of(dataset.Pool)
	}
	edited, err := s.pick(candidates, p)
	if err != nil {
		return p, err
	}
	p.Used = len(edited)
	if p.Source == dataset.Pool {
		train = append(train, edited...)
	} else {
		byName := map[string]trainer.Sample{}
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
	work, err := os.MkdirTemp(s.work, "arm-")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(work)
	outcome, err := trainer.RunRound(ctx, trainer.RoundSpec{
		Model: s.model, Manifest: s.manifest, Settings: settings, AutoRate: s.autoRate(), Train: train, Heldout: s.images.of(dataset.Test),
		Pixels: s.images.pixels, Store: s.store, Extractor: s.network, WorkDir: work, WithoutControl: true, Threads: 1,
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
		if m.Name == trainer.MeasureMapDrift {
			p.Drift = &m.Candidate
		}
	}
	return p, nil
}

// settings are those of a point.
func (c *aviarySweepCommand) settings(p sweepPoint) (trainer.Settings, error) {
	s := trainer.DefaultSettings()
	if err := errors.Join(c.schedule.fill(&s), c.editRepeat.fill(&s)); err != nil {
		return s, err
	}
	s.Strategy, s.Gamma, s.Seed, s.MapLoss = trainer.Strategy(p.Strategy), p.Gamma, p.Seed, trainer.MapLoss(p.MapLoss)
	s.Anchor, s.Optimizer, s.Crop = p.Anchor, trainer.Optimizer(p.Optimizer), p.Crop
	return s, recipe.Validate(recipe.FineTuning, s)
}

// pick chooses the edited images of a point and gives them their maps. A larger number of edits holds
// the smaller ones of the same seed.
func (s *sweep) pick(candidates []trainer.Sample, p sweepPoint) ([]trainer.Sample, error) {
	rng := rand.New(rand.NewPCG(uint64(p.Seed), 0))
	var wrong, right []trainer.Sample
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
