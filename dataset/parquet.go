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
	"regexp"
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
	bytes, path, mask, class, split int
	names                           []string // of the classes, if the class is a number
}

// all lists the columns that the file has, each once.
func (c parquetColumns) all() []int {
	var out []int
	for _, at := range []int{c.bytes, c.path, c.mask, c.class, c.split} {
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
	if err := d.oneConfiguration(files); err != nil {
		return err
	}
	d.missShards(files)
	from := *d
	if d.single == "" && d.holdsPictures("", 3) {
		d.note("", "the pictures beside the Parquet files are not read: give their folder as the data set to read them instead")
	}
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

// configuration is a file's folder without what names a split or holds all data.
func (d *Dataset) configuration(file string) string {
	var parts []string
	for part := range strings.SplitSeq(path.Dir(file), "/") {
		if _, isSplit := d.splitWord(part); !isSplit && !isContainer(part) && part != "." {
			parts = append(parts, part)
		}
	}
	return path.Join(parts...)
}

// oneConfiguration refuses files of several configurations, which are versions of one data set, or parts with other columns.
func (d *Dataset) oneConfiguration(files []string) error {
	for _, file := range files {
		if first, other := d.configuration(files[0]), d.configuration(file); other != first {
			return fmt.Errorf("%w: %s and %s are in different folders, as the configurations of one data set are: give one of the folders as the data set", ErrSeveral, files[0], file)
		}
	}
	return nil
}

// shardName matches the name of a file that is one of several: train-00000-of-00005.parquet.
var shardName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})(-[0-9a-f]+)?(\.[a-z.]+)$`)

// missShards lists shards as missing that others say should be there.
func (d *Dataset) missShards(files []string) {
	there := map[string]bool{}
	type group struct {
		before, of, end string
	}
	var groups []group
	for _, file := range files {
		if m := shardName.FindStringSubmatch(file); m != nil {
			g := group{m[1], m[3], m[5]}
			there[g.before+m[2]+g.of] = true
			if !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
	}
	for _, g := range groups {
		all, _ := strconv.Atoi(g.of)
		for i := range all {
			if number := fmt.Sprintf("%05d", i); !there[g.before+number+g.of] {
				d.miss(g.before+"-"+number+"-of-"+g.of+g.end, "one of %d shards, and it is not there", all)
			}
		}
	}
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
	c := parquetColumns{-1, -1, -1, -1, -1, nil}
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
	if err := d.choosePictures(&c, leaves, name); err != nil {
		return c, err
	}
	if c.bytes < 0 {
		c.bytes = find(ColumnFile)
	}
	c.class, c.split = find(ColumnClass), find(ColumnSplit)
	if _, asked := d.options.Columns[ColumnClass]; c.class < 0 && !asked {
		for _, leaf := range leaves {
			if len(leaf) > 1 && slices.Contains(usualColumns[1].names, columnKey(leaf[0])) && leaf[1] != "bytes" && leaf[1] != "path" {
				return c, fmt.Errorf("%w: its column %s is a list, as of several labels, and %s in a column of its own, or pass over it with --columns class=", errLabels, leaf[0], oneLabel)
			}
		}
	}
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

// maskColumns are names of columns with pictures that are masks, besides those of ColumnMask.
var maskColumns = []string{"annotation", "annotations", "label", "labels", "semantic_segmentation", "segmentation_mask", "ground_truth", "instance", "trimap"}

// choosePictures finds the column of the images and that of their masks among those that hold the bytes of pictures.
func (d *Dataset) choosePictures(c *parquetColumns, leaves [][]string, file string) error {
	var columns []string
	at := map[string]int{}
	for i, leaf := range leaves {
		if len(leaf) == 2 && leaf[1] == "bytes" {
			columns = append(columns, leaf[0])
			at[leaf[0]] = i
		}
	}
	take := func(column string, usual []string) (string, error) {
		said, asked := d.options.Columns[column]
		if asked && said == "" {
			return "", nil
		}
		if asked {
			usual = []string{said}
		}
		for _, name := range usual {
			if i := slices.IndexFunc(columns, func(c string) bool { return columnKey(c) == columnKey(name) }); i >= 0 {
				return columns[i], nil
			}
		}
		if asked && len(columns) > 0 && column == ColumnMask {
			return "", fmt.Errorf("%w: no column %q holds pictures; those that do are %s", ErrLayout, said, strings.Join(columns, ", "))
		}
		return "", nil
	}
	mask, err := take(ColumnMask, slices.Concat(usualColumns[4].names, maskColumns))
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return column == mask })
	picture, err := take(ColumnFile, usualColumns[0].names)
	if err != nil {
		return err
	}
	switch {
	case len(columns) == 0:
		return nil
	case len(columns) == 1:
		picture, mask = columns[0], ""
	case picture == "" && len(rest) == 1:
		picture = rest[0]
	case picture == "":
		return fmt.Errorf("%w: several columns hold pictures (%s): say which are the images with --columns file=…", ErrLayout, strings.Join(columns, ", "))
	}
	c.bytes = at[picture]
	for k, other := range leaves {
		if len(other) == 2 && other[0] == picture && other[1] == "path" {
			c.path = k
		}
	}
	if mask != "" && mask != picture {
		c.mask = at[mask]
		d.note(file, "the masks are those of the column %s", mask)
	}
	for _, column := range columns {
		if column != picture && column != mask {
			d.note(file, "the pictures of the column %s are passed over", column)
		}
	}
	return nil
}

// addParquetRow writes one picture and adds it.
func (d *Dataset) addParquetRow(row map[int]parquet.Value, c parquetColumns, file, split string, number int, left *int64) error {
	var content, mask []byte
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
		case c.mask:
			if v.Kind() != parquet.ByteArray {
				return errors.New("the mask column holds no bytes")
			}
			mask = v.ByteArray()
		case c.path:
			if v.Kind() == parquet.ByteArray {
				given = string(v.ByteArray())
			}
		case c.class:
			var err error
			if class, err = c.className(v); err != nil {
				return err
			}
			if d.labelled == "" && v.Kind() == parquet.ByteArray {
				d.labelled = file
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
	if *left -= int64(len(content)) + int64(len(mask)); *left < 0 {
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
	s := Sample{Split: split, Class: class}
	if class == "" && c.class >= 0 {
		d.count(name, "the row has no label: unlabelled")
	}
	if len(mask) > 0 {
		if of := picture.Format(mask[:min(16, len(mask))]); of == "" {
			d.skip(place, "the mask is %s", notAPicture(mask))
		} else {
			s.Mask = d.file(place + ".mask" + picture.SuffixOf(of))
			if err := os.WriteFile(s.Mask, mask, 0o644); err != nil {
				return err
			}
		}
	}
	d.add(name, s)
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
