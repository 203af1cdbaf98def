package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// benchTrainCommand times training steps against a large matrix product on the same runtime.
type benchTrainCommand struct {
	Arch     string `help:"Architecture whose branches to train, as in \"studio train\"." default:"resnet18"`
	Classes  int    `help:"Classes." default:"200"`
	Batch    int    `help:"Images in a step." default:"32"`
	Steps    int    `help:"Steps to time, after one that is not." default:"5"`
	Strategy string `help:"attention or both." default:"both" enum:"attention,both"`
	Norm     string `help:"BatchNorm statistics: frozen or batch." default:"batch" enum:"frozen,batch"`
	Profile  bool   `help:"Tell what the operators of a step cost."`
	JSON     bool   `help:"Print one JSON document." name:"json"`
}

// trainBench is what bench train measured. Rates are in 10⁹ floating-point operations a second, where a
// multiply-add counts as two.
type trainBench struct {
	Arch         string            `json:"arch"`
	Batch        int               `json:"batch"`
	StepMS       float64           `json:"step_ms"`    // median
	StepGFLOP    float64           `json:"step_gflop"` // forward, and both gradients of every convolution and matrix product
	TrainRate    float64           `json:"train_gflops"`
	GEMMRate     float64           `json:"gemm_gflops"`
	Ratio        float64           `json:"train_over_gemm_ratio"`
	ImagesSecond float64           `json:"images_per_second"`
	Operators    []operatorProfile `json:"operators,omitempty"`
}

// gemmSide is the side of the square matrices that the runtime's best rate is measured with.
const gemmSide = 2048

// Run implements the command.
func (c *benchTrainCommand) Run(ctx context.Context, streams *stdio) error {
	result, err := c.measure(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(streams.Out).Encode(result)
	}
	fmt.Fprintf(streams.Out, "training step   %.0f ms for %d images (%.1f images/s), %.0f GFLOP: %.0f GFLOP/s\n",
		result.StepMS, result.Batch, result.ImagesSecond, result.StepGFLOP, result.TrainRate)
	fmt.Fprintf(streams.Out, "large product   %.0f GFLOP/s\n", result.GEMMRate)
	fmt.Fprintf(streams.Out, "train_over_gemm_ratio   %.2f   (aim: 0.5 or more)\n", result.Ratio)
	for _, o := range result.Operators {
		fmt.Fprintf(streams.Out, "  %-24s %8.1f ms %6.0f calls\n", o.Operator, o.MS, o.Calls)
	}
	return nil
}

// measure alternates steps and products, so that both see the same machine.
func (c *benchTrainCommand) measure(ctx context.Context) (result trainBench, err error) {
	if c.Batch < 1 || c.Steps < 1 {
		return result, fmt.Errorf("bench train: batches of %d, %d steps: want at least 1", c.Batch, c.Steps)
	}
	abn, err := c.network()
	if err != nil {
		return result, err
	}
	settings := trainer.Settings{
		Strategy: trainer.Strategy(c.Strategy), BatchNorm: trainer.BatchNorm(c.Norm), MapLoss: trainer.MapLossL2, Gamma: 1,
	}
	var options trainer.ORTOptions
	if c.Profile {
		folder, err := os.MkdirTemp("", "studio-bench-")
		if err != nil {
			return result, err
		}
		defer os.RemoveAll(folder)
		options.ProfilePrefix = filepath.Join(folder, "step")
	}
	engine, err := trainer.NewORTEngine(abn, settings, options)
	if err != nil {
		return result, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, engine.Close())
		}
	}()
	product, err := openProduct()
	if err != nil {
		return result, err
	}
	defer product.close()

	batch := randomBatch(abn, c.Batch)
	update := trainer.Update{LearningRate: 1e-4, Momentum: 0.9, WeightDecay: 1e-4}
	var steps, products []float64
	for i := range c.Steps + 1 {
		start := time.Now()
		if _, err := engine.Step(ctx, batch, update); err != nil {
			return result, err
		}
		step := time.Since(start).Seconds()
		start = time.Now()
		for range productRuns {
			if err := product.run(ctx); err != nil {
				return result, err
			}
		}
		if i > 0 { // the first step allocates
			steps, products = append(steps, step), append(products, time.Since(start).Seconds()/productRuns)
		}
	}
	gflop, err := stepGFLOP(abn, settings.Strategy, c.Batch)
	if err != nil {
		return result, err
	}
	step := median(steps)
	result = trainBench{
		Arch: c.Arch, Batch: c.Batch, StepMS: 1e3 * step, StepGFLOP: gflop, TrainRate: gflop / step,
		GEMMRate: 2 * gemmSide * gemmSide * gemmSide / 1e9 / median(products), ImagesSecond: float64(c.Batch) / step,
	}
	result.Ratio = result.TrainRate / result.GEMMRate
	if c.Profile {
		closed = true
		if err := engine.Close(); err != nil {
			return result, err
		}
		result.Operators, err = readProfile(options.ProfilePrefix, c.Steps+1)
	}
	return result, err
}

