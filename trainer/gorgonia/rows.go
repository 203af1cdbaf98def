package gorgonia

import (
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/step"
)

// batchRows are the targets and weights of the map losses of a batch's rows.
type batchRows struct {
	target           []float32 // [N, h·w]; 0 for rows without a mark
	weight           []float32 // [N], of the row's distance in the loss
	anchor           []float32 // [N], of an anchored row's distance, if it is not one of those that weight is for (anchoredApart)
	avoid            []float32 // [N], of the row's attention where there should be none
	edited, anchored []float32 // [N], of the row's distance in the mean over edited and over anchored rows, weights by class included
}

// rows turns marks into weights. The map of a row without a mark is not read, and may hold NaN.
func (net *network) rows(b engine.Batch) batchRows {
	cells := int(net.Sizes.Cells())
	r := batchRows{target: make([]float32, b.Size*cells), weight: make([]float32, b.Size), avoid: make([]float32, b.Size)}
	r.edited = shares(b.HasEdit, b.Size)
	if net.settings.MapWeight.ByClass() {
		for i, w := range b.RowWeights() {
			r.edited[i] *= w
		}
	}
	var marked []float32
	if net.settings.Anchor != 0 {
		marked = b.Anchored
	}
	r.anchored = shares(marked, b.Size)
	r.anchor = make([]float32, b.Size)
	anchor := r.weight
	if net.anchoredApart() {
		anchor = r.anchor
	}
	for i := range b.Size {
		r.weight[i] = float32(net.settings.Gamma) * r.edited[i]
		anchor[i] += float32(net.settings.Anchor) * r.anchored[i]
		r.avoid[i] = float32(net.settings.GammaAvoid) * r.edited[i]
		if b.HasEdit[i] != 0 || r.anchored[i] != 0 {
			copy(r.target[i*cells:(i+1)*cells], b.Edited[i*cells:])
		}
	}
	return r
}

// anchoredApart reports whether L_anchor has another form than L_map.
func (net *network) anchoredApart() bool {
	return net.settings.Anchor != 0 && step.AnchorForm(net.settings.MapLoss) != net.settings.MapLoss
}

// shares are marks over their sum, or zeros where there is none.
func shares(marks []float32, n int) []float32 {
	out := make([]float32, n)
	sum := float32(0)
	for _, m := range marks {
		sum += m
	}
	for i, m := range marks {
		out[i] = m / max(sum, 1)
	}
	return out
}

// result is what a step measured.
func (net *network) result(b engine.Batch, rows batchRows, out [][]float32) engine.StepResult {
	mean := func(values []float32, weight func(i int) float32) (sum float64) {
		for i, v := range values {
			if w := weight(i); w != 0 {
				sum += float64(w) * float64(v)
			}
		}
		return sum
	}
	even := func(int) float32 { return 1 }
	r := engine.StepResult{
		LossAtt:     mean(out[placeLossAtt], even) / float64(b.Size),
		LossPer:     mean(out[placeLossPer], even) / float64(b.Size),
		MapDistance: mean(out[placeDistance], func(i int) float32 { return rows.edited[i] }),
		Avoidance:   mean(out[placeAvoidance], func(i int) float32 { return rows.edited[i] }),
		LossAnchor:  net.settings.Anchor * mean(out[placeAnchored], func(i int) float32 { return rows.anchored[i] }),
		HitsAtt:     engine.Hits(out[placeLogitsAtt], b.Labels),
		HitsPer:     engine.Hits(out[placeLogitsPer], b.Labels),
	}
	r.LossMap = net.settings.Gamma*r.MapDistance + net.settings.GammaAvoid*r.Avoidance
	return r
}
