package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/samples"
)

// Scan times a scan, decoding included, against bare runs of the runtime on the same batches.
type Scan struct {
	Subject
	Limit   int // pictures to scan at most
	Batch   int // pictures per run
	Rounds  int // how often scan and bare runs take turns
	Threads int // of the runtime; 0: all cores
	PyTorch PyTorch
}

// ScanResult is what Scan measured.
type ScanResult struct {
	Pictures     int       `json:"scan_images"`
	Batch        int       `json:"scan_batch"`
	ScanRate     float64   `json:"scan_images_per_second"` // from files to results
	BareRate     float64   `json:"bare_images_per_second"` // from pixels in memory to outputs
	Preprocess   float64   `json:"preprocess_ms"`          // per picture, on one core
	Ratio        float64   `json:"scan_over_bare_ratio"`   // median over rounds of scan rate ÷ bare rate
	RoundsRatios []float64 `json:"scan_over_bare_rounds"`
	RescanRate   float64   `json:"rescan_images_per_second"` // with the features of an earlier scan, as after a round
	RescanRatio  float64   `json:"scan_over_rescan_ratio"`   // time of a scan ÷ time of a rescan
	Ours         Took      `json:"scan_took"`
	Against
	OverPyTorch float64 `json:"scan_over_pytorch_ratio,omitempty"` // time of PyTorch's fastest form ÷ ours
}

// Print writes the result for people.
func (r ScanResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "scan            %.1f images/s, files to results, %d pictures in batches of %d\n", r.ScanRate, r.Pictures, r.Batch)
	fmt.Fprintf(w, "bare runs       %.1f images/s, pixels in memory\n", r.BareRate)
	fmt.Fprintf(w, "preprocessing   %.2f ms a picture on one core\n", r.Preprocess)
	fmt.Fprintf(w, "rescan          %.1f images/s, with the features of an earlier scan\n", r.RescanRate)
	fmt.Fprintf(w, "scan_over_rescan_ratio   %.2f\n", r.RescanRatio)
	fmt.Fprintf(w, "scan_over_bare_ratio   %.2f   (aim: 0.9 or more)\n", r.Ratio)
	return r.printForms(w, "scan_over_pytorch_ratio", r.OverPyTorch, "")
}

// Measure times scans and bare runs in turn.
func (c Scan) Measure(ctx context.Context) (result ScanResult, err error) {
	if c.Batch < 1 || c.Rounds < 1 || c.Limit < 1 {
		return result, fmt.Errorf("bench scan: batch %d, %d rounds, limit %d", c.Batch, c.Rounds, c.Limit)
	}
	subject, err := c.open(ctx, c.Limit)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, subject.close()) }()
	opened, network, err := subject.network(ctx, ort.Options{IntraOpThreads: c.Threads})
	if err != nil {
		return result, err
	}
	defer network.Close()

	n, size := len(subject.pictures), network.Sizes().Image()
	pixels := make([]float32, n*size)
	start := time.Now()
	for i, path := range subject.pictures {
		if err := samples.Pixels(ctx, network.Preprocessor, path, pixels[i*size:][:size]); err != nil {
			return result, fmt.Errorf("%s: %w", path, err)
		}
	}
	result = ScanResult{Pictures: n, Batch: c.Batch, Preprocess: milliseconds(time.Since(start)) / float64(n)}
	bare := func() error {
		for at := 0; at < n; at += c.Batch {
			count := min(c.Batch, n-at)
			if _, err := network.Forward(ctx, count, pixels[at*size:][:count*size]); err != nil {
				return err
			}
		}
		return nil
	}
	scanWith := func(kept *features.View) error {
		images := samples.Files(n, func(i int) samples.File {
			path := subject.pictures[i]
			return samples.File{Name: path, Path: path, Hash: hashOf(path)}
		})
		_, err := inference.Scan(ctx, network, images, func(context.Context, []inference.ScanResult) error { return nil }, inference.ScanOptions{Batch: c.Batch, Features: kept})
		return err
	}
	scan := func() error { return scanWith(nil) }
	sizes := network.Sizes()
	store, err := features.Open(filepath.Join(subject.dir, "features"), features.Options{})
	if err != nil {
		return result, err
	}
	rescan := func() error {
		view := store.View(benchOrigin, [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth})
		defer view.Close()
		return scanWith(view)
	}
	if err := rescan(); err != nil { // keeps the features
		return result, err
	}
	torch := &pytorch{}
	if c.PyTorch.Python != "" {
		if torch, err = c.openPyTorch(ctx, opened, subject, network, pixels); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, torch.close()) }()
	}
	var scans, bares, rescans []float64
	for round := range c.Rounds + 1 {
		first, second := scan, bare
		if round%2 == 1 { // so that neither side always runs first
			first, second = bare, scan
		}
		a, err := timed(first)
		if err != nil {
			return result, err
		}
		b, err := timed(second)
		if err != nil {
			return result, err
		}
		again, err := timed(rescan)
		if err != nil {
			return result, err
		}
		if err := torch.turns(ctx); err != nil {
			return result, err
		}
		if round == 0 { // it opens sessions and grows arenas, and is not counted
			continue
		}
		if round%2 == 1 {
			a, b = b, a
		}
		scans, bares, rescans = append(scans, a), append(bares, b), append(rescans, again)
		result.RoundsRatios = append(result.RoundsRatios, b/a)
	}
	result.ScanRate, result.BareRate = float64(n)/median(scans), float64(n)/median(bares)
	result.Ratio = median(result.RoundsRatios)
	result.RescanRate, result.RescanRatio = float64(n)/median(rescans), median(scans)/median(rescans)
	result.Ours = tookOf(scans)
	result.Against, result.OverPyTorch = torch.against(result.Ours)
	return result, nil
}
