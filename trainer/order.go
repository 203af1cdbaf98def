package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/sample"
)

// maxEditRepeat bounds how often an epoch repeats an edited image when EditRepeat is automatic. A few edits that are shown dozens
// of times an epoch would be memorised.
const maxEditRepeat = 8

// row is one place in an epoch: which sample, and whether its mirror image.
type row struct {
	sample   int
	mirrored bool
	draw     uint64 // what its crop is drawn from; 0 without crops
}

// order says which rows an epoch shows in which batches. It depends only on the settings' seed, batch size, Flip, Crop,
// EditRepeat and Balanced, and on the samples' labels and which of them have an edit. It does not depend on γ, so that the
// control sees the same rows as the candidate.
//
// An epoch has every training image once and every edited image repeat times. Images without an edit count in L_att and L_per
// only; they keep the branches from forgetting. L_map is a mean over the edited rows of a batch, and a batch without one has no
// L_map. Edited rows are therefore spread evenly over the batches: with 60 edits in 2,800 images and batches of 32, a plain
// shuffle would leave half of all steps without an edit.
//
// Balanced changes which images without an edit are shown. The number of rows, the edited rows and their places stay the same.
// Each class gets so many rows without an edit that all classes have the same number of rows (within one), edited rows included.
// A class with fewer images than rows shows each of them equally often (within one). A class with more shows some of them, and
// others in the next epoch. A class shows edited rows only if these alone reach its share, or if it has no image without an edit;
// the other classes share the remaining rows.
type order struct {
	seed      int64
	flip      bool
	crop      bool
	batchSize int
	repeat    int
	plain     []int // samples without an edit
	edited    []int
	classes   []orderClass // by label; nil unless the order is balanced
	batches   int
}

// orderClass is what a balanced order knows of a class.
type orderClass struct {
	plain  []int // samples without an edit
	edited int   // rows of an epoch that show edited ones
}

// newOrder plans epochs over samples.
func newOrder(samples []sample.Sample, s recipe.Settings) *order {
	o := &order{seed: s.Seed, flip: s.Flip, crop: s.Crop != 0, batchSize: s.BatchSize, repeat: int(s.EditRepeat)}
	for i, sample := range samples {
		if sample.Edited.IsZero() {
			o.plain = append(o.plain, i)
		} else {
			o.edited = append(o.edited, i)
		}
	}
	if o.repeat < 1 { // recipe.AutoRepeat
		o.repeat = 1
		for o.repeat < maxEditRepeat && len(o.edited) > 0 && len(o.edited)*o.repeat < o.count() {
			o.repeat++
		}
	}
	o.batches = o.count()
	if s.Balanced {
		o.classes = o.classesOf(samples)
	}
	return o
}

// classesOf sorts the samples by their labels, leaving out labels that do not occur.
func (o *order) classesOf(samples []sample.Sample) []orderClass {
	byLabel := map[int]*orderClass{}
	for _, s := range samples {
		if byLabel[s.Label] == nil {
			byLabel[s.Label] = &orderClass{}
		}
	}
	for _, i := range o.plain {
		c := byLabel[samples[i].Label]
		c.plain = append(c.plain, i)
	}
	for _, i := range o.edited {
		byLabel[samples[i].Label].edited += o.repeat
	}
	var out []orderClass
	for _, label := range slices.Sorted(maps.Keys(byLabel)) {
		out = append(out, *byLabel[label])
	}
	return out
}

// rows is the length of an epoch.
func (o *order) rows() int { return len(o.plain) + o.repeat*len(o.edited) }

// count is how many batches an epoch's rows make.
func (o *order) count() int { return (o.rows() + o.batchSize - 1) / o.batchSize }

// epoch returns the batches of an epoch (0, 1, …): full ones, then a smaller last one. With a last batch of one row, batch
// statistics behind a global pooling would be undefined, so it takes a second row from the batch before it.
func (o *order) epoch(epoch int) [][]row {
	rng := newOrderSource(o.seed, epoch)
	plain := shuffled(rng, o.drawn(rng))
	var edited []int
	for range o.repeat {
		edited = append(edited, shuffled(rng, o.edited)...)
	}
	draws := rand.NewPCG(uint64(o.seed), ^uint64(epoch)) // a separate generator, so that the order is the same with and without crops
	total, out := o.rows(), make([][]row, o.batches)
	for b := range out {
		size := min(o.batchSize, total-b*o.batchSize)
		if total%o.batchSize == 1 && o.batchSize > 2 && o.batches > 1 {
			switch b {
			case o.batches - 2:
				size--
			case o.batches - 1:
				size++
			}
		}
		// Up to here b/batches of all edited rows have been placed, so that batches differ by one at most.
		share := (b+1)*o.repeat*len(o.edited)/o.batches - b*o.repeat*len(o.edited)/o.batches
		share = max(min(share, size, len(edited)), size-len(plain))
		batch := make([]row, 0, size)
		for range share {
			batch, edited = append(batch, row{sample: edited[0]}), edited[1:]
		}
		for range size - share {
			batch, plain = append(batch, row{sample: plain[0]}), plain[1:]
		}
		if o.flip {
			for i := range batch {
				batch[i].mirrored = rng.Uint64()>>63 == 1
			}
		}
		if o.crop {
			for i := range batch {
				batch[i].draw = draws.Uint64()
			}
		}
		out[b] = batch
	}
	return out
}

// drawn are the samples without an edit that an epoch shows: each once or, if balanced, as often as its class needs.
func (o *order) drawn(rng *rand.PCG) []int {
	if o.classes == nil {
		return o.plain
	}
	var open []int // classes that can be filled up
	for i, c := range o.classes {
		if len(c.plain) > 0 {
			open = append(open, i)
		}
	}
	// The water level: what every open class can be filled up to with the rows there are.
	needed := func(level int) (rows int) {
		for _, i := range open {
			rows += max(0, level-o.classes[i].edited)
		}
		return rows
	}
	level := sort.Search(o.rows(), func(level int) bool { return needed(level+1) > len(o.plain) })
	over := len(o.plain) - needed(level)
	var out []int
	for _, i := range shuffled(rng, open) { // which classes get one more differs from epoch to epoch
		c := o.classes[i]
		rows := max(0, level-c.edited)
		if over > 0 && c.edited <= level {
			rows, over = rows+1, over-1
		}
		for rows > 0 {
			take := min(rows, len(c.plain))
			out, rows = append(out, shuffled(rng, c.plain)[:take]...), rows-take
		}
	}
	return out
}

// digest identifies the order of an epoch.
func (o *order) digest(epoch int) string {
	h := sha256.New()
	for _, batch := range o.epoch(epoch) {
		fmt.Fprintln(h, batch)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// newOrderSource is the generator of one epoch: PCG-DXSM, as math/rand/v2 defines it.
func newOrderSource(seed int64, epoch int) *rand.PCG { return rand.NewPCG(uint64(seed), uint64(epoch)) }

// shuffled returns a permutation of list: Fisher and Yates, written here so that the order of a seed does not change with a
// library's version. The modulo's bias is below 2⁻⁴⁰ for any list that fits in memory.
func shuffled(rng *rand.PCG, list []int) []int {
	out := append([]int(nil), list...)
	for i := len(out) - 1; i > 0; i-- {
		j := int(rng.Uint64() % uint64(i+1))
		out[i], out[j] = out[j], out[i]
	}
	return out
}
