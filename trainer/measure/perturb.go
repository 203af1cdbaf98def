package measure

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// The blur that insertion starts from: RISE's kernel of BlurSize × BlurSize pixels.
const (
	BlurSize  = 11
	BlurSigma = 5
)

// Prober runs a network on pixels [n, channels, H, W] and returns probabilities [n, K]. Networks that differ in their last layer alone can
// share a Prober, which then returns those of all of them side by side.
type Prober func(ctx context.Context, n int, pixels []float32) ([]float32, error)

// Areas takes a picture [channels, H, W] apart and puts it together, in the order of a map of it. It has the areas under the curves of
// deletion and of insertion for each of the given columns of the Prober's probabilities. step is how many pixels are replaced at a time; 0: as many as a row has.
func Areas(ctx context.Context, network Prober, picture []float32, m attention.Map, height, width, step int, columns []int) (deletion, insertion []float64, err error) {
	if step == 0 {
		step = width
	}
	order := Order(Upsample(m, height, width))
	area := func(start, finish []float32) (areas []float64, err error) {
		curves, err := Replacing(ctx, network, start, finish, order, step, columns)
		for _, curve := range curves {
			areas = append(areas, AUC(curve))
		}
		return areas, err
	}
	if deletion, err = area(picture, make([]float32, len(picture))); err != nil {
		return nil, nil, err
	}
	insertion, err = area(Blur(picture, height, width), picture)
	return deletion, insertion, err
}

// Passes is how often Areas runs a network on a picture of so many rows, where a row's number of pixels is replaced at a time.
func Passes(height int) int { return 2 * (height + 1) }

// Order has the places of a map's values, the largest value first; equal values stay in reading order. (RISE's own code leaves equal
// values to NumPy's sorting.)
func Order(m attention.Map) []int {
	order := all(len(m.Values))
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case m.Values[a] > m.Values[b]:
			return -1
		case m.Values[a] < m.Values[b]:
			return 1
		}
		return 0
	})
	return order
}

// Replacing gives the probabilities of some classes, the columns of what network returns, while a picture start [channels, H, W] becomes
// another one, finish: before any pixel is replaced, and after each further step of pixels, in the given order. Deletion goes from the
// picture to a blank one, insertion from a blurred one to the picture (Petsiuk et al., RISE, 2018). There the class is the one that the
// network gives the unchanged picture.
func Replacing(ctx context.Context, network Prober, start, finish []float32, order []int, step int, columns []int) ([][]float64, error) {
	size, area := len(start), len(order)
	if step < 1 {
		return nil, fmt.Errorf("a step of %d pixels: at least one is replaced at a time", step)
	}
	steps := (area + step - 1) / step
	current := slices.Clone(start)
	batch := make([]float32, 0, min(steps+1, BatchSize)*size)
	scores := make([][]float64, len(columns))
	for i := range steps + 1 {
		batch = append(batch, current...)
		if len(batch) == cap(batch) || i == steps {
			n := len(batch) / size
			probabilities, err := network(ctx, n, batch)
			if err != nil {
				return nil, err
			}
			width := len(probabilities) / n
			for row := range n {
				for at, column := range columns {
					scores[at] = append(scores[at], float64(probabilities[row*width+column]))
				}
			}
			batch = batch[:0]
		}
		for _, pixel := range order[min(i*step, area):min((i+1)*step, area)] {
			for at := pixel; at < size; at += area {
				current[at] = finish[at]
			}
		}
	}
	return scores, nil
}

// AUC is the area under a curve of evenly spaced scores from 0 to 1, by trapezoids, as in RISE's code.
func AUC(scores []float64) float64 {
	var sum float64
	for _, s := range scores {
		sum += s
	}
	return (sum - scores[0]/2 - scores[len(scores)-1]/2) / float64(len(scores)-1)
}

// Blur blurs a picture [channels, height, width] as RISE does before insertion. Beyond the picture's edges lies 0, the mean colour.
func Blur(pixels []float32, height, width int) []float32 {
	kernel, half := blurKernel(), BlurSize/2
	lines, out := make([]float64, len(pixels)), make([]float32, len(pixels))
	for at := 0; at < len(pixels); at += width {
		for x := range width {
			for k, w := range kernel {
				if from := x + k - half; from >= 0 && from < width {
					lines[at+x] += w * float64(pixels[at+from])
				}
			}
		}
	}
	for plane := 0; plane < len(pixels); plane += height * width {
		for y := range height {
			for x := range width {
				var sum float64
				for k, w := range kernel {
					if from := y + k - half; from >= 0 && from < height {
						sum += w * lines[plane+from*width+x]
					}
				}
				out[plane+y*width+x] = float32(sum)
			}
		}
	}
	return out
}

// blurKernel is one axis of the blur: SciPy's gaussian_filter of a single 1 in the middle of BlurSize zeros, from which RISE makes its
// kernel. SciPy cuts the Gaussian off at 4σ and reflects what falls beyond the array's edges, so the weights sum to 1 and are flatter
// than a Gaussian's.
func blurKernel() []float64 {
	const radius = 4 * BlurSigma
	kernel := make([]float64, BlurSize)
	var sum float64
	for d := -radius; d <= radius; d++ {
		weight := math.Exp(-float64(d*d) / (2 * BlurSigma * BlurSigma))
		sum += weight
		at := ((BlurSize/2+d)%(2*BlurSize) + 2*BlurSize) % (2 * BlurSize)
		if at >= BlurSize {
			at = 2*BlurSize - 1 - at
		}
		kernel[at] += weight
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	return kernel
}
