package bench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/fixture"
)

// pythonWithTorch is the Python of STUDIO_PYTHON, and skips the test where it has no PyTorch.
func pythonWithTorch(t *testing.T) string {
	t.Helper()
	python := os.Getenv("STUDIO_PYTHON")
	if python == "" {
		t.Skip("set STUDIO_PYTHON to a Python that has torch and torchvision to run this test")
	}
	python, err := findPyTorch(t.Context(), python)
	if err != nil {
		t.Skip(err)
	}
	return python
}

// uncompiled compares with what needs no compiler and no minutes.
func uncompiled(python string) PyTorch { return PyTorch{python, []string{"eager", "channels_last"}} }

// compared checks that all forms ran. Each has computed what we did, or there would have been an error.
func compared(t *testing.T, a Against, ratio float64, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !(ratio > 0) || len(a.Forms) == 0 {
		t.Fatalf("ratio %g: %+v", ratio, a)
	}
	for _, f := range a.Forms {
		if !(f.Low > 0 && f.Low <= f.MS && f.MS <= f.High) {
			t.Errorf("%+v", f)
		}
	}
}

// Plain modules compute what our networks do: a basic block, a bottleneck, inverted residuals; both gains, strategies and norms.
func TestTrainAgainstPyTorch(t *testing.T) {
	t.Parallel()
	python := pythonWithTorch(t)
	for _, c := range []Train{
		{Arch: "tiny", Strategy: "both", Norm: "batch"},
		{Arch: "tiny", Strategy: "attention", Norm: "batch"},
		{Arch: "resnet50", Strategy: "both", Norm: "frozen"},
		{Arch: "mobilenetv2", Strategy: "both", Norm: "batch"},
	} {
		t.Run(c.Arch+" "+c.Strategy+" "+c.Norm, func(t *testing.T) {
			t.Parallel()
			c.Classes, c.Batch, c.Steps, c.PyTorch = 10, 4, 1, uncompiled(python)
			got, err := c.Measure(t.Context())
			compared(t, got.Against, got.OverPyTorch, err)
		})
	}
}

// A compiled step computes the same; without a compiler it is left out by name.
func TestTrainAgainstCompiledPyTorch(t *testing.T) {
	t.Parallel()
	python := pythonWithTorch(t)
	got, err := Train{
		Arch: "micro", Classes: 10, Batch: 4, Steps: 1, Strategy: "both", Norm: "batch", PyTorch: PyTorch{python, []string{"eager", "compile"}},
	}.Measure(t.Context())
	if err != nil || len(got.Forms) != 2 || !(got.Forms[1].MS > 0) && got.Forms[1].Problem == "" {
		t.Errorf("%+v, %v", got.Against, err)
	}
}

func TestScanAndScoreAgainstPyTorch(t *testing.T) {
	t.Parallel()
	python := pythonWithTorch(t)
	for _, arch := range []string{"tiny", "resnet18", "mobilenetv2"} {
		scan, err := Scan{Subject: Subject{Arch: arch, Format: "auto"}, Limit: 8, Batch: 4, Rounds: 1, PyTorch: uncompiled(python)}.Measure(t.Context())
		compared(t, scan.Against, scan.OverPyTorch, err)
		score, err := Score{Subject: Subject{Arch: arch, Format: "auto"}, Runs: 16, PyTorch: uncompiled(python)}.Measure(t.Context())
		compared(t, score.Against, score.OverPyTorch, err)
	}
}

// There are plain modules of some networks alone. Of others, the reason takes the ratio's place.
func TestWhatPyTorchIsNotComparedWith(t *testing.T) {
	t.Parallel()
	python := pythonWithTorch(t)
	for _, name := range []string{"abn-resnet-tiny.onnx", "abn-resnet-tiny-fused.onnx"} {
		got, err := Train{
			Model: filepath.Join(fixture.Reference(t), name), Batch: 4, Steps: 1, Strategy: "both", Norm: "batch", PyTorch: uncompiled(python),
		}.Measure(t.Context())
		if err != nil || got.OverPyTorch != 0 || !strings.Contains(got.PyTorch, noPlainModule) {
			t.Errorf("%s: %+v, %v", name, got.Against, err)
		}
	}
}

// The fastest form that ran is what the ratio is to; its first turn is not counted.
func TestAgainst(t *testing.T) {
	t.Parallel()
	p := &pytorch{version: "PyTorch 9", forms: []*pytorchForm{
		{name: "eager", seconds: []float64{0.3, 0.2, 0.9}},
		{name: "channels_last", seconds: []float64{0.25, 0.24, 0.26}},
		{name: "compile", problem: "no compiler"},
	}}
	a, ratio := p.against(Took{MS: 100})
	if ratio != 2.5 || a.Fastest != "channels_last" {
		t.Errorf("%g to %s", ratio, a.Fastest)
	}
	var out bytes.Buffer
	if err := a.printForms(&out, "ratio", ratio, "; aim: more"); err != nil {
		t.Fatal(err)
	}
	want := `PyTorch 9
  eager                    300 ms (200 to 900)
  channels_last            250 ms (240 to 260)
  compile                  left out: no compiler
ratio   2.50   (to channels_last; aim: more)
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	if a, ratio := (&pytorch{version: "no Python"}).against(Took{MS: 1}); ratio != 0 || a.PyTorch != "no Python" || a.Fastest != "" {
		t.Errorf("without PyTorch: %g, %+v", ratio, a)
	}
}

func TestSameAnswers(t *testing.T) {
	t.Parallel()
	ours := []float32{-1, 0, 1}
	for name, c := range map[string]struct {
		theirs []float64
		want   error
	}{
		"close":     {[]float64{-1.001, 0, 1}, nil},
		"far":       {[]float64{-1, 0.1, 1}, errors.New("one of the logits is 0 here and 0.1 in PyTorch (range 2): the two do not compute the same")},
		"too short": {[]float64{-1, 0}, errors.New("3 logits here and 2 in PyTorch: the two do not compute the same")},
	} {
		if got := sameAnswers("logits", ours, c.theirs, 1e-2); (got == nil) != (c.want == nil) || got != nil && got.Error() != c.want.Error() {
			t.Errorf("%s: %v", name, got)
		}
	}
}
