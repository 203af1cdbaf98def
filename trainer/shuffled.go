package trainer

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/sample"
)

// shuffledMaps returns the samples with the edited maps, stencils with them, dealt out anew: within each class, or among all edited
// images. No image keeps its own, but the only edited one of its class where classes are not mixed; kept counts those. why says why
// nothing can be shuffled.
func shuffledMaps(train []sample.Sample, arm Arm, seed int64) (out []sample.Sample, kept int, why string) {
	var groups [][]int
	at := map[int]int{}
	for i, s := range train {
		if s.Edited.IsZero() {
			continue
		}
		key := 0
		if arm == arms.ShuffledWithin {
			key = s.Label
		}
		g, ok := at[key]
		if !ok {
			g = len(groups)
			at[key] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	out = slices.Clone(train)
	stream := newOrderSource(seed, -2) // one that no epoch uses
	if arm == arms.ShuffledAcross {
		stream = newOrderSource(seed, -3)
	}
	moved := 0
	for _, g := range groups {
		if len(g) == 1 {
			kept++
			continue
		}
		moved += len(g)
		from := slices.Clone(g)
		for i := len(from) - 1; i > 0; i-- { // Sattolo's algorithm: one cycle through all
			j := int(stream.Uint64() % uint64(i))
			from[i], from[j] = from[j], from[i]
		}
		for i := range g {
			out[g[i]].Edited = train[from[i]].Edited
		}
	}
	if moved == 0 {
		why = "there is one edited image, whose map no other one can have"
		if arm == arms.ShuffledWithin {
			why = "no class has two edited images, whose maps could be shuffled"
		}
	}
	return out, kept, why
}

// planShuffles leaves out arms for which nothing can be shuffled, and says what makes another one less than it should be; "" if nothing.
func (r *round) planShuffles() (note string) {
	for _, arm := range []Arm{arms.ShuffledWithin, arms.ShuffledAcross} {
		if !r.spec.Settings.Arms.Has(arm) {
			continue
		}
		_, kept, why := shuffledMaps(r.train, arm, r.spec.Settings.Seed)
		switch {
		case why != "":
			r.leaveOut(arm, why)
		case arm == arms.ShuffledWithin:
			note = keptNote(kept, len(r.edited))
		}
	}
	return note
}

// keptNote says how many images kept their own maps in an arm of shuffled ones; "" for none.
func keptNote(kept, edits int) string {
	if kept == 0 {
		return ""
	}
	return fmt.Sprintf("Where maps are shuffled within the class, %d of %d edited images keep their own, as the only ones of their class.", kept, edits)
}
