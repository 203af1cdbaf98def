package onnx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/manifest"
)

// ErrNoABN says that a graph is no Attention Branch Network, or one that cannot be split here. The message names the value or
// node, and the reason.
var ErrNoABN = errors.New("no ABN")

// PartNames names the values of a graph that FindParts cannot tell by itself; a manifest gives them.
type PartNames = manifest.PartNames

// Gain is what the attention mechanism multiplies the features with.
type Gain = attention.Gain

// The mechanisms.
const (
	GainOnePlusM = attention.GainOnePlusM
	GainM        = attention.GainM
	GainOther    = attention.GainOther
)

// MapSource is how the map was found.
type MapSource string

// A map is an output of the file, is named by hand, or is the one value of the graph that could be it.
const (
	MapIsOutput MapSource = "output"
	MapIsNamed  MapSource = "named"
	MapIsInside MapSource = "inside"
)

// Parts says where an ABN's graph is split, and the sizes of its values.
type Parts struct {
	// Names are values of the file's graph: the input, g(x), M(x) as (N,1,h,w), and the logits before any
	// Softmax.
	Names PartNames

	ImageChannels, ImageHeight, ImageWidth int // 3, H, W
	Channels, Height, Width                int // C, h, w
	Classes                                int // K
	Gain                                   Gain
	Effect                                 *[2]float64 // of GainOther: what features are multiplied by in a cell of 0 and of 1; nil: not that simple
	MapSource                              MapSource
	MapRange                               MapRange
	MapBounded                             bool // both ends of MapRange are finite
	MapShares                              bool // its cells add up to 1 in every picture, as a softmax over them does

	// Initializers by the part that reads them, in file order. One that the extractor reads counts as the extractor's, which
	// never changes. One that both branches read counts as the perception branch's, since training the attention branch alone
	// must not change the perception branch.
	ExtractorInitializers, AttentionInitializers, PerceptionInitializers []string

	// Split are the weights that both branches share in the file, and not by chance as the ones and zeros of new layers. Here each
	// branch has its own copy.
	Split []string

	// HeadTold says that the file takes a softmax of the perception logits: a head of manifest.HeadSoftmax. Else it gives out logits as
	// they are, which tell nothing.
	HeadTold bool

	// BatchWasFixed is the batch size the file was exported for; 0 where it leaves the batch open.
	BatchWasFixed int64

	// TrainingModeNodes counts BatchNorms and Dropouts that the file has in training mode. The parts have them in evaluation mode.
	TrainingModeNodes int

	// Nodes are kept by the name of a value that only they make (Index.valueOf).
	nodes      [3][]string           // by part
	reshapes   map[string]newReshape // what nodes become, by a value they make; see batchFromFeatures
	batchReads []batchRead
}

// Sizes are those that a manifest must fit.
func (p *Parts) Sizes() manifest.Sizes {
	return manifest.Sizes{Channels: p.ImageChannels, Height: p.ImageHeight, Width: p.ImageWidth, Classes: p.Classes}
}

// The parts of a graph, as indexes of Parts.nodes.
const (
	extractorPart = iota
	attentionPart
	perceptionPart
)

// FindParts finds extractor, attention branch, mechanism and perception branch. The map is the output of shape (N,1,h,w) or
// (N,h,w) that ends in a Sigmoid; the split is where it multiplies the features; the perception logits are the output (N,K) that
// depends on the product, the attention logits the one that does not. If that does not give an ABN, other values are tried as the
// map (candidates.go). names are the values that a person has named. Failures wrap ErrNoABN, ErrLogits or, where the graph is
// broken, ErrShape or ErrGraph.
func FindParts(ctx context.Context, m *Model, names PartNames) (*Parts, error) {
	if err := checkFormat(m); err != nil {
		return nil, err
	}
	f, err := newFinder(ctx, m, names)
	if err != nil {
		if why := (&finder{index: m.Graph.Index()}).underlying(m.Graph.Nodes); why != nil && errors.Is(err, ErrGraph) {
			return nil, why
		}
		return nil, err
	}
	whole := slices.Clone(f.graph.Nodes)
	err = f.run(ctx, f.findMap, f.findMechanism, f.findLogits, f.divide)
	if errors.Is(err, errChoose) || err != nil && !errors.Is(err, ErrNoABN) {
		return nil, err
	}
	if err != nil {
		found, searchErr := searchMap(ctx, m, names, f.root)
		if searchErr != nil && (found != nil || !errors.Is(searchErr, ErrNoABN)) || errors.Is(searchErr, errChoose) {
			return nil, searchErr
		}
		if found == nil {
			return nil, cmp.Or(f.underlying(whole), unrepeatable(whole), f.keepsBatch(), f.onTokens(), f.severalMaps(), err)
		}
		f = found
	}
	if why := f.steady(); why != nil {
		return nil, why
	}
	branches := f.branches()
	if why := cmp.Or(f.underlying(branches), f.doubles(branches)); why != nil {
		return nil, why
	}
	p := f.parts
	if min(p.ImageChannels, p.ImageHeight, p.ImageWidth, p.Channels, p.Height, p.Width, p.Classes) < 1 {
		return nil, fmt.Errorf("%w: an axis of no elements: image %d×%d×%d, features %d×%d×%d, %d classes", ErrNoABN,
			p.ImageChannels, p.ImageHeight, p.ImageWidth, p.Channels, p.Height, p.Width, p.Classes)
	}
	return p, nil
}

