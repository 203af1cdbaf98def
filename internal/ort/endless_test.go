package ort_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// A run of a graph with an endless Loop, which an uploaded model may hold, is stopped after the limit and when its context ends.
// The session can be used afterwards.
func TestEndlessRunIsStopped(t *testing.T) {
	t.Parallel()
	r := load(t, "abn-resnet-tiny")
	model, err := onnx.Read(t.Context(), r.model)
	if err != nil {
		t.Fatal(err)
	}
	if model, err = (families.Endless{}).Of(model); err != nil {
		t.Fatal(err)
	}
	data, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session := open(t, data, ort.Options{Name: "the network", IntraOpThreads: 1, RunLimit: 600 * time.Millisecond})
	bright, black := tensor(t, r.image, r.dims...), tensor(t, make([]float32, len(r.image)), r.dims...)

	err = session.Run(t.Context(), []*ort.Tensor{bright}, make([]*ort.Tensor, 3))
	if !errors.Is(err, ort.ErrTooLong) || !strings.Contains(err.Error(), "running the network: it did not end in time") || !strings.Contains(err.Error(), "Loop without end") {
		t.Errorf("a run without end: %v", err)
	}
	reason := errors.New("somebody left")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, reason)
	defer cancel()
	if err := session.Run(ctx, []*ort.Tensor{bright}, make([]*ort.Tensor, 3)); !errors.Is(err, reason) {
		t.Errorf("a run whose context ended: %v", err)
	}
	if err := session.Run(t.Context(), []*ort.Tensor{black}, make([]*ort.Tensor, 3)); err != nil {
		t.Errorf("a picture that it answers: %v", err)
	}
}
