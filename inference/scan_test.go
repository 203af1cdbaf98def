package inference

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/features"
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

// scanFeatures is a store in a folder of its own, as a scan of a network sees it.
func scanFeatures(t *testing.T, network *Network, maxBytes int64) (store *features.Store, view *features.View, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "features")
	store, err := features.Open(dir, features.Options{MaxBytes: maxBytes, Precision: features.Float32, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	sizes := network.Sizes()
	return store, store.View(features.Origin{Extractor: "e"}, [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}), dir
}

func TestScanUsesKeptFeatures(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	images := collection(t, 20)
	plain, _ := scanAll(t, network, images, ScanOptions{Batch: 6})
	store, view, _ := scanFeatures(t, network, 0)
	half := slices.Clone(images)
	for i := range half {
		if i%2 == 0 {
			half[i].Hash = "" // cannot be kept
		}
	}
	scanAll(t, network, half, ScanOptions{Batch: 6, Features: view})
	kept := store.Stats().Written
	if kept == 0 || store.Stats().Hits != 0 {
		t.Fatalf("the first scan kept %d and found %d", kept, store.Stats().Hits)
	}
	mixed, progress := scanAll(t, network, images, ScanOptions{Batch: 6, Features: view})
	if hits := store.Stats().Hits; hits != kept || progress.Broken != 3 {
		t.Errorf("the second scan found %d of %d; %d broken, want 3", hits, kept, progress.Broken)
	}
	sameResults(t, mixed, plain)
}

// A scan that can keep no features goes on without: the disk is full, or the folder is not to be written or read.
func TestScanGoesOnWhereFeaturesCannotBeKept(t *testing.T) {
	t.Parallel()
	network := openReference(t, fixture.ReferenceModels(t)[0])
	images := collection(t, 20)
	plain, _ := scanAll(t, network, images, ScanOptions{Batch: 6})

	store, view, _ := scanFeatures(t, network, 1)
	results, _ := scanAll(t, network, images, ScanOptions{Batch: 6, Features: view})
	sameResults(t, results, plain)
	if st := store.Stats(); st.Written != 0 || st.Refused != 17 || st.Failed != 0 {
		t.Errorf("a store without room: %+v", st)
	}
	store, view, dir := scanFeatures(t, network, 0)
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("in the folder's place"), 0o600)); err != nil {
		t.Fatal(err)
	}
	results, _ = scanAll(t, network, images, ScanOptions{Batch: 6, Features: view})
	sameResults(t, results, plain)
	if st := store.Stats(); st.Written != 0 || st.Refused == 0 || st.Failed == 0 {
		t.Errorf("a store that is no folder: %+v", st)
	}
}

func sameResults(t *testing.T, got, want []ScanResult) {
	t.Helper()
	for i, r := range got {
		if (r.Err != nil) != (want[i].Err != nil) {
			t.Errorf("%s: error %v, without features %v", r.Image.Name, r.Err, want[i].Err)
		}
		if r.Err == nil {
			near(t, r.Image.Name+"'s probabilities", r.Probabilities, want[i].Probabilities, 1e-4)
			near(t, r.Image.Name+"'s map", r.Map.Values, want[i].Map.Values, 1e-4)
		}
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
