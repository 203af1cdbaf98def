package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/semaphore"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/manifest"
)

// Models implements annotator.Models: it takes in model files. Uploaded ones, which are not to be trusted, are inspected in a child
// process (inspection.go); files of the server's own disk are run in this process (Try).
type Models struct {
	blobs    *blob.Store
	dir      string // of files that are still being received
	maxBytes int64
	memory   *semaphore.Weighted // bytes that all inspections together may take
	budget   int64
}

var _ annotator.Models = (*Models)(nil)

// NewModels makes a Models that keeps files in blobs. They are received in dir, a folder for nothing else. Files over maxBytes bytes
// (0: annotator.DefaultMaxModelBytes) are refused.
func NewModels(blobs *blob.Store, dir string, maxBytes int64) *Models {
	m := &Models{blobs: blobs, dir: dir, maxBytes: cmp.Or(maxBytes, annotator.DefaultMaxModelBytes)}
	m.budget = inspectionLimits(m.maxBytes).memory
	m.memory = semaphore.NewWeighted(m.budget)
	return m
}

// tooLarge says what to do about a file beyond the limit.
func (m *Models) tooLarge() error {
	return fmt.Errorf("%w: the model has more than %d MiB: %s", annotator.ErrTooLarge, m.maxBytes>>20, annotator.LargerModels)
}

// Judge implements annotator.Models.
func (m *Models) Judge(ctx context.Context, hash string, stored []byte) (annotator.ModelFile, error) {
	path, err := m.blobs.Path(ctx, hash)
	if errors.Is(err, annotator.ErrMissing) {
		return annotator.ModelFile{}, fmt.Errorf("the model's file: %w: it was not added within a day; send it again", annotator.ErrNotFound)
	}
	if err != nil {
		return annotator.ModelFile{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("reading a model: %w", err)
	}
	found, err := m.inspect(ctx, path, info.Size(), stored, manifest.PartNames{})
	found.Hash = hash
	return found, err
}

// inspect inspects a file in a child process. At most two run at once, and together they may take as much memory as the largest
// file alone.
func (m *Models) inspect(ctx context.Context, path string, size int64, stored []byte, names manifest.PartNames) (annotator.ModelFile, error) {
	limits := inspectionLimits(size)
	release, err := m.room(ctx, limits)
	if err != nil {
		return annotator.ModelFile{}, err
	}
	defer release()
	return runInspection(ctx, request{Do: doInspect, File: path, Manifest: stored, Names: names}, limits)
}

// room waits until the memory of another child is available; release gives it back.
func (m *Models) room(ctx context.Context, l limits) (release func(), err error) {
	share := min(max(l.memory, m.budget/2), m.budget)
	if err := m.memory.Acquire(ctx, share); err != nil {
		return nil, err
	}
	return func() { m.memory.Release(share) }, nil
}

// cannotOpen begins the message about a model that ONNX Runtime does not open.
const cannotOpen = "ONNX Runtime cannot open it"

func wrongModel(format string, args ...any) error {
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf(format, args...)}
}
