package onnx

import (
	"encoding/binary"
	"fmt"
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
		case 1:
			if err := r.integers(f, &t.Dims); err != nil || len(t.Dims) <= maxRank {
				return within(err, "dims")
			}
			return &MalformedError{Offset: f.offset, Field: "dims", Reason: fmt.Sprintf("%d axes, at most %d are read", len(t.Dims), maxRank)}
		case 2:
			var v int64
			err := f.integer(&v)
			t.Type = DataType(v)
			return within(err, "data_type")
		case 4, 5, 7, 10, 11:
			typed = append(typed, f)
			return r.message(f.offset) // a list that is not packed has a field for every number
		case 8:
			return within(f.name(&t.Name), "name")
		case 9:
			var err error
			t.Raw, err = f.bytes()
			return within(err, "raw_data")
		case 12:
			return within(f.text(&t.DocString), "doc_string")
		case 13:
			var e Metadata
			err := r.pair(&e.Key, &e.Value, f)
			external = append(external, e)
			return withinList(err, "external_data", len(external)-1)
		case 14:
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
		case 1, 2:
			into, name := &t.Values, "values"
			if f.number == 2 {
				into, name = &t.Indices, "indices"
			}
			if *into != nil {
				return within(f.twice(), name)
			}
			*into = &Tensor{}
			return within(r.tensor(*into, f), name)
		case 3:
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
	if _, ok := Product(t.Dims...); !ok { // whoever runs it fills in the zeros
		return &MalformedError{Offset: field.offset, Field: "dims", Reason: fmt.Sprintf("%v is negative or has more than %d elements", t.Dims, int64(MaxElements))}
	}
	return nil
}

// typedField is the number of the TensorProto field that holds elements of a type; 0 where none is known.
func typedField(t DataType) int32 {
	switch t {
	case Float, complex64Type:
		return 4
	case Int32, Int16, Int8, Uint16, Uint8, Bool, Float16, BFloat16:
		return 5
	case Int64:
		return 7
	case Double, complex128Type:
		return 10
	case uint32Type, uint64Type:
		return 11
	}
	return 0
}

func typedName(f wireField) string {
	return map[int32]string{4: "float_data", 5: "int32_data", 7: "int64_data", 10: "double_data", 11: "uint64_data"}[int32(f.number)]
}

// setTyped turns typed fields into Raw. A number of one byte in the file may be eight here, so that what the dims ask for is
// held against what a file can hold first.
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
		if int32(f.number) != want {
			return &MalformedError{Offset: f.offset, Field: typedName(f), Reason: fmt.Sprintf("holds the elements of a tensor of %v", t.Type)}
		}
		var err error
		switch want {
		case 4:
			err = f.fixed(&raw, 4)
		case 10:
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
