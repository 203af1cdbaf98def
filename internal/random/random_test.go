package random_test

import (
	"slices"
	"testing"

	"github.com/abn-studio/studio/internal/random"
)

// The stream of the seed 0 is that of SplitMix64's reference implementation (prng.di.unimi.it/splitmix64.c).
func TestStream(t *testing.T) {
	t.Parallel()
	r := random.New(0)
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := r.Next(); got != want {
			t.Errorf("number %d: %x, want %x", i, got, want)
		}
	}
}

// Words are told apart, also where they are joined otherwise, and a shuffle keeps everything.
func TestNewAndShuffle(t *testing.T) {
	t.Parallel()
	if random.New(1, "ab", "c").Next() == random.New(1, "a", "bc").Next() {
		t.Error("ab, c and a, bc are one stream")
	}
	list := []int{0, 1, 2, 3, 4, 5, 6, 7}
	random.New(5).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	if slices.IsSorted(list) {
		t.Errorf("nothing was shuffled: %v", list)
	}
	slices.Sort(list)
	for i, v := range list {
		if i != v {
			t.Fatalf("%v", list)
		}
	}
}
