package trainer

import (
	"runtime"
	"sync"
)

// updateChunk is how many elements a goroutine updates at a time: 3·256 KiB, which stay in a core's cache.
const updateChunk = 1 << 16

// update applies stochastic gradient descent with momentum to every parameter in place, as PyTorch's SGD:
//
//	g ← g + decay·p;  buf ← momentum·buf + g;  p ← p − rate·buf
//
// with buf 0 before the first step. One pass over memory, shared by all cores.
func update(parameters []Parameter, gradients [][]float32, u Update) {
	rate, momentum, decay := float32(u.LearningRate), float32(u.Momentum), float32(u.WeightDecay)
	chunks := make(chan func(), runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range cap(chunks) {
		workers.Go(func() {
			for work := range chunks {
				work()
			}
		})
	}
	for i, p := range parameters {
		for start := 0; start < len(p.Value); start += updateChunk {
			end := min(start+updateChunk, len(p.Value))
			value, buffer, gradient := p.Value[start:end], p.Momentum[start:end], gradients[i][start:end]
			chunks <- func() { descend(value, buffer, gradient, rate, momentum, decay) }
		}
	}
	close(chunks)
	workers.Wait()
}

func descend(value, buffer, gradient []float32, rate, momentum, decay float32) {
	buffer, gradient = buffer[:len(value)], gradient[:len(value)] // one bounds check instead of three a turn
	for i, v := range value {
		b := momentum*buffer[i] + (gradient[i] + decay*v)
		buffer[i] = b
		value[i] = v - rate*b
	}
}

// runningMomentum is PyTorch's: how much of a batch's statistics enters the running ones.
const runningMomentum = 0.1

// follow moves running statistics towards a batch's mean and population variance over count elements;
// the running variance follows the unbiased one.
func follow(runningMean, runningVariance, mean, variance []float32, count int) {
	unbiased := float32(1)
	if count > 1 {
		unbiased = float32(count) / float32(count-1)
	}
	for i := range mean {
		runningMean[i] += runningMomentum * (mean[i] - runningMean[i])
		runningVariance[i] += runningMomentum * (variance[i]*unbiased - runningVariance[i])
	}
}
