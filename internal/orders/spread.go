package orders

import "math"

// Spread lists the indices of the first places points so that each is as far as possible from all before it: k-center greedy (Gonzalez,
// Clustering to minimize the maximum intercluster distance, 1985; for choosing what to label, Sener and Savarese, arXiv 1708.00489).
// points are [n, C]; the distance is L2. The first is the point nearest to the mean of all, of equal ones the one with the least index.
// It takes n·places·C operations.
func Spread(points [][]float32, places int) []int {
	if len(points) == 0 || places < 1 {
		return nil
	}
	mean := make([]float32, len(points[0]))
	for _, p := range points {
		for c, v := range p {
			mean[c] += v / float32(len(points))
		}
	}
	nearest := make([]float32, len(points)) // the squared distance of each point to the nearest that was taken
	first, least := 0, float32(math.Inf(1))
	for i, p := range points {
		nearest[i] = float32(math.Inf(1))
		if d := squaredDistance(p, mean); d < least {
			first, least = i, d
		}
	}
	taken := []int{first}
	for len(taken) < min(places, len(points)) {
		last, next, far := points[taken[len(taken)-1]], -1, float32(-1)
		nearest[taken[len(taken)-1]] = -1 // never again
		for i, p := range points {
			if nearest[i] < 0 {
				continue
			}
			nearest[i] = min(nearest[i], squaredDistance(p, last))
			if nearest[i] > far {
				next, far = i, nearest[i]
			}
		}
		taken = append(taken, next)
	}
	return taken
}

func squaredDistance(a, b []float32) (sum float32) {
	b = b[:len(a)]
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}
