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
	normal, inverse := b.normalized(n.Input(0), n, axes, product(spatial))
	if b.depends[scale] {
		b.give(scale, b.perChannel(b.mul(dY, normal), rank))
	}
	if b.depends[n.Input(0)] {
		b.give(n.Input(0), b.throughNormalized(b.mul(dY, b.column(scale, rank)), normal, inverse, axes, product(spatial)))
	}
	return nil
}

// layerNormalization: the statistics of every row, over the axes from axis on, with scale and shift of these axes' shape (or one
// that broadcasts to it).
func layerNormalization(b *builder, n *onnx.Node, dY string) error {
	axes, count, err := b.lastAxes(n)
	if err != nil {
		return err
	}
	scale, shift, y := n.Input(1), n.Input(2), n.Outputs[0]
	if err := b.giveUnbroadcast(shift, dY, y); err != nil {
		return err
	}
	normal, inverse := b.normalized(n.Input(0), n, axes, count)
	if b.depends[scale] {
		if err := b.giveUnbroadcast(scale, b.mul(dY, normal), y); err != nil {
			return err
		}
	}
	if b.depends[n.Input(0)] {
		b.give(n.Input(0), b.throughNormalized(b.mul(dY, scale), normal, inverse, axes, count))
	}
	return nil
}

// rmsNormalization: y = scale·x·r with r = 1/√(mean(x²)+ε) over the last axes, so dX = r·(d − x̂·mean(d·x̂)) with d = dY·scale.
func rmsNormalization(b *builder, n *onnx.Node, dY string) error {
	axes, count, err := b.lastAxes(n)
	if err != nil {
		return err
	}
	x, scale := n.Input(0), n.Input(1)
	mean := func(v string) string { return b.scaled(b.reduceSum(v, axes), 1/float64(count)) }
	inverse := b.node("Reciprocal", []string{b.node("Sqrt", []string{b.add(mean(b.mul(x, x)), b.scalar(float64(n.AttrFloat("epsilon", 1e-5))))})})
	normal := b.mul(x, inverse)
	if b.depends[scale] {
		if err := b.giveUnbroadcast(scale, b.mul(dY, normal), n.Outputs[0]); err != nil {
			return err
		}
	}
	if b.depends[x] {
		d := b.mul(dY, scale)
		b.give(x, b.mul(inverse, b.sub(d, b.mul(normal, mean(b.mul(d, normal))))))
	}
	return nil
}

// lastAxes are the axes that a LayerNormalization or RMSNormalization normalises over, and how many elements they have together.
func (b *builder) lastAxes(n *onnx.Node) (axes []int64, count int64, err error) {
	shape := b.info[n.Input(0)].Shape
	first := n.AttrInt("axis", -1)
	if first < 0 {
		first += int64(len(shape))
	}
	if shape == nil || first < 0 || first >= int64(len(shape)) {
		return nil, 0, fmt.Errorf("it normalises from axis %d on, and its input has shape %s", first, shape)
	}
	sizes, ok := shape[first:].Sizes()
	if !ok {
		return nil, 0, fmt.Errorf("the axes it normalises are not known: its input has shape %s", shape)
	}
	for i := first; i < int64(len(shape)); i++ {
		axes = append(axes, i)
	}
	return axes, product(sizes), nil
}

// groupNormalization: the statistics of every image's every group of channels, X [N,C,…] being [N,G,C/G·…]; scale and shift are [C],
// before operator set 21 [G].
func groupNormalization(b *builder, n *onnx.Node, dY string) error {
	x, scale, shift := n.Input(0), n.Input(1), n.Input(2)
	spatial, err := b.spatial(x)
	if err != nil {
		return err
	}
	channels, groups := b.info[x].Shape[1], n.AttrInt("num_groups", 0)
	of, known := b.info[scale].Shape.Sizes()
	if !channels.Known() || groups < 1 || channels.Size%groups != 0 || !known || len(of) != 1 || of[0] != channels.Size && of[0] != groups {
		return fmt.Errorf("its input has shape %s, its scale %s and it has %d groups", b.info[x].Shape, b.info[scale].Shape, groups)
	}
	rank, count, axes := len(spatial)+2, channels.Size/groups*product(spatial), []int64{2}
	grouped := func(v string) string { return b.reshape(v, 0, groups, count) }
	ofGroups := of[0] == groups && groups != channels.Size
	normal, inverse := b.normalized(grouped(x), n, axes, count)
	give := func(parameter, v string) { // v is as X
		switch {
		case !b.depends[parameter]:
		case ofGroups:
			b.give(parameter, b.perChannel(grouped(v), 3))
		default:
			b.give(parameter, b.perChannel(v, rank))
		}
	}
	give(shift, dY)
	give(scale, b.mul(dY, b.reshapeLike(normal, x)))
	if !b.depends[x] {
		return nil
	}
	var d string
	if ofGroups {
		d = b.mul(grouped(dY), b.column(scale, 3))
	} else {
		d = grouped(b.mul(dY, b.column(scale, rank)))
	}
	b.give(x, b.reshapeLike(b.throughNormalized(d, normal, inverse, axes, count), x))
	return nil
}

// normalized is x̂ = (x−μ)·r and r = 1/√(v+ε), with mean and variance over count elements of x along axes; n has ε.
func (b *builder) normalized(x string, n *onnx.Node, axes []int64, count int64) (normal, inverse string) {
	centred := b.sub(x, b.scaled(b.reduceSum(x, axes), 1/float64(count)))
	variance := b.scaled(b.reduceSum(b.mul(centred, centred), axes), 1/float64(count))
	floored := b.add(variance, b.scalar(float64(n.AttrFloat("epsilon", 1e-5))))
	inverse = b.node("Reciprocal", []string{b.node("Sqrt", []string{floored})})
	return b.mul(centred, inverse), inverse
}

// throughNormalized is X's gradient r·(d − mean(d) − x̂·mean(d·x̂)), with d = dY·scale.
func (b *builder) throughNormalized(d, normal, inverse string, axes []int64, count int64) string {
	mean := func(v string) string { return b.scaled(b.reduceSum(v, axes), 1/float64(count)) }
	return b.mul(inverse, b.sub(b.sub(d, mean(d)), b.mul(normal, mean(b.mul(d, normal)))))
}
