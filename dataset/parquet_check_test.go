package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// forgery is a Parquet file that claims more than it holds, and the error expected.
type forgery struct {
	name, says string
	file       []byte
}

// parquetForgeries are a file of one column of pictures, and forgeries of it.
func parquetForgeries(t testing.TB) []forgery {
	t.Helper()
	picture := "\x89PNG\r\n\x1a\n"
	plain := append(binary.LittleEndian.AppendUint32(nil, uint32(len(picture))), picture...)
	packed := func(content []byte) []byte {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(content, nil)
	}
	run := func(count uint64, value ...byte) []byte { return append(binary.AppendUvarint(nil, count<<1), value...) }
	indices := append([]byte{1}, run(1<<31-1, 0)...)
	levels := func(runs []byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(runs))), runs...)
	}
	differences := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, 128), 4), 1<<30)
	build := func(body []byte, page func(*format.PageHeader), meta func(*format.FileMetaData)) []byte {
		return makeParquet(t, body, page, meta)
	}
	codec := func(c format.CompressionCodec) func(*format.FileMetaData) {
		return func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Codec = c }
	}
	encoding := func(e format.Encoding) func(*format.PageHeader) {
		return func(h *format.PageHeader) { h.DataPageHeader.V.Encoding = e }
	}
	rows := func(n int64) func(*format.FileMetaData) {
		return func(m *format.FileMetaData) {
			m.NumRows, m.RowGroups[0].NumRows, m.RowGroups[0].Columns[0].MetaData.NumValues = n, n, n
		}
	}
	honest := build(plain, nil, nil)
	footer := func(n uint32) []byte {
		file := bytes.Clone(honest)
		binary.LittleEndian.PutUint32(file[len(file)-8:], n)
		return file
	}
	list := append([]byte("PAR1"), 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07) // a list of 2³¹−1 structs
	list = append(binary.LittleEndian.AppendUint32(list, 7), "PAR1"...)
	many := bytes.Repeat([]byte{0}, 10<<20) // empty structs
	many = append(append(append([]byte("PAR1"), 0x49, 0xfc), binary.AppendUvarint(nil, uint64(len(many)))...), many...)
	many = append(binary.LittleEndian.AppendUint32(many, uint32(len(many)-4)), "PAR1"...)
	return []forgery{
		{"honest", "", honest},
		{"honest and packed", "", build(packed(plain), func(h *format.PageHeader) { h.UncompressedPageSize = int32(len(plain)) }, codec(format.Zstd))},
		{"a footer of 4 GiB", "a footer of 4294967295 bytes", footer(1<<32 - 1)},
		{"a footer beyond the file", "a footer of 1000000 bytes", footer(1000000)},
		{"a list beyond the footer", "a list of 2147483647", list},
		{"a footer of nothing", "more than 500000 parts", many},
		{"rows beyond the file", "more than 1000 rows", build(plain, nil, rows(1<<40))},
		{"values beyond the rows", "and 1 rows are left", build(plain, func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = 1<<31 - 1 }, nil)},
		{"fewer values than rows", "1 values in a column of 900 rows", build(plain, nil, rows(900))},
		{"a page beyond its column", "a page of 2147483647 bytes", build(plain, func(h *format.PageHeader) { h.CompressedPageSize = 1<<31 - 1 }, nil)},
		{"a page said to be large", "unpacks from", build(packed(plain), func(h *format.PageHeader) { h.UncompressedPageSize = 1<<31 - 1 }, codec(format.Zstd))},
		{"a page that is large", "does not unpack to 12 bytes", build(packed(bytes.Repeat([]byte{0}, 1<<29)), func(h *format.PageHeader) { h.UncompressedPageSize = 12 }, codec(format.Zstd))},
		{"a page said to be packed otherwise", "unpacks to", build(binary.AppendUvarint(nil, 1<<31), func(h *format.PageHeader) { h.UncompressedPageSize = 12 }, codec(format.Snappy))},
		{"a packing that is not read", "packed by LZ4_RAW, which is not read: write the file with Snappy or Zstandard", build(plain, nil, codec(format.Lz4Raw))},
		{"a column beyond the file", "a column of", build(plain, nil, func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = 1 << 50 })},
		{"a run of indices", "runs of 2147483647 values", build(indices, encoding(format.RLEDictionary), nil)},
		{"a run of levels", "runs of 2147483647 values", build(append(levels(run(1<<31-1, 1)), plain...), nil, func(m *format.FileMetaData) {
			m.Schema[1].RepetitionType = thrift.New(format.Optional)
		})},
		{"differences", "1073741824 differences", build(differences, encoding(format.DeltaLengthByteArray), nil)},
		{"an encoding that grows by itself", "DELTA_BYTE_ARRAY", build(plain, encoding(format.DeltaByteArray), nil)},
	}
}

// makeParquet writes a Parquet file of one page of one row, changed before it is written.
func makeParquet(t testing.TB, body []byte, page func(*format.PageHeader), meta func(*format.FileMetaData)) []byte {
	t.Helper()
	header := format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(len(body)), CompressedPageSize: int32(len(body))}
	header.DataPageHeader = thrift.New(format.DataPageHeader{NumValues: 1, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})
	if page != nil {
		page(&header)
	}
	encode := func(v any) []byte {
		data, err := thrift.Marshal(&thrift.CompactProtocol{}, v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	file := append(append([]byte("PAR1"), encode(&header)...), body...)
	footer := format.FileMetaData{
		Version: 1, NumRows: 1,
		Schema: []format.SchemaElement{
			{Name: "schema", NumChildren: thrift.New[int32](1)},
			{Name: "image", Type: thrift.New(format.ByteArray), RepetitionType: thrift.New(format.Required)},
		},
		RowGroups: []format.RowGroup{{NumRows: 1, Columns: []format.ColumnChunk{{MetaData: format.ColumnMetaData{
			Type: format.ByteArray, PathInSchema: []string{"image"}, NumValues: 1, DataPageOffset: 4,
			Encoding: []format.Encoding{format.Plain}, TotalCompressedSize: int64(len(file)) - 4, TotalUncompressedSize: int64(len(file)) - 4,
		}}}}},
	}
	if meta != nil {
		meta(&footer)
	}
	end := encode(&footer)
	file = append(file, end...)
	return append(binary.LittleEndian.AppendUint32(file, uint32(len(end))), "PAR1"...)
}

// allocatesAtMost begins to count allocated bytes; the function it returns fails if there were more than most.
func allocatesAtMost(t testing.TB, most uint64) func() {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	return func() {
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%d MiB were allocated", took>>20)
		}
	}
}

// A forged file is refused with what is wrong with it, before memory is allocated for what it claims.
func TestForgedParquet(t *testing.T) { // not in parallel: it counts what is allocated
	for _, c := range parquetForgeries(t) {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			dir := t.TempDir()
			d := &Dataset{Dir: dir, root: dir}
			defer allocatesAtMost(t, 32<<20)()
			err := d.readParquetFrom(bytes.NewReader(c.file), int64(len(c.file)), "x.parquet", Train)
			switch {
			case c.says == "" && (err != nil || d.Len() != 1):
				t.Errorf("%d samples, %v", d.Len(), err)
			case c.says != "" && (!errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
