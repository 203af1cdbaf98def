package aviary

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/onnx"
)

// files holds aviary.onnx and its manifest aviary.json, which `make aviary` remakes (docs/aviary.md).
//
//go:embed all:model
var files embed.FS

// ErrNoModel is a build without the demo's model.
var ErrNoModel = errors.New("this build has no demo model: run make aviary, then build again")

// Model returns the demo's network, an ONNX file, and its manifest.
func Model() ([]byte, onnx.Manifest, error) {
	var manifest onnx.Manifest
	file, err := files.ReadFile("model/aviary.onnx")
	if err != nil {
		return nil, manifest, ErrNoModel
	}
	text, err := files.ReadFile("model/aviary.json")
	if err != nil {
		return nil, manifest, ErrNoModel
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, manifest, fmt.Errorf("the demo model's manifest: %w", err)
	}
	return file, manifest, nil
}
