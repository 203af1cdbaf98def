package onnx

import (
	"fmt"
	"slices"
)

// meeting is a node where the map multiplies features.
type meeting struct {
	node     *Node
	features string
	arrived  string // the map's value that the node reads, or 1+M made of it
	through  string // the map's value before a 1 was added, if one was; else arrived
	plusOne  bool
}

// findMechanism follows the map from its Sigmoid to where it multiplies features, and reads the gain there.
func (f *finder) findMechanism() error {
	meetings, readers := f.meetings()
	if f.names.Features != "" {
		if err := f.exists("features", f.names.Features); err != nil {
			return err
		}
		meetings = slices.DeleteFunc(meetings, func(m meeting) bool { return m.features != f.names.Features })
	}
	if len(meetings) == 0 {
		what := "features"
		if f.names.Features != "" {
			what = fmt.Sprintf("the named features %q", f.names.Features)
		}
		return fmt.Errorf("%w: the map %q never multiplies %s of its own height and width; it is read by %s", ErrNoABN, f.root, what, listNodes(readers))
	}
	meetings, later := f.firstMeetings(meetings)
	for _, m := range later { // the perception branch's, where it reads the map once more
		readers = append(readers, m.node)
	}
	first := meetings[0]
	gain := f.gain(first)
	for _, m := range meetings[1:] {
		other := f.gain(m)
		if m.features != first.features {
			return fmt.Errorf("%w: the map %q multiplies features at %v and at %v; name those of one: %s", errChoose, f.root, first.node, m.node, naming("features"))
		}
		if other != gain {
			gain = GainOther
		}
	}
	for _, m := range meetings {
		f.mechanism[m.node.Output(0)] = true
	}
	f.elsewhere = readers
	for name := first.through; name != ""; name = f.parent[name] {
		if len(f.inferred.Shape(name)) == 4 && isGrid(f.inferred.Shape(name)) {
			f.cut = name // the earliest is taken: what follows it belongs to the perception branch
		}
	}
	if f.cut == "" {
		return fmt.Errorf("%w: the map %q reaches %v without ever having shape (N,1,h,w)", ErrNoABN, f.root, first.node)
	}
	shape, grid := f.inferred.Shape(first.features), f.inferred.Shape(f.cut)
	f.parts.Gain = gain
	f.parts.Names.Image, f.parts.Names.Features, f.parts.Names.Map = f.names.Image, first.features, f.cut
	f.parts.Channels, f.parts.Height, f.parts.Width = int(shape[1].Size), int(grid[2].Size), int(grid[3].Size)
	return nil
}

// firstMeetings sorts the products of map and features. A later one multiplies values that were computed from the product of
// another, as where a network applies its map a second time in a deeper block; a first one multiplies the features themselves.
func (f *finder) firstMeetings(all []meeting) (first, later []meeting) {
	for i, m := range all {
		products := map[string]bool{}
		for k, other := range all {
			if k != i && other.features != m.features {
				products[other.node.Output(0)] = true
			}
		}
		if f.descendants(products)[m.features] {
			later = append(later, m)
		} else {
			first = append(first, m)
		}
	}
	return first, later
}

// meetings walks forward from the map, past reshaping and the addition of 1, to the products with features. readers are the other
// nodes that read the map, for a message.
func (f *finder) meetings() (found []meeting, readers []*Node) {
	type arrival struct {
		name, through string
		plusOne       bool
	}
	f.parent[f.root] = ""
	for queue := []arrival{{f.root, f.root, false}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, n := range f.index.Consumers[at.name] {
			out := n.Output(0)
			switch {
			case n.Input(0) == at.name && (f.reshapes(n) || n.IsOp("Expand", "Tile")):
				next := arrival{out, out, at.plusOne}
				if at.plusOne {
					next.through = at.through
				} else {
					f.parent[out] = at.name
				}
				queue = append(queue, next)
			case n.IsOp("Add") && !at.plusOne && f.isOne(otherInput(n, at.name)):
				queue = append(queue, arrival{out, at.through, true})
			case n.IsOp("Mul") && f.isFeatures(otherInput(n, at.name)):
				found = append(found, meeting{n, otherInput(n, at.name), at.name, at.through, at.plusOne})
			default:
				readers = append(readers, n)
			}
		}
	}
	return found, readers
}

// otherInput is the input of a node with two that is not name.
func otherInput(n *Node, name string) string {
	if len(n.Inputs) != 2 {
		return ""
	}
	if n.Inputs[0] == name {
		return n.Inputs[1]
	}
	return n.Inputs[0]
}

// isFeatures reports whether a value is (N,C,h,w) on the map's grid and does not depend on the map.
func (f *finder) isFeatures(name string) bool {
	s, grid := f.inferred.Shape(name), f.inferred.Shape(f.root)
	if len(s) != 4 || s[0].Name != BatchName || !s[1].Known() || name == f.names.Image {
		return false
	}
	if _, ofMap := f.parent[name]; ofMap || len(grid) < 2 {
		return false
	}
	return slices.Equal(s[2:], grid[len(grid)-2:])
}

// isOne reports whether a value is a constant of ones.
func (f *finder) isOne(name string) bool {
	if one, known := f.ones[name]; known {
		return one
	}
	t := f.inferred.Constant(name)
	if t == nil {
		return false
	}
	floats, err := t.Float32s()
	if f.ones == nil {
		f.ones = map[string]bool{}
	}
	f.ones[name] = err == nil && len(floats) > 0 && !slices.ContainsFunc(floats, func(v float32) bool { return v != 1 })
	return f.ones[name]
}

// isZero reports whether a value is a constant of zeros.
func (f *finder) isZero(name string) bool {
	t := f.inferred.Constant(name)
	if t == nil {
		return false
	}
	floats, err := t.Float32s()
	return err == nil && len(floats) > 0 && !slices.ContainsFunc(floats, func(v float32) bool { return v != 0 })
}

// gain tells M·g from M·g + g by the nodes that read the product.
func (f *finder) gain(m meeting) Gain {
	f.known = append(f.known, m.node)
	if m.plusOne {
		return GainOnePlusM
	}
	product := m.node.Output(0)
	var sums, others []*Node
	for _, n := range f.index.Consumers[product] {
		if n.IsOp("Add", "Sum") && otherInput(n, product) == m.features {
			sums = append(sums, n)
		} else {
			others = append(others, n)
		}
	}
	f.known = append(f.known, sums...)
	switch {
	case len(sums) == 0:
		return GainM
	case len(others) == 0: // that the product is an output as well changes nothing
		return GainOnePlusM
	}
	return GainOther
}

// otherwise sets GainOther if the perception branch reads features or map outside the mechanism: what a cell of 0 hides there may
// reach the branch on another path.
func (f *finder) otherwise(perception map[*Node]bool) {
	read := func(n *Node) bool {
		return perception[n] && !slices.Contains(f.known, n) && !n.IsOp("Shape", "Size", "CastLike")
	}
	if slices.ContainsFunc(f.index.Consumers[f.parts.Names.Features], read) || slices.ContainsFunc(f.elsewhere, read) {
		f.parts.Gain = GainOther
	}
}

func listNodes(nodes []*Node) string {
	if len(nodes) == 0 {
		return "nothing"
	}
	list := make([]string, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n.String())
	}
	return Enumerate(list, ", ")
}
