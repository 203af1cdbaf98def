package inference

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/picture"
)

// scoring is a scorer over reference networks and one picture, counting how often models are fetched.
type scoring struct {
	scorer  *LiveScorer
	network *Network
	version annotator.Version
	image   annotator.Image
	pixels  []float32
	loads   atomic.Int64
}

func newScoring(t *testing.T, o LiveScorerOptions) *scoring {
	t.Helper()
	name := fixture.ReferenceModels(t)[0]
	_, manifest := referenceModel(t, name)
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	file := asPNG(t, noise(70, 80, 5))
	s := &scoring{
		network: openReference(t, name),
		version: annotator.Version{ModelHash: name, ExtractorHash: "extractor", Manifest: raw},
		image:   annotator.Image{Name: "picture", Hash: "picture"},
	}
	s.scorer = NewLiveScorer(network.NewStore(func(_ context.Context, hash string) (string, error) {
		s.loads.Add(1)
		return filepath.Join(fixture.Reference(t), hash+".onnx"), nil
	}, 0), blobs{"picture": file, "rubbish": []byte("no picture")}, o)
	t.Cleanup(func() { s.scorer.Close() })
	s.pixels = make([]float32, s.network.Sizes().Image())
	if err := pixels(t, s.network.Preprocessor, file, s.pixels); err != nil {
		t.Fatal(err)
	}
	return s
}

// painted is a map that is v everywhere.
func (s *scoring) painted(v float32) attention.Map {
	m := attention.New(s.network.Sizes().GridHeight, s.network.Sizes().GridWidth)
	for i := range m.Values {
		m.Values[i] = v
	}
	return m
}

// want is the answer by the network's own parts.
func (s *scoring) want(t *testing.T, m attention.Map) []float32 {
	t.Helper()
	features, err := s.network.Features(t.Context(), 1, s.pixels)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.network.Perception(t.Context(), 1, features, m.Values)
	if err != nil {
		t.Fatal(err)
	}
	s.network.Probabilities(out)
	return out
}

func TestLiveScore(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	for _, v := range []float32{0, 0.5, 1} {
		got, err := s.scorer.Score(t.Context(), s.version, s.image, s.painted(v))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the score", got, s.want(t, s.painted(v)), 1e-4)
	}
	if stats := s.scorer.Features().Stats(); stats.Entries != 1 || stats.Hits != 2 || s.loads.Load() != 1 {
		t.Errorf("three scores of one image: %+v and %d models fetched, want one of each computed", stats, s.loads.Load())
	}
}

func TestLiveScoreRefuses(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	score := func(image annotator.Image, m attention.Map) error {
		_, err := s.scorer.Score(t.Context(), s.version, image, m)
		return err
	}
	if err := score(s.image, attention.New(3, 99)); !errors.Is(err, attention.ErrGrid) {
		t.Errorf("a map of the wrong grid: %v", err)
	}
	if err := score(s.image, s.painted(1.5)); !errors.Is(err, attention.ErrValue) {
		t.Errorf("a map with 1.5: %v", err)
	}
	if err := score(annotator.Image{Hash: "rubbish"}, s.painted(0)); !errors.Is(err, picture.ErrNotPicture) {
		t.Errorf("a file that is no picture: %v", err)
	}
	if err := score(annotator.Image{Hash: "absent"}, s.painted(0)); err == nil {
		t.Error("an image that is not there was scored")
	}
	reason := errors.New("the next stroke came")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if _, err := s.scorer.Score(ctx, s.version, s.image, s.painted(0)); !errors.Is(err, reason) {
		t.Errorf("a score nobody waits for: %v, want the cause", err)
	}
	// What went wrong for one does not stay wrong.
	if err := score(s.image, s.painted(0)); err != nil {
		t.Error(err)
	}
	s.scorer.Close()
	if err := score(s.image, s.painted(0)); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("a score after Close: %v", err)
	}
}

// TestScoresMayOverlap has more models asked for at once than may stay open.
func TestScoresMayOverlap(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{Networks: 1})
	other := s.version
	other.ModelHash += "-fused"
	want := s.want(t, s.painted(0.25))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			version := s.version
			if i%2 == 1 {
				version = other
			}
			for range 5 {
				got, err := s.scorer.Score(t.Context(), version, s.image, s.painted(0.25))
				if errors.Is(err, ort.ErrClosed) {
					continue // evicted twice in a row: the limit of one is unkind on purpose
				}
				if err != nil {
					t.Error(err)
					return
				}
				near(t, "an overlapping score", got, want, 1e-3)
			}
		})
	}
	all.Wait()
}

// A version whose manifest has a mean of pixels from 0 to 255 says so instead of answering; its picture is shown all the same.
func TestLiveScoreSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	var manifest manifest.Manifest
	if err := json.Unmarshal(s.version.Manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	manifest.Mean = []float32{123.675, 116.28, 103.53}
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	wrong := s.version
	wrong.Manifest = raw
	var invalid *annotator.ValidationError
	if _, err := s.scorer.Score(t.Context(), wrong, s.image, s.painted(0.5)); !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "divide by 255") {
		t.Errorf("got %v, want a *annotator.ValidationError that says what to do", err)
	}
	if _, err := NewPictures(blobs{}, "", 0, slog.New(slog.DiscardHandler)).preprocessor(wrong); err != nil {
		t.Errorf("its pictures: %v", err)
	}
}
