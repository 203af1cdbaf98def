package measure

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/sample"
)

// close64 fails where got is not want to within rounding.
func close64(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
		t.Errorf("%s: %v, the library says %v", what, got, want)
	}
}

// TestMeasuresAgreeWithLibraries compares the measures with NumPy's, SciPy's, scikit-learn's and PyTorch's on random cases
// (testdata/measures.py).
func TestMeasuresAgreeWithLibraries(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/measures.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Answers struct {
			Classes             int
			Labels              []int
			Probabilities       []float32
			Accuracy, Top5, ECE float64
			WorstClass          float64 `json:"worst_class"`
			WorstFifth          float64 `json:"worst_fifth"`
			Confusion           []int
		}
		Maps []struct {
			Map, Edited, Mask, Upsampled  []float32
			Away, Spearman, IoU, Distance float64
			SoftIoU                       float64 `json:"soft_iou"`
			RankAccuracy                  float64 `json:"rank_accuracy"`
		}
		McNemar []struct {
			Gained, Lost int
			P            float64
		}
		Holm struct{ P, Adjusted []float64 }
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}

	a := want.Answers
	var rows []Row
	for i, label := range a.Labels {
		s := sample.Sample{Label: label}
		rows = append(rows, RowOf(s, Judge(s, a.Probabilities[i*a.Classes:][:a.Classes], 0, attention.Map{})))
	}
	figures := map[string]float64{}
	for _, f := range Table(rows, a.Classes) {
		figures[f.Name] = f.Value
	}
	for name, want := range map[string]float64{
		Accuracy: a.Accuracy, TopOneError: 1 - a.Accuracy, Top5: a.Top5, TopFiveError: 1 - a.Top5, ECE: a.ECE, WorstClass: a.WorstClass, WorstFifth: a.WorstFifth,
	} {
		close64(t, name, figures[name], want)
	}
	confusion := make([]int, len(a.Confusion))
	for _, c := range ConfusionMatrix(rows) {
		confusion[c.Label*a.Classes+c.Predicted] = c.Images
	}
	for i, n := range confusion {
		if n != a.Confusion[i] {
			t.Errorf("confusion matrix, class %d answered %d: %d images, scikit-learn has %d", i/a.Classes, i%a.Classes, n, a.Confusion[i])
		}
	}

	for i, c := range want.Maps {
		on := func(values []float32) attention.Map { return attention.Map{Height: 6, Width: 5, Values: values} }
		m, edited, mask := on(c.Map), on(c.Edited), on(c.Mask)
		rho, _ := Spearman(m, edited)
		close64(t, "Spearman", rho, c.Spearman)
		soft, _ := SoftIoU(m, edited)
		close64(t, "soft IoU", soft, c.SoftIoU)
		iou, _ := IoU(m, mask, IoUThreshold)
		close64(t, "IoU", iou, c.IoU)
		rank, _ := RankAccuracy(m, mask)
		close64(t, "rank accuracy", rank, c.RankAccuracy)
		close64(t, "distance", m.Distance(edited), c.Distance)
		at, _ := Pointing(m, mask, c.Away)
		short, _ := Pointing(m, mask, c.Away-1e-9)
		if !at || short && c.Away > 0 {
			t.Errorf("map %d: the object is %v pixels away, hit within that %v, within less %v", i, c.Away, at, short)
		}
		for k, v := range Upsample(m, 23, 31).Values {
			if math.Abs(float64(v-c.Upsampled[k])) > 1e-6 {
				t.Fatalf("map %d: pixel %d of the upsampled map is %v, PyTorch says %v", i, k, v, c.Upsampled[k])
			}
		}
	}
	for _, c := range want.McNemar {
		p, test := McNemar(c.Gained, c.Lost)
		close64(t, string(test), p, c.P)
	}
	for i, p := range Holm(want.Holm.P) {
		close64(t, "Holm", p, want.Holm.Adjusted[i])
	}
}
