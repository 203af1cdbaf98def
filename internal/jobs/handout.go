package jobs

import (
	"encoding/json"
	"io"

	"github.com/abn-studio/studio/onnx"
)

// HandOut implements annotator.Models.
func (*Models) HandOut(file io.ReadSeeker, manifest json.RawMessage, beside string) (model, data io.ReadSeeker, err error) {
	packed, err := onnx.Repack(file, onnx.Packing{Manifest: manifest, Data: beside})
	if err != nil {
		return nil, nil, err
	}
	return packed.Model, packed.Data, nil
}
