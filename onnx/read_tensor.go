package onnx

import (
	"encoding/binary"
	"fmt"
)

// tensor reads a TensorProto. Elements end up in Raw whichever of the format's fields held them; typed
// fields of a type this package does not interpret stay in Unknown.
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
			return within(f.integers(&t.Dims), "dims")
		case 2:
			var v int64
			err := f.integer(&v)
			t.Type = DataType(v)
			return within(err, "data_type")
		case 4, 5, 7, 10, 11:
			typed = append(typed, f)
			return nil
		case 8:
			return within(f.text(&t.Name), "name")
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
	if err != nil {
		return err
	}
	if len(t.Dims) > maxRank {
		return &MalformedError{Offset: field.offset, Field: "dims", Reason: fmt.Sprintf("%d axes, at most %d are read", len(t.Dims), maxRank)}
	}
	switch {
	case location == 1:
		e, err := parseExternal(t.Name, external)
		if err != nil {
			return err
		}
		if err := r.external(t, e); err != nil {
			return err
		}
	case len(typed) > 0 && t.Raw != nil:
		return &MalformedError{Offset: field.offset, Field: "raw_data", Reason: "stands beside " + typedName(typed[0])}
	case len(typed) > 0:
		if err := t.setTyped(typed); err != nil {
			return err
		}
	}
	if err := t.check(); err != nil {
		return &MalformedError{Offset: field.offset, Reason: err.Error()}
	}
	return nil
}

// maxRank bounds the axes of a tensor. ONNX Runtime's kernels stop far below it.
const maxRank = 64

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

// setTyped turns typed fields into Raw.
func (t *Tensor) setTyped(fields []wireField) error {
	want := typedField(t.Type)
	var raw []byte
	var ints []int64
	for _, f := range fields {
		if want == 0 {
			t.Unknown = append(t.Unknown, f.raw...)
			continue
		}
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
			err = f.integers(&ints)
		}
		if err != nil {
			return within(err, typedName(f))
		}
	}
	if want == 0 {
		return nil
	}
	t.stored = storedTyped
	for _, v := range ints {
		switch t.Type.Size() {
		case 1:
			raw = append(raw, byte(v))
		case 2:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		case 4:
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		default:
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	}
	t.Raw = raw
	return nil
}
