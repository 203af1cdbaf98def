package step

import "github.com/abn-studio/studio/onnx"

// bodyRate is what the learning rate of the attention branch's body is multiplied by under RatesByLayer; from trials on
// MobileNetV2 (docs/adr/0020).
const bodyRate = 0.1

// Rates are what the learning rates of initializers are multiplied by under RatesByLayer, 1 where there is none.
//
// L_map comes into a batch as a mean over its edited rows, of which there are few, and its gradient with respect to a map has the same
// length however near the map is. In a branch whose BatchNorms are folded away nothing takes the length out of that pull: the layers
// that the map is computed through, the body, are drawn together until they say the same of every picture. So there the body, all that
// leads to the map in front of the first BatchNormalization (the head's, which stays where it follows no convolution), learns at
// bodyRate; the head learns the map. A network whose BatchNorms are kept, or one without any in its attention branch, has one rate.
func (s Source) Rates() map[string]float64 {
	if !Folded(s.Model.Graph) {
		return nil
	}
	s = s.indexed()
	toMap := s.ancestors(s.Attention)
	head := map[*onnx.Node]bool{} // what stands behind a BatchNormalization of the attention branch
	reached := map[string]bool{}
	for _, n := range s.Model.Graph.Nodes {
		behind := toMap[n] && n.IsOp("BatchNormalization")
		for _, in := range n.Reads() {
			behind = behind || reached[in]
		}
		if behind {
			head[n] = true
			for _, out := range n.Outputs {
				reached[out] = true
			}
		}
	}
	if len(head) == 0 {
		return nil
	}
	rates := map[string]float64{}
	for _, n := range s.Model.Graph.Nodes {
		if !toMap[n] || head[n] {
			continue
		}
		for _, i := range weightInputs[n.Op] {
			rates[s.initializer(n.Input(i))] = bodyRate
		}
	}
	return rates
}

// Folded reports whether fewer than half of a graph's convolutions have a BatchNormalization behind them.
func Folded(g *onnx.Graph) bool {
	normalised := map[string]bool{}
	for _, n := range g.Nodes {
		if n.IsOp("BatchNormalization") {
			normalised[n.Input(0)] = true
		}
	}
	convolutions, behind := 0, 0
	for _, n := range g.Nodes {
		if n.IsOp("Conv") {
			convolutions++
			if normalised[n.Output(0)] {
				behind++
			}
		}
	}
	return 2*behind < convolutions
}
