package activation_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/activation"
	"github.com/abn-studio/studio/onnx/gradient"
)

// array is a tensor of a test.
type array struct {
	data []float32
	dims []int64
}

// run executes a graph on ONNX Runtime: floats by name, and the class input where one is given.
func run(t testing.TB, m *onnx.Model, floats map[string]array, class string, classes []int64, outputs ...string) []array {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var in []*ort.Tensor
	add := func(name string, tensor *ort.Tensor, err error) {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tensor.Close() })
		names, in = append(names, name), append(in, tensor)
	}
	for name, a := range floats {
		tensor, err := ort.Float32s(a.data, a.dims...)
		add(name, tensor, err)
	}
	if class != "" {
		tensor, err := ort.Int64s(classes, int64(len(classes)))
		add(class, tensor, err)
	}
	session, err := ort.Open(data, names, outputs, ort.Options{IntraOpThreads: 1, NoSpinning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	out := make([]*ort.Tensor, len(outputs))
	if err := session.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	results := make([]array, len(out))
	for i, tensor := range out {
		results[i] = array{slices.Clone(tensor.Float32()), slices.Clone(tensor.Dims())}
		tensor.Close()
	}
	return results
}

// noise is a repeatable normal-ish array.
func noise(seed uint32, dims ...int64) array {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	a, state := array{make([]float32, n), dims}, seed*2654435761+1
	for i := range a.data {
		state = state*1664525 + 1013904223
		a.data[i] = float32(state>>8)/(1<<23) - 1
	}
	return a
}

// near fails where two arrays differ by more than tolerance of the largest wanted value.
func near(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(float64(w)))
	}
	if scale == 0 {
		t.Fatalf("%s: all that is wanted is 0, so that nothing is compared", what)
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= tolerance*scale) {
			t.Fatalf("%s: value %d is %v, want %v (of values up to %.3g)", what, i, got[i], w, scale)
		}
	}
}

func split(t testing.TB, path string) *onnx.ABN {
	t.Helper()
	m, err := onnx.ReadFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	abn, err := onnx.Split(t.Context(), m, parts)
	if err != nil {
		t.Fatal(err)
	}
	return abn
}

// side is a branch of a network with something to feed it: a batch of two.
type side struct {
	branch activation.Branch
	model  *onnx.Model
	logits string
	in     map[string]array
}

func sides(abn *onnx.ABN) []side {
	c, h, w := int64(abn.Channels), int64(abn.Height), int64(abn.Width)
	features, grid := noise(1, 2, c, h, w), noise(2, 2, 1, h, w)
	for i := range features.data {
		features.data[i] = max(0, features.data[i]) // as after a Relu
	}
	for i := range grid.data {
		grid.data[i] = (grid.data[i] + 1) / 2
	}
	return []side{
		{activation.Attention, abn.Attention, onnx.PortLogitsAtt, map[string]array{onnx.PortFeatures: features}},
		{activation.Perception, abn.Perception, onnx.PortLogitsPer, map[string]array{onnx.PortFeatures: features, onnx.PortMap: grid}},
	}
}

// expose is a branch with one of its values as a further output.
func expose(m *onnx.Model, value string) *onnx.Model {
	m = m.Clone()
	m.Graph.Outputs = append(m.Graph.Outputs, onnx.NewValue(value, onnx.Float, nil))
	return m
}

// fed is a branch in which a value is given instead of computed.
func fed(m *onnx.Model, value string, shape onnx.Shape) *onnx.Model {
	m = m.Clone()
	for _, n := range m.Graph.Nodes {
		for i, out := range n.Outputs {
			if out == value {
				n.Outputs[i] = value + "/computed"
			}
		}
	}
	m.Graph.Inputs = append(m.Graph.Inputs, onnx.NewValue(value, onnx.Float, shape))
	return m
}

