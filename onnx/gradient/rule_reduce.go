package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// likeInput is for operators that only change the axes: Flatten, Reshape, Squeeze, Unsqueeze.
func likeInput(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.reshapeLike(dY, n.Input(0)))
	return nil
}

func reduceMean(b *builder, n *onnx.Node, dY string) error { return reduce(b, n, dY, true) }
func reduceSum(b *builder, n *onnx.Node, dY string) error  { return reduce(b, n, dY, false) }

// reduce spreads dY over the axes that were reduced, divided by their number for a mean.
func reduce(b *builder, n *onnx.Node, dY string, mean bool) error {
	x := n.Input(0)
	shape := b.info[x].Shape
	if shape == nil {
		return errors.New("its input's shape cannot be inferred")
	}
	axes, err := b.reducedAxes(n, len(shape))
	if err != nil {
		return err
	}
	if len(axes) == 0 {
		b.give(x, dY)
		return nil
	}
	if mean {
		dY = b.divideByCount(dY, x, shape, axes)
	}
	if n.AttrInt("keepdims", 1) == 0 {
		dY = b.node("Unsqueeze", []string{dY, b.ints(axes...)})
	}
	b.give(x, b.node("Expand", []string{dY, b.shapeOf(x)}))
	return nil
}

// reduceLogSumExp: y = log Σ e^x; dX = dY·e^(x−y).
func reduceLogSumExp(b *builder, n *onnx.Node, dY string) error {
	return reduceLog(b, n, dY, func(x, y, dY string) string { return b.mul(dY, b.node("Exp", []string{b.sub(x, y)})) })
}

// reduceLogSum: y = log Σ x; dX = dY·e^(−y).
func reduceLogSum(b *builder, n *onnx.Node, dY string) error {
	return reduceLog(b, n, dY, func(x, y, dY string) string {
		return b.node("Expand", []string{b.mul(dY, b.node("Exp", []string{b.neg(y)})), b.shapeOf(x)})
	})
}

// reduceLog gives x the gradient that give computes from x, y and dY; y and dY have the reduced axes again, with size 1.
func reduceLog(b *builder, n *onnx.Node, dY string, give func(x, y, dY string) string) error {
	x, y := n.Input(0), n.Outputs[0]
	shape := b.info[x].Shape
	if shape == nil {
		return errors.New("its input's shape cannot be inferred")
	}
	axes, err := b.reducedAxes(n, len(shape))
	if err != nil {
		return err
	}
	if len(axes) > 0 && n.AttrInt("keepdims", 1) == 0 {
		y, dY = b.node("Unsqueeze", []string{y, b.ints(axes...)}), b.node("Unsqueeze", []string{dY, b.ints(axes...)})
	}
	b.give(x, give(x, y, dY))
	return nil
}

// reducedAxes are the axes of a reduction, ascending and not negative.
func (b *builder) reducedAxes(n *onnx.Node, rank int) ([]int64, error) {
	axes := n.AttrInts("axes")
	if input := n.Input(1); input != "" {
		var ok bool
		if axes, ok = b.knownInts(input); !ok {
			return nil, fmt.Errorf("its axes %s are not constant", input)
		}
	}
	reduced := make([]bool, rank)
	for _, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return nil, fmt.Errorf("axis %d is not one of %d", a, rank)
		}
		reduced[a] = true
	}
	all := len(axes) == 0 && n.AttrInt("noop_with_empty_axes", 0) == 0
	var list []int64
	for i, r := range reduced {
		if r || all {
			list = append(list, int64(i))
		}
	}
	return list, nil
}

// divideByCount divides dY by how many elements of x (of that shape) lie along axes.
func (b *builder) divideByCount(dY, x string, shape onnx.Shape, axes []int64) string {
	count, open := 1.0, []int64{}
	for _, a := range axes {
		if shape[a].Known() {
			count *= float64(shape[a].Size)
		} else {
			open = append(open, a)
		}
	}
	dY = b.scaled(dY, 1/count)
	if len(open) == 0 {
		return dY
	}
	sizes := b.node("Gather", []string{b.shapeOf(x), b.ints(open...)})
	total := b.node("ReduceProd", []string{sizes}, onnx.IntAttr("keepdims", 0))
	return b.div(dY, b.node("Cast", []string{total}, onnx.IntAttr("to", int64(onnx.Float))))
}

func globalAveragePool(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	spatial, err := b.spatial(x)
	if err != nil {
		return err
	}
	b.give(x, b.node("Expand", []string{b.scaled(dY, 1/float64(product(spatial))), b.shapeOf(x)}))
	return nil
}

func expand(b *builder, n *onnx.Node, dY string) error {
	return b.giveUnbroadcast(n.Input(0), dY, n.Outputs[0])
}

// softmax: dX = y·(dY − Σ dY·y).
func softmax(b *builder, n *onnx.Node, dY string) error {
	axis, err := b.softmaxAxis(n)
	if err != nil {
		return err
	}
	y := n.Outputs[0]
	weighted := b.mul(dY, y)
	b.give(n.Input(0), b.sub(weighted, b.mul(y, b.reduceSum(weighted, []int64{axis}))))
	return nil
}

// logSoftmax: dX = dY − e^y·Σ dY.
func logSoftmax(b *builder, n *onnx.Node, dY string) error {
	axis, err := b.softmaxAxis(n)
	if err != nil {
		return err
	}
	spread := b.mul(b.node("Exp", []string{n.Outputs[0]}), b.reduceSum(dY, []int64{axis}))
	b.give(n.Input(0), b.sub(dY, spread))
	return nil
}

func (b *builder) softmaxAxis(n *onnx.Node) (int64, error) {
	rank := int64(len(b.info[n.Input(0)].Shape))
	axis := n.AttrInt("axis", -1)
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return 0, fmt.Errorf("axis %d is not one of %d", axis, rank)
	}
	return axis, nil
}

// softmaxCrossEntropy: scores [N,K] and labels [N]; dX = (softmax − one-hot)·dY, /N for the mean.
func softmaxCrossEntropy(b *builder, n *onnx.Node, dY string) error {
	scores, labels := n.Input(0), n.Input(1)
	shape := b.info[scores].Shape
	switch {
	case n.Input(2) != "":
		return errors.New("class weights are not differentiated")
	case n.Attr("ignore_index") != nil:
		return errors.New("ignore_index is not differentiated")
	case len(shape) != 2 || !shape[1].Known():
		return fmt.Errorf("its scores have shape %s, want (N,K)", shape)
	}
	oneHot := b.node("OneHot", []string{labels, b.ints(shape[1].Size), b.floats([]float32{0, 1}, 2)}, onnx.IntAttr("axis", 1))
	d := b.sub(b.node("Softmax", []string{scores}, onnx.IntAttr("axis", 1)), oneHot)
	switch reduction := n.AttrStr("reduction", "mean"); reduction {
	case "mean":
		dY = b.divideByCount(dY, scores, shape, []int64{0})
	case "sum":
	case "none":
		dY = b.node("Unsqueeze", []string{dY, b.ints(1)})
	default:
		return fmt.Errorf("reduction is %q", reduction)
	}
	b.give(scores, b.mul(d, dY))
	return nil
}
