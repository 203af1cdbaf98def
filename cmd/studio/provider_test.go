package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A provider that cannot be used is refused with its name and the remedy. A process chooses its provider once, so each case is a process.
func TestProviderIsTried(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider string
		more     []string
		exit     int
		says     string
	}{
		{"gpu", nil, exitFailure, `"gpu" is none of cpu, coreml, cuda`},
		{"coreml", nil, exitFailure, "coreml: it is for macOS; use --provider cpu"},
		{"coreml", []string{"--provider-fallback"}, exitOK, "computing on the CPU instead of coreml"},
	} {
		t.Run(c.provider+strings.Join(c.more, ""), func(t *testing.T) {
			t.Parallel()
			studio := exec.Command(os.Args[0], append([]string{"bench", "score", "--arch", "micro", "--runs", "1", "--provider", c.provider}, c.more...)...)
			studio.Env = append(os.Environ(), asProgram+"=1")
			var said bytes.Buffer
			studio.Stderr = &said
			_ = studio.Run() // the exit code says it
			if exit := studio.ProcessState.ExitCode(); exit != c.exit || !strings.Contains(said.String(), c.says) {
				t.Errorf("exit %d, want %d; it said\n%s\nwant %q", exit, c.exit, said.String(), c.says)
			}
		})
	}
}
