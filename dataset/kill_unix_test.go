//go:build unix

package dataset_test

import (
	"archive/zip"
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/abn-studio/studio/dataset"
)

// The temporary folder of a killed process is removed by the next process that unpacks anything; that of a running process stays.
func TestKilledWhileUnpacked(t *testing.T) { // not in parallel: it sets TMPDIR
	archive := filepath.Join(t.TempDir(), "a.zip")
	if inside := os.Getenv("STUDIO_TEST_UNPACKS"); inside != "" { // the process that is killed
		if _, err := dataset.Open("folder", inside); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("unpacked\n")
		time.Sleep(time.Hour)
	}
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("cat/1.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("\x89PNG\r\n\x1a\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWhileUnpacked$")
	child.Env = append(os.Environ(), "STUDIO_TEST_UNPACKS="+archive)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "unpacked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	there := func() (names []string) {
		found, err := filepath.Glob(filepath.Join(folder, dataset.TemporaryPrefix+"*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	open := func() {
		t.Helper()
		d, err := dataset.Open("folder", archive)
		if err != nil || d.Len() != 1 {
			t.Fatalf("%v", err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	earlier := time.Now().Add(-time.Hour)
	for _, name := range there() {
		if err := os.Chtimes(name, earlier, earlier); err != nil {
			t.Fatal(err)
		}
	}
	if open(); len(there()) != 2 {
		t.Errorf("of a process that runs: %v", there())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if open(); len(there()) != 0 {
		t.Errorf("of a killed process: %v", there())
	}
}
