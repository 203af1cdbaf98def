package network_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// reference is a small network's file and its bytes.
func reference(t *testing.T) (path string, file []byte) {
	t.Helper()
	path = filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, file
}

func TestWhatIsKnownOfANetworkIsFoundOnce(t *testing.T) {
	t.Parallel()
	_, file := reference(t)
	n, err := network.Read(t.Context(), file, manifest.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if n.ExtractorHash() != n.ABN().ExtractorHash() {
		t.Error("another hash")
	}
	type key struct{}
	asked := 0
	find := func(err error) func() (int, error) {
		return func() (int, error) { asked++; return 7, err }
	}
	if _, err := network.Kept(n, key{}, find(errors.New("not now"))); err == nil {
		t.Error("an error was lost")
	}
	for range 2 {
		if got, err := network.Kept(n, key{}, find(nil)); got != 7 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
	}
	if asked != 2 {
		t.Errorf("it was asked %d times, want once after the failure", asked)
	}
}

func TestStoreOpensOnceAndKeepsWithinItsBound(t *testing.T) {
	t.Parallel()
	path, file := reference(t)
	var reads atomic.Int32
	find := func(_ context.Context, hash string) (string, error) {
		reads.Add(1)
		if hash == "gone" {
			return "", os.ErrNotExist
		}
		return path, nil
	}
	stored := json.RawMessage(`{"crop": [64, 64], "channels": "RGB"}`)
	s := network.NewStore(find, 2*int64(len(file)))
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			if _, err := s.Open(t.Context(), "a", stored); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if reads.Load() != 1 {
		t.Errorf("read %d times, want 1", reads.Load())
	}
	for _, hash := range []string{"b", "a", "c", "a", "b"} { // c takes the place of b, b that of c
		if _, err := s.Open(t.Context(), hash, stored); err != nil {
			t.Fatal(err)
		}
	}
	if reads.Load() != 4 {
		t.Errorf("read %d times, want 4", reads.Load())
	}
	none := network.NewStore(find, 1)
	for range 2 {
		if _, err := none.Open(t.Context(), "a", stored); err != nil {
			t.Fatal(err)
		}
	}
	if reads.Load() != 6 {
		t.Errorf("what is larger than the bound was kept")
	}
	if _, err := s.Open(t.Context(), "gone", stored); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	var wrong *manifest.Error
	if _, err := s.Open(t.Context(), "a", json.RawMessage(`{"crop": [63, 64]}`)); !errors.As(err, &wrong) || wrong.Field != "crop" {
		t.Errorf("another network's manifest: %v", err)
	}
	if _, err := s.Open(t.Context(), "a", json.RawMessage(`{`)); !errors.Is(err, manifest.ErrManifest) {
		t.Errorf("a broken manifest: %v", err)
	}
}

func TestOpenSaysWhatIsNoABN(t *testing.T) {
	t.Parallel()
	if _, err := network.Open(t.Context(), &onnx.Model{Graph: &onnx.Graph{}}, manifest.Manifest{}); !errors.Is(err, onnx.ErrNoABN) {
		t.Errorf("an empty graph: %v", err)
	}
}
