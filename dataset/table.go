package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// maxRow bounds one row of a table, in bytes: a quote that nobody closed must not read the rest of the file into memory.
const maxRow = 4 << 20

// maxColumns bounds how many columns a table has.
const maxColumns = 10_000

// table is a file of rows, CSV or JSON Lines, that is read row by row.
type table struct {
	file    string // its name below the root, for messages
	columns []string
	next    func() (row, error) // io.EOF after the last
	close   func() error
}

// row is one of a table: its cells, by column, and where it stands.
type row struct {
	cells []string
	line  int
}

// at is the cell of a column by number, "" where the row has none or the column is -1.
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

// each calls use for every row that holds something.
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

// rationed is a reader that fails once a row has taken too much.
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

// readTable reads a CSV. A byte order mark, UTF-16, CRLF, tabs or semicolons between the columns, Excel's line "sep=;", padded
// headers, trailing empty columns and short rows are all met in the wild and all allowed.
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
	reader.TrimLeadingSpace = comma != '\t' // or empty cells would go with the space
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
		t.columns = append(t.columns, text.NFC(strings.ToLower(strings.TrimSpace(column))))
	}
	t.next = func() (row, error) {
		for {
			ration.left = maxRow
			record, err := reader.Read()
			if err != nil {
				return row{}, err
			}
			out := row{cells: record[:min(len(record), len(t.columns))], line: place(0)}
			filled := false
			for i, cell := range record {
				if !text.Valid(cell) {
					name := fmt.Sprint(i + 1)
					if i < len(t.columns) && t.columns[i] != "" {
						name = t.columns[i]
					}
					return row{}, illegible(place(i), name, cell)
				}
				if i < len(out.cells) {
					out.cells[i] = strings.TrimSpace(cell)
					filled = filled || out.cells[i] != ""
				}
			}
			if filled {
				return out, nil
			}
		}
	}
	return t, nil
}

// separator finds what stands between the columns by the header: what it holds most of, outside of quotes. It passes over
// Excel's line "sep=;" and says how many lines that were.
func separator(r *bufio.Reader) (comma rune, lines int, err error) {
	head, err := r.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return 0, 0, err
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
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

// illegible names a cell that nothing can keep; spreadsheets write such files in the encoding of their country.
func illegible(line int, column, cell string) error {
	remedy := "save the table as CSV UTF-8, or name its encoding with --encoding"
	if name := text.Likely(cell); name != "" {
		remedy = "it may be " + name + " (Excel's own): save the table as CSV UTF-8, or pass --encoding " + name
	}
	return fmt.Errorf("line %d, column %s %s: %s", line, column, text.Problem, remedy)
}

// readLines reads JSON Lines. The columns are the keys of all lines, so the file is read twice; what is no text, number or
// truth value is an empty cell, and lists of one are what they hold.
func readLines(f io.ReadSeeker, encoding string) (*table, error) {
	keys := map[string]bool{}
	scan := func(use func(line int, document map[string]any) (bool, error)) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return jsonLines(f, encoding, use)
	}
	err := scan(func(_ int, document map[string]any) (bool, error) {
		for key := range document {
			keys[key] = true
		}
		if len(keys) > maxColumns {
			return false, fmt.Errorf("more than %d keys", maxColumns)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(keys))
	t := &table{close: func() error { return nil }}
	for _, name := range names {
		t.columns = append(t.columns, text.NFC(strings.ToLower(strings.TrimSpace(name))))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	lines, err := newLines(f, encoding)
	if err != nil {
		return nil, err
	}
	t.next = func() (row, error) {
		document, line, err := lines.next()
		if err != nil {
			return row{}, err
		}
		out := row{cells: make([]string, len(names)), line: line}
		for i, name := range names {
			out.cells[i] = strings.TrimSpace(cellOf(document[name]))
		}
		return out, nil
	}
	return t, nil
}

// cellOf writes a JSON value as a table's cell.
func cellOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case []any:
		if len(v) == 1 {
			return cellOf(v[0])
		}
	case map[string]any: // Hugging Face's {"path": …, "bytes": null}, FiftyOne's {"label": …}
		for _, key := range []string{"path", "label", "name"} {
			if s, ok := v[key].(string); ok {
				return s
			}
		}
	}
	return ""
}

// jsonReader reads the objects of a JSON Lines file.
type jsonReader struct {
	scanner *bufio.Scanner
	line    int
}

func newLines(r io.Reader, encoding string) (*jsonReader, error) {
	converted, err := text.Reader(r, encoding)
	if err != nil {
		return nil, err
	}
	scanner := bufio.NewScanner(converted)
	scanner.Buffer(make([]byte, 64<<10), maxRow)
	return &jsonReader{scanner: scanner}, nil
}

func (l *jsonReader) next() (map[string]any, int, error) {
	for l.scanner.Scan() {
		l.line++
		data := bytes.TrimSpace(l.scanner.Bytes())
		if len(data) == 0 {
			continue
		}
		if place, found := text.InJSON(data); found {
			return nil, l.line, fmt.Errorf("line %d, %s %s: save the file as UTF-8", l.line, place, text.Problem)
		}
		var document map[string]any
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&document); err != nil {
			return nil, l.line, fmt.Errorf("line %d is no JSON object: %w", l.line, err)
		}
		if document == nil || decoder.More() {
			return nil, l.line, fmt.Errorf("line %d is not one JSON object", l.line)
		}
		return document, l.line, nil
	}
	if err := l.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, l.line, fmt.Errorf("line %d is longer than %d MiB", l.line+1, maxRow>>20)
	} else if err != nil {
		return nil, l.line, err
	}
	return nil, l.line, io.EOF
}

