package dataset

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

func FuzzNPY(f *testing.F) {
	head := "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }          \n"
	f.Add([]byte(head + "\x00\x00\x80\x3f\x00\x00\x00\x00"))
	f.Add([]byte(strings.Replace(head, "(1, 2)", "(2147483647, 2147483647)", 1)))
	f.Add([]byte(strings.Replace(head, "<f4", ">u8", 1)))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readNPY(bytes.NewReader(data))
		checkMap(t, m, err)
	})
}

func FuzzNPZ(f *testing.F) {
	var good bytes.Buffer
	w := zip.NewWriter(&good)
	entry, err := w.Create("a.npy")
	if err != nil {
		f.Fatal(err)
	}
	_, _ = entry.Write([]byte("\x93NUMPY\x01\x00\x36\x00{'descr': '|b1', 'fortran_order': True, 'shape': (1,1)}\x01"))
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		set := &MapSet{}
		if err := set.addArchive(archive, "x.npz"); err != nil {
			return
		}
		for _, m := range set.Maps {
			checkMap(t, m.Map, nil)
		}
	})
}

// checkMap: a map that is handed out is valid, and an error says what kind it is.
func checkMap(t *testing.T, m attention.Map, err error) {
	t.Helper()
	if err == nil {
		err = m.Validate()
	} else if errors.Is(err, ErrNPY) || errors.Is(err, attention.ErrGrid) || errors.Is(err, attention.ErrValue) {
		return
	}
	if err != nil {
		t.Error(err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("\ufefffile, group ,mask\r\na.png,\"x\ny\",\r\n,,\r\n")
	f.Add("a\"b,c\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := readTable(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(table.rows) != len(table.lines) {
			t.Errorf("%d rows, %d line numbers", len(table.rows), len(table.lines))
		}
		for _, row := range table.rows {
			if name, ok := localName(row["file"]); ok && (name == ".." || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/")) {
				t.Errorf("%q leads out", name)
			}
		}
	})
}
