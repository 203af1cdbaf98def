package architecture_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
	"github.com/abn-studio/studio/trainer/step"
)

func TestArchitecturesComeApart(t *testing.T) {
	t.Parallel()
	for _, name := range architecture.Names() {
		a, err := architecture.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Width = 4 // the same graph, drawn sooner
		m, err := a.Build(7, 1)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if parts.Height != 14 || parts.Width != 14 || parts.Classes != 7 || parts.Gain != a.Gain || parts.ImageHeight != a.ImageSize {
			t.Errorf("%s: map %d×%d, %d classes, gain %s, image %d", name, parts.Height, parts.Width, parts.Classes, parts.Gain, parts.ImageHeight)
		}
		for part, names := range map[string][]string{
			"the extractor":         parts.ExtractorInitializers,
			"the attention branch":  parts.AttentionInitializers,
			"the perception branch": parts.PerceptionInitializers,
		} {
			for _, n := range names {
				var want string
				switch {
				case strings.HasPrefix(n, "att_"), strings.HasPrefix(n, "bn_att"):
					want = "the attention branch"
				case strings.HasPrefix(n, "layer4."), strings.HasPrefix(n, "fc."):
					want = "the perception branch"
				default:
					want = "the extractor"
				}
				if part != want {
					t.Errorf("%s: %s is in %s, want %s", name, n, part, want)
				}
			}
		}
	}
}

func TestTinyRunsWithBothGains(t *testing.T) {
	t.Parallel()
	tiny, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	for _, gain := range []onnx.Gain{onnx.GainM, onnx.GainOnePlusM} {
		tiny.Gain = gain
		m, err := tiny.Build(14, 1)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
		if err != nil {
			t.Fatal(err)
		}
		if parts.Gain != gain || parts.Channels != 64 {
			t.Errorf("gain %s and %d channels, want %s and 64", parts.Gain, parts.Channels, gain)
		}
		data, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		session, err := ort.Open(data, []string{"image"}, []string{"logits_att", "logits_per", "attention"}, ort.Options{IntraOpThreads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		pixels := make([]float32, 3*3*112*112)
		for i := range pixels {
			pixels[i] = float32(math.Sin(float64(i)))
		}
		image, err := ort.Float32s(pixels, 3, 3, 112, 112)
		if err != nil {
			t.Fatal(err)
		}
		defer image.Close()
		out := make([]*ort.Tensor, 3)
		if err := session.Run(context.Background(), []*ort.Tensor{image}, out); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{3 * 14, 3 * 14, 3 * 14 * 14} {
			values := out[i].Float32()
			if len(values) != want {
				t.Errorf("output %d has %d values, want %d", i, len(values), want)
			}
			for _, v := range values {
				if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 1e4 {
					t.Fatalf("output %d holds %v: the initial values blow up", i, v)
				}
			}
			out[i].Close()
		}
	}
}

func TestInitialValuesFollowTheSeed(t *testing.T) {
	t.Parallel()
	tiny, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	build := func(seed int64) *onnx.Model {
		m, err := tiny.Build(10, seed)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, again, other := build(3), build(3), build(4)
	for i, tensor := range first.Graph.Initializers {
		if !bytes.Equal(tensor.Raw, again.Graph.Initializers[i].Raw) {
			t.Errorf("%s differs between two builds of one seed", tensor.Name)
		}
	}
	weight := first.Graph.Initializer("layer3.0.conv2.weight")
	if bytes.Equal(weight.Raw, other.Graph.Initializer(weight.Name).Raw) {
		t.Error("two seeds gave the same weights")
	}
	values, err := weight.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(values)) // 64·64·9: the variance is known to about 1%
	if mean, variance, want := sum/n, squares/n, 2.0/(9*64); math.Abs(mean) > 0.01 || math.Abs(variance/want-1) > 0.05 {
		t.Errorf("mean %.4f, variance %.5f, want 0 and %.5f", mean, variance, want)
	}
}

func TestArchitectureRefuses(t *testing.T) {
	t.Parallel()
	if _, err := architecture.Named("vgg"); !errors.Is(err, architecture.ErrUnbuildable) || !strings.Contains(err.Error(), "tiny") {
		t.Errorf("unknown name: %v", err)
	}
	tiny, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tiny.Build(1, 0); !errors.Is(err, architecture.ErrUnbuildable) {
		t.Errorf("one class: %v", err)
	}
	tiny.ImageSize = 8
	if _, err := tiny.Build(5, 0); !errors.Is(err, architecture.ErrUnbuildable) {
		t.Errorf("images of 8 pixels: %v", err)
	}
}

// Without the attention branch the networks have the values torchvision's have: parameters and running statistics.
func TestArchitecturesHaveThePublishedSizes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int64{"resnet18": 11_689_512 + 9_600, "mobilenetv2": 3_504_872 + 34_112} {
		a, err := architecture.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Build(1000, 1)
		if err != nil {
			t.Fatal(err)
		}
		var all, plain int64
		for _, tensor := range m.Graph.Initializers {
			n, err := tensor.Elements()
			if err != nil {
				t.Fatal(err)
			}
			all += n
			if !strings.HasPrefix(tensor.Name, "att_") && !strings.HasPrefix(tensor.Name, "bn_att") {
				plain += n
			}
		}
		if plain != want {
			t.Errorf("%s has %d values without its attention branch, want %d", name, plain, want)
		}
		if counted, err := a.Parameters(1000); err != nil || counted != all {
			t.Errorf("%s: counted %d values, %v, want %d", name, counted, err, all)
		}
	}
}

func TestMobileNetTrains(t *testing.T) {
	t.Parallel()
	a, err := architecture.Named("mobilenetv2")
	if err != nil {
		t.Fatal(err)
	}
	a.Width, a.ImageSize = 8, 64
	m, err := a.Build(5, 1)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	if parts.Height != a.Grid(64) || parts.Height != 4 || parts.Channels != 24 {
		t.Errorf("map %d×%d over %d channels", parts.Height, parts.Width, parts.Channels)
	}
	abn, err := onnx.Split(t.Context(), m, parts)
	if err != nil {
		t.Fatal(err)
	}
	for _, strategy := range []recipe.Strategy{recipe.StrategyAttention, recipe.StrategyBoth, recipe.StrategyScratch} {
		reasons, err := step.Untrainable(t.Context(), abn, strategy, recipe.BatchNormBatch)
		if err != nil || len(reasons) > 0 {
			t.Errorf("%s: %v, %v", strategy, reasons, err)
		}
	}
}
