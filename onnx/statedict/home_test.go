package statedict_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// exported reads a network that torch_home.py made.
func exported(t *testing.T, name string) *onnx.Model {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Read(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func referenceOf(t *testing.T, name string) statedict.Dict {
	t.Helper()
	d, err := statedict.ReadFile(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// trained is a network as fine-tuning writes it: every weight of the branches changed, those with values of their own that the
// file had once for several layers; the extractor as it was. amount is how much, of a tensor's mean size.
func trained(t *testing.T, parent *onnx.Model, amount float64) (child *onnx.Model, frozen []string) {
	t.Helper()
	opened, err := network.Open(t.Context(), parent, manifest.Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	abn := opened.ABN()
	rng := rand.New(rand.NewPCG(1, 1))
	values := map[string][]float32{}
	for _, i := range abn.Branches.Graph.Initializers {
		if i.Type != onnx.Float || slices.Contains(abn.ExtractorInitializers, i.Name) || len(i.Raw) < 4 {
			continue
		}
		v, err := i.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if low, high := slices.Min(v), slices.Max(v); strings.HasPrefix(i.Name, "val_") && low == high && (low == 0 || low == 1) {
			continue // what the exporter gives a BatchNorm that has no weights, which no training changes
		}
		size := 1e-3
		for _, x := range v {
			size += math.Abs(float64(x)) / float64(len(v))
		}
		for k := range v {
			if v[k] += float32(amount * size * rng.NormFloat64()); strings.Contains(i.Name, "running_var") {
				v[k] = max(v[k], 0.01)
			}
		}
		values[i.Name] = v
	}
	if child, err = onnx.WithInitializers(parent, values, nil); err != nil {
		t.Fatal(err)
	}
	data, err := child.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if child, err = onnx.Read(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	return child, abn.ExtractorInitializers
}

// answers runs a network on ONNX Runtime on noise.
func answers(t *testing.T, m *onnx.Model) [][]float32 {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(data, []string{"img"}, []string{"att", "per", "map"}, ort.Options{IntraOpThreads: 1, NoSpinning: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(2, 2))
	pixels := make([]float32, 3*3*32*32)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	in, err := ort.Float32s(pixels, 3, 3, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out := make([]*ort.Tensor, 3)
	if err := s.Run(context.Background(), []*ort.Tensor{in}, out); err != nil {
		t.Fatal(err)
	}
	values := make([][]float32, 3)
	for i, o := range out {
		values[i] = slices.Clone(o.Float32())
		o.Close()
	}
	return values
}

// loaded is the module with a state_dict, as PyTorch would run it: its export with every tensor by its own name. All of them must be
// there, as strict=True asks.
func loaded(t *testing.T, file string, d statedict.Dict) *onnx.Model {
	t.Helper()
	m := exported(t, file)
	values := map[string][]float32{}
	for _, i := range m.Graph.Initializers {
		tensor := d.Get(i.Name)
		if i.Type != onnx.Float || tensor == nil && !strings.Contains(i.Name, ".") {
			continue
		}

		if tensor == nil || !slices.Equal(tensor.Dims, i.Dims) {
			t.Fatalf("%s: %v for %v", i.Name, tensor, i.Dims)
		}
		v, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		values[i.Name] = v
	}
	for _, tensor := range d {
		if _, ok := values[tensor.Name]; !ok && tensor.Type.IsFloat() {
			t.Fatalf("%s is none of the module's", tensor.Name)
		}
	}
	loaded, err := onnx.WithInitializers(m, values, nil)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// apart is the largest difference of two networks' answers, relative to their range.
func apart(a, b [][]float32) (far float64) {
	for i := range a {
		low, high, d := math.Inf(1), math.Inf(-1), 0.0
		for k, v := range a[i] {
			low, high, d = math.Min(low, float64(v)), math.Max(high, float64(v)), math.Max(d, math.Abs(float64(v-b[i][k])))
		}
		far = math.Max(far, d/(high-low))
	}
	return far
}

// TestWeightsComeHome brings trained networks home by every way there is, and runs the module with them.
func TestWeightsComeHome(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	// module: the export that is loaded into, whose tensors differ from each other.
	for name, module := range map[string]string{"plain": "plain", "bias": "bias", "copy": "plain", "epsilon": "epsilon", "slopes": "slopes", "bare": "bare", "response": "response"} {
		for _, how := range []string{"dynamo", "trace", "kept"} {
			if how == "kept" && (name == "epsilon" || name == "slopes" || name == "bare" || name == "response") {
				continue
			}
			t.Run(name+"-"+how, func(t *testing.T) {
				t.Parallel()
				parent := exported(t, name+"-"+how)
				child, frozen := trained(t, parent, 0.05)
				want := answers(t, child)
				if change := apart(answers(t, parent), want); change < 1e-3 {
					t.Fatalf("training changed nothing: %g", change)
				}
				reference := referenceOf(t, name)
				for what, o := range map[string]statedict.Options{
					"names":     {Frozen: frozen},
					"reference": {Reference: reference, Frozen: frozen, Copies: true},
					"parent":    {Reference: reference, Parent: parent, Copies: true},
				} {
					d, report, err := statedict.Export(t.Context(), child, o)
					if what == "names" && how != "kept" {
						if !errors.Is(err, statedict.ErrNeedsReference) {
							t.Errorf("a folded network without its reference: %v", err)
						}
						continue
					}
					if what == "reference" && how == "trace" { // nothing in the file says with which ε the branches were folded
						if !errors.Is(err, statedict.ErrUnknown) || !strings.Contains(err.Error(), "--parent") {
							t.Errorf("by %s: %v", what, err)
						}
						continue
					}
					if err != nil {
						t.Errorf("by %s: %v", what, err)
						continue
					}
					if folded := how != "kept"; what != "names" && ((report.Folded > 0) != folded || (len(report.Epsilon) > 0) != folded || !slices.IsSorted(report.Epsilon)) {
						t.Errorf("%+v", report)
					}
					if far := apart(want, answers(t, loaded(t, module+"-kept", d))); far > 1e-5 {
						t.Errorf("by %s: answers differ by %.2g of their range", what, far)
					}
					if what != "names" && len(d) != len(reference) {
						t.Errorf("%d tensors of %d", len(d), len(reference))
					}
				}
			})
		}
	}
}

// TestUntrainedIsTheReference asks for bytes: what training left alone is the reference's own.
func TestUntrainedIsTheReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "bias", "copy", "epsilon", "shared", "bare"} {
		for _, how := range []string{"dynamo", "trace"} {
			reference, m := referenceOf(t, name), exported(t, name+"-"+how)
			d, report, err := statedict.Export(t.Context(), m, statedict.Options{Reference: reference, Parent: m})
			if err != nil {
				t.Errorf("%s-%s: %v", name, how, err)
				continue
			}
			for i, tensor := range d {
				if tensor.Name != reference[i].Name || !bytes.Equal(tensor.Raw, reference[i].Raw) {
					t.Errorf("%s-%s: %s is not the reference's", name, how, tensor.Name)
				}
			}
			if len(report.Trained) > 0 || len(report.Kept) > 0 {
				t.Errorf("%+v", report)
			}
		}
	}
}

// TestAnotherNetworkIsNotHandedOut tries what would load and be another network.
func TestAnotherNetworkIsNotHandedOut(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"dynamo", "trace"} {
		parent := exported(t, "plain-"+how)
		child, frozen := trained(t, parent, 0.05)
		other, _ := trained(t, parent, 0.05)
		refuse := func(what string, child *onnx.Model, o statedict.Options, words string) {
			t.Helper()
			if _, _, err := statedict.Export(t.Context(), child, o); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s, %s: %v", how, what, err)
			}
		}
		refuse("no reference", child, statedict.Options{Frozen: frozen}, "needs the state_dict")
		refuse("the reference of another", child, statedict.Options{Reference: referenceOf(t, "epsilon"), Frozen: frozen}, "--parent")
		refuse("the reference of another, with the parent", child, statedict.Options{Reference: referenceOf(t, "epsilon"), Parent: parent}, "")
		refuse("a parent that is none", child, statedict.Options{Reference: referenceOf(t, "plain"), Parent: exported(t, "bias-kept")}, "not the file that was fine-tuned")
		refuse("a trained parent", child, statedict.Options{Reference: referenceOf(t, "plain"), Parent: other}, "")
		part := slices.DeleteFunc(referenceOf(t, "plain"), func(t *onnx.Tensor) bool { return strings.HasPrefix(t.Name, "layer4.bn1") })
		refuse("a reference without a BatchNorm", child, statedict.Options{Reference: part, Frozen: frozen}, "")
		refuse("a reference without a BatchNorm, with the parent", child, statedict.Options{Reference: part, Parent: parent}, "")
		part = slices.DeleteFunc(referenceOf(t, "plain"), func(t *onnx.Tensor) bool { return t.Name == "layer4.conv1.weight" })
		refuse("a reference without a weight", child, statedict.Options{Reference: part, Frozen: frozen}, "")
		for _, tensor := range part {
			if tensor.Name == "fc.weight" { // as weight_norm keeps it
				tensor.Name, tensor.Dims = "fc.parametrizations.weight.original1", []int64{tensor.Dims[1], tensor.Dims[0]}
			}
		}
		part = append(part, referenceOf(t, "plain").Get("layer4.conv1.weight"))
		refuse("a weight of several tensors", child, statedict.Options{Reference: part, Parent: parent}, "remove_parametrizations")
		shared := exported(t, "shared-"+how)
		child, frozen = trained(t, shared, 0.05)
		refuse("a stage that both branches share", child, statedict.Options{Reference: referenceOf(t, "shared"), Frozen: frozen}, map[string]string{"dynamo": "trained apart", "trace": "--parent"}[how])
		refuse("a stage that both branches share, with the parent", child, statedict.Options{Reference: referenceOf(t, "shared"), Parent: shared}, "trained apart")
	}
}

// TestParametrizedWeightsAreRefused: a weight that is computed of several tensors is not written into one of them, though that may hold
// the same values before the training, as original1 of weight_norm does.
func TestParametrizedWeightsAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"normed", "standardised"} {
		parent := exported(t, name+"-dynamo")
		child, frozen := trained(t, parent, 0.05)
		for what, o := range map[string]statedict.Options{
			"a reference": {Reference: referenceOf(t, name), Frozen: frozen}, "a reference and the parent": {Reference: referenceOf(t, name), Parent: parent},
		} {
			if _, _, err := statedict.Export(t.Context(), child, o); !errors.Is(err, statedict.ErrUnknown) || !strings.Contains(err.Error(), "remove_parametrizations") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// TestStandardisedWeightsComeHome: with optimize=False, as the refusal says, the arithmetic is in the file, and its weight comes home.
func TestStandardisedWeightsComeHome(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	parent := exported(t, "standardised-plain")
	child, frozen := trained(t, parent, 0.05)
	want := answers(t, child)
	if change := apart(answers(t, parent), want); change < 1e-3 {
		t.Fatalf("training changed nothing: %g", change)
	}
	for what, o := range map[string]statedict.Options{
		"reference": {Reference: referenceOf(t, "standardised"), Frozen: frozen}, "parent": {Reference: referenceOf(t, "standardised"), Parent: parent},
	} {
		d, _, err := statedict.Export(t.Context(), child, o)
		if err != nil {
			t.Errorf("by %s: %v", what, err)
			continue
		}
		if far := apart(want, answers(t, loaded(t, "standardised-plain", d))); far > 1e-5 {
			t.Errorf("by %s: answers differ by %.2g of their range", what, far)
		}
	}
}

// TestOtherValuesAreTold: a reference by the same names and of other values is refused as that, with what the file shows of the cause.
func TestOtherValuesAreTold(t *testing.T) {
	t.Parallel()
	training := exported(t, "plain-kept")
	for _, n := range training.Graph.Nodes {
		if n.IsOp("BatchNormalization") {
			n.SetAttr(onnx.IntAttr("training_mode", 1))
		}
	}
	stored := exported(t, "plain-dynamo")
	for _, tensor := range slices.Clone(stored.Graph.Initializers) {
		if values, err := tensor.Float32s(); err == nil && len(values) > 1 && strings.Contains(tensor.Name, ".") {
			for _, n := range stored.Graph.Nodes {
				for i, in := range n.Inputs {
					if in == tensor.Name {
						n.Inputs[i] = tensor.Name + "/float32"
					}
				}
			}
			tensor.Type, tensor.Raw = onnx.BFloat16, nil
			for _, v := range values {
				bits := math.Float32bits(v)
				tensor.Raw = append(tensor.Raw, byte(bits>>16), byte(bits>>24))
			}
			stored.Graph.Nodes = slices.Insert(stored.Graph.Nodes, 0, onnx.NewNode("Cast", "", []string{tensor.Name}, []string{tensor.Name + "/float32"}, onnx.IntAttr("to", int64(onnx.Float))))
		}
	}
	for words, parent := range map[string]*onnx.Model{"training mode": training, "float16": stored} {
		child, frozen := trained(t, parent, 0.05)
		other := referenceOf(t, "plain")
		for _, tensor := range other {
			if values, err := tensor.Float32s(); err == nil && tensor.Type == onnx.Float {
				for i := range values {
					values[i] *= 1 + float32(i%3)/256
				}
				tensor.SetFloat32s(values)
			}
		}
		for what, o := range map[string]statedict.Options{"the reference": {Reference: other, Frozen: frozen}, "the parent": {Reference: other, Parent: parent}} {
			_, _, err := statedict.Export(t.Context(), child, o)
			if !errors.Is(err, statedict.ErrUnknown) || !strings.Contains(err.Error(), "from another state_dict") || !strings.Contains(err.Error(), words) {
				t.Errorf("%s, by %s: %v", words, what, err)
			}
		}
	}
}

// TestDerivedConstantsAreRefused: a cosine classifier, as the older exporter writes it. The norm of its weight is a constant of the file,
// and PyTorch's module takes that of the trained weight.
func TestDerivedConstantsAreRefused(t *testing.T) {
	t.Parallel()
	parent := exported(t, "plain-trace")
	classifier := parent.Graph.Index().Consumers["fc.weight"][0]
	classes := parent.Graph.Initializer("fc.weight").Dims[0]
	norm := make([]float32, classes)
	for i := range norm {
		norm[i] = 2
	}
	parent.Graph.Initializers = append(parent.Graph.Initializers, onnx.NewFloat32("onnx::Clip_116", []int64{classes, 1}, norm))
	at := slices.Index(parent.Graph.Nodes, classifier)
	parent.Graph.Nodes = slices.Insert(parent.Graph.Nodes, at, &onnx.Node{Name: "/Div", Op: "Div", Inputs: []string{"fc.weight", "onnx::Clip_116"}, Outputs: []string{"/Div_output_0"}})
	for i, in := range classifier.Inputs {
		if in == "fc.weight" {
			classifier.Inputs[i] = "/Div_output_0"
		}
	}
	if way := statedict.WayHome(parent, nil); len(way.Lost) != 1 || !strings.Contains(way.Warning(), "onnx::Clip_116") {
		t.Errorf("before the training: %+v", way)
	}
	child, frozen := trained(t, parent, 0.05)
	for what, o := range map[string]statedict.Options{
		"a reference": {Reference: referenceOf(t, "plain"), Frozen: frozen}, "a reference and the parent": {Reference: referenceOf(t, "plain"), Parent: parent},
	} {
		if _, _, err := statedict.Export(t.Context(), child, o); !errors.Is(err, statedict.ErrUnknown) || !strings.Contains(err.Error(), "onnx::Clip_116") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNamesInAnotherModule: a state_dict may have been saved of a module around the one that was exported.
func TestNamesInAnotherModule(t *testing.T) {
	t.Parallel()
	parent := exported(t, "plain-dynamo")
	child, frozen := trained(t, parent, 0.05)
	within := referenceOf(t, "plain")
	for _, tensor := range within {
		tensor.Name = "module." + tensor.Name
	}
	d, _, err := statedict.Export(t.Context(), child, statedict.Options{Reference: within, Frozen: frozen})
	if err != nil || d.Get("module.layer4.bn1.bias") == nil {
		t.Fatal(err)
	}
	plain, _, err := statedict.Export(t.Context(), child, statedict.Options{Reference: referenceOf(t, "plain"), Frozen: frozen})
	if err != nil {
		t.Fatal(err)
	}
	for i := range d {
		if !bytes.Equal(d[i].Raw, plain[i].Raw) {
			t.Errorf("%s differs", d[i].Name)
		}
	}
}

// TestOneModuleUnderTwoNames: where the stage of both branches was trained as one, both of its names get it.
func TestOneModuleUnderTwoNames(t *testing.T) {
	t.Parallel()
	parent := exported(t, "shared-dynamo")
	before := parent.Graph.Initializer("att_layer4.conv1.weight")
	if before == nil {
		before = parent.Graph.Initializer("layer4.conv1.weight")
	}
	values, err := before.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range values {
		values[i] *= 1.01
	}
	child, err := onnx.WithInitializers(parent, map[string][]float32{before.Name: values}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, report, err := statedict.Export(t.Context(), child, statedict.Options{Reference: referenceOf(t, "shared"), Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	one, two := d.Get("layer4.conv1.weight"), d.Get("att_layer4.conv1.weight")
	if !bytes.Equal(one.Raw, two.Raw) || len(report.Trained) != 2 {
		t.Errorf("%+v", report)
	}
}

// TestTwoEpsilons: the extractor's BatchNorms have another ε than those of the branches, as in torchvision's googlenet and
// mobilenet_v3.
func TestTwoEpsilons(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"dynamo", "trace"} {
		parent, reference := exported(t, "plain-"+how), referenceOf(t, "plain")
		_, frozen := trained(t, parent, 0.05)
		before, _, err := statedict.Export(t.Context(), parent, statedict.Options{Reference: reference, Parent: parent})
		if err != nil || len(before) == 0 {
			t.Fatal(err)
		}
		values, folded := map[string][]float32{}, 0
		for _, n := range parent.Graph.Nodes {
			if !n.IsOp("Conv") || !slices.Contains(frozen, n.Input(1)) || n.Input(2) == "" {
				continue
			}
			w, err := parent.Graph.Initializer(n.Input(1)).Float32s()
			if err != nil {
				t.Fatal(err)
			}
			b, err := parent.Graph.Initializer(n.Input(2)).Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for _, variance := range reference { // the BatchNorm whose bias and mean give b
				module, ok := strings.CutSuffix(variance.Name, ".running_var")
				if !ok || variance.Dims[0] != int64(len(b)) {
					continue
				}
				var parts [4][]float32
				for i, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
					if parts[i], err = reference.Get(module + part).Float32s(); err != nil {
						t.Fatal(err)
					}
				}
				factor := func(c int, epsilon float64) float64 {
					return float64(parts[0][c]) / math.Sqrt(float64(parts[3][c])+epsilon)
				}
				if at := func(c int) float64 { return float64(parts[1][c]) - float64(parts[2][c])*factor(c, 1e-5) }; math.Abs(at(0)-float64(b[0])) > 1e-5 || math.Abs(at(1)-float64(b[1])) > 1e-5 {
					continue
				}
				for c := range b {
					b[c] = float32(float64(parts[1][c]) - float64(parts[2][c])*factor(c, 1e-3))
					for i := c * len(w) / len(b); i < (c+1)*len(w)/len(b); i++ {
						w[i] = float32(float64(w[i]) * factor(c, 1e-3) / factor(c, 1e-5))
					}
				}
				folded++
				break
			}
			values[n.Input(1)], values[n.Input(2)] = w, b
		}
		if folded == 0 {
			t.Fatal("no layer of the extractor was folded")
		}
		mixed, err := onnx.WithInitializers(parent, values, nil)
		if err != nil {
			t.Fatal(err)
		}
		child, frozen := trained(t, mixed, 0.05)
		want, _, err := statedict.Export(t.Context(), child, statedict.Options{Reference: reference, Parent: mixed})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := statedict.Export(t.Context(), child, statedict.Options{Reference: reference, Frozen: frozen})
		if how == "trace" {
			if err == nil || !strings.Contains(err.Error(), "--parent") {
				t.Errorf("%s: %v", how, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !bytes.Equal(got[i].Raw, want[i].Raw) {
				t.Errorf("%s: %s is another than with the parent", how, want[i].Name)
			}
		}
	}
}

// TestNumbersComeHome: a learned scale is one number. By its name it goes home; numbers that the exporter made do not.
func TestNumbersComeHome(t *testing.T) {
	t.Parallel()
	note := func(n *onnx.Node, text string) *onnx.Node {
		const key = "pkg.torch.onnx.fx_node"
		entry := append([]byte{0x0a, byte(len(key))}, key...)
		entry = append(append(entry, 0x12, byte(len(text))), text...)
		n.Unknown = append([]byte{0x4a, byte(len(entry))}, entry...)
		return n
	}
	made := func(alpha float32, noted bool) *onnx.Model {
		mul, add := onnx.NewNode("Mul", "node_mul", []string{"x", "head.alpha"}, []string{"a"}), onnx.NewNode("Add", "node_add", []string{"a", "scalar_tensor_default"}, []string{"b"})
		if noted {
			note(mul, "mul(args = (%x, %p_head_alpha))")
			note(add, "add(args = (%mul, 1))")
		} else { // the older exporter's constants are nodes
			add.Inputs[1] = "/Constant_output_0"
		}
		return &onnx.Model{Graph: &onnx.Graph{Nodes: []*onnx.Node{mul, add}, Initializers: []*onnx.Tensor{
			onnx.NewFloat32("head.alpha", nil, []float32{alpha}), onnx.NewFloat32(add.Inputs[1], nil, []float32{1}),
		}}}
	}
	reference := statedict.Dict{onnx.NewFloat32("head.alpha", []int64{1}, []float32{0.5})}
	for _, noted := range []bool{true, false} {
		child := made(0.75, noted)
		for what, o := range map[string]statedict.Options{"names": {}, "reference": {Reference: reference}, "parent": {Reference: reference, Parent: made(0.5, noted)}} {
			d, report, err := statedict.Export(t.Context(), child, o)
			if err != nil {
				t.Errorf("by %s, %v: %v", what, noted, err)
				continue
			}
			if v, err := d[0].Float32s(); err != nil || len(d) != 1 || d[0].Name != "head.alpha" || v[0] != 0.75 || len(report.Kept) > 0 {
				t.Errorf("by %s, %v: %v, %+v, %v", what, noted, d, report, err)
			}
		}
	}
}

// TestGroupNormsComeHomeByName: torch.export writes their parameters as (C,1,1), and a state_dict with that shape is not loaded.
func TestGroupNormsComeHomeByName(t *testing.T) {
	t.Parallel()
	const key, text = "pkg.torch.onnx.fx_node", "%group_norm = call_function[target=torch.ops.aten.group_norm.default]"
	entry := append([]byte{0x0a, byte(len(key))}, key...)
	entry = append(append(entry, 0x12, byte(len(text))), text...)
	for note, dims := range map[string][]int64{string(append([]byte{0x4a, byte(len(entry))}, entry...)): {2}, "": {2, 1, 1}} {
		mul := onnx.NewNode("Mul", "node_mul", []string{"x", "pn.weight"}, []string{"y"})
		mul.Unknown = []byte(note)
		d, _, err := statedict.Export(t.Context(), &onnx.Model{Graph: &onnx.Graph{Nodes: []*onnx.Node{mul}, Initializers: []*onnx.Tensor{onnx.NewFloat32("pn.weight", []int64{2, 1, 1}, []float32{1, 2})}}}, statedict.Options{})
		if err != nil || !slices.Equal(d[0].Dims, dims) {
			t.Errorf("%v, want %v; %v", d, dims, err)
		}
	}
}

// TestSlopesComeHome: exporters give a PReLU's slope axes of one, and one constant to several of them.
func TestSlopesComeHome(t *testing.T) {
	t.Parallel()
	slope := func(name string, dims []int64, v ...float32) *onnx.Tensor { return onnx.NewFloat32(name, dims, v) }
	made := func(one, two *onnx.Tensor) *onnx.Model {
		g := &onnx.Graph{Initializers: []*onnx.Tensor{one}, Nodes: []*onnx.Node{
			onnx.NewNode("PRelu", "/act1/PRelu", []string{"x", one.Name}, []string{"a"}), onnx.NewNode("PRelu", "/act2/PRelu", []string{"a", two.Name}, []string{"b"}),
		}}
		if two != one {
			g.Initializers = append(g.Initializers, two)
		}
		return &onnx.Model{Graph: g}
	}
	single, three := []int64{1, 1, 1}, []int64{3, 1, 1}
	shared := slope("val_1", single, 0.25)
	for what, c := range map[string]struct {
		parent, child *onnx.Model
		reference     statedict.Dict
	}{
		"single": {made(slope("val_1", single, 0.1), slope("val_2", single, 0.2)), made(slope("val_1", single, 0.3), slope("val_2", single, 0.4)),
			statedict.Dict{slope("act1.weight", []int64{1}, 0.1), slope("act2.weight", []int64{1}, 0.2)}},
		"shared": {made(shared, shared), made(slope("val_1/a/1", single, 0.3), slope("val_1/b/1", single, 0.4)),
			statedict.Dict{slope("act1.weight", []int64{1}, 0.25), slope("act2.weight", []int64{1}, 0.25)}},
		"by channel": {made(slope("val_1", three, 1, 2, 3), slope("val_2", three, 4, 5, 6)), made(slope("val_1", three, 0.3, 2, 3), slope("val_2", three, 0.4, 5, 6)),
			statedict.Dict{slope("act1.weight", []int64{3}, 1, 2, 3), slope("act2.weight", []int64{3}, 4, 5, 6)}},
	} {
		for how, parent := range map[string]*onnx.Model{"with": c.parent, "without": nil} {
			d, _, err := statedict.Export(t.Context(), c.child, statedict.Options{Reference: c.reference, Parent: parent})
			if err != nil {
				t.Errorf("%s, %s the parent: %v", what, how, err)
				continue
			}
			for i, want := range []float32{0.3, 0.4} {
				if got, err := d[i].Float32s(); err != nil || got[0] != want || !slices.Equal(d[i].Dims, c.reference[i].Dims) {
					t.Errorf("%s, %s the parent: %s is %v of %v, want %v; %v", what, how, d[i].Name, got, d[i].Dims, want, err)
				}
			}
		}
	}
}
