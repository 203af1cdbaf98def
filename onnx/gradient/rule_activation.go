package gradient

import (
	"errors"
	"fmt"
	"math"

	"github.com/abn-studio/studio/onnx"
)

// softplus: y = log(1 + e^x), dX = dY·σ(x).
func softplus(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.mul(dY, b.node("Sigmoid", []string{n.Input(0)})))
	return nil
}

// bent is for activations with slope high above 0 and slope below(min(y, 0)) below 0.
func (b *builder) bent(n *onnx.Node, dY string, high float64, below func(low string) string) {
	above := b.above(n.Input(0), 0)
	under := b.mul(b.sub(b.scalar(1), above), below(b.node("Min", []string{n.Outputs[0], b.scalar(0)})))
	b.give(n.Input(0), b.mul(dY, b.add(b.scaled(above, high), under)))
}

// elu: α·(e^x − 1) below 0, with slope y + α.
func elu(b *builder, n *onnx.Node, dY string) error {
	alpha := float64(n.AttrFloat("alpha", 1))
	b.bent(n, dY, 1, func(low string) string { return b.add(low, b.scalar(alpha)) })
	return nil
}

// selu: γ·elu(x).
func selu(b *builder, n *onnx.Node, dY string) error {
	alpha, gamma := float64(n.AttrFloat("alpha", 1.67326319217681884765625)), float64(n.AttrFloat("gamma", 1.05070102214813232421875))
	b.bent(n, dY, gamma, func(low string) string { return b.add(low, b.scalar(alpha*gamma)) })
	return nil
}

// celu: α·(e^(x/α) − 1) below 0, with slope y/α + 1.
func celu(b *builder, n *onnx.Node, dY string) error {
	alpha := float64(n.AttrFloat("alpha", 1))
	b.bent(n, dY, 1, func(low string) string { return b.add(b.scaled(low, 1/alpha), b.scalar(1)) })
	return nil
}

// pRelu: y = x above 0 and s·x below, with s broadcast to x.
func pRelu(b *builder, n *onnx.Node, dY string) error {
	x, s := n.Input(0), n.Input(1)
	if b.depends[x] {
		above := b.above(x, 0)
		b.give(x, b.mul(dY, b.add(above, b.mul(b.sub(b.scalar(1), above), s))))
	}
	if b.depends[s] {
		return b.giveUnbroadcast(s, b.mul(dY, b.node("Min", []string{x, b.scalar(0)})), n.Outputs[0])
	}
	return nil
}

// gelu: y = x·Φ(x), with the normal distribution's Φ or its approximation by tanh.
func gelu(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	square := b.mul(x, x)
	switch approximate := n.AttrStr("approximate", "none"); approximate {
	case "none": // Φ + x·φ
		phi := b.scaled(b.add(b.node("Erf", []string{b.scaled(x, math.Sqrt(0.5))}), b.scalar(1)), 0.5)
		density := b.scaled(b.node("Exp", []string{b.scaled(square, -0.5)}), 1/math.Sqrt(2*math.Pi))
		b.give(x, b.mul(dY, b.add(phi, b.mul(x, density))))
	case "tanh": // with t = tanh(u), u = √(2/π)·(x + a·x³): ½(1+t) + ½x(1−t²)·u′
		const a = 0.044715
		slope := math.Sqrt(2 / math.Pi)
		t := b.node("Tanh", []string{b.mul(x, b.add(b.scaled(square, slope*a), b.scalar(slope)))})
		inner := b.mul(b.scaled(x, 0.5), b.add(b.scaled(square, 3*slope*a), b.scalar(slope)))
		b.give(x, b.mul(dY, b.add(b.scaled(b.add(t, b.scalar(1)), 0.5), b.mul(b.sub(b.scalar(1), b.mul(t, t)), inner))))
	default:
		return fmt.Errorf("approximate is %q", approximate)
	}
	return nil
}

// mish: y = x·t with t = tanh(softplus(x)), so dX = dY·(t + x·σ(x)·(1−t²)).
func mish(b *builder, n *onnx.Node, dY string) error {
	x := n.Input(0)
	t := b.node("Tanh", []string{b.node("Softplus", []string{x})})
	inner := b.mul(b.mul(x, b.node("Sigmoid", []string{x})), b.sub(b.scalar(1), b.mul(t, t)))
	b.give(x, b.mul(dY, b.add(t, inner)))
	return nil
}

func sine(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.mul(dY, b.node("Cos", []string{n.Input(0)})))
	return nil
}

func cosine(b *builder, n *onnx.Node, dY string) error {
	b.give(n.Input(0), b.neg(b.mul(dY, b.node("Sin", []string{n.Input(0)}))))
	return nil
}

// where passes dY to the input that was chosen. The condition has no gradient.
func where(b *builder, n *onnx.Node, dY string) error {
	choice, zero := n.Input(0), b.scalar(0)
	if b.depends[n.Input(1)] {
		if err := b.giveUnbroadcast(n.Input(1), b.node("Where", []string{choice, dY, zero}), n.Outputs[0]); err != nil {
			return err
		}
	}
	if b.depends[n.Input(2)] {
		return b.giveUnbroadcast(n.Input(2), b.node("Where", []string{choice, zero, dY}), n.Outputs[0])
	}
	return nil
}

// extreme is for Max and Min of several values: dY goes to the one that was taken, and in equal shares to values that are equal,
// as in PyTorch.
func extreme(b *builder, n *onnx.Node, dY string) error {
	if b.info[n.Outputs[0]].Type != onnx.Float {
		return errors.New("it compares other numbers than float32")
	}
	masks := make([]string, len(n.Inputs))
	for i, x := range n.Inputs {
		masks[i] = b.equals(x, n.Outputs[0])
	}
	if len(masks) > 1 {
		dY = b.div(dY, b.node("Sum", masks))
	}
	for i, x := range n.Inputs {
		if err := b.giveUnbroadcast(x, b.mul(dY, masks[i]), n.Outputs[0]); err != nil {
			return err
		}
	}
	return nil
}

// equals is 1 where x and y are the same, 0 elsewhere.
func (b *builder) equals(x, y string) string {
	return b.node("Cast", []string{b.node("Equal", []string{x, y})}, onnx.IntAttr("to", int64(onnx.Float)))
}

// mean is Sum divided by how many it adds.
func mean(b *builder, n *onnx.Node, dY string) error {
	return add(b, n, b.scaled(dY, 1/float64(len(n.Inputs))))
}
