package text_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/text"
)

// No cell that is written is a formula, and what is read is what was written.
func TestCSVHasNoFormulas(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+x": "'+x", "-x.jpg": "'-x.jpg", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx", "＝x": "'＝x", "-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0",
		"'=x": "''=x", "''-x": "'''-x", "-0.5": "-0.5", "+1e-9": "+1e-9", "-Inf": "-Inf", "'tis": "'tis", "'": "'", "": "", "owl": "owl", "a=b": "a=b", "梟": "梟",
	} {
		if got := text.Guarded(cell); got != want {
			t.Errorf("%q is written as %q, want %q", cell, got, want)
		}
	}
}

func FuzzGuarded(f *testing.F) {
	for _, seed := range []string{"", "'", "'=", "''=x", "-1", "=1", "'-1", "@", "\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if got := text.Unguarded(text.Guarded(cell)); got != cell {
			t.Fatalf("%q comes back as %q", cell, got)
		}
		if strings.Contains(cell, "\r") { // which encoding/csv reads as \n
			return
		}
		var file strings.Builder
		table := text.NewCSV(&file)
		row := []string{"a", cell}
		if err := table.Write(row); err != nil {
			t.Fatal(err)
		}
		table.Flush()
		read, err := csv.NewReader(strings.NewReader(file.String())).Read()
		if err != nil || !slices.Equal([]string{read[0], text.Unguarded(read[1])}, row) {
			t.Fatalf("%q comes back as %q, %v", row, read, err)
		}
	})
}
