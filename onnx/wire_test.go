package onnx_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/onnx"
)

// A forged file of a few megabytes cannot ask for gigabytes by a list of empty names.
func TestReadBoundsTheFieldsOfAFile(t *testing.T) {
	t.Parallel()
	names := bytes.Repeat(message(1, nil), 1<<18+1) // of a node's inputs
	numbers := bytes.Repeat([]byte{0}, 1<<22+1)
	for want, file := range map[string][]byte{
		"messages":  modelOf(message(1, names)),
		"fields":    modelOf(message(1, nodeOf("N", "Op", attributeOf("list", 8, numbers)))),
		"numbers":   modelOf(message(5, varint(1, 2), varint(2, 7), message(7, numbers))),
		"can hold":  modelOf(message(5, varint(1, 1<<29), varint(2, 7), message(7, numbers))),
		"a name of": modelOf(message(1, nodeOf(strings.Repeat("n", 1<<20), "Op"))),
		"axes":      modelOf(message(5, message(1, numbers[:100]), varint(2, 1))),
	} {
		_, err := onnx.Read(t.Context(), file)
		if !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("reading it: %.1000v, want ErrMalformed that says %q", err, want)
		}
	}
	deep := []byte{}
	for range 100_000 {
		deep = message(1, nodeOf("X", "If", attributeOf("then_branch", 6, deep)))
		if len(deep) > 1<<13 {
			break
		}
	}
	if _, err := onnx.Read(t.Context(), modelOf(deep)); !errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), "deep") {
		t.Errorf("graphs in graphs in graphs: %v, want ErrMalformed", err)
	}
}