func jsonLines(r io.Reader, encoding string, use func(int, map[string]any) (bool, error)) error {
	lines, err := newLines(r, encoding)
	if err != nil {
		return err
	}
	for {
		document, line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := use(line, document); err != nil || !more {
			return err
		}
	}
}

// columns are where a table keeps what the studio takes from it; -1 for what it does not have.
type columns struct {
	file, class, split, group, mask int
	trains                          bool // the split column says whether an image is trained on
}

// column is the number of the first of some names, -1 if the table has none of them.
func (t *table) column(names ...string) int {
	for _, name := range names {
		if i := slices.IndexFunc(t.columns, func(c string) bool { return columnKey(c) == columnKey(name) }); i >= 0 {
			return i
		}
	}
	return -1
}

// choose finds a table's columns, as the caller says (Options.Columns) or by their usual names, and notes what was read under
// another name, what is not there, and what is passed over.
func (d *Dataset) choose(t *table) (columns, error) {
	found := map[string]int{}
	var read, absent []string
	for _, usual := range usualColumns {
		said, asked := d.options.Columns[usual.column]
		i := -1
		if asked {
			if said != "" { // "" says that none is to be read
				if i = t.column(said); i < 0 {
					return columns{}, fmt.Errorf("%w: %s has no column %q for the %s; its columns are %s", ErrLayout, t.file, said, usual.column, t.list())
				}
			}
		} else {
			i = t.column(usual.names...)
		}
		if usual.column == ColumnGroup && i >= 0 && i == found[ColumnClass] {
			i = -1
		}
		found[usual.column] = i
		if i >= 0 {
			if again := slices.Index(t.columns[i+1:], t.columns[i]); again >= 0 {
				return columns{}, fmt.Errorf("%w: %s has two columns %q: rename one", ErrLayout, t.file, t.columns[i])
			}
			if !asked && columnKey(t.columns[i]) != usual.column {
				read = append(read, fmt.Sprintf("%s from %q", usual.column, t.columns[i]))
			}
		} else if !asked && (usual.column == ColumnClass || usual.column == ColumnSplit) && !slices.Contains(d.options.folders, usual.column) {
			absent = append(absent, usual.column)
		}
	}
	c := columns{file: found[ColumnFile], class: found[ColumnClass], split: found[ColumnSplit], group: found[ColumnGroup], mask: found[ColumnMask]}
	if c.file < 0 {
		return c, fmt.Errorf("%w: %s has no column \"file\"; its columns are %s: say which names the images with --columns file=…", ErrLayout, t.file, t.list())
	}
	c.trains = c.split >= 0 && strings.HasPrefix(columnKey(t.columns[c.split]), "is_train")
	var over []string
	for i, name := range t.columns {
		if name != "" && !slices.Contains([]int{c.file, c.class, c.split, c.group, c.mask}, i) {
			over = append(over, name)
		}
	}
	if len(read) > 0 {
		d.note(t.file, "read as: %s", strings.Join(read, ", "))
	}
	if len(absent) > 0 && len(over) > 0 {
		d.note(t.file, "has no column for the %s (its columns are %s): say which it is with --columns %s=…", strings.Join(absent, " and the "), t.list(), absent[0])
	} else if c.class < 0 && !slices.Contains(d.options.folders, ColumnClass) {
		d.note(t.file, "has no column for the class: the images are unlabelled")
	} else if len(over) > 0 {
		d.note(t.file, "columns passed over: %s", text.Cut(strings.Join(over, ", "), 500))
	}
	return c, nil
}

// list is a table's columns for a message.
func (t *table) list() string {
	var names []string
	for _, name := range t.columns {
		if name != "" {
			names = append(names, name)
		}
	}
	return text.Cut(strings.Join(names, ", "), 500)
}

// labels reads what a row says of its image; the strings are shared with earlier rows where they are the same.
func (d *Dataset) labels(t *table, c columns, r row, s *Sample) error {
	for _, field := range []struct {
		column int
		to     *string
	}{{c.class, &s.Class}, {c.group, &s.Group}} {
		value := r.at(field.column)
		if len(value) > text.MaxName {
			return fmt.Errorf("reading %s: line %d, column %s: %q %s", t.file, r.line, t.columns[field.column], text.Cut(value, 40), text.TooLong)
		}
		if field.column >= 0 {
			*field.to = d.shared(value)
		}
	}
	if word := r.at(c.split); word != "" {
		split, ok := d.splitWord(word)
		if !ok && c.trains {
			split, ok = map[string]string{"1": Train, "true": Train, "yes": Train, "0": Test, "false": Test, "no": Test}[strings.ToLower(word)]
		}
		if !ok {
			return fmt.Errorf("%w: line %d of %s: split %q is none of train, validation, test, pool: say what it means with --splits %s=train, or pass over the column with --columns split=",
				ErrLayout, r.line, t.file, text.Cut(word, 40), text.Cut(word, 40))
		}
		s.Split = split
	}
	return nil
}

// shared is a name in NFC, the same string for the same name: a million images have a thousand classes.
func (d *Dataset) shared(name string) string {
	if name == "" {
		return ""
	}
	if known, ok := d.names[name]; ok {
		return known
	}
	if d.names == nil {
		d.names = map[string]string{}
	}
	kept := strings.Clone(text.NFC(name))
	if len(d.names) < 100_000 { // where every image has a name of its own, there is nothing to share
		d.names[strings.Clone(name)] = kept
	}
	return kept
}

// localName cleans a file name that a table gives, in NFC; ok is false if it leads out of the root.
func localName(name string) (string, bool) {
	name = path.Clean(strings.ReplaceAll(text.NFC(name), `\`, "/"))
	return name, filepath.IsLocal(filepath.FromSlash(name))
}
