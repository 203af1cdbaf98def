package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/step"
)

// parent is the network that a round starts from.
type parent struct {
	modelHash     string // SHA-256 of the file
	extractorHash string
	input         [3]int // 3, H, W
	features      [3]int // C, h, w
	grid          [2]int // h, w of the map
	classes       int    // K
	extractor     features.Extractor
	newEngine     func(ctx context.Context, s recipe.Settings) (engine.Engine, error) // at the parent's parameters
	require       func(ctx context.Context, s recipe.Settings) error                  // refuses settings whose engine cannot train it; nil: not checked
	export        func(parameters []engine.Parameter, metadata []onnx.Metadata) ([]byte, error)
	lastLayer     func() (*refit.Layer, error) // of the perception branch; nil: it is not known
	perception    *onnx.Model                  // features, map → ŷ_per; nil: it is not known by itself
	close         func()
}

// cells is h·w of the map.
func (n *parent) cells() int { return n.grid[0] * n.grid[1] }

// openNetwork makes a parent of a file, in the parts that the settings train. opened is the file opened with m; nil: it is opened here.
// extractor nil and extractorHash "" mean the network's own, which it always is where the settings cut it.
func openNetwork(ctx context.Context, opened *network.Network, file []byte, m manifest.Manifest, s recipe.Settings, extractor features.Extractor, extractorHash string, threads int) (*parent, error) {
	if opened == nil {
		var err error
		if opened, err = network.Read(ctx, file, m); err != nil {
			return nil, err
		}
	}
	if m.Crop != [2]int{} { // else there is no manifest, and only the input's size is known
		if err := opened.Fits(); err != nil {
			return nil, err
		}
	}
	abn, err := step.Parts(ctx, opened.ABN(), s)
	if err != nil {
		return nil, err
	}
	if abn != opened.ABN() {
		extractor, extractorHash = nil, abn.ExtractorHash()
	}
	graph, err := abn.Extractor.Marshal()
	if err != nil {
		return nil, err
	}
	if extractorHash == "" {
		extractorHash = opened.ExtractorHash()
	}
	n := &parent{
		modelHash: hexHash(file), extractorHash: extractorHash,
		input:    [3]int{abn.ImageChannels, abn.ImageHeight, abn.ImageWidth},
		features: abn.Features, grid: [2]int{abn.Height, abn.Width},
		classes: abn.Classes, extractor: extractor,
		newEngine: func(ctx context.Context, s recipe.Settings) (engine.Engine, error) {
			return NewEngine(ctx, abn, s, threads)
		},
		require: func(ctx context.Context, s recipe.Settings) error { return requireEngine(ctx, abn, s) },
		export: func(parameters []engine.Parameter, metadata []onnx.Metadata) ([]byte, error) {
			out, err := Export(opened.Model(), parameters, metadata)
			if err != nil {
				return nil, err
			}
			return out.Marshal()
		},
		lastLayer:  func() (*refit.Layer, error) { return refit.Find(abn) },
		perception: abn.Perception,
		close:      func() {},
	}
	if extractor == nil {
		own := &sessionExtractor{graph: graph, input: n.input, features: n.features, threads: threads}
		n.extractor, n.close = own, func() { _ = own.close() }
	}
	return n, nil
}

// sessionExtractor runs an extractor's graph on the runtime. The session is opened when first used: a
// round whose features are all in the store needs none.
type sessionExtractor struct {
	graph           []byte
	input, features [3]int
	threads         int
	session         *ort.Session
	out             []float32
}

// Extract implements features.Extractor.
func (e *sessionExtractor) Extract(ctx context.Context, n int, pixels []float32) ([]float32, error) {
	if e.session == nil {
		session, err := ort.Open(e.graph, []string{onnx.PortImage}, []string{onnx.PortFeatures}, ort.Options{Name: "extractor", IntraOpThreads: e.threads})
		if err != nil {
			return nil, err
		}
		e.session = session
	}
	size := n * e.features[0] * e.features[1] * e.features[2]
	e.out = slices.Grow(e.out[:0], size)[:size]
	return e.out, runOnce(ctx, e.session, pixels, batchDims(n, e.input), e.out, batchDims(n, e.features))
}

func (e *sessionExtractor) close() error {
	if e.session == nil {
		return nil
	}
	return e.session.Close()
}

// array is a tensor's values and dims.
type array struct {
	values []float32
	dims   []int64
}

// runOnce runs a session on one input and one output.
func runOnce(ctx context.Context, session *ort.Session, input []float32, inputDims []int64, output []float32, outputDims []int64) error {
	return run(ctx, session, []array{{input, inputDims}}, []array{{output, outputDims}})
}

// run runs a session; outputs are written in place.
func run(ctx context.Context, session *ort.Session, inputs, outputs []array) (err error) {
	tensors := func(list []array) (out []*ort.Tensor) {
		for _, a := range list {
			t, e := ort.Float32s(a.values, a.dims...)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			out = append(out, t)
		}
		return out
	}
	in, out := tensors(inputs), tensors(outputs)
	if err == nil {
		err = session.Run(ctx, in, out)
	}
	for _, t := range append(in, out...) {
		err = errors.Join(err, t.Close())
	}
	return err
}

// batchDims are the dims of n rows of [C, h, w].
func batchDims(n int, row [3]int) []int64 {
	return []int64{int64(n), int64(row[0]), int64(row[1]), int64(row[2])}
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
