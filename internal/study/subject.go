package study

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// Subjects are the networks and pictures of a campaign. A classifier is first given an attention branch, once with each of the
// mechanisms Gains, and trained; an ABN is used as it is.
type Subjects struct {
	Networks []string // ONNX files, classifiers or ABNs, each with its manifest, or folders of them; none: the demo's network
	// Images are labelled pictures with the splits train, pool and test; "": Aviary's are drawn. SeedMark in it stands for the seed,
	// so that each seed has pictures of its own.
	Images   string
	Format   string // the folder's layout
	Masks    string // object masks named after the images, SeedMark as in Images: edited maps are made of them, and maps are measured by them
	Avoid    string // masks of where people mark «do not look here», named and with SeedMark as Masks; "": nowhere
	Gains    []string
	Seeds    int // the seeds 1 to Seeds are run; a seed sets new layers, order and augmentation
	Training int // epochs in which the branches of an attached classifier are trained
	Limit    int // at most so many images of each split but the pool, evenly spread; 0: all
}

// SeedMark stands for the seed in the names of folders.
const SeedMark = "{seed}"

// workbench has the networks and pictures of a running campaign.
type workbench struct {
	Subjects
	store    *features.Store
	networks []triedNetwork
	work     string

	mu   sync.Mutex
	sets map[string]*dataset.Dataset // by folder
}

// open reads the networks' files, and draws pictures where there are none.
func (c Subjects) open(ctx context.Context) (b *workbench, err error) {
	b = &workbench{Subjects: c, sets: map[string]*dataset.Dataset{}}
	if b.work, err = os.MkdirTemp("", "studio-study-"); err != nil {
		return nil, err
	}
	opened := b // errors return a nil b
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	if c.Images == "" {
		b.Images, b.Format = filepath.Join(b.work, "aviary"), "folder"
		if err := aviary.Generate(ctx, b.Images, aviary.DefaultOptions(), nil); err != nil {
			return nil, err
		}
	}
	if b.store, err = features.Open(filepath.Join(b.work, "features"), features.Options{}); err != nil {
		return nil, err
	}
	for seed := range b.Seeds { // what is not there is missed before the first hour, not after it
		if _, err := b.set(int64(seed + 1)); err != nil {
			return nil, err
		}
		for _, folder := range []string{b.Masks, b.Avoid} {
			if folder == "" {
				continue
			}
			if _, err := os.Stat(ofSeed(folder, int64(seed+1))); err != nil {
				return nil, fmt.Errorf("the masks of seed %d: %w", seed+1, err)
			}
		}
	}
	b.networks, err = c.openNetworks(ctx)
	return b, err
}

func (b *workbench) close() error {
	var err error
	for _, set := range b.sets {
		err = errors.Join(err, set.Close())
	}
	return errors.Join(err, os.RemoveAll(b.work))
}

// ofSeed is the name of a seed's folder.
func ofSeed(folder string, seed int64) string {
	return strings.ReplaceAll(folder, SeedMark, strconv.FormatInt(seed, 10))
}

// set is the data set of a seed.
func (b *workbench) set(seed int64) (*dataset.Dataset, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dir := ofSeed(b.Images, seed)
	if set := b.sets[dir]; set != nil {
		return set, nil
	}
	set, err := dataset.Open(b.Format, dir)
	if err != nil {
		return nil, err
	}
	b.sets[dir] = set
	if b.Limit > 0 {
		thin(set, b.Limit)
	}
	return set, nil
}

// thin keeps at most limit pictures of each split but the pool, evenly spread.
func thin(set *dataset.Dataset, limit int) {
	count, seen := map[string]int{}, map[string]int{}
	for _, s := range set.All() {
		count[s.Split]++
	}
	set.Keep(func(s dataset.Sample) bool {
		n := count[s.Split]
		if s.Split == dataset.Pool || n <= limit {
			return true
		}
		i := seen[s.Split]
		seen[s.Split]++
		return i*limit/n != (i+1)*limit/n
	})
}

// each calls f with every network, mechanism and seed. An ABN has the mechanism "", its own.
func (b *workbench) each(f func(n triedNetwork, gain string, seed int64)) {
	for _, n := range b.networks {
		gains := b.Gains
		if n.opened != nil {
			gains = []string{""}
		}
		for _, gain := range gains {
			for seed := range b.Seeds {
				f(n, gain, int64(seed+1))
			}
		}
	}
}

