package inference

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// noise is a picture unlike any other seed's.
func noise(width, height int, seed uint64) image.Image {
	random := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// collection is pictures to scan, some of them broken.
func collection(t testing.TB, n int) []ScanImage {
	t.Helper()
	out := make([]ScanImage, n)
	for i := range out {
		data := asPNG(t, noise(40+i%9, 60, uint64(i)))
		if i%7 == 3 {
			data = data[:len(data)/2]
		}
		out[i] = ScanImage{
			ID: int64(i), Name: fmt.Sprint("picture ", i), Hash: fmt.Sprint("hash ", i),
			Open: func(context.Context) (io.ReadSeekCloser, error) { return blob{bytes.NewReader(data)}, nil },
		}
	}
	return out
}

func each(images []ScanImage) iter.Seq2[ScanImage, error] {
	return func(yield func(ScanImage, error) bool) {
		for _, image := range images {
			if !yield(image, nil) {
				return
			}
		}
	}
}

func scanAll(t testing.TB, n *Network, images []ScanImage, o ScanOptions) ([]ScanResult, Progress) {
	t.Helper()
	var all []ScanResult
	progress, err := Scan(t.Context(), n, each(images), func(_ context.Context, results []ScanResult) error {
		all = append(all, results...)
		return nil
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return all, progress
}

// TestScanEqualsOneByOne compares a scan in batches, broken pictures between, with single runs.
func TestScanEqualsOneByOne(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	images := collection(t, 30)
	var reports []Progress
	results, progress := scanAll(t, network, images, ScanOptions{
		Batch: 4, Total: len(images), Progress: func(p Progress) { reports = append(reports, p) },
	})
	if len(results) != len(images) || progress.Done != len(images) || progress.Broken != 4 {
		t.Fatalf("%d results, progress %+v, want %d with 4 broken", len(results), progress, len(images))
	}
	if len(reports) < 2 || reports[0].Done != 0 || reports[0].Total != len(images) || reports[len(reports)-1] != progress {
		t.Errorf("progress was reported as %+v", reports)
	}
	for i, r := range results {
		if r.Image.ID != int64(i) {
			t.Fatalf("result %d is of image %d: the order is lost", i, r.Image.ID)
		}
		file, _ := r.Image.Open(t.Context())
		pixels := make([]float32, network.Sizes().Image())
		fault := network.Preprocessor.Pixels(t.Context(), file, pixels)
		if (fault != nil) != (r.Err != nil) {
			t.Errorf("%s: error %v, alone %v", r.Image.Name, r.Err, fault)
		}
		if fault != nil {
			continue
		}
		want, err := network.Forward(t.Context(), 1, pixels)
		if err != nil {
			t.Fatal(err)
		}
		network.Probabilities(want.LogitsPer)
		near(t, r.Image.Name+"'s probabilities", r.Probabilities, want.LogitsPer, 1e-4)
		near(t, r.Image.Name+"'s map", r.Map.Values, want.Maps, 1e-4)
		if r.Confidence != r.Probabilities[r.Class] || r.Confidence != slices.Max(r.Probabilities) {
			t.Errorf("%s: class %d with %v of %v", r.Image.Name, r.Class, r.Confidence, r.Probabilities)
		}
		if want := argmax(want.LogitsAtt); r.AttClass != want {
			t.Errorf("%s: the attention branch says %d, alone %d", r.Image.Name, r.AttClass, want)
		}
		if err := r.Map.Validate(); err != nil {
			t.Errorf("%s: %v", r.Image.Name, err)
		}
	}
}

// memorySource keeps features in memory and counts.
type memorySource struct {
	mu         sync.Mutex
	features   map[string][]float32
	hits, puts int
	failure    error
}

func (m *memorySource) Get(hash string, dst []float32) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.features[hash]
	if ok {
		m.hits++
		copy(dst, f)
	}
	return ok, m.failure
}

func (m *memorySource) Put(hash string, features []float32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	m.features[hash] = slices.Clone(features)
	return nil
}

func TestScanUsesKeptFeatures(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	images := collection(t, 20)
	plain, _ := scanAll(t, network, images, ScanOptions{Batch: 6})
	source := &memorySource{features: map[string][]float32{}}
	half := slices.Clone(images)
	for i := range half {
		if i%2 == 0 {
			half[i].Hash = "" // cannot be kept
		}
	}
	scanAll(t, network, half, ScanOptions{Batch: 6, Features: source})
	if source.puts == 0 || source.hits != 0 {
		t.Fatalf("the first scan kept %d and found %d", source.puts, source.hits)
	}
	kept := source.puts
	mixed, progress := scanAll(t, network, images, ScanOptions{Batch: 6, Features: source})
	if source.hits != kept || progress.Broken != 3 {
		t.Errorf("the second scan found %d of %d; %d broken, want 3", source.hits, kept, progress.Broken)
	}
	for i, r := range mixed {
		if (r.Err != nil) != (plain[i].Err != nil) {
			t.Errorf("%s: error %v, without a source %v", r.Image.Name, r.Err, plain[i].Err)
		}
		if r.Err == nil {
			near(t, r.Image.Name+"'s probabilities", r.Probabilities, plain[i].Probabilities, 1e-4)
			near(t, r.Image.Name+"'s map", r.Map.Values, plain[i].Map.Values, 1e-4)
		}
	}
	source.failure = errors.New("the disk is gone")
	_, err := Scan(t.Context(), network, each(images), func(context.Context, []ScanResult) error { return nil }, ScanOptions{Features: source})
	if !errors.Is(err, source.failure) {
		t.Errorf("with a failing source: %v", err)
	}
}

func TestScanEndsWithItsErrors(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	images := collection(t, 40)
	ignore := func(context.Context, []ScanResult) error { return nil }
	failure := errors.New("failure")

	if _, err := Scan(t.Context(), network, each(images), func(context.Context, []ScanResult) error { return failure }, ScanOptions{Batch: 4}); !errors.Is(err, failure) {
		t.Errorf("a failing sink: %v", err)
	}
	listing := func(yield func(ScanImage, error) bool) {
		_ = yield(images[0], nil) && yield(ScanImage{}, failure)
	}
	if _, err := Scan(t.Context(), network, listing, ignore, ScanOptions{Batch: 4}); !errors.Is(err, failure) {
		t.Errorf("a failing listing: %v", err)
	}
	away := slices.Clone(images)
	away[9].Open = func(context.Context) (io.ReadSeekCloser, error) {
		return nil, fmt.Errorf("storage: %w", annotator.ErrUnavailable)
	}
	if _, err := Scan(t.Context(), network, each(away), ignore, ScanOptions{Batch: 4}); !errors.Is(err, annotator.ErrUnavailable) {
		t.Errorf("storage that is away: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := Scan(ctx, network, each(images), func(context.Context, []ScanResult) error {
		cancel(failure)
		return nil
	}, ScanOptions{Batch: 4}); !errors.Is(err, failure) {
		t.Errorf("a cancelled scan: %v, want the cause", err)
	}
	if p, err := Scan(t.Context(), network, each(nil), ignore, ScanOptions{}); err != nil || p.Done != 0 {
		t.Errorf("a scan of nothing: %+v, %v", p, err)
	}
}

// TestScanReadsNoFurtherThanItStores: memory is bounded because a slow sink holds back the reading.
func TestScanReadsNoFurtherThanItStores(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	const batch = 2
	var read, stored atomic.Int64
	images := collection(t, 60)
	for i := range images {
		inner := images[i].Open
		images[i].Open = func(ctx context.Context) (io.ReadSeekCloser, error) {
			read.Add(1)
			return inner(ctx)
		}
	}
	ahead := int64(0)
	if _, err := Scan(t.Context(), network, each(images), func(_ context.Context, results []ScanResult) error {
		for range 50 {
			runtime.Gosched() // let the readers run as far as they may
		}
		ahead = max(ahead, read.Load()-stored.Load())
		stored.Add(int64(len(results)))
		return nil
	}, ScanOptions{Batch: batch}); err != nil {
		t.Fatal(err)
	}
	if ahead > batch*batchesInFlight {
		t.Errorf("%d pictures were read ahead of what was stored, want at most %d", ahead, batch*batchesInFlight)
	}
}

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	if got, want := (Progress{Done: 1200, Total: 9000, Broken: 2}.at(12e9)).String(), "100 images/s, 2 broken"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
