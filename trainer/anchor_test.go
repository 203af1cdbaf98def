package trainer

import (
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/measure"
)

// TestAnchorHoldsMaps trains rounds of the toy problem with and without an anchor: with it the maps of images nobody
// edited stay nearer to the parent's, in the candidate and in the control, and the control sees the anchor too.
func TestAnchorHoldsMaps(t *testing.T) {
	t.Parallel()
	p := newToyProblem(t, 200, 20, 120)
	run := func(anchor float64) (map[string]measure.Measure, []Point) {
		spec := p.spec(t, nil)
		spec.Settings.Anchor = anchor
		out, err := RunRound(t.Context(), spec, Observer{})
		if err != nil {
			t.Fatal(err)
		}
		measures := map[string]measure.Measure{}
		for _, m := range out.Measures {
			measures[m.Name] = m
		}
		return measures, out.Curve
	}
	free, curve := run(0)
	for _, point := range curve {
		if point.LossAnchor != 0 {
			t.Fatalf("without an anchor: %+v", point)
		}
	}
	held, curve := run(3)
	seen := map[Arm]bool{}
	for _, point := range curve {
		seen[point.Arm] = seen[point.Arm] || point.LossAnchor > 0
	}
	if !seen[arms.Candidate] || !seen[arms.Control] {
		t.Errorf("arms with an anchor loss: %v", seen)
	}
	loose, tight := free[measure.MapDrift], held[measure.MapDrift]
	if tight.Images == 0 || tight.Parent != 0 || !(tight.Candidate < 0.8*loose.Candidate) || !(tight.Control < 0.8*loose.Control) {
		t.Errorf("drift %+v with an anchor, %+v without", tight, loose)
	}
}
