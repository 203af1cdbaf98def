package onnx_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio"

	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// squeezeNet builds SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360) from the layers of squeezenet1.1.npz.
func squeezeNet(t testing.TB, path string) *onnx.Model {
	t.Helper()
	g := &onnx.Graph{Name: "squeezenet1.1", Inputs: []*onnx.ValueInfo{onnx.NewValue("data", onnx.Float, onnx.BatchOf(3, 224, 224))}, Outputs: outputs("logits")}
	add := func(op, name string, inputs []string, attributes ...*onnx.Attribute) string {
		g.Nodes = append(g.Nodes, onnx.NewNode(op, name, inputs, []string{name + "/out"}, attributes...))
		return name + "/out"
	}
	layers := 0
	conv := func(x string, stride int64) string { // and its Relu
		name := fmt.Sprintf("squeezenet0_conv%d", layers)
		layers++
		for _, part := range []string{"_weight", "_bias"} {
			a := reference(t, path, name+part)
			g.Initializers = append(g.Initializers, onnx.NewFloat32(name+part, a.dims, a.data))
		}
		k := g.Initializers[len(g.Initializers)-2].Dims[2]
		pad := k / 2
		if stride > 1 {
			pad = 0
		}
		y := add("Conv", name, []string{x, name + "_weight", name + "_bias"}, onnx.IntsAttr("kernel_shape", k, k), onnx.IntsAttr("strides", stride, stride), onnx.IntsAttr("pads", pad, pad, pad, pad))
		return add("Relu", name+"/relu", []string{y})
	}
	pools := 0
	pool := func(x string) string {
		pools++
		return add("MaxPool", fmt.Sprintf("pool%d", pools), []string{x}, onnx.IntsAttr("kernel_shape", 3, 3), onnx.IntsAttr("strides", 2, 2))
	}
	x := pool(conv("data", 2))
	for fire := range 8 {
		if fire == 2 || fire == 4 {
			x = pool(x)
		}
		squeezed := conv(x, 1)
		x = add("Concat", fmt.Sprintf("fire%d", fire+2), []string{conv(squeezed, 1), conv(squeezed, 1)}, onnx.IntAttr("axis", 1))
	}
	x = add("GlobalAveragePool", "average", []string{conv(x, 1)})
	add("Flatten", "flat", []string{x})
	g.Nodes[len(g.Nodes)-1].Outputs[0] = "logits"
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 13}}, Graph: g}
}

func npy(t testing.TB, path string) array {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := npyio.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var a array
	if err := r.Read(&a.data); err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Header.Descr.Shape {
		a.dims = append(a.dims, int64(d))
	}
	return a
}

func TestAttachToSqueezeNet(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(fixture.Models(t), "squeezenet1.1")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no SqueezeNet: ", err)
	}
	m := squeezeNet(t, filepath.Join(dir, "squeezenet1.1.npz"))
	if path := os.Getenv("STUDIO_SQUEEZENET_OUT"); path != "" { // for docs/training.md
		if err := m.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	out, abn := attach(t, m, onnx.AttachSettings{})
	if out.Cut.Node != "pool3" || abn.Channels != 256 || abn.Height != 13 || abn.Classes != 1000 || !out.HeadKept || out.Cut.Convolutions != 12 {
		t.Errorf("%+v", out.Cut)
	}
	for i := range 3 {
		set := filepath.Join(dir, "test_data_set", fmt.Sprint(i))
		image, want := npy(t, filepath.Join(set, "input_0.npy")), npy(t, filepath.Join(set, "output_0.npy"))
		plain := run(t, m, map[string]array{"data": image}, "logits")[0]
		near(t, fmt.Sprintf("SqueezeNet on reference %d", i), plain.data, want.data, 1e-4)
		_, attention, _, per := pieces(t, abn, image, &array{make([]float32, 13*13), []int64{1, 1, 13, 13}})
		if !slices.Equal(per.data, plain.data) {
			t.Errorf("reference %d: with a map of zeros the logits are not the classifier's", i)
		}
		for _, v := range attention.data {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("reference %d: the map holds %v", i, v)
			}
		}
	}
	adapted, abn := attach(t, m, onnx.AttachSettings{Classes: 10, Seed: 1})
	if adapted.HeadKept || abn.Classes != 10 {
		t.Errorf("%+v", adapted)
	}
}

// plain takes the attention branch out of an ABN's file: what was in front of the mechanism goes on behind it.
func plain(t testing.TB, m *onnx.Model) (*onnx.Model, *onnx.ABN) {
	t.Helper()
	abn := takeApart(t, m)
	m = m.Clone()
	features, attended := abn.Names.Features, ""
	ofMap := map[string]bool{abn.Names.Map: true}
	for _, n := range m.Graph.Nodes {
		reads, grows := n.Reads(), false
		for _, in := range reads {
			grows = grows || ofMap[in]
		}
		if !grows {
			continue
		}
		for _, out := range n.Outputs {
			ofMap[out] = true
		}
		if slices.Contains(reads, features) {
			attended = n.Output(0) // the last to read both is the end of the mechanism
		}
	}
	for _, n := range m.Graph.Nodes {
		for i, in := range n.Inputs {
			if in == attended {
				n.Inputs[i] = features
			}
		}
	}
	m.Graph.Outputs = slices.DeleteFunc(m.Graph.Outputs, func(v *onnx.ValueInfo) bool { return !ofMap[v.Name] })
	m.Graph.Outputs = slices.DeleteFunc(m.Graph.Outputs, func(v *onnx.ValueInfo) bool {
		return v.Name == abn.Names.Map || len(v.Shape) > 2
	})
	return m, abn
}

