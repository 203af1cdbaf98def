package aviary

import (
	"embed"
	"errors"
	"fmt"

	"github.com/abn-studio/studio/internal/manifest"
)

// files holds aviary.onnx and its manifest aviary.json, which `make aviary` remakes (docs/aviary.md).
//
//go:embed all:model
var files embed.FS

// ErrNoModel is returned by a build without the demo's model.
var ErrNoModel = errors.New("this build has no demo model: run make aviary, then build again")

// Model returns the demo's network, an ONNX file, and its manifest.
func Model() ([]byte, manifest.Manifest, error) {
	file, err := files.ReadFile("model/aviary.onnx")
	if err != nil {
		return nil, manifest.Manifest{}, ErrNoModel
	}
	text, err := files.ReadFile("model/aviary.json")
	if err != nil {
		return nil, manifest.Manifest{}, ErrNoModel
	}
	m, err := manifest.Parse(text)
	if err != nil {
		return nil, m, fmt.Errorf("the demo model's: %w", err)
	}
	return file, m, nil
}
