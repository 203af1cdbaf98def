package onnx

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers are those of onnx.proto; what is not named here is kept in Unknown, in file order.

// Read decodes an ONNX file. Tensors share data's memory: leave it unchanged for as long as the model is
// used. Anything that is no ONNX file gives an error that wraps ErrMalformed and says where; a model
// whose tensors are stored in other files needs ReadFile.
func Read(ctx context.Context, data []byte) (*Model, error) {
	return read(data, func(t *Tensor, e externalData) error {
		return fmt.Errorf("tensor %q: %w: stored in %q, and only the file's bytes are at hand", t.Name, ErrExternal, e.location)
	})
}

// ReadWith is Read for a model whose data is kept elsewhere than in files: load is called for every tensor stored outside,
// with the location that the model names and the offset there, and sets its Raw.
func ReadWith(ctx context.Context, data []byte, load func(t *Tensor, location string, offset int64) error) (*Model, error) {
	return read(data, func(t *Tensor, e externalData) error { return load(t, e.location, e.offset) })
}

// ReadFile reads an ONNX file and the data it keeps in other files of its own folder. Data outside that
// folder is refused (ErrExternal), also behind a symbolic link.
func ReadFile(ctx context.Context, path string) (*Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	m, err := read(data, loadFrom(filepath.Dir(path)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return m, nil
}

func read(data []byte, external func(*Tensor, externalData) error) (*Model, error) {
	r := reader{external: external}
	m := &Model{}
	if err := r.model(m, data); err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, &MalformedError{Field: "graph", Reason: "missing: this is no ONNX model"}
	}
	return m, nil
}

// reader decodes messages into the package's own types.
type reader struct {
	decoder
	external func(*Tensor, externalData) error
}

func (r *reader) model(m *Model, data []byte) error {
	return r.fields(data, 0, func(f wireField) error {
		switch f.number {
		case 1:
			return within(f.integer(&m.IRVersion), "ir_version")
		case 2:
			return within(f.text(&m.ProducerName), "producer_name")
		case 3:
			return within(f.text(&m.ProducerVersion), "producer_version")
		case 4:
			return within(f.text(&m.Domain), "domain")
		case 5:
			return within(f.integer(&m.ModelVersion), "model_version")
		case 6:
			return within(f.text(&m.DocString), "doc_string")
		case 7:
			b, err := f.bytes()
			if err != nil {
				return within(err, "graph")
			}
			if m.Graph != nil {
				return &MalformedError{Offset: f.offset, Field: "graph", Reason: "stands twice"}
			}
			m.Graph = &Graph{}
			return within(r.graph(m.Graph, b, f.start), "graph")
		case 8:
			var o Opset
			err := r.opset(&o, f)
			m.Opsets = append(m.Opsets, o)
			return withinList(err, "opset_import", len(m.Opsets)-1)
		case 14:
			var key, value string
			err := r.pair(&key, &value, f)
			m.Metadata = append(m.Metadata, Metadata{Key: key, Value: value})
			return withinList(err, "metadata_props", len(m.Metadata)-1)
		}
		m.Unknown = append(m.Unknown, f.raw...)
		return nil
	})
}

func (r *reader) opset(o *Opset, f wireField) error {
	b, err := f.bytes()
	if err != nil {
		return err
	}
	return r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case 1:
			return within(f.text(&o.Domain), "domain")
		case 2:
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
		case 1:
			return within(f.text(key), "key")
		case 2:
			return within(f.text(value), "value")
		}
		return nil
	})
}

