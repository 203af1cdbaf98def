package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrTooLarge says that a model does not fit into one file of the format, which ends at 2 GiB.
var ErrTooLarge = errors.New("model is larger than the 2 GiB a protobuf file can hold")

// Marshal encodes the model. Fields are written in the order of their numbers, as the usual writers do, and what Read
// kept without knowing it follows them; a model that was read and not changed has the same content.
// External data is written into the file itself. A tensor whose bytes do not fill its dims is an error.
func (m *Model) Marshal() ([]byte, error) {
	if m.Graph == nil {
		return nil, errors.New("write model: it has no graph")
	}
	size := int64(1 << 16)
	for _, t := range m.Graph.Initializers {
		size += int64(len(t.Raw)) + 256
	}
	if size > math.MaxInt32 {
		return nil, fmt.Errorf("write model: %w", ErrTooLarge)
	}
	w := writer{b: make([]byte, 0, size)}
	w.model(m)
	if w.err != nil {
		return nil, fmt.Errorf("write model: %w", w.err)
	}
	if len(w.b) > math.MaxInt32 {
		return nil, fmt.Errorf("write model: %w", ErrTooLarge)
	}
	return w.b, nil
}

// WriteFile writes the model to path, whole or not at all: into a temporary file beside it, then renamed.
func (m *Model) WriteFile(path string) (err error) {
	data, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".onnx-*")
	if err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writer appends protobuf to b; the first error sticks.
