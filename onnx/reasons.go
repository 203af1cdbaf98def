package onnx

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Files that are no networks for the studio are recognised here, so that the error names what they are and what to do. The error
// of the search for parts would be true, but would not help.

// The newest versions that the runtime opens: of the file format and of the operator set.
const (
	newestIR    = 13
	newestOpset = 26
	oldestOpset = 7
)

// checkFormat refuses a version that the runtime does not open.
func checkFormat(m *Model) error {
	switch opset := m.Opset(); {
	case m.IRVersion > newestIR:
		return fmt.Errorf("%w: the file is of ONNX's IR version %d, and the runtime reads up to %d: export it with an older exporter, or save it anew after m.ir_version = 10", errChoose, m.IRVersion, newestIR)
	case opset > newestOpset:
		return fmt.Errorf("%w: the file is of operator set %d, and the runtime knows up to %d: export it with opset_version=20", errChoose, opset, newestOpset)
	case opset > 0 && opset < oldestOpset:
		return fmt.Errorf("%w: the file is of operator set %d, and %d is the oldest that is read: export it with opset_version=17", errChoose, opset, oldestOpset)
	}
	return nil
}

// checkImage refuses an input that is not float32 [N,channels,H,W].
func checkImage(image *ValueInfo) error {
	s := image.Shape
	switch {
	case (image.Type == Uint8 || image.Type == Int8) && channelsLast(s):
		return fmt.Errorf("%w: input %q is %v of shape %v: pixels before they are scaled, channels last. Export the network for float32 input of (N,channels,H,W), with what makes x/255 and mean and std of the pixels left out: the manifest says those",
			ErrNoABN, image.Name, image.Type, s)
	case image.Type == Uint8 || image.Type == Int8:
		return fmt.Errorf("%w: input %q is %v: pixels before they are scaled. Export the network with what makes x/255 and mean and std of them left out, for float32 input: the manifest says those", ErrNoABN, image.Name, image.Type)
	case image.Type != Float:
		return fmt.Errorf("%w: input %q is %v; export the network in float32: model.float()", ErrNoABN, image.Name, image.Type)
	case len(s) == 5:
		return fmt.Errorf("%w: input %q has shape %v: a volume or a video. Networks of pictures are taken, (N,channels,H,W)", ErrNoABN, image.Name, s)
	case channelsLast(s):
		return fmt.Errorf("%w: input %q has shape %v: channels last. Export it channels first, (N,channels,H,W): tf2onnx has --inputs-as-nchw %s, in PyTorch wrap the network in a module whose forward begins with x.permute(0, 2, 3, 1)",
			ErrNoABN, image.Name, s, image.Name)
	case len(s) != 4 || !s[1].Known():
		return fmt.Errorf("%w: input %q has shape %v, want (N,channels,H,W)", ErrNoABN, image.Name, s)
	}
	return nil
}

// channelsLast tells (N,H,W,channels) by its sizes.
func channelsLast(s Shape) bool {
	is := func(d Dim) bool { return d.Known() && slices.Contains([]int64{1, 3, 4}, d.Size) }
	return len(s) == 4 && is(s[3]) && !is(s[1])
}

// quantisedOps are operators that only quantised networks have.
var quantisedOps = []string{"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}

// underlying is a reason for which nodes cannot be split and trained at all, such as quantisation; nil if there is none. It is a
// better answer than what the search for parts says. It is asked for the whole graph if no parts were found, else for both
// branches.
func (f *finder) underlying(nodes []*Node) error {
	var quantised, half, foreign []*Node
	var name16 DataType
	for _, n := range nodes {
		switch {
		case slices.Contains(quantisedOps, n.Op), strings.HasPrefix(n.Op, "QLinear"):
			quantised = append(quantised, n)
		case n.Domain != "" && n.Domain != "ai.onnx":
			foreign = append(foreign, n)
		}
		if widens(n, f.index) != nil {
			continue
		}
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			t := f.typeOf(name)
			if t == Float16 || t == BFloat16 {
				half, name16 = append(half, n), t
				break
			}
		}
	}
	switch {
	case len(quantised) > 0:
		return fmt.Errorf("%w: the network is quantised to integers (%s): give the float32 file that it was made from", errChoose, some(quantised))
	case len(half) > 0:
		return fmt.Errorf("%w: the network computes in %v inside (%s), whatever its input and outputs are: give the float32 file that it was made from, or export after model.float(), without autocast", errChoose, name16, some(half))
	case len(foreign) > 0 && !slices.ContainsFunc(foreign, func(n *Node) bool { return !ofRuntime(n.Domain) }):
		return fmt.Errorf("%w: the network holds operators of %s (%s), as ONNX Runtime's optimizer writes them: give the file from before it was optimised, as torch.onnx.export writes it", errChoose, foreign[0].Domain, some(foreign))
	case len(foreign) > 0:
		custom := slices.DeleteFunc(foreign, func(n *Node) bool { return ofRuntime(n.Domain) })
		return fmt.Errorf("%w: the network holds custom operators of the domain %q (%s), for which there is no implementation here: export it with operators of ONNX itself in their place", errChoose, custom[0].Domain, some(custom))
	}
	return nil
}

