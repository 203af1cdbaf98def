// Package logits turns a network's scores of classes into probabilities.
package logits

import "math"

// Softmax replaces the logits of one image by their probabilities.
func Softmax(row []float32) {
	highest := float32(math.Inf(-1))
	for _, v := range row {
		highest = max(highest, v)
	}
	var sum float64
	for i, v := range row {
		e := math.Exp(float64(v - highest))
		row[i] = float32(e)
		sum += e
	}
	for i := range row {
		row[i] = float32(float64(row[i]) / sum)
	}
}
