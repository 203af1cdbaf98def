package onnx

import (
	"bytes"
	"encoding/binary"
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

// otherFileError says what a file is if it is not ONNX.
type otherFileError string

func (f otherFileError) Error() string { return string(f) }
func (f otherFileError) Unwrap() error { return ErrMalformed }

// isCheckpoint names another format by a file's first bytes; "" if it may be an ONNX file.
func isCheckpoint(data []byte) string {
	const export = "export it from the module that it belongs to: model.eval(); " +
		`torch.onnx.export(model, (torch.randn(1, 3, 224, 224),), "abn.onnx", dynamic_shapes=({0: torch.export.Dim("batch")},))`
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && bytes.Contains(data[:min(len(data), 1<<12)], []byte("data.pkl")), bytes.HasPrefix(data, []byte{0x80, 2}):
		return "a PyTorch checkpoint (.pt, .pth), weights without a graph: " + export
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return "a zip archive, as .pt2, .keras and .npz files are: unpack an ONNX file from it, or " + export
	case len(data) > 9 && binary.LittleEndian.Uint64(data) < uint64(len(data)) && data[8] == '{':
		return "a safetensors file, weights without a graph: " + export
	case bytes.HasPrefix(data, []byte("\x89HDF\r\n\x1a\n")):
		return "an HDF5 file, as Keras writes: convert the model with tf2onnx, channels first (--inputs-as-nchw)"
	}
	return ""
}

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
	is := func(d Dim, sizes ...int64) bool { return d.Known() && slices.Contains(sizes, d.Size) }
	switch {
	case image.Type == Uint8 || image.Type == Int8:
		return fmt.Errorf("%w: input %q is %v: pixels before they are scaled. Export the network with what makes x/255 and mean and std of them left out, for float32 input: the manifest says those", ErrNoABN, image.Name, image.Type)
	case image.Type != Float:
		return fmt.Errorf("%w: input %q is %v; export the network in float32: model.float()", ErrNoABN, image.Name, image.Type)
	case len(s) == 5:
		return fmt.Errorf("%w: input %q has shape %v: a volume or a video. Networks of pictures are taken, (N,channels,H,W)", ErrNoABN, image.Name, s)
	case len(s) == 4 && is(s[3], 1, 3, 4) && !is(s[1], 1, 3, 4):
		return fmt.Errorf("%w: input %q has shape %v: channels last. Export it channels first, (N,channels,H,W): tf2onnx has --inputs-as-nchw %s, in PyTorch wrap the network in a module whose forward begins with x.permute(0, 2, 3, 1)",
			ErrNoABN, image.Name, s, image.Name)
	case len(s) != 4 || !s[1].Known():
		return fmt.Errorf("%w: input %q has shape %v, want (N,channels,H,W)", ErrNoABN, image.Name, s)
	}
	return nil
}

// quantisedOps are operators that only quantised networks have.
var quantisedOps = []string{"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}

// underlying is a reason for which nodes cannot be split and trained at all, such as quantisation; nil if there is none. It is a
// better answer than what the search for parts says. It is asked for the whole graph if no parts were found, else for both
// branches.
func (f *finder) underlying(nodes []*Node) error {
	var quantised, half, foreign []*Node
	for _, n := range nodes {
		switch {
		case slices.Contains(quantisedOps, n.Op), strings.HasPrefix(n.Op, "QLinear"):
			quantised = append(quantised, n)
		case n.Domain != "" && n.Domain != "ai.onnx":
			foreign = append(foreign, n)
		}
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			t := f.typeOf(name)
			if t == Float16 || t == BFloat16 {
				half = append(half, n)
				break
			}
		}
	}
	some := func(list []*Node) string {
		text := list[0].String()
		if len(list) > 1 {
			text += fmt.Sprintf(" and %d more nodes", len(list)-1)
		}
		return text
	}
	switch {
	case len(quantised) > 0:
		return fmt.Errorf("%w: the network is quantised to integers (%s): give the float32 file that it was made from", errChoose, some(quantised))
	case len(half) > 0:
		return fmt.Errorf("%w: the network computes in float16 inside (%s), whatever its input and outputs are: give the float32 file that it was made from, or export after model.float()", errChoose, some(half))
	case len(foreign) > 0:
		return fmt.Errorf("%w: the network holds operators of %s (%s), as ONNX Runtime's optimizer writes them: give the file from before it was optimised, as torch.onnx.export writes it", errChoose, foreign[0].Domain, some(foreign))
	}
	return nil
}

// typeOf is the type of a value, as far as it is known.
func (f *finder) typeOf(name string) DataType {
	if f.inferred != nil {
		return f.inferred.Values[name].Type
	}
	if t := f.index.Initializers[name]; t != nil {
		return t.Type
	}
	return 0
}

// fileNotes are sentences on what a file's owner should know, whether or not the studio can use the file.
func fileNotes(m *Model) (notes []string) {
	if m.ProducerName == "pytorch" && (m.ProducerVersion == "2.9" || strings.HasPrefix(m.ProducerVersion, "2.9.")) {
		notes = append(notes, "PyTorch 2.9 exported it, which is known to write wrong weights for some networks (pytorch issues 166797, 169178, 174042): "+
			"compare its answers with PyTorch's, or export it with 2.10 or newer")
	}
	if paths := sourcePaths(m); len(paths) > 0 {
		notes = append(notes, fmt.Sprintf("its texts tell paths of the machine that it was exported on, such as %s: what the studio hands out has none, and studio model export FILE --out CLEAN.onnx writes it without them", cut(paths[0])))
	}
	return notes
}
