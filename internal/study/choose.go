package study

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/trainer/sample"
)

// Order is the order in which pool images are given to people.
type Order = orders.Order

// The orders that a study has; those by confusion and far apart are the studio's alone.
const (
	ConfidentlyWrong = orders.ConfidentlyWrong
	Uncertain        = orders.Uncertain
	WrongReason      = orders.WrongReason
	Random           = orders.Random // drawn by the seed
)

// Orders are all of them.
var Orders = []Order{ConfidentlyWrong, Uncertain, WrongReason, Random}

// answer is a network's answer to an image.
type answer struct {
	sample.Sample
	wrong      bool
	confidence float32 // of the answer given
	inside     float64 // attention inside the object; 0 where that is not known
}

// asked is what orders ask of an answer.
func (a answer) asked() orders.Answer {
	return orders.Answer{Right: !a.wrong, Confidence: a.confidence, Inside: a.inside}
}

// answersTo asks the network for some of the images, in their order.
func answersTo(ctx context.Context, network *inference.Network, images *samples.Set, candidates []sample.Sample) (list []answer, err error) {
	pixels, sizes := make([]float32, network.Sizes().Image()), network.Sizes()
	for _, s := range candidates {
		if err := images.Pixels(ctx, s, pixels); err != nil {
			return nil, err
		}
		out, err := network.Forward(ctx, 1, pixels)
		if err != nil {
			return nil, err
		}
		network.Probabilities(out.LogitsPer)
		top := slices.Max(out.LogitsPer)
		a := answer{Sample: s, wrong: slices.Index(out.LogitsPer, top) != s.Label, confidence: top}
		if !s.Mask.IsZero() {
			a.inside = attention.Map{Height: sizes.GridHeight, Width: sizes.GridWidth, Values: out.Maps}.InsideFraction(s.Mask)
		}
		list = append(list, a)
	}
	return list, nil
}

// choose lists pool images in an order, each edited to its mask: the mask's values over their largest.
func (s *subject) choose(order Order, seed int64) (list []sample.Sample, err error) {
	answers := slices.Clone(s.answers)
	slices.SortStableFunc(answers, func(a, b answer) int { return order.Compare(a.asked(), b.asked()) })
	if order == Random {
		rand.New(rand.NewPCG(uint64(seed), 0x706f6f6c)).Shuffle(len(answers), func(i, k int) { answers[i], answers[k] = answers[k], answers[i] })
	}
	for _, a := range answers {
		if order.Takes(!a.wrong) {
			a.Edited = aviary.EditFromGrid(a.Mask)
			list = append(list, a.Sample)
		}
	}
	if len(list) == 0 {
		what := "right"
		if order == WrongReason {
			what = "wrong"
		}
		return nil, errors.New("the network gets every pool image that has a mask " + what + ": there is nothing to edit")
	}
	return list, nil
}

// firstOf are the first n, all for 0.
func firstOf(list []sample.Sample, n int) []sample.Sample {
	if n == 0 {
		return list
	}
	return list[:min(n, len(list))]
}
