package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
)

// Recipe tries a round's settings on many networks: whether a branch dies of the maps, and what they are worth. A classifier is
// given an attention branch under either mechanism, which is trained first; an ABN is taken as it is.
type Recipe struct {
	Networks []string        // ONNX files, classifiers or ABNs, each with its manifest, or folders of them; without any the demo's network
	Images   string          // labelled pictures with the splits train, pool and test; "": Aviary's are drawn
	Format   string          // the folder's layout
	Masks    string          // object masks named after the images: what is edited to, and attention inside the object
	Edits    []int           // numbers of edits, the most confidently wrong pool images first; 0: all that are wrong
	Gains    []string        // mechanisms that a classifier is given
	Seeds    int             // 1 to so many: of new layers, order and augmentation
	Training int             // epochs in which the branches of an attached classifier are trained
	Limit    int             // at most so many images of train and of test, every n-th; 0: all
	Out      string          // file that outcomes are appended to; what it holds already is not run again; "": none is kept
	Parallel int             // networks at a time, one thread each; 0: one a core
	Settings recipe.Settings // of the rounds; those of one have its seed
	AutoRate bool            // the learning rate is left to the trainer
}

// RecipePoint is a round on one network: what to run and what came of it. Accuracies and shares are in [0,1].
type RecipePoint struct {
	Network string `json:"network"` // its file's name, without .onnx; with as much of its path as tells it from another's
	// Identity is the hash of file and manifest, by which a network is known again wherever it lies and whatever it is called.
	// Outcomes kept before there was one go by the name.
	Identity string  `json:"identity,omitempty"`
	Gain     string  `json:"gain"` // of an attached classifier; "" : the ABN's own
	Seed     int64   `json:"seed"`
	Edits    int     `json:"edits"` // asked for, 0: all that are wrong
	Used     int     `json:"used"`
	Rate     float64 `json:"learning_rate"` // it was trained with in the end
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
func (p RecipePoint) holds() bool {
	return p.Error == "" && p.AttentionBranch.Candidate >= p.AttentionBranch.Control-attentionLoss
}

func (p RecipePoint) key() string {
	if p.Identity != "" {
		p.Network = p.Identity
	}
	return fmt.Sprint(p.subject(), ", ", p.Edits, " edits")
}

// subject names network, mechanism and seed.
func (p RecipePoint) subject() string {
	return fmt.Sprint(p.Network, " ", p.Gain, ", seed ", p.Seed)
}

// Run does what is not done yet, and returns all outcomes ordered by network, mechanism and seed.
func (c Recipe) Run(ctx context.Context, meter *progress.Meter) (done []RecipePoint, err error) {
	if err := c.Settings.Validate(recipe.Round); err != nil {
		return nil, err
	}
	b, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.work)) }()
	if done, err = readOutcomes[RecipePoint](c.Out); err != nil {
		return nil, err
	}
	if todo := b.todo(done); len(todo) > 0 {
		fresh, err := campaign[RecipePoint]{out: c.Out, parallel: c.Parallel, meter: meter, try: b.try}.run(ctx, todo)
		if err != nil {
			return nil, err
		}
		done = append(done, fresh...)
	}
	slices.SortStableFunc(done, func(a, b RecipePoint) int { return strings.Compare(a.subject(), b.subject()) })
	return done, nil
}

// todo are the rounds asked for that are not done yet, in groups of one network, mechanism and seed: what they share is prepared
// once.
func (b *recipeBench) todo(done []RecipePoint) (groups [][]RecipePoint) {
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	for _, n := range b.networks {
		gains := b.Gains
		if n.opened != nil {
			gains = []string{""}
		}
		for _, gain := range gains {
			for seed := range b.Seeds {
				var group []RecipePoint
				for _, edits := range b.Edits {
					p := RecipePoint{Network: n.name, Gain: gain, Seed: int64(seed + 1), Edits: edits}
					named := p.key()
					p.Identity = n.identity
					if !known[named] && !known[p.key()] {
						group = append(group, p)
						known[p.key()] = true // a copy of a network is no other one
					}
				}
				if group != nil {
					groups = append(groups, group)
				}
			}
		}
	}
	return groups
}

// open reads the networks' files, and draws pictures where there are none.
func (c Recipe) open(ctx context.Context) (b *recipeBench, err error) {
	b = &recipeBench{Recipe: c}
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
	if b.store, err = features.Open(filepath.Join(b.work, "features"), features.Options{}); err != nil {
		return nil, err
	}
	b.networks, err = c.openNetworks(ctx)
	return b, err
}

// PrintRecipe writes the table of docs/training.md.
func PrintRecipe(w io.Writer, list []RecipePoint) {
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
