package samples

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/sample"
)

// Of returns the samples of some splits.
func (t *Set) Of(splits ...string) []sample.Sample {
	var out []sample.Sample
	for i, s := range t.Samples {
		if slices.Contains(splits, t.splits[i]) {
			out = append(out, s)
		}
	}
	return out
}

// HeldOut names the split to measure on: the one asked for, else test, else validation, else "" with
// no samples.
func (t *Set) HeldOut(asked string) (string, []sample.Sample, error) {
	if asked != "" {
		split, ok := dataset.SplitName(asked)
		if !ok {
			return "", nil, fmt.Errorf("%q is no split: use train, validation, test or pool", asked)
		}
		list := t.Of(split)
		if len(list) == 0 {
			return "", nil, fmt.Errorf("there are no labelled images in the split %s", split)
		}
		return split, list, nil
	}
	for _, split := range []string{dataset.Test, dataset.Validation} {
		if list := t.Of(split); len(list) > 0 {
			return split, list, nil
		}
	}
	return "", nil, nil
}

// Validation returns the samples of the split validation; none if that is the split measured on.
func (t *Set) Validation(measured string) []sample.Sample {
	if measured == dataset.Validation {
		return nil
	}
	return t.Of(dataset.Validation)
}

// TrainedOn returns the samples of the split train, or all samples of a folder without splits, and the samples of any split that
// have an edited map.
func (t *Set) TrainedOn() []sample.Sample {
	var out []sample.Sample
	for i, s := range t.Samples {
		if t.splits[i] == dataset.Train || t.splits[i] == "" || !s.Edited.IsZero() {
			out = append(out, s)
		}
	}
	return out
}

// Workload counts the samples of a training from the data set's lists alone: as many as TrainedOn, HeldOut and Validation return
// if every file can be read. asked is the split to measure on, edited the number of edited maps.
func Workload(set *dataset.Dataset, asked string, edited int) trainer.Workload {
	n := map[string]int{}
	for _, s := range set.All() {
		if s.Class != "" {
			n[s.Split]++
		}
	}
	measured := dataset.Validation
	if split, ok := dataset.SplitName(asked); asked != "" && ok {
		measured = split
	} else if n[dataset.Test] > 0 {
		measured = dataset.Test
	}
	w := trainer.Workload{Train: n[dataset.Train] + n[""], Edited: edited, Heldout: n[measured]}
	if measured != dataset.Validation {
		w.Validation = n[dataset.Validation]
	}
	return w
}
