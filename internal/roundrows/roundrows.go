// Package roundrows keeps the rows of a round, from which all its figures follow, and reads them again: as a file of JSON Lines or a
// table.
package roundrows

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/trainer/measure"
)

// Pack returns rows as annotator.RoundRows keeps them.
func Pack(rows []measure.ArmRow) ([]byte, error) {
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	if err := measure.WriteArmRows(packed, rows); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Unpack returns the rows that were packed.
func Unpack(packed []byte) ([]measure.ArmRow, error) {
	lines, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return measure.ReadArmRows(lines)
}

// Reader implements annotator.RowReader.
type Reader struct{}

var _ annotator.RowReader = Reader{}

// Write implements annotator.RowReader.
func (Reader) Write(w io.Writer, packed []byte, format annotator.RowFormat, classes []annotator.Class) error {
	switch format {
	case annotator.RowsJSONL:
		lines, err := gzip.NewReader(bytes.NewReader(packed))
		if err == nil {
			_, err = io.Copy(w, lines) //nolint:gosec // these are the studio's own rows
		}
		return err
	case annotator.RowsCSV:
		rows, err := Unpack(packed)
		if err != nil {
			return err
		}
		names := make([]string, len(classes))
		for i, c := range classes {
			names[i] = c.Name
		}
		return measure.WriteArmCSV(w, rows, names)
	}
	return fmt.Errorf("%q is no form of rows", format)
}
