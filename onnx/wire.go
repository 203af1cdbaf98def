package onnx

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that bytes are no ONNX file. Errors of Read wrap it, as a *MalformedError.
var ErrMalformed = errors.New("malformed ONNX")

// MalformedError says where in a file, and in which field, reading stopped.
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

// maxMessages bounds how many nested messages one file may hold. An empty message is two bytes on disk and
// hundreds in memory, so a small forged file could otherwise ask for gigabytes. Real graphs hold thousands.
const maxMessages = 1 << 20

// maxFields bounds how many fields all messages of a file may have together: an empty name is two bytes on disk and many
// more in a list of names. Weights are one field each, however large.
const maxFields = 1 << 22

// decoder reads one file.
type decoder struct{ messages, count int }

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
	if d.messages++; d.messages > maxMessages {
		return &MalformedError{Offset: base, Reason: fmt.Sprintf("more than %d messages", maxMessages)}
	}
	for pos := 0; pos < len(message); {
		f := wireField{offset: base + pos}
		if d.count++; d.count > maxFields {
			return &MalformedError{Offset: f.offset, Reason: fmt.Sprintf("more than %d fields", maxFields)}
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

// integer sets dst to a varint field.
func (f wireField) integer(dst *int64) error {
	if f.kind != protowire.VarintType {
		return f.wrongType("a varint")
	}
	*dst = int64(f.scalar)
	return nil
}

// integers appends a repeated integer field in either of its forms, packed and not.
func (f wireField) integers(dst *[]int64) error {
	if f.kind == protowire.VarintType {
		*dst = append(*dst, int64(f.scalar))
		return nil
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
		*dst = append(*dst, int64(v))
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
