package study

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/lock"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/measure"
)

// Rounds measures what maps are worth against everything that a sceptic would ask for: every round has all arms that its settings
// name, over seeds, numbers of edits, strategies, orders of the queue and ways of painting. Maps are made of the objects' masks: a
// simulated annotator.
type Rounds struct {
	Subjects
	Edits      []int // numbers of edits; 0: all images that the order has
	Strategies []recipe.Strategy
	Orders     []Order
	Hands      []Hand
	Out        string          // folder of what came of it: OutcomesFile and, for each round, its rows. What it holds already is not run again
	Parallel   int             // networks at a time, one thread each; 0: one per core
	Within     string          // the group of held-out images that the worst fifth of classes will be taken of; "": all
	Settings   recipe.Settings // of the rounds, but for the seed and the strategy
	Left       []string        // names of settings that are left to the studio, which looks at the network
}

// OutcomesFile is where a study's folder has its rounds, a JSON document a line.
const OutcomesFile = "rounds.jsonl"

// CellOf is what a round of a study is one of: everything but the seed.
type CellOf struct {
	Network  string          `json:"network"`
	Identity string          `json:"identity"` // the hash of file and manifest
	Gain     string          `json:"gain"`     // of an attached classifier; "": the ABN's own
	Strategy recipe.Strategy `json:"strategy"`
	Order    Order           `json:"order"`
	Hand     Hand            `json:"hand"`
	Avoid    bool            `json:"avoid,omitempty"` // people also mark where not to look
	Edits    int             `json:"edits"`           // asked for; 0: all
}

// key is the same for the rounds of a cell, also where a network was renamed.
func (c CellOf) key() string {
	c.Network = ""
	return fmt.Sprint(c)
}

// RoundPoint is a round of a study: what to run and what came of it. Its figures follow from its rows.
type RoundPoint struct {
	CellOf
	Seed int64 `json:"seed"`

	Used     int                `json:"used"`               // edits
	Settings *recipe.Settings   `json:"settings,omitempty"` // those trained with
	LeftOut  []measure.LeftOut  `json:"left_out,omitempty"` // arms that could not be made
	Runs     map[string]float64 `json:"seconds_of_arms,omitempty"`
	Classes  int                `json:"classes,omitempty"`
	Restarts int                `json:"restarts"`
	Error    string             `json:"error,omitempty"` // why the round failed
	Seconds  float64            `json:"seconds"`
	Rows     string             `json:"rows,omitempty"` // its file below the study's folder: of rows, JSON Lines in gzip, or of answers (Publish)
	// Forecast is what would have been said before the round; nil of a study from before it was kept.
	Forecast *Forecasted `json:"forecast,omitempty"`
	// Figures are those of each arm on the held-out images, by the measure's name, where Rows are answers, which they do not follow from.
	Figures map[arms.Arm]map[string]float64 `json:"figures,omitempty"`
}

func (p RoundPoint) key() string { return fmt.Sprint(p.CellOf.key(), " ", p.Seed) }

// rowsEnd is how the names of files of rows end.
const rowsEnd = ".jsonl.gz"

// file is the name of a round's rows.
func (p RoundPoint) file() string {
	sum := sha256.Sum256([]byte(p.key()))
	return filepath.Join("rows", hex.EncodeToString(sum[:8])+rowsEnd)
}

