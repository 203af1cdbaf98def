package inference

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

func ask(method annotator.ActivationMethod, branch annotator.Branch, class int) annotator.ActivationQuery {
	return annotator.ActivationQuery{Method: method, Branch: branch, Class: &class}
}

// The attention branch averages its response: the mean of class k's CAM is the branch's logit of k. The perception branch
// answers to the map it is given, and its Grad-CAM is ReLU(CAM)/Z.
func TestActivationMapsOfAnImage(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	ctx := t.Context()
	features, err := s.network.Features(ctx, 1, s.pixels)
	if err != nil {
		t.Fatal(err)
	}
	own, logits, err := s.network.Attention(ctx, 1, features)
	if err != nil {
		t.Fatal(err)
	}
	var means []float32
	for k := range s.network.Sizes().Classes {
		m, err := s.scorer.ActivationMap(ctx, s.version, s.image, ask(annotator.ActivationCAM, annotator.BranchAttention, k))
		if err != nil {
			t.Fatal(err)
		}
		if m.Height != s.network.Sizes().GridHeight || len(m.Values) != m.Height*m.Width || m.Class != k || m.Value == "" || m.Min > m.Max {
			t.Fatalf("CAM of class %d is %+v", k, m)
		}
		var sum float32
		for _, v := range m.Values {
			sum += v
		}
		means = append(means, sum/float32(len(m.Values)))
	}
	near(t, "the means of the attention branch's CAMs", means, logits, 1e-4)

	q := ask(annotator.ActivationCAM, annotator.BranchPerception, 0)
	grid := s.painted(0)
	q.Map = &grid
	erased, err := s.scorer.ActivationMap(ctx, s.version, s.image, q)
	if err != nil {
		t.Fatal(err)
	}
	copy(grid.Values, own)
	cam, err := s.scorer.ActivationMap(ctx, s.version, s.image, q)
	if err != nil {
		t.Fatal(err)
	}
	if cam.Values[0] == erased.Values[0] {
		t.Error("the perception branch's CAM is the same with the model's map and with an empty one")
	}
	q.Method = annotator.ActivationGradCAM
	grad, err := s.scorer.ActivationMap(ctx, s.version, s.image, q)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, len(cam.Values))
	for i, v := range cam.Values {
		want[i] = max(0, v) / float32(len(cam.Values))
	}
	near(t, "Grad-CAM", grad.Values, want, 1e-5)
	if stats := s.scorer.Features().Stats(); stats.Entries != 1 || stats.Misses != 1 {
		t.Errorf("one image's maps: %+v, want its features computed once", stats)
	}
}

func TestActivationMapRefusals(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	vgg := s.version
	vgg.ModelHash = "abn-vgg-tiny"
	vgg.Manifest = []byte(`{"crop": [12, 12], "channels": "RGB"}`)
	grid := s.painted(0)
	perception := ask(annotator.ActivationCAM, annotator.BranchPerception, 0)
	byName := ask(annotator.ActivationGradCAM, annotator.BranchAttention, 0)
	byName.Value = "nothing"
	for name, c := range map[string]struct {
		version annotator.Version
		query   annotator.ActivationQuery
		field   string
		says    string
	}{
		"a class too far":     {s.version, ask(annotator.ActivationCAM, annotator.BranchAttention, 99), "class", "from 0 to 3"},
		"no map":              {s.version, perception, "map", "needs one"},
		"a value that is not": {s.version, byName, "value", "no such value"},
	} {
		_, err := s.scorer.ActivationMap(t.Context(), c.version, s.image, c.query)
		var v *annotator.ValidationError
		if !errors.As(err, &v) || v.Field != c.field || !strings.Contains(v.Message, c.says) {
			t.Errorf("%s: %v, want %s: %s", name, err, c.field, c.says)
		}
	}
	// CAM of a branch with a hidden layer is refused twice and looked into once; Grad-CAM works.
	path := filepath.Join(fixture.Root(), "onnx", "activation", "testdata", "abn-vgg-tiny.onnx")
	loads := 0
	scorer := NewLiveScorer(network.NewStore(func(context.Context, string) (string, error) { loads++; return path, nil }, 0), s.scorer.blobs, LiveScorerOptions{})
	t.Cleanup(func() { scorer.Close() })
	grid.Height, grid.Width, grid.Values = 6, 6, make([]float32, 36)
	perception.Map = &grid
	for range 2 {
		_, err := scorer.ActivationMap(t.Context(), vgg, s.image, perception)
		var v *annotator.ValidationError
		if !errors.As(err, &v) || v.Field != "method" || !strings.Contains(v.Message, "/Relu_1 (Relu)") || !strings.Contains(v.Message, "Grad-CAM") {
			t.Errorf("CAM of a branch with a hidden layer: %v", err)
		}
	}
	if loads != 1 { // for the network, and for each look
		t.Errorf("the model was read %d times, want 1", loads)
	}
	perception.Method = annotator.ActivationGradCAM
	if m, err := scorer.ActivationMap(t.Context(), vgg, s.image, perception); err != nil || m.Height != 6 || m.Min < 0 {
		t.Errorf("Grad-CAM of it: %+v, %v", m, err)
	}
}

