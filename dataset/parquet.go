package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// parquetFiles lists the Parquet files of Dir and of the folders below it, two deep, as Hugging Face lays them out: data/
// train-00000-of-00002.parquet, or default/train/0000.parquet.
func (d *Dataset) parquetFiles() []string {
	var out []string
	level := []string{""}
	for range 3 {
		var next []string
		for _, folder := range level {
			for _, entry := range d.look(folder) {
				name := path.Join(folder, entry.Name())
				if entry.IsDir() && len(next) < 64 {
					next = append(next, name)
				} else if !entry.IsDir() && suffix(name) == ".parquet" && stem(name) != "metadata" {
					out = append(out, name)
				}
			}
		}
		level = next
	}
	return out
}

func (d *Dataset) fitsParquet() string {
	if files := d.parquetFiles(); len(files) > 0 {
		return "Parquet: " + files[0]
	}
	return ""
}

// parquetColumns are the indices of the columns (leaves) of a Parquet file that are read; -1 for a column that it does not have.
type parquetColumns struct {
	bytes, path, class, split int
	names                     []string // of the classes, if the class is a number
}

// all lists the columns that the file has, each once.
func (c parquetColumns) all() []int {
	var out []int
	for _, at := range []int{c.bytes, c.path, c.class, c.split} {
		if at >= 0 && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// readParquet reads Hugging Face's data sets of pictures: a column with the bytes and the path of an image, and one for its
// class, whose names stand in the file's own description. The pictures are written into a temporary folder.
func (d *Dataset) readParquet() error {
	files := d.parquetFiles()
	if d.single != "" {
		files = []string{d.single}
	}
	if len(files) == 0 {
		return fmt.Errorf("%w: no .parquet file", ErrLayout)
	}
	from := *d
	dir, err := d.temporary()
	if err != nil {
		return err
	}
	d.Dir, d.root = dir, dir
	for _, file := range files {
		split, ok := d.splitWord(stem(strings.ReplaceAll(file, "-of-", "-")))
		if !ok {
			split, _ = d.splitWord(path.Base(path.Dir(file)))
		}
		if err := d.readParquetFile(from.file(file), file, split); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return nil
}

func (d *Dataset) readParquetFile(file, name, split string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return d.readParquetFrom(f, info.Size(), name, split)
}

// readParquetFrom reads the needed columns of one file. checkParquet checks the file's lengths before the library reads it, and a panic
// of the library over forged bytes becomes an error.
func (d *Dataset) readParquetFrom(f io.ReaderAt, size int64, name, split string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the file is malformed: %v", ErrLayout, p)
		}
	}()
	if err := checkParquetFooter(f, size); err != nil {
		return err
	}
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%w: not a Parquet file: %w", ErrLayout, err)
	}
	c, err := d.chooseParquet(p, name)
	if err != nil {
		return err
	}
	if err := checkParquet(f, size, p, c); err != nil {
		return err
	}
	left := max(minGrowth, 4*size)
	number := 0
	for _, group := range p.RowGroups() {
		if number, err = d.readParquetGroup(group, c, name, split, number, &left); err != nil {
			return err
		}
	}
	return nil
}

// readParquetGroup reads the rows of a group, after the number of rows before it.
func (d *Dataset) readParquetGroup(group parquet.RowGroup, c parquetColumns, name, split string, number int, left *int64) (int, error) {
	var columns []*parquetValues
	for _, at := range c.all() {
		values := &parquetValues{reader: parquet.NewColumnChunkValueReader(group.ColumnChunks()[at]), column: at}
		defer values.reader.Close()
		columns = append(columns, values)
	}
	for range group.NumRows() {
		number++
		row := map[int]parquet.Value{}
		for _, column := range columns {
			v, err := column.next()
			if err != nil {
				return number, fmt.Errorf("row %d: %w", number, err)
			}
			row[column.column] = v
		}
		if err := d.addParquetRow(row, c, name, split, number, left); err != nil {
			return number, fmt.Errorf("row %d: %w", number, err)
		}
	}
	return number, nil
}

// parquetValues returns the values of a column of a row group one by one, each valid until the next.
type parquetValues struct {
	reader parquet.ColumnChunkValueReader
	column int
	buffer [16]parquet.Value
	at, n  int
}

func (v *parquetValues) next() (parquet.Value, error) {
	if v.at == v.n {
		n, err := v.reader.ReadValues(v.buffer[:])
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return parquet.Value{}, err
		}
		v.at, v.n = 0, n
	}
	v.at++
	return v.buffer[v.at-1], nil
}

