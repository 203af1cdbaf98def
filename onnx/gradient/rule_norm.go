package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// batchNormalization: y = γ·(x−μ)·r + β with r = 1/√(v+ε), per channel. X is [N,C,…]; inputs X, γ, β,
// mean, variance. With frozen statistics μ and v are constants and
//
//	dβ = Σ dY,  dγ = r·(Σ dY·x − μ·Σ dY),  dX = γ·r·dY
//
// With training_mode 1 they are the batch's own, over m = N·H·W elements, and
//
//	dX = γ·r·(dY − dβ/m − (x−μ)·r·dγ/m) = a·dY + b·x + c
//
// with per-channel a = γ·r, b = −γ·r²·dγ/m, c = −(a·dβ/m + b·μ).
func batchNormalization(b *builder, n *onnx.Node, dY string) error {
	x, scale, shift := n.Input(0), n.Input(1), n.Input(2)
	shape := b.info[x].Shape
	if len(shape) < 2 {
		return fmt.Errorf("its input has shape %s", shape)
	}
	epsilon := float64(n.AttrFloat("epsilon", 1e-5))
	if b.depends[n.Input(3)] || b.depends[n.Input(4)] {
		return b.normalizeComputed(n, dY, epsilon)
	}
	if n.AttrInt("training_mode", 0) != 0 {
		return b.normalizeBatch(n, dY, epsilon)
	}
	if b.depends[x] && BlockedImage(shape, b.block) {
		b.normalizeBlocked(n, dY, n.Input(3), n.Input(4), 0)
		return nil
	}
	r := b.inverseDeviation(n.Input(4), epsilon)
	if b.depends[shift] || b.depends[scale] {
		dShift := b.perChannel(dY, len(shape))
		b.give(shift, dShift)
		if b.depends[scale] {
			b.give(scale, b.scaleGradient(dY, x, dShift, n.Input(3), r, len(shape)))
		}
	}
	if b.depends[x] {
		b.give(x, b.mul(dY, b.column(b.mul(scale, r), len(shape))))
	}
	return nil
}

// normalizeComputed is for statistics that the graph computes of what is trained, as layers that standardise their weight do:
//
//	dμ = −γ·r·Σ dY,  dv = −½·γ·r²·dγ
func (b *builder) normalizeComputed(n *onnx.Node, dY string, epsilon float64) error {
	if n.AttrInt("training_mode", 0) != 0 {
		return errors.New("its running statistics are computed from what is trained, and it takes the batch's")
	}
	x, scale, mean, variance := n.Input(0), n.Input(1), n.Input(3), n.Input(4)
	rank := len(b.info[x].Shape)
	r := b.inverseDeviation(variance, epsilon)
	dShift := b.perChannel(dY, rank)
	dScale := b.scaleGradient(dY, x, dShift, mean, r, rank)
	slope := b.mul(scale, r)
	b.give(n.Input(2), dShift)
	b.give(scale, dScale)
	b.give(mean, b.neg(b.mul(slope, dShift)))
	b.give(variance, b.scaled(b.mul(b.mul(slope, r), dScale), -0.5))
	b.give(x, b.mul(dY, b.column(slope, rank)))
	return nil
}

// inverseDeviation is 1/√(variance+ε), [C].
func (b *builder) inverseDeviation(variance string, epsilon float64) string {
	return b.once(fmt.Sprint("deviation ", variance, epsilon), func() string {
		return b.node("Reciprocal", []string{b.node("Sqrt", []string{b.add(variance, b.scalar(epsilon))})})
	})
}

// scaleGradient is r·(Σ dY·x − μ·Σ dY), [C].
func (b *builder) scaleGradient(dY, x, dShift, mean, r string, rank int) string {
	moment := b.perChannel(b.mul(dY, x), rank)
	return b.mul(r, b.sub(moment, b.mul(mean, dShift)))
}

// column gives a vector [C] the shape [C,1,…] that broadcasts over [N,C,…].
func (b *builder) column(v string, rank int) string {
	if rank == 2 {
		return v
	}
	shape := []int64{-1}
	for range rank - 2 {
		shape = append(shape, 1)
	}
	return b.reshape(v, shape...)
}

func (b *builder) normalizeBatch(n *onnx.Node, dY string, epsilon float64) error {
	x, scale, shift := n.Input(0), n.Input(1), n.Input(2)
	shape := b.info[x].Shape
	mean, variance := b.batchStatistics(n)
	if b.depends[x] && BlockedImage(shape, b.block) {
		b.normalizeBlocked(n, dY, mean, variance, 1)
		return nil
	}
	r := b.inverseDeviation(variance, epsilon)
	dShift := b.perChannel(dY, len(shape))
	dScale := b.scaleGradient(dY, x, dShift, mean, r, len(shape))
	b.give(shift, dShift)
	b.give(scale, dScale)
	if !b.depends[x] {
		return nil
	}
	axes := []int64{0}
	for i := 2; i < len(shape); i++ {
		axes = append(axes, int64(i))
	}
	count := func(sum string) string { return b.divideByCount(sum, x, shape, axes) }
	slope := b.mul(scale, r)                                               // a
	lean := b.neg(b.mul(b.mul(slope, r), count(dScale)))                   // b
	offset := b.neg(b.add(b.mul(slope, count(dShift)), b.mul(lean, mean))) // c
	channels, err := b.channels(x)
	if err != nil {
		return err
	}
	// a·dY + c in one pass: a BatchNormalization of mean 0 and variance 1.
	straight := b.node("BatchNormalization", []string{dY, slope, offset, b.full(0, channels), b.full(1, channels)},
		onnx.FloatAttr("epsilon", 0))
	b.give(x, b.add(straight, b.mul(x, b.column(lean, len(shape)))))
	return nil
}

// batchStatistics are the batch's own mean and (population) variance. The node outputs running statistics, momentum·before +
// (1−momentum)·batch, from which the batch's are computed; with momentum 0 they are equal.
func (b *builder) batchStatistics(n *onnx.Node) (mean, variance string) {
	for len(n.Outputs) < 3 {
		n.Outputs = append(n.Outputs, "")
	}
	momentum := float64(n.AttrFloat("momentum", 0.9))
	statistic := func(i int) string {
		if n.Outputs[i] == "" {
			n.Outputs[i] = b.editor.Fresh("statistics")
		}
		if momentum == 0 {
			return n.Outputs[i]
		}
		return b.scaled(b.sub(n.Outputs[i], b.scaled(n.Inputs[2+i], momentum)), 1/(1-momentum))
	}
	return statistic(1), statistic(2)
}
