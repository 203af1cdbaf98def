package gradient

import (
	"errors"
	"math"

	"github.com/abn-studio/studio/onnx"
)

// asProducts is what to do about a form of Attention without a gradient.
const asProducts = ": export with opset_version=20, which writes it as MatMul and Softmax"

// attention: Y = P·V with P = softmax(S), S = s·Q·Kᵀ + mask, of stacks (N,heads,length,width). Inputs Q, K, V, mask.
//
//	dV = Pᵀ·dY,  dS = P∘(dP − Σ dP∘P) with dP = dY·Vᵀ,  dQ = s·dS·K,  dK = s·dSᵀ·Q
func attention(b *builder, n *onnx.Node, dY string) error {
	q, k, v, mask := n.Input(0), n.Input(1), n.Input(2), n.Input(3)
	qs, ks, vs := b.info[q].Shape, b.info[k].Shape, b.info[v].Shape
	switch {
	case len(qs) != 4 || len(ks) != 4 || len(vs) != 4 || !qs[3].Known():
		return errors.New("its heads are not an axis of their own" + asProducts)
	case qs[1] != ks[1] || qs[1] != vs[1]:
		return errors.New("several heads share keys and values" + asProducts)
	case n.AttrInt("is_causal", 0) != 0 || n.AttrFloat("softcap", 0) != 0 || n.Input(4) != "" || n.Input(5) != "" || n.Input(6) != "":
		return errors.New("it is causal, capped, or goes on with earlier keys" + asProducts)
	case mask != "" && b.info[mask].Type != onnx.Float:
		return errors.New("its mask is no float32" + asProducts)
	}
	scale := float64(n.AttrFloat("scale", float32(1/math.Sqrt(float64(qs[3].Size)))))
	scores := b.scaled(b.node("MatMul", []string{q, b.swapLast(k, 4)}), scale)
	shape := onnx.Shape{qs[0], qs[1], qs[2], ks[2]}
	if mask != "" {
		scores = b.add(scores, mask)
	}
	p := b.node("Softmax", []string{scores}, onnx.IntAttr("axis", 3))
	if b.depends[v] {
		b.give(v, b.node("MatMul", []string{b.swapLast(p, 4), dY}))
	}
	weighted := b.mul(b.node("MatMul", []string{dY, b.swapLast(v, 4)}), p)
	d := b.sub(weighted, b.mul(p, b.reduceSum(weighted, []int64{3})))
	if b.depends[mask] {
		b.info[scores] = onnx.ValueInfo{Name: scores, Type: onnx.Float, Shape: shape}
		if err := b.giveUnbroadcast(mask, d, scores); err != nil {
			return err
		}
	}
	if b.depends[q] || b.depends[k] {
		d = b.scaled(d, scale)
		b.give(q, b.node("MatMul", []string{d, k}))
		b.give(k, b.node("MatMul", []string{b.swapLast(d, 4), q}))
	}
	return nil
}
