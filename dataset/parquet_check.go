package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/abn-studio/studio/internal/text"
)

// Bounds of a Parquet file. The library that reads it allocates memory for the lengths and counts in the file without checking them: a
// file of a few bytes could claim gigabytes. So this package first compares them with the file's size, in the footer and then in each
// page of the columns that are read, down to the lengths inside a page.
const (
	maxFooter        = 16 << 20 // bytes; the footer of a file with 30,000 row groups has fewer
	maxFooterStructs = 500_000  // each takes some hundred bytes in memory
	maxPage          = 1 << 30  // bytes; pyarrow's pages hold a thousand rows
	minUnpacked      = 64 << 20 // bytes that all pages together may always unpack to; larger files: maxGrowth times their size
	maxPageGrowth    = 8        // a page of more than minUnpacked holds pictures, which hardly shrink when packed
)

// plainDictionary is the encoding by which older writers mark both a dictionary, which is really plain, and its indices.
const plainDictionary format.Encoding = 2

// errForged says that a Parquet file's own lengths do not fit it.
var errForged = errors.New("the file is damaged or forged")

func forged(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", ErrLayout, errForged, fmt.Sprintf(format, args...))
}

// compact reads Thrift's compact protocol, in which Parquet's metadata is written, without allocating memory for it.
type compact struct {
	r       io.ByteReader
	skip    func(n int64) error
	left    int64 // bytes that may still come
	structs int
}

// Types of the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (c *compact) byte() (byte, error) {
	if c.left--; c.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b, err := c.r.ReadByte()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

func (c *compact) varint() (v uint64, err error) {
	for shift := 0; shift < 64; shift += 7 {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			return v, nil
		}
	}
	return 0, errors.New("a number of more than 64 bits")
}

func (c *compact) pass(n uint64) error {
	if n > uint64(max(c.left, 0)) {
		return fmt.Errorf("a length of %d bytes, and %d are left", n, c.left)
	}
	c.left -= int64(n)
	return c.skip(int64(n))
}

// structure reads a struct, and calls see for every integer in it, with the ids of the fields that lead to it.
func (c *compact) structure(path []int16, see func(path []int16, v int64)) error {
	if c.structs++; c.structs > maxFooterStructs {
		return fmt.Errorf("more than %d parts", maxFooterStructs)
	}
	if len(path) > 16 {
		return errors.New("parts within parts, 16 deep")
	}
	id := int16(0)
	for {
		head, err := c.byte()
		if err != nil || head == thriftStop {
			return err
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			v, err := c.varint()
			if err != nil {
				return err
			}
			id = int16(unzigzag(v))
		}
		if err := c.value(head&15, append(path[:len(path):len(path)], id), false, see); err != nil {
			return err
		}
	}
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// value reads one value. In a list a boolean has a byte of its own.
func (c *compact) value(kind byte, path []int16, listed bool, see func(path []int16, v int64)) error {
	switch kind {
	case thriftTrue, thriftFalse:
		if listed {
			return c.pass(1)
		}
		see(path, int64(thriftFalse-kind))
		return nil
	case thriftByte:
		return c.pass(1)
	case 4, 5, 6: // whole numbers of 16, 32, 64 bits
		v, err := c.varint()
		if err == nil {
			see(path, unzigzag(v))
		}
		return err
	case thriftDouble:
		return c.pass(8)
	case thriftBinary:
		n, err := c.varint()
		if err != nil {
			return err
		}
		return c.pass(n)
	case thriftList, thriftSet:
		head, err := c.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = c.varint(); err != nil {
				return err
			}
		}
		return c.several(n, path, see, head&15)
	case thriftMap:
		n, err := c.varint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := c.byte()
		if err != nil {
			return err
		}
		return c.several(n, path, see, kinds>>4, kinds&15)
	case thriftStruct:
		return c.structure(path, see)
	}
	return fmt.Errorf("a value of the unknown kind %d", kind)
}

