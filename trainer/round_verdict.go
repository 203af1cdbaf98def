package trainer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// conclude compares what was made, and chooses which network the round hands out.
func (r *round) conclude(made networks, control bool) error {
	for _, l := range r.leftOut {
		delete(made, l.Arm)
	}
	maps, base := arms.Candidate, arms.Parent
	r.outcome.Rows = r.rows(made)
	if control {
		base = arms.Control
		table, err := measure.JudgeArms(r.outcome.Rows, measure.Judging{
			Choose: r.spec.Settings.Arms != 0, Edits: len(r.edited), PaintingSeconds: r.painting(), LeftOut: r.leftOut, Seed: r.spec.Settings.Seed,
		})
		if err != nil {
			return err
		}
		if r.outcome.Arms = table; table != nil {
			maps, base = table.Maps, table.Baseline
		}
	}
	candidate, against := made[maps], made[base]
	r.outcome.Maps, r.outcome.Against = maps, base
	r.outcome.Model, r.outcome.ModelHash = candidate[0].file, hexHash(candidate[0].file)
	r.outcome.ParentEvaluation, r.outcome.CandidateEvaluation = made[arms.Parent][0].evaluation, candidate[0].evaluation
	if control {
		beside := made[arms.Control]
		if maps == arms.CandidateRefit {
			beside = made[arms.ControlRefit]
		}
		r.outcome.Control, r.outcome.ControlEvaluation = beside[0].file, beside[0].evaluation
	}
	if err := r.compare(maps, base); err != nil {
		return err
	}
	if err := r.changed(made[arms.Parent][0], against[0], candidate[0]); err != nil {
		return err
	}
	r.warnOfRuin()
	return nil
}

// warnOfRuin says so where training took away most of what the parent knew.
func (r *round) warnOfRuin() {
	parent, candidate := r.outcome.ParentEvaluation, r.outcome.CandidateEvaluation
	if parent.Images > 0 && candidate.Top1 < parent.Top1/2 {
		r.outcome.Warnings = append(r.outcome.Warnings, fmt.Sprintf("The candidate gets %.1f%% right where its parent gets %.1f%%: the training has ruined it, and says nothing about the maps. Try less γ or a lower learning rate.",
			100*candidate.Top1, 100*parent.Top1))
	}
}

// painting is how long the edited maps took to paint, 0 where that is not known of each.
func (r *round) painting() (seconds float64) {
	for _, s := range r.edited {
		v := r.spec.Painting[s.ID]
		if v <= 0 {
			return 0
		}
		seconds += v
	}
	return seconds
}

// rows are the rows of all arms, simple ones first. They take the measures of the maps from the results.
func (r *round) rows(made networks) (rows []measure.ArmRow) {
	count := 0
	for _, of := range made {
		for _, n := range of {
			count += len(n.edits)
			for _, e := range []*measure.Evaluation{n.evaluation, n.validation} {
				if e != nil {
					count += e.Images
				}
			}
		}
	}
	rows = make([]measure.ArmRow, 0, count)
	add := func(arm Arm, seed int64, set measure.ImageSet, samples []sample.Sample, results []measure.Result) {
		for i, s := range samples {
			row := measure.TakeRow(s, &results[i])
			if set == measure.OfTest {
				row.Set(measure.MapDrift, results[i].Drift, true)
			}
			rows = append(rows, measure.ArmRow{Arm: arm, Seed: seed, Set: set, Row: row})
		}
	}
	for _, arm := range arms.All() {
		for _, n := range made[arm] {
			if n.evaluation != nil {
				add(arm, n.seed, measure.OfTest, r.heldout, n.evaluation.Results)
			}
			if n.validation != nil {
				add(arm, n.seed, measure.OfValidation, r.choosing, n.validation.Results)
			}
			add(arm, n.seed, measure.OfEdited, r.edited, n.edits)
		}
	}
	return rows
}

// compare fills in the comparison of the networks maps and base, which is the parent where there is no control, over all seeds.
func (r *round) compare(maps, base Arm) (err error) {
	o, seed := &r.outcome, uint64(r.spec.Settings.Seed)
	if o.Measures, err = measure.RoundMeasures(o.Rows, maps, base, r.net.classes, seed); err != nil {
		return err
	}
	if o.Verdict, err = measure.VerdictOf(o.Rows, maps, base, seed); err != nil {
		return err
	}
	o.Headline = "Not measured: there are no held-out images."
	switch {
	case o.Arms != nil:
		o.Headline = o.Arms.Headline
	case len(r.heldout) > 0:
		o.Headline = measure.Headline(o.Measures[0], "the parent")
	}
	return nil
}

// Shown is how many images of a kind a round keeps the maps of: fixed or broken, against the control or against the parent, and moved most.
const Shown = 24

// changed says which held-out images the maps fixed and broke against base, and on which attention moved most, and keeps the answers and
// maps of some of them. All networks are those of the first seed.
func (r *round) changed(parent, base, candidate armResult) error {
	o := &r.outcome
	o.Fixed, o.Broken, o.Moved = []int64{}, []int64{}, []int64{}
	var fixed, broken, mended, spoilt, moved []int // places in heldout; mended and spoilt are against the parent
	for i := range r.heldout {
		before, was, is := parent.evaluation.Results[i].Correct, base.evaluation.Results[i].Correct, candidate.evaluation.Results[i].Correct
		switch {
		case is && !before:
			mended = append(mended, i)
		case before && !is:
			spoilt = append(spoilt, i)
		}
		switch {
		case is && !was:
			fixed = append(fixed, i)
		case was && !is:
			broken = append(broken, i)
		case is && before:
			moved = append(moved, i)
		}
	}
	slices.SortStableFunc(moved, func(a, b int) int {
		return cmp.Compare(candidate.evaluation.Results[b].Drift, candidate.evaluation.Results[a].Drift)
	})
	moved = moved[:min(len(moved), Shown)]
	answers := func(i int, of ...armResult) (all [3]Answer, err error) {
		for n, network := range of {
			result := network.evaluation.Results[i]
			all[n] = Answer{Class: result.Predicted, Confidence: result.Confidence}
			if all[n].Map, err = network.maps.at(i); err != nil {
				return all, err
			}
		}
		return all, nil
	}
	shown := map[int]bool{}
	for _, list := range []struct {
		places []int
		ids    *[]int64
	}{{fixed, &o.Fixed}, {broken, &o.Broken}, {moved, &o.Moved}, {mended, nil}, {spoilt, nil}} {
		for n, i := range list.places {
			if list.ids != nil {
				*list.ids = append(*list.ids, r.heldout[i].ID)
			}
			if n >= Shown || shown[i] {
				continue
			}
			shown[i] = true
			of, err := answers(i, parent, base, candidate)
			if err != nil {
				return err
			}
			o.Shown = append(o.Shown, ShownImage{ID: r.heldout[i].ID, Parent: of[0], Control: of[1], Candidate: of[2]})
		}
	}
	for _, s := range r.heldout {
		o.Judged = append(o.Judged, s.ID)
	}
	return nil
}

// ShownImage is a held-out image with the answers of the parent and of a round's networks Against ("control") and Maps, of the first seed.
type ShownImage struct {
	ID                         int64
	Parent, Control, Candidate Answer
}

// Answer is a network's answer to an image.
type Answer struct {
	Class      int
	Confidence float64
	Map        attention.Map
}
