package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// torchHome is the folder of networks that PyTorch exported, with the script that made them.
func torchHome() string { return filepath.Join(fixture.Root(), "onnx", "statedict", "testdata") }

// unpack writes one of the networks of torchHome, with a manifest beside it.
func unpack(t *testing.T, packed, to string) {
	t.Helper()
	file, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifestPath(to), []byte(`{"resize": null, "crop": [32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "classes": ["class0", "class1", "class2"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commandOf runs a command line and returns what it printed.
func commandOf(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	var text, complaints bytes.Buffer
	code := run(context.Background(), args, &stdio{Out: &text, Err: &complaints})
	if code != exitOK {
		return complaints.String(), false
	}
	return text.String(), true
}

func TestModelExportByCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	network, reference := filepath.Join(dir, "abn.onnx"), filepath.Join(torchHome(), "plain.safetensors")
	unpack(t, filepath.Join(torchHome(), "plain-dynamo.onnx.gz"), network)
	out := filepath.Join(dir, "home.safetensors")
	for what, test := range map[string]struct {
		args []string
		want string
	}{
		"no reference":      {[]string{network, "--out", out}, "--reference"},
		"suffix":            {[]string{network, "--out", filepath.Join(dir, "home.pth"), "--reference", reference}, ".safetensors or .npz"},
		"over the network":  {[]string{network, "--out", reference, "--reference", reference}, "one file"},
		"what is no dict":   {[]string{network, "--out", out, "--reference", manifestPath(network)}, "want .safetensors or .npz"},
		"over the manifest": {[]string{network, "--out", manifestPath(network), "--reference", reference}, ".safetensors or .npz"},
	} {
		if text, ok := commandOf(t, append([]string{"model", "export", "--state-dict"}, test.args...)...); ok || !strings.Contains(text, test.want) {
			t.Errorf("%s: %s", what, text)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s: something was written", what)
		}
	}
	for _, out := range []string{out, filepath.Join(dir, "home.npz")} {
		text, ok := commandOf(t, "model", "export", "--state-dict", network, "--reference", reference, "--out", out, "--json")
		if !ok {
			t.Fatal(text)
		}
		if got := decodeJSON[exported](t, text); got.Out != out || got.Tensors == 0 || len(got.Trained) > 0 {
			t.Errorf("%+v", got)
		}
		want, err := statedict.ReadFile(reference)
		if err != nil {
			t.Fatal(err)
		}
		got, err := statedict.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range want {
			if home := got.Get(tensor.Name); home == nil || !bytes.Equal(home.Raw, tensor.Raw) {
				t.Errorf("%s is not the reference's", tensor.Name)
			}
		}
	}
}

func TestModelExportAsONNX(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	network := filepath.Join(dir, "abn.onnx")
	unpack(t, filepath.Join(torchHome(), "plain-dynamo.onnx.gz"), network)
	model, err := onnx.ReadFile(t.Context(), network)
	if err != nil {
		t.Fatal(err)
	}
	model.Graph.DocString = "exported by /home/ada/work/export.py"
	if err := model.WriteFile(network); err != nil {
		t.Fatal(err)
	}
	if text, _ := commandOf(t, "model", "inspect", network); !strings.Contains(text, "/home/ada/work/export.py") {
		t.Errorf("nothing is said of where it was made:\n%s", text)
	}
	away := filepath.Join(dir, "away")
	one, two := filepath.Join(away, "one.onnx"), filepath.Join(away, "two.onnx")
	for _, args := range [][]string{{network, "--out", one, "--json"}, {one, "--out", two, "--external-data", "--json"}} {
		text, ok := commandOf(t, append([]string{"model", "export"}, args...)...)
		if !ok {
			t.Fatal(text)
		}
		if done := decodeJSON[packed](t, text); !done.Manifest || (done.DataBytes > 0) != slices.Contains(args, "--external-data") || (len(done.LeftOut) > 0) != (args[0] == network) {
			t.Errorf("%v: %+v", args, done)
		}
	}
	for _, path := range []string{one, two} {
		got, err := onnx.ReadFile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Graph.Initializers) != len(model.Graph.Initializers) || got.Graph.DocString != "exported by export.py" {
			t.Errorf("%s: %d initializers, %q", path, len(got.Graph.Initializers), got.Graph.DocString)
		}
		for i, tensor := range got.Graph.Initializers {
			if !bytes.Equal(tensor.Raw, model.Graph.Initializers[i].Raw) {
				t.Errorf("%s: %s is another", path, tensor.Name)
			}
		}
		if text, ok := commandOf(t, "model", "inspect", path); !ok || strings.Contains(text, "/home/") || strings.Contains(text, "warning") {
			t.Errorf("%s is told as\n%s", path, text)
		}
	}
	for what, test := range map[string]struct {
		args []string
		want string
	}{
		"a state_dict that is not asked for": {[]string{network, "--out", filepath.Join(dir, "home.npz")}, "--state-dict"},
		"suffix":                             {[]string{network, "--out", filepath.Join(dir, "home.pt")}, ".onnx"},
		"over itself":                        {[]string{network, "--out", network}, "one file"},
		"over the data it is read from":      {[]string{two, "--out", two, "--external-data"}, "one file"},
		"both":                               {[]string{network, "--out", one, "--external-data", "--state-dict"}, "--state-dict"},
		"a reference for nothing":            {[]string{network, "--out", one, "--reference", network}, "--state-dict"},
	} {
		if text, ok := commandOf(t, append([]string{"model", "export"}, test.args...)...); ok || !strings.Contains(text, test.want) {
			t.Errorf("%s: %s", what, text)
		}
	}
}

// TestWeightsComeHomeToPyTorch exports networks with the installed PyTorch, fine-tunes them, and loads the exported state_dict into
// PyTorch with strict=True.
func TestWeightsComeHomeToPyTorch(t *testing.T) {
	t.Parallel()
	python := os.Getenv("STUDIO_PYTHON")
	if python == "" {
		t.Skip("set STUDIO_PYTHON to a Python that has torch, onnx, onnxscript and safetensors to run this test with PyTorch itself")
	}
	dir := t.TempDir()
	torch := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), python, append([]string{filepath.Join(torchHome(), "torch_home.py")}, args...)...)
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	torch("make", dir)
	images, _ := writePatches(t)
	maps := filepath.Join(dir, "maps")
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 8 {
		m := attention.New(4, 4)
		for k := range m.Values {
			m.Values[k] = rng.Float32()
		}
		writeNPY(t, filepath.Join(maps, fmt.Sprintf("train%d-%d.npy", i%3, i)), m)
	}
	for _, name := range []string{"plain", "bias", "copy", "epsilon", "slopes", "bare", "response", "standardised", "fresh"} {
		exports := []string{"dynamo", "trace", "kept"}
		if name == "standardised" { // others keep nothing of what the weight is computed of
			exports = []string{"plain"}
		}
		for _, how := range exports {
			for _, strategy := range []string{"both", "attention"} {
				what := name + "-" + how + "-" + strategy
				parent, better := filepath.Join(dir, name+"-"+how+".onnx"), filepath.Join(dir, what+".onnx")
				unpack(t, parent+".gz", parent)
				if text, ok := commandOf(t, "finetune", "--model", parent, "--images", images, "--maps", maps, "--out", better, "--strategy", strategy,
					"--epochs", "1", "--lr", "0.02", "--cache", filepath.Join(dir, "cache"), "--threads", "1"); !ok {
					t.Fatalf("%s: %s", what, text)
				}
				reference := filepath.Join(dir, name+".safetensors")
				for _, options := range [][]string{{"--reference", reference}, {"--reference", reference, "--parent", parent}} {
					home, scores := filepath.Join(dir, what+".safetensors"), filepath.Join(dir, what+".npz")
					text, ok := commandOf(t, append([]string{"model", "export", "--state-dict", better, "--out", home, "--copies"}, options...)...)
					if needsParent := how == "trace" && len(options) == 2; needsParent { // the older exporter does not say which ε was folded
						if ok || !strings.Contains(text, "--parent") {
							t.Errorf("%s without the parent: %s", what, text)
						}
						continue
					}
					if !ok {
						t.Errorf("%s: %s", what, text)
						continue
					}
					torch("answers", name, home, scores)
					text, _ = commandOf(t, "model", "compare", "--model", better, "--reference", scores, "--threads", "1", "--json")
					for _, o := range decodeJSON[comparison](t, text).Outputs {
						if !o.Finite || o.Difference > 1e-5*o.Range+1e-7 {
							t.Errorf("%s %v: %s differs by %g, of a range of %g", what, options, o.Name, o.Difference, o.Range)
						}
					}
				}
			}
		}
	}
}
