package roundrows

import (
	"cmp"
	"slices"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/trainer/measure"
)

// MaxMoved is how many of the images a comparison names on which maps moved most.
const MaxMoved = 24

// Compare implements annotator.RowReader.
func (Reader) Compare(a, b annotator.NetworkRows, classes int) (out annotator.ComparedRows, err error) {
	before, err := network(a)
	if err != nil {
		return out, err
	}
	after, err := network(b)
	if err != nil {
		return out, err
	}
	after, before = measure.Shared(after, before)
	var is, was []measure.Row
	for i := range after {
		if after[i].Label == before[i].Label { // a label that was mended meanwhile is another question
			is, was = append(is, after[i]), append(was, before[i])
		}
	}
	if out.Images = len(is); out.Images == 0 {
		return out, nil
	}
	var right []int
	for i := range is {
		switch {
		case is[i].Correct() && !was[i].Correct():
			out.Fixed = append(out.Fixed, is[i].Image)
		case was[i].Correct() && !is[i].Correct():
			out.Broken = append(out.Broken, is[i].Image)
		case is[i].Correct():
			right = append(right, i)
		}
	}
	slices.SortStableFunc(right, func(i, j int) int {
		return cmp.Compare(is[j].Figures[measure.MapDrift], is[i].Figures[measure.MapDrift])
	})
	for _, i := range right[:min(len(right), MaxMoved)] {
		out.Moved = append(out.Moved, is[i].Image)
	}
	figures, err := measure.Compare(is, was, classes, seed)
	if err != nil {
		return out, err
	}
	for _, f := range figures {
		if f.Name == measure.MapDrift { // from the parent of each one's own round
			continue
		}
		out.Figures = append(out.Figures, annotator.ComparedFigure{
			Name: f.Name, Label: f.Label, Unit: f.Unit, Better: measure.KindOf(f.Name).Better, A: f.Other, B: f.Value, Difference: f.Difference, Low: f.Low, High: f.High, Images: f.Images,
		})
	}
	changes := measure.ClassChanges([][]measure.Row{is}, [][]measure.Row{was}, seed)
	all := make([]annotator.ClassDifference, len(changes))
	for i, c := range changes {
		all[i] = annotator.ClassDifference(c)
	}
	out.Classes, out.ClassesCompared = annotator.ToldClasses(all), len(all)
	return out, nil
}

// seed is that of the bootstrap: the same rows give the same intervals.
const seed = 1

// network are the rows of a network on held-out images, of its first seed.
func network(of annotator.NetworkRows) (list []measure.Row, err error) {
	rows, err := Unpack(of.Packed)
	if err != nil {
		return nil, err
	}
	var first *int64
	for _, r := range rows {
		if r.Set != measure.OfTest || r.Arm != of.Arm {
			continue
		}
		if first == nil {
			first = &r.Seed
		}
		if r.Seed == *first {
			list = append(list, r.Row)
		}
	}
	return list, nil
}
