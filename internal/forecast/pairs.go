package forecast

import (
	"cmp"
	"slices"
)

// pairEdits is how many edits a confusion has at least to be listed, and mostPairs how many are. They are ranked as if each had pairPrior more
// edits that gain nothing, so that a confusion of two edits does not lead by luck.
const (
	pairEdits = 2
	mostPairs = 8
	pairPrior = 2
)

// ConfusedPair is a confusion: images of one class that the network takes for another, with an edit.
type ConfusedPair struct {
	Label     int     `json:"label"`
	Predicted int     `json:"predicted"`
	Edits     int     `json:"edits" minimum:"0"`
	Edited    int     `json:"edited" minimum:"0" doc:"How many become right with the edited map."`
	Shuffled  float64 `json:"shuffled" minimum:"0" doc:"And with another image's map, the mean over the draws."`
	PerEdit   float64 `json:"per_edit" doc:"The difference for each edit."`
}

// rank is the gain per edit with further edits that gain nothing.
func (p ConfusedPair) rank() float64 {
	return p.PerEdit * float64(p.Edits) / float64(p.Edits+pairPrior)
}

// pairsOf lists the confusions of images that the network gets wrong of which maps mend some, the one with the most gain per edit first.
func pairsOf(wrong []RowInPlace) []ConfusedPair {
	at, all := map[[2]int]int{}, []ConfusedPair{}
	for _, r := range wrong {
		key := [2]int{r.Label, r.Own.Predicted}
		i, known := at[key]
		if !known {
			i, at[key] = len(all), len(all)
			all = append(all, ConfusedPair{Label: r.Label, Predicted: r.Own.Predicted})
		}
		all[i].Edits++
		all[i].Edited += int(r.right(Edited))
		all[i].Shuffled += r.right(Shuffled)
	}
	all = slices.DeleteFunc(all, func(p ConfusedPair) bool { return p.Edits < pairEdits })
	for i, p := range all {
		all[i].PerEdit = (float64(p.Edited) - p.Shuffled) / float64(p.Edits)
	}
	all = slices.DeleteFunc(all, func(p ConfusedPair) bool { return p.PerEdit <= 0 })
	slices.SortFunc(all, func(a, b ConfusedPair) int {
		return cmp.Or(cmp.Compare(b.rank(), a.rank()), cmp.Compare(b.Edits, a.Edits), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Predicted, b.Predicted))
	})
	return all[:min(len(all), mostPairs)]
}
