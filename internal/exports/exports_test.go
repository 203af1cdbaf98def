package exports_test

import (
	"os"
	"testing"

	"github.com/abn-studio/studio/internal/exports"
)

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
