package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/ort"
)

// inspectHere makes the test binary a studio that inspects the file it names.
const inspectHere = "STUDIO_TEST_INSPECT"

func inspectForTest() {
	if path := os.Getenv(inspectHere); path != "" {
		_, err := runInspection(context.Background(), request{Do: doInspect, File: path}, inspectionLimits(0))
		fmt.Println(err)
		os.Exit(0)
	}
}

// slowFile is a file that is read as fast as the test writes it. reached waits until an inspection reads it, and returns
// where to write and the inspection's process.
func slowFile(t *testing.T) (path string, reached func() (*os.File, int)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "slow.onnx")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() (*os.File, int) {
		t.Helper()
		var file *os.File
		wait(t, "the inspection reads", func() bool {
			fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
			if err == nil {
				if err := syscall.SetNonblock(fd, false); err != nil {
					t.Fatal(err)
				}
				file = os.NewFile(uintptr(fd), path)
			}
			return err == nil
		})
		t.Cleanup(func() { file.Close() })
		commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, c := range commands {
			if text, err := os.ReadFile(c); err == nil && strings.Contains(string(text), inspectCommand) && strings.Contains(string(text), path) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(c)))
				return file, pid
			}
		}
		t.Fatal("no process inspects it")
		return nil, 0
	}
}

// wait polls what another process does.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-t.Context().Done():
			t.Fatal(what + ": never")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func gone(pid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(state), ") Z ")
}

type inspected struct {
	file annotator.ModelFile
	err  error
}

func inspecting(ctx context.Context, path string, l limits) <-chan inspected {
	done := make(chan inspected, 1)
	go func() {
		file, err := runInspection(ctx, request{Do: doInspect, File: path}, l)
		done <- inspected{file, err}
	}()
	return done
}

// An inspection has no secret, open file or folder of the studio, has a lower priority, keeps to its limits, and ends when the
// request that asked for it is cancelled.
func TestInspectionIsConfined(t *testing.T) {
	t.Parallel()
	leaked, err := syscall.Open(filepath.Join(fixture.Root(), "go.mod"), syscall.O_RDONLY, 0) // as a library opens files
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)
	path, reached := slowFile(t)
	reason := errors.New("somebody left")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := inspecting(ctx, path, limits{memory: 3 << 30, time: time.Hour})
	_, pid := reached()
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for entry := range strings.SplitSeq(strings.TrimRight(read("environ"), "\x00"), "\x00") {
		name, _, _ := strings.Cut(entry, "=")
		if !slices.Contains([]string{ort.LibraryVariable, "GOTRACEBACK", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}, name) {
			t.Errorf("it knows %s", name)
		}
	}
	folder, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(folder, "abn-studio-inspection-") || !strings.HasSuffix(folder, " (deleted)") {
		t.Errorf("it works in %s, want a folder of its own that is gone", folder)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, f.Name())); strings.HasSuffix(to, "go.mod") {
			t.Errorf("it has inherited %s", to)
		}
	}
	_, fields, _ := strings.Cut(read("stat"), ") ")
	if nice := strings.Fields(fields)[16]; nice != "10" {
		t.Errorf("its niceness is %s", nice)
	}
	if group := strings.Fields(fields)[2]; group != strconv.Itoa(pid) {
		t.Errorf("it is in the group %s", group)
	}
	for _, line := range []string{"Max data size", "Max file size", "Max core file size"} {
		for text := range strings.Lines(read("limits")) {
			if rest, ok := strings.CutPrefix(text, line); ok && strings.HasPrefix(strings.TrimSpace(rest), "unlimited") {
				t.Errorf("no limit: %s", text)
			}
		}
	}
	cancel(reason)
	if r := <-done; !errors.Is(r.err, reason) {
		t.Errorf("an inspection that nobody waits for: %v", r.err)
	}
	if !gone(pid) {
		t.Error("the process goes on")
	}
}

// An inspection ends with the studio, also if the studio is killed.
func TestInspectionEndsWithTheStudio(t *testing.T) {
	t.Parallel()
	path, reached := slowFile(t)
	studio := exec.Command(os.Args[0])
	studio.Env = append(os.Environ(), inspectHere+"="+path)
	if err := studio.Start(); err != nil {
		t.Fatal(err)
	}
	_, pid := reached()
	if err := studio.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = studio.Wait() // it was killed
	wait(t, "the inspection ends", func() bool { return gone(pid) })
}

// A file whose inspection takes too much memory, takes too long or crashes is refused with that reason.
func TestInspectionRefusesWhatItCannotBear(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, r inspected, says string) {
		t.Helper()
		var wrong *annotator.ValidationError
		if !errors.As(r.err, &wrong) || wrong.Field != "model" || !strings.Contains(wrong.Message, says) {
			t.Errorf("it says %v, want %q", r.err, says)
		}
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		path, reached := slowFile(t)
		done := inspecting(t.Context(), path, limits{memory: 64 << 20, time: time.Hour})
		file, _ := reached()
		for zeros := make([]byte, 1<<20); ; { // as much as it takes
			if _, err := file.Write(zeros); err != nil {
				break
			}
		}
		refused(t, <-done, "more than 64 MiB of memory to inspect")
	})
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		path, _ := slowFile(t)
		refused(t, <-inspecting(t.Context(), path, limits{memory: 3 << 30, time: time.Second}), "longer than 1s to inspect")
	})
	t.Run("crash", func(t *testing.T) {
		t.Parallel()
		path, reached := slowFile(t)
		done := inspecting(t.Context(), path, limits{memory: 3 << 30, time: time.Hour})
		_, pid := reached()
		if err := syscall.Kill(pid, syscall.SIGSEGV); err != nil {
			t.Fatal(err)
		}
		refused(t, <-done, "the inspection crashed (")
	})
}
