package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio"
)

func TestArraysComeBackAsWritten(t *testing.T) {
	t.Parallel()
	arrays := []Array{
		{Name: "scalar", Kind: 'i', Size: 8, Data: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "layer.0.weight", Kind: 'f', Size: 4, Shape: []int{2, 1, 3}, Data: bytes.Repeat([]byte{0, 0, 128, 63}, 6)},
		{Name: "mask", Kind: 'b', Size: 1, Shape: []int{3}, Data: []byte{0, 1, 0}},
	}
	var file bytes.Buffer
	if err := WriteArchive(&file, arrays); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeArchive(bytes.NewReader(file.Bytes()), int64(file.Len()), 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(arrays, got); diff != "" {
		t.Error(diff)
	}
	if _, err := DecodeArchive(bytes.NewReader(file.Bytes()), int64(file.Len()), 30); err == nil || !strings.Contains(err.Error(), "at most 22 bytes") {
		t.Errorf("the limit is for all together: %v", err)
	}
}

// npyio is what others read these files with.
func TestOthersReadWhatIsWritten(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := Write(&file, Array{Kind: 'f', Size: 4, Shape: []int{2}, Data: []byte{0, 0, 128, 63, 0, 0, 0, 64}}); err != nil {
		t.Fatal(err)
	}
	var values []float32
	if err := npyio.Read(&file, &values); err != nil || !slices.Equal(values, []float32{1, 2}) {
		t.Errorf("%v, %v", values, err)
	}
}

func TestFortranAndBigEndianArraysAreTurned(t *testing.T) {
	t.Parallel()
	file := "\x93NUMPY\x01\x00\x46\x00" + strings.TrimRight("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }", " ")
	file += strings.Repeat(" ", 10+0x46-len(file)-1) + "\n" + "\x00\x01\x00\x04\x00\x02\x00\x05\x00\x03\x00\x06"
	a, err := Read(strings.NewReader(file), 100)
	if err != nil || !slices.Equal(a.Values(), []float64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("%v, %v", a.Values(), err)
	}
}

func TestAShapeIsCheckedFirst(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := Write(&file, Array{Kind: 'f', Size: 4, Shape: []int{1 << 30, 1 << 30, 1 << 30}}); err != nil {
		t.Fatal(err)
	}
	var format *FormatError
	if _, err := Read(bytes.NewReader(file.Bytes()), 1<<40); !errors.As(err, &format) || !strings.Contains(format.Reason, "at most") {
		t.Errorf("a forged shape: %v", err)
	}
	file.Reset()
	if err := Write(&file, Array{Kind: 'f', Size: 4, Shape: []int{1 << 30}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(file.Bytes()), 1<<40); !errors.As(err, &format) || !strings.Contains(format.Reason, "ends before") {
		t.Errorf("a shape beyond the file: %v", err)
	}
}

func FuzzArchive(f *testing.F) {
	var file bytes.Buffer
	if err := WriteArchive(&file, []Array{{Name: "a", Kind: 'f', Size: 4, Shape: []int{2}, Data: make([]byte, 8)}}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	file.Reset()
	w := zip.NewWriter(&file)
	entry, _ := w.Create("b.npy")
	entry.Write([]byte("\x93NUMPY\x02\x00\x10\x00\x00\x00{'descr': '<f4'}"))
	w.Close()
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		arrays, err := DecodeArchive(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return
		}
		total := 0
		for _, a := range arrays {
			if total += len(a.Data); total > 1<<20 {
				t.Fatal("more than the limit")
			}
			a.Values()
		}
	})
}
