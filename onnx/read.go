package onnx

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers are in fields.go. Fields without a name there are kept in Unknown, in file order.

// Read decodes an ONNX file. Tensors share data's memory, which must not be changed while the model is in use. Anything that is
// no ONNX file gives an error that wraps ErrMalformed and says where; a model whose tensors are stored in other files needs
// ReadFile or ReadSent.
func Read(ctx context.Context, data []byte) (*Model, error) {
	return read(ctx, data, nil)
}

// ReadWith is Read for a model whose external data is not in files: load is called for every tensor that is stored outside, with
// the location and offset that the model gives, and sets its Raw.
func ReadWith(ctx context.Context, data []byte, load func(t *Tensor, location string, offset int64) error) (*Model, error) {
	return read(ctx, data, func(t *Tensor, e externalData) error { return load(t, e.location, e.offset) })
}

// ReadWhole is Read for a file on disk. It is for files from somebody else, which must hold all their data.
func ReadWhole(ctx context.Context, path string) (*Model, error) {
	data, err := readBytes(path)
	if err != nil {
		return nil, err
	}
	m, err := Read(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return m, nil
}

// readBytes reads a file, unless it has more bytes than the format allows.
func readBytes(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if info.Size() <= maxFileBytes {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read model: %w", err)
		}
		return data, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if kind := otherFile(head); kind != "" {
		return nil, fmt.Errorf("read %s: %w", path, otherFileError(kind))
	}
	return nil, fmt.Errorf("read %s: %w: it has %.2f GiB", path, ErrTooLarge, float64(info.Size())/(1<<30))
}

// ReadFile reads an ONNX file that a person named on this machine, with the data it keeps in other files of its folder (links are
// followed, see external.go). For uploaded files there are Read and ReadWhole.
func ReadFile(ctx context.Context, path string) (*Model, error) {
	m, _, err := readFile(ctx, path)
	return m, err
}

// Load is ReadFile that returns the model as one file as well: the bytes of the file, or of the model written anew if some of its
// data is in other files.
func Load(ctx context.Context, path string) (*Model, []byte, error) {
	m, data, err := readFile(ctx, path)
	if err != nil || data != nil {
		return m, data, err
	}
	data, err = m.Marshal()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, data, nil
}

// readFile is ReadFile; data is nil if some of the model is in other files.
func readFile(ctx context.Context, path string) (m *Model, data []byte, err error) {
	if data, err = readBytes(path); err != nil {
		return nil, nil, err
	}
	whole, load := true, loadFrom(filepath.Dir(path))
	m, err = read(ctx, data, func(t *Tensor, e externalData) error {
		whole = false
		return load(t, e)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !whole {
		data = nil
	}
	return m, data, nil
}

// read decodes a file. load fetches data from other files; nil: there must be none.
func read(ctx context.Context, data []byte, load func(*Tensor, externalData) error) (*Model, error) {
	m, decoded, err := decodeModel(ctx, data)
	if err != nil {
		return nil, err
	}
	if err := resolveExternal(ctx, m, load, maxFileBytes-decoded); err != nil {
		return nil, err
	}
	return m, nil
}

// decodeModel decodes a file without fetching external data. size is the bytes of its own tensors.
func decodeModel(ctx context.Context, data []byte) (m *Model, size int64, err error) {
	r := reader{decoder: decoder{ctx: ctx}}
	m = &Model{}
	if kind := otherFile(data); kind != "" {
		return nil, 0, otherFileError(kind)
	}
	if err := r.model(m, data); err != nil {
		if kind := brokenFile(data); kind != "" && errors.Is(err, ErrMalformed) {
			return nil, 0, otherFileError(kind)
		}
		return nil, 0, err
	}
	if m.Graph == nil {
		return nil, 0, &MalformedError{Field: "graph", Reason: "missing: this is no ONNX model"}
	}
	return m, r.decoded, nil
}

// reader decodes messages into the package's own types.
type reader struct {
	decoder
	nodes   int
	depth   int   // of graphs in attributes
	decoded int64 // bytes of tensors
}

func (r *reader) model(m *Model, data []byte) error {
	return r.fields(data, 0, func(f wireField) error {
		switch f.number {
		case fieldModelIRVersion:
			return within(f.integer(&m.IRVersion), "ir_version")
		case fieldModelProducerName:
			return within(f.text(&m.ProducerName), "producer_name")
		case fieldModelProducerVersion:
			return within(f.text(&m.ProducerVersion), "producer_version")
		case fieldModelDomain:
			return within(f.text(&m.Domain), "domain")
		case fieldModelModelVersion:
			return within(f.integer(&m.ModelVersion), "model_version")
		case fieldModelDocString:
			return within(f.text(&m.DocString), "doc_string")
		case fieldModelGraph:
			b, err := f.bytes()
			if err != nil {
				return within(err, "graph")
			}
			if m.Graph != nil {
				return within(f.twice(), "graph")
			}
			m.Graph = &Graph{}
			return within(r.graph(m.Graph, b, f.start), "graph")
		case fieldModelOpsetImport:
			var o Opset
			err := r.opset(&o, f)
			m.Opsets = append(m.Opsets, o)
			return withinList(err, "opset_import", len(m.Opsets)-1)
		case fieldModelTrainingInfo:
			t := &TrainingInfo{}
			m.Training = append(m.Training, t)
			return withinList(r.training(t, f), "training_info", len(m.Training)-1)
		case fieldModelFunctions:
			fn := &Function{}
			m.Functions = append(m.Functions, fn)
			return withinList(r.function(fn, f), "functions", len(m.Functions)-1)
		case fieldModelMetadataProps:
			var key, value string
			err := r.pair(&key, &value, f)
			m.Metadata = append(m.Metadata, Metadata{Key: key, Value: value})
			return withinList(err, "metadata_props", len(m.Metadata)-1)
		}
		m.Unknown = append(m.Unknown, f.raw...)
		return nil
	})
}

func (r *reader) training(t *TrainingInfo, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldTrainingInitialization:
			return within(r.innerGraph(&t.Initialization, f), "initialization")
		case fieldTrainingAlgorithm:
			return within(r.innerGraph(&t.Algorithm, f), "algorithm")
		}
		t.Unknown = append(t.Unknown, f.raw...)
		return nil
	})
}

