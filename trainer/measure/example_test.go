package measure_test

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
)

// Six answers of three classes. Class 0: 2 of 3 right. Class 1: 1 of 2. Class 2: 0 of 1. A fifth of three classes, rounded down, is
// none, so the worst one counts. Group "sea" has 1 of 3 right.
//
// Confidences 0.9 and 0.95 are in one bin (14/15 … 1 holds 0.95 alone, 13/15 … 14/15 holds 0.9), the rest in bins of their own but for
// the two of 0.6: (0.533, 0.6] has accuracy ½ and confidence 0.6.
func ExampleTable() {
	rows := []measure.Row{
		{Image: "a", Group: "sea", Label: 0, Predicted: 0, Confidence: 0.95},
		{Image: "b", Group: "land", Label: 0, Predicted: 0, Confidence: 0.9},
		{Image: "c", Group: "sea", Label: 0, Predicted: 1, Confidence: 0.6},
		{Image: "d", Group: "land", Label: 1, Predicted: 1, Confidence: 0.6},
		{Image: "e", Group: "sea", Label: 1, Predicted: 0, Confidence: 0.5},
		{Image: "f", Group: "land", Label: 2, Predicted: 0, Confidence: 0.4},
	}
	for _, f := range measure.Table(rows, 3) {
		fmt.Printf("%s: %.4f\n", f.Label, f.Value)
	}
	// (0.05 + 0.1 + 2·|½ − 0.6| + 0.5 + 0.4) ÷ 6 = 1.25 ÷ 6
	for _, c := range measure.ConfusionMatrix(rows) {
		fmt.Printf("class %d answered %d: %d\n", c.Label, c.Predicted, c.Images)
	}
	// Output:
	// Accuracy: 0.5000
	// Top-1 error: 0.5000
	// Accuracy on the worst group: 0.3333
	// Accuracy on the worst class: 0.0000
	// Accuracy on the worst fifth of classes: 0.0000
	// Accuracy of the attention branch: 0.0000
	// Mean confidence: 0.6583
	// Expected calibration error: 0.2083
	// class 0 answered 0: 2
	// class 0 answered 1: 1
	// class 1 answered 0: 1
	// class 1 answered 1: 1
	// class 2 answered 0: 1
}

// Ten classes with accuracies 0, ½ and then 1: the worst fifth is two classes, with a mean of ¼.
func ExampleStatisticOf() {
	var rows []measure.Row
	for class := range 10 {
		first, second := class, class
		switch class {
		case 3:
			first, second = 0, 0
		case 7:
			first = 0
		}
		rows = append(rows, measure.Row{Label: class, Predicted: first}, measure.Row{Label: class, Predicted: second})
	}
	fifth := measure.StatisticOf(measure.WorstFifth, rows)
	every := make([]int, len(rows))
	for i := range every {
		every[i] = i
	}
	fmt.Println(fifth(every))
	fmt.Println(fifth([]int{0, 1, 2, 3, 14, 14, 15, 16, 17, 18})) // a bootstrap sample without class 3: of the six classes left, 7 is the worst
	// Output:
	// 0.25
	// 0.3333333333333333
}

// Two images of confidence 0.7 and 0.75 fall into (10/15, 11/15] and (11/15, 12/15].
func ExampleReliability() {
	for _, b := range measure.Reliability([]measure.Row{{Predicted: 1, Confidence: 0.7}, {Confidence: 0.75}}) {
		if b.Images > 0 {
			fmt.Printf("%.3f to %.3f: %d image, accuracy %.0f, confidence %.2f\n", b.Low, b.High, b.Images, b.Accuracy, b.Confidence)
		}
	}
	// Output:
	// 0.667 to 0.733: 1 image, accuracy 0, confidence 0.70
	// 0.733 to 0.800: 1 image, accuracy 1, confidence 0.75
}

// grid is a map of lines of values.
func grid(width int, values ...float32) attention.Map {
	return attention.Map{Height: len(values) / width, Width: width, Values: values}
}

// The largest value lies in the left upper corner, the object two pixels right and one down of it: √5 = 2.24 pixels away.
func ExamplePointing() {
	m := grid(3, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1)
	mask := grid(3, 0, 0, 0, 0, 0, 1)
	for _, tolerance := range []float64{2, 2.5} {
		hit, _ := measure.Pointing(m, mask, tolerance)
		fmt.Println(tolerance, hit)
	}
	_, defined := measure.Pointing(grid(3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), mask, 2)
	fmt.Println("of an even map:", defined)
	// Output:
	// 2 false
	// 2.5 true
	// of an even map: false
}

// The object has three pixels. The three largest values are 0.9, 0.8 and 0.7, of which two lie on it.
func ExampleRankAccuracy() {
	m := grid(3, 0.9, 0.7, 0.1, 0.8, 0.2, 0.3)
	mask := grid(3, 1, 1, 0, 0, 1, 0)
	share, _ := measure.RankAccuracy(m, mask)
	fmt.Printf("%.3f\n", share)
	// Output: 0.667
}

// At half of the largest value, 0.45, three pixels are attended, two of them on the object of three pixels: 2 in both, 4 in either.
func ExampleIoU() {
	m := grid(3, 0.9, 0.7, 0.1, 0.8, 0.2, 0.3)
	mask := grid(3, 1, 1, 0, 0, 1, 0)
	iou, _ := measure.IoU(m, mask, 0.5)
	fmt.Println(iou)
	// Output: 0.5
}

