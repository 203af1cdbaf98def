package onnx

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Cut is a value a classifier can be split at: features (N,C,h,w) through which everything later is computed.
type Cut struct {
	Value string `json:"value"`
	Node  string `json:"node"` // the node that makes it, "" where it has no name
	Op    string `json:"op"`
	// C, h, w.
	Channels int `json:"channels"`
	Height   int `json:"height"`
	Width    int `json:"width"`
	// Convolutions stand behind it, before the layer that makes the classes.
	Convolutions int `json:"convolutions"`
}

func (c Cut) String() string {
	return fmt.Sprintf("%s (%s, %d×%d×%d)", cmp.Or(c.Node, c.Value), c.Op, c.Channels, c.Height, c.Width)
}

func (c Cut) grid() [2]int { return [2]int{c.Height, c.Width} }

// isPlane reports whether a shape is (N,C,h,w) with more than one cell.
func isPlane(s Shape) bool {
	return len(s) == 4 && s[0].Name == BatchName && s[1].Known() && s[2].Known() && s[3].Known() && s[2].Size > 1 && s[3].Size > 1
}

// findCuts lists the articulation points of the graph between image and logits. It goes through the nodes in order and keeps the
// values that depend on the image and are still to be read. When only one is left, everything that follows is computed from it:
// it is a cut.
func (c *classifier) findCuts() error {
	last := map[string]int{} // the node that reads a value last
	for i, n := range c.model.Graph.Nodes {
		for _, in := range n.Reads() {
			if !n.IsOp("Shape", "Size") { // the batch's size is the same everywhere
				last[in] = i
			}
		}
	}
	for _, n := range c.model.Graph.Nodes {
		if s := c.inferred.Shape(n.Output(0)); n.IsOp("Conv", "MaxPool", "AveragePool", "LpPool") && isPlane(s) && c.varying[n.Output(0)] {
			if grid := [2]int64{s[2].Size, s[3].Size}; !slices.Contains(c.grids, grid) {
				c.grids = append(c.grids, grid)
			}
		}
	}
	if len(c.grids) == 0 {
		return fmt.Errorf("%w: it has no convolution", ErrAttach)
	}
	live := map[string]bool{c.image.Name: true}
	for i, n := range c.model.Graph.Nodes {
		for _, in := range n.Reads() {
			if last[in] == i {
				delete(live, in)
			}
		}
		for _, out := range n.Outputs {
			if _, read := last[out]; c.varying[out] && read && c.inferred.Values[out].Type != Int64 {
				live[out] = true
			}
		}
		s := c.inferred.Shape(n.Output(0))
		// Only grids that a convolution or pool makes count, which leaves out (N,h,w,C) behind a Transpose. A Pad belongs to the
		// layer after it.
		if len(live) != 1 || !live[n.Output(0)] || !isPlane(s) || !slices.Contains(c.grids, [2]int64{s[2].Size, s[3].Size}) || passes(n) {
			continue
		}
		c.cuts = append(c.cuts, Cut{Value: n.Output(0), Node: n.Name, Op: n.Op, Channels: int(s[1].Size), Height: int(s[2].Size), Width: int(s[3].Size)})
	}
	c.findEnd()
	if len(c.cuts) == 0 {
		why := cmp.Or(c.layout(), "no value (N,C,h,w) between image and classes that all later ones are computed from")
		return fmt.Errorf("%w: %s", ErrAttach, why)
	}
	behind := 0
	count := map[string]int{}
	for _, n := range slices.Backward(c.model.Graph.Nodes) {
		count[n.Output(0)] = behind
		if n.IsOp("Conv") && n != c.head && c.varying[n.Output(0)] && isPlane(c.inferred.Shape(n.Output(0))) {
			behind++
		}
	}
	for i := range c.cuts {
		c.cuts[i].Convolutions = count[c.cuts[i].Value]
	}
	return nil
}

// layout says how else a network keeps its features, where an attention branch finds no grid of cells, and what to do, as its normalisations
// show; "" where that is not known.
func (c *classifier) layout() string {
	const remedy = "in PyTorch, build the attention branch on them there, and export that"
	for _, n := range slices.Backward(c.model.Graph.Nodes) {
		if !n.IsOp("LayerNormalization", "RMSNormalization") {
			continue
		}
		switch s := c.inferred.Shape(n.Input(0)); len(s) {
		case 3:
			return fmt.Sprintf("it works on tokens %v, as vision transformers do, and these have no grid (N,C,h,w) that a map could lie on: put them back on their grid "+remedy, s)
		case 4:
			return fmt.Sprintf("it keeps its features channels last inside, %v, as Swin transformers do, and a map lies on a grid (N,C,h,w): permute them "+remedy, s)
		}
	}
	return ""
}

// passes reports whether a node only hands features on.
func passes(n *Node) bool { return n.IsOp("Pad", "Identity", "Dropout") }

// findEnd drops the cuts behind the last features. A head that is a convolution over the grid is not copied, and neither are
// pools in front of the head.
func (c *classifier) findEnd() {
	head := c.index.Position[c.head]
	c.cuts = slices.DeleteFunc(c.cuts, func(cut Cut) bool { return c.index.Position[c.index.Producer[cut.Value]] >= head })
	for n := len(c.cuts); n > 1; n = len(c.cuts) {
		made := c.index.Producer[c.cuts[n-1].Value]
		if !made.IsOp("MaxPool", "AveragePool") {
			break
		}
		c.cuts = c.cuts[:n-1]
	}
}

