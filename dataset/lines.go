package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// readLines reads JSON Lines. The columns are the keys of all lines, so the file is read twice. A value that is not a string, number or
// boolean is an empty cell; a list is its elements with semicolons between them.
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
		t.header = append(t.header, strings.TrimSpace(name))
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
		cells := make([]string, len(v))
		for i, element := range v {
			cells[i] = cellOf(element)
		}
		return strings.Join(cells, ";")
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
