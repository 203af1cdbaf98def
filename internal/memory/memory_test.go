package memory

import (
	"runtime/debug"
	"testing"
)

// Go's limit is a share of the memory there is; the environment's own goes before. It runs alone: the limit is the process's.
func TestGovern(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	if Limit() < 64<<20 || Limit() > 1<<50 {
		t.Fatalf("there are %d bytes of memory", Limit())
	}
	if err := Govern(); err != nil {
		t.Fatal(err)
	}
	there := float64(Limit())
	if got := float64(debug.SetMemoryLimit(-1)); got < 0.59*there || got > 0.61*there {
		t.Errorf("Go may take %.0f of %.0f bytes, want six tenths", got, there)
	}
	t.Setenv("GOMEMLIMIT", "123MiB")
	debug.SetMemoryLimit(123 << 20)
	if err := Govern(); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetMemoryLimit(-1); got != 123<<20 {
		t.Errorf("the environment's limit became %d", got)
	}
}
