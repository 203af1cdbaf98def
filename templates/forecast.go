package templates

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
)

// Forecast is the view model of the page that says whether painting is likely to pay.
type Forecast struct {
	annotator.ProjectForecast
	Problem string // why no new forecast was started
}

// saidVerdict returns the verdict of a forecast's sentences, and why it is that.
func saidVerdict(ctx context.Context, sentences string) (verdict, because string) {
	all := strings.Split(strings.TrimSuffix(sentences, "."), ". ")
	for i, s := range all {
		if all[i] = words.Say(ctx, s); i > 0 {
			all[i] = words.Sentence(ctx, all[i])
		}
	}
	verdict, because, _ = strings.Cut(all[0], ": ")
	all[0] = words.Sentence(ctx, because)
	return verdict, strings.Join(all, " ")
}

// verdictClass is how a verdict's sentence is coloured.
func verdictClass(v forecast.Verdict) string {
	switch v {
	case forecast.Likely:
		return "good"
	case forecast.Unlikely:
		return "bad"
	}
	return ""
}

// madeOf says what a forecast was made of, and how old that is.
func (v Forecast) madeOf(ctx context.Context) string {
	said := words.N(ctx, v.MadeOf, "Of v{version} and {n} approved map", "Of v{version} and {n} approved maps", "version", v.Version)
	if v.Changed > 0 {
		said += "; " + words.N(ctx, v.Changed, "{n} is another by now", "{n} are others by now")
	}
	return said
}

// several writes a number of images that may be a mean over draws.
func several(v float64) string {
	if v == math.Trunc(v) {
		return Count(int(v))
	}
	return fmt.Sprintf("%.1f", v)
}

// inPlace are the maps that a table compares: what the network answers by itself is the same for all images of a row.
var inPlace = []forecast.Map{forecast.Edited, forecast.Shuffled, forecast.Flat}

// explained says what a map in place is.
func explained(ctx context.Context, m forecast.Map, draws int) string {
	switch m {
	case forecast.Edited:
		return words.T(ctx, "The approved map of the image in the place of the network's own, marks as in the live score.")
	case forecast.Shuffled:
		return words.N(ctx, draws, "The approved map of another image, dealt out at random so that none keeps its own; the mean of {n} draw. What any map does.", "The approved map of another image, dealt out at random so that none keeps its own; the mean of {n} draws. What any map does.")
	}
	return words.T(ctx, "In every cell the mean of the edited map: as much attention, without a place.")
}

// top is the end of a scale of shares: the largest upper end, in tenths.
func top(s forecast.UnderMaps) float64 {
	high := 0.1
	for _, m := range inPlace {
		high = max(high, s.Of(m).High)
	}
	return math.Min(1, math.Ceil(10*high-1e-9)/10)
}

// mapLabel is a map's label at the beginning of a line.
func mapLabel(ctx context.Context, m forecast.Map) string { return sentence(ctx, m.Label()) }

// adviceLink is where the advice is followed; "" where a person may not, or there is no page.
func (f Frame) adviceLink(ctx context.Context, a forecast.Advice) (address, word string) {
	switch {
	case (a == forecast.StartRound || a == forecast.Refit) && f.May(annotator.RoleLead):
		return f.To("rounds/new"), words.T(ctx, "New round")
	case a == forecast.MoreMaps:
		return f.To("queue"), words.T(ctx, "Queue")
	case a == forecast.Labels:
		return f.To("suspects"), words.T(ctx, "Suspect labels")
	case a == forecast.Pictures && f.May(annotator.RoleLead):
		return f.To("imports/new"), words.T(ctx, "Import")
	}
	return "", ""
}

// curvePlot places a learning curve on a picture of 320 × 140: edits to the right as they count, log(1 + n), points of accuracy upwards.
type curvePlot struct {
	forecast.LearningCurve
	most      int     // edits at the right end
	low, high float64 // gains at the lower and upper end
}

const plotLeft, plotRight, plotTop, plotBottom = 36.0, 312.0, 8.0, 118.0

func plotOf(c forecast.LearningCurve) curvePlot {
	p := curvePlot{LearningCurve: c, most: 1}
	for _, r := range c.Rounds {
		p.most, p.low, p.high = max(p.most, r.Edits), min(p.low, r.Low), max(p.high, r.High)
	}
	if c.Next != nil {
		p.most += c.Next.Maps
		p.high, p.low = max(p.high, p.at(p.most)), min(p.low, p.at(p.most))
	}
	p.low, p.high = math.Floor(100*p.low)/100, math.Max(0.01, math.Ceil(100*p.high)/100)
	return p
}

// at is the fitted gain of so many edits.
func (p curvePlot) at(edits int) float64 { return p.Slope * math.Log1p(float64(edits)) }

func (p curvePlot) x(edits int) string {
	return fmt.Sprintf("%.1f", plotLeft+(plotRight-plotLeft)*math.Log1p(float64(edits))/math.Log1p(float64(p.most)))
}

func (p curvePlot) y(gain float64) string {
	return fmt.Sprintf("%.1f", plotBottom-(plotBottom-plotTop)*(gain-p.low)/(p.high-p.low))
}

// latest is the number of edits of the round that had the most.
func (p curvePlot) latest() int { return p.Rounds[len(p.Rounds)-1].Edits }

// plotPoints writes points for a tick: +3.
func plotPoints(v float64) string {
	if v == 0 {
		return "0"
	}
	return text.Signed(100*v, 0)
}

// line is the fitted curve from one number of edits to another: straight, since edits stand by their logarithm.
func (p curvePlot) line(from, to int) string {
	return fmt.Sprintf("M%s %sL%s %s", p.x(from), p.y(p.at(from)), p.x(to), p.y(p.at(to)))
}

// interval writes a difference of shares in points, with its interval: +3.1 (0.8 to 5.4).
func interval(ctx context.Context, g forecast.GainInterval) string {
	return words.T(ctx, "{value} ({low} to {high})", "value", Difference("fraction", g.Value), "low", Difference("fraction", g.Low), "high", Difference("fraction", g.High))
}
