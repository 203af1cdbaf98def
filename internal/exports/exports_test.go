package exports_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/exports"
	"github.com/abn-studio/studio/internal/fixture"
)

// refusals are the words by which exports are refused that are no networks for the studio; all others are taken.
var refusals = map[string]string{
	"answers-one-logit": "one logit", "answers-sigmoid": "several classes may hold", "dropout-on": "answers differently each time", "gain-on-the-extractors-tokens": "multiplies tokens (N,16,8)", "channels-last": "channels last", "fixed-two-encoder": "exported for a batch of 2", "map-several": "4 maps in one", "map-of-tokens": "no grid", "half-inside": "float16 inside",
	"mean-of-255": "mean and std act on x/255", "quantised": "quantised to integers", "skip": "a skip past them", "two-maps": "--map VALUE",
}

// TestExports takes every export of onnx/testdata/exports apart, runs it, trains a step and reads what was written.
func TestExports(t *testing.T) {
	t.Parallel()
	list, tried := ours(t)
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
			row := c.Row(out)
			for _, r := range tried {
				if r.Kin == c.Name && (r.Gain != row.Gain || r.Range != row.Range || (r.Refused == "") != (row.Refused == "")) {
					t.Errorf("%s of the same kind is %+v, this %+v", r.Name, r, row)
				}
			}
		})
	}
}

// ours are the exports that are here, and the rows of those that are not, each of a kind with one that is.
func ours(t *testing.T) ([]exports.Case, []exports.Row) {
	t.Helper()
	list, err := exports.List(filepath.Join(fixture.Root(), "onnx", "testdata", "exports"))
	if err != nil {
		t.Fatal(err)
	}
	tried, err := exports.Tried(fixture.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range tried {
		if !slices.ContainsFunc(list, func(c exports.Case) bool { return c.Name == r.Kin }) {
			t.Errorf("%s is of a kind with %q, which is no export here", r.Name, r.Kin)
		}
	}
	return list, tried
}

// TestFurtherCases says of each file of the folder STUDIO_CASES what becomes of it (go test -v shows it), and holds those that docs/operators.md
// has rows of to them. With STUDIO_UPDATE the folder's files become these rows; their kin is written by hand.
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
	_, tried := ours(t)
	rows := make([]exports.Row, len(list))
	t.Run("files", func(t *testing.T) {
		for i, c := range list {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				out, err := c.Check(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1g apart: %q", out.Apart, c.Row(out).Cells())
				rows[i] = c.Row(out)
				known := slices.IndexFunc(tried, func(r exports.Row) bool { return r.Name == c.Name })
				if known < 0 {
					return
				}
				rows[i].Kin = tried[known].Kin
				if rows[i] != tried[known] && os.Getenv("STUDIO_UPDATE") == "" {
					t.Errorf("docs/operators.md has %+v, now it is %+v: if that is right, run this test with STUDIO_UPDATE=1, then make generate", tried[known], rows[i])
				}
			})
		}
	})
	if os.Getenv("STUDIO_UPDATE") == "" || t.Failed() {
		return
	}
	var file bytes.Buffer
	e := json.NewEncoder(&file)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "tried.json"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
