package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/trainer"
)

// Features times how an epoch reads cached features, in a training's order, against plainly reading the same files.
type Features struct {
	Images   int    // entries to keep and read
	Channels int    // of the features
	Side     int    // height and width of the features
	Rounds   int    // how often the two take turns
	Dir      string // a folder on the disk to measure; "": the system's for temporary files
}

// FeaturesResult is what Features measured. Cold files are read from the disk, warm ones from the system's page cache. Rates count
// the files' bytes.
type FeaturesResult struct {
	Images     int     `json:"feature_images"`
	Megabytes  float64 `json:"feature_megabytes"`
	ColdRate   float64 `json:"feature_cold_mb_per_second"`
	ColdDisk   float64 `json:"feature_cold_disk_mb_per_second"`
	WarmRate   float64 `json:"feature_warm_mb_per_second"`
	WarmDisk   float64 `json:"feature_warm_disk_mb_per_second"`
	Ratio      float64 `json:"features_over_disk_ratio"` // cold
	WarmRatio  float64 `json:"features_over_disk_warm_ratio"`
	ColdIsCold bool    `json:"feature_cache_dropped"` // whether the system can drop a file from its page cache
}

// Print writes the result for people.
func (r FeaturesResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "features   %d images, %.0f MB; from disk %.0f MB/s, from memory %.0f MB/s\n", r.Images, r.Megabytes, r.ColdRate, r.WarmRate)
	fmt.Fprintf(w, "files      from disk %.0f MB/s, from memory %.0f MB/s\n", r.ColdDisk, r.WarmDisk)
	if !r.ColdIsCold {
		fmt.Fprintln(w, "           (this system cannot be told to forget files: what is called disk is memory)")
	}
	_, err := fmt.Fprintf(w, "features_over_disk_ratio   %.2f   (from memory: %.2f; aim: 0.9 or more)\n", r.Ratio, r.WarmRatio)
	return err
}

// Measure times both kinds of reading.
func (c Features) Measure(ctx context.Context) (result FeaturesResult, err error) {
	if c.Images < 1 || c.Channels < 1 || c.Side < 1 || c.Rounds < 1 {
		return result, fmt.Errorf("bench features: %d images of %d×%d×%d, %d rounds", c.Images, c.Channels, c.Side, c.Side, c.Rounds)
	}
	dir, err := os.MkdirTemp(c.Dir, "studio-bench-")
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := features.Open(dir, features.Options{})
	if err != nil {
		return result, err
	}
	kept := store.View(benchOrigin, [3]int{c.Channels, c.Side, c.Side})
	rng := rand.New(rand.NewPCG(3, 0))
	values := make([]float32, c.Channels*c.Side*c.Side)
	for i := range c.Images {
		for j := range values {
			values[j] = max(0, float32(rng.NormFloat64()))
		}
		kept.Put(hashOf(fmt.Sprint(i)), values)
	}
	var files []string
	var bytes float64
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files, bytes = append(files, path), bytes+float64(info.Size())
		return nil
	}); err != nil {
		return result, err
	}
	read := func() error {
		return c.each(ctx, rng.Perm(c.Images), func(i int, r *reader) error {
			if !kept.Get(hashOf(fmt.Sprint(i)), r.values) {
				return fmt.Errorf("bench features: entry %d is not there", i)
			}
			return nil
		})
	}
	bare := func() error {
		return c.each(ctx, rng.Perm(len(files)), func(i int, r *reader) (err error) {
			r.buffer, err = readInto(files[i], r.buffer)
			return err
		})
	}
	result = FeaturesResult{Images: c.Images, Megabytes: bytes / 1e6, ColdIsCold: true}
	var times [2][2][]float64 // cold or warm; features or files
	for round := range c.Rounds {
		for warm := range 2 {
			for turn := range 2 {
				which := (turn + round) % 2
				if warm == 0 {
					dropped, err := forget(files)
					if err != nil {
						return result, err
					}
					result.ColdIsCold = result.ColdIsCold && dropped
				}
				seconds, err := timed([]func() error{read, bare}[which])
				if err != nil {
					return result, err
				}
				times[warm][which] = append(times[warm][which], seconds)
			}
		}
	}
	rate := func(warm, which int) float64 { return result.Megabytes / median(times[warm][which]) }
	result.ColdRate, result.ColdDisk, result.WarmRate, result.WarmDisk = rate(0, 0), rate(0, 1), rate(1, 0), rate(1, 1)
	result.Ratio, result.WarmRatio = result.ColdRate/result.ColdDisk, result.WarmRate/result.WarmDisk
	return result, nil
}

// reader is the memory that one goroutine reads into.
type reader struct {
	values []float32
	buffer []byte
}

// each calls read for every index in order, with as many goroutines as a training's feed has.
func (c Features) each(ctx context.Context, order []int, read func(i int, r *reader) error) error {
	next := make(chan int, len(order))
	for _, i := range order {
		next <- i
	}
	close(next)
	group, ctx := errgroup.WithContext(ctx)
	for range trainer.RowReaders {
		group.Go(func() error {
			r := &reader{values: make([]float32, c.Channels*c.Side*c.Side)}
			for i := range next {
				if err := read(i, r); err != nil {
					return err
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// benchOrigin is the origin of the features, which no network made.
var benchOrigin = features.Origin{Extractor: "bench", Preprocessing: "bench"}

// hashOf makes a hash for a picture that does not exist.
func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// readInto reads a file into a buffer that grows as needed.
func readInto(path string, buffer []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return buffer, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return buffer, err
	}
	if int64(cap(buffer)) < info.Size() {
		buffer = make([]byte, info.Size())
	}
	buffer = buffer[:info.Size()]
	_, err = io.ReadFull(f, buffer)
	return buffer, err
}
