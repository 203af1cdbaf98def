package inference

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/abn-studio/studio/internal/logits"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// Outputs are a network's outputs for N images.
type Outputs struct {
	Maps      []float32 // [N, 1, h, w], M(x), as the network makes it: in [0,1] if it ends in a Sigmoid
	LogitsAtt []float32 // [N, K]
	LogitsPer []float32 // [N, K]
}

// Sizes are a network's dimensions.
type Sizes struct {
	ImageChannels, ImageHeight, ImageWidth int // x
	Channels, GridHeight, GridWidth        int // g(x), and the map's h×w
	Classes                                int // K
}

// Image is the number of values of one image.
func (s Sizes) Image() int { return s.ImageChannels * s.ImageHeight * s.ImageWidth }

// Features is the number of values of one image's features.
func (s Sizes) Features() int { return s.Channels * s.GridHeight * s.GridWidth }

// Map is the number of cells of one attention map.
func (s Sizes) Map() int { return s.GridHeight * s.GridWidth }

// NetworkOptions tune the sessions of a Network.
type NetworkOptions struct {
	Session ort.Options // threads of every part; Name and NoSpinning are overwritten
	// Spin lets the runtime's idle threads wait for the next operator in a loop. It only helps on a machine that does nothing
	// else. Decoding needs the cores too, and the loops take them away (measured: 1.6 times slower).
	Spin bool
}

// Network is an ABN on the runtime: g(x), M(x) with ŷ_att, and ŷ_per, each a session of its own that is
// opened when it is first used, for batches of any size. It is safe for concurrent use.
type Network struct {
	Preprocessor  *Preprocessor
	preprocessing string // its manifest.Manifest.PreprocessingHash
	sizes         Sizes
	extractor     *part
	attention     *part
	perception    *part
	branches      *part
	whole         *part
}

// part is a graph whose session is opened on demand.
type part struct {
	name            string
	inputs, outputs []string
	options         ort.Options

	mu      sync.Mutex
	model   *onnx.Model // nil once the session has its own copy
	closed  bool
	session *ort.Session

	first sync.Mutex // held while the session is run for the first time
	ran   bool       // it has answered
}

// NewNetwork makes an opened network ready to run. Its manifest must fit: crop and channels are those of its input, and there are
// as many classes as logits. If not, the error is a *manifest.Error.
func NewNetwork(opened *network.Network, o NetworkOptions) (*Network, error) {
	pre, err := NewPreprocessor(opened.Manifest())
	if err != nil {
		return nil, fmt.Errorf("opening the network: %w", err)
	}
	if err := opened.Fits(); err != nil {
		return nil, fmt.Errorf("opening the network: %w", err)
	}
	n := newParts(opened.ABN(), o)
	n.Preprocessor, n.preprocessing, n.sizes = pre, opened.Manifest().PreprocessingHash(), sizesOf(&opened.ABN().Parts)
	return n, nil
}

func sizesOf(p *onnx.Parts) Sizes {
	return Sizes{
		ImageChannels: p.ImageChannels, ImageHeight: p.ImageHeight, ImageWidth: p.ImageWidth,
		Channels: p.Channels, GridHeight: p.Height, GridWidth: p.Width, Classes: p.Classes,
	}
}

// newParts is a network without preprocessing and sizes.
func newParts(abn *onnx.ABN, o NetworkOptions) *Network {
	o.Session.NoSpinning = !o.Spin
	open := func(name string, model *onnx.Model, inputs, outputs []string) *part {
		return &part{name: name, model: model, inputs: inputs, outputs: outputs, options: o.Session}
	}
	answers := []string{onnx.PortMap, onnx.PortLogitsAtt, onnx.PortLogitsPer}
	return &Network{
		extractor:  open("extractor", abn.Extractor, []string{onnx.PortImage}, []string{onnx.PortFeatures}),
		attention:  open("attention branch", abn.Attention, []string{onnx.PortFeatures}, []string{onnx.PortMap, onnx.PortLogitsAtt}),
		perception: open("perception branch", abn.Perception, []string{onnx.PortFeatures, onnx.PortMap}, []string{onnx.PortLogitsPer}),
		branches:   open("branches", abn.Branches, []string{onnx.PortFeatures}, answers),
		whole:      open("network", abn.Whole, []string{onnx.PortImage}, answers),
	}
}

