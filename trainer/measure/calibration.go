package measure

import "math"

// Bins is how many bins of equal width calibration has (Guo et al., 2017).
const Bins = 15

// Bin is a row of a reliability diagram: the images whose confidence is in (Low, High], or in [0, High] for the first.
type Bin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Images     int     `json:"images"`
	Accuracy   float64 `json:"accuracy"`   // of them; 0 without images
	Confidence float64 `json:"confidence"` // their mean; 0 without images
}

// Reliability sorts rows by confidence into Bins bins.
func Reliability(rows []Row) []Bin { return reliability(rows, all(len(rows))) }

func reliability(rows []Row, indices []int) []Bin {
	bins := make([]Bin, Bins)
	for i := range bins {
		bins[i].Low, bins[i].High = float64(i)/Bins, float64(i+1)/Bins
	}
	for _, i := range indices {
		r := rows[i]
		b := &bins[min(max(0, int(math.Ceil(r.Confidence*Bins))-1), Bins-1)]
		b.Images++
		b.Confidence += r.Confidence
		b.Accuracy += one(r.Correct())
	}
	for i := range bins {
		if n := float64(bins[i].Images); n > 0 {
			bins[i].Accuracy, bins[i].Confidence = bins[i].Accuracy/n, bins[i].Confidence/n
		}
	}
	return bins
}

// CalibrationError is the expected calibration error of a reliability diagram: Σ (images of the bin ÷ images) · |accuracy − confidence|.
func CalibrationError(bins []Bin) float64 {
	var sum, images float64
	for _, b := range bins {
		sum += float64(b.Images) * math.Abs(b.Accuracy-b.Confidence)
		images += float64(b.Images)
	}
	return sum / max(1, images)
}
