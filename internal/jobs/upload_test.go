package jobs

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/ort"
)

// A model whose workers are never heard of again is refused after a few of them, and does not bring down every worker there is.
func TestAModelThatKillsItsWorkersIsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	store, blobs, project := birds(t)
	upload, err := store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "m.onnx", ModelHash: strings.Repeat("ab", 32), Bytes: 1}, annotator.System)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.EnqueueAdd(ctx, upload.ID, []byte(`{}`), false); err != nil {
		t.Fatal(err)
	}
	for range maxTries { // what a worker does before it is killed
		if _, err := store.TryUpload(ctx, upload.ID); err != nil {
			t.Fatal(err)
		}
	}
	w, err := NewWorker(Config{Store: store, Blobs: blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer w.Stop(context.WithoutCancel(ctx))
	for upload.State = annotator.UploadAdding; upload.State == annotator.UploadAdding; {
		select {
		case <-ctx.Done():
			t.Fatal("it is never refused")
		case <-time.After(20 * time.Millisecond): // as its page asks
		}
		if upload, err = store.Upload(ctx, upload.ID); err != nil {
			t.Fatal(err)
		}
	}
	if upload.State != annotator.UploadRefused || !strings.Contains(upload.Problem, "did not survive") {
		t.Errorf("it is %s: %s", upload.State, upload.Problem)
	}
	if again, _, err := store.EnqueueAdd(ctx, upload.ID, []byte(`{}`), false); err != nil || again.State != annotator.UploadAdding {
		t.Errorf("trying again: %s, %v", again.State, err)
	}
}