// Close frees all sessions, after the runs under way. A run on a closed Network is ort.ErrClosed.
func (n *Network) Close() error {
	var errs []error
	for _, p := range n.parts() {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (n *Network) parts() []*part {
	return []*part{n.extractor, n.attention, n.perception, n.branches, n.whole}
}

// Sizes are the network's dimensions.
func (n *Network) Sizes() Sizes { return n.sizes }

// Features computes g(x): pixels [count, channels, H, W], normalised as the manifest says, → [count, C, h, w]. Errors of this and
// the methods below are the runtime's, or wrap the context's cause.
func (n *Network) Features(ctx context.Context, count int, pixels []float32) ([]float32, error) {
	out := make([]float32, count*n.sizes.Features())
	return out, n.FeaturesInto(ctx, count, pixels, out)
}

// Extract is Features under the name that package trainer asks for.
func (n *Network) Extract(ctx context.Context, count int, pixels []float32) ([]float32, error) {
	return n.Features(ctx, count, pixels)
}

// FeaturesInto is Features that writes into features, [count, C, h, w] of the caller's memory, which saves a large allocation per
// batch.
func (n *Network) FeaturesInto(ctx context.Context, count int, pixels, features []float32) error {
	s := n.sizes
	return n.extractor.run(ctx,
		[]array{{pixels, n.imageDims(count)}},
		[]array{{features, dims(count, s.Channels, s.GridHeight, s.GridWidth)}})
}

// Attention computes M(x) [count, 1, h, w] and ŷ_att [count, K], logits, from features [count, C, h, w].
func (n *Network) Attention(ctx context.Context, count int, features []float32) (maps, logits []float32, err error) {
	maps, logits = make([]float32, count*n.sizes.Map()), make([]float32, count*n.sizes.Classes)
	err = n.attention.run(ctx, []array{n.featureArray(count, features)},
		[]array{n.mapArray(count, maps), n.logitArray(count, logits)})
	return maps, logits, err
}

// Perception computes ŷ_per [count, K], logits, from features [count, C, h, w] and maps [count, 1, h, w], the network's own or
// people's.
func (n *Network) Perception(ctx context.Context, count int, features, maps []float32) ([]float32, error) {
	logits := make([]float32, count*n.sizes.Classes)
	err := n.perception.run(ctx, []array{n.featureArray(count, features), n.mapArray(count, maps)},
		[]array{n.logitArray(count, logits)})
	return logits, err
}

// Branches runs both branches over features [count, C, h, w] in one go.
func (n *Network) Branches(ctx context.Context, count int, features []float32) (Outputs, error) {
	out := n.newOutputs(count)
	return out, n.branches.run(ctx, []array{n.featureArray(count, features)}, n.outputArrays(count, out))
}

// Forward runs the whole network in one go: pixels [count, channels, H, W] in, everything but the
// features out.
func (n *Network) Forward(ctx context.Context, count int, pixels []float32) (Outputs, error) {
	out := n.newOutputs(count)
	return out, n.whole.run(ctx, []array{{pixels, n.imageDims(count)}}, n.outputArrays(count, out))
}

// Probabilities turns perception logits [N, K] into probabilities in place: a softmax per row, in [0,1] with the sum 1. (If a
// file's graph ends in a Softmax, its logits are the values before it: see onnx.Parts.)
func (n *Network) Probabilities(values []float32) {
	for at := 0; at+n.sizes.Classes <= len(values); at += n.sizes.Classes {
		logits.Softmax(values[at : at+n.sizes.Classes])
	}
}

// argmax is the index of the largest value, the first of several equal ones.
func argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// array is a slice with its shape.
type array struct {
	data []float32
	dims []int64
}

func dims(sizes ...int) []int64 {
	out := make([]int64, len(sizes))
	for i, s := range sizes {
		out[i] = int64(s)
	}
	return out
}

func (n *Network) imageDims(count int) []int64 {
	return dims(count, n.sizes.ImageChannels, n.sizes.ImageHeight, n.sizes.ImageWidth)
}

func (n *Network) featureArray(count int, data []float32) array {
	return array{data, dims(count, n.sizes.Channels, n.sizes.GridHeight, n.sizes.GridWidth)}
}

func (n *Network) mapArray(count int, data []float32) array {
	return array{data, dims(count, 1, n.sizes.GridHeight, n.sizes.GridWidth)}
}

func (n *Network) logitArray(count int, data []float32) array {
	return array{data, dims(count, n.sizes.Classes)}
}

func (n *Network) newOutputs(count int) Outputs {
	k := count * n.sizes.Classes
	return Outputs{
		Maps:      make([]float32, count*n.sizes.Map()),
		LogitsAtt: make([]float32, k),
		LogitsPer: make([]float32, k),
	}
}

func (n *Network) outputArrays(count int, out Outputs) []array {
	return []array{n.mapArray(count, out.Maps), n.logitArray(count, out.LogitsAtt), n.logitArray(count, out.LogitsPer)}
}

// open returns the part's session.
func (p *part) open() (*ort.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("running the %s: %w", p.name, ort.ErrClosed)
	}
	if p.session != nil {
		return p.session, nil
	}
	data, err := p.model.Marshal()
	if err != nil {
		return nil, fmt.Errorf("opening the %s: %w", p.name, err)
	}
	o := p.options
	o.Name = "the " + p.name
	p.session, err = ort.Open(data, p.inputs, p.outputs, o)
	if err == nil {
		p.model = nil
	}
	return p.session, err
}

func (p *part) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	session := p.session
	p.session = nil
	return session.Close()
}

// run computes the rows of in. The very first row of a session is run alone: its time gives the limit for a batch, and a network
// that never answers is noticed as soon as possible.
func (p *part) run(ctx context.Context, in, out []array) error {
	session, err := p.open()
	if err != nil {
		return err
	}
	if in[0].dims[0] > 1 {
		if err := p.tryOne(ctx, session, in, out); err != nil {
			return err
		}
	}
	return p.compute(ctx, session, in, out)
}

// tryOne computes the first row, unless the session has answered before.
func (p *part) tryOne(ctx context.Context, session *ort.Session, in, out []array) error {
	p.first.Lock()
	defer p.first.Unlock()
	if p.ran {
		return nil
	}
	firsts := func(arrays []array) (rows []array) {
		for _, a := range arrays {
			rows = append(rows, array{a.data[:len(a.data)/int(a.dims[0])], append([]int64{1}, a.dims[1:]...)})
		}
		return rows
	}
	err := p.compute(ctx, session, firsts(in), firsts(out))
	p.ran = err == nil
	return err
}

// compute shares the arrays with the runtime for the length of one run.
func (p *part) compute(ctx context.Context, session *ort.Session, in, out []array) error {
	inputs, err := tensors(in)
	defer closeAll(inputs)
	if err != nil {
		return fmt.Errorf("running the %s: %w", p.name, err)
	}
	outputs, err := tensors(out)
	defer closeAll(outputs)
	if err != nil {
		return fmt.Errorf("running the %s: %w", p.name, err)
	}
	return session.Run(ctx, inputs, outputs)
}

func tensors(arrays []array) ([]*ort.Tensor, error) {
	out := make([]*ort.Tensor, 0, len(arrays))
	for _, a := range arrays {
		t, err := ort.Float32s(a.data, a.dims...)
		if err != nil {
			return out, err
		}
		out = append(out, t)
	}
	return out, nil
}

func closeAll(tensors []*ort.Tensor) {
	for _, t := range tensors {
		t.Close()
	}
}
