package engine

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/recipe"
)

// optimizerCases is what PyTorch 1.13 makes of the same parameters and gradients; see testdata/optimizer.py.
//
//go:embed testdata/optimizer.json
var optimizerCases []byte

func TestOptimizersArePyTorchs(t *testing.T) {
	t.Parallel()
	var table struct {
		Dims      [][]int64
		Start     [][]float32
		Gradients [][][]float32 // by step
		Cases     []struct {
			Name      string
			Optimizer recipe.Optimizer
			Momentum  float64
			Decay     float64
			Clip      float64
			Spare     bool
			Rates     []float64
			Norms     []float64
			After     [][][]float32 // by step
		}
	}
	if err := json.NewDecoder(bytes.NewReader(optimizerCases)).Decode(&table); err != nil {
		t.Fatal(err)
	}
	if len(table.Cases) != 8 {
		t.Fatalf("%d cases", len(table.Cases))
	}
	for _, c := range table.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			var parameters []Parameter
			for i, values := range table.Start {
				p := Parameter{Name: fmt.Sprint(i), Dims: table.Dims[i], Value: slices.Clone(values), Momentum: make([]float32, len(values))}
				if c.Optimizer == recipe.OptimizerAdamW {
					p.Second = make([]float32, len(values))
				}
				parameters = append(parameters, p)
			}
			for step, want := range c.After {
				norm, err := Apply(parameters, table.Gradients[step], Update{
					LearningRate: c.Rates[step], Momentum: c.Momentum, WeightDecay: c.Decay,
					Optimizer: c.Optimizer, SpareNorms: c.Spare, ClipNorm: c.Clip, Step: step + 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				if c.Clip != 0 && math.Abs(norm-c.Norms[step]) > 1e-6*norm || c.Clip == 0 && norm != 0 {
					t.Errorf("step %d: norm %v, PyTorch has %v", step, norm, c.Norms)
				}
				for i, p := range parameters {
					for j, v := range p.Value {
						if math.Abs(float64(v-want[i][j])) > 1e-6 {
							t.Fatalf("step %d, parameter %d, element %d: %v, PyTorch has %v", step, i, j, v, want[i][j])
						}
					}
				}
			}
		})
	}
}

// someParameters are tensors of several chunks and of one, with gradients.
func someParameters(second bool, sizes ...int) (parameters []Parameter, gradients [][]float32) {
	rng := rand.New(rand.NewPCG(5, 5))
	noise := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64())
		}
		return out
	}
	for i, n := range sizes {
		p := Parameter{Name: fmt.Sprint("parameter ", i), Dims: []int64{int64(n), 1}, Value: noise(n), Momentum: make([]float32, n)}
		if second {
			p.Second = make([]float32, n)
		}
		parameters, gradients = append(parameters, p), append(gradients, noise(n))
	}
	return parameters, gradients
}

// The norm, and so every update with a ClipNorm, must not depend on how many cores there are or which is first.
func TestUpdateIsTheSameOnAnyNumberOfCores(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var first []Parameter
	var norm float64
	for _, cores := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(cores)
		parameters, gradients := someParameters(true, 3*updateChunk+5, 17, updateChunk, 1)
		got := 0.0
		for step := 1; step <= 3; step++ {
			var err error
			if got, err = Apply(parameters, gradients, Update{LearningRate: 0.01, WeightDecay: 0.1, Optimizer: recipe.OptimizerAdamW, ClipNorm: 1, Step: step}); err != nil {
				t.Fatal(err)
			}
		}
		if first == nil {
			first, norm = parameters, got
			continue
		}
		if got != norm {
			t.Errorf("%d cores: norm %v, want %v", cores, got, norm)
		}
		for i, p := range parameters {
			if !slices.Equal(p.Value, first[i].Value) || !slices.Equal(p.Momentum, first[i].Momentum) || !slices.Equal(p.Second, first[i].Second) {
				t.Errorf("%d cores: %s differs", cores, p.Name)
			}
		}
	}
}

func TestUpdateOnNaNChangesNothing(t *testing.T) {
	t.Parallel()
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		parameters, gradients := someParameters(false, updateChunk+3, 5)
		before := slices.Clone(parameters[0].Value)
		gradients[1][2] = bad
		norm, err := Apply(parameters, gradients, Update{LearningRate: 1, Momentum: 0.9, ClipNorm: 1})
		if err != nil || Finite(norm) {
			t.Errorf("a gradient of %v: norm %v, %v", bad, norm, err)
		}
		if !slices.Equal(parameters[0].Value, before) {
			t.Errorf("a gradient of %v changed a parameter", bad)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	parameters, gradients := someParameters(false, 4)
	for _, u := range []Update{
		{LearningRate: 1, Optimizer: recipe.OptimizerAdamW, Step: 1}, // no second moments
		{LearningRate: 1, Optimizer: "lion"},
	} {
		if _, err := Apply(parameters, gradients, u); err == nil {
			t.Errorf("%+v: accepted", u)
		}
	}
	parameters, gradients = someParameters(true, 4)
	if _, err := Apply(parameters, gradients, Update{LearningRate: 1, Optimizer: recipe.OptimizerAdamW}); err == nil {
		t.Error("AdamW without the number of its step: accepted")
	}
}

// The update of ResNet-50's branches: 31 million parameters.
func BenchmarkUpdate(b *testing.B) {
	const elements = 31 << 20
	for _, c := range []struct {
		name string
		u    Update
	}{
		{"sgd", Update{Optimizer: recipe.OptimizerSGD}},
		{"sgd-clipped", Update{Optimizer: recipe.OptimizerSGD, ClipNorm: 1}},
		{"nesterov", Update{Optimizer: recipe.OptimizerNesterov}},
		{"adamw", Update{Optimizer: recipe.OptimizerAdamW}},
		{"adamw-clipped", Update{Optimizer: recipe.OptimizerAdamW, ClipNorm: 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			adam := c.u.Optimizer == recipe.OptimizerAdamW
			parameters, gradients := someParameters(adam, elements)
			c.u.LearningRate, c.u.Momentum, c.u.WeightDecay, c.u.Step = 1e-4, 0.9, 1e-4, 3
			passes := int64(5) // value and momentum read and written, gradient read
			if adam {
				passes = 7
			}
			if c.u.ClipNorm > 0 {
				passes++
			}
			b.SetBytes(passes * 4 * elements)
			for b.Loop() {
				if _, err := Apply(parameters, gradients, c.u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
