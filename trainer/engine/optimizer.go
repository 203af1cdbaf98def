package engine

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/abn-studio/studio/internal/recipe"
)

// AdamW's constants, PyTorch's defaults.
const (
	adamBeta1   = 0.9
	adamBeta2   = 0.999
	adamEpsilon = 1e-8
)

// clipEpsilon is what torch.nn.utils.clip_grad_norm_ adds to the norm before it divides by it.
const clipEpsilon = 1e-6

// Apply changes every parameter in place by its gradient g, as PyTorch's optimisers do:
//
//	sgd       g ← g + decay·p;  buf ← momentum·buf + g;  p ← p − rate·buf
//	nesterov  the same, but p ← p − rate·(g + momentum·buf)
//	adamw     p ← (1 − rate·decay)·p;  m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²
//	          p ← p − rate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε), t = u.Step
//
// with buf, m and v 0 before the first step. With SpareNorms there is no decay for tensors of one axis. A ClipNorm scales every g
// by min(1, ClipNorm/(norm + 1e-6)) first, where norm is the L2 norm over all gradients, as torch.nn.utils.clip_grad_norm_ does.
//
// It returns that norm, 0 without a ClipNorm. If the norm is not a finite number, no parameter changes; the caller has to check
// it. The work is one pass over memory (with a ClipNorm a second one over the gradients), shared by all cores; the result does
// not depend on their number.
func Apply(parameters []Parameter, gradients [][]float32, u Update) (norm float64, err error) {
	work := chunksOf(parameters, gradients, u)
	for _, c := range work {
		if u.Optimizer == recipe.OptimizerAdamW && c.second == nil {
			return 0, fmt.Errorf("parameter %s has no room for AdamW's second moment: the engine was opened for another optimizer", c.name)
		}
	}
	rule, err := ruleOf(u)
	if err != nil {
		return 0, err
	}
	scale := float32(1)
	if u.ClipNorm > 0 {
		norm = gradientNorm(work)
		if !Finite(norm) {
			return norm, nil
		}
		scale = float32(min(1, u.ClipNorm/(norm+clipEpsilon)))
	}
	OnAllCores(len(work), func(i int) { rule(&work[i], scale) })
	return norm, nil
}

// updateChunk is how many elements a goroutine updates at a time: 3 or 4 times 256 KiB, which stay in a core's cache.
const updateChunk = 1 << 16

// chunk is a stretch of one parameter.
type chunk struct {
	name                            string
	value, moment, second, gradient []float32
	decay                           float32
	rate                            float64 // what the learning rate is multiplied by
	squares                         float64 // Σ gradient², filled by gradientNorm
}

// chunksOf cuts parameters up, by their lengths only.
func chunksOf(parameters []Parameter, gradients [][]float32, u Update) []chunk {
	var out []chunk
	for i, p := range parameters {
		decay := float32(u.WeightDecay)
		if u.SpareNorms && len(p.Dims) < 2 {
			decay = 0
		}
		for start := 0; start < len(p.Value); start += updateChunk {
			end := min(start+updateChunk, len(p.Value))
			c := chunk{name: p.Name, value: p.Value[start:end], moment: p.Momentum[start:end], gradient: gradients[i][start:end], decay: decay, rate: cmp.Or(p.Rate, 1)}
			if p.Second != nil {
				c.second = p.Second[start:end]
			}
			out = append(out, c)
		}
	}
	return out
}

// OnAllCores calls work for 0 … n−1, from as many goroutines as there are cores.
func OnAllCores(n int, work func(i int)) {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	workers.Wait()
}

// gradientNorm is the L2 norm over all gradients. Each chunk is summed on its own, then the chunks in order, so that the result
// is the same on any number of cores.
func gradientNorm(work []chunk) float64 {
	OnAllCores(len(work), func(i int) {
		var lanes [4]float64 // four sums, so that additions need not wait for each other
		g := work[i].gradient
		for ; len(g) >= 4; g = g[4:] {
			lanes[0] += float64(g[0]) * float64(g[0])
			lanes[1] += float64(g[1]) * float64(g[1])
			lanes[2] += float64(g[2]) * float64(g[2])
			lanes[3] += float64(g[3]) * float64(g[3])
		}
		for _, v := range g {
			lanes[0] += float64(v) * float64(v)
		}
		work[i].squares = lanes[0] + lanes[1] + lanes[2] + lanes[3]
	})
	var sum float64
	for _, c := range work {
		sum += c.squares
	}
	return math.Sqrt(sum)
}

