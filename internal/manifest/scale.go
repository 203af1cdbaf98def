package manifest

import (
	"fmt"
	"math"
)

// minStd is the least a deviation can be: what takes pixels from 0 to 255 as they are has 1/255, which some round to 0.0039.
const minStd = 0.0038

// scale tells whether mean and std are of x/255, what they act on: it returns the field that is wrong, "mean" or "std", and why;
// "" where both can be. Mean and deviation of pixels from 0 to 255, as some frameworks write them, would make every answer wrong
// without a word.
func scale(mean, std []float32) (field, reason string) {
	for _, v := range mean {
		switch {
		case none(v) || v < 0 || v > 255:
			return "mean", fmt.Sprintf("%v is no mean of x/255, want 0 to 1", v)
		case v > 1:
			return "mean", fmt.Sprintf("%v is above 1, and mean and std act on x/255: divide by 255 (%.4g), the std too; a network that takes 0 to 255 less its mean has std 1/255 = 0.00392157", v, v/255)
		}
	}
	for _, v := range std {
		switch {
		case none(v) || v <= 0 || v > 255:
			return "std", fmt.Sprintf("%v is no deviation of x/255, want more than 0 and at most 1", v)
		case v > 1:
			return "std", fmt.Sprintf("%v is above 1, and mean and std act on x/255: divide by 255 (%.4g)", v, v/255)
		case v < minStd:
			return "std", fmt.Sprintf("%v is below 1/255 = 0.00392157, which would spread the pixels beyond 0 to 255: was it divided by 255 twice?", v)
		}
	}
	return "", ""
}

// none reports what is no number.
func none(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }
