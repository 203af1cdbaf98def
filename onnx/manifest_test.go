package onnx_test

import (
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
)

func TestManifestsOfTheRealModelsFit(t *testing.T) {
	t.Parallel()
	for _, path := range fixture.RealABNs() {
		model := mustRead(t, path)
		m, err := manifest.Load(path, model.MetadataValue)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Fits(takeApart(t, model).Sizes()); err != nil {
			t.Error(err)
		}
	}
}
