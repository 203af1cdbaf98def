package onnx

import (
	"fmt"
	"slices"
)

// skip explains a value that goes past the features, for messages.
const skip = "a skip past them, as feature pyramids and class tokens are. The branches are trained on kept features: they may read those and the map, nothing else"

// divide assigns nodes and initializers to the three parts, and refuses a graph in which a branch reads more than features and
// map. Nodes that only compute constants may stand in several parts.
func (f *finder) divide() error {
	p := f.parts
	varying := f.descendants(map[string]bool{p.Names.Image: true})
	extractor := f.ancestors([]string{p.Names.Features})
	if root := f.index.Producer[f.root]; root != nil && extractor[root] {
		return fmt.Errorf("%w: the features %q depend on the map %q", ErrNoABN, p.Names.Features, f.root)
	}
	f.batchFromFeatures(extractor, varying)
	attention := f.ancestors([]string{p.Names.Map, p.Names.LogitsAtt}, p.Names.Features)
	perception := f.ancestors([]string{p.Names.LogitsPer}, p.Names.Features, p.Names.Map)

	foreign := func(branch, owner map[*Node]bool) (reader *Node, value string) {
		for _, n := range f.graph.Nodes {
			if !branch[n] || owner[n] {
				continue
			}
			for _, in := range n.Reads() {
				made := f.index.Producer[in]
				port := in == p.Names.Features || in == p.Names.Map
				if varying[in] && !port && (in == p.Names.Image || made != nil && owner[made]) {
					return n, in
				}
			}
		}
		return nil, ""
	}
	if n, value := foreign(attention, extractor); n != nil {
		return fmt.Errorf("%w: %v of the attention branch reads %q inside the extractor, beside the features %q: %s", ErrNoABN, n, value, p.Names.Features, skip)
	}
	if n, value := foreign(perception, extractor); n != nil {
		return fmt.Errorf("%w: %v of the perception branch reads %q inside the extractor, beside the features %q: %s", ErrNoABN, n, value, p.Names.Features, skip)
	}
	if n, value := foreign(perception, attention); n != nil {
		return fmt.Errorf("%w: %v of the perception branch reads %q of the attention branch, beside the map %q", ErrNoABN, n, value, p.Names.Map)
	}
	f.otherwise(perception)
	if p.Gain == GainOther {
		p.Gain, p.Effect = f.ownGain(perception)
	}
	values := f.rangeOf(p.Names.Map, maxRangeDepth)
	p.MapSource, p.MapRange, p.MapBounded, p.MapShares = f.source, values.text(), values.bounded(), f.sharesOut(p.Names.Map)
	nodes := f.inOrder(extractor, attention, perception)
	if len(nodes[extractorPart]) == 0 {
		return fmt.Errorf("%w: the map multiplies the image %q itself: there is no extractor", ErrNoABN, p.Names.Features)
	}
	widenFor(f.graph, nodes[attentionPart], nodes[perceptionPart])
	p.Split = untie(f.graph, nodes)
	f.index = f.graph.Index()
	// Again, now without the nodes that passed on a shared tensor.
	nodes = f.inOrder(f.ancestors([]string{p.Names.Features}), f.ancestors([]string{p.Names.Map, p.Names.LogitsAtt}, p.Names.Features),
		f.ancestors([]string{p.Names.LogitsPer}, p.Names.Features, p.Names.Map))
	for part, list := range nodes {
		for _, n := range list {
			p.nodes[part] = append(p.nodes[part], f.index.valueOf(n))
		}
	}
	f.assignInitializers(nodes)
	return nil
}

// inOrder lists the nodes of each part in the graph's order.
func (f *finder) inOrder(sets ...map[*Node]bool) (nodes [3][]*Node) {
	for part, set := range sets {
		for _, n := range f.graph.Nodes {
			if set[n] {
				nodes[part] = append(nodes[part], n)
			}
		}
	}
	return nodes
}

// ancestors are the nodes needed for the targets, going back no further than the stops.
func (f *finder) ancestors(targets []string, stops ...string) map[*Node]bool {
	needed := map[*Node]bool{}
	for queue := slices.Clone(targets); len(queue) > 0; queue = queue[1:] {
		n := f.index.Producer[queue[0]]
		if n == nil || needed[n] || slices.Contains(stops, queue[0]) && !slices.Contains(targets, queue[0]) {
			continue
		}
		needed[n] = true
		for _, in := range n.Reads() {
			if !slices.Contains(stops, in) {
				queue = append(queue, in)
			}
		}
	}
	return needed
}

func (f *finder) assignInitializers(nodes [3][]*Node) {
	p := f.parts
	var reads [3]map[string]bool
	for part, list := range nodes {
		reads[part] = map[string]bool{}
		for _, n := range list {
			for _, in := range n.Reads() {
				reads[part][in] = true
			}
		}
	}
	for _, t := range f.graph.Initializers {
		switch {
		case reads[extractorPart][t.Name]:
			p.ExtractorInitializers = append(p.ExtractorInitializers, t.Name)
		case reads[perceptionPart][t.Name]:
			p.PerceptionInitializers = append(p.PerceptionInitializers, t.Name)
		case reads[attentionPart][t.Name]:
			p.AttentionInitializers = append(p.AttentionInitializers, t.Name)
		}
	}
}
