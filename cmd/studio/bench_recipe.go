package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer"
)

// benchRecipeCommand tries a round's defaults on many networks: whether a branch dies of the maps, and what they are worth. A
// classifier is given an attention branch under either mechanism, which is trained first; an ABN is taken as it is.
type benchRecipeCommand struct {
	Networks []string `arg:"" optional:"" help:"ONNX files, classifiers or ABNs, each with its manifest, or folders of them; without any the demo's network." type:"existing" placeholder:"FILE"`
	Images   string   `help:"Folder of labelled pictures with the splits train, pool and test; without it Aviary's are drawn." type:"existingdir"`
	Format   string   `help:"Layout of the folder." enum:"folder,cub,idrid,csv" default:"folder"`
	Masks    string   `help:"Folder of object masks named after the images: what is edited to, and attention inside the object." type:"existingdir"`
	Edits    []int    `help:"Numbers of edits, the most confidently wrong pool images first; 0: all that are wrong." default:"20,60,0"`
	Gains    []string `help:"Mechanisms that a classifier is given." enum:"M,1+M" default:"M,1+M"`
	Seeds    int      `help:"Seeds 1 to so many: of new layers, order and augmentation." default:"1"`
	Training int      `help:"Epochs in which the branches of an attached classifier are trained, by AdamW on mirrored images." default:"20"`
	Limit    int      `help:"At most so many images of train and of test, every n-th; 0: all." default:"0"`
	Out      string   `help:"File to append results to, a JSON document a line. What it holds already is not run again." type:"path"`
	Parallel int      `help:"Networks at a time, one thread each; 0: one a core." default:"0"`
	JSON     bool     `name:"json" help:"Print one JSON document."`
	schedule
	editRepeat
	Rates *string  `help:"Learning rates, ${rates}." placeholder:"NAME"`
	Gamma *float64 `help:"Scale of the map loss, ${gamma}."`
}

// check refuses numbers that nothing can be run with.
func (c *benchRecipeCommand) check() error {
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"--seeds", c.Seeds, 1}, {"--training", c.Training, 1}, {"--limit", c.Limit, 0}, {"--parallel", c.Parallel, 0}, {"--edits", slices.Min(c.Edits), 0}} {
		if n.value < n.least {
			return fmt.Errorf("%s is %d, want at least %d", n.flag, n.value, n.least)
		}
	}
	return nil
}

// recipePoint is a round on one network: what to run and what came of it. Accuracies and shares are in [0,1].
type recipePoint struct {
	Network string  `json:"network"` // its file's name, without .onnx
	Gain    string  `json:"gain"`    // of an attached classifier; "" : the ABN's own
	Seed    int64   `json:"seed"`
	Edits   int     `json:"edits"` // asked for, 0: all that are wrong
	Used    int     `json:"used"`
	Rate    float64 `json:"learning_rate"` // it was trained with in the end
	// Restarts are how often it came apart and began again; Error is what ended it.
	Restarts int     `json:"restarts"`
	Error    string  `json:"error,omitempty"`
	Seconds  float64 `json:"seconds"`

	Accuracy        arms     `json:"accuracy"`
	AttentionBranch arms     `json:"attention_branch"` // its own accuracy
	Inside          arms     `json:"inside"`           // attention inside the object; 0 without masks
	Difference      interval `json:"difference"`       // of the accuracy, candidate − control
}

// arms is one figure of parent, control and candidate.
type arms struct {
	Parent    float64 `json:"parent"`
	Control   float64 `json:"control"`
	Candidate float64 `json:"candidate"`
}

// interval is a difference and its 95% interval.
type interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// attentionLoss is how much of its own accuracy the attention branch may lose to the maps, of 1.
const attentionLoss = 0.1

// holds reports whether the recipe did no harm to the attention branch.
func (p recipePoint) holds() bool {
	return p.Error == "" && p.AttentionBranch.Candidate >= p.AttentionBranch.Control-attentionLoss
}

func (p recipePoint) key() string { return fmt.Sprint(p.subject(), ", ", p.Edits, " edits") }

// subject names network, mechanism and seed: what is prepared once for all numbers of edits.
func (p recipePoint) subject() string {
	return fmt.Sprint(p.Network, " ", p.Gain, ", seed ", p.Seed)
}

// Run does what is not done yet and prints the table of all.
func (c *benchRecipeCommand) Run(ctx context.Context, streams *stdio) (err error) {
	if c.Out != "" {
		if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, nil, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}); err != nil {
			return err
		}
	}
	settings := trainer.DefaultSettings()
	if err := errors.Join(c.check(), c.schedule.fill(&settings), c.editRepeat.fill(&settings)); err != nil {
		return err
	}
	putWord(&settings.Rates, c.Rates)
	put(&settings.Gamma, c.Gamma)
	if err := recipe.Validate(recipe.Round, settings); err != nil {
		return err
	}
	b, err := c.open(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	done, err := readLinesOf[recipePoint](c.Out)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	todo := map[string][]recipePoint{}
	var subjects []string
	for _, p := range b.points() {
		if known[p.key()] {
			continue
		}
		if todo[p.subject()] == nil {
			subjects = append(subjects, p.subject())
		}
		todo[p.subject()] = append(todo[p.subject()], p)
	}
	if len(subjects) > 0 {
		fresh, err := b.run(ctx, subjects, todo, streams)
		if err != nil {
			return err
		}
		done = append(done, fresh...)
	}
	slices.SortStableFunc(done, func(a, b recipePoint) int { return strings.Compare(a.subject(), b.subject()) })
	if c.JSON {
		return printJSON(streams.Out, map[string]any{"recipe": done})
	}
	printRecipe(streams.Out, done)
	return nil
}

