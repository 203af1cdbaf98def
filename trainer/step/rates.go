package step

import "github.com/abn-studio/studio/onnx"

// bodyRate is the factor for the learning rate of the attention branch's body under RatesByLayer; from trials on MobileNetV2
// (docs/adr/0020).
const bodyRate = 0.1

// Rates are factors for the learning rates of initializers under RatesByLayer; 1 for those that have none.
//
// L_map is a mean over the edited rows of a batch, of which there are few, and its gradient with respect to a map has the same
// length however near the map is to its target. A BatchNorm would make up for that length. In a branch whose BatchNorms are
// folded away, the layers that the map is computed through, the body, are pulled together until they answer the same for every
// picture. There the body learns at bodyRate, and the head learns the map. The body is everything on the way to the map before
// the first BatchNormalization, which is the head's: it follows no convolution, so that exporters keep it. A network whose
// BatchNorms are kept, or one without any in its attention branch, has one rate.
func (s Source) Rates() map[string]float64 {
	if !Folded(s.Model.Graph) {
		return nil
	}
	s = s.indexed()
	toMap := s.ancestors(s.Attention)
	for n := range s.tail() {
		delete(toMap, n)
	}
	head := map[*onnx.Node]bool{} // nodes behind a BatchNormalization of the attention branch
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

// tailRate is the factor for the learning rate of the extractor's last blocks under the strategy all: they know more than one round
// can teach them.
const tailRate = 0.1

// TailRates are factors for the learning rates of the extractor's last blocks; nil where the source does not have them.
func (s Source) TailRates() map[string]float64 {
	s = s.indexed()
	var rates map[string]float64
	for n := range s.tail() {
		for _, i := range weightInputs[n.Op] {
			if rates == nil {
				rates = map[string]float64{}
			}
			rates[s.initializer(n.Input(i))] = tailRate
		}
	}
	return rates
}

// tail are the nodes of the extractor's last blocks, where the source has them.
func (s Source) tail() map[*onnx.Node]bool {
	if s.Shared == "" {
		return nil
	}
	return s.ancestors(s.Shared)
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
