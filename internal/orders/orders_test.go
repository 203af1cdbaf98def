package orders

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestTakes(t *testing.T) {
	t.Parallel()
	for order, want := range map[Order][2]bool{ // of wrong ones, of right ones
		ConfidentlyWrong: {true, false}, Uncertain: {true, true}, Confusion: {true, false}, Diverse: {true, false}, WrongReason: {false, true}, Random: {true, true}, "else": {},
	} {
		if got := [2]bool{order.Takes(false), order.Takes(true)}; got != want {
			t.Errorf("%s takes wrong and right ones: %v, want %v", order, got, want)
		}
	}
}

func TestMixProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mix  Mix
		says string
	}{
		{Usual(), ""},
		{Mix{ConfidentlyWrong: 50, Random: 50, Diverse: 0}, ""},
		{Mix{}, "make 0 per cent"},
		{Mix{ConfidentlyWrong: 60, Random: 50}, "make 110 per cent"},
		{Mix{ConfidentlyWrong: 150, Random: -50}, "between 0 and 100"},
		{Mix{"newest": 100}, `"newest" is no order: there are confident,`},
	} {
		if got := c.mix.Problem(); (c.says == "") != (got == "") || !strings.Contains(got, c.says) {
			t.Errorf("%v: %q, want %q", c.mix, got, c.says)
		}
	}
	if got := (Mix{Random: 30, ConfidentlyWrong: 70, Diverse: 0}).String(); got != "confident 70 %, random 30 %" {
		t.Errorf("a mix is written %q", got)
	}
}

// Over any number of turns each order has its share, to within one turn.
func TestNextKeepsTheShares(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		mix, left := Mix{}, 100
		for _, order := range All()[:5] {
			mix[order] = random.IntN(left + 1)
			left -= mix[order]
		}
		mix[Random] = left
		if problem := mix.Problem(); problem != "" {
			t.Fatal(problem)
		}
		tally := Tally{}
		for turn := 1; turn <= 300; turn++ {
			order, ok := tally.Next(mix, nil)
			if !ok || mix[order] == 0 {
				t.Fatalf("%v, turn %d: %q, %v", mix, turn, order, ok)
			}
			tally[order]++
			for _, o := range All() {
				if off := float64(tally[o]) - float64(mix[o]*turn)/100; math.Abs(off) > 2 || turn%100 == 0 && math.Abs(off) > 1 {
					t.Fatalf("%v, turn %d: %s is %+.2f turns off its share", mix, turn, o, off)
				}
			}
		}
	}
}

func TestNextPassesOver(t *testing.T) {
	t.Parallel()
	mix, passed := Mix{ConfidentlyWrong: 60, Diverse: 40}, map[Order]bool{}
	for _, want := range []Order{ConfidentlyWrong, Diverse, ""} {
		got, ok := Tally{}.Next(mix, passed)
		if got != want || ok != (want != "") {
			t.Errorf("with %v passed: %q, want %q", passed, got, want)
		}
		passed[got] = true
	}
}

// Of points on a line what is nearest to the mean comes first, then the ends, then what lies between.
func TestSpread(t *testing.T) {
	t.Parallel()
	points := [][]float32{{0}, {1}, {2}, {5}, {5.5}, {10}}
	if got, want := Spread(points, 4), []int{3, 0, 5, 2}; !slices.Equal(got, want) {
		t.Errorf("spread %v, want %v", got, want)
	}
	all := Spread(points, 99)
	slices.Sort(all)
	if !slices.Equal(all, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("all places: %v", all)
	}
	if got := Spread([][]float32{{1}, {1}, {1}}, 3); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("of equal points: %v", got)
	}
	if Spread(nil, 3) != nil {
		t.Error("of no points")
	}
}

func BenchmarkSpread(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	points := make([][]float32, 10000)
	for i := range points {
		points[i] = make([]float32, 512)
		for c := range points[i] {
			points[i][c] = random.Float32()
		}
	}
	for b.Loop() {
		Spread(points, 100)
	}
}
