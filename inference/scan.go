package inference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/features"
)

// ScanImage is one picture to be scanned.
type ScanImage struct {
	ID   int64  // the caller's own; a scan only passes it on
	Name string // for errors
	Hash string // SHA-256 of the file; only needed with ScanOptions.Features
	// Open opens the file. It is called at most once, from any goroutine. Its errors count as faults of the picture, except
	// annotator.ErrUnavailable and annotator.ErrFull, which end the scan.
	Open func(ctx context.Context) (io.ReadSeekCloser, error)
}

// ScanResult is the network's answer for one picture.
type ScanResult struct {
	Image         ScanImage
	Err           error         // why the picture could not be used; the rest is then empty
	LogitsPer     []float32     // K of them, from the perception branch
	LogitsAtt     []float32     // K of them, from the attention branch
	Probabilities []float32     // the softmax of LogitsPer
	Class         int           // their argmax
	Confidence    float32       // its probability
	AttClass      int           // argmax of the attention branch
	Map           attention.Map // M(x)
}

// ScanOptions configures a scan. Zero fields have defaults.
type ScanOptions struct {
	Batch    int              // images per run; default 16
	Decoders int              // pictures decoded at once; default one per core
	Total    int              // how many images there are, for progress; 0: not known
	Features *features.View   // of this network; nil: features are neither read nor kept
	Progress func(Progress)   // called at the start, about twice a second, and at the end; never by two goroutines at once
	Now      func() time.Time // default time.Now
}

// progressEvery is the least time between two calls of ScanOptions.Progress.
const progressEvery = 500 * time.Millisecond

// batchesInFlight is the number of batches: one is filled, one waits, one runs and one is stored. Their memory is all that a scan
// takes, however many images there are.
const batchesInFlight = 4

// scanBatch is the memory of one batch, which is reused.
type scanBatch struct {
	images   []ScanImage
	errs     []error
	cached   []bool    // row's features came from the source
	pixels   []float32 // [batch, channels, H, W]
	features []float32 // [batch, C, h, w]
	out      Outputs
	kept     []int // rows that took part in the run, in the order of out
	pending  atomic.Int32
	ready    chan struct{} // receives once when every picture is decoded
}

// Scan runs the network over images and hands the results to sink in batches, in the order of the images, from one goroutine;
// sink may keep the slices. Decoding, running and storing overlap. A picture that cannot be used becomes a result with Err and
// the scan goes on; an error of images, of sink or of the runtime ends it. If ctx ends, its cause is returned.
func Scan(ctx context.Context, network *Network, images iter.Seq2[ScanImage, error], sink func(context.Context, []ScanResult) error, o ScanOptions) (Progress, error) {
	if o.Batch < 1 {
		o.Batch = 16
	}
	if o.Decoders < 1 {
		o.Decoders = runtime.GOMAXPROCS(0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &scan{
		network: network, options: o, start: o.Now(),
		free:    make(chan *scanBatch, batchesInFlight),
		jobs:    make(chan job, o.Batch),
		filled:  make(chan *scanBatch, batchesInFlight),
		results: make(chan *scanBatch, batchesInFlight),
	}
	for range batchesInFlight {
		s.free <- s.newBatch()
	}
	s.progress.Total = o.Total
	s.tell(true)

	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return s.gather(inner, images) })
	for range o.Decoders {
		group.Go(func() error { return s.decode(inner) })
	}
	group.Go(func() error { return s.run(inner) })
	group.Go(func() error { return s.store(inner, sink) })
	err := group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	s.tell(true)
	if err != nil {
		return s.progress, fmt.Errorf("scanning: %w", err)
	}
	return s.progress, nil
}

// scan is one Scan under way: gather → decode → run → store, and back to gather through free.
type scan struct {
	network  *Network
	options  ScanOptions
	start    time.Time
	told     time.Time
	progress Progress
	free     chan *scanBatch
	jobs     chan job
	filled   chan *scanBatch // in the order of the images; ready once decoded
	results  chan *scanBatch
}

// job is one picture to decode into one row of a batch.
type job struct {
	batch *scanBatch
	row   int
}

func (s *scan) newBatch() *scanBatch {
	n, sizes := s.options.Batch, s.network.sizes
	return &scanBatch{
		images: make([]ScanImage, 0, n), errs: make([]error, n), cached: make([]bool, n),
		pixels: make([]float32, n*sizes.Image()), features: make([]float32, n*sizes.Features()),
		kept: make([]int, 0, n), ready: make(chan struct{}, 1),
	}
}

// gather groups the images into batches and sends their pictures to the decoders.
func (s *scan) gather(ctx context.Context, images iter.Seq2[ScanImage, error]) error {
	defer close(s.filled)
	defer close(s.jobs)
	var b *scanBatch
	dispatch := func() error {
		b.pending.Store(int32(len(b.images)))
		if err := send(ctx, s.filled, b); err != nil {
			return err
		}
		for row := range b.images {
			if err := send(ctx, s.jobs, job{b, row}); err != nil {
				return err
			}
		}
		b = nil
		return nil
	}
	for image, err := range images {
		if err != nil {
			return fmt.Errorf("listing the images: %w", err)
		}
		if b == nil {
			var err error
			if b, err = receive(ctx, s.free); err != nil {
				return err
			}
			b.images, b.kept = b.images[:0], b.kept[:0]
			clear(b.errs)
			clear(b.cached)
		}
		b.images = append(b.images, image)
		if len(b.images) == s.options.Batch {
			if err := dispatch(); err != nil {
				return err
			}
		}
	}
	if b != nil {
		return dispatch()
	}
	return nil
}

