package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// recipeBench is a running Recipe.
type recipeBench struct {
	Recipe
	set      *dataset.Dataset
	store    *features.Store
	networks []recipeNetwork
	work     string
}

// thin keeps at most Limit pictures of each split but the pool, evenly spread.
func (b *recipeBench) thin() {
	limit := b.Limit
	if limit == 0 {
		return
	}
	count, seen := map[string]int{}, map[string]int{}
	for _, s := range b.set.All() {
		count[s.Split]++
	}
	b.set.Keep(func(s dataset.Sample) bool {
		n := count[s.Split]
		if s.Split == dataset.Pool || n <= limit {
			return true
		}
		i := seen[s.Split]
		seen[s.Split]++
		return i*limit/n != (i+1)*limit/n
	})
}

// try prepares a network and runs its rounds. The error that ends a round is kept in its point, and the others are run.
func (b *recipeBench) try(ctx context.Context, todo []RecipePoint, report func(RecipePoint) error) error {
	subject := todo[0].subject()
	i := slices.IndexFunc(b.networks, func(n recipeNetwork) bool { return n.identity == todo[0].Identity })
	chosen := b.networks[i]
	work, err := os.MkdirTemp(b.work, "network-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if chosen.opened == nil {
		if chosen, err = b.attach(ctx, chosen, todo[0], work); err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
	}
	s, err := b.subject(ctx, chosen)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	defer s.running.Close()
	for _, p := range todo {
		p, err := s.round(ctx, p, work)
		if err != nil {
			return fmt.Errorf("%s: %d edits: %w", subject, p.Edits, err)
		}
		if err := report(p); err != nil {
			return err
		}
	}
	return nil
}

// attach gives a classifier an attention branch and trains both branches.
func (b *recipeBench) attach(ctx context.Context, n recipeNetwork, p RecipePoint, work string) (abn recipeNetwork, err error) {
	attached, err := onnx.Attach(ctx, n.model, onnx.AttachSettings{
		Classes: len(b.set.Classes), NewHead: !dataset.SameClasses(b.set.Classes, n.manifest.Classes), Gain: onnx.Gain(p.Gain), Seed: p.Seed, Names: n.manifest.PartNames(),
	})
	if err != nil {
		return abn, err
	}
	manifest := n.manifest
	manifest.Names = nil
	if !attached.HeadKept {
		manifest.Classes = b.set.Classes
	}
	data, err := attached.Model.Marshal()
	if err != nil {
		return abn, err
	}
	preprocessor, err := inference.NewPreprocessor(manifest)
	if err != nil {
		return abn, err
	}
	images, err := b.images(ctx, samples.View{Classes: manifest.Classes, Preprocessor: preprocessor, Height: attached.Cut.Height, Width: attached.Cut.Width})
	if err != nil {
		return abn, err
	}
	s := recipe.ScratchDefaults()
	s.Epochs, s.WeightDecay, s.Flip, s.Seed = b.Training, 1e-4, true, p.Seed
	s.Optimizer, s.LearningRate = recipe.OptimizerAdamW, 5e-4
	trained, err := trainer.TrainScratch(ctx, trainer.ScratchSpec{
		Model: data, Manifest: manifest, Settings: s, Frozen: true, Store: b.store, Train: images.Of(dataset.Train),
		Pixels: images.Pixels, WorkDir: filepath.Join(work, "training"), Threads: 1,
	}, trainer.Observer{})
	if err != nil {
		return abn, fmt.Errorf("training the branches: %w", err)
	}
	abn = recipeNetwork{name: n.name, data: trained.Model, manifest: manifest}
	abn.opened, err = network.Read(ctx, abn.data, manifest)
	return abn, err
}

func (b *recipeBench) images(ctx context.Context, v samples.View) (*samples.Set, error) {
	v.Masks = b.Masks
	return samples.Open(ctx, b.set, v, progress.NewMeter(nil))
}

// recipeSubject is an ABN that is ready for its rounds.
type recipeSubject struct {
	*recipeBench
	recipeNetwork
	running *inference.Network
	images  *samples.Set
	wrong   []sample.Sample // of the pool and with a mask, the most confident first, their edits filled in
}

func (b *recipeBench) subject(ctx context.Context, n recipeNetwork) (s *recipeSubject, err error) {
	running, err := ready(n.name, n.opened, 1)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, running.Close())
		}
	}()
	s = &recipeSubject{recipeBench: b, recipeNetwork: n, running: running}
	if s.images, err = b.images(ctx, samples.ViewOf(running, s.manifest.Classes, b.Masks)); err != nil {
		return nil, err
	}
	return s, s.findWrong(ctx)
}

// findWrong lists the images whose maps are edited: those of the pool that the network gets wrong and that have a mask.
func (s *recipeSubject) findWrong(ctx context.Context) error {
	masked := slices.DeleteFunc(slices.Clone(s.images.Of(dataset.Pool)), func(p sample.Sample) bool { return p.Mask.IsZero() })
	wrong, err := misclassified(ctx, s.running, s.images, masked)
	if err != nil {
		return err
	}
	if len(wrong) == 0 {
		return errors.New("the network gets every pool image that has a mask right: there is nothing to edit")
	}
	slices.SortStableFunc(wrong, func(a, b mistake) int { return cmp.Compare(b.confidence, a.confidence) })
	for _, w := range wrong {
		w.Edited = aviary.EditFromGrid(w.Mask)
		s.wrong = append(s.wrong, w.Sample)
	}
	return nil
}

// round runs one round at the recipe's settings.
func (s *recipeSubject) round(ctx context.Context, p RecipePoint, work string) (RecipePoint, error) {
	edited := s.wrong
	if p.Edits > 0 {
		edited = edited[:min(p.Edits, len(edited))]
	}
	p.Used = len(edited)
	settings := trainer.Suggest(s.opened.ABN(), s.Settings, s.Left)
	settings.Seed = p.Seed
	outcome, err := trainer.RunRound(ctx, trainer.RoundSpec{
		Model: s.data, Opened: s.opened, Manifest: s.manifest, Settings: settings, Train: slices.Concat(s.images.Of(dataset.Train), edited), Heldout: s.images.Of(dataset.Test),
		Pixels: s.images.Pixels, Store: s.store, Extractor: s.running, WorkDir: filepath.Join(work, "round"), Threads: 1,
	}, trainer.Observer{Restarted: func(*trainer.DivergedError, float64) { p.Restarts++ }})
	var diverged *trainer.DivergedError
	if errors.As(err, &diverged) {
		p.Error, p.Rate = diverged.Error(), diverged.Rate
		return p, os.RemoveAll(filepath.Join(work, "round"))
	}
	if err != nil {
		return p, err
	}
	p.Rate, p.Seconds = outcome.Settings.LearningRate, outcome.Seconds
	for i, e := range []*measure.Evaluation{outcome.ParentEvaluation, outcome.ControlEvaluation, outcome.CandidateEvaluation} {
		*p.Accuracy.at(i), *p.AttentionBranch.at(i) = e.Top1, e.AttTop1
		if e.Inside != nil {
			*p.Inside.at(i) = e.Inside.Mean
		}
	}
	for _, m := range outcome.Measures {
		if m.Name == measure.Accuracy {
			p.Difference = interval{m.Difference, m.Low, m.High}
		}
	}
	return p, os.RemoveAll(filepath.Join(work, "round"))
}

// at returns the figure of the parent (0), the control (1) or the candidate (2).
func (a *arms) at(i int) *float64 { return []*float64{&a.Parent, &a.Control, &a.Candidate}[i] }
