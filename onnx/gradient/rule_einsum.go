package gradient

import (
	"fmt"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// einsum computes an operand's gradient by another einsum, of dY and the other operands, whose result has the operand's axes.
// Axes that only this operand has were summed, so that their gradient is repeated.
func einsum(b *builder, n *onnx.Node, dY string) error {
	equation := strings.ReplaceAll(n.AttrStr("equation", ""), " ", "")
	left, result, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if !explicit || strings.Contains(equation, ".") || len(terms) != len(n.Inputs) {
		return fmt.Errorf("its equation is %q: only one with a result and without an ellipsis is differentiated", equation)
	}
	sizes := map[rune]onnx.Dim{}
	for i, term := range terms {
		shape := b.info[n.Input(i)].Shape
		if len(shape) != len(term) {
			return fmt.Errorf("%s has shape %s for %q", n.Input(i), shape, term)
		}
		for k, label := range term {
			if strings.Count(term, string(label)) > 1 {
				return fmt.Errorf("its equation is %q: a diagonal is not differentiated", equation)
			}
			if size, ok := sizes[label]; ok && size != shape[k] {
				return fmt.Errorf("its equation is %q, and %c is %s and %s", equation, label, size, shape[k])
			}
			sizes[label] = shape[k]
		}
	}
	for i, term := range terms {
		x := n.Input(i)
		if !b.depends[x] {
			continue
		}
		sources, inputs := []string{result}, []string{dY}
		for k, other := range terms {
			if k != i {
				sources, inputs = append(sources, other), append(inputs, n.Input(k))
			}
		}
		var kept strings.Builder
		var missing []int64
		for k, label := range term {
			if strings.ContainsRune(strings.Join(sources, ""), label) {
				kept.WriteRune(label)
			} else {
				missing = append(missing, int64(k))
			}
		}
		d := b.node("Einsum", inputs, onnx.StrAttr("equation", strings.Join(sources, ",")+"->"+kept.String()))
		if len(missing) > 0 {
			d = b.node("Expand", []string{b.node("Unsqueeze", []string{d, b.ints(missing...)}), b.shapeOf(x)})
		}
		b.give(x, d)
	}
	return nil
}
