package onnx

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// tensor reads a TensorProto. Elements end up in Raw whichever of the format's fields held them; typed
// fields of a type this package does not interpret stay in Unknown. Where the elements lie in another file is noted for resolveExternal.
func (r *reader) tensor(t *Tensor, field wireField) error {
	b, err := field.bytes()
	if err != nil {
		return err
	}
	var (
		location int64
		external []Metadata
		typed    []wireField // float_data, int32_data, int64_data, double_data, uint64_data
	)
	err = r.fields(b, field.start, func(f wireField) error {
		switch f.number {
		case fieldTensorDims:
			if err := r.integers(f, &t.Dims); err != nil || len(t.Dims) <= maxRank {
				return within(err, "dims")
			}
			return &MalformedError{Offset: f.offset, Field: "dims", Reason: fmt.Sprintf("%d axes, at most %d are read", len(t.Dims), maxRank)}
		case fieldTensorDataType:
			var v int64
			err := f.integer(&v)
			t.Type = DataType(v)
			return within(err, "data_type")
		case fieldTensorFloatData, fieldTensorInt32Data, fieldTensorInt64Data, fieldTensorDoubleData, fieldTensorUint64Data:
			typed = append(typed, f)
			return r.message(f.offset) // a list that is not packed has a field for every number
		case fieldTensorName:
			return within(f.name(&t.Name), "name")
		case fieldTensorRawData:
			var err error
			t.Raw, err = f.bytes()
			return within(err, "raw_data")
		case fieldTensorDocString:
			return within(f.text(&t.DocString), "doc_string")
		case fieldTensorExternalData:
			var e Metadata
			err := r.pair(&e.Key, &e.Value, f)
			external = append(external, e)
			return withinList(err, "external_data", len(external)-1)
		case fieldTensorDataLocation:
			return within(f.integer(&location), "data_location")
		}
		t.Unknown = append(t.Unknown, f.raw...)
		return nil
	})
	switch {
	case err != nil:
		return err
	case location != 0 || len(external) > 0:
		t.external = &externalData{entries: external, elsewhere: location == 1}
		if location == 1 {
			return nil // its size is checked when its data is there
		}
	}
	switch {
	case len(typed) > 0 && t.Raw != nil:
		return &MalformedError{Offset: field.offset, Field: "raw_data", Reason: "stands beside " + typedName(typed[0])}
	case len(typed) > 0:
		if err := r.setTyped(t, typed); err != nil {
			return err
		}
	}
	if err := t.check(); err != nil {
		return &MalformedError{Offset: field.offset, Reason: err.Error()}
	}
	return nil
}

// sparse reads a SparseTensorProto.
func (r *reader) sparse(t *SparseTensor, field wireField) error {
	b, err := field.bytes()
	if err != nil {
		return err
	}
	err = r.fields(b, field.start, func(f wireField) error {
		switch f.number {
		case fieldSparseValues, fieldSparseIndices:
			into, name := &t.Values, "values"
			if f.number == fieldSparseIndices {
				into, name = &t.Indices, "indices"
			}
			if *into != nil {
				return within(f.twice(), name)
			}
			*into = &Tensor{}
			return within(r.tensor(*into, f), name)
		case fieldSparseDims:
			return within(r.integers(f, &t.Dims), "dims")
		}
		t.Unknown = append(t.Unknown, f.raw...)
		return nil
	})
	if err != nil {
		return err
	}
	if len(t.Dims) > maxRank {
		return &MalformedError{Offset: field.offset, Field: "dims", Reason: fmt.Sprintf("%d axes, at most %d are read", len(t.Dims), maxRank)}
	}
	if _, ok := Product(t.Dims...); !ok { // the runtime fills in the zeros
		return &MalformedError{Offset: field.offset, Field: "dims", Reason: fmt.Sprintf("%v is negative or has more than %d elements", t.Dims, int64(MaxElements))}
	}
	return nil
}

// typedField is the number of the TensorProto field that holds elements of a type; 0 where none is known.
func typedField(t DataType) protowire.Number {
	switch t {
	case Float, complex64Type:
		return fieldTensorFloatData
	case Int32, Int16, Int8, Uint16, Uint8, Bool, Float16, BFloat16:
		return fieldTensorInt32Data
	case Int64:
		return fieldTensorInt64Data
	case Double, complex128Type:
		return fieldTensorDoubleData
	case uint32Type, uint64Type:
		return fieldTensorUint64Data
	}
	return 0
}

func typedName(f wireField) string {
	return map[protowire.Number]string{
		fieldTensorFloatData: "float_data", fieldTensorInt32Data: "int32_data", fieldTensorInt64Data: "int64_data",
		fieldTensorDoubleData: "double_data", fieldTensorUint64Data: "uint64_data",
	}[f.number]
}

// setTyped turns typed fields into Raw. A number of one byte in the file may take eight here, so the size that the dims ask for
// is checked first.
func (r *reader) setTyped(t *Tensor, fields []wireField) error {
	want := typedField(t.Type)
	if want == 0 {
		for _, f := range fields {
			t.Unknown = append(t.Unknown, f.raw...)
		}
		return nil
	}
	elements, err := t.Elements()
	if err != nil {
		return &MalformedError{Offset: fields[0].offset, Reason: err.Error()}
	}
	size := int64(t.Type.Size())
	if r.decoded += elements * size; r.decoded > maxFileBytes {
		return &MalformedError{Offset: fields[0].offset, Reason: fmt.Sprintf("its tensors have more than the %d bytes a file can hold", int64(maxFileBytes))}
	}
	t.stored = storedTyped
	var raw []byte
	for _, f := range fields {
		if f.number != want {
			return &MalformedError{Offset: f.offset, Field: typedName(f), Reason: fmt.Sprintf("holds the elements of a tensor of %v", t.Type)}
		}
		var err error
		switch want {
		case fieldTensorFloatData:
			err = f.fixed(&raw, 4)
		case fieldTensorDoubleData:
			err = f.fixed(&raw, 8)
		default:
			err = f.varints(func(v uint64) error {
				if int64(len(raw)) >= elements*size {
					return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("more than %d numbers for %v", elements, t.Dims)}
				}
				if len(raw)&(1<<20-1) == 0 && r.ctx != nil && r.ctx.Err() != nil {
					return r.ctx.Err()
				}
				switch size {
				case 1:
					raw = append(raw, byte(v))
				case 2:
					raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
				case 4:
					raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
				default:
					raw = binary.LittleEndian.AppendUint64(raw, v)
				}
				return nil
			})
		}
		if err != nil {
			return within(err, typedName(f))
		}
	}
	t.Raw = raw
	return nil
}
