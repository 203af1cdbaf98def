package takeout

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/abn-studio/studio/internal/text"
)

// newTable writes records as rows. The names of columns are those of T's fields in JSON.
func newTable[T any](format Format, w io.Writer) (writer[T], error) {
	switch format.Key {
	case "jsonl":
		buffer := bufio.NewWriterSize(w, 1<<16)
		lines := json.NewEncoder(buffer)
		lines.SetEscapeHTML(false)
		return &jsonLines[T]{lines, buffer}, nil
	case "csv":
		return newCSV[T](w)
	case "parquet":
		return &parquetRows[T]{w: parquet.NewGenericWriter[T](w, parquet.Compression(&zstd.Codec{}))}, nil
	}
	return nil, fmt.Errorf("%s is no table", format.Key)
}

// jsonLines writes a line a record.
type jsonLines[T any] struct {
	lines  *json.Encoder
	buffer *bufio.Writer
}

func (j *jsonLines[T]) write(record T) error { return j.lines.Encode(record) }
func (j *jsonLines[T]) finish() error        { return j.buffer.Flush() }
func (j *jsonLines[T]) close() error         { return nil }

// csvRows writes a row a record (RFC 4180), after one with the names of the columns.
type csvRows[T any] struct {
	rows    *text.CSV
	columns []reflect.StructField
	cells   []string
}

func newCSV[T any](w io.Writer) (*csvRows[T], error) {
	c := &csvRows[T]{rows: text.NewCSV(w)}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			c.columns, c.cells = append(c.columns, field), append(c.cells, name)
		}
	}
	return c, c.rows.Write(c.cells)
}

func (c *csvRows[T]) write(record T) error {
	row := reflect.ValueOf(record)
	for i, column := range c.columns {
		cell, err := csvCell(row.FieldByIndex(column.Index).Interface())
		if err != nil {
			return fmt.Errorf("column %s: %w", column.Name, err)
		}
		c.cells[i] = cell
	}
	return c.rows.Write(c.cells)
}

func (c *csvRows[T]) finish() error {
	c.rows.Flush()
	return c.rows.Error()
}

func (c *csvRows[T]) close() error { return nil }

// csvCell writes a value as a cell. Lists and objects are JSON, a missing value is empty.
func csvCell(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case *time.Time:
		if v == nil {
			return "", nil
		}
		return v.Format(time.RFC3339Nano), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), nil
	case json.RawMessage:
		return string(v), nil
	}
	raw, err := json.Marshal(value)
	return string(raw), err
}

// parquetGroup is how many rows a row group has at most, and parquetBytes how many bytes of values: a writer keeps one group in memory.
const (
	parquetGroup = 10_000
	parquetBytes = 8 << 20
)

// parquetRows writes Apache Parquet.
type parquetRows[T any] struct {
	w           *parquet.GenericWriter[T]
	rows, bytes int
	row         [1]T
}

// sized is a record that knows about how large it is.
type sized interface{ Size() int }

func (p *parquetRows[T]) write(record T) error {
	p.row[0] = record
	if _, err := p.w.Write(p.row[:]); err != nil {
		return err
	}
	p.rows++
	p.bytes += 500
	if s, ok := any(record).(sized); ok {
		p.bytes += s.Size()
	}
	if p.rows < parquetGroup && p.bytes < parquetBytes {
		return nil
	}
	p.rows, p.bytes = 0, 0
	return p.w.Flush()
}

func (p *parquetRows[T]) finish() error { return p.w.Close() }
func (p *parquetRows[T]) close() error  { return nil }
