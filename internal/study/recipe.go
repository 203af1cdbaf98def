package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
)

// Recipe tries a round's settings on many networks. It measures whether training on edited maps ruins the attention branch, and how
// much the edits gain. A classifier is first given an attention branch, once with each of the mechanisms Gains, and trained; an
// ABN is used as it is.
type Recipe struct {
	Subjects
	Edits    []int           // numbers of edits, the most confidently wrong pool images first; 0: all that are wrong
	Out      string          // file that outcomes are appended to; what it holds already is not run again; "": none is kept
	Parallel int             // networks at a time, one thread each; 0: one per core
	Settings recipe.Settings // of the rounds, but for the seed
	Left     []string        // names of settings that are left to the studio, which looks at the network
}

// RecipePoint is a round on one network: what to run and what came of it. Accuracies and shares are in [0,1].
type RecipePoint struct {
	Network string `json:"network"` // its file's name without .onnx; with folders before it where two networks share a name
	// Identity is the hash of file and manifest: a network that was moved or renamed keeps it. Outcomes from before this field
	// existed are known by the name.
	Identity string  `json:"identity,omitempty"`
	Gain     string  `json:"gain"` // of an attached classifier; "" : the ABN's own
	Seed     int64   `json:"seed"`
	Edits    int     `json:"edits"` // asked for, 0: all that are wrong
	Used     int     `json:"used"`
	Rate     float64 `json:"learning_rate"` // of the last attempt
	// Restarts counts how often the training diverged and began again; Error is why the round failed, if it did.
	Restarts int     `json:"restarts"`
	Error    string  `json:"error,omitempty"`
	Seconds  float64 `json:"seconds"`

	Accuracy        threeFigures `json:"accuracy"`
	AttentionBranch threeFigures `json:"attention_branch"` // its own accuracy
	Inside          threeFigures `json:"inside"`           // attention inside the object; 0 without masks
	Difference      Interval     `json:"difference"`       // of the accuracy, candidate − control
}

// threeFigures is one figure of parent, control and candidate.
type threeFigures struct {
	Parent    float64 `json:"parent"`
	Control   float64 `json:"control"`
	Candidate float64 `json:"candidate"`
}

// Interval is a difference and its 95% interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// attentionLoss is how much accuracy, of 1, the attention branch may lose by training on edited maps.
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

// Run runs the rounds that Out has no outcome of, and returns all outcomes, ordered by network, mechanism and seed.
func (c Recipe) Run(ctx context.Context, meter *progress.Meter) (done []RecipePoint, err error) {
	if err := c.Settings.Validate(recipe.Round); err != nil {
		return nil, err
	}
	bench, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bench.close()) }()
	b := &recipeBench{c, bench}
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

// recipeBench is a running Recipe.
type recipeBench struct {
	Recipe
	*workbench
}

// todo returns the rounds that are not done yet. Those of one network, mechanism and seed form a group, so that what they share is
// prepared once.
func (b *recipeBench) todo(done []RecipePoint) (groups [][]RecipePoint) {
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	b.each(func(n triedNetwork, gain string, seed int64) {
		var group []RecipePoint
		for _, edits := range b.Edits {
			p := RecipePoint{Network: n.name, Gain: gain, Seed: seed, Edits: edits}
			named := p.key()
			p.Identity = n.identity
			if !known[named] && !known[p.key()] {
				group = append(group, p)
				known[p.key()] = true // a copy of the network is not run again
			}
		}
		if group != nil {
			groups = append(groups, group)
		}
	})
	return groups
}

// PrintRecipe writes outcomes as the table of networks in docs/training.md.
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