// ruleOf is the update of a chunk, whose gradient is multiplied by scale first.
func ruleOf(u Update) (func(c *chunk, scale float32), error) {
	rate := func(c *chunk) float32 { return float32(u.LearningRate * c.rate) }
	momentum := float32(u.Momentum)
	switch u.Optimizer {
	case recipe.OptimizerSGD, "":
		return func(c *chunk, scale float32) {
			descend(c.value, c.moment, c.gradient, scale, rate(c), momentum, c.decay)
		}, nil
	case recipe.OptimizerNesterov:
		return func(c *chunk, scale float32) {
			descendNesterov(c.value, c.moment, c.gradient, scale, rate(c), momentum, c.decay)
		}, nil
	case recipe.OptimizerAdamW:
		if u.Step < 1 {
			return nil, fmt.Errorf("AdamW corrects its moments by the number of the step, which begins at 1 and is %d", u.Step)
		}
		first, second := 1-math.Pow(adamBeta1, float64(u.Step)), 1-math.Pow(adamBeta2, float64(u.Step))
		root := float32(math.Sqrt(second))
		return func(c *chunk, scale float32) {
			descendAdamW(c.value, c.moment, c.second, c.gradient, scale, float32(u.LearningRate*c.rate/first), root, 1-rate(c)*c.decay)
		}, nil
	}
	return nil, fmt.Errorf("optimizer %q is none of sgd, nesterov, adamw", u.Optimizer)
}

func descend(value, buffer, gradient []float32, scale, rate, momentum, decay float32) {
	buffer, gradient = buffer[:len(value)], gradient[:len(value)] // one bounds check instead of three a turn
	for i, v := range value {
		b := momentum*buffer[i] + (scale*gradient[i] + decay*v)
		buffer[i] = b
		value[i] = v - rate*b
	}
}

func descendNesterov(value, buffer, gradient []float32, scale, rate, momentum, decay float32) {
	buffer, gradient = buffer[:len(value)], gradient[:len(value)]
	for i, v := range value {
		g := scale*gradient[i] + decay*v
		b := momentum*buffer[i] + g
		buffer[i] = b
		value[i] = v - rate*(g+momentum*b)
	}
}

// descendAdamW takes step = rate/(1−β₁ᵗ), root = √(1−β₂ᵗ) and keep = 1 − rate·decay.
func descendAdamW(value, first, second, gradient []float32, scale, step, root, keep float32) {
	const rise1, rise2 = 1 - adamBeta1, 1 - adamBeta2
	first, second, gradient = first[:len(value)], second[:len(value)], gradient[:len(value)]
	for i, v := range value {
		g := scale * gradient[i]
		m := adamBeta1*first[i] + rise1*g
		s := adamBeta2*second[i] + rise2*(g*g)
		first[i], second[i] = m, s
		value[i] = keep*v - step*(m/(float32(math.Sqrt(float64(s)))/root+adamEpsilon))
	}
}

// runningMomentum is PyTorch's: how much of a batch's statistics enters the running ones.
const runningMomentum = 0.1

// Follow moves running statistics towards a batch's, as PyTorch's BatchNorm does with momentum 0.1: r ← 0.9·r + 0.1·b. All slices
// are [C]; mean and variance are over count elements. variance is the population variance; the running one follows the unbiased
// variance, count/(count−1) times that.
func Follow(runningMean, runningVariance, mean, variance []float32, count int) {
	unbiased := float32(1)
	if count > 1 {
		unbiased = float32(count) / float32(count-1)
	}
	for i := range mean {
		runningMean[i] += runningMomentum * (mean[i] - runningMean[i])
		runningVariance[i] += runningMomentum * (variance[i]*unbiased - runningVariance[i])
	}
}

// Statistics is where a BatchNormalization's statistics are read from and written to, [C] each.
type Statistics struct {
	RunningMean, RunningVariance []float32
	Mean, Variance               []float32 // of a batch
	Spatial                      int       // H·W: a batch of N averages N·Spatial elements
}

// Finite reports whether a loss or a norm is neither NaN nor infinite.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