// run tries subjects side by side, and keeps each round's outcome as soon as it is there.
func (b *recipeBench) run(ctx context.Context, subjects []string, todo map[string][]recipePoint, streams *stdio) (done []recipePoint, err error) {
	total := 0
	for _, list := range todo {
		total += len(list)
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	meter := line.meter(plan{Stage: progress.Sweeping, Total: total})
	var mutex sync.Mutex
	report := func(p recipePoint) error {
		mutex.Lock()
		defer mutex.Unlock()
		done = append(done, p)
		meter.Advance(progress.Sweeping, len(done))
		return appendLine(b.command.Out, p)
	}
	group, inner := errgroup.WithContext(ctx)
	parallel := b.command.Parallel
	if parallel == 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	group.SetLimit(parallel)
	for _, subject := range subjects {
		group.Go(func() error {
			if err := b.try(inner, todo[subject], report); err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	meter.Finish()
	return done, nil
}

// points are all rounds asked for.
func (b *recipeBench) points() (list []recipePoint) {
	for _, n := range b.networks {
		gains := b.command.Gains
		if n.parts != nil {
			gains = []string{""}
		}
		for _, gain := range gains {
			for seed := range b.command.Seeds {
				for _, edits := range b.command.Edits {
					list = append(list, recipePoint{Network: n.name, Gain: gain, Seed: int64(seed + 1), Edits: edits})
				}
			}
		}
	}
	return list
}

// open reads the networks' files, and draws pictures where there are none.
func (c *benchRecipeCommand) open(ctx context.Context, settings trainer.Settings) (b *recipeBench, err error) {
	b = &recipeBench{command: c, settings: settings}
	if b.work, err = os.MkdirTemp("", "studio-bench-recipe-"); err != nil {
		return nil, err
	}
	opened := b // what goes wrong is returned without it
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(opened.work))
		}
	}()
	images, format := c.Images, c.Format
	if images == "" {
		images, format = filepath.Join(b.work, "aviary"), "folder"
		if err := aviary.Generate(ctx, images, aviary.DefaultOptions(), nil); err != nil {
			return nil, err
		}
	}
	if b.set, err = dataset.Open(format, images); err != nil {
		return nil, err
	}
	b.thin()
	if b.store, err = trainer.OpenFeatureStore(filepath.Join(b.work, "features"), trainer.FeatureStoreOptions{}); err != nil {
		return nil, err
	}
	paths, err := c.files(b.work)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		n, err := openRecipeNetwork(ctx, path)
		if err != nil {
			return nil, err
		}
		b.networks = append(b.networks, n)
	}
	return b, nil
}

// files are the ONNX files asked for; the demo's is written into a folder.
func (c *benchRecipeCommand) files(work string) ([]string, error) {
	if len(c.Networks) == 0 {
		model, manifest, err := aviary.Model()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(work, "demo.onnx")
		return []string{path}, writeTrained(path, model, manifest)
	}
	var paths []string
	for _, path := range c.Networks {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			paths = append(paths, path)
			continue
		}
		found, err := filepath.Glob(filepath.Join(path, "*.onnx"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s holds no .onnx file", path)
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// printRecipe writes the table of docs/training.md.
func printRecipe(w io.Writer, list []recipePoint) {
	fmt.Fprintln(w, "| network | gain | seed | edits | accuracy: parent, control, candidate | difference (95%) | attention inside | attention branch: control, candidate | rate, restarts |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	held := 0
	for _, p := range list {
		edits := fmt.Sprint(p.Used)
		if p.Edits == 0 {
			edits = fmt.Sprintf("all (%d)", p.Used)
		}
		if p.Error != "" {
			fmt.Fprintf(w, "| %s | %s | %d | %s | %s | | | | |\n", p.Network, p.Gain, p.Seed, edits, p.Error)
			continue
		}
		mark := "**fell** "
		if p.holds() {
			held++
			mark = ""
		}
		fmt.Fprintf(w, "| %s | %s | %d | %s | %.1f, %.1f, %.1f | %+.1f (%.1f to %.1f) | %.2f | %s%.1f, %.1f | %.2g, %d |\n", p.Network, p.Gain, p.Seed, edits,
			100*p.Accuracy.Parent, 100*p.Accuracy.Control, 100*p.Accuracy.Candidate, 100*p.Difference.Value, 100*p.Difference.Low, 100*p.Difference.High,
			p.Inside.Candidate, mark, 100*p.AttentionBranch.Control, 100*p.AttentionBranch.Candidate, p.Rate, p.Restarts)
	}
	fmt.Fprintf(w, "\n%d of %d hold: the attention branch's own accuracy ends within %.0f points of the control's.\n", held, len(list), 100*attentionLoss)
}
