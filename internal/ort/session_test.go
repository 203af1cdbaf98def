package ort_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sbinet/npyio/npz"
	"go.uber.org/goleak"

	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var outputs = []string{"logits_att", "logits_per", "attention"}

// reference is a network and the inputs it has fixtures for.
type reference struct {
	model []byte
	image []float32
	dims  []int64
	want  map[string][]float32
}

func load(t testing.TB, name string) reference {
	t.Helper()
	path := filepath.Join(fixture.Reference(t), name)
	model, err := os.ReadFile(path + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := npz.Open(path + ".npz")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	read := func(key string) (values []float32) {
		if err := archive.Read(key+".npy", &values); err != nil {
			t.Fatalf("reading %s: %v", key, err)
		}
		return values
	}
	r := reference{model: model, image: read("image"), want: map[string][]float32{}}
	for _, d := range archive.Header("image.npy").Descr.Shape {
		r.dims = append(r.dims, int64(d))
	}
	for _, name := range outputs {
		r.want[name] = read(name)
	}
	return r
}

func open(t testing.TB, model []byte, o ort.Options) *ort.Session {
	t.Helper()
	session, err := ort.Open(model, []string{"image"}, outputs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func tensor(t testing.TB, data []float32, dims ...int64) *ort.Tensor {
	t.Helper()
	out, err := ort.Float32s(data, dims...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

func TestRunAgreesWithReference(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := load(t, name)
			session := open(t, r.model, ort.Options{})
			// One output is given, to be written in place; the runtime makes the other two.
			mine := make([]float32, len(r.want["logits_per"]))
			out := []*ort.Tensor{nil, tensor(t, mine, r.dims[0], int64(len(mine))/r.dims[0]), nil}
			if err := session.Run(t.Context(), []*ort.Tensor{tensor(t, r.image, r.dims...)}, out); err != nil {
				t.Fatal(err)
			}
			for i, name := range outputs {
				got, want := out[i].Float32(), r.want[name]
				if len(got) != len(want) {
					t.Fatalf("%s has %d values, want %d", name, len(got), len(want))
				}
				for j := range want {
					if d := got[j] - want[j]; !(d < 1e-3 && d > -1e-3) {
						t.Fatalf("%s[%d] = %v, want %v", name, j, got[j], want[j])
					}
				}
				out[i].Close()
			}
			if d := mine[0] - r.want["logits_per"][0]; d > 1e-3 || d < -1e-3 {
				t.Error("the given output was not written in place")
			}
		})
	}
}

func TestTensorsShareMemory(t *testing.T) {
	t.Parallel()
	r := load(t, fixture.ReferenceModels(t)[0])
	session := open(t, r.model, ort.Options{IntraOpThreads: 1})
	n := int64(1)
	size := int64(len(r.image)) / r.dims[0]
	buffer := append([]float32(nil), r.image[:size]...)
	in := tensor(t, buffer, append([]int64{n}, r.dims[1:]...)...)
	first, second := make([]*ort.Tensor, 3), make([]*ort.Tensor, 3)
	if err := session.Run(t.Context(), []*ort.Tensor{in}, first); err != nil {
		t.Fatal(err)
	}
	copy(buffer, r.image[size:2*size]) // the second image, seen by the same tensor
	if err := session.Run(t.Context(), []*ort.Tensor{in}, second); err != nil {
		t.Fatal(err)
	}
	k := len(first[1].Float32())
	got, want := second[1].Float32()[0], r.want["logits_per"][k]
	if d := got - want; d > 1e-3 || d < -1e-3 {
		t.Errorf("after changing the slice the first logit is %v, want that of the second image, %v", got, want)
	}
	for i := range first {
		first[i].Close()
		second[i].Close()
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	r := load(t, fixture.ReferenceModels(t)[0])
	session := open(t, r.model, ort.Options{IntraOpThreads: 1})
	const repeat = 20
	image := make([]float32, 0, repeat*len(r.image))
	for range repeat {
		image = append(image, r.image...)
	}
	in := []*ort.Tensor{tensor(t, image, append([]int64{repeat * r.dims[0]}, r.dims[1:]...)...)}
	start := time.Now()
	if err := session.Run(t.Context(), in, make([]*ort.Tensor, 3)); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(start)

	reason := errors.New("the person closed the page")
	ctx, cancel := context.WithTimeoutCause(t.Context(), whole/10, reason)
	defer cancel()
	if err := session.Run(ctx, in, make([]*ort.Tensor, 3)); !errors.Is(err, reason) {
		t.Errorf("Run = %v, want the context's cause", err)
	}
	// The session is as good as before.
	if err := session.Run(t.Context(), in, make([]*ort.Tensor, 3)); err != nil {
		t.Errorf("the run after a stopped one: %v", err)
	}
}

func TestErrorsSayWhatWasDone(t *testing.T) {
	t.Parallel()
	r := load(t, fixture.ReferenceModels(t)[0])
	if _, err := ort.Open([]byte("no model at all"), []string{"x"}, []string{"y"}, ort.Options{Name: "the extractor"}); err == nil || !strings.Contains(err.Error(), "opening the extractor") {
		t.Errorf("opening rubbish: %v", err)
	}
	newer, err := onnx.Read(t.Context(), r.model)
	if err != nil {
		t.Fatal(err)
	}
	newer.Graph.Nodes[0].SetAttr(onnx.IntAttr("stash_type", 1)) // as of an operator that is newer than the file's opset
	data, err := newer.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ort.Open(data, []string{"image"}, outputs, ort.Options{Name: "the network"}); err == nil || !strings.Contains(err.Error(), newer.Graph.Nodes[0].Op+" has no attribute stash_type") ||
		!strings.Contains(err.Error(), "newer opset_version") {
		t.Errorf("an attribute that the operator has not yet: %v", err)
	}
	if _, err := ort.Float32s(make([]float32, 3), 2, 2); err == nil {
		t.Error("a 2×2 tensor over three values was accepted")
	}
	if _, err := ort.Float32s(make([]float32, 1)); err == nil {
		t.Error("a tensor of rank 0 was accepted")
	}
	session := open(t, r.model, ort.Options{Name: "the network"})
	wrong := tensor(t, make([]float32, 12), 1, 3, 2, 2)
	if err := session.Run(t.Context(), []*ort.Tensor{wrong}, make([]*ort.Tensor, 3)); err == nil || !strings.Contains(err.Error(), "running the network") {
		t.Errorf("running a wrong shape: %v", err)
	}
	if err := session.Run(t.Context(), nil, make([]*ort.Tensor, 3)); err == nil {
		t.Error("a run without inputs was accepted")
	}
	session.Close()
	session.Close() // harmless
	if err := session.Run(t.Context(), []*ort.Tensor{wrong}, make([]*ort.Tensor, 3)); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("running a closed session: %v, want ErrClosed", err)
	}
}

func TestRunsMayOverlap(t *testing.T) {
	t.Parallel()
	r := load(t, fixture.ReferenceModels(t)[0])
	session := open(t, r.model, ort.Options{IntraOpThreads: 1})
	in := []*ort.Tensor{tensor(t, r.image, r.dims...)}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			out := make([]*ort.Tensor, 3)
			if err := session.Run(t.Context(), in, out); err != nil {
				t.Error(err)
				return
			}
			if d := out[1].Float32()[0] - r.want["logits_per"][0]; d > 1e-3 || d < -1e-3 {
				t.Errorf("an overlapping run is off by %v", d)
			}
		})
	}
	all.Wait()
}