// More graphs than are kept open, asked for from several goroutines at once; then a closed scorer.
func TestActivationMapsAreBounded(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			version := s.version
			version.Manifest = append([]byte(strings.Repeat(" ", i/2)), version.Manifest...) // the same, and yet another key
			for _, method := range []annotator.ActivationMethod{annotator.ActivationCAM, annotator.ActivationGradCAM} {
				if _, err := s.scorer.ActivationMap(t.Context(), version, s.image, ask(method, annotator.BranchAttention, 1)); err != nil && !errors.Is(err, ort.ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.scorer.activations.cache.Stats().Entries; n != activationGraphs {
		t.Errorf("%d graphs are open, want %d", n, activationGraphs)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("nobody waits any more")
	cancel(gone)
	if _, err := s.scorer.ActivationMap(ctx, s.version, s.image, ask(annotator.ActivationGradCAM, annotator.BranchAttention, 1)); !errors.Is(err, gone) {
		t.Errorf("under an ended context: %v, want its cause", err)
	}
	s.scorer.Close()
	if _, err := s.scorer.ActivationMap(t.Context(), s.version, s.image, ask(annotator.ActivationCAM, annotator.BranchAttention, 1)); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("after Close: %v, want ort.ErrClosed", err)
	}
}

// One image's maps of a real network on cached features, beside a live score.
func BenchmarkActivationMap(b *testing.B) {
	model := filepath.Join(fixture.Models(b), "abn-mobilenetv2-cub60.onnx")
	read, err := onnx.ReadFile(b.Context(), model)
	if err != nil {
		b.Fatal(err)
	}
	manifest, err := manifest.Load(model, read.MetadataValue)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		b.Fatal(err)
	}
	scorer := NewLiveScorer(network.NewStore(func(context.Context, string) (string, error) { return model, nil }, 0), blobs{"picture": asPNG(b, noise(70, 80, 5))}, LiveScorerOptions{})
	defer scorer.Close()
	version, image := annotator.Version{ModelHash: "m", ExtractorHash: "e", Manifest: raw}, annotator.Image{Name: "picture", Hash: "picture"}
	grid := attention.New(14, 14)
	if _, err := scorer.Score(b.Context(), version, image, grid); err != nil {
		b.Fatal(err)
	}
	b.Run("score", func(b *testing.B) {
		for b.Loop() {
			if _, err := scorer.Score(b.Context(), version, image, grid); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, method := range []annotator.ActivationMethod{annotator.ActivationCAM, annotator.ActivationGradCAM} {
		for _, branch := range []annotator.Branch{annotator.BranchAttention, annotator.BranchPerception} {
			q := ask(method, branch, 3)
			q.Map = &grid
			start := time.Now()
			if _, err := scorer.ActivationMap(b.Context(), version, image, q); err != nil {
				b.Fatal(err)
			}
			opening := float64(time.Since(start)) / float64(time.Millisecond)
			b.Run(string(method)+"/"+string(branch), func(b *testing.B) {
				for b.Loop() {
					if _, err := scorer.ActivationMap(b.Context(), version, image, q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(opening, "first-ms")
			})
		}
	}
}
