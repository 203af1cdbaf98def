package study

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/abn-studio/studio/internal/recipe"
)

// SweepRow summarises several seeds of one setting: means, and the difference candidate − control with its standard error.
type SweepRow struct {
	Source   string  `json:"source"`
	Strategy string  `json:"strategy"`
	MapLoss  string  `json:"map_loss"`
	Edits    int     `json:"edits"`
	Gamma    float64 `json:"gamma"`
	Anchor   float64 `json:"anchor"`
	// Optimizer, Crop and Flip as in recipe.Settings.
	Optimizer string  `json:"optimizer"`
	Crop      float64 `json:"crop"`
	Flip      bool    `json:"flip"`

	Seeds    int     `json:"seeds"`
	Used     float64 `json:"used"`
	Accuracy float64 `json:"accuracy"`
	Home     float64 `json:"home"`
	Away     float64 `json:"away"`
	AttTop1  float64 `json:"attention_branch"`
	Inside   float64 `json:"inside"`
	Drift    float64 `json:"drift"`  // mean over the seeds that measured it
	Drifts   int     `json:"drifts"` // number of seeds that measured Drift

	// Differences to the γ=0 run of the same seed: mean over seeds and standard error of that mean.
	Gain          float64 `json:"gain"`
	GainError     float64 `json:"gain_error"`
	GainAway      float64 `json:"gain_away"`
	GainAwayError float64 `json:"gain_away_error"`
}

// summarizeSweep groups points by their settings. Points without a control are left out.
func summarizeSweep(points []sweepPoint) []SweepRow {
	byKey := map[string]sweepPoint{}
	for _, p := range points {
		byKey[p.key()] = p
	}
	groups := map[SweepRow][]sweepPoint{}
	for _, p := range byKey {
		row := SweepRow{
			Source: p.Source, Strategy: p.Strategy, MapLoss: p.MapLoss, Edits: p.Edits, Gamma: p.Gamma,
			Anchor: p.Anchor, Optimizer: p.Optimizer, Crop: p.Crop, Flip: p.Flip,
		}
		groups[row] = append(groups[row], p)
	}
	var out []SweepRow
	for row, group := range groups {
		var gain, away []float64
		for _, p := range group {
			twin := p
			twin.Gamma = 0
			control, ok := byKey[twin.key()]
			if !ok {
				continue
			}
			gain, away = append(gain, p.Accuracy-control.Accuracy), append(away, p.Away-control.Away)
			row.Used += float64(p.Used)
			row.Accuracy += p.Accuracy
			row.Home += p.Home
			row.Away += p.Away
			row.AttTop1 += p.AttTop1
			row.Inside += p.Inside
			if p.Drift != nil {
				row.Drift += *p.Drift
				row.Drifts++
			}
		}
		if row.Seeds = len(gain); row.Seeds == 0 {
			continue
		}
		n := float64(row.Seeds)
		for _, figure := range []*float64{&row.Used, &row.Accuracy, &row.Home, &row.Away, &row.AttTop1, &row.Inside} {
			*figure /= n
		}
		row.Drift /= max(1, float64(row.Drifts))
		row.Gain, row.GainError = meanAndError(gain)
		row.GainAway, row.GainAwayError = meanAndError(away)
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b SweepRow) int {
		return cmp.Or(-cmp.Compare(a.Source, b.Source), -cmp.Compare(a.Strategy, b.Strategy), cmp.Compare(a.MapLoss, b.MapLoss),
			-cmp.Compare(a.Optimizer, b.Optimizer), cmp.Compare(a.Crop, b.Crop), cmp.Compare(one(a.Flip), one(b.Flip)),
			cmp.Compare(a.Edits, b.Edits), cmp.Compare(a.Anchor, b.Anchor), cmp.Compare(a.Gamma, b.Gamma))
	})
	return out
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// meanAndError is the mean and its standard error, 0 for a single value.
func meanAndError(values []float64) (mean, standardError float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		standardError += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(standardError / (n - 1) / n)
}

// PrintSweep writes the rows as the table of docs/aviary.md.
func PrintSweep(out io.Writer, rows []SweepRow) {
	fmt.Fprintln(out, "| edits on | strategy | edits | anchor | γ | seeds | accuracy | home | away | attention branch | inside | drift | gain, all | gain, away |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	usual := recipe.Defaults()
	for _, r := range rows {
		gain, away := "", ""
		if r.Gamma != 0 {
			gain, away = fmt.Sprintf("%+.1f", 100*r.Gain), fmt.Sprintf("%+.1f", 100*r.GainAway)
			if r.Seeds > 1 { // a single seed has no standard error
				gain += fmt.Sprintf(" ± %.1f", 100*r.GainError)
				away += fmt.Sprintf(" ± %.1f", 100*r.GainAwayError)
			}
		}
		strategy := r.Strategy
		if r.MapLoss != string(usual.MapLoss) {
			strategy += ", " + r.MapLoss
		}
		if r.Optimizer != string(usual.Optimizer) {
			strategy += ", " + r.Optimizer
		}
		if r.Flip {
			strategy += ", flip"
		}
		if r.Crop != 0 {
			strategy += fmt.Sprintf(", crop %g", r.Crop)
		}
		drift := ""
		if r.Drifts > 0 {
			drift = fmt.Sprintf("%.2f", r.Drift)
		}
		fmt.Fprintf(out, "| %s | %s | %.0f | %g | %g | %d | %.1f | %.1f | %.1f | %.1f | %.2f | %s | %s | %s |\n", r.Source, strategy, r.Used, r.Anchor, r.Gamma,
			r.Seeds, 100*r.Accuracy, 100*r.Home, 100*r.Away, 100*r.AttTop1, r.Inside, drift, gain, away)
	}
}
