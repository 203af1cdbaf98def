package trainer

import "math/rand/v2"

// row is one place in an epoch: which sample, and whether its mirror image.
type row struct {
	sample   int
	mirrored bool
}

// order is which rows an epoch shows in which batches. It depends on the settings' seed, batch size,
// Flip and EditRepeat and on which samples carry an edit, and on nothing else: not on γ, so that the
// control sees what the candidate sees.
//
// Who takes part: every training image once, every edited image repeat times. Images without an edit
// serve L_att and L_per alone; they hold the branches to what these know already. L_map is a mean
// over the edited rows of a batch and is absent from a batch without one, so edited rows are dealt out evenly over the
// batches rather than shuffled among all: with 60 edits in 2,800 images and batches of 32 a plain
// shuffle would leave half of all steps without any word from people.
type order struct {
	seed      int64
	flip      bool
	batchSize int
	repeat    int
	plain     []int // samples without an edit
	edited    []int
	batches   int
}

// newOrder plans epochs over samples.
func newOrder(samples []Sample, s Settings) *order {
	o := &order{seed: s.Seed, flip: s.Flip, batchSize: s.BatchSize, repeat: s.EditRepeat}
	for i, sample := range samples {
		if sample.Edited.IsZero() {
			o.plain = append(o.plain, i)
		} else {
			o.edited = append(o.edited, i)
		}
	}
	if o.repeat == 0 {
		o.repeat = 1
		for o.repeat < MaxEditRepeat && len(o.edited) > 0 && len(o.edited)*o.repeat < o.count() {
			o.repeat++
		}
	}
	o.batches = o.count()
	return o
}

// rows is the length of an epoch.
func (o *order) rows() int { return len(o.plain) + o.repeat*len(o.edited) }

// count is how many batches an epoch's rows make.
func (o *order) count() int { return (o.rows() + o.batchSize - 1) / o.batchSize }

// epoch returns the batches of an epoch (0, 1, …): full ones, then a smaller last one. A last batch
// of one row would leave batch statistics undefined behind a global pooling, so it takes a second
// from the batch before it.
func (o *order) epoch(epoch int) [][]row {
	rng := newOrderSource(o.seed, epoch)
	plain := shuffled(rng, o.plain)
	var edited []int
	for range o.repeat {
		edited = append(edited, shuffled(rng, o.edited)...)
	}
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
		// Edited rows up to here: b/batches of all, so that shares differ by one at most.
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
		out[b] = batch
	}
	return out
}

// newOrderSource is the generator of one epoch: PCG-DXSM, as math/rand/v2 defines it.
func newOrderSource(seed int64, epoch int) *rand.PCG { return rand.NewPCG(uint64(seed), uint64(epoch)) }

// shuffled returns a permutation of list: Fisher and Yates, written out so that an order stored by its
// seed does not depend on a library's next version. The modulo's bias is below 2⁻⁴⁰ for any list that fits in memory.
func shuffled(rng *rand.PCG, list []int) []int {
	out := append([]int(nil), list...)
	for i := len(out) - 1; i > 0; i-- {
		j := int(rng.Uint64() % uint64(i+1))
		out[i], out[j] = out[j], out[i]
	}
	return out
}
