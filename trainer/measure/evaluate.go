package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// Forwarder evaluates inputs [n, …] (an Engine does).
type Forwarder interface {
	Forward(ctx context.Context, n int, inputs []float32) (engine.Outputs, error)
}

// Result is a network's result for one image.
type Result struct {
	Predicted   int     `json:"predicted"` // Argmax of the perception branch
	Confidence  float64 `json:"confidence"`
	Correct     bool    `json:"correct"`
	Top5        bool    `json:"top5"`        // the label is among the five largest logits
	AttCorrect  bool    `json:"att_correct"` // the attention branch's argmax is the label
	Inside      float64 `json:"inside"`      // attention inside the mask; -1 without a mask
	MapDistance float64 `json:"distance"`    // ‖M′ − M‖₂ to the sample's edited map; -1 without one
	Drift       float64 `json:"-"`           // ‖M − M°‖₂ to the parent's map; set in rounds alone
	Map         OfMap   `json:"-"`           // further measures of the map, where somebody takes them
}

// Evaluation has a network's figures on a set of images, as fractions.
type Evaluation struct {
	Images     int             `json:"images"`
	Top1       float64         `json:"top1"`
	Top5       float64         `json:"top5"`
	AttTop1    float64         `json:"attention_top1"`  // the attention branch's own answer
	Confidence float64         `json:"mean_confidence"` // of the answer given, right or wrong
	PerClass   []ClassFigure   `json:"per_class"`       // classes that occur, by index
	Groups     []GroupFigure   `json:"groups,omitempty"`
	WorstGroup *GroupFigure    `json:"worst_group,omitempty"`
	Inside     *MaskedFigure   `json:"attention_inside,omitempty"`
	Results    []Result        `json:"-"` // in the order of the samples
	samples    []sample.Sample // what Results are of
	groupIndex map[string]int  // of Groups
}

// ClassFigure is the accuracy on one class.
type ClassFigure struct {
	Class  int     `json:"class"`
	Name   string  `json:"name,omitempty"`
	Images int     `json:"images"`
	Top1   float64 `json:"top1"`
}

// GroupFigure is the accuracy on one group of images.
type GroupFigure struct {
	Group  string  `json:"group"`
	Images int     `json:"images"`
	Top1   float64 `json:"top1"`
}

// MaskedFigure is a mean over the images with a known mask.
type MaskedFigure struct {
	Images int     `json:"images"`
	Mean   float64 `json:"mean"` // Σ M·mask / Σ M, averaged over images
	Area   float64 `json:"area"` // the mask's share of the cells: what an even map would score
}

// BatchSize is how many inputs a forward pass takes at once.
const BatchSize = 32

// Evaluate runs a network over samples, in batches of BatchSize. in gives their inputs; classes is K and height × width the map's
// grid. progress (may be nil) is called with the number of images done. An input that cannot be read is an error that names its
// image; if ctx ends, its cause is returned.
func Evaluate(ctx context.Context, network Forwarder, in sample.Inputs, samples []sample.Sample, classes, height, width int, progress func(done int)) (*Evaluation, error) {
	size, cells := in.Size(), height*width
	results := make([]Result, 0, len(samples))
	buffer := make([]float32, min(len(samples), BatchSize)*size)
	for start := 0; start < len(samples); start += BatchSize {
		batch := samples[start:min(start+BatchSize, len(samples))]
		for i, s := range batch {
			if err := in.Read(ctx, start+i, false, 0, buffer[i*size:(i+1)*size]); err != nil {
				return nil, fmt.Errorf("image %s: %w", s.Name, err)
			}
		}
		out, err := network.Forward(ctx, len(batch), buffer[:len(batch)*size])
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return nil, cause
			}
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		for i, s := range batch {
			m := attention.Map{Height: height, Width: width, Values: out.Maps[i*cells : (i+1)*cells]}
			per := out.LogitsPer[i*classes : (i+1)*classes]
			r := Judge(s, per, Argmax(out.LogitsAtt[i*classes:(i+1)*classes]), m)
			r.Confidence = Confident(per)
			results = append(results, r)
		}
		if progress != nil {
			progress(len(results))
		}
	}
	return Summarize(samples, results), nil
}

