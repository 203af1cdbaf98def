package exports

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/npy"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/engine"
)

// Outcome is what becomes of a file.
type Outcome struct {
	Refused string      // why; "" where it is taken
	Parts   *onnx.Parts // where it comes apart; nil where it does not
	Opset   int64
	// Apart is the largest difference between an answer and the right one, in parts as one network.
	Apart float64
	// Trained says that a fine-tuning step was taken and the file written with it answers as the engine did.
	Trained bool
}

// tolerance is how far an answer may be from the right one.
const tolerance = 1e-5

// Check takes a file apart, compares its answers, takes a step and reads what is written then. The error is a failure, which is no
// way to refuse a file.
func (c Case) Check(ctx context.Context) (Outcome, error) {
	var out Outcome
	refuse := func(err error) Outcome {
		out.Refused = err.Error()
		return out
	}
	model, err := onnx.ReadFile(ctx, c.Path)
	if err != nil {
		return refuse(err), nil
	}
	out.Opset = model.Opset()
	m, err := manifest.ReadFile(manifest.Path(c.Path))
	if err != nil {
		return refuse(err), nil
	}
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return refuse(err), nil
	}
	out.Parts = &opened.ABN().Parts
	ready, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	if err != nil {
		return refuse(err), nil
	}
	defer ready.Close()
	input, right, err := c.answers()
	if err != nil {
		return out, err
	}
	if len(input.Shape) != 4 {
		return out, fmt.Errorf("the array input has shape %v", input.Shape)
	}
	count, pixels := input.Shape[0], floats(input)
	features, err := ready.Features(ctx, count, pixels)
	if err != nil {
		return out, err
	}
	inParts, err := ready.Branches(ctx, count, features)
	if err != nil {
		return out, err
	}
	whole, err := ready.Forward(ctx, count, pixels)
	if err != nil {
		return out, err
	}
	for _, got := range []inference.Outputs{inParts, whole} {
		if err := out.compare(got, right, opened.ABN().Names); err != nil {
			return out, err
		}
	}
	if err := alone(ctx, ready, count, pixels, whole); err != nil {
		return out, err
	}
	lacks, err := trainer.Lacks(ctx, opened.ABN(), settings())
	if err != nil || len(lacks) > 0 {
		return out, errors.Join(err, fmt.Errorf("it cannot be trained: %v", lacks))
	}
	if err := step(ctx, opened, count, features, ready.Sizes()); err != nil {
		return out, err
	}
	out.Trained = true
	return out, nil
}

// alone checks that images are answered as each by itself, whatever batch the file was exported for: together with others behind them, in a
// batch of another size.
func alone(ctx context.Context, ready *inference.Network, count int, pixels []float32, want inference.Outputs) error {
	more := slices.Clone(pixels)
	for _, v := range pixels {
		more = append(more, 0.3-0.7*v)
	}
	got, err := ready.Forward(ctx, 2*count, more)
	if err != nil {
		return fmt.Errorf("a batch of %d: %w", 2*count, err)
	}
	if d := max(apart(got.Maps[:len(want.Maps)], want.Maps), apart(got.LogitsAtt[:len(want.LogitsAtt)], want.LogitsAtt), apart(got.LogitsPer[:len(want.LogitsPer)], want.LogitsPer)); d > tolerance {
		return fmt.Errorf("images answer otherwise beside others, by %g", d)
	}
	second, err := ready.Forward(ctx, count, more[len(pixels):])
	if err != nil {
		return err
	}
	if d := max(apart(got.LogitsAtt[len(want.LogitsAtt):], second.LogitsAtt), apart(got.LogitsPer[len(want.LogitsPer):], second.LogitsPer)); d > tolerance {
		return fmt.Errorf("images answer otherwise behind others, by %g", d)
	}
	return nil
}

// settings are those of a fine-tuning of both branches.
func settings() recipe.Settings {
	s := recipe.Defaults()
	s.Strategy = recipe.StrategyBoth
	return s
}

