package inference

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"go.uber.org/goleak"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrays are the arrays of a reference network's fixture, by key.
func arrays(t testing.TB, name string, keys ...string) map[string][]float32 {
	t.Helper()
	archive, err := npz.Open(filepath.Join(fixture.Reference(t), name+".npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	out := map[string][]float32{}
	for _, key := range keys {
		var values []float32
		if err := archive.Read(key+".npy", &values); err != nil {
			t.Fatalf("reading %s of %s: %v", key, name, err)
		}
		out[key] = values
	}
	return out
}

// openNetwork makes a model and its manifest ready to run.
func openNetwork(ctx context.Context, model *onnx.Model, m manifest.Manifest, o NetworkOptions) (*Network, error) {
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return nil, err
	}
	return NewNetwork(opened, o)
}

// openReference opens a reference network with a plain manifest of its own input's size.
func openReference(t testing.TB, file string) *Network {
	t.Helper()
	model, manifest := referenceModel(t, file)
	n, err := openNetwork(t.Context(), model, manifest, NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func referenceModel(t testing.TB, file string) (*onnx.Model, manifest.Manifest) {
	t.Helper()
	model, err := onnx.ReadFile(t.Context(), filepath.Join(fixture.Reference(t), file+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	shape := model.Graph.Feeds()[0].Shape
	return model, manifest.Manifest{Crop: [2]int{int(shape[2].Size), int(shape[3].Size)}, Channels: "RGB"}
}

// near fails where got is not want to within a tolerance relative to the largest value.
func near(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d values, want %d", what, len(got), len(want))
	}
	var scale, worst float64
	for i, w := range want {
		scale = max(scale, math.Abs(float64(w)))
		d := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(d) {
			t.Fatalf("%s[%d] is %v, want %v", what, i, got[i], w)
		}
		worst = max(worst, d)
	}
	if worst > tolerance*max(scale, 1e-3) {
		t.Errorf("%s is off by %.2g, of values up to %.3g", what, worst, scale)
	}
}

func TestPartsAgreeWithReference(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, file := range []string{name, name + "-fused"} {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				n := openReference(t, file)
				want := arrays(t, name, "image", "features", "attention", "logits_att", "logits_per", "edited", "logits_per_edited")
				count := len(want["image"]) / n.Sizes().Image()
				ctx := t.Context()
				check := func(what, key string, got []float32, err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
					near(t, what, got, want[key], 1e-4)
				}
				features, err := n.Features(ctx, count, want["image"])
				check("features", "features", features, err)
				maps, logits, err := n.Attention(ctx, count, features)
				check("the map", "attention", maps, err)
				check("the attention branch's logits", "logits_att", logits, err)
				answer, err := n.Perception(ctx, count, features, maps)
				check("the perception branch's logits", "logits_per", answer, err)
				answer, err = n.Perception(ctx, count, features, want["edited"])
				check("the logits with edited maps", "logits_per_edited", answer, err)
				out, err := n.Forward(ctx, count, want["image"])
				check("Forward's maps", "attention", out.Maps, err)
				check("Forward's attention logits", "logits_att", out.LogitsAtt, err)
				check("Forward's logits", "logits_per", out.LogitsPer, err)

				// A batch of another size, in the same sessions.
				one, err := n.Forward(ctx, 1, want["image"][:n.Sizes().Image()])
				if err != nil {
					t.Fatal(err)
				}
				near(t, "one image's logits", one.LogitsPer, want["logits_per"][:n.Sizes().Classes], 1e-4)
			})
		}
	}
}

func TestManifestMustFitTheNetwork(t *testing.T) {
	t.Parallel()
	model, own := referenceModel(t, fixture.ReferenceModels(t)[0])
	for want, change := range map[string]func(*manifest.Manifest){
		"crop":     func(m *manifest.Manifest) { m.Crop[0]++ },
		"channels": func(m *manifest.Manifest) { m.Channels = "L" },
		"classes":  func(m *manifest.Manifest) { m.Classes = []string{"one", "too", "few", "or", "too", "many", "names"} },
	} {
		m := own
		change(&m)
		if _, err := openNetwork(t.Context(), model, m, NetworkOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a manifest with other %s: %v, want an error that says so", want, err)
		}
	}
}

func TestRunsStopAndClose(t *testing.T) {
	t.Parallel()
	n := openReference(t, fixture.ReferenceModels(t)[0])
	pixels := make([]float32, n.Sizes().Image())
	reason := errors.New("nobody waits any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if _, err := n.Forward(ctx, 1, pixels); !errors.Is(err, reason) {
		t.Errorf("Forward under an ended context: %v, want its cause", err)
	}
	if _, err := n.Forward(t.Context(), 1, pixels); err != nil {
		t.Error(err)
	}
	if _, err := n.Forward(t.Context(), 1, pixels[1:]); err == nil {
		t.Error("an image that is too short was accepted")
	}
	n.Close()
	if _, err := n.Forward(t.Context(), 1, pixels); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("Forward on a closed network: %v, want ort.ErrClosed", err)
	}
}

func TestProbabilities(t *testing.T) {
	t.Parallel()
	n := &Network{sizes: Sizes{Classes: 2}}
	row := []float32{1000, 1000, 0, float32(math.Log(3))}
	n.Probabilities(row)
	near(t, "the softmax", row, []float32{0.5, 0.5, 0.25, 0.75}, 1e-6)
}

// blobs are files by their hash.
type blobs map[string][]byte

type blob struct{ *bytes.Reader }

func (blob) Close() error { return nil }

func (b blobs) Open(_ context.Context, hash string) (io.ReadSeekCloser, error) {
	data, ok := b[hash]
	if !ok {
		return nil, errors.New("no blob " + hash)
	}
	return blob{bytes.NewReader(data)}, nil
}
