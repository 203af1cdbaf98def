package trainer

import (
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
)

func samplesWithEdits(n, edited int) []Sample {
	out := make([]Sample, n)
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
		o := newOrder(samplesWithEdits(c.n, c.edits), Settings{Seed: 1, BatchSize: c.batch})
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

func TestOrderDependsOnSeedAndEpochAlone(t *testing.T) {
	t.Parallel()
	samples := samplesWithEdits(100, 10)
	s := Settings{Seed: 4, BatchSize: 16, Flip: true}
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
