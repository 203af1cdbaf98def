package inference

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// endlessModel never answers to a picture that is not black.
func endlessModel(t *testing.T, idle bool) (*onnx.Model, manifest.Manifest) {
	t.Helper()
	model, manifest := referenceModel(t, fixture.ReferenceModels(t)[0])
	model, err := families.Endless{Idle: idle}.Of(model)
	if err != nil {
		t.Fatal(err)
	}
	return model, manifest
}

// A scan with a network that never answers ends with the limit for one picture, however large its batches are, and when its
// context ends. Its Loop has nothing to do between two rounds, where the runtime would look whether it is to stop.
func TestScanOfAnEndlessNetworkEnds(t *testing.T) {
	t.Parallel()
	model, manifest := endlessModel(t, true)
	scan := func(ctx context.Context, limit time.Duration) error {
		network, err := openNetwork(t.Context(), model, manifest, NetworkOptions{Session: ort.Options{IntraOpThreads: 1, RunLimit: limit}})
		if err != nil {
			t.Fatal(err)
		}
		defer network.Close()
		_, err = Scan(ctx, network, each(collection(t, 16)), func(context.Context, []ScanResult) error { return nil }, ScanOptions{Batch: 16})
		return err
	}
	if err := scan(t.Context(), 600*time.Millisecond); !errors.Is(err, ort.ErrTooLong) || !strings.Contains(err.Error(), "stopped after 600ms") || strings.Contains(err.Error(), "does not stop") {
		t.Errorf("scanning: %v", err)
	}
	reason := errors.New("somebody left")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, reason)
	defer cancel()
	if err := scan(ctx, time.Hour); !errors.Is(err, reason) {
		t.Errorf("a scan whose context ended: %v", err)
	}
}

// A live score of a network that never answers ends with an error, and after a cancelled one nothing runs on: the scorer can be
// closed.
func TestScoreOfAnEndlessNetworkEnds(t *testing.T) {
	t.Parallel()
	model, manifest := endlessModel(t, false)
	file, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "endless.onnx")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	picture := asPNG(t, noise(40, 40, 1))
	version := annotator.Version{ModelHash: "endless", ExtractorHash: "endless", Manifest: raw}
	score := func(ctx context.Context, limit time.Duration) error {
		s := NewLiveScorer(network.NewStore(func(context.Context, string) (string, error) { return path, nil }, 0), blobs{"picture": picture}, LiveScorerOptions{Session: ort.Options{RunLimit: limit}})
		defer s.Close()
		network, err := s.network(ctx, version)
		if err != nil {
			return err
		}
		_, err = s.Score(ctx, version, annotator.Image{Hash: "picture"}, attention.New(network.sizes.GridHeight, network.sizes.GridWidth))
		return err
	}
	if err := score(t.Context(), 600*time.Millisecond); !errors.Is(err, annotator.ErrTooLong) {
		t.Errorf("scoring: %v", err)
	}
	reason := errors.New("somebody left")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, reason)
	defer cancel()
	if err := score(ctx, time.Hour); !errors.Is(err, reason) {
		t.Errorf("a score whose context ended: %v", err)
	}
}
