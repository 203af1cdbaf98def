// Package exports reads onnx/testdata/exports: small networks as PyTorch's exporters write them of what people's repositories hold
// beside the published shape, each with the answers that are right for it; and it says what becomes of such a file.
//
//	exports.go  List, Case: the files, and their answers
//	check.go    Check: taken apart, run, trained for a step, written and read again, or refused by a sentence
//	row.go      Row: what docs/operators.md says of one; Tried, the rows of files that are not here
//
// STUDIO_CASES names a folder of further files for the tests.
package exports

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/npy"
)

// Case is NAME.onnx with its manifest NAME.json and NAME.npz: the array input (N,C,h,w) as the network takes it, and out_OUTPUT for
// each output.
type Case struct {
	Name string
	Path string // of the ONNX file
}

// List reads which cases a folder has, by name.
func List(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no exports in %s: %w", dir, os.ErrNotExist)
	}
	slices.Sort(files)
	list := make([]Case, len(files))
	for i, path := range files {
		list[i] = Case{strings.TrimSuffix(filepath.Base(path), ".onnx"), path}
	}
	return list, nil
}

// mostBytes bounds what the answers of one case may take.
const mostBytes = 64 << 20

// answers reads what is right: the input, and each output by its name.
func (c Case) answers() (input npy.Array, outputs map[string]npy.Array, err error) {
	arrays, err := npy.ReadArchive(strings.TrimSuffix(c.Path, ".onnx")+".npz", mostBytes)
	if err != nil {
		return input, nil, err
	}
	outputs = map[string]npy.Array{}
	for _, a := range arrays {
		if output, ok := strings.CutPrefix(a.Name, "out_"); ok {
			outputs[output] = a
		} else if a.Name == "input" {
			input = a
		}
	}
	return input, outputs, nil
}
