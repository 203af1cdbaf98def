package gorgonia

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/abn-studio/studio/trainer/engine"
)

// groupedProduct is one matrix product per group: [g, m, k] by [g, k, n] is [g, m, n], where either operand may be
// stored transposed. It is what grouped and depthwise convolutions need; Gorgonia's own convolution knows no groups.
type groupedProduct struct {
	ownOp
	groups, m, k, n int
	transA, transB  bool
}

func newGroupedProduct(groups, m, k, n int, transA, transB bool) *groupedProduct {
	a, b := tensor.Shape{groups, m, k}, tensor.Shape{groups, k, n}
	if transA {
		a = tensor.Shape{groups, k, m}
	}
	if transB {
		b = tensor.Shape{groups, n, k}
	}
	return &groupedProduct{newOwnOp("grouped product", tensor.Shape{groups, m, n}, a, b), groups, m, k, n, transA, transB}
}

// Do implements gorgonia.Op.
func (p *groupedProduct) Do(values ...G.Value) (G.Value, error) {
	in, err := p.arguments(values)
	if err != nil {
		return nil, err
	}
	y := make([]float32, p.to.TotalSize())
	transA, lda, transB, ldb := blas.NoTrans, p.k, blas.NoTrans, p.n
	if p.transA {
		transA, lda = blas.Trans, p.m
	}
	if p.transB {
		transB, ldb = blas.Trans, p.k
	}
	engine.OnAllCores(p.groups, func(g int) {
		a, b, c := in[0][g*p.m*p.k:][:p.m*p.k], in[1][g*p.k*p.n:][:p.k*p.n], y[g*p.m*p.n:][:p.m*p.n]
		gonum.Implementation{}.Sgemm(transA, transB, p.m, p.n, p.k, 1, a, lda, b, ldb, 0, c, p.n)
	})
	return p.result(y), nil
}

// DiffWRT implements gorgonia.SDOp.
func (p *groupedProduct) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff implements gorgonia.SDOp. With C = A·B, dA = dC·Bᵀ and dB = Aᵀ·dC, each stored as its operand is.
func (p *groupedProduct) SymDiff(in G.Nodes, _, dC *G.Node) (G.Nodes, error) {
	product := func(first, second *G.Node, m, k, n int, transFirst, transSecond bool) (*G.Node, error) {
		return G.ApplyOp(newGroupedProduct(p.groups, m, k, n, transFirst, transSecond), first, second)
	}
	var dA, dB *G.Node
	var err error
	if p.transA { // Aᵀ is stored: d(Aᵀ) = B·dCᵀ
		dA, err = product(in[1], dC, p.k, p.n, p.m, p.transB, true)
	} else {
		dA, err = product(dC, in[1], p.m, p.n, p.k, false, !p.transB)
	}
	if err != nil {
		return nil, err
	}
	if p.transB { // d(Bᵀ) = dCᵀ·A
		dB, err = product(dC, in[0], p.n, p.m, p.k, true, p.transA)
	} else {
		dB, err = product(in[0], dC, p.k, p.m, p.n, !p.transA, false)
	}
	return G.Nodes{dA, dB}, err
}