// ofRuntime says whether a domain is one that ONNX Runtime's optimizer writes.
func ofRuntime(domain string) bool {
	return domain == "com.microsoft" || strings.HasPrefix(domain, "com.microsoft.") || strings.HasPrefix(domain, "com.ms.") || strings.HasPrefix(domain, "ai.onnxruntime")
}

// some names the first of some nodes, and counts the others.
func some(list []*Node) string {
	text := list[0].String()
	if len(list) > 1 {
		text += fmt.Sprintf(" and %d more nodes", len(list)-1)
	}
	return text
}

// float32Only are operators that ONNX Runtime has in float32 and not in float64.
var float32Only = []string{"Conv", "ConvTranspose", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "GroupNormalization"}

// doubles refuses a network that computes in float64 where the runtime cannot, or that has weights in it where it is to be trained.
// Numbers that pass through float64 on their way run and train.
func (f *finder) doubles(branches []*Node) error {
	const remedy = "export after model.float(), with float32 input: ONNX Runtime convolves in float32 only, and weights of another type are not trained"
	var nodes []*Node
	for _, n := range f.graph.Nodes {
		t := f.index.Initializers[n.Input(1)]
		weights := t != nil && t.Type == Double && len(t.Dims) >= 2 && slices.Contains(branches, n)
		if weights || n.IsOp(float32Only...) && f.typeOf(n.Input(0)) == Double {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the network computes in float64 inside (%s): %s", errChoose, some(nodes), remedy)
}

// randomOps are operators that draw numbers.
var randomOps = []string{"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}

// unrepeatable refuses nodes whose outputs differ from run to run; nil where there are none.
func unrepeatable(nodes []*Node) error {
	for _, n := range nodes {
		if n.IsOp(randomOps...) {
			return fmt.Errorf("%w: the network answers differently each time: %v draws numbers, as a Dropout2d, a drop path or noise does that was left in training mode: export after model.eval()", errChoose, n)
		}
	}
	return nil
}

// steady refuses a network whose map or answers depend on numbers that are drawn.
func (f *finder) steady() error {
	p := f.parts
	needed := f.ancestors([]string{p.Names.Map, p.Names.LogitsAtt, p.Names.LogitsPer})
	return unrepeatable(slices.DeleteFunc(slices.Clone(f.graph.Nodes), func(n *Node) bool { return !needed[n] }))
}

// onTokens refuses a map that multiplies tokens, one for each cell of its grid; nil if it does not.
func (f *finder) onTokens() error {
	grid := f.inferred.Shape(f.root)
	if f.root == "" || len(grid) < 3 {
		return nil
	}
	cells, ok := Product(max(grid[len(grid)-2].Size, -1), max(grid[len(grid)-1].Size, -1))
	whole := f.at(candidate{f.root, f.source})
	if !ok || whole.findMeetings() != nil {
		return nil //nolint:nilerr // a map that meets no features is refused for another reason
	}
	for _, n := range f.graph.Nodes {
		if !whole.mechanism[n.Output(0)] {
			continue
		}
		for _, in := range n.Inputs {
			s := f.inferred.Shape(in)
			tokens := !whole.ofMap[in] && len(s) == 3 && slices.Contains(s[1:], Fixed(cells))
			if tokens && len(grid) == 3 && (grid[1] == Fixed(1) || grid[2] == Fixed(1)) {
				return fmt.Errorf("%w: the map %q has shape %v, one value for each token %v that it multiplies at %v, and no grid: let m.reshape(n, 1, h, w) multiply features (N,C,h,w), and give that out as the map", errChoose, f.root, grid, s, n)
			}
			if tokens {
				return fmt.Errorf("%w: the map %q multiplies tokens %v at %v, and the features of an ABN are a grid (N,C,h,w) that both branches start from. Make the grid first, "+
					"g = tokens.transpose(1, 2).reshape(n, c, h, w), and take the perception branch's tokens from it: g.flatten(2).transpose(1, 2)", errChoose, f.root, s, n)
			}
		}
	}
	return nil
}

// keepsBatch refuses a file of a fixed batch size of which an answer has that size still; nil if there is none.
func (f *finder) keepsBatch() error {
	fixed := f.parts.BatchWasFixed
	if fixed == 0 {
		return nil
	}
	after := f.descendants(map[string]bool{f.names.Image: true})
	for _, out := range f.graph.Outputs {
		if s := f.inferred.Shape(out.Name); len(s) == 2 && s[0] == Fixed(fixed) && after[out.Name] {
			return fmt.Errorf("%w: the file was exported for a batch of %d, and its graph does not allow others, as the output %q %v shows; export it with a dynamic batch axis: dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)", errChoose, fixed, out.Name, s)
		}
	}
	return nil
}

// severalMaps refuses an output of several maps, on which one answer depends and another does not; nil if there is none.
func (f *finder) severalMaps() error {
	if f.root != "" {
		return nil
	}
	for _, out := range f.graph.Outputs {
		s := f.inferred.Shape(out.Name)
		if len(s) != 4 || s[0].Name != BatchName || !s[1].Known() || s[1].Size < 2 || !s[2].Known() || !s[3].Known() || s[2].Size*s[3].Size < 2 {
			continue
		}
		after, behind := f.descendants(map[string]bool{out.Name: true}), map[bool]bool{}
		for _, v := range f.graph.Outputs {
			if len(f.inferred.Shape(v.Name)) == 2 {
				behind[after[v.Name]] = true
			}
		}
		if behind[true] && behind[false] {
			return fmt.Errorf("%w: the output %q has shape %v, %d maps in one, and people paint one map (N,1,h,w), which multiplies the features: export the network with one, "+
				"as m.mean(1, keepdim=True) makes it where it multiplies, or, if one of the values inside it is that map, name it: %s", errChoose, out.Name, s, s[1].Size, naming("map"))
		}
	}
	return nil
}

// typeOf is the type of a value, as far as it is known.
func (f *finder) typeOf(name string) DataType {
	if t := f.index.Initializers[name]; t != nil {
		return t.Type
	}
	if f.inferred != nil {
		return f.inferred.Values[name].Type
	}
	return 0
}

// Warnings are sentences on why a file may hold another network than was meant.
func (m *Model) Warnings() (notes []string) {
	if m.ProducerName == "pytorch" && (m.ProducerVersion == "2.9" || strings.HasPrefix(m.ProducerVersion, "2.9.")) {
		notes = append(notes, "PyTorch 2.9 exported it, which is known to write wrong weights for some networks (pytorch issues 166797, 169178, 174042): "+
			"compare its answers with PyTorch's, or export it with 2.10 or newer")
	}
	if n, of, first := zeroWeights(m.Graph); n > 0 {
		notes = append(notes, fmt.Sprintf("%d of its %d tensors of weights hold nothing but zeros, such as %q: were they loaded before it was exported?", n, of, cut(first)))
	}
	return notes
}

// Notes are the Warnings and what a file's owner should know before it is given away, whether or not the studio can use the file.
func (m *Model) Notes() []string {
	notes := m.Warnings()
	if paths := sourcePaths(m); len(paths) > 0 {
		notes = append(notes, fmt.Sprintf("its texts tell paths of the machine that it was exported on, such as %q: what the studio hands out has none, and studio model export FILE --out CLEAN.onnx writes it without them", cut(paths[0])))
	}
	return notes
}

// zeroWeights counts the tensors with two axes longer than 1, and those of them that hold only zeros, by the name of the first. A bias or a
// norm's scale may begin at 0.
func zeroWeights(g *Graph) (zeros, all int, first string) {
	for _, t := range g.Initializers {
		long := 0
		for _, d := range t.Dims {
			if d > 1 {
				long++
			}
		}
		if !t.Type.IsFloat() || long < 2 || len(t.Raw) == 0 { // biases begin at 0; torch.export writes a GroupNorm's as (C,1,1)
			continue
		}
		if all++; len(bytes.TrimLeft(t.Raw, "\x00")) > 0 {
			continue
		}
		if zeros++; zeros == 1 {
			first = t.Name
		}
	}
	return zeros, all, first
}
