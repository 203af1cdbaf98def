package study

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// write keeps a round whose arms get so many of the images of each class right. Classes 0 to 4 have 20 images each, half of them away.
func write(t *testing.T, dir string, p RoundPoint, images string, right map[arms.Arm]func(class int) int) RoundPoint {
	t.Helper()
	var rows []measure.ArmRow
	for arm, of := range right {
		for class := range 5 {
			for i := range 20 {
				r := measure.ArmRow{Arm: arm, Seed: p.Seed, Set: measure.OfTest, Row: measure.Row{Image: fmt.Sprintf("%s/%d/%02d.png", images, class, i), Label: class, Predicted: class, Group: "home"}}
				if i >= 10 {
					r.Group = "away"
				}
				if i >= of(class) {
					r.Predicted = (class + 1) % 5
				}
				rows = append(rows, r)
				r.Set = measure.OfValidation
				rows = append(rows, r)
			}
		}
	}
	p.Rows, p.Used, p.Classes = p.file(), 3, 5
	if err := os.MkdirAll(filepath.Join(dir, "rows"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, p.Rows))
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(f)
	if err := measure.WriteArmRows(packed, rows); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCellsFollowFromRows(t *testing.T) {
	t.Parallel()
	for name, images := range map[string]func(seed int64) string{
		"the same images": func(int64) string { return "test" },
		"images by seed":  func(seed int64) string { return fmt.Sprint("test", seed) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var rounds []RoundPoint
			for seed := int64(1); seed <= 3; seed++ {
				p := RoundPoint{CellOf: CellOf{Network: "n", Identity: "n", Strategy: "both", Order: ConfidentlyWrong, Hand: Exact, Edits: 3}, Seed: seed}
				rounds = append(rounds, write(t, dir, p, images(seed), map[arms.Arm]func(int) int{
					arms.Control:        func(int) int { return 12 },
					arms.Candidate:      func(class int) int { return 12 + int(seed) }, // 13, 14, 15 of 20
					arms.CandidateRefit: func(class int) int { return 20 - 4*min(class, 1) },
				}))
			}
			lost := RoundPoint{CellOf: CellOf{Network: "n", Identity: "n", Strategy: "both", Order: ConfidentlyWrong, Hand: Exact, Edits: 3}, Seed: 4, Error: "it came apart"}
			cells, err := Cells(dir, append(rounds, lost), "away")
			if err != nil {
				t.Fatal(err)
			}
			if len(cells) != 1 || !slices.Equal(cells[0].Seeds, []int64{1, 2, 3}) || len(cells[0].Lost) != 1 || cells[0].Maps != arms.CandidateRefit || len(cells[0].Arms) != 3 {
				t.Fatalf("%+v", cells)
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if d := got - want; d > 1e-9 || d < -1e-9 {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			control, candidate, refit := cells[0].Arms[0], cells[0].Arms[1], cells[0].Arms[2]
			near("control", control.Accuracy, 0.6)
			near("control, worst fifth away", control.WorstFifth, 0.2)
			near("candidate", candidate.Accuracy, 0.7)
			near("candidate over the control", candidate.Over.Value, 0.1)
			near("candidate over the control, worst fifth", candidate.OverWorst.Value, 0.2)
			near("refit", refit.Accuracy, (20+4*16)/100.)
			near("refit less candidate", candidate.Maps.Value, 0.84-0.7)
			if control.Over != nil || refit.Maps != nil || control.Images != 300 || control.Seeds != 3 {
				t.Errorf("%+v", cells[0].Arms)
			}
			// Seeds differ by 0.05 to 0.15 and no image is drawn alike: the interval is around the mean and has a width.
			if i := candidate.Over; !(i.Low < 0.1 && i.High > 0.1 && i.Low > 0) {
				t.Errorf("over the control: %v", i)
			}
			var table strings.Builder
			PrintRounds(&table, cells)
			if cells[0].Baseline != arms.Control || !strings.Contains(table.String(), "| Candidate | 70.0 | +10.0 (") || !strings.Contains(table.String(), "refitted (the maps) |") || !strings.Contains(table.String(), "Seed 4 failed: it came apart") {
				t.Error(table.String())
			}
			if _, err := Cells(dir, rounds, "abroad"); err == nil || !strings.Contains(err.Error(), `"abroad"; there are away, home`) {
				t.Errorf("a group that is not there: %v", err)
			}
		})
	}
}

func TestHands(t *testing.T) {
	t.Parallel()
	list := make([]sample.Sample, 9)
	for i := range list {
		list[i].Edited = attention.New(5, 5)
		list[i].Edited.Values[6+i%3+5*(i/3)] = 1 // not at the edge
	}
	if exact := Exact.paint(list, 1); !slices.Equal(exact[3].Edited.Values, list[3].Edited.Values) {
		t.Error("an exact hand paints the mask")
	}
	careless := Careless.paint(list, 1)
	for i, s := range careless {
		sum := float32(0)
		for _, v := range s.Edited.Values {
			sum += v
		}
		if sum < 1 || sum > 9 || slices.Equal(s.Edited.Values, list[i].Edited.Values) {
			t.Errorf("a careless hand makes %v of a cell", s.Edited.Values)
		}
	}
	others := 0
	for i, s := range Mistaken.paint(list, 1) {
		if !slices.Equal(s.Edited.Values, list[i].Edited.Values) {
			others++
		}
	}
	if others != 3 {
		t.Errorf("%d of 9 have another image's map, want a third", others)
	}
	if again := Careless.paint(list, 1); !slices.EqualFunc(again, careless, func(a, b sample.Sample) bool { return slices.Equal(a.Edited.Values, b.Edited.Values) }) {
		t.Error("the same seed paints the same")
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	named := func(name string, wrong bool, confidence float32, inside float64) answer {
		return answer{sample.Sample{Name: name, Mask: attention.Map{Height: 1, Width: 2, Values: []float32{0.5, 0.25}}}, wrong, confidence, inside}
	}
	s := &subject{answers: []answer{named("a", true, 0.6, 0.5), named("b", false, 0.3, 0.9), named("c", true, 0.9, 0.1), named("d", false, 0.8, 0.2)}}
	for order, want := range map[Order]string{ConfidentlyWrong: "ca", Uncertain: "badc", WrongReason: "db"} {
		list, err := s.choose(order, 1)
		got := ""
		for _, one := range list {
			got += one.Name
		}
		if err != nil || got != want || list[0].Edited.Values[0] != 1 || list[0].Edited.Values[1] != 0.5 {
			t.Errorf("%s: %s, want %s, %v", order, got, want, err)
		}
	}
	if list, err := s.choose(Random, 1); err != nil || len(list) != 4 {
		t.Errorf("at random: %d, %v", len(list), err)
	}
	s.answers = s.answers[1:2]
	if _, err := s.choose(ConfidentlyWrong, 1); err == nil || !strings.Contains(err.Error(), "right: there is nothing to edit") {
		t.Errorf("nothing is wrong: %v", err)
	}
}

// Cells that lie in a mask by half or more are marked; the values stay, and so do other marks.
func TestMarkedWhereMasksSaySo(t *testing.T) {
	t.Parallel()
	m := attention.Map{Height: 2, Width: 2, Values: []float32{1, 0.5, 0, 0.25}, Marks: ".?.."}
	got := avoiding(m, attention.Map{Height: 2, Width: 2, Values: []float32{0, 0.4, 0.5, 1}})
	if got.Marks != ".?xx" || !slices.Equal(got.Values, m.Values) || m.Marks != ".?.." {
		t.Errorf("%q, %v", got.Marks, got.Values)
	}
	if same := avoiding(m, attention.Map{}); same.Marks != ".?.." {
		t.Errorf("without a mask: %q", same.Marks)
	}
}