// compare finds for each right answer the network's, which may be the logits of probabilities.
func (o *Outcome) compare(got inference.Outputs, right map[string]npy.Array, names onnx.PartNames) error {
	found := 0
	for name, want := range right {
		values := floats(want)
		candidates := [][]float32{got.LogitsAtt, got.LogitsPer, softmax(got.LogitsAtt, want.Shape), softmax(got.LogitsPer, want.Shape), got.Maps}
		switch name {
		case names.LogitsAtt:
			candidates = candidates[:1]
		case names.LogitsPer:
			candidates = candidates[1:2]
		case names.Map:
			candidates = candidates[4:]
		}
		closest := math.Inf(1)
		for _, c := range candidates {
			if len(c) == len(values) {
				closest = min(closest, apart(c, values))
			}
		}
		switch {
		case closest <= tolerance:
			found++
			o.Apart = max(o.Apart, closest)
		case len(want.Shape) == 2:
			return fmt.Errorf("%s is off by %g", name, closest)
		}
	}
	if found < 2 {
		return fmt.Errorf("%d of %d right answers were found", found, len(right))
	}
	return nil
}

// apart is the largest difference, of the larger of 1 and the right value.
func apart(got, want []float32) float64 {
	most := 0.0
	for i, w := range want {
		d := math.Abs(float64(got[i]-w)) / max(1, math.Abs(float64(w)))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		most = max(most, d)
	}
	return most
}

// floats are an array's numbers as float32.
func floats(a npy.Array) []float32 {
	values := a.Values()
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// softmax makes probabilities of logits [N,K]; nil where they are of another shape.
func softmax(logits []float32, dims []int) []float32 {
	if len(dims) != 2 || len(logits) != dims[0]*dims[1] {
		return nil
	}
	out := slices.Clone(logits)
	for row := range slices.Chunk(out, dims[1]) {
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(float64(v))
		}
		for i, v := range row {
			row[i] = float32(math.Exp(float64(v)) / sum)
		}
	}
	return out
}

// step trains both branches for a step, and compares what the engine answers then with what the written file does.
func step(ctx context.Context, opened *network.Network, count int, features []float32, sizes inference.Sizes) error {
	e, err := trainer.NewEngine(ctx, opened.ABN(), settings(), 1)
	if err != nil {
		return err
	}
	defer e.Close()
	batch := engine.Batch{Size: count, Inputs: features, Labels: make([]int64, count), HasEdit: make([]float32, count), Edited: make([]float32, count*sizes.Map())}
	batch.HasEdit[0] = 1
	result, err := e.Step(ctx, batch, engine.Update{LearningRate: 1e-3, Momentum: 0.9})
	if err != nil {
		return err
	}
	if v := result.Total(); !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("a loss of %g", v)
	}
	want, err := e.Forward(ctx, count, features)
	if err != nil {
		return err
	}
	child, err := trainer.Export(opened.Model(), e.Parameters(), nil)
	if err != nil {
		return err
	}
	file, err := child.Marshal()
	if err != nil {
		return err
	}
	again, err := network.Read(ctx, file, opened.Manifest())
	if err != nil {
		return fmt.Errorf("reading what was written: %w", err)
	}
	if again.ExtractorHash() != opened.ExtractorHash() {
		return fmt.Errorf("what was written has another extractor")
	}
	ready, err := inference.NewNetwork(again, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	if err != nil {
		return err
	}
	defer ready.Close()
	got, err := ready.Branches(ctx, count, features)
	if err != nil {
		return err
	}
	if d := max(apart(got.Maps, want.Maps), apart(got.LogitsAtt, want.LogitsAtt), apart(got.LogitsPer, want.LogitsPer)); d > tolerance {
		return fmt.Errorf("what was written answers otherwise than the engine, by %g", d)
	}
	return nil
}