// Run runs the rounds that Out has no outcome of, and returns all outcomes in the order of the study.
func (c Rounds) Run(ctx context.Context, meter *progress.Meter) (done []RoundPoint, err error) {
	if err := c.Settings.Validate(recipe.Round); err != nil {
		return nil, err
	}
	bench, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bench.close()) }()
	if err := c.checkWithin(bench); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(c.Out, "rows"), 0o755); err != nil {
		return nil, err
	}
	held, err := lock.Open(filepath.Join(c.Out, "lock"), 0o644)
	if errors.Is(err, lock.ErrHeld) {
		return nil, fmt.Errorf("another process is at work in %s: wait for it, or give another --out", c.Out)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if err := c.claim(bench); err != nil {
		return nil, err
	}
	if done, err = ReadRounds(c.Out); err != nil {
		return nil, err
	}
	groups := c.todo(bench, done)
	if len(groups) == 0 {
		return done, nil
	}
	try := func(ctx context.Context, todo []RoundPoint, report func(RoundPoint) error) error {
		return bench.with(ctx, todo[0].Identity, todo[0].Gain, todo[0].Seed, func(s *subject) error {
			for _, p := range todo {
				p, err := c.round(ctx, s, p)
				if err != nil {
					return fmt.Errorf("%s, %s, %d edits: %w", p.Strategy, p.Order, p.Edits, err)
				}
				if err := report(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if _, err := (campaign[RoundPoint]{out: filepath.Join(c.Out, OutcomesFile), parallel: c.Parallel, meter: meter, try: try}).run(ctx, groups); err != nil {
		return nil, err
	}
	return ReadRounds(c.Out)
}

// todo are the rounds that are not done yet, those of one network, mechanism and seed together, since they share what is prepared.
func (c Rounds) todo(b *workbench, done []RoundPoint) (groups [][]RoundPoint) {
	known := map[string]bool{}
	for _, p := range done {
		known[p.key()] = true
	}
	b.each(func(n triedNetwork, gain string, seed int64) {
		var group []RoundPoint
		for _, strategy := range c.Strategies {
			for _, order := range c.Orders {
				for _, hand := range c.Hands {
					for _, edits := range c.Edits {
						p := RoundPoint{CellOf: CellOf{n.name, n.identity, gain, strategy, order, hand, c.Avoid != "", edits}, Seed: seed}
						if !known[p.key()] {
							known[p.key()], group = true, append(group, p)
						}
					}
				}
			}
		}
		if group != nil {
			groups = append(groups, group)
		}
	})
	return groups
}

// round runs a round. What ends it is kept in its point, but for the end of ctx and a fault of the machine.
func (c Rounds) round(ctx context.Context, s *subject, p RoundPoint) (RoundPoint, error) {
	list, err := s.choose(p.Order, p.Seed)
	if err != nil {
		return p, err
	}
	edited := s.marked(p.Hand.paint(firstOf(list, p.Edits), p.Seed))
	p.Used = len(edited)
	if p.Forecast, err = s.forecast(ctx, edited); err != nil {
		return p, fmt.Errorf("the forecast: %w", err)
	}
	settings := c.Settings
	settings.Strategy = p.Strategy
	spec := s.spec(edited, trainer.Suggest(s.opened.ABN(), settings, c.Left), p.Seed)
	outcome, err := trainer.RunRound(ctx, spec, trainer.Observer{Restarted: func(*trainer.DivergedError, float64) { p.Restarts++ }})
	removed := os.RemoveAll(spec.WorkDir)
	var diverged *trainer.DivergedError
	if errors.As(err, &diverged) {
		p.Error = diverged.Error()
		return p, removed
	}
	if err = errors.Join(err, removed); err != nil {
		return p, err
	}
	p.Settings, p.Classes, p.Seconds, p.Rows, p.Runs = &outcome.Settings, len(s.manifest.Classes), outcome.Seconds, p.file(), map[string]float64{}
	for _, run := range outcome.Runs {
		p.Runs[string(run.Arm)] += run.Seconds
	}
	if outcome.Arms != nil {
		p.LeftOut = outcome.Arms.LeftOut
	}
	rows := outcome.Rows
	if c.Settings.Arms.Has(arms.ParentRefit) {
		pool, err := c.refitOnPool(ctx, s, p.Seed)
		if err != nil {
			return p, err
		}
		rows = append(rows, pool...)
	}
	return p, durable.Write(filepath.Join(c.Out, p.Rows), func(w io.Writer) error {
		packed := gzip.NewWriter(w)
		return errors.Join(measure.WriteArmRows(packed, rows), packed.Close())
	})
}

// refitOnPool has the held-out rows of the parent with its last layer fitted anew on the training and all pool images, by their labels
// alone. It is the same for all rounds of a subject.
func (c Rounds) refitOnPool(ctx context.Context, s *subject, seed int64) ([]measure.ArmRow, error) {
	if s.onPool != nil {
		return s.onPool, nil
	}
	settings := c.Settings
	settings.Strategy, settings.GammaSearch, settings.Patience, settings.Perturbed = recipe.StrategyBoth, false, 0, 0
	settings.Arms, _ = arms.SetOf(arms.ParentRefit)
	spec := s.spec(s.images.Of(dataset.Pool), trainer.Suggest(s.opened.ABN(), settings, c.Left), seed)
	spec.ParentAlone = true
	outcome, err := trainer.RunRound(ctx, spec, trainer.Observer{})
	if err := errors.Join(err, os.RemoveAll(spec.WorkDir)); err != nil {
		return nil, fmt.Errorf("the last layer fitted on the pool: %w", err)
	}
	s.onPool = []measure.ArmRow{}
	for _, r := range outcome.Rows {
		if r.Arm == arms.ParentRefit && r.Set != measure.OfEdited {
			r.Arm = arms.ParentRefitPool
			s.onPool = append(s.onPool, r)
		}
	}
	return s.onPool, nil
}

// ReadRounds reads the rounds of a study's folder; none of one without any. They come in the order of network, mechanism, strategy,
// order, hand, edits and seed. Rounds whose rows are gone are left out: they are run again.
func ReadRounds(dir string) ([]RoundPoint, error) {
	list, err := readOutcomes[RoundPoint](filepath.Join(dir, OutcomesFile))
	known := map[string]bool{}
	list = slices.DeleteFunc(list, func(p RoundPoint) bool {
		_, gone := os.Stat(filepath.Join(dir, filepath.FromSlash(p.Rows)))
		if known[p.key()] || p.Error == "" && gone != nil {
			return true
		}
		known[p.key()] = true
		return false
	})
	slices.SortStableFunc(list, compareRounds)
	return list, err
}

// ReadRows reads a round's rows. Of a published study they say which class each arm answered, and no more.
func ReadRows(dir string, p RoundPoint) ([]measure.ArmRow, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(p.Rows)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; without that file the same command runs the round again", p.Rows, err)
	}
	read := measure.ReadArmRows
	if strings.HasSuffix(p.Rows, answersEnd) {
		read = func(r io.Reader) ([]measure.ArmRow, error) { return readAnswers(r, p.Seed) }
	}
	rows, err := read(unpacked)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; without that file the same command runs the round again", p.Rows, err)
	}
	return rows, nil
}
