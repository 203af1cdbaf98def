package trainer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/durable"
)

// A process whose folder another took over writes nothing into it, and does not block the new owner.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "7"), filepath.Join(dir, "7-2")
	release, err := claimWorkDir(from) // and is frozen
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	file := filepath.Join(from, "candidate-0.checkpoint")
	save := func(path, text string, during func()) error {
		return durable.Write(path, func(w io.Writer) error {
			during()
			_, err := io.WriteString(w, text)
			return err
		})
	}
	if err := save(file, "first", func() {}); err != nil {
		t.Fatal(err)
	}
	var again func()
	err = save(file, "of the one that was frozen", func() { // in the middle of writing
		if err := TakeOver(from, to); err != nil {
			t.Fatal(err)
		}
		if again, err = claimWorkDir(to); err != nil {
			t.Fatalf("the folder that was taken over: %v", err)
		}
	})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the one that was frozen goes on writing: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "candidate-0.checkpoint")); err != nil || string(text) != "first" {
		t.Errorf("the checkpoint is %q, %v", text, err)
	}

	// A folder that is busy for another reason is waited for.
	waited := make(chan error, 1)
	go func() {
		release, err := awaitWorkDir(t.Context(), to)
		if err == nil {
			release()
		}
		waited <- err
	}()
	again()
	if err := <-waited; err != nil {
		t.Errorf("waiting for a busy folder: %v", err)
	}
	busy, err := claimWorkDir(to)
	if err != nil {
		t.Fatal(err)
	}
	defer busy()
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(ErrCancelled)
	if _, err := awaitWorkDir(ended, to); !errors.Is(err, ErrCancelled) {
		t.Errorf("waiting under a context that ended: %v", err)
	}
}
