package gorgonia

import (
	G "gorgonia.org/gorgonia"
)

// spreadProduct is large ⊙ spread(small): a tensor times a smaller one that is repeated along the axes in which it has size 1,
// such as a map or a channel's scale. Spreading first would keep the repeated values in memory until the gradient has been
// computed.
type spreadProduct struct {
	ownOp
	runs []run
}

func newSpreadProduct(large, small []int) *spreadProduct {
	return &spreadProduct{newOwnOp("spread product", large, large, small), runsOf(small, large)}
}

// Do implements gorgonia.Op.
func (p *spreadProduct) Do(values ...G.Value) (G.Value, error) {
	in, err := p.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, len(in[0]))
	multiplyRuns(y, in[0], in[1], p.runs)
	return p.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (p *spreadProduct) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff implements gorgonia.SDOp: dLarge = dY ⊙ spread(small), and dSmall is dY ⊙ large summed over the repeated axes.
func (p *spreadProduct) SymDiff(in G.Nodes, _, dY *G.Node) (G.Nodes, error) {
	dLarge, err := G.ApplyOp(newSpreadProduct(p.to, p.from[1]), dY, in[1])
	if err != nil {
		return nil, err
	}
	dSmall, err := G.ApplyOp(&spreadProductGradient{newOwnOp("spread productᵀ", p.from[1], p.to, p.to), p.runs}, dY, in[0])
	return G.Nodes{dLarge, dSmall}, err
}

// spreadProductGradient sums the products of two tensors over the axes in which the small one has size 1.
type spreadProductGradient struct {
	ownOp
	runs []run
}

// Do implements gorgonia.Op.
func (p *spreadProductGradient) Do(values ...G.Value) (G.Value, error) {
	in, err := p.arguments(values)
	if err != nil {
		return nil, err
	}
	sums := make([]float64, p.to.TotalSize())
	sumProductRuns(sums, in[0], in[1], p.runs)
	small := make([]float32, len(sums))
	for i, v := range sums {
		small[i] = float32(v)
	}
	return p.result(small), nil
}

func multiplyRuns(y, large, small []float32, runs []run) {
	r := runs[0]
	if len(runs) > 1 {
		for i := range r.size {
			multiplyRuns(y[i*r.step:], large[i*r.step:], small[i*r.inner:], runs[1:])
		}
		return
	}
	y, large = y[:r.size], large[:r.size]
	if r.repeated {
		factor := small[0]
		for i, v := range large {
			y[i] = factor * v
		}
		return
	}
	small = small[:r.size]
	for i, v := range large {
		y[i] = small[i] * v
	}
}

func sumProductRuns(sums []float64, x, y []float32, runs []run) {
	r := runs[0]
	if len(runs) > 1 {
		for i := range r.size {
			sumProductRuns(sums[i*r.inner:], x[i*r.step:], y[i*r.step:], runs[1:])
		}
		return
	}
	x, y = x[:r.size], y[:r.size]
	if !r.repeated {
		for i, v := range x {
			sums[i] += float64(v) * float64(y[i])
		}
		return
	}
	var lanes [4]float64 // so that additions need not wait for each other
	for ; len(x) >= 4; x, y = x[4:], y[4:] {
		lanes[0] += float64(x[0]) * float64(y[0])
		lanes[1] += float64(x[1]) * float64(y[1])
		lanes[2] += float64(x[2]) * float64(y[2])
		lanes[3] += float64(x[3]) * float64(y[3])
	}
	for i, v := range x {
		lanes[0] += float64(v) * float64(y[i])
	}
	sums[0] += lanes[0] + lanes[1] + lanes[2] + lanes[3]
}
