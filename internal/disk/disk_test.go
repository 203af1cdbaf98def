package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// asChild is set where the test binary is to hold a file on its way in a folder until it is killed.
const asChild = "DISK_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		if _, err := Temporary(dir); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a killed process left on its way is swept; what a living one holds is not, however old.
func TestSweepLeavesLivingProcessesAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "incoming")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), asChild+"="+dir)
	stdin, err := child.StdinPipe()
	must(t, err)
	defer stdin.Close()
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	word := make([]byte, 5)
	if _, err := io.ReadFull(out, word); err != nil || string(word) != "held\n" {
		t.Fatalf("the child said %q, %v", word, err)
	}
	mine, err := Temporary(dir)
	must(t, err)
	defer mine.Close()
	long := time.Now().Add(-48 * time.Hour)
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, path := range all {
		must(t, os.Chtimes(path, long, long))
	}
	if n, err := SweepTemporary(dir); n != 0 || err != nil || len(all) != 2 {
		t.Fatalf("%d of %d files were swept while their processes lived (%v)", n, len(all), err)
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	must(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600)) // made just now, and not held yet
	if n, err := SweepTemporary(dir); n != 1 || err != nil {
		t.Errorf("%d files were swept once the child was killed (%v), want its one", n, err)
	}
	if _, err := os.Stat(mine.Name()); err != nil {
		t.Errorf("the file this process holds: %v", err)
	}
	if n, err := SweepTemporary(filepath.Join(dir, "absent")); n != 0 || err != nil {
		t.Errorf("a folder that is not there: %d, %v", n, err)
	}
}

// The errors of real disks: a device that is always full, and, where the test may, a file system that is.
func TestFullDisksAreKnown(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full:", err)
	}
	defer f.Close()
	_, err = f.WriteString("x")
	if err = Full(err); !errors.Is(err, annotator.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to /dev/full: %v", err)
	}
	if again := Full(err); again != err { //nolint:errorlint // the very same error
		t.Errorf("wrapped twice: %v", again)
	}
	if err := Full(fmt.Errorf("keeping it: %w", &os.PathError{Op: "open", Path: "/srv/studio/blobs/incoming/1", Err: syscall.EROFS})); !errors.Is(err, syscall.EROFS) || strings.Contains(err.Error(), "/srv") {
		t.Errorf("a read-only disk: %v", err)
	}
	if err := Full(os.ErrPermission); errors.Is(err, annotator.ErrFull) {
		t.Error("a missing permission is taken for a full disk")
	}
}

// A check says which places take nothing, to anybody without their paths, and looks no more often than it is to.
func TestCheckNamesThePlaces(t *testing.T) {
	t.Parallel()
	good, looks := t.TempDir(), 0
	var log strings.Builder
	c := NewCheck(time.Hour, slog.New(slog.NewTextHandler(&log, nil)), Folder("the data folder", good),
		Place{"the blob store", func(context.Context) error { looks++; return Full(syscall.EROFS) }})
	for range 3 {
		err := c.Err(t.Context())
		if !errors.Is(err, annotator.ErrFull) || !strings.Contains(err.Error(), "the blob store takes no more") || strings.Contains(err.Error(), "data folder") {
			t.Fatal(err)
		}
	}
	if looks != 1 || !strings.Contains(log.String(), "read-only") {
		t.Errorf("%d looks, logged %q", looks, log.String())
	}
	if left, _ := os.ReadDir(good); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
	hangs := NewCheck(time.Hour, slog.New(slog.DiscardHandler), Place{"the data folder", func(context.Context) error { <-t.Context().Done(); return nil }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := hangs.Err(ctx); !errors.Is(err, annotator.ErrUnavailable) {
		t.Errorf("a disk that hangs: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	parts := NewCheck(time.Hour, slog.New(slog.DiscardHandler), Folder("the data folder", good),
		Place{"the blob store", func(context.Context) error { <-t.Context().Done(); return nil }}, Place{"the cache folder", func(context.Context) error { return Full(syscall.EROFS) }}).Parts(ctx)
	if len(parts) != 3 || parts[0].Err != nil || parts[1].Err == nil || parts[1].Err.Error() != "the blob store does not answer" || !errors.Is(parts[2].Err, annotator.ErrFull) {
		t.Errorf("beside a place that hangs: %v", parts)
	}
}