func (r *reader) function(fn *Function, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldFunctionName:
			return within(f.name(&fn.Name), "name")
		case fieldFunctionInput:
			return r.name(&fn.Inputs, f, "input")
		case fieldFunctionOutput:
			return r.name(&fn.Outputs, f, "output")
		case fieldFunctionAttribute:
			return r.name(&fn.Attributes, f, "attribute")
		case fieldFunctionNode:
			n := &Node{}
			fn.Nodes = append(fn.Nodes, n)
			return withinList(r.node(n, f), "node", len(fn.Nodes)-1)
		case fieldFunctionDocString:
			return within(f.text(&fn.DocString), "doc_string")
		case fieldFunctionOpsetImport:
			var o Opset
			err := r.opset(&o, f)
			fn.Opsets = append(fn.Opsets, o)
			return withinList(err, "opset_import", len(fn.Opsets)-1)
		case fieldFunctionDomain:
			return within(f.name(&fn.Domain), "domain")
		case fieldFunctionAttributeProto:
			a := &Attribute{}
			fn.Defaults = append(fn.Defaults, a)
			return withinList(r.attribute(a, f), "attribute_proto", len(fn.Defaults)-1)
		case fieldFunctionValueInfo:
			return r.valueInfo(&fn.ValueInfo, f, "value_info")
		}
		fn.Unknown = append(fn.Unknown, f.raw...)
		return nil
	})
}

// name reads one more of a list of names.
func (r *reader) name(list *[]string, f wireField, field string) error {
	var s string
	err := r.message(f.offset)
	if err == nil {
		err = f.name(&s)
	}
	*list = append(*list, s)
	return withinList(err, field, len(*list)-1)
}

func (r *reader) opset(o *Opset, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldOpsetDomain:
			return within(f.name(&o.Domain), "domain")
		case fieldOpsetVersion:
			return within(f.integer(&o.Version), "version")
		}
		o.Unknown = append(o.Unknown, f.raw...)
		return nil
	})
}

// pair reads a StringStringEntryProto.
func (r *reader) pair(key, value *string, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldEntryKey:
			return within(f.text(key), "key")
		case fieldEntryValue:
			return within(f.text(value), "value")
		}
		return nil
	})
}

// innerGraph reads a graph of an attribute, a function or the training information.
func (r *reader) innerGraph(g **Graph, f wireField) error {
	if *g != nil {
		return f.twice()
	}
	b, err := f.bytes()
	if err != nil {
		return err
	}
	if r.depth++; r.depth > maxDepth {
		return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("graphs nested more than %d deep", maxDepth)}
	}
	defer func() { r.depth-- }()
	*g = &Graph{}
	return r.graph(*g, b, f.start)
}

func (r *reader) graph(g *Graph, data []byte, base int) error {
	return r.fields(data, base, func(f wireField) error {
		switch f.number {
		case fieldGraphNode:
			n := &Node{}
			g.Nodes = append(g.Nodes, n)
			return withinList(r.node(n, f), "node", len(g.Nodes)-1)
		case fieldGraphName:
			return within(f.name(&g.Name), "name")
		case fieldGraphInitializer:
			t := &Tensor{}
			g.Initializers = append(g.Initializers, t)
			return withinList(r.tensor(t, f), "initializer", len(g.Initializers)-1)
		case fieldGraphSparseInitializer:
			t := &SparseTensor{}
			g.SparseInitializers = append(g.SparseInitializers, t)
			return withinList(r.sparse(t, f), "sparse_initializer", len(g.SparseInitializers)-1)
		case fieldGraphDocString:
			return within(f.text(&g.DocString), "doc_string")
		case fieldGraphInput:
			return r.valueInfo(&g.Inputs, f, "input")
		case fieldGraphOutput:
			return r.valueInfo(&g.Outputs, f, "output")
		case fieldGraphValueInfo:
			return r.valueInfo(&g.ValueInfo, f, "value_info")
		}
		g.Unknown = append(g.Unknown, f.raw...)
		return nil
	})
}