// TestTenThousandRunsLeakNothing also leaves the outputs to the collector, as a forgetful caller would.
func TestTenThousandRunsLeakNothing(t *testing.T) {
	r := load(t, fixture.ReferenceModels(t)[0])
	session := open(t, r.model, ort.Options{IntraOpThreads: 1, NoSpinning: true})
	size := int64(len(r.image)) / r.dims[0]
	in := []*ort.Tensor{tensor(t, r.image[:size], append([]int64{1}, r.dims[1:]...)...)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	runs := func(n int) {
		for range n {
			if err := session.Run(ctx, in, make([]*ort.Tensor, 3)); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			runtime.GC() // finds the tensors, whose cleanups free them in their own goroutine
		}
		debug.FreeOSMemory() // so that the resident memory means something
	}
	runs(5000)
	goroutines, before := runtime.NumGoroutine(), resident(t)
	runs(10000)
	after := resident(t)
	t.Logf("%d bytes resident before, %d after", before, after)
	if !raceDetector && after > before+4<<20 { // leaked tensors take twice that
		t.Errorf("10,000 runs grew the process from %d to %d bytes", before, after)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("10,000 runs left %d goroutines more", n-goroutines)
	}
}

// resident is the process's resident memory in bytes, 0 where the system does not tell.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkRunOverhead is a run of one tiny image: mostly what a call costs.
func BenchmarkRunOverhead(b *testing.B) {
	r := load(b, fixture.ReferenceModels(b)[0])
	session := open(b, r.model, ort.Options{IntraOpThreads: 1})
	size := int64(len(r.image)) / r.dims[0]
	in := []*ort.Tensor{tensor(b, r.image[:size], append([]int64{1}, r.dims[1:]...)...)}
	for b.Loop() {
		out := make([]*ort.Tensor, 3)
		if err := session.Run(context.Background(), in, out); err != nil {
			b.Fatal(err)
		}
		for _, t := range out {
			t.Close()
		}
	}
}
