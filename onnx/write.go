package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/internal/durable"
)

// ErrTooLarge says that a model does not fit into one file of the format, which ends at 2 GiB.
var ErrTooLarge = errors.New("model is larger than the 2 GiB a protobuf file can hold")

// tooLarge refuses a model by how much its values take, in bytes, wherever they lie now.
func tooLarge(bytes int64) error {
	return fmt.Errorf("%w: its values take %.2f GiB. What the studio trains is written as one file, with nodes, manifest and settings: export a network with fewer parameters",
		ErrTooLarge, float64(bytes)/(1<<30))
}

// Marshal encodes the model. Fields are written in the order of their numbers, as other writers do, followed by the fields that
// Read kept as bytes; a model that was read and not changed has the same content. External data is written into the file itself.
// A tensor whose bytes do not fill its dims is an error.
func (m *Model) Marshal() ([]byte, error) { return m.marshal(writer{}) }

// marshal is Marshal by a writer that may leave values out.
func (m *Model) marshal(w writer) ([]byte, error) {
	if m.Graph == nil {
		return nil, errors.New("write model: it has no graph")
	}
	size := m.Graph.about()
	if w.hollow == nil && size > maxFileBytes {
		return nil, fmt.Errorf("write model: %w", tooLarge(int64(size)))
	}
	if w.hollow != nil {
		size = 1 << 16
	}
	w.b = make([]byte, 0, size)
	w.model(m)
	if w.err != nil {
		return nil, fmt.Errorf("write model: %w", w.err)
	}
	if len(w.b) > maxFileBytes {
		return nil, fmt.Errorf("write model: %w", tooLarge(int64(len(w.b))))
	}
	return w.b, nil
}

// about is the size of the encoded graph in bytes, or a little more. The buffer is allocated by it, so that weights need not be
// moved when it grows.
func (g *Graph) about() int {
	size := 1 << 12
	for _, t := range g.Initializers {
		size += t.about() + 8
	}
	for _, v := range slices.Concat(g.Inputs, g.Outputs, g.ValueInfo) {
		size += len(v.Name) + len(v.DocString) + len(v.storedType) + len(v.Unknown) + 16*len(v.Shape) + 32
	}
	for _, n := range g.Nodes {
		size += len(n.Name) + len(n.Op) + len(n.Domain) + len(n.DocString) + len(n.Unknown) + 32
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			size += len(name) + 4
		}
		for _, a := range n.Attributes {
			size += len(a.Name) + len(a.String) + 4*len(a.Floats) + 10*len(a.Ints) + len(a.Unknown) + 32
			if a.Tensor != nil {
				size += a.Tensor.about()
			}
		}
	}
	return size
}

// bytes is what the values of the initializers take, whether they are at hand or not.
func (g *Graph) bytes() int64 {
	total := int64(0)
	for _, t := range g.Initializers {
		if elements, err := t.Elements(); err == nil {
			total += max(elements*int64(t.Type.Size()), int64(len(t.Raw)))
		}
	}
	return total
}

// about is the size of the encoded tensor in bytes.
func (t *Tensor) about() int {
	return len(t.Raw) + len(t.Name) + len(t.DocString) + len(t.Unknown) + 4*len(t.Dims) + 8
}

