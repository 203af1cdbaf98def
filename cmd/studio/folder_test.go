package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// A server and a worker that were given relative paths find everything, and then work in an empty folder each, which they remove when
// they stop. They find ONNX Runtime and PostgreSQL from the folder in which they were started.
func TestServerWorksInAnEmptyFolder(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells where another process works: /proc/PID/cwd")
	}
	data := embeddedtest.Folder(t)
	start := filepath.Join(filepath.Dir(data), "start")
	if err := os.Mkdir(start, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(fixture.Root(), "node_modules"), filepath.Join(start, "node_modules")); err != nil {
		t.Fatal(err)
	}
	worksIn := func(p *process) string {
		t.Helper()
		folder, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.Process.Pid), "cwd"))
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 || !strings.HasPrefix(filepath.Base(folder), "abn-studio-empty-") {
			t.Errorf("it works in %s, where %d files are: %v", folder, len(entries), err)
		}
		return folder
	}
	server := launchIn(t, start, "serve", "--data", "../data", "--blobs", "blobs", "--listen", "127.0.0.1:0", "--no-worker")
	line := server.until(t, "answers on ")
	response, err := http.Get(line[strings.Index(line, "http://"):] + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("it answers %s", response.Status)
	}
	worker := launchIn(t, start, "worker", "--data", "../data", "--blobs", "blobs", "--threads", "1")
	worker.until(t, "worker is ready")
	folders := []string{worksIn(server), worksIn(worker)}
	if folders[0] == folders[1] {
		t.Errorf("both work in %s", folders[0])
	}
	stop(t, worker)
	stop(t, server)
	for _, folder := range folders {
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", folder, err)
		}
	}
	entries, err := os.ReadDir(start)
	if err != nil || len(entries) != 2 { // blobs and node_modules
		t.Errorf("the folder it was started in holds %v, %v", entries, err)
	}
}
