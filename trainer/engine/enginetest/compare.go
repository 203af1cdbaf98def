package enginetest

import (
	"math"
	"slices"
	"testing"

	"github.com/abn-studio/studio/trainer/engine"
)

// Agree compares what a step measured on two engines.
func Agree(t testing.TB, step int, got, want engine.StepResult) {
	t.Helper()
	for _, l := range []struct {
		name      string
		got, want float64
	}{
		{"L_att", got.LossAtt, want.LossAtt}, {"L_per", got.LossPer, want.LossPer}, {"L_map", got.LossMap, want.LossMap},
		{"avoidance", got.Avoidance, want.Avoidance},
		{"map distance", got.MapDistance, want.MapDistance}, {"L_anchor", got.LossAnchor, want.LossAnchor},
		{"L", got.Total(), want.Total()}, {"gradient norm", got.GradNorm, want.GradNorm},
	} {
		if !(math.Abs(l.got-l.want) <= 1e-4*math.Abs(l.want)+1e-7) {
			t.Errorf("step %d: %s is %g, want %g", step, l.name, l.got, l.want)
		}
	}
	if got.HitsAtt != want.HitsAtt || got.HitsPer != want.HitsPer {
		t.Errorf("step %d: %d and %d right, want %d and %d", step, got.HitsAtt, got.HitsPer, want.HitsAtt, want.HitsPer)
	}
}

// Near holds values to within a bound of those wanted.
func Near(t testing.TB, name string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d values, want %d", name, len(got), len(want))
		return
	}
	worst := 0.0
	for i := range got {
		if off := math.Abs(float64(got[i]) - float64(want[i])); !(off <= worst) {
			worst = off
		}
	}
	if !(worst <= bound) {
		t.Errorf("%s is off by %g, want at most %g", name, worst, bound)
	}
}

// Clone copies parameters with their values and momenta.
func Clone(list []engine.Parameter) []engine.Parameter {
	out := slices.Clone(list)
	for i := range out {
		out[i].Value, out[i].Momentum = slices.Clone(out[i].Value), slices.Clone(out[i].Momentum)
	}
	return out
}