// Σ min = 0.2 + 0.5 + 0 = 0.7, Σ max = 0.4 + 0.5 + 0.5 = 1.4.
func ExampleSoftIoU() {
	iou, _ := measure.SoftIoU(grid(3, 0.2, 0.5, 0.5), grid(3, 0.4, 0.5, 0))
	fmt.Printf("%.2f\n", iou)
	// Output: 0.50
}

// The ranks are 1, 2, 3, 4 and, since two values are equal, 1, 2.5, 2.5, 4. Their deviations from 2.5 are −1.5, −0.5, 0.5, 1.5 and −1.5,
// 0, 0, 1.5: ρ = 4.5 ÷ √(5 · 4.5).
func ExampleSpearman() {
	rho, _ := measure.Spearman(grid(2, 0.1, 0.2, 0.3, 0.4), grid(2, 0, 0.5, 0.5, 0.9))
	fmt.Printf("%.4f\n", rho)
	_, defined := measure.Spearman(grid(2, 0.1, 0.2, 0.3, 0.4), grid(2, 0.5, 0.5, 0.5, 0.5))
	fmt.Println("of an even map:", defined)
	// Output:
	// 0.9487
	// of an even map: false
}

// The first map runs from 0.2 to 1 and is scaled to 0, 0.25, 0.5, 1, with a mean of 0.4375; the second one is 0, 0, 0, 1 with 0.25. Their mean,
// 0.34375, is the threshold. The object is the last cell; of the three others the first map is active on one.
func ExampleWrongReasonScore() {
	first, second := grid(4, 0.2, 0.4, 0.6, 1), grid(4, 0, 0, 0, 0.5)
	threshold, _ := measure.Activation([]attention.Map{first, second})
	wrong := measure.WrongArea(grid(4, 0, 0, 0, 1), attention.Map{})
	for _, m := range []attention.Map{first, second} {
		score, _ := measure.WrongReasonScore(m, wrong, threshold)
		fmt.Printf("%.3f\n", score)
	}
	fmt.Printf("threshold %.4f\n", threshold)
	// Output:
	// 0.333
	// 0.000
	// threshold 0.3437
}

// A network whose probability is the mean of a picture of four pixels. Two are taken out at a time, the largest values of the map first:
// 1, then ½, then 0. The area is (1.5 − ½ − 0) ÷ 2.
func ExampleReplacing() {
	network := func(_ context.Context, n int, pixels []float32) ([]float32, error) {
		out := make([]float32, n)
		for i, v := range pixels {
			out[i/4] += v / 4
		}
		return out, nil
	}
	order := measure.Order(grid(2, 0.1, 0.9, 0.8, 0.2))
	scores, _ := measure.Replacing(context.Background(), network, []float32{1, 1, 1, 1}, []float32{0, 0, 0, 0}, order, 2, []int{0})
	fmt.Println(order, scores[0], measure.AUC(scores[0]))
	// Output: [1 2 3 0] [1 0.5 0] 0.5
}

// 9 images are right with the first network alone, 3 with the second alone. If neither were better, each of the 12 would be a coin's toss:
// 3 or fewer of 12 heads have (1 + 12 + 66 + 220) ÷ 4096, twice of which is 0.146. From 25 discordant images on, χ² takes over.
func ExampleMcNemar() {
	p, test := measure.McNemar(9, 3)
	fmt.Printf("%.4f %s\n", p, test)
	p, test = measure.McNemar(40, 22) // (|40 − 22| − 1)² ÷ 62 = 4.661
	fmt.Printf("%.4f %s\n", p, test)
	// Output:
	// 0.1460 mcnemar_exact
	// 0.0308 mcnemar_corrected
}

// The least of three is multiplied by 3, the next by 2. The last would be 0.041, less than the one before it: it gets that one's 0.08.
func ExampleHolm() {
	fmt.Println(measure.Holm([]float64{0.01, 0.041, 0.04}))
	// Output: [0.03 0.08 0.08]
}

// Three seeds gain 4, 2 and 3 − 1 of 4 images: on average 8 ÷ 12. One seed's interval is over images alone, that of three over seeds and
// images.
func ExampleSeedBootstrap() {
	right := func(images ...int) measure.Statistic {
		return func(indices []int) (share float64) {
			for _, i := range indices {
				for _, r := range images {
					if i == r {
						share += 1 / float64(len(indices))
					}
				}
			}
			return share
		}
	}
	of := []measure.Statistic{right(0, 1, 2, 3), right(0, 1), right(2, 3, 0)}
	against := []measure.Statistic{right(), right(), right(1)}
	images := measure.Strata(make([]measure.Row, 4), []int{0, 1, 2, 3})
	one := measure.SeedBootstrap(of[1:2], against[1:2], images, 1)
	three := measure.SeedBootstrap(of, against, images, 1)
	fmt.Printf("one seed: %.2f (%.2f to %.2f)\n", one.Difference, one.Low, one.High)
	fmt.Printf("three seeds: %.2f (%.2f to %.2f)\n", three.Difference, three.Low, three.High)
	// Output:
	// one seed: 0.50 (0.00 to 1.00)
	// three seeds: 0.67 (0.17 to 1.00)
}
