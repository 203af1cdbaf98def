package features

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Problem is an image that could not be used, and why.
type Problem struct {
	Image int // its place in the list that Prepare was given
	Err   error
}

// Prepare fills the store with the features of all images (and of their mirror images), computing those that are missing. It
// returns the images that cannot be read, in the order of the list. progress is called with the number of inputs done and the
// number to be computed, first with 0. If the store is full, the remaining features are left for Read to compute; their images
// are decoded all the same, to find broken ones.
func (r *Reader) Prepare(ctx context.Context, images []Image, mirrored bool, progress func(done, total int)) ([]Problem, error) {
	if r.View == nil {
		return nil, nil
	}
	missing := r.missing(images, mirrored)
	progress(0, len(missing))
	if len(missing) == 0 {
		return nil, nil
	}
	p := &preparation{
		reader: r, images: images, missing: missing, progress: progress,
		todo: make(chan input), decoded: make(chan input, Batch), broken: map[int]error{},
	}
	if err := p.run(ctx); err != nil {
		return nil, fmt.Errorf("compute features: %w", err)
	}
	return p.problems(), nil
}

// missing lists the features that the store lacks, once for each file. Those it has are marked as used.
func (r *Reader) missing(images []Image, mirrored bool) []input {
	var out []input
	seen := make(map[string]bool, len(images))
	for i, image := range images {
		if seen[image.Hash] {
			continue
		}
		seen[image.Hash] = true
		for _, flip := range []bool{false, true} {
			if (mirrored || !flip) && !r.View.has(image.Hash, flip) {
				out = append(out, input{image: i, mirrored: flip})
			}
		}
	}
	return out
}

// preparation is a Prepare under way: hand out → decode, on all cores → gather into stacks, extract and keep. The steps run at the
// same time, so that cores decode while the extractor runs.
type preparation struct {
	reader   *Reader
	images   []Image
	missing  []input
	progress func(done, total int)

	free    chan []float32 // buffers of pixels: all the memory that decoding takes
	todo    chan input
	decoded chan input

	// Used by gather only.
	broken map[int]error // by image
	done   int
}

// input is one picture, or its mirror image, on its way to the extractor.
type input struct {
	image    int
	mirrored bool
	pixels   []float32
	err      error // of the image
}

func (p *preparation) run(ctx context.Context) error {
	decoders := runtime.GOMAXPROCS(0)
	p.free = make(chan []float32, 2*Batch+decoders)
	for range cap(p.free) {
		p.free <- nil // made when first used
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.handOut(ctx) })
	var decoding sync.WaitGroup
	for range decoders {
		decoding.Add(1)
		group.Go(func() error {
			defer decoding.Done()
			return p.decode(ctx)
		})
	}
	go func() { decoding.Wait(); close(p.decoded) }()
	group.Go(func() error { return p.gather(ctx) })
	return group.Wait()
}

// handOut gives each input a buffer and sends it to the decoders.
func (p *preparation) handOut(ctx context.Context) error {
	defer close(p.todo)
	for _, in := range p.missing {
		select {
		case in.pixels = <-p.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case p.todo <- in:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// decode is one of the decoders.
func (p *preparation) decode(ctx context.Context) error {
	size := p.reader.inputSize()
	for in := range p.todo {
		in.pixels = slices.Grow(in.pixels[:0], size)[:size]
		in.err = p.images[in.image].Pixels(ctx, in.pixels)
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if in.err == nil && in.mirrored {
			Mirror(in.pixels, p.reader.Input[2])
		}
		select {
		case p.decoded <- in:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// gather collects decoded inputs into stacks, in the order they come, and extracts each stack.
func (p *preparation) gather(ctx context.Context) error {
	stack := &stack{features: make([]float32, Batch*p.reader.Size())}
	for in := range p.decoded {
		if in.err != nil {
			p.broken[in.image] = in.err
			p.done++
		} else {
			stack.inputs, stack.pixels = append(stack.inputs, in), append(stack.pixels, in.pixels...)
		}
		p.free <- in.pixels // never blocks: there are no more buffers than room
		if len(stack.inputs) == Batch {
			if err := p.extract(ctx, stack); err != nil {
				return err
			}
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return p.extract(ctx, stack)
}

// stack is a batch of inputs for the extractor.
type stack struct {
	inputs   []input
	pixels   []float32 // [n, 3, H, W]
	features []float32 // [Batch, C, h, w]
}

// extract computes a stack's features, stores them, and empties the stack. While the store is full it computes nothing: Read
// will, when they are needed.
func (p *preparation) extract(ctx context.Context, s *stack) error {
	n := len(s.inputs)
	if n == 0 {
		return nil
	}
	r, size := p.reader, p.reader.Size()
	if !r.View.full() {
		if err := r.Extract(ctx, n, s.pixels, s.features[:n*size]); err != nil {
			return err
		}
		for i, in := range s.inputs {
			r.View.put(p.images[in.image].Hash, in.mirrored, s.features[i*size:][:size])
		}
	}
	p.done += n
	p.progress(p.done, len(p.missing))
	s.inputs, s.pixels = s.inputs[:0], s.pixels[:0]
	return nil
}

func (p *preparation) problems() []Problem {
	var out []Problem
	for _, i := range slices.Sorted(maps.Keys(p.broken)) {
		out = append(out, Problem{Image: i, Err: p.broken[i]})
	}
	return out
}
