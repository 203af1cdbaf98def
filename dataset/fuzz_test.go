package dataset

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
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

// checkMap: a map that is returned is valid, and an error wraps one of the documented ones.
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
	f.Add("sep=;\nfile;class\na;b\n")
	f.Add("file\tclass\n\tb\n")
	f.Add("\xff\xfef\x00i\x00")
	f.Fuzz(func(t *testing.T, content string) {
		table, err := readTable(strings.NewReader(content), "")
		if err != nil {
			return
		}
		checkRows(t, table)
	})
}

func FuzzLines(f *testing.F) {
	f.Add("{\"file\": \"a.png\", \"label\": [\"x\"]}\n\n{\"file\": {\"path\": \"../a\"}}\n")
	f.Add("[1]\n")
	f.Add("{\"a\": \"\\u0000\"}")
	f.Fuzz(func(t *testing.T, content string) {
		table, err := readLines(strings.NewReader(content), "")
		if err != nil {
			return
		}
		checkRows(t, table)
	})
}

// checkRows: a cell that is returned is valid text, and an accepted name stays inside the data set.
func checkRows(t *testing.T, table *table) {
	t.Helper()
	last := 0
	for {
		r, err := table.next()
		if err != nil {
			return
		}
		if r.line < last {
			t.Errorf("line %d after line %d", r.line, last)
		}
		last = r.line
		for i := range table.columns {
			cell := r.at(i)
			if !text.Valid(cell) {
				t.Errorf("%q is no text", cell)
			}
			if name, ok := localName(cell); ok && (name == ".." || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/")) {
				t.Errorf("%q leads out", name)
			}
		}
	}
}

func FuzzMAT(f *testing.F) {
	head := strings.Repeat(" ", 124) + "\x00\x01IM"
	f.Add([]byte(head + "\x0e\x00\x00\x00\x30\x00\x00\x00\x06\x00\x00\x00\x08\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x03\x00seg\x00\x02\x00\x01\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		bird, err := decodeBird(bytes.NewReader(data))
		if err == nil && bird.mask == nil && (bird.box.Width <= 0 || bird.box.Height <= 0) {
			t.Errorf("a box of %v × %v", bird.box.Width, bird.box.Height)
		}
	})
}

func FuzzBoxes(f *testing.F) {
	f.Add("<annotation><object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>")
	f.Fuzz(func(t *testing.T, content string) {
		boxes, err := decodeBoxes(strings.NewReader(content))
		if err != nil {
			return
		}
		m := Marks{Boxes: boxes}
		m.Draw(8, 8)
	})
}
