package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A table takes the place of the one that a page has; the rest of the page stays.
func TestTableIsWrittenIntoAPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# Speed\n\n"+tableBegin+"an old table\n"+tableEnd+"\n\nMore.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := TableResult{
		Machine: "A processor, AVX2, 2 cores", Loads: [2]string{"0.10", "2.05"}, Ours: "ABN Studio 9, ONNX Runtime 1.30.0", PyTorch: "PyTorch 2.15.0, 2 threads",
		Rows: []TableRow{{
			Job: "live score", Network: "resnet18", Ours: Took{4, 3.5, 6}, OverPyTorch: 1.5, OverBare: 1.02, Bare: "score_over_bare_ratio",
			Against: Against{Fastest: "channels_last", Forms: []PyTorchForm{
				{Form: "eager", Took: Took{8, 7, 9}}, {Form: "channels_last", Took: Took{6, 5, 7}}, {Form: "compile", Problem: "no compiler"}, {Form: "compile_channels_last", Problem: "no compiler"},
			}},
		}},
	}
	for range 2 {
		page, err := OpenTablePage(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := page.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Speed\n\n" + tableBegin + `A processor, AVX2, 2 cores; load of the machine 0.10 before and 2.05 after. ABN Studio 9, ONNX Runtime 1.30.0; PyTorch 2.15.0, 2 threads. Medians, lowest to highest.

| network | what | ours | eager | channels_last | compile | compile_channels_last | PyTorch's fastest ÷ ours | to the bare runtime |
|---|---|---|---|---|---|---|---|---|
| resnet18 | live score | 4.00 ms (3.50 to 6.00) | 8.00 ms (7.00 to 9.00) | 6.00 ms (5.00 to 7.00) | left out: no compiler | left out: no compiler | **1.50** | 1.02 (` + "`score_over_bare_ratio`" + `) |
` + tableEnd + "\n\nMore.\n"
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}

func TestAPageWithoutRoomForATable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# Speed\n\n"+tableBegin), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTablePage(path); err == nil || !strings.Contains(err.Error(), "has no lines") {
		t.Errorf("got %v", err)
	}
}

// Without PyTorch there is no table.
func TestTableNeedsPyTorch(t *testing.T) {
	t.Parallel()
	_, err := Table{PyTorch: PyTorch{Python: "/nowhere/python3"}, Networks: []string{"micro"}}.Measure(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no Python with PyTorch") {
		t.Errorf("got %v", err)
	}
}

func TestProcessorName(t *testing.T) {
	t.Parallel()
	if got := processorName("processor\t: 0\nvendor_id\t: X\nmodel name\t: A Processor @ 3 GHz\nflags\t: avx2\n"); got != "A Processor @ 3 GHz" {
		t.Errorf("got %q", got)
	}
	if got := processorName(""); got == "" {
		t.Error("no name")
	}
}