// several reads n values, or n pairs of values for two kinds; each takes at least a byte.
func (c *compact) several(n uint64, path []int16, see func(path []int16, v int64), kinds ...byte) error {
	if n > uint64(max(c.left, 0)) {
		return fmt.Errorf("a list of %d, and %d bytes are left", n, c.left)
	}
	if len(path) > 16 {
		return errors.New("lists within lists, 16 deep")
	}
	for range n {
		for _, kind := range kinds {
			if err := c.value(kind, append(path[:len(path):len(path)], 0), true, see); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParquetFooter compares the lengths and counts in a Parquet file's footer with its size.
func checkParquetFooter(f io.ReaderAt, size int64) error {
	if size < 12 {
		return fmt.Errorf("%w: not a Parquet file: it has %d bytes", ErrLayout, size)
	}
	var end [8]byte
	if _, err := f.ReadAt(end[:], size-8); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return fmt.Errorf("%w: not a Parquet file: it does not end in PAR1 (an encrypted one is not read)", ErrLayout)
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if n > size-12 || n > maxFooter {
		return forged("a footer of %d bytes in a file of %d (at most %d are read)", n, size, maxFooter)
	}
	footer := make([]byte, n)
	if _, err := f.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	r := bytes.NewReader(footer)
	c := &compact{r: r, left: n, skip: func(n int64) error { _, err := r.Seek(n, io.SeekCurrent); return err }}
	if err := c.structure(nil, func([]int16, int64) {}); err != nil {
		return forged("its footer: %v", err)
	}
	return nil
}

// parquetPage is the header of a page.
type parquetPage struct {
	kind               format.PageType
	unpacked, packed   int64
	values             int64
	encoding           format.Encoding
	levels             format.Encoding // of definition levels
	repetition, define int64           // lengths of levels, of a page of the second version
	isPacked           bool
}

// readParquetPage reads the header of a page.
func readParquetPage(c *compact) (parquetPage, error) {
	p := parquetPage{isPacked: true, kind: -1}
	err := c.structure(nil, func(path []int16, v int64) {
		if len(path) == 1 {
			switch path[0] {
			case 1:
				p.kind = format.PageType(v)
			case 2:
				p.unpacked = v
			case 3:
				p.packed = v
			}
		}
		if len(path) != 2 {
			return
		}
		switch [2]int16{path[0], path[1]} {
		case [2]int16{5, 1}, [2]int16{7, 1}, [2]int16{8, 1}:
			p.values = v
		case [2]int16{5, 2}, [2]int16{7, 2}, [2]int16{8, 4}:
			p.encoding = format.Encoding(v)
		case [2]int16{5, 3}:
			p.levels = format.Encoding(v)
		case [2]int16{8, 5}:
			p.define = v
		case [2]int16{8, 6}:
			p.repetition = v
		case [2]int16{8, 7}:
			p.isPacked = v != 0
		}
	})
	return p, err
}

// checkParquetColumn checks the pages of a column of a row group. The column is flat and has rows values; their definition levels have
// width bits. budget is how many bytes pages may still unpack to.
func checkParquetColumn(f io.ReaderAt, size, rows int64, meta *format.ColumnMetaData, width uint, budget *int64) error {
	start := meta.DataPageOffset
	if meta.DictionaryPageOffset > 0 {
		start = min(start, meta.DictionaryPageOffset)
	}
	length := meta.TotalCompressedSize
	if start < 4 || length < 0 || start > size || length > size-start {
		return forged("a column of %d bytes at %d of %d", length, start, size)
	}
	if meta.NumValues != rows {
		return forged("a column of %d values in a group of %d rows", meta.NumValues, rows)
	}
	section := bufio.NewReaderSize(io.NewSectionReader(f, start, length), 64<<10)
	discard := func(n int64) error { _, err := io.CopyN(io.Discard, section, n); return err }
	left, values := length, int64(0)
	for left > 0 && values < rows {
		c := &compact{r: section, skip: discard, left: left}
		p, err := readParquetPage(c)
		if err != nil {
			return forged("the header of a page: %v", err)
		}
		left = c.left
		switch {
		case p.packed < 0 || p.packed > left:
			return forged("a page of %d bytes, and %d are left of its column", p.packed, left)
		case p.unpacked < 0 || p.unpacked > min(*budget, maxPage, max(minUnpacked, maxPageGrowth*p.packed)):
			return forged("a page that unpacks from %d to %d bytes", p.packed, p.unpacked)
		case p.values < 0 || p.kind != format.DictionaryPage && p.values > rows-values:
			return forged("a page of %d values, and %d rows are left", p.values, rows-values)
		}
		left -= p.packed
		*budget -= p.unpacked
		body := make([]byte, p.packed)
		if _, err := io.ReadFull(section, body); err != nil {
			return err
		}
		if p.kind != format.DictionaryPage {
			values += p.values
		}
		if err := p.check(body, meta, width); err != nil {
			return err
		}
	}
	if values != rows {
		return forged("%d values in a column of %d rows", values, rows)
	}
	return nil
}

// check checks the unpacked body of a page: its lengths and counts.
func (p parquetPage) check(body []byte, meta *format.ColumnMetaData, width uint) error {
	codec := meta.Codec
	var levels []byte
	if p.kind == format.DataPageV2 {
		if p.repetition != 0 || p.define < 0 || p.define > int64(len(body)) {
			return forged("levels of %d and %d bytes in a page of %d", p.repetition, p.define, len(body))
		}
		levels, body = body[:p.define], body[p.define:]
		p.unpacked -= p.define
		if !p.isPacked {
			codec = format.Uncompressed
		}
	}
	body, err := unpackParquet(codec, body, p.unpacked)
	if err != nil {
		return err
	}
	switch p.kind {
	case format.DataPage:
		if width == 0 {
			break
		}
		if p.levels != format.RLE {
			return fmt.Errorf("%w: levels in the encoding %s are not read: write the file anew", ErrLayout, p.levels)
		}
		if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
			return forged("levels that are longer than their page")
		}
		n := binary.LittleEndian.Uint32(body)
		levels, body = body[4:4+n], body[4+n:]
	case format.DataPageV2:
	case format.DictionaryPage:
		if p.encoding != format.Plain && p.encoding != plainDictionary {
			return forged("a dictionary in the encoding %s", p.encoding)
		}
		if p.values > int64(len(body)) {
			return forged("a dictionary of %d values in %d bytes", p.values, len(body))
		}
		return nil
	default:
		return forged("a page of kind %d among those of values", p.kind)
	}
	if width > 0 {
		if err := checkRuns(levels, width, p.values); err != nil {
			return err
		}
	}
	switch p.encoding {
	case format.Plain, format.ByteStreamSplit:
		return nil
	case plainDictionary, format.RLEDictionary:
		if len(body) == 0 {
			return nil
		}
		return checkRuns(body[1:], uint(body[0]), p.values)
	case format.RLE: // booleans
		if len(body) < 4 {
			return forged("a page of truths of %d bytes", len(body))
		}
		return checkRuns(body[4:], 1, p.values)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		r := bytes.NewReader(body)
		for _, what := range []string{"block", "parts", "values"} {
			n, err := binary.ReadUvarint(r)
			if err != nil {
				return forged("the %s of differences: %v", what, err)
			}
			if what == "values" && n > uint64(p.values) {
				return forged("%d differences in a page of %d values", n, p.values)
			}
		}
		return nil
	}
	return fmt.Errorf("%w: values in the encoding %s are not read: write the file anew with plain values or a dictionary", ErrLayout, p.encoding)
}

// checkRuns adds up the runs of Parquet's hybrid encoding. They may hold as many values as the page claims; the last group of eight may
// go beyond.
func checkRuns(runs []byte, width uint, values int64) error {
	if width > 32 {
		return forged("values of %d bits", width)
	}
	sum := uint64(0)
	for len(runs) > 0 {
		head, n := binary.Uvarint(runs)
		if n <= 0 {
			return forged("a run without length")
		}
		runs = runs[n:]
		count, bytes := head>>1, uint64(width+7)/8
		if count > 1<<32 {
			return forged("a run of %d values", count)
		}
		if head&1 != 0 {
			count, bytes = 8*count, count*uint64(width)
		}
		if sum += count; sum > uint64(values)+512 { // some writers fill up the last block
			return forged("runs of %d values in a page of %d", sum, values)
		}
		runs = runs[min(bytes, uint64(len(runs))):]
	}
	return nil
}

// unpackParquet unpacks the body of a page, which must come out as long as it says.
func unpackParquet(codec format.CompressionCodec, body []byte, want int64) ([]byte, error) {
	if want < 0 || want > maxPage {
		return nil, forged("a page of %d bytes", want)
	}
	var r io.Reader
	var err error
	switch codec {
	case format.Uncompressed:
		if int64(len(body)) != want {
			return nil, forged("a page of %d bytes that are said to be %d", len(body), want)
		}
		return body, nil
	case format.Snappy:
		n, err := snappy.DecodedLen(body)
		if err == nil && int64(n) != want {
			return nil, forged("a page that unpacks to %d bytes, and not to %d", n, want)
		}
		if err == nil {
			body, err = snappy.Decode(make([]byte, want), body)
		}
		if err != nil {
			return nil, forged("a page: %v", err)
		}
		return body, nil
	case format.Gzip:
		r, err = gzip.NewReader(bytes.NewReader(body))
	case format.Brotli:
		r = brotli.NewReader(bytes.NewReader(body))
	case format.Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderLowmem(true)); err == nil {
			defer z.Close()
			r = z
		}
	default: // not LZ4: the library loses data of it, and loops for ever on damaged LZ4
		return nil, fmt.Errorf("%w: packed by %s, which is not read: write the file with Snappy or Zstandard", ErrLayout, codec)
	}
	if err != nil {
		return nil, forged("a page: %v", err)
	}
	var out bytes.Buffer
	if n, err := io.Copy(&out, io.LimitReader(r, want+1)); err != nil || n != want {
		return nil, forged("a page that does not unpack to %d bytes: %s", want, text.Cut(fmt.Sprint(err), 100))
	}
	return out.Bytes(), nil
}

// checkParquet checks the columns that are read against the file's size.
func checkParquet(f io.ReaderAt, size int64, p *parquet.File, c parquetColumns) error {
	rows := int64(0)
	leaves := p.Schema().Columns()
	meta := p.Metadata()
	budget := max(minUnpacked, maxGrowth*size)
	for g, group := range p.RowGroups() {
		n := group.NumRows()
		if most := min(maxFiles, max(1000, size)); n < 0 || n > most-rows { // a picture takes more than a byte
			return forged("more than %d rows in %d bytes", most, size)
		}
		rows += n
		columns := meta.RowGroups[g].Columns
		for _, at := range c.all() {
			leaf, ok := p.Schema().Lookup(leaves[at]...)
			if !ok || at >= len(columns) {
				return forged("a group of rows without column %d", at)
			}
			if leaf.MaxRepetitionLevel > 0 {
				return fmt.Errorf("%w: the column %s holds several values a row", ErrLayout, text.Cut(text.Clean(leaves[at][0]), 100))
			}
			if err := checkParquetColumn(f, size, n, &columns[at].MetaData, uint(bits.Len(uint(leaf.MaxDefinitionLevel))), &budget); err != nil {
				return fmt.Errorf("column %s, rows from %d on: %w", text.Cut(text.Clean(leaves[at][0]), 100), rows-n+1, err)
			}
		}
	}
	return nil
}
