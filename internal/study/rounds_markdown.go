package study

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/trainer/measure"
)

// Of is an arm of the cell; nil where it has none.
func (c Cell) Of(arm arms.Arm) *CellArm {
	for i := range c.Arms {
		if c.Arms[i].Arm == arm {
			return &c.Arms[i]
		}
	}
	return nil
}

// MeanEdits is how many edits its rounds had, a mean over seeds.
func (c Cell) MeanEdits() (mean float64) {
	for _, p := range c.Rounds {
		mean += float64(p.Used) / float64(len(c.Rounds))
	}
	return mean
}

// Subject names network and mechanism.
func (c Cell) Subject() string {
	if c.Gain == "" {
		return c.Network
	}
	return c.Network + ", " + attention.Gain(c.Gain).Formula()
}

// Title says what is the same in all rounds of the cell.
func (c Cell) Title() string {
	edits := fmt.Sprint(c.Rounds[0].Used)
	if c.Edits == 0 {
		edits = "all"
	}
	painted := c.Hand.words()
	if c.Avoid {
		painted += ", and where not to look"
	}
	return fmt.Sprintf("%s, strategy %s, %s edits (%s), %s", c.Subject(), c.Strategy, edits, c.Order.Kind().First, painted)
}

// PrintRounds writes a study's table in Markdown.
func PrintRounds(w io.Writer, cells []Cell) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "**%s**, %s, %s\n\n", c.Title(), text.Plural(len(c.Seeds), "seed"), lostWords(c.Lost))
		fifth := "worst fifth of classes"
		if c.Within != "" {
			fifth += ", " + c.Within
		}
		fmt.Fprintf(w, "| arm | accuracy | over the control | %s less this arm | %s | over the control | less this arm | inside | attention branch |\n|---|---|---|---|---|---|---|---|---|\n", arms.Of(c.Maps).Label, fifth)
		for _, a := range c.Arms {
			inside := ""
			if v, has := a.Figures[measure.Inside]; has {
				inside = text.Number(v, 2)
			}
			name := arms.Of(a.Arm).Label
			switch a.Arm {
			case c.Maps:
				name += " (the maps)"
			case c.Baseline:
				name += " (the baseline)"
			}
			if a.Seeds != len(c.Seeds) {
				name += fmt.Sprintf(" (%s)", text.Plural(a.Seeds, "seed"))
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, text.Points(a.Accuracy), a.Over, a.Maps, text.Points(a.WorstFifth), a.OverWorst, a.MapsWorst, inside, text.Points(a.Figures[measure.AttentionBranch]))
		}
		printFigures(w, c)
		c.printForecasts(w)
		for _, l := range c.Lost {
			fmt.Fprintf(w, "\nSeed %d failed: %s\n", l.Seed, l.Why)
		}
		for _, l := range c.Left {
			fmt.Fprintf(w, "\nWithout %s: %s\n", arms.Of(l.Arm).Words, l.Why)
		}
	}
}

// printForecasts says what the parents' answers promised before the rounds, and how it turned out.
func (c Cell) printForecasts(w io.Writer) {
	var edited, shuffled, n float64
	for _, p := range c.Rounds {
		if p.Error == "" && p.Forecast != nil {
			edited, shuffled, n = edited+p.Forecast.Edited, shuffled+p.Forecast.Shuffled, n+1
		}
	}
	if n == 0 {
		return
	}
	var said []string
	for _, v := range forecast.Verdicts {
		if of := c.Forecasts[v]; of != nil {
			said = append(said, fmt.Sprintf("%s in %d (then %d clearly better than the baseline, %d clearly worse)", v, of[Better]+of[Unclear]+of[Worse], of[Better], of[Worse]))
		}
	}
	fmt.Fprintf(w, "\nBefore the rounds, of the images that the parent gets wrong %s%% became right with the edited map in place and %s%% with another image's: painting was forecast to be %s.\n",
		text.Points(edited/n), text.Points(shuffled/n), strings.Join(said, ", "))
}

// shownFigures are the measures of a study's second table, in the order of the columns.
var shownFigures = []string{
	measure.Top5, measure.WorstGroup, measure.WorstClass, measure.ECE, measure.PointingGame, measure.RelevanceRank, measure.MaskIoU, measure.WrongReason, measure.DeletionAUC, measure.InsertionAUC,
}

// printFigures writes the other measures of a cell's arms, those that it has.
func printFigures(w io.Writer, c Cell) {
	names := slices.DeleteFunc(slices.Clone(shownFigures), func(name string) bool {
		return !slices.ContainsFunc(c.Arms, func(a CellArm) bool { _, has := a.Figures[name]; return has })
	})
	if len(names) == 0 {
		return
	}
	fmt.Fprint(w, "\n| arm |")
	for _, name := range names {
		fmt.Fprintf(w, " %s |", measure.KindOf(name).Label)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(names)))
	for _, a := range c.Arms {
		fmt.Fprintf(w, "| %s |", arms.Of(a.Arm).Label)
		for _, name := range names {
			cell := ""
			if v, has := a.Figures[name]; has {
				cell = text.Points(v)
			}
			fmt.Fprintf(w, " %s |", cell)
		}
		fmt.Fprintln(w)
	}
}

func lostWords(lost []Lost) string {
	if len(lost) == 0 {
		return "none failed"
	}
	return fmt.Sprintf("%d failed", len(lost))
}

func (h Hand) words() string {
	switch h {
	case Careless:
		return "careless maps"
	case Mistaken:
		return "a third of the maps another image's"
	}
	return "the objects' masks"
}

// String is an interval in points; "" for none.
func (i *Interval) String() string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", text.SignedPoints(i.Value), text.Points(i.Low), text.Points(i.High))
}
