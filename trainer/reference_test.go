package trainer

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/onnx"
)

// Bounds of the fixtures' README.
const (
	lossBound  = 1e-4 // relative
	logitBound = 1e-3 // absolute, after the last step
)

// TestReferenceRuns repeats every run of the PyTorch fixtures: losses before each step, and a forward
// pass after the last.
func TestReferenceRuns(t *testing.T) {
	t.Parallel()
	dir := fixture.Reference(t)
	for _, name := range fixture.ReferenceModels(t) {
		data := openArchive(t, filepath.Join(dir, name+".npz"))
		runs := 0
		for _, key := range data.Keys() {
			run, ok := strings.CutSuffix(key, "_loss.npy")
			if !ok {
				continue
			}
			runs++
			t.Run(name+"/"+run, func(t *testing.T) {
				t.Parallel()
				checkRun(t, dir, name, run)
			})
		}
		if runs == 0 {
			t.Errorf("%s.npz holds no run", name)
		}
	}
}

func checkRun(t *testing.T, dir, name, run string) {
	strategy, norm, _ := strings.Cut(run, "_")
	file, batchNorm := name+".onnx", BatchNorm(norm)
	if norm == "fused" {
		file, batchNorm = name+"-fused.onnx", BatchNormFrozen
	}
	parent := readModel(t, filepath.Join(dir, file))
	e := openEngine(t, parent, Settings{
		Strategy: Strategy(strategy), BatchNorm: batchNorm, Gamma: 0.05, MapLoss: MapLossL2,
	})
	data := openArchive(t, filepath.Join(dir, name+".npz"))
	b := archiveBatches(t, data)
	want := floats(t, data, run+"_loss")
	steps := len(want) / 4
	for step := range steps {
		r, err := e.Step(context.Background(), b.batch(step), Update{LearningRate: 0.01, Momentum: 0.9, WeightDecay: 1e-4})
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range []float64{r.LossAtt, r.LossPer, r.LossMap, r.Total()} {
			if w := float64(want[4*step+i]); math.Abs(got-w) > lossBound*math.Abs(w) {
				t.Errorf("step %d, loss %d: %g, PyTorch has %g", step, i, got, w)
			}
		}
	}
	out, err := e.Forward(context.Background(), b.n, b.features)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "logits_att", out.LogitsAtt, floats(t, data, run+"_logits_att"), logitBound)
	closeTo(t, "logits_per", out.LogitsPer, floats(t, data, run+"_logits_per"), logitBound)
	closeTo(t, "attention", out.Maps, floats(t, data, run+"_attention"), logitBound)
	checkExport(t, e, parent, b, out)
	if weights := filepath.Join(dir, name+"-weights-"+strings.ReplaceAll(run, "_", "-")+".npz"); run == "both_batch" {
		checkWeights(t, e, weights)
	}
}

// checkWeights compares every trained tensor and running statistic with PyTorch's, and makes sure
// that those not trained are the file's.
func checkWeights(t *testing.T, e *ortEngine, path string) {
	t.Helper()
	data := openArchive(t, path)
	own := map[string][]float32{}
	for _, p := range e.Parameters() {
		own[p.Name] = p.Value
	}
	for _, key := range data.Keys() {
		name := strings.TrimSuffix(key, ".npy")
		value, trained := own[name]
		if !trained {
			if !strings.HasPrefix(name, "extractor.") {
				t.Errorf("%s is not trained", name)
			}
			continue
		}
		delete(own, name)
		closeTo(t, name, value, floats(t, data, name), 1e-3)
	}
	for name := range own {
		t.Errorf("%s is trained, and PyTorch has no such tensor", name)
	}
}

// checkExport writes the trained file and compares it with its parent and, on ONNX Runtime, with Forward.
func checkExport(t *testing.T, e *ortEngine, parent *onnx.Model, b archiveData, want Outputs) {
	t.Helper()
	trained, err := Export(parent, e.Parameters(), []onnx.Metadata{{Key: "abn.round", Value: "7"}})
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]bool{}
	for _, p := range e.Parameters() {
		changed[p.Name] = true
	}
	for i, old := range parent.Graph.Initializers {
		now := trained.Graph.Initializers[i]
		if now.Name != old.Name || string(now.Raw) != string(old.Raw) && !changed[old.Name] {
			t.Errorf("initializer %s changed without being trained", old.Name)
		}
		if strings.HasPrefix(old.Name, "extractor.") && changed[old.Name] {
			t.Errorf("%s of the extractor is trained", old.Name)
		}
	}
	bytes, err := trained.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out := runWhole(t, bytes, b)
	closeTo(t, "exported logits_att", out.LogitsAtt, want.LogitsAtt, 1e-4)
	closeTo(t, "exported logits_per", out.LogitsPer, want.LogitsPer, 1e-4)
	closeTo(t, "exported attention", out.Maps, want.Maps, 1e-4)
}

func closeTo(t *testing.T, name string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d values, want %d", name, len(got), len(want))
		return
	}
	worst := 0.0
	for i := range got {
		if off := math.Abs(float64(got[i]) - float64(want[i])); !(off <= worst) {
			worst = off
		}
	}
	if !(worst <= bound) {
		t.Errorf("%s is off by %g, want at most %g", name, worst, bound)
	}
}

// archiveData is what a fixture trains on.
type archiveData struct {
	n, size                          int
	image, features, edited, hasEdit []float32
	label                            []int64
}

func archiveBatches(t *testing.T, data *npz.Reader) archiveData {
	t.Helper()
	a := archiveData{
		image: floats(t, data, "image"), features: floats(t, data, "features"),
		edited: floats(t, data, "edited"), hasEdit: floats(t, data, "has_edit"),
	}
	if err := data.Read("label.npy", &a.label); err != nil {
		t.Fatal(err)
	}
	a.n = len(a.label)
	a.size = a.n / 3
	return a
}

// batch is rows (k·b mod n) … +b.
func (a archiveData) batch(k int) Batch {
	start := k * a.size % a.n
	rows := func(all []float32) []float32 {
		width := len(all) / a.n
		return all[start*width : (start+a.size)*width]
	}
	return Batch{Size: a.size, Inputs: rows(a.features), Labels: a.label[start : start+a.size], Edited: rows(a.edited), HasEdit: rows(a.hasEdit)}
}

func openArchive(t *testing.T, path string) *npz.Reader {
	t.Helper()
	r, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// floats reads an array of float32, or of anything that converts to it.
func floats(t *testing.T, data *npz.Reader, key string) []float32 {
	t.Helper()
	key += ".npy"
	var values []float32
	if err := data.Read(key, &values); err == nil {
		return values
	}
	var wide []float64
	if err := data.Read(key, &wide); err == nil {
		for _, v := range wide {
			values = append(values, float32(v))
		}
		return values
	}
	var whole []int64
	if err := data.Read(key, &whole); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", key, err))
	}
	for _, v := range whole {
		values = append(values, float32(v))
	}
	return values
}

func readModel(t *testing.T, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
