package inference

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// A network is opened without its weights, and what the runtime does not know is said as a run would say it.
func TestCheckOpens(t *testing.T) {
	t.Parallel()
	options := NetworkOptions{Session: ort.Options{IntraOpThreads: 1}}
	for _, path := range fixture.ABNs(t) {
		model, err := onnx.ReadFile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := network.Open(t.Context(), model, manifest.Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range newParts(opened.ABN(), options).parts() {
			if !p.opensWithout(standIn(path), ort.OptimizeExtended) {
				t.Errorf("%s: the %s does not open without its weights", filepath.Base(path), p.name)
			}
		}
		for _, from := range []string{path, "", filepath.Join(t.TempDir(), "gone.onnx")} {
			if err := CheckOpens(opened, from, options); err != nil {
				t.Errorf("%s, as %q: %v", filepath.Base(path), from, err)
			}
		}
		opened.ABN().Perception.Graph.Nodes[0].Op = "Nonsense"
		if err := CheckOpens(opened, path, options); err == nil || !strings.Contains(err.Error(), "perception branch") || !strings.Contains(err.Error(), "Nonsense") {
			t.Errorf("%s with an operator that nobody knows: %v", filepath.Base(path), err)
		}
	}
}
