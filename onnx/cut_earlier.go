package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrCut says that a network cannot be cut so many blocks before its features.
var ErrCut = errors.New("the extractor cannot be cut there")

// CutEarlier takes the network apart anew, with the last blocks of its extractor in the graphs of the branches, so that they can be
// trained too: Extractor then ends before them, and Features, ExtractorInitializers and Tail say where. The grid of the map, and the
// size of the features that the branches share (Channels, Height, Width), are what they were. A block is a stretch of the extractor
// with weights of its own between two values through which everything passes: a residual block, or one layer of a plain network. Where
// there are no so many, the error wraps ErrCut and says how many there are.
func (a *ABN) CutEarlier(ctx context.Context, blocks int) (*ABN, error) {
	return splitAt(ctx, a.model, &a.Parts, blocks)
}

// earlierCut is where an extractor is cut in two.
type earlierCut struct {
	head, tail []*Node // in the graph's order; tail ends with the features that the branches share
	value      string  // between them
	dims       [3]int  // its C, h, w
}

// cutEarlier finds the value before the last blocks of an extractor.
func cutEarlier(ctx context.Context, m *Model, parts *Parts, nodes [3][]*Node, blocks int) (earlierCut, error) {
	inferred, err := Infer(ctx, m, nil)
	if err != nil {
		return earlierCut{}, err
	}
	index := m.Graph.Index()
	varying := (&finder{graph: m.Graph}).descendants(map[string]bool{parts.Names.Image: true})
	isPart := map[*Node]bool{}
	for _, n := range slices.Concat(nodes[:]...) {
		isPart[n] = true
	}
	reads := map[string]int{} // by nodes that were not passed yet
	for n := range isPart {
		for _, in := range n.Reads() {
			if varying[in] {
				reads[in]++
			}
		}
	}
	// Everything passes through a value if, once the nodes up to it have run, nothing else that follows from the image is still to be
	// read. That holds in any order in which the nodes can run, so in the graph's.
	live := map[string]bool{parts.Names.Image: true}
	var cuts []earlierCut // by how many blocks come before
	blocksBefore, found := 0, 0
	for i, n := range nodes[extractorPart] {
		for _, in := range n.Reads() {
			if reads[in]--; reads[in] == 0 {
				delete(live, in)
			}
		}
		for _, out := range n.Outputs {
			if reads[out] > 0 {
				live[out] = true
			}
		}
		if hasWeights(n, index) {
			blocksBefore = 1
		}
		value := n.Output(0)
		dims, ok := cutDims(inferred.Values[value])
		if len(live) != 1 || !live[value] || !ok {
			continue
		}
		found += blocksBefore
		blocksBefore = 0
		for len(cuts) <= found {
			cuts = append(cuts, earlierCut{})
		}
		// The last value of those with as many blocks before them: normalisation and activation belong to the block that they follow.
		cuts[found] = earlierCut{head: nodes[extractorPart][:i+1], tail: nodes[extractorPart][i+1:], value: value, dims: dims}
	}
	at := found - blocks
	if at < 1 || cuts[at].head == nil {
		return earlierCut{}, fmt.Errorf("%w: it has %d blocks between values through which everything passes, of which the first stays as it is; want 1 to %d of the last ones, not %d", ErrCut, found, max(found-1, 1), blocks)
	}
	return cuts[at], nil
}

// hasWeights reports whether a node is a layer with a weight.
func hasWeights(n *Node, x *Index) bool {
	if !n.IsOp("Conv", "ConvTranspose", "Gemm", "MatMul") {
		return false
	}
	for _, in := range n.Inputs {
		if x.Initializers[in] != nil {
			return true
		}
	}
	return false
}

// cutDims are C, h and w of a value that features can be.
func cutDims(v ValueInfo) (dims [3]int, ok bool) {
	if v.Type != Float || len(v.Shape) != 4 {
		return dims, false
	}
	sizes, known := v.Shape[1:].Sizes()
	if !known {
		return dims, false
	}
	for i, size := range sizes {
		dims[i] = int(size)
		if size < 1 {
			return dims, false
		}
	}
	return dims, true
}

// divide divides the extractor's initializers among head and tail. One that both read is the head's, which never changes.
func (c earlierCut) divide(g *Graph) (head, tail []string) {
	reads := func(nodes []*Node) map[string]bool {
		set := map[string]bool{}
		for _, n := range nodes {
			for _, in := range n.Reads() {
				set[in] = true
			}
		}
		return set
	}
	ofHead, ofTail := reads(c.head), reads(c.tail)
	for _, t := range g.Initializers {
		switch {
		case ofHead[t.Name]:
			head = append(head, t.Name)
		case ofTail[t.Name]:
			tail = append(tail, t.Name)
		}
	}
	return head, tail
}
