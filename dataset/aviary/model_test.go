package aviary_test

import (
	"slices"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/onnx"
)

// TestModelFitsThePictures: the shipped network is an ABN with the mechanism M·g, whose input has the size of the generator's pictures
// and whose classes are its birds.
func TestModelFitsThePictures(t *testing.T) {
	t.Parallel()
	file, manifest, err := aviary.Model()
	if err != nil {
		t.Fatal(err)
	}
	if len(file) > 2<<20 {
		t.Errorf("the model is %d bytes, want at most 2 MiB: it is embedded", len(file))
	}
	model, err := onnx.Read(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), model, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	if parts.Gain != onnx.GainM {
		t.Errorf("gain %s, want M: see docs/aviary.md", parts.Gain)
	}
	var birds []string
	for _, bird := range aviary.Birds() {
		birds = append(birds, bird.Name)
	}
	if !slices.Equal(manifest.Classes, birds) {
		t.Errorf("classes %v, want %v", manifest.Classes, birds)
	}
	if manifest.Crop != [2]int{aviary.Side, aviary.Side} {
		t.Errorf("input %v, want %d×%d", manifest.Crop, aviary.Side, aviary.Side)
	}
}