// copyEnd is where the attention branch's copy of the stage behind a cut ends: the sum or concatenation that has nearest to half
// of the stage's convolutions before it, the earlier of two that are equally near; the end of the stage if there is none. Half a
// stage is enough to learn a map and takes half the time, and training with L_map is more stable on the shorter branch
// (docs/adr/0020).
func (c *classifier) copyEnd(cut Cut) Cut {
	last := c.cuts[len(c.cuts)-1]
	end, nearest := last, math.MaxInt
	for _, at := range c.cuts[slices.Index(c.cuts, cut)+1:] {
		done, left := cut.Convolutions-at.Convolutions, at.Convolutions-last.Convolutions
		if distance := max(done-left, left-done); done > 0 && left > 0 && distance < nearest && c.merges(at) {
			end, nearest = at, distance
		}
	}
	return end
}

// merges reports whether a cut is a sum or concatenation of several values that depend on the image.
func (c *classifier) merges(cut Cut) bool {
	n := c.index.Producer[cut.Value]
	varying := 0
	for _, in := range n.Inputs {
		if c.varying[in] {
			varying++
		}
	}
	return n.IsOp("Add", "Sum", "Concat") && varying > 1
}

// A grid is too fine to be painted on, and to copy a stage at, where it has more than maxAutoSide cells along a side
// and a cell stands for fewer than maxAutoStride pixels.
const (
	maxAutoSide   = 20
	maxAutoStride = 16
)

func (c *classifier) tooFine(cut Cut) bool {
	side, pixels := max(cut.Height, cut.Width), max(c.image.Shape[2].Size, c.image.Shape[3].Size)
	return side > maxAutoSide && pixels < int64(maxAutoStride*side)
}

// choose picks the cut: the one named, or by this rule.
//
//   - The last stage begins where the grid of the cuts shrinks for the last time with convolutions still to come. Its
//     input is where the published networks split: 14×14 of 224 pixels in a ResNet, 16×16 of 32 in those for CIFAR.
//   - On that grid, of the cuts from its last Add or Concat on, the one with the fewest channels is taken, the last of
//     several: a block's own widening (MobileNet's 6×) is left to the branches, and a DenseNet's transition to the extractor.
//   - Where that grid is too fine (tooFine: SqueezeNet's 27×27, VGG's 28×28) the stage is entered: the first cut on the coarser
//     grid, behind the norm and activation of the layer that made it.
//   - A network of one grid is split where half of its convolutions are done.
func (c *classifier) choose(at string) (Cut, error) {
	if at != "" && at != "auto" {
		for _, cut := range c.cuts {
			if at == cut.Value || at == cut.Node {
				return cut, nil
			}
		}
		return Cut{}, fmt.Errorf("%w: %q is no value that all later ones are computed from; these are: %s", ErrAttach, at, listCuts(c.cuts))
	}
	if c.cuts[0].Convolutions == 0 {
		if why := c.layout(); why != "" {
			return Cut{}, fmt.Errorf("%w: %s", ErrAttach, why)
		}
		return Cut{}, fmt.Errorf("%w: no convolution stands behind any value it could be split at, and an attention branch is a copy of the last ones; name one to split there all the same: %s", ErrAttach, listCuts(c.cuts))
	}
	for i := len(c.cuts) - 1; i > 0; i-- {
		before, after := c.cuts[i-1], c.cuts[i]
		if before.Convolutions == 0 || after.Height*after.Width >= before.Height*before.Width {
			continue
		}
		if c.tooFine(before) && after.Convolutions > 0 {
			return c.settled(i), nil
		}
		return c.narrowest(i), nil
	}
	half := slices.IndexFunc(c.cuts, func(cut Cut) bool { return 2*cut.Convolutions <= c.cuts[0].Convolutions+1 })
	if half < 0 || c.cuts[half].Convolutions == 0 {
		half = 0
	}
	return c.cuts[half], nil
}

// settled is the cut behind the norm and activation that follow the i-th.
func (c *classifier) settled(i int) Cut {
	for i+1 < len(c.cuts) {
		next := c.index.Producer[c.cuts[i+1].Value]
		if !next.IsOp("BatchNormalization", "Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "Elu") || next.Input(0) != c.cuts[i].Value {
			break
		}
		i++
	}
	return c.cuts[i]
}

// narrowest is, of the cuts on the grid that ends before the i-th, the last of those with the fewest channels, from the
// last sum or concatenation on.
func (c *classifier) narrowest(i int) Cut {
	first := i - 1
	for first > 0 && c.cuts[first-1].grid() == c.cuts[i-1].grid() {
		first--
	}
	for j := i - 1; j >= first; j-- {
		if c.merges(c.cuts[j]) {
			first = j
			break
		}
	}
	best := c.cuts[first]
	for _, cut := range c.cuts[first:i] {
		if cut.Channels <= best.Channels {
			best = cut
		}
	}
	return best
}

func listCuts(cuts []Cut) string {
	list := make([]string, len(cuts))
	for i, cut := range cuts {
		list[i] = cut.String()
	}
	return Enumerate(list, ", ")
}