// network is the architecture at random weights, taken apart.
func (c *benchTrainCommand) network() (*onnx.ABN, error) {
	a, err := trainer.ArchitectureNamed(c.Arch)
	if err != nil {
		return nil, err
	}
	model, err := a.Build(c.Classes, 1)
	if err != nil {
		return nil, err
	}
	parts, err := onnx.FindParts(model, onnx.PartNames{})
	if err != nil {
		return nil, err
	}
	return onnx.Split(model, parts)
}

// productRuns is how many products follow each step.
const productRuns = 4

// largeProduct is one MatMul of two square matrices on ONNX Runtime.
type largeProduct struct {
	session *ort.Session
	inputs  []*ort.Tensor
	outputs []*ort.Tensor
}

func openProduct() (*largeProduct, error) {
	matrix := onnx.ShapeOf(gemmSide, gemmSide)
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: &onnx.Graph{
		Name:    "product",
		Nodes:   []*onnx.Node{onnx.NewNode("MatMul", "product", []string{"a", "b"}, []string{"c"})},
		Inputs:  []*onnx.ValueInfo{onnx.NewValue("a", onnx.Float, matrix), onnx.NewValue("b", onnx.Float, matrix)},
		Outputs: []*onnx.ValueInfo{onnx.NewValue("c", onnx.Float, matrix)},
	}}
	data, err := model.Marshal()
	if err != nil {
		return nil, err
	}
	p := &largeProduct{}
	if p.session, err = ort.Open(data, []string{"a", "b"}, []string{"c"}, ort.Options{Name: "large product"}); err != nil {
		return nil, err
	}
	for i := range 3 {
		data := make([]float32, gemmSide*gemmSide)
		for j := range data {
			data[j] = rand.Float32()
		}
		t, err := ort.Float32s(data, gemmSide, gemmSide)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		if i < 2 {
			p.inputs = append(p.inputs, t)
		} else {
			p.outputs = append(p.outputs, t)
		}
	}
	return p, nil
}

func (p *largeProduct) run(ctx context.Context) error { return p.session.Run(ctx, p.inputs, p.outputs) }

func (p *largeProduct) close() error {
	for _, t := range slices.Concat(p.inputs, p.outputs) {
		_ = t.Close()
	}
	return p.session.Close()
}

// randomBatch is a batch of features as a Relu leaves them, half of it with edited maps.
func randomBatch(abn *onnx.ABN, size int) trainer.Batch {
	rng := rand.New(rand.NewPCG(2, 0))
	b := trainer.Batch{Size: size}
	for range size * abn.Channels * abn.Height * abn.Width {
		b.Inputs = append(b.Inputs, max(0, float32(rng.NormFloat64())))
	}
	for i := range size {
		b.Labels = append(b.Labels, rng.Int64N(int64(abn.Classes)))
		b.HasEdit = append(b.HasEdit, float32(i%2))
		for range abn.Height * abn.Width {
			b.Edited = append(b.Edited, rng.Float32())
		}
	}
	return b
}

// stepGFLOP counts a step's convolutions and matrix products: each forward, and once more for the
// gradient of its weight and of its input, where the strategy asks for them. Features have no gradient.
func stepGFLOP(abn *onnx.ABN, strategy trainer.Strategy, batch int) (float64, error) {
	inferred, err := onnx.Infer(abn.Branches, map[string]onnx.Shape{
		onnx.PortFeatures: onnx.ShapeOf(int64(batch), int64(abn.Channels), int64(abn.Height), int64(abn.Width)),
	})
	if err != nil {
		return 0, err
	}
	total := 0.0
	trained := map[string]bool{} // values that depend on a trained weight
	for _, n := range abn.Branches.Graph.Nodes {
		weights := slices.ContainsFunc(n.Inputs, func(i string) bool {
			return slices.Contains(abn.AttentionInitializers, i) ||
				strategy != trainer.StrategyAttention && slices.Contains(abn.PerceptionInitializers, i)
		})
		through := slices.ContainsFunc(n.Inputs, func(i string) bool { return trained[i] })
		for _, o := range n.Outputs {
			trained[o] = through || weights
		}
		if !n.IsOp("Conv", "Gemm") {
			continue
		}
		out, _ := inferred.Shape(n.Outputs[0]).Sizes()
		dims, _ := inferred.Shape(n.Inputs[1]).Sizes()
		flop := 2.0
		for _, d := range out {
			flop *= float64(d)
		}
		for _, d := range dims[1:] {
			flop *= float64(d)
		}
		times := 1.0
		if weights {
			times++
		}
		if through {
			times++
		}
		total += times * flop
	}
	return total / 1e9, nil
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
