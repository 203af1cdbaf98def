package measure

import (
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

func painted(class int, maps ...[]float32) Painted {
	p := Painted{Class: class}
	for i, values := range maps {
		p.Painters = append(p.Painters, int64(i+1))
		p.Maps = append(p.Maps, attention.Map{Height: 1, Width: len(values), Values: values})
	}
	return p
}

func kindNamed(t *testing.T, name string) AgreementKind {
	t.Helper()
	for _, k := range AgreementKinds() {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no measure %s", name)
	return AgreementKind{}
}

func near(t *testing.T, what string, got *Level, want float64, images int) {
	t.Helper()
	switch {
	case got == nil:
		t.Errorf("%s is not known, want %v", what, want)
	case math.Abs(got.Value-want) > 1e-6 || got.Images != images:
		t.Errorf("%s is %v of %d images, want %v of %d", what, got.Value, got.Images, want, images)
	case !(got.Low <= got.Value && got.Value <= got.High):
		t.Errorf("%s is %v, outside of its interval %v to %v", what, got.Value, got.Low, got.High)
	}
}

// Two painters, two images. First image: ranks 1 2 3 4 and 1 3 2 4, so ρ = 1 − 6·2/(4·15) = 0.8, and soft IoU 0.2+0.4+0.4+0.8 over
// 0.2+0.6+0.6+0.8 = 1.8/2.2. Second: the ranks turned around, ρ = −1, and soft IoU 0.4/2. With two painters no ceiling is known.
func TestAgreementOfTwoByHand(t *testing.T) {
	t.Parallel()
	images := []Painted{
		painted(0, []float32{0.2, 0.4, 0.6, 0.8}, []float32{0.2, 0.6, 0.4, 0.8}),
		painted(0, []float32{0.1, 0.2, 0.3, 1}, []float32{0, 0.1, 0, 0}),
		painted(1, []float32{0.5, 0.5, 0.5, 0.5}), // one map: it is in no figure but the floor's
	}
	images[1] = painted(0, []float32{0.2, 0, 0.4, 0.6}, []float32{0.4, 0.6, 0.2, 0})
	rank := Agree(images, kindNamed(t, "spearman"), 1)
	near(t, "rank correlation", rank.Between, (0.8-1)/2, 2)
	if *rank.ByImage[0] != 0.8 || math.Abs(*rank.ByImage[1]+1) > 1e-9 || rank.ByImage[2] != nil {
		t.Errorf("by image: %v %v %v", *rank.ByImage[0], *rank.ByImage[1], rank.ByImage[2])
	}
	if rank.Ceiling != nil {
		t.Errorf("two painters have a ceiling: %+v", rank.Ceiling)
	}
	for painter := range int64(2) {
		of := rank.ByPainter[painter+1]
		near(t, "a painter's", &of, -0.1, 2)
	}
	iou := Agree(images, kindNamed(t, "soft_iou"), 1)
	// Second image: min 0.2+0+0.2+0, max 0.4+0.6+0.4+0.6.
	near(t, "soft IoU", iou.Between, (1.8/2.2+0.4/2)/2, 2)
}

// Three painters: the halves are one and the mean of two. Maps a, b and c of ones and zeros in three cells, of which each lacks another
// cell: soft IoU of two is 1/3. One against the mean of two: a = 1 1 0, (b+c)/2 = ½ ½ 1, so 1/3 too; of four with the pairs
// a, a, b, b: the ways to part them in two are aa|bb (1/3) and twice ab|ab (1), so 7/9.
func TestCeilingByHand(t *testing.T) {
	t.Parallel()
	a, b, c := []float32{1, 1, 0}, []float32{0, 1, 1}, []float32{1, 0, 1}
	iou := kindNamed(t, "soft_iou")
	near(t, "three painters' ceiling", Agree([]Painted{painted(0, a, b, c)}, iou, 1).Ceiling, 1.0/3, 1)
	four := Agree([]Painted{painted(0, a, a, b, b)}, iou, 1)
	near(t, "four painters' agreement", four.Between, (2*1+4.0/3)/6, 1)
	near(t, "four painters' ceiling", four.Ceiling, 7.0/9, 1)

	// Ranks: a against the mean of the others is −1 for each, and stays; 0.5 is stepped to 2·0.5/1.5.
	near(t, "three painters' rank ceiling", Agree([]Painted{painted(0, a, b, c)}, kindNamed(t, "spearman"), 1).Ceiling, -1, 1)
	if got := SpearmanBrown(0.5); math.Abs(got-2.0/3) > 1e-12 {
		t.Errorf("0.5 is stepped to %v", got)
	}
	same := Agree([]Painted{painted(0, a, a, a)}, kindNamed(t, "spearman"), 1)
	near(t, "the ceiling of equal maps", same.Ceiling, 1, 1)
}

// All maps of class 0 are one map, and all of class 1 are another, which shares no cell with it: within classes the floor is 1, as the
// agreement is. Classes of one image are compared with all others, and the floor is 0 between the two classes.
func TestFloorByHand(t *testing.T) {
	t.Parallel()
	left, right := []float32{1, 0}, []float32{0, 1}
	iou := kindNamed(t, "soft_iou")
	var within []Painted
	for range 3 {
		within = append(within, painted(0, left, left), painted(1, right, right))
	}
	near(t, "the floor within classes", Agree(within, iou, 1).Floor, 1, 6)
	alone := []Painted{painted(0, left, left), painted(1, right, right)}
	found := Agree(alone, iou, 1)
	near(t, "the floor between classes", found.Floor, 0, 2)
	near(t, "the agreement", found.Between, 1, 2)

	// It is seeded.
	mixed := slices.Concat(alone, []Painted{painted(2, []float32{0.5, 1}, []float32{1, 0.25})})
	if a, b := Agree(mixed, iou, 7), Agree(mixed, iou, 7); *a.Floor != *b.Floor {
		t.Errorf("one seed gives two floors: %+v and %+v", *a.Floor, *b.Floor)
	}
}

// Cells that either painter marked are in no measure.
func TestAgreementLeavesOutMarks(t *testing.T) {
	t.Parallel()
	p := painted(0, []float32{1, 1, 0.5}, []float32{1, 0, 0.5})
	p.Maps[0].Marks = ".?."
	near(t, "soft IoU", Agree([]Painted{p}, kindNamed(t, "soft_iou"), 1).Between, 1, 1)
	if none := Agree(nil, kindNamed(t, "spearman"), 1); none.Between != nil || none.Floor != nil {
		t.Errorf("of nothing: %+v", none)
	}
}