// chooseParquet finds the columns and the names of the classes.
func (d *Dataset) chooseParquet(p *parquet.File, name string) (parquetColumns, error) {
	c := parquetColumns{-1, -1, -1, -1, nil}
	leaves := p.Schema().Columns()
	find := func(column string) int {
		names := usualColumns[slices.IndexFunc(usualColumns, func(u usualColumn) bool { return u.column == column })].names
		if said, ok := d.options.Columns[column]; ok {
			names = []string{said}
		}
		for _, name := range names {
			for i, leaf := range leaves {
				if len(leaf) == 1 && columnKey(leaf[0]) == columnKey(name) {
					return i
				}
			}
		}
		return -1
	}
	for i, leaf := range leaves {
		if len(leaf) == 2 && leaf[1] == "bytes" && c.bytes < 0 {
			c.bytes = i
			for k, other := range leaves {
				if len(other) == 2 && other[0] == leaf[0] && other[1] == "path" {
					c.path = k
				}
			}
		}
	}
	if c.bytes < 0 {
		c.bytes = find(ColumnFile)
	}
	c.class, c.split = find(ColumnClass), find(ColumnSplit)
	if c.bytes < 0 || c.bytes == c.class {
		var all []string
		for _, leaf := range leaves {
			all = append(all, strings.Join(leaf, "."))
		}
		return c, fmt.Errorf("%w: no column with the bytes of images; its columns are %s", ErrLayout, text.Cut(text.Clean(strings.Join(all, ", ")), 500))
	}
	if c.class < 0 {
		d.note(name, "has no column for the class under a usual name: the images are unlabelled; say which it is with --columns class=…")
		return c, nil
	}
	if described, ok := p.Lookup("huggingface"); ok {
		var about struct {
			Info struct {
				Features map[string]struct {
					Names []string `json:"names"`
				} `json:"features"`
			} `json:"info"`
		}
		if json.Unmarshal([]byte(described), &about) == nil {
			c.names = about.Info.Features[leaves[c.class][0]].Names
		}
	}
	for _, class := range c.names {
		if err := checkName(name, "class", class); err != nil {
			return c, err
		}
	}
	return c, nil
}

// addParquetRow writes one picture and adds it.
func (d *Dataset) addParquetRow(row map[int]parquet.Value, c parquetColumns, file, split string, number int, left *int64) error {
	var content []byte
	var given, class string
	for _, at := range c.all() {
		v := row[at]
		if v.IsNull() {
			continue
		}
		switch at {
		case c.bytes:
			if v.Kind() != parquet.ByteArray {
				return errors.New("the image column holds no bytes")
			}
			content = v.ByteArray()
		case c.path:
			if v.Kind() == parquet.ByteArray {
				given = string(v.ByteArray())
			}
		case c.class:
			var err error
			if class, err = c.className(v); err != nil {
				return err
			}
		case c.split:
			word := v.String()
			s, ok := d.splitWord(word)
			if !ok {
				return fmt.Errorf("%w: split %q is none of train, validation, test, pool", ErrLayout, text.Cut(word, 40))
			}
			split = s
		}
	}
	if err := checkName(file, "class", class); err != nil {
		return err
	}
	place := path.Join(strings.TrimSuffix(file, ".parquet"), fmt.Sprintf("%08d", number))
	if len(content) == 0 {
		d.skip(place, "the row has no bytes of an image")
		return nil
	}
	format := picture.Format(content[:min(16, len(content))])
	if format == "" {
		d.skip(place, "%s", notAPicture(content))
		return nil
	}
	if *left -= int64(len(content)); *left < 0 {
		return fmt.Errorf("%w: the images are larger than the file may hold", ErrArchive)
	}
	name := place + picture.SuffixOf(format)
	if base := path.Base(strings.ReplaceAll(given, `\`, "/")); picture.HasSuffix(base) && text.Valid(base) && !strings.HasPrefix(base, ".") && len(base) < 200 {
		if own, ok := localName(path.Join(path.Dir(place), base)); ok {
			if _, err := os.Lstat(d.file(own)); errors.Is(err, os.ErrNotExist) {
				name = own
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(d.file(name)), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(d.file(name), content, 0o644); err != nil {
		return err
	}
	d.countSeveral(name, bytes.NewReader(content))
	d.add(name, Sample{Split: split, Class: class})
	return nil
}

// className returns the class of a value, which is a name or the index of a name. Hugging Face writes -1 for unlabelled.
func (c parquetColumns) className(v parquet.Value) (string, error) {
	var n int64
	switch v.Kind() {
	case parquet.ByteArray:
		return string(v.ByteArray()), nil
	case parquet.Int32:
		n = int64(v.Int32())
	case parquet.Int64:
		n = v.Int64()
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	default:
		return "", fmt.Errorf("the class is of kind %v", v.Kind())
	}
	switch {
	case n == -1:
		return "", nil
	case len(c.names) == 0:
		return strconv.FormatInt(n, 10), nil
	case n < 0 || n >= int64(len(c.names)):
		return "", fmt.Errorf("class %d, and there are %d names", n, len(c.names))
	}
	return c.names[n], nil
}
