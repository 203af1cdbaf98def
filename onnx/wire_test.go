package onnx_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/onnx"
)

// A forged file of a few megabytes cannot ask for gigabytes by a list of empty names.
func TestReadBoundsTheFieldsOfAFile(t *testing.T) {
	t.Parallel()
	message := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	names := bytes.Repeat(message(1, nil), 1<<22+1) // of a node's inputs
	_, err := onnx.Read(t.Context(), message(7, message(1, names)))
	if !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), "fields") {
		t.Errorf("reading it: %v, want ErrMalformed that says so", err)
	}
}
