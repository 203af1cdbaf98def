package trainer

import (
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

func samplesWithEdits(n, edited int) []sample.Sample {
	out := make([]sample.Sample, n)
	for i := range out {
		out[i].ID = int64(i)
		if i >= n-edited {
			out[i].Edited = attention.New(2, 2)
		}
	}
	return out
}

func TestEpochShowsEveryImageAndDealsOutTheEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, edits, batch, repeat, batches, last int }{
		{2860, 60, 32, 2, 92, 8}, // 60 edits twice: 2,920 rows, one or two in each batch
		{100, 0, 32, 1, 4, 4},
		{97, 0, 32, 1, 4, 2}, // a single row left over takes one from the batch before
		{33, 33, 32, 1, 2, 2},
		{10, 3, 32, 1, 1, 10},
		{1000, 5, 16, 8, 65, 11}, // not enough even at the most: some batches have none
		{64, 63, 32, 1, 2, 32},
	} {
		o := newOrder(samplesWithEdits(c.n, c.edits), recipe.Settings{Seed: 1, BatchSize: c.batch})
		if o.repeat != c.repeat || o.batches != c.batches {
			t.Errorf("%+v: repeat %d, %d batches", c, o.repeat, o.batches)
		}
		seen := make([]int, c.n)
		least, most := c.n, 0
		batches := o.epoch(3)
		for _, b := range batches {
			edits := 0
			for _, r := range b {
				seen[r.sample]++
				if r.sample >= c.n-c.edits {
					edits++
				}
			}
			least, most = min(least, edits), max(most, edits)
		}
		if got := len(batches[len(batches)-1]); len(batches) != c.batches || got != c.last {
			t.Errorf("%+v: %d batches, the last of %d", c, len(batches), got)
		}
		for i, times := range seen {
			want := 1
			if i >= c.n-c.edits {
				want = c.repeat
			}
			if times != want {
				t.Fatalf("%+v: image %d shown %d times, want %d", c, i, times, want)
			}
		}
		if c.edits*10 < c.n && most-least > 1 {
			t.Errorf("%+v: between %d and %d edited rows in a batch", c, least, most)
		}
	}
}

// classed are samples with so many images of each class without an edit, and so many with one.
func classed(plain, edited []int) []sample.Sample {
	var out []sample.Sample
	for label, n := range plain {
		for range n {
			out = append(out, sample.Sample{ID: int64(len(out)), Label: label})
		}
	}
	for label, n := range edited {
		for range n {
			out = append(out, sample.Sample{ID: int64(len(out)), Label: label, Edited: attention.New(2, 2)})
		}
	}
	return out
}

func TestBalancedEpochShowsClassesEquallyOften(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		plain, edited []int
		want          []int // rows of each class in an epoch, but for one more or less
		exactly       int   // classes of which the number of rows is just that
	}{
		{[]int{80, 15, 5}, []int{0, 0, 0}, []int{33, 33, 33}, 0},
		{[]int{80, 15, 5}, []int{0, 10, 0}, []int{36, 36, 36}, 0},
		{[]int{20, 20, 20}, []int{0, 0, 0}, []int{20, 20, 20}, 3},
		{[]int{4, 30, 6}, []int{30, 0, 0}, []int{30, 20, 20}, 3}, // the edits of class 0 are more than its share
		{[]int{0, 30, 6}, []int{3, 0, 0}, []int{3, 18, 18}, 3},   // class 0 has edited images alone
		{[]int{0, 0}, []int{5, 1}, []int{5, 1}, 2},
		{[]int{7}, []int{0}, []int{7}, 1},
	} {
		samples := classed(c.plain, c.edited)
		s := recipe.Settings{Seed: 3, BatchSize: 16, EditRepeat: 1, Flip: true}
		unbalanced := newOrder(samples, s)
		s.Balanced = true
		o := newOrder(samples, s)
		if o.batches != unbalanced.batches {
			t.Errorf("%+v: %d batches, without balance %d", c, o.batches, unbalanced.batches)
		}
		for epoch := range 3 {
			rows, shown := make([]int, len(c.plain)), make([]int, len(samples))
			plainly := unbalanced.epoch(epoch)
			for b, batch := range o.epoch(epoch) {
				if len(batch) != len(plainly[b]) {
					t.Errorf("%+v: batch %d has %d rows, without balance %d", c, b, len(batch), len(plainly[b]))
				}
				for i, r := range batch {
					rows[samples[r.sample].Label]++
					shown[r.sample]++
					if samples[r.sample].Edited.IsZero() != samples[plainly[b][i].sample].Edited.IsZero() {
						t.Fatalf("%+v: row %d of batch %d is edited in one order alone", c, i, b)
					}
				}
			}
			for label, n := range rows {
				if off := n - c.want[label]; off < 0 || off > 1 || label < c.exactly && off != 0 {
					t.Errorf("%+v, epoch %d: %v rows of the classes, want %v", c, epoch, rows, c.want)
				}
			}
			for i, sample := range samples {
				least, most := len(samples), 0
				for j, other := range samples {
					if other.Label == sample.Label && other.Edited.IsZero() {
						least, most = min(least, shown[j]), max(most, shown[j])
					}
				}
				if sample.Edited.IsZero() && most-least > 1 || !sample.Edited.IsZero() && shown[i] != 1 {
					t.Fatalf("%+v: image %d is shown %d times, its class between %d and %d", c, i, shown[i], least, most)
				}
			}
		}
		if !equalEpochs(o.epoch(1), newOrder(samples, s).epoch(1)) {
			t.Errorf("%+v: two orders of one seed differ", c)
		}
	}
}

func TestOrderDependsOnSeedAndEpochAlone(t *testing.T) {
	t.Parallel()
	samples := samplesWithEdits(100, 10)
	s := recipe.Settings{Seed: 4, BatchSize: 16, Flip: true}
	first := newOrder(samples, s).epoch(2)
	withGamma := s
	withGamma.Gamma, withGamma.LearningRate = 3, 1
	if !equalEpochs(first, newOrder(samples, withGamma).epoch(2)) {
		t.Error("the order depends on γ")
	}
	if equalEpochs(first, newOrder(samples, s).epoch(1)) {
		t.Error("two epochs have one order")
	}
	s.Seed = 5
	if equalEpochs(first, newOrder(samples, s).epoch(2)) {
		t.Error("two seeds have one order")
	}
	mirrored := 0
	for _, b := range first {
		for _, r := range b {
			if r.mirrored {
				mirrored++
			}
		}
	}
	if mirrored < 30 || mirrored > 70 {
		t.Errorf("%d of 100 rows mirrored, want about half", mirrored)
	}
	// The generator and the shuffle are written down: an order stored by its seed must stay what it was.
	if got := shuffled(newOrderSource(1, 0), []int{0, 1, 2, 3, 4, 5, 6, 7}); !slices.Equal(got, goldenShuffle) {
		t.Errorf("seed 1 shuffles to %v, it used to be %v", got, goldenShuffle)
	}
}

var goldenShuffle = []int{1, 5, 4, 6, 7, 2, 0, 3}

func equalEpochs(a, b [][]row) bool { return slices.EqualFunc(a, b, slices.Equal[[]row]) }
