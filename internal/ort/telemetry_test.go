package ort

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The runtime's own telemetry leaves a log beside the temporary files, an identifier of the machine in the home folder and a cache of
// what it could not send. A process that loads the runtime and opens a network leaves nothing. It is one of its own, since the runtime
// decides once per process, and keeps silent by itself where a test or CI is at work.
func TestTheRuntimeSendsAndKeepsNothing(t *testing.T) {
	t.Parallel()
	const child = "STUDIO_TEST_LOADS_THE_RUNTIME"
	if os.Getenv(child) != "" {
		if err := errors.Join(Init(""), run(Provider{})); err != nil {
			t.Fatal(err)
		}
		return
	}
	library, err := Locate()
	if err != nil {
		t.Skip(err)
	}
	if library, err = filepath.Abs(library); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_RUNNING_UNIT_TESTS", telemetryVariable, "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME":
		default:
			process.Env = append(process.Env, v)
		}
	}
	process.Env = append(process.Env, "HOME="+folder, "TMPDIR="+folder, LibraryVariable+"="+library, child+"=1")
	process.Dir = folder
	if out, err := process.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != folder {
			t.Errorf("the runtime left %s", strings.TrimPrefix(path, folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
