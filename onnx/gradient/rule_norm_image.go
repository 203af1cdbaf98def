package gradient

import (
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// instanceNormalization: BatchNormalization's formula with the statistics of every image's every channel: over the spatial axes of
// X [N,C,…], with scale and shift [C].
func instanceNormalization(b *builder, n *onnx.Node, dY string) error {
	spatial, err := b.spatial(n.Input(0))
	if err != nil {
		return err
	}
	rank := len(spatial) + 2
	var axes []int64
	for i := 2; i < rank; i++ {
		axes = append(axes, int64(i))
	}
	scale, shift := n.Input(1), n.Input(2)
	if b.depends[shift] {
		b.give(shift, b.perChannel(dY, rank))
	}
	normal, inverse := b.normalized(n, axes, product(spatial))
	if b.depends[scale] {
		b.give(scale, b.perChannel(b.mul(dY, normal), rank))
	}
	b.giveNormalized(n, b.mul(dY, b.column(scale, rank)), normal, inverse, axes, product(spatial))
	return nil
}

// layerNormalization: the statistics of every row, over the axes from axis on, with scale and shift of these axes' shape (or one
// that broadcasts to it).
func layerNormalization(b *builder, n *onnx.Node, dY string) error {
	shape := b.info[n.Input(0)].Shape
	first := n.AttrInt("axis", -1)
	if first < 0 {
		first += int64(len(shape))
	}
	if shape == nil || first < 0 || first >= int64(len(shape)) {
		return fmt.Errorf("it normalises from axis %d on, and its input has shape %s", first, shape)
	}
	sizes, ok := shape[first:].Sizes()
	if !ok {
		return fmt.Errorf("the axes it normalises are not known: its input has shape %s", shape)
	}
	var axes []int64
	for i := first; i < int64(len(shape)); i++ {
		axes = append(axes, i)
	}
	scale, shift, y := n.Input(1), n.Input(2), n.Outputs[0]
	if err := b.giveUnbroadcast(shift, dY, y); err != nil {
		return err
	}
	normal, inverse := b.normalized(n, axes, product(sizes))
	if b.depends[scale] {
		if err := b.giveUnbroadcast(scale, b.mul(dY, normal), y); err != nil {
			return err
		}
	}
	b.giveNormalized(n, b.mul(dY, scale), normal, inverse, axes, product(sizes))
	return nil
}

// normalized is x̂ = (x−μ)·r and r = 1/√(v+ε), with mean and variance over count elements along axes.
func (b *builder) normalized(n *onnx.Node, axes []int64, count int64) (normal, inverse string) {
	x := n.Input(0)
	centred := b.sub(x, b.scaled(b.reduceSum(x, axes), 1/float64(count)))
	variance := b.scaled(b.reduceSum(b.mul(centred, centred), axes), 1/float64(count))
	floored := b.add(variance, b.scalar(float64(n.AttrFloat("epsilon", 1e-5))))
	inverse = b.node("Reciprocal", []string{b.node("Sqrt", []string{floored})})
	return b.mul(centred, inverse), inverse
}

// giveNormalized gives X its gradient r·(d − mean(d) − x̂·mean(d·x̂)), with d = dY·scale.
func (b *builder) giveNormalized(n *onnx.Node, d, normal, inverse string, axes []int64, count int64) {
	if !b.depends[n.Input(0)] {
		return
	}
	mean := func(v string) string { return b.scaled(b.reduceSum(v, axes), 1/float64(count)) }
	b.give(n.Input(0), b.mul(inverse, b.sub(b.sub(d, mean(d)), b.mul(normal, mean(b.mul(d, normal))))))
}