func (r *reader) node(n *Node, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	if r.nodes++; r.nodes > maxNodes {
		return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("more than %d nodes", maxNodes)}
	}
	err = r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldNodeInput:
			return r.name(&n.Inputs, f, "input")
		case fieldNodeOutput:
			return r.name(&n.Outputs, f, "output")
		case fieldNodeName:
			return within(f.name(&n.Name), "name")
		case fieldNodeOpType:
			return within(f.name(&n.Op), "op_type")
		case fieldNodeAttribute:
			a := &Attribute{}
			n.Attributes = append(n.Attributes, a)
			return withinList(r.attribute(a, f), "attribute", len(n.Attributes)-1)
		case fieldNodeDocString:
			return within(f.text(&n.DocString), "doc_string")
		case fieldNodeDomain:
			return within(f.name(&n.Domain), "domain")
		}
		n.Unknown = append(n.Unknown, f.raw...)
		return nil
	})
	if err == nil && n.Op == "EPContext" { // code that a provider of ONNX Runtime compiled, which may name a file
		err = &ExternalError{Place: (*place)(nil).node(n).String(), Err: fmt.Errorf("%w: export the network in operators of ONNX", ErrExternal)}
	}
	return err
}

func (r *reader) attribute(a *Attribute, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	var guess AttributeType // files of the first IR version say no type
	var floats []byte
	err = r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case fieldAttributeName:
			return within(f.name(&a.Name), "name")
		case fieldAttributeF:
			guess = AttributeFloat
			if f.kind != protowire.Fixed32Type {
				return within(f.wrongType("a float"), "f")
			}
			a.Float = math.Float32frombits(uint32(f.scalar))
			return nil
		case fieldAttributeI:
			guess = AttributeInt
			return within(f.integer(&a.Int), "i")
		case fieldAttributeS:
			guess = AttributeString
			a.String, err = f.bytes()
			return within(err, "s")
		case fieldAttributeT:
			guess = AttributeTensor
			if a.Tensor != nil {
				return within(f.twice(), "t")
			}
			a.Tensor = &Tensor{}
			return within(r.tensor(a.Tensor, f), "t")
		case fieldAttributeG:
			return within(r.innerGraph(&a.Graph, f), "g")
		case fieldAttributeFloats:
			guess = AttributeFloats
			return within(f.fixed(&floats, 4), "floats")
		case fieldAttributeInts:
			guess = AttributeInts
			return within(r.integers(f, &a.Ints), "ints")
		case fieldAttributeStrings:
			guess = AttributeStrings
			if err := r.message(f.offset); err != nil {
				return within(err, "strings")
			}
			s, err := f.bytes()
			a.Strings = append(a.Strings, s)
			return withinList(err, "strings", len(a.Strings)-1)
		case fieldAttributeTensors:
			t := &Tensor{}
			a.Tensors = append(a.Tensors, t)
			return withinList(r.tensor(t, f), "tensors", len(a.Tensors)-1)
		case fieldAttributeGraphs:
			var g *Graph
			err := r.innerGraph(&g, f)
			a.Graphs = append(a.Graphs, g)
			return withinList(err, "graphs", len(a.Graphs)-1)
		case fieldAttributeSparseTensor:
			if a.Sparse != nil {
				return within(f.twice(), "sparse_tensor")
			}
			a.Sparse = &SparseTensor{}
			return within(r.sparse(a.Sparse, f), "sparse_tensor")
		case fieldAttributeSparseTensors:
			t := &SparseTensor{}
			a.Sparses = append(a.Sparses, t)
			return withinList(r.sparse(t, f), "sparse_tensors", len(a.Sparses)-1)
		case fieldAttributeType:
			var v int64
			err := f.integer(&v)
			a.Type = AttributeType(v)
			return within(err, "type")
		}
		a.Unknown = append(a.Unknown, f.raw...)
		return nil
	})
	if err != nil {
		return err
	}
	if a.Type == 0 {
		a.Type = guess
	}
	if a.Type == AttributeTensor && a.Tensor == nil {
		return &MalformedError{Offset: f.offset, Field: "t", Reason: "missing in an attribute that is a tensor"}
	}
	a.Floats = decode(floats, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	return nil
}
