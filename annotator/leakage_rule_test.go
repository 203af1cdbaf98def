package annotator

import (
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/fingerprint"
)

// manyLooks are n images, half of them held out, some of which are copies of others, by file or by looks.
func manyLooks(n int, seed uint64) []Look {
	r := rand.New(rand.NewPCG(seed, 1))
	looks := make([]Look, n)
	for i := range looks {
		l := &looks[i]
		f, label := fingerprint.Fingerprint(r.Uint64()), r.IntN(3)
		*l = Look{ID: int64(i + 1), Split: []Split{SplitTrain, SplitTest, SplitPool, SplitValidation}[r.IntN(4)], Label: &label, Fingerprint: &f}
		l.Hash[0], l.Hash[1], l.Hash[2], l.Hash[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
		other := looks[r.IntN(i+1)]
		switch r.IntN(8) {
		case 0:
			l.Hash, l.Fingerprint = other.Hash, other.Fingerprint
		case 1, 2:
			if other.Fingerprint != nil {
				f = *other.Fingerprint
				for range r.IntN(12) {
					f ^= 1 << r.IntN(64)
				}
			}
		case 3:
			l.Fingerprint = nil // not looked at yet
		case 4:
			if f = 0; r.IntN(2) == 0 { // nothing to go by
				l.Label = nil
			}
		}
	}
	return looks
}

// What is found is what comparing each held-out image with each training image finds.
func TestFindLeaksFindsWhatBruteForceFinds(t *testing.T) {
	t.Parallel()
	looks := manyLooks(1500, 7)
	for _, within := range []int{0, 4, fingerprint.Bound, fingerprint.MaxBound} {
		report, leaks := findLeaks(looks, within)
		want := Leakage{Within: within}
		found := map[int64]leak{}
		for _, l := range leaks {
			found[l.heldOut.ID] = l
		}
		for i := range looks {
			h := &looks[i]
			if h.Fingerprint == nil {
				want.Pending++
			}
			if !h.Split.HeldOut() {
				want.Training++
				continue
			}
			want.HeldOut++
			exact, nearest := false, fingerprint.MaxBound+1
			for j := range looks {
				o := &looks[j]
				if o.Split.HeldOut() {
					continue
				}
				exact = exact || o.Hash == h.Hash
				if h.Fingerprint != nil && o.Fingerprint != nil && *h.Fingerprint != 0 && *o.Fingerprint != 0 {
					if d := fingerprint.Distance(*h.Fingerprint, *o.Fingerprint); d <= within {
						nearest = min(nearest, d)
					}
				}
			}
			l, is := found[h.ID]
			switch {
			case exact:
				want.Exact++
				if !is || !l.exact || l.training.Hash != h.Hash {
					t.Errorf("image %d has the file of a training image: %+v", h.ID, l)
				}
			case nearest <= within:
				want.Near++
				if !is || l.exact || l.distance != nearest {
					t.Errorf("image %d is %d bits from a training image: %+v", h.ID, nearest, l)
				}
			case is:
				t.Errorf("image %d is like none: %+v", h.ID, l)
			}
			if is && l.training.Split.HeldOut() {
				t.Errorf("image %d leaks from the split %s", h.ID, l.training.Split)
			}
			if is && l.labelsDiffer() {
				want.LabelsDiffer++
			}
		}
		want.Measured = want.Exact + want.Near
		if report.Leaks = nil; report.Exact != want.Exact || report.Near != want.Near || report.LabelsDiffer != want.LabelsDiffer ||
			report.HeldOut != want.HeldOut || report.Training != want.Training || report.Pending != want.Pending || report.Measured != want.Measured {
			t.Errorf("within %d: %+v, want %+v", within, report, want)
		}
		if report.Exact < 20 || within > 0 && report.Near < 20 {
			t.Errorf("within %d: only %d and %d found: the test says next to nothing", within, report.Exact, report.Near)
		}
	}
}

// BenchmarkFindLeaks is what a page of a project of 100,000 images takes, but for reading them.
func BenchmarkFindLeaks(b *testing.B) {
	looks := manyLooks(100_000, 3)
	for b.Loop() {
		findLeaks(looks, fingerprint.Bound)
	}
}
