package gradient

import (
	"errors"

	"github.com/abn-studio/studio/onnx"
)

// add serves Add and Sum: every input gets dY.
func add(b *builder, n *onnx.Node, dY string) error {
	for _, x := range n.Inputs {
		if err := b.giveUnbroadcast(x, dY, n.Outputs[0]); err != nil {
			return err
		}
	}
	return nil
}

func subtract(b *builder, n *onnx.Node, dY string) error {
	if err := b.giveUnbroadcast(n.Input(0), dY, n.Outputs[0]); err != nil {
		return err
	}
	if !b.depends[n.Input(1)] {
		return nil
	}
	d, err := b.unbroadcast(dY, n.Outputs[0], n.Input(1))
	if err != nil {
		return err
	}
	b.give(n.Input(1), b.neg(d)) // after the sum: fewer elements
	return nil
}

func multiply(b *builder, n *onnx.Node, dY string) error {
	x, w := n.Input(0), n.Input(1)
	if b.depends[x] {
		if err := b.giveUnbroadcast(x, b.mul(dY, w), n.Outputs[0]); err != nil {
			return err
		}
	}
	if b.depends[w] {
		return b.giveUnbroadcast(w, b.mul(dY, x), n.Outputs[0])
	}
	return nil
}

// divide: y = x/w, so dX = dY/w and dW = −dY·y/w.
func divide(b *builder, n *onnx.Node, dY string) error {
	x, w, y := n.Input(0), n.Input(1), n.Outputs[0]
	quotient := b.div(dY, w)
	if err := b.giveUnbroadcast(x, quotient, y); err != nil {
		return err
	}
	if b.depends[w] {
		return b.giveUnbroadcast(w, b.neg(b.mul(quotient, y)), y)
	}
	return nil
}

// power: dX = dY·p·x^(p−1) for a constant exponent.
func power(b *builder, n *onnx.Node, dY string) error {
	if b.depends[n.Input(1)] {
		return errors.New("its exponent is trained")
	}
	p, err := b.knownFloat(n.Input(1))
	if err != nil {
		return err
	}
	slope := n.Input(0)
	if p != 2 {
		slope = b.node("Pow", []string{slope, b.scalar(p - 1)})
	}
	return b.giveUnbroadcast(n.Input(0), b.mul(b.scaled(dY, p), slope), n.Outputs[0])
}