// run takes steps until one fails.
func (f *finder) run(ctx context.Context, steps ...func() error) error {
	for _, step := range steps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// finder holds what FindParts has found so far.
type finder struct {
	names    PartNames
	graph    *Graph
	index    *Index
	inferred *Inferred
	parts    *Parts
	opset    int64

	root      string            // the map as the Sigmoid makes it
	source    MapSource         // how it was found
	ofMap     map[string]bool   // what is computed from the map alone; see findMeetings
	cut       string            // the map as (N,1,h,w), from where on it belongs to the perception branch
	mechanism map[string]bool   // outputs of the nodes that combine map and features
	known     []*Node           // the nodes of the mechanism, and of the sums behind it, whose effect is known
	elsewhere []*Node           // nodes that read the map outside the mechanism
	ones      map[string]bool   // constants looked at by isOne
	parent    map[string]string // how a reshaped map was made, back to root
}

func newFinder(ctx context.Context, m *Model, names PartNames) (*finder, error) {
	if n := len(m.Graph.Outputs); n > maxOutputs {
		return nil, fmt.Errorf("%w: %d outputs, at most %d are looked through", ErrLimit, n, maxOutputs)
	}
	m = m.Clone()
	parts := &Parts{TrainingModeNodes: evaluationMode(m.Graph)}
	image, err := findImage(m, names)
	if err != nil {
		return nil, err
	}
	names.Image = image.Name
	if parts.BatchWasFixed, err = openBatch(ctx, m, image); err != nil {
		return nil, err
	}
	inferred, err := Infer(ctx, m, nil)
	if err != nil {
		if parts.BatchWasFixed > 0 {
			return nil, fmt.Errorf("the file was exported for a batch of %d, and its graph does not allow others; export it with a dynamic batch axis: %w", parts.BatchWasFixed, err)
		}
		return nil, err
	}
	parts.ImageChannels, parts.ImageHeight, parts.ImageWidth = int(image.Shape[1].Size), int(image.Shape[2].Size), int(image.Shape[3].Size)
	return &finder{names: names, graph: m.Graph, index: m.Graph.Index(), inferred: inferred, parts: parts, opset: m.Opset(),
		mechanism: map[string]bool{}, ones: map[string]bool{}, parent: map[string]string{}}, nil
}

// findImage is the input that takes pixels, [N,channels,H,W] with its batch made symbolic.
func findImage(m *Model, names PartNames) (*ValueInfo, error) {
	feeds := m.Graph.Feeds()
	var image *ValueInfo
	for _, v := range feeds {
		if v.Name == names.Image || names.Image == "" && len(feeds) == 1 {
			image = v
		}
	}
	switch {
	case image == nil && names.Image != "":
		return nil, fmt.Errorf("%w: no input named %q; inputs are %s", ErrNoABN, names.Image, describe(feeds))
	case len(feeds) == 0:
		return nil, fmt.Errorf("%w: it has no input: want one, the image", ErrNoABN)
	case len(feeds) > 1:
		return nil, fmt.Errorf("%w: a network of several inputs: want one, the image; inputs are %s. Export it with the others fixed", ErrNoABN, describe(feeds))
	}
	if err := checkImage(image); err != nil {
		return nil, err
	}
	if !image.Shape[2].Known() || !image.Shape[3].Known() {
		if names.Size == nil || names.Size[0] < 1 || names.Size[1] < 1 {
			return nil, fmt.Errorf("%w: input %q has shape %v; give height and width with the manifest's crop", ErrNoABN, image.Name, image.Shape)
		}
		image.Shape[2], image.Shape[3] = Fixed(int64(names.Size[0])), Fixed(int64(names.Size[1]))
	}
	return image, nil
}

// describe lists values with their shapes for a message.
func describe(values []*ValueInfo) string {
	if len(values) == 0 {
		return "none"
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = fmt.Sprintf("%s %v", v.Name, v.Shape)
	}
	return Enumerate(list, ", ")
}

// outputs describes the graph's outputs with the shapes that were inferred.
func (f *finder) outputs() string {
	list := make([]*ValueInfo, len(f.graph.Outputs))
	for i, v := range f.graph.Outputs {
		list[i] = &ValueInfo{Name: v.Name, Shape: f.inferred.Shape(v.Name)}
	}
	return describe(list)
}

// exists refuses a name that the graph does not have.
func (f *finder) exists(what, name string) error {
	if _, ok := f.inferred.Values[name]; !ok {
		return fmt.Errorf("%w: there is no value %q, which was named as the %s", errChoose, name, what)
	}
	return nil
}

// isGrid reports whether a shape is a map's: (N,1,h,w), or (N,h,w).
func isGrid(s Shape) bool {
	switch len(s) {
	case 4:
		return s[0].Name == BatchName && s[1] == Fixed(1) && s[2].Known() && s[3].Known()
	case 3:
		return s[0].Name == BatchName && s[1].Known() && s[2].Known()
	}
	return false
}

// reshapes reports whether a node passes on all values of its first input, unchanged and in their order. m[:, 0] counts: it is a
// Gather from an axis of size 1, which torch.export puts behind a Slice of the whole axis.
func (f *finder) reshapes(n *Node) bool {
	if n.IsOp("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Cast", "CastLike", "Dropout") {
		return true
	}
	if n.IsOp("Slice") {
		var steps []int64
		if n.Input(4) != "" {
			var ok bool
			if steps, ok = f.inferred.Ints(n.Input(4)); !ok {
				return false
			}
		}
		from, to := f.inferred.Shape(n.Input(0)), f.inferred.Shape(n.Output(0))
		return from != nil && from.Equal(to) && !slices.ContainsFunc(from, func(d Dim) bool { return d == Unknown() }) &&
			!slices.ContainsFunc(steps, func(s int64) bool { return s < 0 })
	}
	if !n.IsOp("Gather") {
		return false
	}
	s, index := f.inferred.Shape(n.Input(0)), f.inferred.Constant(n.Input(1))
	if s == nil || index == nil {
		return false
	}
	at, err := axis(n.AttrInt("axis", 0), len(s))
	elements, _ := index.Elements()
	return err == nil && s[at] == Fixed(1) && elements == 1
}

// findMap sets root.
func (f *finder) findMap() error {
	if f.names.Map != "" {
		if err := f.exists("map", f.names.Map); err != nil {
			return err
		}
		f.source, f.root = MapIsNamed, f.sigmoidBefore(f.names.Map)
		if f.root == "" {
			f.root = f.names.Map // a map that is no sigmoid, named by a person
		}
		if s := f.inferred.Shape(f.names.Map); !isGrid(s) {
			return fmt.Errorf("%w: %q, which was named as the map, has shape %v, want (N,1,h,w)", errChoose, f.names.Map, s)
		}
		return nil
	}
	var found []string
	seen := map[string]bool{"": true}
	for _, out := range f.graph.Outputs {
		if !isGrid(f.inferred.Shape(out.Name)) {
			continue
		}
		if root := f.sigmoidBefore(out.Name); !seen[root] {
			seen[root] = true
			found = append(found, root)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("%w: no output of shape (N,1,h,w) that ends in a Sigmoid, and no value (N,1,h,w) of the graph is multiplied with features between the two answers; outputs are %s. "+
			"If there is a map, name it: %s", ErrNoABN, f.outputs(), naming("map"))
	case 1:
		f.source, f.root = MapIsOutput, found[0]
		return nil
	}
	return fmt.Errorf("%w: %d outputs could be the map (%s); name one: %s", errChoose, len(found), Enumerate(found, ", "), naming("map"))
}

// sigmoidBefore goes back past reshaping to the output of a Sigmoid; "" if there is none.
func (f *finder) sigmoidBefore(name string) string {
	for {
		n := f.index.Producer[name]
		switch {
		case n == nil:
			return ""
		case n.IsOp("Sigmoid", "HardSigmoid"):
			return name
		case f.reshapes(n):
			name = n.Input(0)
		default:
			return ""
		}
	}
}

// findLogits finds both outputs of shape (N,K), before any Softmax.
func (f *finder) findLogits() error {
	after := f.descendants(f.mechanism)
	var attention, perception []string
	const dependsOn = "depends on"
	numbers := map[bool]string{} // outputs of one number a picture, by whether they depend on the mechanism
	seen := map[string]bool{}
	for _, out := range f.graph.Outputs {
		s := f.inferred.Shape(out.Name)
		if len(s) == 1 && s[0].Name == BatchName && f.typeOf(out.Name) == Float {
			numbers[after[out.Name]] = out.Name
		}
		if len(s) != 2 || s[0].Name != BatchName || !s[1].Known() {
			continue
		}
		list := &attention
		if after[out.Name] {
			list = &perception
		}
		if name := f.beforeSoftmax(out.Name); !seen[name] { // a Softmax and its input count as one
			seen[name] = true
			*list = append(*list, name)
		}
	}
	alike := func(list, than []string) []string { // other answers, of other lengths, may stand beside the logits
		if len(list) < 2 || len(than) != 1 {
			return list
		}
		same := slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !f.inferred.Shape(name).Equal(f.inferred.Shape(than[0])) })
		if len(same) == 0 {
			return list
		}
		return same
	}
	attention, perception = alike(attention, perception), alike(perception, attention)
	choose := func(what, named, field string, found []string, rule string) (string, error) {
		switch {
		case named != "":
			return f.beforeSoftmax(named), f.exists(what, named)
		case len(found) == 1:
			return found[0], nil
		case len(found) == 0 && numbers[rule == dependsOn] != "":
			return "", oneLogit(what, numbers[rule == dependsOn])
		case len(found) == 0:
			return "", fmt.Errorf("%w: no %s: no output of shape (N,K) that %s the attention mechanism; outputs are %s. If they are inside the graph, name them: %s",
				ErrNoABN, what, rule, f.outputs(), naming(field))
		}
		return "", fmt.Errorf("%w: %d outputs could be the %s (%s); name one: %s",
			errChoose, len(found), what, Enumerate(found, ", "), naming(field))
	}
	var err error
	if f.parts.Names.LogitsAtt, err = choose("attention logits", f.names.LogitsAtt, "logits_att", attention, "does not depend on"); err != nil {
		return err
	}
	if f.parts.Names.LogitsPer, err = choose("perception logits", f.names.LogitsPer, "logits_per", perception, dependsOn); err != nil {
		return err
	}
	att, per := f.inferred.Shape(f.parts.Names.LogitsAtt), f.inferred.Shape(f.parts.Names.LogitsPer)
	switch {
	case len(att) != 2 || !att[1].Known() || !att.Equal(per):
		return fmt.Errorf("%w: attention logits %q have shape %v, perception logits %q %v; want both (N,K)",
			ErrNoABN, f.parts.Names.LogitsAtt, att, f.parts.Names.LogitsPer, per)
	case after[f.parts.Names.LogitsAtt]:
		return fmt.Errorf("%w: attention logits %q depend on the attention mechanism", ErrNoABN, f.parts.Names.LogitsAtt)
	case !after[f.parts.Names.LogitsPer]:
		return fmt.Errorf("%w: perception logits %q do not depend on the attention mechanism", ErrNoABN, f.parts.Names.LogitsPer)
	}
	if err := f.checkLogits("perception logits", "logits_per", f.parts.Names.LogitsPer); err != nil {
		return err
	}
	if err := f.checkLogits("attention logits", "logits_att", f.parts.Names.LogitsAtt); err != nil {
		return err
	}
	f.parts.Classes = int(att[1].Size)
	f.parts.HeadTold = slices.ContainsFunc(f.index.Consumers[f.parts.Names.LogitsPer], func(n *Node) bool {
		return n.IsOp("Softmax", "LogSoftmax") && f.overClasses(n) || n.IsOp("Exp")
	})
	return nil
}

// descendants are all values made from these, the values themselves included.
func (f *finder) descendants(of map[string]bool) map[string]bool {
	reached := make(map[string]bool, len(of))
	for name := range of {
		reached[name] = true
	}
	for _, n := range f.graph.Nodes {
		if slices.ContainsFunc(n.Reads(), func(in string) bool { return reached[in] }) {
			for _, out := range n.Outputs {
				if out != "" {
					reached[out] = true
				}
			}
		}
	}
	return reached
}
