package trainer

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/sample"
)

// TestRoundOnBothEngines runs a round on each: every measure and every point of the curve agree, and on gorgonia too a
// round that was cut off ends in the same bytes.
func TestRoundOnBothEngines(t *testing.T) {
	t.Parallel()
	name := fixture.ReferenceModels(t)[0]
	spec := func(engine recipe.Engine) RoundSpec {
		s := referenceSpec(t, name)
		s.Settings.Engine, s.Settings.Anchor = engine, 0.1
		return s
	}
	want, err := RunRound(t.Context(), spec(recipe.EngineORT), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := RunRound(t.Context(), spec(recipe.EngineGorgonia), Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Settings.Engine != recipe.EngineGorgonia || len(got.Measures) != len(want.Measures) || len(got.Curve) != len(want.Curve) {
		t.Fatalf("on %s %d measures and %d points, want %d and %d", got.Settings.Engine, len(got.Measures), len(got.Curve), len(want.Measures), len(want.Curve))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-3*math.Abs(b)+1e-5 }
	for i, m := range got.Measures {
		w := want.Measures[i]
		if m.Name != w.Name || !near(m.Candidate, w.Candidate) || !near(m.Control, w.Control) || !near(m.Parent, w.Parent) {
			t.Errorf("%+v, want %+v", m, w)
		}
	}
	for i, p := range got.Curve {
		if w := want.Curve[i]; p.Arm != w.Arm || p.Step != w.Step || !near(p.LossPer, w.LossPer) || !near(p.LossMap, w.LossMap) || !near(p.LossAnchor, w.LossAnchor) {
			t.Errorf("point %d: %+v, want %+v", i, p, w)
		}
	}

	shutdown := errors.New("the worker shuts down")
	ctx, cancel := context.WithCancelCause(t.Context())
	again := spec(recipe.EngineGorgonia)
	_, err = RunRound(ctx, again, Observer{Point: func(p Point) {
		if p.Arm == arms.Control && p.Step == 2 {
			cancel(shutdown)
		}
	}})
	if !errors.Is(err, shutdown) {
		t.Fatalf("not cut off: %v", err)
	}
	resumed, err := RunRound(t.Context(), again, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(resumed.Model, got.Model) || !bytes.Equal(resumed.Control, got.Control) {
		t.Error("the resumed round made other files")
	}
}

// TestRoundRefusesWhatTheEngineLacks names the nodes before a picture is read.
func TestRoundRefusesWhatTheEngineLacks(t *testing.T) {
	t.Parallel()
	spec := referenceSpec(t, fixture.ReferenceModels(t)[0])
	m, err := onnx.Read(t.Context(), spec.Model)
	if err != nil {
		t.Fatal(err)
	}
	var last *onnx.Node // of the perception branch
	for _, n := range m.Graph.Nodes {
		if n.IsOp("Relu") {
			last = n
		}
	}
	last.Op = "Softsign"
	if spec.Model, err = m.Marshal(); err != nil {
		t.Fatal(err)
	}
	spec.Settings.Engine = recipe.EngineGorgonia
	spec.Pixels = func(context.Context, sample.Sample, []float32) error {
		t.Error("a picture was read")
		return errors.New("not to be read")
	}
	_, err = RunRound(t.Context(), spec, Observer{})
	var lacks *LacksError
	if !errors.As(err, &lacks) || len(lacks.Reasons) != 1 || lacks.Reasons[0].Node != last.Name || !strings.Contains(err.Error(), "gorgonia") {
		t.Errorf("the round says %v", err)
	}
}
