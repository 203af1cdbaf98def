package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/onnx"
)

// A model whose workers die is refused after a few of them, before it has ended every worker.
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
	if err := add(ctx, store, upload.ID, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	for range annotator.MaxUploadTries { // what a worker does before it is killed
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
	upload = judged(t, store, upload.ID)
	if upload.State != annotator.UploadRefused || !strings.Contains(upload.Problem, "did not survive") {
		t.Errorf("it is %s: %s", upload.State, upload.Problem)
	}
	if err := add(ctx, store, upload.ID, []byte(`{}`)); err != nil {
		t.Errorf("trying again: %v", err)
	}
}

// add asks a worker to add an upload.
func add(ctx context.Context, store *postgres.Store, id int64, manifest []byte) error {
	return store.InTx(ctx, func(tx annotator.Store) error {
		upload, err := tx.LockUpload(ctx, id)
		if err == nil {
			upload, err = upload.Add(manifest, false)
		}
		if err == nil {
			upload, err = tx.SaveUpload(ctx, upload)
		}
		if err == nil {
			_, err = tx.EnqueueAdd(ctx, upload)
		}
		return err
	})
}

// judged waits until a worker has added an upload or refused it.
func judged(t *testing.T, store *postgres.Store, id int64) annotator.Upload {
	t.Helper()
	for {
		upload, err := store.Upload(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if upload.State != annotator.UploadAdding {
			return upload
		}
		select {
		case <-t.Context().Done():
			t.Fatal("it is never judged")
		case <-time.After(20 * time.Millisecond): // as its page asks
		}
	}
}

// A model that never answers, takes all memory, or answers NaN or no logits is refused, and its worker works on.
func TestModelsThatAreTriedInVainAreRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	store, blobs, project := birds(t)
	model, manifest := tinyABN(t)
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	endless, err := families.Endless{Always: true, Idle: true}.Of(model)
	if err != nil {
		t.Fatal(err)
	}
	work := func(runLimit time.Duration) (stop func()) {
		w, err := NewWorker(Config{Store: store, Blobs: blobs, Data: t.TempDir(), Threads: 1, RunLimit: runLimit, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(ctx); err != nil {
			t.Fatal(err)
		}
		return func() { w.Stop(context.WithoutCancel(ctx)) }
	}
	stop := work(time.Second)
	send := func(m *onnx.Model) annotator.Upload {
		file, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		hash, size, err := blobs.Put(ctx, bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		upload, err := store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "m.onnx", ModelHash: hash, Bytes: size}, annotator.System)
		if err != nil {
			t.Fatal(err)
		}
		if err := add(ctx, store, upload.ID, text); err != nil {
			t.Fatal(err)
		}
		return judged(t, store, upload.ID)
	}
	if u := send(endless); u.State != annotator.UploadRefused || !strings.Contains(u.Problem, "did not end in time") || !strings.Contains(u.Problem, "Loop") {
		t.Errorf("it is %s: %s", u.State, u.Problem)
	}
	stop()
	defer work(0)() // filling memory takes a slow machine more than a second
	parts, err := onnx.FindParts(ctx, model, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	// behind is the model with nodes behind its perception logits, which they make "answers" of.
	behind := func(constants []*onnx.Tensor, nodes ...*onnx.Node) *onnx.Model {
		m := model.Clone()
		m.Graph.Nodes, m.Graph.Initializers = append(m.Graph.Nodes, nodes...), append(m.Graph.Initializers, constants...)
		for _, v := range m.Graph.Outputs {
			if v.Name == parts.Names.LogitsPer {
				v.Name = "answers"
			}
		}
		return m
	}
	logits := parts.Names.LogitsPer
	vast := func(name string, value float32) *onnx.Node { // 1.2 GB each: either may be, both together are too much
		n := onnx.NewNode("ConstantOfShape", name, []string{"vast"}, []string{name})
		n.SetAttr(&onnx.Attribute{Name: "value", Type: onnx.AttributeTensor, Tensor: onnx.NewFloat32("", []int64{1}, []float32{value})})
		return n
	}
	nan := float32(math.NaN())
	vain := map[string]*onnx.Model{
		"weights must be numbers": behind([]*onnx.Tensor{onnx.NewFloat32("nan", []int64{1}, []float32{nan})}, onnx.NewNode("Mul", "a", []string{logits, "nan"}, []string{"answers"})),
		"add up to 3 whatever the picture": behind([]*onnx.Tensor{onnx.NewFloat32("three", []int64{1}, []float32{3})}, onnx.NewNode("Softmax", "a", []string{logits}, []string{"a"}),
			onnx.NewNode("Mul", "b", []string{"a", "three"}, []string{"answers"})),
	}
	if !raceDetector { // the race detector's own memory would hide it
		vain["MiB of memory to run"] = behind([]*onnx.Tensor{onnx.NewInt64("vast", []int64{1}, []int64{300_000_000})}, vast("a", 1), vast("b", 2), onnx.NewNode("Max", "c", []string{"a", "b"}, []string{"c"}),
			onnx.NewNode("ReduceMax", "d", []string{"c"}, []string{"d"}), onnx.NewNode("Add", "e", []string{logits, "d"}, []string{"answers"}))
	}
	for want, m := range vain {
		if u := send(m); u.State != annotator.UploadRefused || !strings.Contains(u.Problem, want) {
			t.Errorf("it is %s: %s\nwant it refused: %s", u.State, u.Problem, want)
		}
	}
	if u := send(model); u.State != annotator.UploadAdded {
		t.Errorf("the next one is %s: %s", u.State, u.Problem)
	}
}