// An ABN without its attention branch is a classifier; attached to, it must come apart where it did, and its attention branch
// must have the same convolutions over the same grid.
func TestAttachFindsWherePeopleSplit(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join("testdata", "families"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Family == "newer" {
			continue // its group normalisations reshape to a grid of a fixed size
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			classifier, published := plain(t, m)
			out, abn := attach(t, classifier, onnx.AttachSettings{Gain: f.WantGain()})
			ours, theirs := convolutions(t, abn.Attention), convolutions(t, published.Attention)
			if strings.HasPrefix(f.Family, "densenet") { // its transition halves the channels before it pools, and goes to the extractor
				f.Channels, theirs = f.Channels/2, theirs[1:]
			}
			if abn.Channels != f.Channels || abn.Height != f.Height || abn.Width != f.Width || abn.Classes != f.Classes || abn.Gain != f.WantGain() || !out.HeadKept {
				t.Fatalf("split at %v, want %d×%d×%d", out.Cut, f.Channels, f.Height, f.Width)
			}
			// All but the head, of which there are several forms.
			n := len(ours) - 3
			for n > 0 && (len(theirs) < n || ours[n-1] != theirs[n-1]) {
				n--
			}
			if n == 0 || !slices.Equal(ours[:n], theirs[:n]) || len(ours)-3-n > 1 { // MobileNet's last 1×1 convolution is the classifier's in some
				t.Errorf("attention branch\n%s, the published one\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
			}
		})
	}
}

// convolutions describes a branch's convolutions, in order.
func convolutions(t testing.TB, m *onnx.Model) []string {
	t.Helper()
	shapes, err := onnx.InferShapes(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range m.Graph.Nodes {
		if n.Op == "Conv" {
			list = append(list, fmt.Sprint(shapes[n.Input(1)].Shape, shapes[n.Output(0)].Shape, n.AttrInts("strides", 1, 1), n.AttrInts("pads", 0, 0, 0, 0), n.AttrInt("group", 1)))
		}
	}
	return list
}

// torchvision's classifiers, as they are exported, come apart where the table beside them says.
func TestAttachToTorchvision(t *testing.T) {
	t.Parallel()
	list, err := families.List(filepath.Join("testdata", "classifiers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m, err := f.Structure()
			if err != nil {
				t.Fatal(err)
			}
			out, abn := attach(t, m, onnx.AttachSettings{Classes: 7})
			if abn.Channels != f.Channels || abn.Height != f.Height || abn.Width != f.Width || abn.Classes != 7 {
				t.Errorf("split at %v, want %d×%d×%d", out.Cut, f.Channels, f.Height, f.Width)
			}
			for _, n := range abn.Attention.Graph.Nodes {
				if strides := n.AttrInts("strides", 1, 1); slices.Max(strides) > 1 {
					t.Errorf("%v has strides %v", n, strides)
				}
			}
		})
	}
}

// The perception path of a trained ABN is a classifier that knows its classes, with Pad nodes in front of its strides.
func TestAttachToARealClassifier(t *testing.T) {
	t.Parallel()
	path := filepath.Join(fixture.Models(t), "abn-mobilenetv2-imagenette.onnx")
	classifier, published := plain(t, mustRead(t, path))
	if path := os.Getenv("STUDIO_MOBILENET_OUT"); path != "" { // for docs/training.md
		if err := classifier.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	out, abn := attach(t, classifier, onnx.AttachSettings{})
	if out.Cut.Value != published.Names.Features || abn.Height != 14 || !out.HeadKept || out.Was != 10 {
		t.Errorf("split at %v, want %s", out.Cut, published.Names.Features)
	}
	if abn.ExtractorHash() != published.ExtractorHash() {
		t.Error("the extractor is not the ABN's: features kept for one would not serve the other")
	}
	image := noise(1, 3, 224, 224)
	zero := array{make([]float32, 14*14), []int64{1, 1, 14, 14}}
	want := run(t, classifier, map[string]array{"image": image}, "logits_per")[0]
	_, attention, att, per := pieces(t, abn, image, &zero)
	_, _, _, theirs := pieces(t, published, image, &zero)
	if !slices.Equal(per.data, want.data) {
		t.Errorf("with a map of zeros the logits are %v, want %v", per.data, want.data)
	}
	near(t, "the ABN's own perception branch under a map of zeros", per.data, theirs.data, 1e-5)
	for _, v := range append(attention.data, att.data...) {
		if math.IsNaN(float64(v)) || math.Abs(float64(v)) > 1e3 {
			t.Fatalf("the attention branch gives %v", v)
		}
	}
}
