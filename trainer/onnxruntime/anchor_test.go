package onnxruntime

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
)

// TestAnchorIsItsDefinition compares L_anchor in each form with its definition: a mean over the anchored rows, beside
// an L_map over the edited ones, and nothing where no row is anchored.
func TestAnchorIsItsDefinition(t *testing.T) {
	t.Parallel()
	for _, form := range []recipe.MapLoss{recipe.MapLossL2, recipe.MapLossMSE, recipe.MapLossL1} {
		s := both
		s.MapLoss, s.Gamma, s.Anchor, s.BatchNorm = form, 3, 0.7, recipe.BatchNormFrozen
		e, data := fixtureRun(t, s)
		b := data.Batch(0)
		cells := len(b.Edited) / b.Size
		b.HasEdit, b.Anchored, b.Edited = make([]float32, b.Size), make([]float32, b.Size), slices.Clone(b.Edited)
		b.HasEdit[1], b.Anchored[0], b.Anchored[2] = 1, 1, 1
		b.Edited[3*cells] = float32(math.NaN()) // row 3 is neither
		out, err := e.Forward(context.Background(), b.Size, b.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		distance := func(row int) float64 {
			squares, absolutes := 0.0, 0.0
			for i := row * cells; i < (row+1)*cells; i++ {
				d := float64(out.Maps[i]) - float64(b.Edited[i])
				squares, absolutes = squares+d*d, absolutes+math.Abs(d)
			}
			return map[recipe.MapLoss]float64{recipe.MapLossL2: math.Sqrt(squares), recipe.MapLossMSE: squares / float64(cells), recipe.MapLossL1: absolutes / float64(cells)}[form]
		}
		r := takeStep(t, e, b, 0)
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-5*want {
				t.Errorf("%s: %s %g, want %g", form, what, got, want)
			}
		}
		near("L_map", r.LossMap, 3*distance(1))
		near("L_anchor", r.LossAnchor, 0.7*(distance(0)+distance(2))/2)
		near("L", r.Total(), r.LossAtt+r.LossPer+r.LossMap+r.LossAnchor)
		b.Anchored = nil
		if r := takeStep(t, e, b, 0); r.LossAnchor != 0 || math.IsNaN(r.Total()) {
			t.Errorf("%s: without an anchored row L_anchor is %g, L %g", form, r.LossAnchor, r.Total())
		}
		b.Anchored = slices.Repeat([]float32{1}, b.Size)
		if _, err := e.Step(context.Background(), b, engine.Update{}); err == nil {
			t.Errorf("%s: a row both edited and anchored was taken", form)
		}
	}
}

// TestAnchorGradient compares the gradient of L with γ=0 along random directions with central differences of L itself.
func TestAnchorGradient(t *testing.T) {
	t.Parallel()
	s := both
	s.Anchor, s.BatchNorm, s.Strategy = 2, recipe.BatchNormFrozen, recipe.StrategyAttention
	e, data := fixtureRun(t, s)
	plain := s
	plain.Anchor = 0
	without, _ := fixtureRun(t, plain)
	b := data.Batch(0)
	b.HasEdit, b.Anchored = make([]float32, b.Size), make([]float32, b.Size)
	b.Anchored[0], b.Anchored[b.Size-1] = 1, 1
	// The anchor's own gradient: that of the engine with it minus that of the engine without.
	gradients := func(e *Engine) [][]float32 {
		takeStep(t, e, b, 0)
		var out [][]float32
		for _, g := range e.gradients {
			out = append(out, slices.Clone(g))
		}
		return out
	}
	with, base := gradients(e), gradients(without)
	value := func(move float64) float64 {
		for i, p := range e.weights {
			for j := range p.Value {
				p.Value[j] += float32(move * float64(with[i][j]-base[i][j]))
			}
		}
		return takeStep(t, e, b, 0).LossAnchor
	}
	want := 0.0
	for i := range with {
		for j := range with[i] {
			d := float64(with[i][j] - base[i][j])
			want += d * d
		}
	}
	if want == 0 {
		t.Fatal("the anchor has no gradient")
	}
	h := 0.01 / math.Sqrt(want)
	up := value(h)
	down := value(-2 * h)
	if got := (up - down) / (2 * h); math.Abs(got-want) > 0.01*want {
		t.Errorf("the loss rises by %g along its gradient, whose square is %g", got, want)
	}
}

// TestNoAnchorNoNodes: with a scale of 0 the step graph is what it was without an anchor.
func TestNoAnchorNoNodes(t *testing.T) {
	t.Parallel()
	counts := map[float64][2]int{}
	for _, anchor := range []float64{0, 1} {
		s := both
		s.Anchor = anchor
		e, _ := fixtureRun(t, s)
		for _, n := range e.graph.Model.Graph.Nodes {
			c := counts[anchor]
			c[0]++
			if slices.Contains(n.Inputs, "loss/anchored") {
				c[1]++
			}
			counts[anchor] = c
		}
	}
	if counts[0][1] != 0 || counts[1][1] == 0 || counts[0][0] >= counts[1][0] {
		t.Errorf("nodes in all, and of the anchor, by scale: %v", counts)
	}
}
