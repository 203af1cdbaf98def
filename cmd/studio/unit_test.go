package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The unit of docs/operations starts a command that there is, and systemd understands it.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("../../docs/operations/studio.service")
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/local/bin/studio"
	commands := 0
	for line := range strings.Lines(string(unit)) {
		if _, command, ok := strings.Cut(strings.TrimSpace(line), "ExecStart="+program+" "); ok { // that of the worker is in a comment
			commands++
			cli := newCommandLine()
			parser, err := kong.New(&cli, withHelpWords())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(strings.Fields(command)); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
	}
	if commands != 2 {
		t.Errorf("%d commands, want that of the server and that of the worker", commands)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("without systemd-analyze the unit is only read")
	}
	file := filepath.Join(t.TempDir(), "studio.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(unit), program, "/bin/true")), 0o600); err != nil { // it looks for the program
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
