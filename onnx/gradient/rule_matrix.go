package gradient

import (
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// product2 is alpha·x·y of two matrices, each transposed first if asked for.
func (b *builder) product2(x, y string, transX, transY bool, alpha float64) string {
	attributes := []*onnx.Attribute{}
	if transX {
		attributes = append(attributes, onnx.IntAttr("transA", 1))
	}
	if transY {
		attributes = append(attributes, onnx.IntAttr("transB", 1))
	}
	if alpha != 1 {
		attributes = append(attributes, onnx.FloatAttr("alpha", float32(alpha)))
	}
	return b.node("Gemm", []string{x, y}, attributes...)
}

// gemm: Y = alpha·A'·B' + beta·C, where ' transposes as the attributes say.
func gemm(b *builder, n *onnx.Node, dY string) error {
	x, w := n.Input(0), n.Input(1)
	transA, transB := n.AttrInt("transA", 0) != 0, n.AttrInt("transB", 0) != 0
	alpha := float64(n.AttrFloat("alpha", 1))
	if b.depends[x] {
		if transA {
			b.give(x, b.product2(w, dY, transB, true, alpha))
		} else {
			b.give(x, b.product2(dY, w, false, !transB, alpha))
		}
	}
	if b.depends[w] {
		if transB {
			b.give(w, b.product2(dY, x, true, transA, alpha))
		} else {
			b.give(w, b.product2(x, dY, !transA, false, alpha))
		}
	}
	if c := n.Input(2); b.depends[c] {
		return b.giveUnbroadcast(c, b.scaled(dY, float64(n.AttrFloat("beta", 1))), n.Outputs[0])
	}
	return nil
}

// matMul: Y[…,m,n] = A[…,m,k]·B[…,k,n], leading axes broadcast.
func matMul(b *builder, n *onnx.Node, dY string) error {
	x, w, y := n.Input(0), n.Input(1), n.Outputs[0]
	xs, ws := b.info[x].Shape, b.info[w].Shape
	if xs == nil || ws == nil {
		return errors.New("the shapes of its inputs cannot be inferred")
	}
	if len(xs) < 2 || len(ws) < 2 {
		return fmt.Errorf("it multiplies shapes %s and %s: only matrices and stacks of them are differentiated", xs, ws)
	}
	if len(ws) == 2 {
		return matMulStacked(b, x, w, dY, xs, ws)
	}
	if b.depends[x] {
		d := b.node("MatMul", []string{dY, b.swapLast(w, len(ws))})
		if err := b.giveReduced(x, d, y); err != nil {
			return err
		}
	}
	if b.depends[w] {
		d := b.node("MatMul", []string{b.swapLast(x, len(xs)), dY})
		return b.giveReduced(w, d, y)
	}
	return nil
}

// matMulStacked is matMul for one matrix B: all of A's rows in one product.
func matMulStacked(b *builder, x, w, dY string, xs, ws onnx.Shape) error {
	k, columns := ws[0], ws[1]
	if !k.Known() || !columns.Known() {
		return fmt.Errorf("its matrix %s has shape %s", w, ws)
	}
	rows := func(v string, width int64) string {
		if len(xs) == 2 {
			return v
		}
		return b.reshape(v, -1, width)
	}
	flat := rows(dY, columns.Size)
	if b.depends[x] {
		d := b.product2(flat, w, false, true, 1)
		if len(xs) > 2 {
			d = b.reshapeLike(d, x)
		}
		b.give(x, d)
	}
	if b.depends[w] {
		b.give(w, b.product2(rows(x, k.Size), flat, true, false, 1))
	}
	return nil
}

// swapLast transposes the matrices of a stack.
func (b *builder) swapLast(x string, rank int) string {
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	return b.transpose(x, perm...)
}

// giveReduced gives input the gradient d, summed over the leading axes that were broadcast to y's.
func (b *builder) giveReduced(input, d, y string) error {
	from, to := b.info[y].Shape, b.info[input].Shape
	lead := len(from) - len(to)
	var axes []int64
	for i := range len(from) - 2 {
		switch {
		case i < lead:
			axes = append(axes, int64(i))
		case to[i-lead] == from[i]:
		case to[i-lead] == onnx.Fixed(1):
			axes = append(axes, int64(i))
		default:
			return fmt.Errorf("cannot tell whether axis %d of %s %s is broadcast to %s", i-lead, input, to, from)
		}
	}
	if len(axes) > 0 {
		d = b.reduceSum(d, axes)
		if lead > 0 {
			d = b.reshapeLike(d, input)
		}
	}
	b.give(input, d)
	return nil
}
