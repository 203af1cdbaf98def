package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// maxRow bounds one row of a table, in bytes, so that after a quote that is never closed the rest of the file is not read into memory.
const maxRow = 4 << 20

// maxColumns bounds how many columns a table has.
const maxColumns = 10_000

// table is a file of rows, CSV or JSON Lines, that is read row by row.
type table struct {
	file    string              // its name below the root, for messages
	columns []string            // in lower case
	header  []string            // as they are spelt
	next    func() (row, error) // io.EOF after the last
	close   func() error
}

// row is a row of a table: its cells, by column, and its line.
type row struct {
	cells []string
	line  int
	short bool // it has fewer cells than the header
}

// at returns the cell of a column by index, "" if the row is shorter or the column is -1.
func (r row) at(column int) string {
	if column < 0 || column >= len(r.cells) {
		return ""
	}
	return r.cells[column]
}

// openTable opens a table below the root: JSON Lines by its suffix, else CSV.
func (d *Dataset) openTable(name string) (*table, error) {
	f, err := os.Open(d.file(name))
	if err != nil {
		return nil, err
	}
	var t *table
	switch suffix(name) {
	case ".jsonl", ".ndjson", ".jsonlines":
		t, err = readLines(f, d.options.Encoding)
	default:
		t, err = readTable(f, d.options.Encoding)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	t.file, t.close = name, f.Close
	next := t.next
	t.next = func() (row, error) {
		r, err := next()
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("reading %s: %w", name, err)
		}
		return r, err
	}
	return t, nil
}

// each calls use for every row that is not empty.
func (t *table) each(use func(row) error) error {
	defer t.close()
	for {
		r, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(r); err != nil {
			return err
		}
	}
}

// rationed is a reader that fails once a row has more than maxRow bytes.
type rationed struct {
	io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("a row of more than %d MiB: is a quote not closed?", maxRow>>20)
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// readTable reads a CSV. Real files have a byte order mark, UTF-16, CRLF, tabs or semicolons between the columns, Excel's line "sep=;",
// padded headers, empty columns at the end, or short rows: all of these are accepted. A row with more cells than the header is not, since
// after a separator that is not quoted every cell is in the wrong column.
func readTable(r io.Reader, encoding string) (*table, error) {
	converted, err := text.Reader(r, encoding)
	if err != nil {
		return nil, err
	}
	ration := &rationed{converted, maxRow}
	buffered := bufio.NewReaderSize(ration, 64<<10)
	comma, skipped, err := separator(buffered)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(buffered)
	reader.FieldsPerRecord = -1
	reader.Comma = comma
	reader.TrimLeadingSpace = comma != '\t' // a tab is space too: trimming would remove empty cells
	reader.ReuseRecord = true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: want a header line")
	}
	if err != nil {
		return nil, err
	}
	if len(header) > maxColumns {
		return nil, fmt.Errorf("%d columns: more than %d", len(header), maxColumns)
	}
	t := &table{close: func() error { return nil }}
	place := func(field int) int {
		line, _ := reader.FieldPos(field)
		return line + skipped
	}
	for i, column := range header {
		if !text.Valid(column) {
			return nil, illegible(place(i), "of the header", column)
		}
		t.header = append(t.header, strings.TrimSpace(column))
		t.columns = append(t.columns, text.NFC(strings.ToLower(strings.TrimSpace(column))))
	}
	t.next = func() (row, error) {
		for {
			ration.left = maxRow
			record, err := reader.Read()
			if err != nil {
				return row{}, err
			}
			out := row{cells: record[:min(len(record), len(t.columns))], line: place(0), short: len(record) < len(t.columns)}
			filled, over := false, false
			for i, cell := range record {
				if !text.Valid(cell) {
					name := fmt.Sprint(i + 1)
					if i < len(t.columns) && t.columns[i] != "" {
						name = t.columns[i]
					}
					return row{}, illegible(place(i), name, cell)
				}
				if i < len(out.cells) {
					out.cells[i] = text.Unguarded(strings.TrimSpace(cell))
					filled = filled || out.cells[i] != ""
				} else {
					over = over || strings.TrimSpace(cell) != ""
				}
			}
			if over {
				return row{}, fmt.Errorf("line %d has %d cells, and the header has %d: put a cell that has a %q in it between quotes, or name the column in the header",
					out.line, len(record), len(t.columns), comma)
			}
			if filled {
				return out, nil
			}
		}
	}
	return t, nil
}

// separator finds the character between the columns: the one that the header has most of, outside quotes. It skips Excel's line
// "sep=;" and returns how many lines it skipped.
func separator(r *bufio.Reader) (comma rune, lines int, err error) {
	head, err := r.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return 0, 0, err
	}
	line, _, found := bytes.Cut(head, []byte("\n"))
	if !found && bytes.ContainsRune(bytes.TrimRight(line, "\r"), '\r') {
		return 0, 0, errors.New("its lines end in CR alone, as on an old Macintosh: save it with the line ends of Windows or Unix")
	}
	if said, ok := bytes.CutPrefix(bytes.ToLower(bytes.TrimRight(line, "\r")), []byte("sep=")); ok && len(said) == 1 && bytes.ContainsAny(said, ",;\t|") {
		_, _ = r.Discard(min(len(line)+1, len(head)))
		return rune(said[0]), 1, nil
	}
	counts, quoted := map[byte]int{}, false
	for _, b := range line {
		if b == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[b]++
		}
	}
	comma = ','
	for _, b := range []byte("\t;|") {
		if counts[b] > counts[byte(comma)] {
			comma = rune(b)
		}
	}
	return comma, 0, nil
}

// illegible returns the error of a cell that is not valid text. Spreadsheets write such files in the encoding of their country.
func illegible(line int, column, cell string) error {
	remedy := "save the table as CSV UTF-8, or name its encoding with --encoding"
	if name := text.Likely(cell); name != "" {
		remedy = "it may be " + name + " (Excel's own): save the table as CSV UTF-8, or pass --encoding " + name
	}
	return fmt.Errorf("line %d, column %s %s: %s", line, column, text.Problem, remedy)
}