func (r *reader) graph(g *Graph, data []byte, base int) error {
	return r.fields(data, base, func(f wireField) error {
		switch f.number {
		case 1:
			n := &Node{}
			g.Nodes = append(g.Nodes, n)
			return withinList(r.node(n, f), "node", len(g.Nodes)-1)
		case 2:
			return within(f.text(&g.Name), "name")
		case 5:
			t := &Tensor{}
			g.Initializers = append(g.Initializers, t)
			return withinList(r.tensor(t, f), "initializer", len(g.Initializers)-1)
		case 10:
			return within(f.text(&g.DocString), "doc_string")
		case 11:
			return r.valueInfo(&g.Inputs, f, "input")
		case 12:
			return r.valueInfo(&g.Outputs, f, "output")
		case 13:
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
	return r.fields(b, f.start, func(f wireField) error {
		var s string
		switch f.number {
		case 1:
			r.messages++ // two bytes in a file, sixteen and more here
			err := f.text(&s)
			n.Inputs = append(n.Inputs, s)
			return withinList(err, "input", len(n.Inputs)-1)
		case 2:
			r.messages++
			err := f.text(&s)
			n.Outputs = append(n.Outputs, s)
			return withinList(err, "output", len(n.Outputs)-1)
		case 3:
			return within(f.text(&n.Name), "name")
		case 4:
			return within(f.text(&n.Op), "op_type")
		case 5:
			a := &Attribute{}
			n.Attributes = append(n.Attributes, a)
			return withinList(r.attribute(a, f), "attribute", len(n.Attributes)-1)
		case 6:
			return within(f.text(&n.DocString), "doc_string")
		case 7:
			return within(f.text(&n.Domain), "domain")
		}
		n.Unknown = append(n.Unknown, f.raw...)
		return nil
	})
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
		case 1:
			return within(f.text(&a.Name), "name")
		case 2:
			guess = AttributeFloat
			if f.kind != protowire.Fixed32Type {
				return within(f.wrongType("a float"), "f")
			}
			a.Float = math.Float32frombits(uint32(f.scalar))
			return nil
		case 3:
			guess = AttributeInt
			return within(f.integer(&a.Int), "i")
		case 4:
			guess = AttributeString
			a.String, err = f.bytes()
			return within(err, "s")
		case 5:
			guess = AttributeTensor
			a.Tensor = &Tensor{}
			return within(r.tensor(a.Tensor, f), "t")
		case 7:
			guess = AttributeFloats
			return within(f.fixed(&floats, 4), "floats")
		case 8:
			guess = AttributeInts
			return within(f.integers(&a.Ints), "ints")
		case 9:
			guess = AttributeStrings
			s, err := f.bytes()
			a.Strings = append(a.Strings, s)
			return withinList(err, "strings", len(a.Strings)-1)
		case 20:
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

func (r *reader) valueInfo(list *[]*ValueInfo, f wireField, field string) error {
	v := &ValueInfo{}
	*list = append(*list, v)
	b, err := f.bytes()
	if err == nil {
		err = r.fields(b, f.start, func(f wireField) error {
			switch f.number {
			case 1:
				return within(f.text(&v.Name), "name")
			case 2:
				b, err := f.bytes()
				if err != nil {
					return within(err, "type")
				}
				v.storedType = b
				v.Type, v.Shape, err = r.tensorType(b, f.start)
				return within(err, "type")
			case 3:
				return within(f.text(&v.DocString), "doc_string")
			}
			v.Unknown = append(v.Unknown, f.raw...)
			return nil
		})
	}
	return withinList(err, field, len(*list)-1)
}

// tensorType reads a TypeProto; one that is no tensor leaves type and shape zero.
func (r *reader) tensorType(data []byte, base int) (dtype DataType, shape Shape, err error) {
	err = r.fields(data, base, func(f wireField) error {
		if f.number != 1 {
			return nil
		}
		b, err := f.bytes()
		if err != nil {
			return within(err, "tensor_type")
		}
		return within(r.fields(b, f.start, func(f wireField) error {
			switch f.number {
			case 1:
				var v int64
				err := f.integer(&v)
				dtype = DataType(v)
				return within(err, "elem_type")
			case 2:
				shape = Shape{}
				b, err := f.bytes()
				if err != nil {
					return within(err, "shape")
				}
				return within(r.fields(b, f.start, func(f wireField) error {
					if f.number != 1 {
						return nil
					}
					d, err := r.dim(f)
					shape = append(shape, d)
					return withinList(err, "dim", len(shape)-1)
				}), "shape")
			}
			return nil
		}), "tensor_type")
	})
	return dtype, shape, err
}

func (r *reader) dim(f wireField) (Dim, error) {
	d := Unknown()
	b, err := f.bytes()
	if err != nil {
		return d, err
	}
	err = r.fields(b, f.start, func(f wireField) error {
		switch f.number {
		case 1:
			err := f.integer(&d.Size)
			d.Size = max(d.Size, -1) // some exporters write a negative size for an axis they do not know
			return within(err, "dim_value")
		case 2:
			err := f.text(&d.Name)
			if d.Name != "" {
				d.Size = 0
			}
			return within(err, "dim_param")
		}
		return nil
	})
	return d, err
}
