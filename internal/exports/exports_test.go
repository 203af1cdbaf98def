package exports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/exports"
	"github.com/abn-studio/studio/internal/fixture"
)

// refusals are the words by which exports are refused that are no networks for the studio; all others are taken.
var refusals = map[string]string{
	"answers-one-logit": "one logit", "answers-sigmoid": "several of which may hold", "channels-last": "channels last", "half-inside": "float16 inside",
	"quantised": "quantised to integers", "skip": "a skip past them", "two-maps": "--map VALUE",
}

// TestExports takes every export of onnx/testdata/exports apart, runs it, trains a step and reads what was written.
func TestExports(t *testing.T) {
	t.Parallel()
	list, err := exports.List(filepath.Join(fixture.Root(), "onnx", "testdata", "exports"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			out, err := c.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			says, refused := refusals[c.Name]
			if refused != (out.Refused != "") || !strings.Contains(out.Refused, says) {
				t.Errorf("refused: %q, want %q in it", out.Refused, says)
			}
		})
	}
}

// TestFurtherCases says of each file of the folder STUDIO_CASES what becomes of it; go test -v shows it.
func TestFurtherCases(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("STUDIO_CASES")
	if dir == "" {
		t.Skip("STUDIO_CASES names no folder of exports")
	}
	list, err := exports.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			out, err := c.Check(t.Context())
			switch {
			case err != nil:
				t.Error(err)
			case out.Refused != "":
				t.Log("refused: ", out.Refused)
			default:
				t.Logf("taken: gain %s, map %s (%s, %s), %.1g apart", out.Parts.Gain, out.Parts.Names.Map, out.Parts.MapSource, out.Parts.MapRange, out.Apart)
			}
		})
	}
}
