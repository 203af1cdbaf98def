package trainer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/refit"
	"github.com/abn-studio/studio/trainer/sample"
)

// refitSpec is referenceSpec with an image of every class it knows: labels go round the classes that it is given.
func refitSpec(t *testing.T, name string, engine recipe.Engine) RoundSpec {
	t.Helper()
	spec := referenceSpec(t, name)
	spec.Settings.Refit, spec.Settings.Engine = true, engine
	model, err := onnx.Read(t.Context(), spec.Model)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := onnx.FindParts(t.Context(), model, onnx.PartNames{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; len(spec.Train) < parts.Classes; i++ {
		spec.Train = append(spec.Train, spec.Train[i])
	}
	for i := range spec.Train {
		spec.Train[i].Label = i % parts.Classes
	}
	return spec
}

// initializers are the float initializers of a file by name.
func initializers(t *testing.T, file []byte) map[string][]float32 {
	t.Helper()
	m, err := onnx.Read(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, x := range m.Graph.Initializers {
		if v, err := x.Float32s(); err == nil {
			out[x.Name] = v
		}
	}
	return out
}

// TestRefitChangesTheLastLayerAlone: the same round with and without a refit differs in the last layer of both arms and in nothing
// else, and a round that is cut off during it ends with the same files.
func TestRefitChangesTheLastLayerAlone(t *testing.T) {
	t.Parallel()
	for _, name := range fixture.ReferenceModels(t) {
		for _, engine := range []recipe.Engine{recipe.EngineORT, recipe.EngineGorgonia} {
			t.Run(name+" "+string(engine), func(t *testing.T) {
				t.Parallel()
				spec := refitSpec(t, name, engine)
				with, err := RunRound(t.Context(), spec, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				if !with.Settings.Refit {
					t.Fatalf("it was not refitted: %q", with.Warnings)
				}
				plain := refitSpec(t, name, engine)
				plain.Settings.Refit = false
				without, err := RunRound(t.Context(), plain, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				model, err := onnx.Read(t.Context(), spec.Model)
				if err != nil {
					t.Fatal(err)
				}
				parts, err := onnx.FindParts(t.Context(), model, onnx.PartNames{})
				if err != nil {
					t.Fatal(err)
				}
				abn, err := onnx.Split(t.Context(), model, parts)
				if err != nil {
					t.Fatal(err)
				}
				layer, err := refit.Find(abn)
				if err != nil {
					t.Fatal(err)
				}
				for arm, files := range map[Arm][2][]byte{arms.Candidate: {with.Model, without.Model}, arms.Control: {with.Control, without.Control}} {
					a, b := initializers(t, files[0]), initializers(t, files[1])
					for name := range a {
						last := name == layer.Weight || name == layer.Bias
						if same := slices.Equal(a[name], b[name]); same == last {
							t.Errorf("%s: %s is the same with and without: %v", arm, name, same)
						}
					}
				}

				shutdown := errors.New("the worker shuts down")
				ctx, cancel := context.WithCancelCause(t.Context())
				again := refitSpec(t, name, engine)
				if _, err = RunRound(ctx, again, Observer{Point: func(p Point) {
					if p.Arm == arms.Control && p.Step == with.Steps {
						cancel(shutdown)
					}
				}}); !errors.Is(err, shutdown) {
					t.Fatalf("not cut off: %v", err)
				}
				resumed, err := RunRound(t.Context(), again, Observer{})
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(resumed.Model, with.Model) || !bytes.Equal(resumed.Control, with.Control) {
					t.Error("the resumed round made other files")
				}
			})
		}
	}
}

// TestRefitIsLeftOut: what a refit would harm or cannot reach is trained without it, and the round says so.
func TestRefitIsLeftOut(t *testing.T) {
	t.Parallel()
	name := fixture.ReferenceModels(t)[0]
	for what, c := range map[string]struct {
		change func(*RoundSpec)
		says   string
	}{
		"a class without an image": {func(s *RoundSpec) {
			for i := range s.Train {
				s.Train[i].Label = 0
			}
		}, "classes have no training image"},
		"the attention branch alone": {func(s *RoundSpec) { s.Settings.Strategy = recipe.StrategyAttention }, "leaves the perception branch as it is"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			spec := refitSpec(t, name, recipe.EngineORT)
			spec.Settings.Epochs = 1
			c.change(&spec)
			out, err := RunRound(t.Context(), spec, Observer{})
			if err != nil {
				t.Fatal(err)
			}
			if out.Settings.Refit {
				t.Error("the record says that it was refitted")
			}
			if told := strings.Contains(strings.Join(out.Warnings, " "), "last layer was not refitted"); !told || !strings.Contains(strings.Join(out.Warnings, " "), c.says) {
				t.Errorf("warnings %q", out.Warnings)
			}
		})
	}
}

// TestRefitRowsAreEvenAndEditedFirst takes 8 of 20 rows of two classes, 16 and 4.
func TestRefitRowsAreEvenAndEditedFirst(t *testing.T) {
	t.Parallel()
	var train []sample.Sample
	for i := range 20 {
		s := sample.Sample{ID: int64(i), Label: i / 16}
		if i == 9 || i == 15 {
			s.Edited = attention.Map{Height: 1, Width: 1, Values: []float32{1}}
		}
		train = append(train, s)
	}
	var ids []int64
	for _, s := range refitRows(train, 2, 8) {
		ids = append(ids, s.ID)
	}
	if want := []int64{0, 1, 9, 15, 16, 17, 18, 19}; !slices.Equal(ids, want) {
		t.Errorf("rows %v, want %v", ids, want)
	}
	if got := refitRows(train, 2, 20); len(got) != 20 {
		t.Errorf("%d rows of 20", len(got))
	}
}
