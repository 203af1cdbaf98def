package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sync/semaphore"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
)

// DefaultMaxModelBytes bounds a model file that is taken from a browser or the API: ResNet-152 with both branches has 320 MB.
const DefaultMaxModelBytes = 1 << 30

// Models implements annotator.Models: it takes model files in and has a process of its own look at each (inspection.go),
// since they come from outside. Those of the server's own are run in this process (Try).
type Models struct {
	blobs    *blob.Store
	dir      string // of files on their way in
	maxBytes int64
	memory   *semaphore.Weighted // what all inspections together may take
	budget   int64
}

var _ annotator.Models = (*Models)(nil)

// NewModels keeps files in blobs, by way of dir, a folder for nothing else. Files over maxBytes (0:
// DefaultMaxModelBytes) are refused.
func NewModels(blobs *blob.Store, dir string, maxBytes int64) *Models {
	m := &Models{blobs: blobs, dir: dir, maxBytes: cmp.Or(maxBytes, DefaultMaxModelBytes)}
	m.budget = inspectionLimits(m.maxBytes).memory
	m.memory = semaphore.NewWeighted(m.budget)
	return m
}

// Receive implements annotator.Models.
func (m *Models) Receive(ctx context.Context, r io.Reader, manifest func() ([]byte, error)) (annotator.ModelFile, error) {
	// What a killed upload left behind may be what fills the disk.
	if _, err := disk.SweepTemporary(m.dir); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	file, err := disk.Temporary(m.dir)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	size, err := io.Copy(file, io.LimitReader(r, m.maxBytes+1))
	switch {
	case err != nil:
		var pathError *fs.PathError // the disk's fault, not the sender's
		if errors.As(err, &pathError) {
			return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", disk.Full(err))
		}
		return annotator.ModelFile{}, &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("it broke off after %d bytes (%v): send it again", size, err)}
	case size > m.maxBytes:
		return annotator.ModelFile{}, m.tooLarge()
	case size == 0:
		return annotator.ModelFile{}, wrongModel("the file is empty")
	}
	beside, err := manifest()
	if err != nil {
		return annotator.ModelFile{}, err
	}
	found, err := m.inspect(ctx, file.Name(), size, beside)
	if err != nil {
		return annotator.ModelFile{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	found.Hash, found.Bytes, err = m.blobs.Put(ctx, file)
	return found, err
}

// tooLarge says what to do about a file beyond the limit.
func (m *Models) tooLarge() error {
	return fmt.Errorf("%w: the model has more than %d MiB: add it on the server with 'studio model add', or start the server with a larger --max-model-mb",
		annotator.ErrTooLarge, m.maxBytes>>20)
}

// Judge implements annotator.Models.
func (m *Models) Judge(ctx context.Context, hash string, manifest []byte) (annotator.ModelFile, error) {
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
	found, err := m.inspect(ctx, path, info.Size(), manifest)
	found.Hash = hash
	return found, err
}

// inspect has a process look at a file. As many do so at once as have room beside each other in the memory that the largest
// file may take, but two at most.
func (m *Models) inspect(ctx context.Context, path string, size int64, manifest []byte) (annotator.ModelFile, error) {
	limits := inspectionLimits(size)
	share := min(max(limits.memory, m.budget/2), m.budget)
	if err := m.memory.Acquire(ctx, share); err != nil {
		return annotator.ModelFile{}, err
	}
	defer m.memory.Release(share)
	return runInspection(ctx, path, manifest, limits)
}

// cannotOpen begins what ONNX Runtime says of a model.
const cannotOpen = "ONNX Runtime cannot open it"

func wrongModel(format string, args ...any) error {
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf(format, args...)}
}