// with prepares a network, calls f with it, and puts it away.
func (b *workbench) with(ctx context.Context, identity, gain string, seed int64, f func(*subject) error) (err error) {
	n := b.networks[slices.IndexFunc(b.networks, func(n triedNetwork) bool { return n.identity == identity })]
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, seed %d: %w", strings.TrimSpace(n.name+" "+gain), seed, err)
		}
	}()
	work, err := os.MkdirTemp(b.work, "network-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	s := &subject{workbench: b, triedNetwork: n, seed: seed, work: work}
	if s.data, err = b.set(seed); err != nil {
		return err
	}
	if n.opened == nil {
		if err := s.attach(ctx, gain); err != nil {
			return err
		}
	}
	if s.running, err = ready(n.name, s.opened, 1); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.running.Close()) }()
	if s.images, err = s.look(ctx, samples.ViewOf(s.running, s.manifest.Classes, "")); err != nil {
		return err
	}
	masked := slices.DeleteFunc(slices.Clone(s.images.Of(dataset.Pool)), func(p sample.Sample) bool { return p.Mask.IsZero() })
	if len(masked) == 0 {
		return errors.New("no image of the split pool has a mask: maps are made of masks")
	}
	if s.answers, err = answersTo(ctx, s.running, s.images, masked); err != nil {
		return err
	}
	if b.Avoid != "" {
		v := samples.ViewOf(s.running, s.manifest.Classes, ofSeed(b.Avoid, seed))
		if s.avoid, err = samples.Open(ctx, s.data, v, progress.NewMeter(nil)); err != nil {
			return err
		}
	}
	return f(s)
}

// subject is an ABN that is ready for its rounds.
type subject struct {
	*workbench
	triedNetwork
	seed    int64
	data    *dataset.Dataset
	work    string
	running *inference.Network
	images  *samples.Set
	answers []answer         // to the pool's images that have a mask
	onPool  []measure.ArmRow // Rounds.refitOnPool, once it is known
	avoid   *samples.Set     // whose masks are where nobody should look; nil: nowhere
}

func (s *subject) look(ctx context.Context, v samples.View) (*samples.Set, error) {
	v.Masks = ofSeed(s.Masks, s.seed)
	return samples.Open(ctx, s.data, v, progress.NewMeter(nil))
}

// attach gives a classifier an attention branch and trains both branches.
func (s *subject) attach(ctx context.Context, gain string) error {
	n, classes := s.triedNetwork, s.data.Classes
	attached, err := onnx.Attach(ctx, n.model, onnx.AttachSettings{
		Classes: len(classes), NewHead: !dataset.SameClasses(classes, n.manifest.Classes), Gain: onnx.Gain(gain), Seed: s.seed, Names: n.manifest.PartNames(),
	})
	if err != nil {
		return err
	}
	manifest := n.manifest
	manifest.Names = nil
	if !attached.HeadKept {
		manifest.Classes = classes
	}
	file, err := attached.Model.Marshal()
	if err != nil {
		return err
	}
	preprocessor, err := inference.NewPreprocessor(manifest)
	if err != nil {
		return err
	}
	images, err := s.look(ctx, samples.View{Classes: manifest.Classes, Preprocessor: preprocessor, Height: attached.Cut.Height, Width: attached.Cut.Width})
	if err != nil {
		return err
	}
	settings := recipe.ScratchDefaults()
	settings.Epochs, settings.WeightDecay, settings.Flip, settings.Seed = s.Training, 1e-4, true, s.seed
	settings.Optimizer, settings.LearningRate = recipe.OptimizerAdamW, 5e-4
	trained, err := trainer.TrainScratch(ctx, trainer.ScratchSpec{
		Model: file, Manifest: manifest, Settings: settings, Frozen: true, Store: s.store, Train: images.Of(dataset.Train),
		Pixels: images.Pixels, WorkDir: filepath.Join(s.work, "training"), Threads: 1,
	}, trainer.Observer{})
	if err != nil {
		return fmt.Errorf("training the branches: %w", err)
	}
	s.triedNetwork = triedNetwork{name: n.name, identity: n.identity, file: trained.Model, manifest: manifest}
	s.opened, err = network.Read(ctx, s.file, manifest)
	return err
}

// spec is a round of the subject on its training and some edited images.
func (s *subject) spec(edited []sample.Sample, settings recipe.Settings, seed int64) trainer.RoundSpec {
	settings.Seed = seed
	return trainer.RoundSpec{
		Model: s.file, Opened: s.opened, Manifest: s.manifest, Settings: settings, Train: slices.Concat(s.images.Of(dataset.Train), edited), Heldout: s.images.Of(dataset.Test),
		Validation: s.images.Of(dataset.Validation), Pixels: s.images.Pixels, Masks: s.images.PixelMask, Store: s.store, Extractor: s.running,
		WorkDir: filepath.Join(s.work, "round"), Threads: 1,
	}
}
