package onnx

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that bytes are no ONNX file. Errors of Read wrap it, as a *MalformedError.
var ErrMalformed = errors.New("malformed ONNX")

// MalformedError says at which byte of a file, and in which field, reading stopped.
type MalformedError struct {
	Offset int    // byte of the file
	Field  string // such as graph.node[3].attribute[0].t
	Reason string
}

func (e *MalformedError) Error() string {
	field := e.Field
	if field == "" {
		field = "model"
	}
	return fmt.Sprintf("%v: byte %d, field %s: %s", ErrMalformed, e.Offset, field, e.Reason)
}

func (e *MalformedError) Unwrap() error { return ErrMalformed }

// decoder reads one file, within the bounds of limits.go.
type decoder struct {
	ctx             context.Context // nil: it cannot end
	messages, count int
}

// message counts a message, or a name in a list of names: both are small in a file and large in memory.
func (d *decoder) message(offset int) error {
	if d.messages++; d.messages > maxMessages {
		return &MalformedError{Offset: offset, Reason: fmt.Sprintf("more than %d messages", maxMessages)}
	}
	return nil
}

// elements counts fields, or the numbers of a list.
func (d *decoder) elements(n, offset int) error {
	before := d.count >> 12
	if d.count += n; d.count > maxFields {
		return &MalformedError{Offset: offset, Reason: fmt.Sprintf("more than %d fields", maxFields)}
	}
	if d.count>>12 != before && d.ctx != nil && d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	return nil
}

// wireField is one protobuf field: its value in the form of its wire type, and the bytes it stood in.
type wireField struct {
	number protowire.Number
	kind   protowire.Type
	scalar uint64 // varint, fixed32, fixed64
	data   []byte // length-delimited
	raw    []byte // tag and value
	offset int    // of the tag, in the file
	start  int    // of data, in the file
}

// fields calls one for every field of a message that starts at byte base of the file.
func (d *decoder) fields(message []byte, base int, one func(f wireField) error) error {
	if err := d.message(base); err != nil {
		return err
	}
	for pos := 0; pos < len(message); {
		f := wireField{offset: base + pos}
		if err := d.elements(1, f.offset); err != nil {
			return err
		}
		number, kind, n := protowire.ConsumeTag(message[pos:])
		if n < 0 {
			return &MalformedError{Offset: f.offset, Reason: protowire.ParseError(n).Error()}
		}
		f.number, f.kind = number, kind
		rest := message[pos+n:]
		var size int
		switch kind {
		case protowire.VarintType:
			f.scalar, size = protowire.ConsumeVarint(rest)
		case protowire.Fixed32Type:
			var v uint32
			v, size = protowire.ConsumeFixed32(rest)
			f.scalar = uint64(v)
		case protowire.Fixed64Type:
			f.scalar, size = protowire.ConsumeFixed64(rest)
		case protowire.BytesType:
			f.data, size = protowire.ConsumeBytes(rest)
			f.start = f.offset + n + size - len(f.data)
		default: // groups, which no ONNX message uses
			size = protowire.ConsumeFieldValue(number, kind, rest)
		}
		if size < 0 {
			return &MalformedError{Offset: f.offset, Field: fmt.Sprintf("#%d", number), Reason: protowire.ParseError(size).Error()}
		}
		f.raw = message[pos : pos+n+size]
		if err := one(f); err != nil {
			return err
		}
		pos += n + size
	}
	return nil
}

// bytes is the content of a length-delimited field.
func (f wireField) bytes() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, f.wrongType("bytes")
	}
	return f.data, nil
}

// text sets dst to a string field.
func (f wireField) text(dst *string) error {
	b, err := f.bytes()
	*dst = string(b)
	return err
}

// name sets dst to a string field that is a name.
func (f wireField) name(dst *string) error {
	if err := f.text(dst); err != nil || len(*dst) <= maxName {
		return err
	}
	return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("a name of %d bytes, at most %d are read", len(f.data), maxName)}
}

// integer sets dst to a varint field.
func (f wireField) integer(dst *int64) error {
	if f.kind != protowire.VarintType {
		return f.wrongType("a varint")
	}
	*dst = int64(f.scalar)
	return nil
}

// integers appends a repeated integer field in either of its forms, packed and not.
func (d *decoder) integers(f wireField, dst *[]int64) error {
	return f.varints(func(v uint64) error {
		*dst = append(*dst, int64(v))
		return d.elements(1, f.offset)
	})
}

// varints calls one for every number of a repeated integer field.
func (f wireField) varints(one func(v uint64) error) error {
	if f.kind == protowire.VarintType {
		return one(f.scalar)
	}
	rest, err := f.bytes()
	if err != nil {
		return err
	}
	for len(rest) > 0 {
		v, n := protowire.ConsumeVarint(rest)
		if n < 0 {
			return &MalformedError{Offset: f.start + len(f.data) - len(rest), Reason: protowire.ParseError(n).Error()}
		}
		if err := one(v); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// fixed appends the little-endian bytes of a repeated float (width 4) or double (width 8), packed or not.
func (f wireField) fixed(dst *[]byte, width int) error {
	switch {
	case f.kind == protowire.Fixed32Type && width == 4:
		*dst = protowire.AppendFixed32(*dst, uint32(f.scalar))
		return nil
	case f.kind == protowire.Fixed64Type && width == 8:
		*dst = protowire.AppendFixed64(*dst, f.scalar)
		return nil
	}
	b, err := f.bytes()
	if err != nil {
		return err
	}
	if len(b)%width != 0 {
		return &MalformedError{Offset: f.start, Reason: fmt.Sprintf("%d bytes are no list of %d-byte numbers", len(b), width)}
	}
	*dst = append(*dst, b...)
	return nil
}

// twice refuses a second value of a field that has one already. Protobuf would merge the two.
func (f wireField) twice() error { return &MalformedError{Offset: f.offset, Reason: "stands twice"} }

func (f wireField) wrongType(want string) error {
	return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("wire type %d, want %s", f.kind, want)}
}

// within adds a step to the field path of an error that comes from a nested message.
func within(err error, field string) error {
	var m *MalformedError
	if err == nil || !errors.As(err, &m) {
		return err
	}
	if m.Field == "" {
		m.Field = field
	} else {
		m.Field = field + "." + m.Field
	}
	return err
}

// withinList is within for the index-th entry of a repeated field.
func withinList(err error, field string, index int) error {
	if err == nil {
		return nil
	}
	return within(err, fmt.Sprintf("%s[%d]", field, index))
}