type writer struct {
	b   []byte
	err error
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
func (w *writer) message(number protowire.Number, body func()) {
	w.b = protowire.AppendTag(w.b, number, protowire.BytesType)
	start := len(w.b)
	body()
	size := len(w.b) - start
	width := protowire.SizeVarint(uint64(size))
	for range width {
		w.b = append(w.b, 0)
	}
	copy(w.b[start+width:], w.b[start:start+size])
	protowire.AppendVarint(w.b[start:start], uint64(size))
}

func (w *writer) raw(unknown []byte) { w.b = append(w.b, unknown...) }

func (w *writer) model(m *Model) {
	if m.IRVersion != 0 {
		w.integer(1, m.IRVersion)
	}
	w.text(2, m.ProducerName)
	w.text(3, m.ProducerVersion)
	w.text(4, m.Domain)
	if m.ModelVersion != 0 {
		w.integer(5, m.ModelVersion)
	}
	w.text(6, m.DocString)
	w.message(7, func() { w.graph(m.Graph) })
	w.opsets(8, m.Opsets)
	for _, e := range m.Metadata {
		w.message(14, func() {
			w.str(1, e.Key)
			w.str(2, e.Value)
		})
	}
	for _, t := range m.Training {
		w.message(20, func() {
			w.innerGraph(1, t.Initialization)
			w.innerGraph(2, t.Algorithm)
			w.raw(t.Unknown)
		})
	}
	for _, f := range m.Functions {
		w.message(25, func() { w.function(f) })
	}
	w.raw(m.Unknown)
}

func (w *writer) opsets(number protowire.Number, list []Opset) {
	for _, o := range list {
		w.message(number, func() {
			w.text(1, o.Domain)
			w.integer(2, o.Version)
			w.raw(o.Unknown)
		})
	}
}

func (w *writer) function(f *Function) {
	w.text(1, f.Name)
	for _, list := range []struct {
		number protowire.Number
		names  []string
	}{{4, f.Inputs}, {5, f.Outputs}, {6, f.Attributes}} {
		for _, name := range list.names {
			w.str(list.number, name)
		}
	}
	for _, n := range f.Nodes {
		w.message(7, func() { w.node(n) })
	}
	w.text(8, f.DocString)
	w.opsets(9, f.Opsets)
	w.text(10, f.Domain)
	for _, a := range f.Defaults {
		w.message(11, func() { w.attribute(a) })
	}
	for _, v := range f.ValueInfo {
		w.message(12, func() { w.valueInfo(v) })
	}
	w.raw(f.Unknown)
}

// innerGraph writes a graph that is there.
func (w *writer) innerGraph(number protowire.Number, g *Graph) {
	if g != nil {
		w.message(number, func() { w.graph(g) })
	}
}

func (w *writer) sparse(number protowire.Number, t *SparseTensor) {
	w.message(number, func() {
		for i, part := range []*Tensor{t.Values, t.Indices} {
			if part != nil {
				w.message(protowire.Number(i+1), func() { w.tensor(part) })
			}
		}
		for _, d := range t.Dims {
			w.integer(3, d)
		}
		w.raw(t.Unknown)
	})
}

func (w *writer) graph(g *Graph) {
	for _, n := range g.Nodes {
		w.message(1, func() { w.node(n) })
	}
	w.text(2, g.Name)
	for _, t := range g.Initializers {
		w.message(5, func() { w.tensor(t) })
	}
	w.text(10, g.DocString)
	for _, v := range g.Inputs {
		w.message(11, func() { w.valueInfo(v) })
	}
	for _, v := range g.Outputs {
		w.message(12, func() { w.valueInfo(v) })
	}
	for _, v := range g.ValueInfo {
		w.message(13, func() { w.valueInfo(v) })
	}
	for _, t := range g.SparseInitializers {
		w.sparse(15, t)
	}
	w.raw(g.Unknown)
}

func (w *writer) node(n *Node) {
	for _, in := range n.Inputs {
		w.str(1, in) // an optional input that is left out is an empty string, and must stand
	}
	for _, out := range n.Outputs {
		w.str(2, out)
	}
	w.text(3, n.Name)
	w.text(4, n.Op)
	for _, a := range n.Attributes {
		w.message(5, func() { w.attribute(a) })
	}
	w.text(6, n.DocString)
	w.text(7, n.Domain)
	w.raw(n.Unknown)
}

func (w *writer) attribute(a *Attribute) {
	w.str(1, a.Name)
	switch a.Type {
	case AttributeFloat:
		w.b = protowire.AppendTag(w.b, 2, protowire.Fixed32Type)
		w.b = protowire.AppendFixed32(w.b, math.Float32bits(a.Float))
	case AttributeInt:
		w.integer(3, a.Int)
	case AttributeString:
		w.bytes(4, a.String)
	case AttributeTensor:
		if a.Tensor == nil {
			w.fail(fmt.Errorf("attribute %q: a tensor attribute without its tensor", a.Name))
			return
		}
		w.message(5, func() { w.tensor(a.Tensor) })
	}
	w.innerGraph(6, a.Graph)
	switch a.Type {
	case AttributeFloats:
		for _, v := range a.Floats { // onnx.proto declares these lists unpacked
			w.b = protowire.AppendTag(w.b, 7, protowire.Fixed32Type)
			w.b = protowire.AppendFixed32(w.b, math.Float32bits(v))
		}
	case AttributeInts:
		for _, v := range a.Ints {
			w.integer(8, v)
		}
	case AttributeStrings:
		for _, s := range a.Strings {
			w.bytes(9, s)
		}
	}
	for _, t := range a.Tensors {
		w.message(10, func() { w.tensor(t) })
	}
	for _, g := range a.Graphs {
		w.innerGraph(11, g)
	}
	if a.Type != 0 {
		w.integer(20, int64(a.Type))
	}
	w.raw(a.Unknown)
	if a.Sparse != nil {
		w.sparse(22, a.Sparse)
	}
	for _, t := range a.Sparses {
		w.sparse(23, t)
	}
}

// further is what an attribute holds besides the numbers, texts and the tensor that this package interprets, as it is written.
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
		w.integer(1, d)
	}
	w.integer(2, int64(t.Type))
	if t.stored == storedTyped {
		w.typed(t)
	}
	w.text(8, t.Name)
	if t.stored == storedRaw && t.Raw != nil {
		w.bytes(9, t.Raw)
	}
	w.text(12, t.DocString)
	w.raw(t.Unknown)
}

// typed writes the elements into the field that belongs to their type, packed.
func (w *writer) typed(t *Tensor) {
	if len(t.Raw) == 0 {
		return
	}
	number := protowire.Number(typedField(t.Type))
	switch number {
	case 4, 10:
		w.bytes(number, t.Raw)
	case 11:
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
	w.text(1, v.Name)
	if v.storedType != nil {
		var r reader
		dtype, shape, err := r.tensorType(v.storedType, 0)
		if err == nil && dtype == v.Type && shape.Equal(v.Shape) { // unchanged: with all that this package does not know
			w.bytes(2, v.storedType)
			w.text(3, v.DocString)
			w.raw(v.Unknown)
			return
		}
	}
	if v.Type != 0 {
		w.message(2, func() {
			w.message(1, func() {
				w.integer(1, int64(v.Type))
				if v.Shape != nil {
					w.message(2, func() { w.shape(v.Shape) })
				}
			})
		})
	}
	w.text(3, v.DocString)
	w.raw(v.Unknown)
}

func (w *writer) shape(s Shape) {
	for _, d := range s {
		w.message(1, func() {
			switch {
			case d.Name != "":
				w.str(2, d.Name)
			case d.Size >= 0:
				w.integer(1, d.Size)
			}
		})
	}
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