// decode fills rows until there are none left.
func (s *scan) decode(ctx context.Context) error {
	for j := range s.jobs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fault, err := s.row(ctx, j.batch, j.row)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("reading %s: %w", j.batch.images[j.row].Name, err)
		}
		j.batch.errs[j.row] = fault
		if j.batch.pending.Add(-1) == 0 {
			j.batch.ready <- struct{}{}
		}
	}
	return nil
}

// row makes one row of a batch: its features if the cache has them, else its pixels. fault is an error of the picture, err any
// other.
func (s *scan) row(ctx context.Context, b *scanBatch, row int) (fault, err error) {
	image := b.images[row]
	if kept := s.options.Features; kept != nil && image.Hash != "" {
		size := s.network.sizes.Features()
		if b.cached[row] = kept.Get(image.Hash, b.features[row*size:][:size]); b.cached[row] {
			return nil, nil
		}
	}
	file, err := image.Open(ctx)
	if err == nil {
		size := s.network.sizes.Image()
		err = s.network.Preprocessor.Pixels(ctx, file, b.pixels[row*size:][:size])
		file.Close()
	}
	if errors.Is(err, annotator.ErrUnavailable) || errors.Is(err, annotator.ErrFull) {
		return nil, err
	}
	return err, nil
}

// run takes batches as they are decoded and computes them, one after the other.
func (s *scan) run(ctx context.Context) error {
	defer close(s.results)
	for {
		b, ok := <-s.filled
		if !ok {
			return nil
		}
		if _, err := receive(ctx, b.ready); err != nil {
			return err
		}
		if err := s.compute(ctx, b); err != nil {
			return err
		}
		if err := send(ctx, s.results, b); err != nil {
			return err
		}
	}
}

// compute runs the network over the usable rows of a batch. Rows with pixels are moved together at the
// front, in order, and rows with features behind them; kept says which image each one is.
func (s *scan) compute(ctx context.Context, b *scanBatch) error {
	sizes := s.network.sizes
	for row := range b.images {
		if b.errs[row] == nil && !b.cached[row] {
			if to := len(b.kept); to != row {
				copy(b.pixels[to*sizes.Image():][:sizes.Image()], b.pixels[row*sizes.Image():])
			}
			b.kept = append(b.kept, row)
		}
	}
	fresh := len(b.kept)
	if s.options.Features == nil {
		if fresh == 0 {
			return nil
		}
		var err error
		b.out, err = s.network.Forward(ctx, fresh, b.pixels[:fresh*sizes.Image()])
		return err
	}
	for row := range b.images {
		if b.errs[row] == nil && b.cached[row] {
			b.kept = append(b.kept, row)
		}
	}
	if len(b.kept) == 0 {
		return nil
	}
	size := sizes.Features()
	features := make([]float32, len(b.kept)*size)
	for i, row := range b.kept[fresh:] {
		copy(features[(fresh+i)*size:][:size], b.features[row*size:])
	}
	if fresh > 0 {
		if err := s.network.FeaturesInto(ctx, fresh, b.pixels[:fresh*sizes.Image()], features[:fresh*size]); err != nil {
			return err
		}
		for i, row := range b.kept[:fresh] { // for collect, which stores them
			copy(b.features[row*size:][:size], features[i*size:])
		}
	}
	var err error
	b.out, err = s.network.Branches(ctx, len(b.kept), features)
	return err
}

// store turns outputs into results and hands them to the sink.
func (s *scan) store(ctx context.Context, sink func(context.Context, []ScanResult) error) error {
	for {
		b, ok := <-s.results
		if !ok {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		results := s.collect(b)
		if err := sink(ctx, results); err != nil {
			return fmt.Errorf("storing results: %w", err)
		}
		s.progress.Done += len(results)
		s.tell(false)
		s.free <- b // never blocks: there is room for all batches
	}
}

// collect copies a batch's results out of it and keeps the features that were computed.
func (s *scan) collect(b *scanBatch) []ScanResult {
	sizes := s.network.sizes
	results := make([]ScanResult, len(b.images))
	for row, image := range b.images {
		results[row] = ScanResult{Image: image, Err: b.errs[row]}
		if b.errs[row] != nil {
			s.progress.Broken++
		}
	}
	for i, row := range b.kept {
		r := &results[row]
		k := sizes.Classes
		r.LogitsPer = slices.Clone(b.out.LogitsPer[i*k:][:k])
		r.LogitsAtt = slices.Clone(b.out.LogitsAtt[i*k:][:k])
		r.Probabilities = slices.Clone(r.LogitsPer)
		s.network.Probabilities(r.Probabilities)
		r.Class = argmax(r.Probabilities)
		r.Confidence = r.Probabilities[r.Class]
		r.AttClass = argmax(r.LogitsAtt)
		r.Map = attention.New(sizes.GridHeight, sizes.GridWidth)
		copy(r.Map.Values, b.out.Maps[i*sizes.Map():])
		if kept := s.options.Features; kept != nil && !b.cached[row] && r.Image.Hash != "" {
			kept.Put(r.Image.Hash, b.features[row*sizes.Features():][:sizes.Features()])
		}
	}
	return results
}

// tell reports progress, not more often than progressEvery unless must is set.
func (s *scan) tell(always bool) {
	now := s.options.Now()
	if !always && now.Sub(s.told) < progressEvery {
		return
	}
	s.told = now
	s.progress = s.progress.at(now.Sub(s.start))
	if s.options.Progress != nil {
		s.options.Progress(s.progress)
	}
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errEnded is a channel that closed because its writer failed, which errgroup reports.
var errEnded = errors.New("ended")

func receive[T any](ctx context.Context, from <-chan T) (T, error) {
	select {
	case v, ok := <-from:
		if !ok {
			return v, errEnded
		}
		return v, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
