package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/trainer"
)

// defaultScanLimit is how many pictures a round scans: some seconds' worth.
const defaultScanLimit = 96

// benchScanCommand times a scan, decoding included, against bare runs of the same batches.
type benchScanCommand struct {
	benchSubject
	Limit   int  `help:"Pictures to scan at most." default:"96"`
	Batch   int  `help:"Pictures per run." default:"16"`
	Rounds  int  `help:"How often scan and bare runs take turns." default:"5"`
	Threads int  `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool `name:"json" help:"Print one JSON document."`
}

// scanBench is what bench scan measured.
type scanBench struct {
	Pictures     int       `json:"scan_images"`
	Batch        int       `json:"scan_batch"`
	ScanRate     float64   `json:"scan_images_per_second"` // from files to results
	BareRate     float64   `json:"bare_images_per_second"` // from pixels in memory to outputs
	Preprocess   float64   `json:"preprocess_ms"`          // per picture, on one core
	Ratio        float64   `json:"scan_over_bare_ratio"`   // median over rounds of scan rate ÷ bare rate
	RoundsRatios []float64 `json:"scan_over_bare_rounds"`
	RescanRate   float64   `json:"rescan_images_per_second"` // with the features of an earlier scan, as after a round
	RescanRatio  float64   `json:"scan_over_rescan_ratio"`   // how many times a rescan's time a whole scan takes
}

// Run implements the command.
func (c *benchScanCommand) Run(ctx context.Context, streams *stdio) error {
	result, err := c.measure(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, result)
	}
	fmt.Fprintf(streams.Out, "scan            %.1f images/s, files to results, %d pictures in batches of %d\n", result.ScanRate, result.Pictures, result.Batch)
	fmt.Fprintf(streams.Out, "bare runs       %.1f images/s, pixels in memory\n", result.BareRate)
	fmt.Fprintf(streams.Out, "preprocessing   %.2f ms a picture on one core\n", result.Preprocess)
	fmt.Fprintf(streams.Out, "rescan          %.1f images/s, with the features of an earlier scan\n", result.RescanRate)
	fmt.Fprintf(streams.Out, "scan_over_rescan_ratio   %.2f\n", result.RescanRatio)
	_, err = fmt.Fprintf(streams.Out, "scan_over_bare_ratio   %.2f   (aim: 0.9 or more)\n", result.Ratio)
	return err
}

func (c *benchScanCommand) measure(ctx context.Context) (result scanBench, err error) {
	if c.Batch < 1 || c.Rounds < 1 || c.Limit < 1 {
		return result, fmt.Errorf("bench scan: batch %d, %d rounds, limit %d", c.Batch, c.Rounds, c.Limit)
	}
	subject, err := c.open(ctx, c.Limit)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, subject.close()) }()
	network, err := inference.OpenNetwork(ctx, subject.model, subject.manifest, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: c.Threads}})
	if err != nil {
		return result, err
	}
	defer network.Close()

	n, size := len(subject.pictures), network.Sizes().Image()
	pixels := make([]float32, n*size)
	start := time.Now()
	for i, path := range subject.pictures {
		if err := pixelsOf(ctx, network.Preprocessor, path, pixels[i*size:][:size]); err != nil {
			return result, fmt.Errorf("%s: %w", path, err)
		}
	}
	result = scanBench{Pictures: n, Batch: c.Batch, Preprocess: milliseconds(time.Since(start)) / float64(n)}
	bare := func() error {
		for at := 0; at < n; at += c.Batch {
			count := min(c.Batch, n-at)
			if _, err := network.Forward(ctx, count, pixels[at*size:][:count*size]); err != nil {
				return err
			}
		}
		return nil
	}
	scanWith := func(features inference.FeatureSource) error {
		images := func(yield func(inference.ScanImage, error) bool) {
			for _, path := range subject.pictures {
				open := func(context.Context) (io.ReadSeekCloser, error) { return os.Open(path) }
				if !yield(inference.ScanImage{Name: path, Hash: hashOf(path), Open: open}, nil) {
					return
				}
			}
		}
		_, err := inference.Scan(ctx, network, images, func(context.Context, []inference.ScanResult) error { return nil }, inference.ScanOptions{Batch: c.Batch, Features: features})
		return err
	}
	scan := func() error { return scanWith(nil) }
	sizes := network.Sizes()
	store, err := trainer.OpenFeatureStore(filepath.Join(subject.dir, "features"), trainer.FeatureStoreOptions{})
	if err != nil {
		return result, err
	}
	rescan := func() error {
		return scanWith(trainer.ImageFeatures{Store: store, ExtractorHash: "bench", Preprocessing: "bench", Dims: [3]int{sizes.Channels, sizes.GridHeight, sizes.GridWidth}})
	}
	if err := rescan(); err != nil { // keeps the features
		return result, err
	}
	var scans, bares, rescans []float64
	for round := range c.Rounds + 1 {
		first, second := scan, bare
		if round%2 == 1 { // so that neither always follows the other
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
		if round == 0 { // opens sessions and grows the arenas
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
	return result, nil
}

// timed runs f and says how many seconds it took.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return time.Since(start).Seconds(), err
}
