package text

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CSV writes rows (RFC 4180) of which no cell is a formula to a spreadsheet (OWASP, CSV Injection): names of images, people and classes are
// texts that others chose, and whoever opens the file runs what such a cell says. Flush ends it.
type CSV struct {
	*csv.Writer
	row []string
}

// NewCSV returns a writer to w.
func NewCSV(w io.Writer) *CSV { return &CSV{Writer: csv.NewWriter(w)} }

// Write writes a row, each cell as Guarded has it.
func (c *CSV) Write(cells []string) error {
	c.row = c.row[:0]
	for _, cell := range cells {
		c.row = append(c.row, Guarded(cell))
	}
	return c.Writer.Write(c.row)
}

// Guarded is a text as a cell of a table: one that a spreadsheet would take for a formula has an apostrophe before it. Numbers stay as they
// are, also those with a sign.
func Guarded(cell string) string {
	if formula(cell) {
		return "'" + cell
	}
	return cell
}

// Unguarded is the text of a cell that Guarded has written, or of one that it would have left as it is.
func Unguarded(cell string) string {
	if rest, found := strings.CutPrefix(cell, "'"); found && formula(rest) {
		return rest
	}
	return cell
}

// formula reports whether a cell needs an apostrophe: it begins with what begins a formula, perhaps behind apostrophes of its own, so that
// no two texts have one cell.
func formula(cell string) bool {
	bare := strings.TrimLeft(cell, "'")
	if bare == "" {
		return false
	}
	if first, _ := utf8.DecodeRuneInString(bare); !strings.ContainsRune("=+-@\t\r\n＝＋－＠|%", first) {
		return false
	}
	_, err := strconv.ParseFloat(bare, 64)
	return err != nil
}