// WriteFile writes the model to path, whole or not at all.
func (m *Model) WriteFile(path string) error {
	data, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := durable.WriteFile(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writer appends protobuf to b; the first error sticks.
type writer struct {
	b      []byte
	err    error
	hollow *hollow // nil: all values are written
}

func (w *writer) text(number protowire.Number, s string) {
	if s != "" {
		w.str(number, s)
	}
}

// str writes a string that is present even when empty.
func (w *writer) str(number protowire.Number, s string) {
	w.b = protowire.AppendTag(w.b, number, protowire.BytesType)
	w.b = protowire.AppendString(w.b, s)
}

func (w *writer) bytes(number protowire.Number, data []byte) {
	w.b = protowire.AppendTag(w.b, number, protowire.BytesType)
	w.b = protowire.AppendBytes(w.b, data)
}

func (w *writer) integer(number protowire.Number, v int64) {
	w.b = protowire.AppendTag(w.b, number, protowire.VarintType)
	w.b = protowire.AppendVarint(w.b, uint64(v))
}

// message writes a nested message: body first, its length slipped in before it afterwards.
func (w *writer) message(number protowire.Number, body func()) { w.messageOf(number, 0, body) }

// messageOf is message for a body of about size bytes. It leaves room for a length of that size; if the length takes more or less
// room, the body is moved, which for a body of all weights takes as long as writing it.
func (w *writer) messageOf(number protowire.Number, about int, body func()) {
	w.b = protowire.AppendTag(w.b, number, protowire.BytesType)
	at, room := len(w.b), protowire.SizeVarint(uint64(about))
	w.b = append(w.b, make([]byte, room)...)
	body()
	size := len(w.b) - at - room
	width := protowire.SizeVarint(uint64(size))
	if width > room {
		w.b = append(w.b, make([]byte, width-room)...)
	}
	if width != room {
		copy(w.b[at+width:], w.b[at+room:at+room+size])
		w.b = w.b[:at+width+size]
	}
	protowire.AppendVarint(w.b[at:at], uint64(size))
}

func (w *writer) raw(unknown []byte) { w.b = append(w.b, unknown...) }

func (w *writer) model(m *Model) {
	if m.IRVersion != 0 {
		w.integer(fieldModelIRVersion, m.IRVersion)
	}
	w.text(fieldModelProducerName, m.ProducerName)
	w.text(fieldModelProducerVersion, m.ProducerVersion)
	w.text(fieldModelDomain, m.Domain)
	if m.ModelVersion != 0 {
		w.integer(fieldModelModelVersion, m.ModelVersion)
	}
	w.text(fieldModelDocString, m.DocString)
	w.messageOf(fieldModelGraph, m.Graph.about(), func() { w.graph(m.Graph) })
	w.opsets(fieldModelOpsetImport, m.Opsets)
	for _, e := range m.Metadata {
		w.message(fieldModelMetadataProps, func() {
			w.str(fieldEntryKey, e.Key)
			w.str(fieldEntryValue, e.Value)
		})
	}
	for _, t := range m.Training {
		w.message(fieldModelTrainingInfo, func() {
			w.innerGraph(fieldTrainingInitialization, t.Initialization)
			w.innerGraph(fieldTrainingAlgorithm, t.Algorithm)
			w.raw(t.Unknown)
		})
	}
	for _, f := range m.Functions {
		w.message(fieldModelFunctions, func() { w.function(f) })
	}
	w.raw(m.Unknown)
}

func (w *writer) opsets(number protowire.Number, list []Opset) {
	for _, o := range list {
		w.message(number, func() {
			w.text(fieldOpsetDomain, o.Domain)
			w.integer(fieldOpsetVersion, o.Version)
			w.raw(o.Unknown)
		})
	}
}

func (w *writer) function(f *Function) {
	w.text(fieldFunctionName, f.Name)
	for _, list := range []struct {
		number protowire.Number
		names  []string
	}{{fieldFunctionInput, f.Inputs}, {fieldFunctionOutput, f.Outputs}, {fieldFunctionAttribute, f.Attributes}} {
		for _, name := range list.names {
			w.str(list.number, name)
		}
	}
	for _, n := range f.Nodes {
		w.message(fieldFunctionNode, func() { w.node(n) })
	}
	w.text(fieldFunctionDocString, f.DocString)
	w.opsets(fieldFunctionOpsetImport, f.Opsets)
	w.text(fieldFunctionDomain, f.Domain)
	for _, a := range f.Defaults {
		w.message(fieldFunctionAttributeProto, func() { w.attribute(a) })
	}
	for _, v := range f.ValueInfo {
		w.message(fieldFunctionValueInfo, func() { w.valueInfo(v) })
	}
	w.raw(f.Unknown)
}

// innerGraph writes a graph unless it is nil.
func (w *writer) innerGraph(number protowire.Number, g *Graph) {
	if g != nil {
		w.message(number, func() { w.graph(g) })
	}
}

func (w *writer) sparse(number protowire.Number, t *SparseTensor) {
	w.message(number, func() {
		for _, part := range []struct {
			number protowire.Number
			tensor *Tensor
		}{{fieldSparseValues, t.Values}, {fieldSparseIndices, t.Indices}} {
			if part.tensor != nil {
				w.message(part.number, func() { w.tensor(part.tensor) })
			}
		}
		for _, d := range t.Dims {
			w.integer(fieldSparseDims, d)
		}
		w.raw(t.Unknown)
	})
}

func (w *writer) graph(g *Graph) {
	for _, n := range g.Nodes {
		w.message(fieldGraphNode, func() { w.node(n) })
	}
	w.text(fieldGraphName, g.Name)
	for _, t := range g.Initializers {
		w.messageOf(fieldGraphInitializer, t.about(), func() { w.tensor(t) })
	}
	w.text(fieldGraphDocString, g.DocString)
	for _, v := range g.Inputs {
		w.message(fieldGraphInput, func() { w.valueInfo(v) })
	}
	for _, v := range g.Outputs {
		w.message(fieldGraphOutput, func() { w.valueInfo(v) })
	}
	for _, v := range g.ValueInfo {
		w.message(fieldGraphValueInfo, func() { w.valueInfo(v) })
	}
	for _, t := range g.SparseInitializers {
		w.sparse(fieldGraphSparseInitializer, t)
	}
	w.raw(g.Unknown)
}

func (w *writer) node(n *Node) {
	for _, in := range n.Inputs {
		w.str(fieldNodeInput, in) // an optional input that is left out is an empty string, and must stand
	}
	for _, out := range n.Outputs {
		w.str(fieldNodeOutput, out)
	}
	w.text(fieldNodeName, n.Name)
	w.text(fieldNodeOpType, n.Op)
	for _, a := range n.Attributes {
		w.message(fieldNodeAttribute, func() { w.attribute(a) })
	}
	w.text(fieldNodeDocString, n.DocString)
	w.text(fieldNodeDomain, n.Domain)
	w.raw(n.Unknown)
}

func (w *writer) attribute(a *Attribute) {
	w.str(fieldAttributeName, a.Name)
	switch a.Type {
	case AttributeFloat:
		w.b = protowire.AppendTag(w.b, fieldAttributeF, protowire.Fixed32Type)
		w.b = protowire.AppendFixed32(w.b, math.Float32bits(a.Float))
	case AttributeInt:
		w.integer(fieldAttributeI, a.Int)
	case AttributeString:
		w.bytes(fieldAttributeS, a.String)
	case AttributeTensor:
		if a.Tensor == nil {
			w.fail(fmt.Errorf("attribute %q: a tensor attribute without its tensor", a.Name))
			return
		}
		w.message(fieldAttributeT, func() { w.tensor(a.Tensor) })
	}
	w.innerGraph(fieldAttributeG, a.Graph)
	switch a.Type {
	case AttributeFloats:
		for _, v := range a.Floats { // onnx.proto declares these lists unpacked
			w.b = protowire.AppendTag(w.b, fieldAttributeFloats, protowire.Fixed32Type)
			w.b = protowire.AppendFixed32(w.b, math.Float32bits(v))
		}
	case AttributeInts:
		for _, v := range a.Ints {
			w.integer(fieldAttributeInts, v)
		}
	case AttributeStrings:
		for _, s := range a.Strings {
			w.bytes(fieldAttributeStrings, s)
		}
	}
	for _, t := range a.Tensors {
		w.message(fieldAttributeTensors, func() { w.tensor(t) })
	}
	for _, g := range a.Graphs {
		w.innerGraph(fieldAttributeGraphs, g)
	}
	if a.Type != 0 {
		w.integer(fieldAttributeType, int64(a.Type))
	}
	w.raw(a.Unknown)
	if a.Sparse != nil {
		w.sparse(fieldAttributeSparseTensor, a.Sparse)
	}
	for _, t := range a.Sparses {
		w.sparse(fieldAttributeSparseTensors, t)
	}
}

// further is the encoding of what an attribute holds besides the numbers, texts and the tensor that this package interprets.
func (a *Attribute) further() ([]byte, error) {
	w := writer{}
	w.attribute(&Attribute{Graph: a.Graph, Tensors: a.Tensors, Graphs: a.Graphs, Unknown: a.Unknown, Sparse: a.Sparse, Sparses: a.Sparses})
	return w.b[2:], w.err // behind its empty name
}

func (w *writer) tensor(t *Tensor) {
	if err := t.check(); err != nil {
		w.fail(err)
		return
	}
	if t.external != nil { // what is written names no file
		w.fail(fmt.Errorf("tensor %q: %w: its data has not been read", t.Name, ErrExternal))
		return
	}
	for _, d := range t.Dims {
		w.integer(fieldTensorDims, d)
	}
	w.integer(fieldTensorDataType, int64(t.Type))
	if t.stored == storedTyped {
		w.typed(t)
	}
	w.text(fieldTensorName, t.Name)
	left := w.hollow.holds(t)
	if t.stored == storedRaw && t.Raw != nil && !left {
		w.bytes(fieldTensorRawData, t.Raw)
	}
	w.text(fieldTensorDocString, t.DocString)
	if left {
		w.values(t)
	}
	w.raw(t.Unknown)
}

// typed writes the elements into the field that belongs to their type, packed.
func (w *writer) typed(t *Tensor) {
	if len(t.Raw) == 0 {
		return
	}
	number := typedField(t.Type)
	switch number {
	case fieldTensorFloatData, fieldTensorDoubleData:
		w.bytes(number, t.Raw)
	case fieldTensorUint64Data:
		w.message(number, func() {
			for i := 0; i < len(t.Raw); i += t.Type.Size() {
				w.b = protowire.AppendVarint(w.b, littleEndian(t.Raw[i:i+t.Type.Size()]))
			}
		})
	default:
		ints := *t
		if t.Type == Float16 || t.Type == BFloat16 {
			ints.Type = Uint16 // int32_data holds their bits
		}
		values, err := ints.Int64s()
		if err != nil {
			w.fail(err)
			return
		}
		w.message(number, func() {
			for _, v := range values {
				w.b = protowire.AppendVarint(w.b, uint64(v))
			}
		})
	}
}

func littleEndian(b []byte) uint64 {
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}

func (w *writer) valueInfo(v *ValueInfo) {
	w.text(fieldValueName, v.Name)
	if v.storedType != nil {
		var r reader
		dtype, shape, err := r.tensorType(v.storedType, 0)
		if err == nil && dtype == v.Type && shape.Equal(v.Shape) { // unchanged: with all that this package does not know
			w.bytes(fieldValueType, v.storedType)
			w.text(fieldValueDocString, v.DocString)
			w.raw(v.Unknown)
			return
		}
	}
	if v.Type != 0 {
		w.message(fieldValueType, func() {
			w.message(fieldTypeTensorType, func() {
				w.integer(fieldTensorTypeElemType, int64(v.Type))
				if v.Shape != nil {
					w.message(fieldTensorTypeShape, func() { w.shape(v.Shape) })
				}
			})
		})
	}
	w.text(fieldValueDocString, v.DocString)
	w.raw(v.Unknown)
}

func (w *writer) shape(s Shape) {
	for _, d := range s {
		w.message(fieldShapeDim, func() {
			switch {
			case d.Name != "":
				w.str(fieldDimParam, d.Name)
			case d.Size >= 0:
				w.integer(fieldDimValue, d.Size)
			}
		})
	}
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