// Judge compares a network's answer with what is known of an image. scores [K] are the perception branch's probabilities. They
// may be logits; the caller then has to set Confidence. attClass is the attention branch's answer and m the map M(x), on the grid
// of the sample's maps.
func Judge(s sample.Sample, scores []float32, attClass int, m attention.Map) Result {
	r := Result{Predicted: Argmax(scores), AttCorrect: attClass == s.Label, Inside: -1, MapDistance: -1}
	r.Correct = r.Predicted == s.Label
	r.Confidence = float64(scores[r.Predicted])
	above := 0 // scores above the label's; of equal ones, those with a lower index count, as in Argmax
	for i, v := range scores {
		if v > scores[s.Label] || v == scores[s.Label] && i < s.Label {
			above++
		}
	}
	r.Top5 = above < 5
	if !s.Mask.IsZero() {
		r.Inside = m.InsideFraction(s.Mask)
	}
	if !s.Edited.IsZero() {
		r.MapDistance = m.Distance(s.Edited)
	}
	return r
}

// WithScores is r with another answer of the perception branch to s, whose scores [K] are logits; the map is the same.
func (r Result) WithScores(s sample.Sample, scores []float32) Result {
	s.Mask, s.Edited = attention.Map{}, attention.Map{}
	other := Judge(s, scores, 0, attention.Map{})
	r.Predicted, r.Correct, r.Top5 = other.Predicted, other.Correct, other.Top5
	r.Confidence = Confident(scores)
	return r
}

// Confident is the probability of the largest of some logits.
func Confident(logits []float32) float64 {
	top := float64(logits[Argmax(logits)])
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return 1 / sum
}

// Argmax is the index of the largest value, the first of several equal ones; 0 for no values.
func Argmax(values []float32) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

// Summary gathers results one after the other and keeps none of them, however many there are. The zero value is empty.
type Summary struct {
	e       Evaluation
	classes map[int]*ClassFigure
	masked  MaskedFigure
}

// Add counts a sample's result.
func (m *Summary) Add(s sample.Sample, r Result) {
	e := &m.e
	if e.groupIndex == nil {
		e.groupIndex, m.classes = map[string]int{}, map[int]*ClassFigure{}
	}
	e.Images++
	e.Top1 += one(r.Correct)
	e.Top5 += one(r.Top5)
	e.AttTop1 += one(r.AttCorrect)
	e.Confidence += r.Confidence
	c := m.classes[s.Label]
	if c == nil {
		c = &ClassFigure{Class: s.Label}
		m.classes[s.Label] = c
	}
	c.Images++
	c.Top1 += one(r.Correct)
	if s.Group != "" {
		g, ok := e.groupIndex[s.Group]
		if !ok {
			g = len(e.Groups)
			e.groupIndex[s.Group] = g
			e.Groups = append(e.Groups, GroupFigure{Group: s.Group})
		}
		e.Groups[g].Images++
		e.Groups[g].Top1 += one(r.Correct)
	}
	if r.Inside >= 0 {
		m.masked.Images++
		m.masked.Mean += r.Inside
		m.masked.Area += area(s.Mask)
	}
}

// Evaluation computes the figures of what was added: fractions in [0,1], 0 without samples. It ends the summary.
func (m *Summary) Evaluation() *Evaluation {
	e := &m.e
	if e.Images == 0 {
		e.groupIndex = map[string]int{}
		return e
	}
	n := float64(e.Images)
	e.Top1, e.Top5, e.AttTop1, e.Confidence = e.Top1/n, e.Top5/n, e.AttTop1/n, e.Confidence/n
	for _, c := range m.classes {
		c.Top1 /= float64(c.Images)
		e.PerClass = append(e.PerClass, *c)
	}
	slices.SortFunc(e.PerClass, func(a, b ClassFigure) int { return cmp.Compare(a.Class, b.Class) })
	slices.SortFunc(e.Groups, func(a, b GroupFigure) int { return cmp.Compare(a.Group, b.Group) })
	for i := range e.Groups {
		g := &e.Groups[i]
		g.Top1 /= float64(g.Images)
		e.groupIndex[g.Group] = i
		if e.WorstGroup == nil || g.Top1 < e.WorstGroup.Top1 {
			e.WorstGroup = g
		}
	}
	if m.masked.Images > 0 {
		m.masked.Mean /= float64(m.masked.Images)
		m.masked.Area /= float64(m.masked.Images)
		e.Inside = &m.masked
	}
	return e
}

// Summarize is the Summary of results, one for each sample, which the evaluation keeps.
func Summarize(samples []sample.Sample, results []Result) *Evaluation {
	var m Summary
	for i, r := range results {
		m.Add(samples[i], r)
	}
	e := m.Evaluation()
	e.Results, e.samples = results, samples
	return e
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// area is a mask's mean over its cells.
func area(mask attention.Map) float64 {
	var sum float64
	for _, v := range mask.Values {
		sum += float64(v)
	}
	return sum / float64(max(1, len(mask.Values)))
}
