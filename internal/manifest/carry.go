package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// fieldMetadata is ModelProto.metadata_props, whose entries have a key and a value.
const fieldMetadata = 14

// Carry is an ONNX file that carries a manifest, so that whoever gets it need not be told how pixels become its input. Fields
// of a protobuf message may stand in any order: the entry follows the file's own bytes, none of which are changed or
// copied. A file that carries a manifest already is returned as it is: two entries of one key are no valid model.
func Carry(file io.ReadSeeker, manifest []byte) (io.ReadSeeker, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	carries, err := carried(file, size)
	if err != nil {
		return nil, fmt.Errorf("looking for the manifest in a model: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil || carries {
		return file, err
	}
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), Key)
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), manifest)
	return &joined{file: file, size: size, tail: protowire.AppendBytes(protowire.AppendTag(nil, fieldMetadata, protowire.BytesType), entry)}, nil
}

// carried walks over the fields of a model, which it reads the starts of, and its metadata.
func carried(file io.ReadSeeker, size int64) (bool, error) {
	for at := int64(0); at < size; {
		if _, err := file.Seek(at, io.SeekStart); err != nil {
			return false, err
		}
		start := make([]byte, min(20, size-at)) // a tag and a length
		if _, err := io.ReadFull(file, start); err != nil {
			return false, err
		}
		number, kind, n := protowire.ConsumeTag(start)
		if n < 0 {
			return false, protowire.ParseError(n)
		}
		if kind != protowire.BytesType {
			value := protowire.ConsumeFieldValue(number, kind, start[n:])
			if value < 0 {
				return false, protowire.ParseError(value)
			}
			at += int64(n + value)
			continue
		}
		length, m := protowire.ConsumeVarint(start[n:])
		if m < 0 {
			return false, protowire.ParseError(m)
		}
		at += int64(n + m)
		if length > uint64(size-at) {
			return false, io.ErrUnexpectedEOF
		}
		if number == fieldMetadata && length <= MaxBytes+1024 {
			if _, err := file.Seek(at, io.SeekStart); err != nil {
				return false, err
			}
			entry := make([]byte, length)
			if _, err := io.ReadFull(file, entry); err != nil {
				return false, err
			}
			if bytes.Contains(entry, protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), Key)) {
				return true, nil
			}
		}
		at += int64(length)
	}
	return false, nil
}

// joined is a file with something after it.
type joined struct {
	file io.ReadSeeker
	size int64 // of the file
	tail []byte
	at   int64
}

// Read implements io.Reader.
func (j *joined) Read(p []byte) (int, error) {
	if j.at >= j.size {
		if j.at >= j.size+int64(len(j.tail)) {
			return 0, io.EOF
		}
		n := copy(p, j.tail[j.at-j.size:])
		j.at += int64(n)
		return n, nil
	}
	n, err := j.file.Read(p[:min(int64(len(p)), j.size-j.at)])
	j.at += int64(n)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (j *joined) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += j.at
	case io.SeekEnd:
		offset += j.size + int64(len(j.tail))
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start of a model")
	}
	if offset < j.size {
		if _, err := j.file.Seek(offset, io.SeekStart); err != nil {
			return 0, err
		}
	}
	j.at = offset
	return offset, nil
}