// references are the networks of the project's own fixtures: residual and inverted-residual, BatchNorm kept and folded.
func references(t *testing.T, each func(t *testing.T, abn *onnx.ABN)) {
	for _, name := range fixture.ReferenceModels(t) {
		for _, file := range []string{name, name + "-fused"} {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				each(t, split(t, filepath.Join(fixture.Reference(t), file+".onnx")))
			})
		}
	}
}

func TestCAMIsItsDefinition(t *testing.T) {
	t.Parallel()
	references(t, func(t *testing.T, abn *onnx.ABN) {
		for _, s := range sides(abn) {
			g, err := activation.CAM(t.Context(), abn, s.branch)
			if err != nil {
				t.Fatal(err)
			}
			classes := []int64{int64(abn.Classes - 1), 1}
			got := run(t, g.Model, s.in, g.Inputs[len(g.Inputs)-1], classes, g.Output)[0]
			if want := []int64{2, 1, int64(g.Height), int64(g.Width)}; !slices.Equal(got.dims, want) {
				t.Fatalf("CAM of the %s branch has shape %v, want %v", s.branch, got.dims, want)
			}
			out := run(t, expose(s.model, g.Value), s.in, "", nil, g.Value, s.logits)
			a, logits, cells := out[0], out[1], g.Height*g.Width
			weights, bias := make([]float32, abn.Classes*abn.Classes), make([]float32, abn.Classes)
			if s.branch == activation.Attention { // its response is averaged as it is
				for k := range abn.Classes {
					weights[k*abn.Classes+k] = 1
				}
			} else {
				weights, _ = s.model.Graph.Initializer("perception.fc.weight").Float32s()
				bias, _ = s.model.Graph.Initializer("perception.fc.bias").Float32s()
			}
			want, sums := make([]float32, 2*cells), make([]float32, 2)
			for n, k := range classes {
				for i := range cells {
					for c := range g.Channels {
						want[n*cells+i] += weights[int(k)*g.Channels+c] * a.data[(n*g.Channels+c)*cells+i]
					}
					sums[n] += got.data[n*cells+i] / float32(cells)
				}
				sums[n] += bias[k]
			}
			near(t, "CAM of the "+string(s.branch)+" branch", got.data, want, 1e-5)
			near(t, "the CAM's mean and the bias", sums, []float32{logits.data[classes[0]], logits.data[abn.Classes+int(classes[1])]}, 1e-5)
		}
	})
}

// With a global average pool and a linear head Grad-CAM is ReLU(CAM)/Z (Selvaraju et al., section 3.1).
func TestGradCAMIsRectifiedCAM(t *testing.T) {
	t.Parallel()
	references(t, func(t *testing.T, abn *onnx.ABN) {
		for _, s := range sides(abn) {
			cam, err := activation.CAM(t.Context(), abn, s.branch)
			if err != nil {
				t.Fatal(err)
			}
			grad, err := activation.GradCAM(t.Context(), abn, s.branch, "")
			if err != nil {
				t.Fatal(err)
			}
			if grad.Value != cam.Value {
				t.Errorf("%s: CAM weights %s, Grad-CAM %s", s.branch, cam.Value, grad.Value)
			}
			var got, want []float32 // of every class: some maps have no positive cell
			for k := range int64(abn.Classes) {
				classes := []int64{k, (k + 1) % int64(abn.Classes)}
				got = append(got, run(t, grad.Model, s.in, grad.Inputs[len(grad.Inputs)-1], classes, grad.Output)[0].data...)
				for _, v := range run(t, cam.Model, s.in, cam.Inputs[len(cam.Inputs)-1], classes, cam.Output)[0].data {
					want = append(want, max(0, v)/float32(cam.Height*cam.Width))
				}
			}
			near(t, "Grad-CAM of the "+string(s.branch)+" branch", got, want, 2e-6)
		}
	})
}

