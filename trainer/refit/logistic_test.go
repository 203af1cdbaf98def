package refit

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestFitAgreesWithScikitLearn compares probabilities with testdata/logistic.py's.
func TestFitAgreesWithScikitLearn(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/logistic.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Cases []struct {
			Name          string
			Classes       int
			Bias          bool
			Features      []float32
			Labels        []int64
			Probabilities []float64
		}
	}
	if err := json.Unmarshal(file, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range fixture.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got, err := Fit(t.Context(), Data{Features: c.Features, Labels: c.Labels, Classes: c.Classes}, c.Bias)
			if err != nil {
				t.Fatal(err)
			}
			if (got.Bias != nil) != c.Bias {
				t.Errorf("a bias of %d values", len(got.Bias))
			}
			worst := 0.0
			for i := range c.Labels {
				p := probabilities(got, c.Features[i*len(c.Features)/len(c.Labels):(i+1)*len(c.Features)/len(c.Labels)], c.Classes)
				for k, v := range p {
					worst = max(worst, math.Abs(v-c.Probabilities[i*c.Classes+k]))
				}
			}
			if worst > 1e-4 {
				t.Errorf("probabilities differ by up to %.2g", worst)
			}
		})
	}
}

// probabilities are the layer's, of one row.
func probabilities(l Linear, z []float32, classes int) []float64 {
	scores := make([]float64, classes)
	for k := range scores {
		if l.Bias != nil {
			scores[k] = float64(l.Bias[k])
		}
		for d, v := range z {
			scores[k] += float64(l.Weight[k*len(z)+d]) * float64(v)
		}
	}
	softmax(scores, 0)
	return scores
}

// TestFitByHand: rows at −1 and 1, three of one class and one of the other. Classes weigh the same, so both are equally sure: σ(2ah)
// with h half the distance of the standardised rows, where h·σ(−2ah) = 2λa.
func TestFitByHand(t *testing.T) {
	t.Parallel()
	got, err := Fit(t.Context(), Data{Features: []float32{-1, -1, -1, 1}, Labels: []int64{0, 0, 0, 1}, Classes: 2}, true)
	if err != nil {
		t.Fatal(err)
	}
	const h = 1 / (1 + spread) // the rows' standard deviation is 1
	low, high := 0.0, 100.0
	for range 100 {
		if a := (low + high) / 2; h/(1+math.Exp(2*a*h)) > 2*L2*a {
			low = a
		} else {
			high = a
		}
	}
	for i, want := range []float64{-low * h, low * h} {
		if math.Abs(float64(got.Weight[i])-want) > 1e-3 || math.Abs(float64(got.Bias[i])) > 1e-3 {
			t.Errorf("class %d: weight %g and bias %g, want %g and 0", i, got.Weight[i], got.Bias[i], want)
		}
	}
}

// TestFitIgnoresWhatNeverChanges: the weights of a feature that is the same in all rows are 0.
func TestFitIgnoresWhatNeverChanges(t *testing.T) {
	t.Parallel()
	d := random(30, 4, 3)
	for i := range d.Labels {
		d.Features[i*4+2] = 7
	}
	got, err := Fit(t.Context(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	for k := range d.Classes {
		if w := got.Weight[k*4+2]; w != 0 {
			t.Errorf("class %d: %g", k, w)
		}
	}
}

// TestFitSaysThatItFoundNoMinimum: a search that is cut off is no layer.
func TestFitSaysThatItFoundNoMinimum(t *testing.T) {
	t.Parallel()
	f, err := newFitting(random(60, 8, 3), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.search(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "2 iterations") {
		t.Errorf("got %v", err)
	}
	if _, err := f.search(t.Context(), maxIterations); err != nil {
		t.Error(err)
	}
}

func TestFitNamesTheFeatureThatIsNotFinite(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		d := random(9, 4, 3)
		d.Features[5*4+2] = float32(v)
		_, err := Fit(t.Context(), d, true)
		var at *NotFiniteError
		if !errors.As(err, &at) || *at != (NotFiniteError{Row: 5, Feature: 2}) {
			t.Errorf("%g: got %v", v, err)
		}
	}
}

// random is N rows of D features around their class's centre.
func random(rows, dims, classes int) Data {
	g := rand.New(rand.NewPCG(1, 2))
	d := Data{Classes: classes}
	for i := range rows {
		d.Labels = append(d.Labels, int64(i%classes))
		for j := range dims {
			d.Features = append(d.Features, float32(g.NormFloat64()+float64((i%classes*(j+3))%5)))
		}
	}
	return d
}

// TestFitsGradient compares the gradient with finite differences.
func TestFitsGradient(t *testing.T) {
	t.Parallel()
	for _, bias := range []bool{true, false} {
		f, err := newFitting(random(11, 4, 3), bias)
		if err != nil {
			t.Fatal(err)
		}
		g := rand.New(rand.NewPCG(3, 4))
		x := make([]float64, len(f.gradient))
		for i := range x {
			x[i] = g.NormFloat64()
		}
		f.at(x)
		gradient := slices.Clone(f.gradient)
		for i := range x {
			const h = 1e-6
			loss := func(v float64) float64 {
				moved := slices.Clone(x)
				moved[i] = v
				f.at(moved)
				return f.loss
			}
			if want := (loss(x[i]+h) - loss(x[i]-h)) / (2 * h); math.Abs(gradient[i]-want) > 1e-6 {
				t.Errorf("bias %v: the gradient of parameter %d is %g, finite differences say %g", bias, i, gradient[i], want)
			}
		}
	}
}

func TestFitRepeatsToTheBit(t *testing.T) {
	t.Parallel()
	d := random(300, 40, 7)
	first, err := Fit(t.Context(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Fit(t.Context(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Weight, second.Weight) || !slices.Equal(first.Bias, second.Bias) {
		t.Error("the same data gave other weights")
	}
}

func TestFitRefusals(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]Data{
		"no rows":                     {Classes: 2},
		"a class without one":         {Features: []float32{1, 2}, Labels: []int64{0, 0}, Classes: 2},
		"a label too large":           {Features: []float32{1, 2}, Labels: []int64{0, 2}, Classes: 2},
		"a feature that is no number": {Features: []float32{1, float32(math.NaN())}, Labels: []int64{0, 1}, Classes: 2},
		"features all the same":       {Features: []float32{1, 1}, Labels: []int64{0, 1}, Classes: 2},
		"weights beyond float32":      {Features: []float32{1e-45, 3e-45, 1e-44, 2e-44}, Labels: []int64{0, 0, 1, 1}, Classes: 2},
		"a ragged row":                {Features: []float32{1, 1, 2}, Labels: []int64{0, 1}, Classes: 2},
	} {
		if _, err := Fit(t.Context(), d, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFitStopsWithItsContext(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := Fit(ctx, random(30, 5, 3), true); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
