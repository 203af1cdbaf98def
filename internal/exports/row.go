package exports

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Row is what a table says of a file: how it was taken, or by which sentence refused.
type Row struct {
	Name string `json:"name"`
	// Kin is the export of onnx/testdata/exports that is of the same kind, where the file itself is not here.
	Kin    string `json:"kin,omitempty"`
	Opset  int64  `json:"opset"`
	Gain   string `json:"gain,omitempty"`
	Map    string `json:"map,omitempty"`
	Source string `json:"source,omitempty"` // where the map was found
	Range  string `json:"range,omitempty"`  // between what its values are
	// Refused is the sentence, without the folder that the file was in; "" where it was taken.
	Refused string `json:"refused,omitempty"`
}

// Row says of a case what became of it.
func (c Case) Row(o Outcome) Row {
	r := Row{Name: c.Name, Opset: o.Opset, Refused: strings.ReplaceAll(o.Refused, filepath.Dir(c.Path)+string(filepath.Separator), "")}
	if p := o.Parts; p != nil && o.Refused == "" {
		r.Gain, r.Map, r.Source, r.Range = string(p.Gain), p.Names.Map, string(p.MapSource), string(p.MapRange)
	}
	return r
}

// Cells are the row of a table with the columns name, operator set, gain, map and refused.
func (r Row) Cells() []string {
	found := ""
	if r.Refused == "" {
		found = fmt.Sprintf("`%s`, %s, %s", r.Map, r.Source, r.Range)
	}
	return []string{r.Name, strconv.FormatInt(r.Opset, 10), r.Gain, found, strings.ReplaceAll(r.Refused, "|", "\\|")}
}

// triedFile holds the rows of files that are not here, under the checkout's top folder.
var triedFile = filepath.Join("internal", "exports", "testdata", "tried.json")

// Tried reads what became of files that may not be handed on; root is the checkout's top folder. A test that is given the files makes
// the rows, and compares them.
func Tried(root string) ([]Row, error) {
	file, err := os.ReadFile(filepath.Join(root, triedFile))
	if err != nil {
		return nil, err
	}
	var rows []Row
	if err := json.Unmarshal(file, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w", triedFile, err)
	}
	return rows, nil
}
