package main

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
)

// perturbing computes deletion and insertion.
type perturbing struct {
	*evaluation
	step int  // pixels at a time; 0: a row's
	held bool // the perception branch gets the whole picture's map throughout
}

// add computes both areas for n of the images, evenly spread, and notes them in the rows. tell is told how many of how many are done.
func (p perturbing) add(ctx context.Context, n int, tell func(done, of int)) error {
	n = min(n, len(p.rows))
	for i := range n {
		at := i * len(p.rows) / n
		if err := p.image(ctx, at); err != nil {
			return fmt.Errorf("deletion and insertion of %s: %w", p.judged[at].Name, err)
		}
		tell(i+1, n)
	}
	return nil
}

func (p perturbing) image(ctx context.Context, at int) error {
	s := p.network.Sizes()
	picture := make([]float32, s.Image())
	if err := p.images.Pixels(ctx, p.judged[at], picture); err != nil {
		return err
	}
	out, err := p.network.Forward(ctx, 1, picture)
	if err != nil {
		return err
	}
	own := attention.Map{Height: s.GridHeight, Width: s.GridWidth, Values: out.Maps}
	deletion, insertion, err := measure.Areas(ctx, p.prober(out.Maps), picture, own, s.ImageHeight, s.ImageWidth, p.step, []int{measure.Argmax(out.LogitsPer)})
	if err != nil {
		return err
	}
	p.rows[at].Set(measure.DeletionAUC, deletion[0], true)
	p.rows[at].Set(measure.InsertionAUC, insertion[0], true)
	return nil
}

// prober runs the network on changed pictures. own is the map of the whole picture.
func (p perturbing) prober(own []float32) measure.Prober {
	return func(ctx context.Context, n int, pixels []float32) ([]float32, error) {
		if !p.held {
			out, err := p.network.Forward(ctx, n, pixels)
			if err != nil {
				return nil, err
			}
			p.network.Probabilities(out.LogitsPer)
			return out.LogitsPer, nil
		}
		features, err := p.network.Features(ctx, n, pixels)
		if err != nil {
			return nil, err
		}
		maps := make([]float32, 0, n*len(own))
		for range n {
			maps = append(maps, own...)
		}
		logits, err := p.network.Perception(ctx, n, features, maps)
		if err != nil {
			return nil, err
		}
		p.network.Probabilities(logits)
		return logits, nil
	}
}