// α of a value inside the branch against central differences of the logit: adding ε to a whole channel changes y_k
// by ε Σ_ij ∂y_k/∂A_c(i,j) = ε Z α_c.
func TestGradCAMAgainstFiniteDifferences(t *testing.T) {
	t.Parallel()
	references(t, func(t *testing.T, abn *onnx.ABN) {
		for _, s := range sides(abn) {
			inner := innerConv(s.model)
			g, err := activation.GradCAM(t.Context(), abn, s.branch, inner)
			if err != nil {
				t.Fatal(err)
			}
			const k, step = 1, 1e-3
			got := run(t, g.Model, s.in, g.Inputs[len(g.Inputs)-1], []int64{k, k}, g.Output)[0].data
			a := run(t, expose(s.model, inner), s.in, "", nil, inner)[0]
			rows, size := 2*g.Channels, g.Channels*g.Height*g.Width
			cells := g.Height * g.Width
			batch := array{nil, []int64{int64(rows), int64(g.Channels), int64(g.Height), int64(g.Width)}}
			in := map[string]array{}
			for name, v := range s.in { // the first image, once for each perturbation
				one := v.data[:len(v.data)/2]
				in[name] = array{slices.Repeat(one, rows), append([]int64{int64(rows)}, v.dims[1:]...)}
			}
			for r := range rows {
				row := slices.Clone(a.data[:size])
				for i := range cells {
					row[(r/2)*cells+i] += step * float32(1-2*(r%2))
				}
				batch.data = append(batch.data, row...)
			}
			in[inner] = batch
			logits := run(t, fed(s.model, inner, onnx.BatchOf(batch.dims[1:]...)), in, "", nil, s.logits)[0].data
			want := make([]float32, cells)
			for c := range g.Channels {
				up, down := logits[(2*c)*abn.Classes+k], logits[(2*c+1)*abn.Classes+k]
				alpha := (float64(up) - float64(down)) / (2 * step * float64(cells))
				for i := range cells {
					want[i] += float32(alpha) * a.data[c*cells+i]
				}
			}
			for i := range want {
				want[i] = max(0, want[i])
			}
			near(t, "Grad-CAM at "+inner, got[:cells], want, 0.02)
		}
	})
}

// innerConv is a convolution of a branch with others between it and the logits.
func innerConv(m *onnx.Model) string {
	for _, n := range m.Graph.Nodes {
		if n.IsOp("Conv") && (strings.HasSuffix(n.Name, "/c1/Conv") && n.AttrInt("group", 1) == 1 || strings.HasSuffix(n.Name, "/c0/Conv")) {
			return n.Output(0)
		}
	}
	return ""
}

// A branch that ends as VGG does: no CAM, and Grad-CAM as PyTorch's autograd gives it (testdata/abn_vgg_tiny.py).
func TestBranchWithoutGlobalPooling(t *testing.T) {
	t.Parallel()
	abn := split(t, filepath.Join("testdata", "abn-vgg-tiny.onnx"))
	_, err := activation.CAM(t.Context(), abn, activation.Perception)
	var head *activation.HeadError
	if !errors.As(err, &head) || !errors.Is(err, activation.ErrNoCAM) || head.Op != "Relu" || head.Node != "/Relu_1" || !strings.Contains(err.Error(), "Grad-CAM") {
		t.Errorf("CAM of a branch with a hidden layer: %v, want a *HeadError that names /Relu_1 and Grad-CAM", err)
	}
	var torch struct {
		Features, Map, Edited []float32
		GradCAM               []float32 `json:"grad_cam"`
		GradCAMEdited         []float32 `json:"grad_cam_edited"`
		Classes               []int64
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "abn-vgg-tiny.json"))
	if err == nil {
		err = json.Unmarshal(raw, &torch)
	}
	if err != nil {
		t.Fatal(err)
	}
	g, err := activation.GradCAM(t.Context(), abn, activation.Perception, "")
	if err != nil {
		t.Fatal(err)
	}
	if g.Value != "/per/per.2/Relu_output_0" || g.Height != 6 || g.Width != 6 || g.Channels != 10 {
		t.Errorf("Grad-CAM weights %s [%d,%d,%d], want what stands before the pool", g.Value, g.Channels, g.Height, g.Width)
	}
	for name, c := range map[string]struct{ grid, want []float32 }{"own map": {torch.Map, torch.GradCAM}, "edited map": {torch.Edited, torch.GradCAMEdited}} {
		in := map[string]array{onnx.PortFeatures: {torch.Features, []int64{2, 6, 6, 6}}, onnx.PortMap: {c.grid, []int64{2, 1, 6, 6}}}
		near(t, name, run(t, g.Model, in, g.Inputs[2], torch.Classes, g.Output)[0].data, c.want, 1e-4)
	}
	if _, err := activation.CAM(t.Context(), abn, activation.Attention); err != nil {
		t.Errorf("CAM of its attention branch: %v", err)
	}
}

func TestGraphsHoldNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	abn := split(t, filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx"))
	before := len(abn.Attention.Graph.Nodes)
	g, err := activation.CAM(t.Context(), abn, activation.Attention)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(g.Model.Graph.Nodes, func(n *onnx.Node) bool { return n.IsOp("Sigmoid", "ReduceMean") }) {
		t.Error("the graph still computes the attention map or the logits")
	}
	if g.Model.Graph.Initializer("attention.map.weight") != nil {
		t.Error("the graph still holds the weights of the attention map")
	}
	if len(abn.Attention.Graph.Nodes) != before || len(abn.Attention.Graph.Outputs) != 2 {
		t.Error("the ABN's own graph was changed")
	}
}

func TestGradCAMByName(t *testing.T) {
	t.Parallel()
	abn := split(t, filepath.Join(fixture.Reference(t), "abn-resnet-tiny.onnx"))
	g, err := activation.GradCAM(t.Context(), abn, activation.Perception, abn.Names.Features)
	if err != nil || g.Height != abn.Height || g.Width != abn.Width || g.Value != abn.Names.Features {
		t.Errorf("Grad-CAM at the features by their name in the file: %+v, %v", g, err)
	}
	for value, why := range map[string]string{
		"nonsense":                               "no such value",
		"/perception/GlobalAveragePool_output_0": "more than one cell",
		abn.Names.Map + "/x":                     "no such value",
	} {
		if _, err := activation.GradCAM(t.Context(), abn, activation.Perception, value); !errors.Is(err, activation.ErrValue) || !strings.Contains(err.Error(), why) {
			t.Errorf("Grad-CAM at %q: %v, want ErrValue that says %q", value, err, why)
		}
	}
	if _, err := activation.GradCAM(t.Context(), abn, activation.Attention, "/attention/map/Conv_output_0"); !errors.Is(err, activation.ErrValue) {
		t.Errorf("Grad-CAM at a value beside the way to the logits: %v", err)
	}
	if _, err := activation.GradCAM(t.Context(), abn, "middle", ""); !errors.Is(err, activation.ErrBranch) {
		t.Errorf("a third branch: %v", err)
	}
}

func TestGradCAMNamesWhatHasNoDerivative(t *testing.T) {
	t.Parallel()
	abn := split(t, filepath.Join("testdata", "abn-vgg-tiny.onnx"))
	for _, n := range abn.Perception.Graph.Nodes {
		if n.Name == "/Relu_1" {
			n.Op = "Softsign"
		}
	}
	_, err := activation.GradCAM(t.Context(), abn, activation.Perception, "")
	var unsupported *gradient.UnsupportedError
	if !errors.As(err, &unsupported) || len(unsupported.Reasons) != 1 || unsupported.Reasons[0].Node != "/Relu_1" {
		t.Errorf("Grad-CAM through a Softsign: %v, want an *UnsupportedError that names /Relu_1", err)
	}
}
