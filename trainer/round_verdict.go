package trainer

import (
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/measure"
	"github.com/abn-studio/studio/trainer/sample"
)

// conclude compares what was made, and chooses which network the round hands out.
func (r *round) conclude(made networks, control bool) error {
	for _, l := range r.leftOut {
		delete(made, l.Arm)
	}
	maps, base := arms.Candidate, arms.Parent
	if control {
		base = arms.Control
		r.outcome.Rows = r.rows(made)
		table, err := measure.JudgeArms(r.outcome.Rows, measure.Judging{
			Choose: r.spec.Settings.Arms != 0, Edits: len(r.edited), PaintingSeconds: r.painting(), LeftOut: r.leftOut, Seed: r.spec.Settings.Seed,
		})
		if err != nil {
			return err
		}
		if r.outcome.Arms = table; table != nil && table.Maps == arms.CandidateRefit {
			maps, base = arms.CandidateRefit, arms.ControlRefit
		}
	}
	candidate, against := made[maps], made[base]
	r.outcome.Model, r.outcome.ModelHash = candidate[0].file, hexHash(candidate[0].file)
	r.outcome.ParentEvaluation, r.outcome.CandidateEvaluation = made[arms.Parent][0].evaluation, candidate[0].evaluation
	if control {
		r.outcome.Control, r.outcome.ControlEvaluation = against[0].file, against[0].evaluation
	} else {
		for len(against) < len(candidate) {
			against = append(against, against[0])
		}
	}
	r.compare(made[arms.Parent][0], against, candidate)
	return nil
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

// rows are the rows of all arms, simple ones first.
func (r *round) rows(made networks) (rows []measure.ArmRow) {
	add := func(arm Arm, seed int64, set measure.ImageSet, samples []sample.Sample, results []measure.Result) {
		for i, s := range samples {
			rows = append(rows, measure.ArmRow{Arm: arm, Seed: seed, Set: set, Row: measure.RowOf(s, results[i])})
		}
	}
	placed := made[arms.MapAtTest] != nil
	for _, arm := range arms.All() {
		for _, n := range made[arm] {
			if n.evaluation != nil {
				add(arm, n.seed, measure.OfTest, r.heldout, n.evaluation.Results)
			}
			if n.validation != nil {
				add(arm, n.seed, measure.OfValidation, r.choosing, n.validation.Results)
			}
			if placed && (arm == arms.Parent || arm == arms.MapAtTest) {
				add(arm, n.seed, measure.OfEdited, r.edited, n.edits)
			}
		}
	}
	return rows
}

// compare fills in the comparison of candidate and base, which is the control or, if there is none, the parent, over all seeds.
func (r *round) compare(parent armResult, base, candidate []armResult) {
	seed := uint64(r.spec.Settings.Seed)
	heldout := measure.Arms{Samples: r.heldout, Parent: parent.evaluation.Results}
	edited := measure.Arms{Samples: r.edited, Parent: parent.edits}
	for n := range candidate {
		heldout.Control, heldout.Candidate = append(heldout.Control, base[n].evaluation.Results), append(heldout.Candidate, candidate[n].evaluation.Results)
		edited.Control, edited.Candidate = append(edited.Control, base[n].edits), append(edited.Candidate, candidate[n].edits)
	}
	r.outcome.Measures = measure.Heldout(heldout, r.net.classes, seed)
	r.outcome.Headline = "Not measured: there are no held-out images."
	switch {
	case r.outcome.Arms != nil:
		r.outcome.Headline = r.outcome.Arms.Headline
	case len(r.outcome.Measures) > 0:
		r.outcome.Headline = measure.Headline(r.outcome.Measures[0], "the parent")
	}
	if m := measure.Distances(edited, seed); m != nil {
		r.outcome.Measures = append(r.outcome.Measures, *m)
	}
	if m := measure.Drift(heldout, seed); m != nil {
		r.outcome.Measures = append(r.outcome.Measures, *m)
	}
	r.outcome.Fixed, r.outcome.Broken = []int64{}, []int64{}
	for i, s := range r.heldout {
		was, is := base[0].evaluation.Results[i].Correct, candidate[0].evaluation.Results[i].Correct
		switch {
		case is && !was:
			r.outcome.Fixed = append(r.outcome.Fixed, s.ID)
		case was && !is:
			r.outcome.Broken = append(r.outcome.Broken, s.ID)
		}
	}
}
