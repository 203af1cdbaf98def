package onnx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/manifest"
)

// In many repositories the map is an attribute of the module and no output, or an output that was enlarged, or made without a
// Sigmoid. It can be found in the graph all the same: it is the one value (N,1,h,w) that features (N,C,h,w) are multiplied by,
// once, such that one output of logits depends on the product and the other does not.

// errChoose says that more than one value could be the map, and asks for a name.
var errChoose = fmt.Errorf("%w", ErrNoABN)

// maxCandidates bounds how many values of a graph are tried as its map, how many as its features, and how many nodes back from a
// product they are looked for.
const maxCandidates = 64

// candidate is a value that is tried as the map.
type candidate struct {
	root   string
	source MapSource
}

// searchMap looks for the map where FindParts's own rule found none. root is the map if it is known; else outputs are tried
// first, then values that multiply features, then Sigmoids. It returns the finder that took the graph apart, nil without an error
// if none did, and errChoose if several did.
func searchMap(ctx context.Context, m *Model, names PartNames, root string) (*finder, error) {
	f, err := newFinder(ctx, m, names)
	if err != nil {
		return nil, err
	}
	groups := [][]candidate{f.gridOutputs(), f.multipliers(), f.innerSigmoids()}
	if root != "" {
		source := MapIsOutput
		if names.Map != "" {
			source = MapIsNamed
		}
		groups = [][]candidate{{{root, source}}}
	}
	var noLogits error
	for _, group := range groups {
		var found []*finder
		for _, c := range group[:min(len(group), maxCandidates)] {
			whole, err := f.try(ctx, m, names, c)
			switch {
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case errors.Is(err, ErrLogits):
				noLogits = err
			case err == nil:
				found = append(found, whole)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		list := make([]string, len(found))
		for i, c := range found {
			list[i] = fmt.Sprintf("%q, which meets the features %q", c.parts.Names.Map, c.parts.Names.Features)
		}
		return nil, fmt.Errorf("%w: no output is the map, and %d values of the graph could be it: %s; name one: %s", errChoose, len(found), Enumerate(list, "; "), naming("map"))
	}
	return nil, noLogits
}

// try takes the graph apart with a value as the map: at a plain product with features, else at any product that it reaches
// (findMeetings).
func (f *finder) try(ctx context.Context, m *Model, names PartNames, c candidate) (whole *finder, err error) {
	for _, way := range []func(*finder) error{
		func(f *finder) error { return f.run(ctx, f.findMechanism, f.findLogits) },
		func(f *finder) error { return f.run(ctx, f.findMeetings, f.findLogits, f.findFeatures) },
	} {
		if err = way(f.at(c)); err != nil {
			if errors.Is(err, ErrLogits) {
				return nil, err
			}
			continue
		}
		if whole, err = newFinder(ctx, m, names); err != nil { // dividing changes the graph
			return nil, err
		}
		whole = whole.at(c)
		if err = way(whole); err == nil {
			err = whole.divide()
		}
		if err != nil {
			continue
		}
		if whole.cut != c.root { // made larger first, say: what multiplies may be plain
			if plain, err := f.try(ctx, m, names, candidate{whole.cut, c.source}); err == nil {
				return plain, nil
			}
		}
		return whole, nil
	}
	return nil, err
}

// at is a finder of the same graph that begins with another map.
func (f *finder) at(c candidate) *finder {
	other, parts := *f, *f.parts
	other.parts, other.root, other.cut, other.source = &parts, c.root, "", c.source
	other.mechanism, other.parent, other.ofMap, other.known, other.elsewhere = map[string]bool{}, map[string]string{}, nil, nil, nil
	return &other
}

// gridOutputs are the outputs of a map's shape that no Sigmoid makes.
func (f *finder) gridOutputs() (list []candidate) {
	for _, out := range f.graph.Outputs {
		if s := f.inferred.Shape(out.Name); isGrid(s) && len(s) == 4 {
			list = append(list, candidate{out.Name, MapIsOutput})
		}
	}
	return list
}

// multipliers are the values (N,1,h,w) that multiply others (N,C,h,w), where each is made.
func (f *finder) multipliers() (list []candidate) {
	for _, n := range f.graph.Nodes {
		if !n.IsOp("Mul") || len(n.Inputs) != 2 || len(list) >= maxCandidates {
			continue
		}
		for _, in := range n.Inputs {
			root := f.gridBefore(in)
			if root == "" {
				continue
			}
			root = f.sigmoidBehind(root)
			grid, s := f.inferred.Shape(root), f.inferred.Shape(otherInput(n, in))
			if len(s) == 4 && s[1].Known() && s[1].Size > 1 && slices.Equal(s[2:], grid[2:]) && !slices.Contains(list, candidate{root, MapIsInside}) {
				list = append(list, candidate{root, MapIsInside})
			}
		}
	}
	return list
}

// gridBefore goes back from a factor, past reshaping, repeating and the addition of 1, to the earliest value (N,1,h,w) of more
// than one cell; "" if there is none.
func (f *finder) gridBefore(name string) (root string) {
	for range maxCandidates {
		s := f.inferred.Shape(name)
		if isGrid(s) && len(s) == 4 && s[2].Size*s[3].Size > 1 {
			root = name
		}
		n := f.index.Producer[name]
		switch {
		case n == nil:
			return root
		case f.reshapes(n) || n.IsOp("Expand", "Tile"):
			name = n.Input(0)
		case n.IsOp("Add") && f.isOne(n.Input(0)):
			name = n.Input(1)
		case n.IsOp("Add") && f.isOne(n.Input(1)):
			name = n.Input(0)
		default:
			return root
		}
	}
	return root
}

// sigmoidBehind goes back from a value (N,1,h,w), past elementwise arithmetic with constants, to the Sigmoid it is computed from;
// it returns the value itself if there is no such Sigmoid.
func (f *finder) sigmoidBehind(root string) string {
	for name, depth := root, 0; depth < maxRangeDepth; depth++ {
		n := f.index.Producer[name]
		if n == nil {
			break
		}
		next := ""
		switch {
		case n.IsOp("Sigmoid", "HardSigmoid"):
			return name
		case n.IsOp("Exp", "Neg", "Sqrt"):
			next = n.Input(0)
		case n.IsOp("Add", "Sub", "Mul", "Div", "Pow"):
			for _, in := range n.Inputs {
				if _, ok := f.inferred.Number(in); ok {
					next = otherInput(n, in)
				}
			}
		}
		if s := f.inferred.Shape(next); len(s) != 4 || !isGrid(s) {
			break
		}
		name = next
	}
	return root
}

// innerSigmoids are the values (N,1,h,w) that a Sigmoid makes.
func (f *finder) innerSigmoids() (list []candidate) {
	for _, n := range f.graph.Nodes {
		if s := f.inferred.Shape(n.Output(0)); n.IsOp("Sigmoid", "HardSigmoid") && isGrid(s) && len(s) == 4 && s[2].Size*s[3].Size > 1 {
			list = append(list, candidate{n.Output(0), MapIsInside})
		}
	}
	return list
}

// naming says how a person names a value, for messages.
func naming(field string) string {
	for _, f := range manifest.NameFields {
		if f.Key == field {
			return fmt.Sprintf("%s VALUE, the field %q of browser and API, or the manifest's names.%s", f.Flag(), f.Key, f.Key)
		}
	}
	return "the manifest's names." + field
}

// findMeetings follows the map through everything that is computed from it alone, to the products with values that are not. Such
// a mechanism has no name here: what a value of the map does to the features is known to the network alone (GainOther).
func (f *finder) findMeetings() error {
	varying := f.descendants(map[string]bool{f.names.Image: true})
	f.ofMap = map[string]bool{f.root: true}
	var readers []*Node
	for _, n := range f.graph.Nodes {
		fromMap, fromElsewhere := false, false
		for _, in := range n.Reads() {
			switch {
			case f.ofMap[in]:
				fromMap = true
			case varying[in] && f.inferred.Values[in].Type != Int64: // a shape, which is not the picture's
				fromElsewhere = true
			}
		}
		switch {
		case !fromMap || n.IsOp("Shape", "Size"):
		case !fromElsewhere:
			for _, out := range n.Outputs {
				f.ofMap[out] = true
			}
		case n.IsOp("Mul", "Div", "Einsum", "Where", "MatMul"):
			f.mechanism[n.Output(0)] = true
		default:
			readers = append(readers, n)
		}
	}
	if len(f.mechanism) == 0 {
		return fmt.Errorf("%w: the map %q never multiplies features; it is read by %s", ErrNoABN, f.root, listNodes(readers))
	}
	return nil
}

// findFeatures finds g(x) where the mechanism does not show it: the last value (N,C,h,w) of the map's height and width through
// which everything that the map and both branches' logits take from the image goes.
func (f *finder) findFeatures() error {
	p := f.parts
	before := f.ancestors([]string{f.root}) // what the map is made of
	nodes := slices.Clone(f.graph.Nodes)
	slices.Reverse(nodes)
	tried := 0
	for _, n := range nodes {
		for _, name := range n.Outputs {
			s := f.inferred.Shape(name)
			if !before[n] || name == f.root || len(s) != 4 || s[0].Name != BatchName || !s[1].Known() || f.names.Features != "" && name != f.names.Features {
				continue
			}
			cut := f.gridOfMap(s[2:])
			if cut == "" || cut == name {
				continue
			}
			if tried++; tried > maxCandidates {
				break
			}
			if f.seesImage([]string{cut, p.Names.LogitsAtt}, name) || f.seesImage([]string{p.Names.LogitsPer}, name, cut) {
				continue
			}
			f.cut = cut
			p.Gain = GainOther
			p.Names.Image, p.Names.Features, p.Names.Map = f.names.Image, name, cut
			p.Channels, p.Height, p.Width = int(s[1].Size), int(s[2].Size), int(s[3].Size)
			return nil
		}
	}
	return fmt.Errorf("%w: the map %q meets no features that both branches start from", ErrNoABN, f.root)
}

// gridOfMap is the first value (N,1,h,w) of this height and width, between the map and the mechanism, that is the map or is
// computed from it alone; "" if there is none.
func (f *finder) gridOfMap(size Shape) string {
	var meetings []string
	for name := range f.mechanism {
		meetings = append(meetings, name)
	}
	before := f.ancestors(meetings)
	is := func(name string) bool {
		s := f.inferred.Shape(name)
		return len(s) == 4 && isGrid(s) && slices.Equal(s[2:], size)
	}
	if is(f.root) {
		return f.root
	}
	for _, n := range f.graph.Nodes {
		if out := n.Output(0); f.ofMap[out] && before[n] && is(out) {
			return out
		}
	}
	return ""
}

// seesImage reports whether the targets depend on the image on a path that avoids the stops. Paths through shapes do not count:
// the size of the batch is the same everywhere.
func (f *finder) seesImage(targets []string, stops ...string) bool {
	seen := map[string]bool{}
	for queue := slices.Clone(targets); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if name == f.names.Image {
			return true
		}
		n := f.index.Producer[name]
		if n == nil || seen[name] || n.IsOp("Shape", "Size") {
			continue
		}
		seen[name] = true
		for _, in := range n.Reads() {
			if !slices.Contains(stops, in) {
				queue = append(queue, in)
			}
		}
	}
	return false
}
