package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/npy"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// modelCompareCommand runs a network on a reference's inputs and compares its outputs with those that another program computed.
type modelCompareCommand struct {
	Model     string  `help:"The network, an ONNX file." required:"" type:"existingfile"`
	Reference string  `help:"Answers saved in PyTorch: an .npz with the array input (N,C,H,W), as the network takes it, and out_NAME for each output." required:"" type:"existingfile" placeholder:"SCORES.npz"`
	Tolerance float64 `help:"Largest difference that counts as equal." default:"1e-4"`
	Threads   int     `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON      bool    `name:"json" help:"Print one JSON document."`
}

// The memory that a reference may take, and how many images are run at once if the file accepts any number.
const (
	maxReference = 4 << 30
	compareBatch = 16
)

// comparison is what --json prints.
type comparison struct {
	Model     string           `json:"model"`
	Reference string           `json:"reference"`
	Images    int              `json:"images"`
	Tolerance float64          `json:"tolerance"`
	Agree     bool             `json:"agree"` // every array has an output that agrees with it
	Outputs   []comparedOutput `json:"outputs"`
	// NoOutput are arrays out_NAME for which the network has no output NAME, NoArray outputs without an array.
	NoOutput []string `json:"arrays_without_output"`
	NoArray  []string `json:"outputs_without_array"`
	// Warnings are what is known against the network, also where it agrees: weights that were wrong when they were exported are
	// wrong in both.
	Warnings []string `json:"warnings"`
}

// comparedOutput is how far one output is from its array.
type comparedOutput struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	// Difference is the largest difference; it is at the place At, where the array has Want and the network gives Got. Range is the
	// array's largest value less its smallest. If values differ that are not finite, Finite is false and Difference is 0.
	Difference float64 `json:"largest_difference"`
	At         []int   `json:"at"`
	Want       string  `json:"want"`
	Got        string  `json:"got"`
	Range      float64 `json:"range"`
	Finite     bool    `json:"finite"`
	Agrees     bool    `json:"agrees"`
}

var errDiffers = errors.New("the network's answers are not the reference's")

// Run compares. An answer beyond the tolerance, and an array that no output belongs to, are failures.
func (c *modelCompareCommand) Run(ctx context.Context, streams *stdio) error {
	if !(c.Tolerance >= 0) || math.IsInf(c.Tolerance, 0) {
		return fmt.Errorf("--tolerance %v: want a number of 0 or more", c.Tolerance)
	}
	arrays, err := npy.ReadArchive(c.Reference, maxReference)
	if err != nil {
		return err
	}
	input, wanted := npy.Array{}, map[string]npy.Array{}
	result := comparison{Model: c.Model, Reference: c.Reference, Tolerance: c.Tolerance, Outputs: []comparedOutput{}, NoOutput: []string{}, NoArray: []string{}}
	for _, a := range arrays {
		if name, ok := strings.CutPrefix(a.Name, "out_"); ok {
			wanted[name] = a
		} else if a.Name == "input" {
			input = a
		}
	}
	if len(input.Shape) != 4 || len(wanted) == 0 {
		return fmt.Errorf(`%s: want the array "input" (N,C,H,W) and an array "out_NAME" for each output; it has %s`, c.Reference, describeArrays(arrays))
	}
	model, err := onnx.ReadFile(ctx, c.Model)
	if err != nil {
		return err
	}
	var names []string
	for _, v := range model.Graph.Outputs {
		if _, ok := wanted[v.Name]; ok {
			names = append(names, v.Name)
		} else {
			result.NoArray = append(result.NoArray, v.Name)
		}
	}
	for _, a := range arrays {
		if name, ok := strings.CutPrefix(a.Name, "out_"); ok && model.Graph.Output(name) == nil {
			result.NoOutput = append(result.NoOutput, a.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("no array of %s belongs to an output of %s: the arrays are %s; the outputs %s", c.Reference, c.Model,
			describeArrays(arrays), onnx.Enumerate(result.NoArray, ", "))
	}
	result.Images = input.Shape[0]
	result.Warnings = knownAgainst(ctx, c.Model, model)
	got, err := c.answers(ctx, model, input, names)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	result.Agree = len(result.NoOutput) == 0
	for i, name := range names {
		one, err := compareOutput(name, got[i], wanted[name], c.Tolerance)
		if err != nil {
			return err
		}
		result.Outputs = append(result.Outputs, one)
		result.Agree = result.Agree && one.Agrees
	}
	if c.JSON {
		if err := printJSON(streams.Out, result); err != nil {
			return err
		}
	} else {
		result.print(streams.Out)
	}
	if !result.Agree {
		if model.InTrainingMode() {
			return fmt.Errorf("%w. The file was exported in training mode, in which the exporter's own run of the module moves its running statistics: compare with scores that were saved after torch.onnx.export, by model.eval()", errDiffers)
		}
		return errDiffers
	}
	return nil
}

// knownAgainst lists the warnings of a network, as far as its file shows them: of an ABN those on its parts too. A manifest that cannot be
// read is no reason not to compare.
func knownAgainst(ctx context.Context, path string, model *onnx.Model) []string {
	list := model.Warnings()
	if m, err := manifest.Load(path, model.MetadataValue); err == nil || errors.Is(err, manifest.ErrManifest) {
		if opened, err := network.Open(ctx, model, m); err == nil {
			list = opened.Warnings()
		}
	}
	return append([]string{}, list...)
}

// answer is an output's values for all images, and its shape.
type answer struct {
	values []float32
	shape  []int64
}

// answers runs the network on the images, as many at once as the file was exported for.
func (c *modelCompareCommand) answers(ctx context.Context, model *onnx.Model, input npy.Array, names []string) ([]answer, error) {
	n, channels, height, width := input.Shape[0], input.Shape[1], input.Shape[2], input.Shape[3]
	whole, image, fixed, err := onnx.Whole(ctx, model, height, width)
	if err != nil {
		return nil, err
	}
	if want := onnx.BatchOf(int64(channels), int64(height), int64(width)); !image.Shape.Equal(want) {
		return nil, fmt.Errorf("its input %q is %v, the array input %v: save it as the network takes it", image.Name, image.Shape, input.Shape)
	}
	if n == 0 {
		return nil, errors.New("the array input has no images")
	}
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return nil, err
	}
	file, err := whole.Marshal()
	if err != nil {
		return nil, err
	}
	session, err := ort.Open(file, []string{image.Name}, names, ort.Options{Name: "the network", IntraOpThreads: c.Threads})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	batch := compareBatch
	if fixed > 0 && int64(n)%fixed == 0 {
		batch = int(fixed)
	}
	values := input.Values()
	each := len(values) / n
	all := make([]answer, len(names))
	for from := 0; from < n; from += batch {
		to := min(from+batch, n)
		pixels := make([]float32, 0, (to-from)*each)
		for _, v := range values[from*each : to*each] {
			pixels = append(pixels, float32(v))
		}
		in, err := ort.Float32s(pixels, int64(to-from), int64(channels), int64(height), int64(width))
		if err != nil {
			return nil, err
		}
		out := make([]*ort.Tensor, len(names))
		err = session.Run(ctx, []*ort.Tensor{in}, out)
		in.Close()
		if err != nil {
			return nil, err
		}
		for i, tensor := range out {
			dims := append([]int64{}, tensor.Dims()...)
			if tensor.Float32() == nil && len(dims) > 0 {
				return nil, fmt.Errorf("output %q is not float32", names[i])
			}
			all[i].values = append(all[i].values, tensor.Float32()...)
			if all[i].shape == nil {
				all[i].shape = dims
			} else if len(dims) > 0 {
				all[i].shape[0] += dims[0]
			}
			tensor.Close()
		}
	}
	return all, nil
}

// compareOutput finds the largest difference. A value that is not finite agrees only with the same value.
func compareOutput(name string, got answer, array npy.Array, tolerance float64) (comparedOutput, error) {
	out := comparedOutput{Name: name, Shape: array.Shape, At: []int{}, Finite: true}
	want := array.Values()
	same := len(got.shape) == len(array.Shape) && len(want) == len(got.values)
	for i := 0; same && i < len(array.Shape); i++ {
		same = got.shape[i] == int64(array.Shape[i])
	}
	if !same {
		return out, fmt.Errorf("the array out_%s has shape %v, and the network's output %v", name, array.Shape, got.shape)
	}
	low, high, worst := math.Inf(1), math.Inf(-1), -1.0
	for i, w := range want {
		low, high = math.Min(low, w), math.Max(high, w)
		g := float64(got.values[i])
		d := math.Abs(g - w)
		switch {
		case g == w || math.IsNaN(g) && math.IsNaN(w):
			d = 0
		case math.IsNaN(d) || math.IsInf(d, 0):
			d, out.Finite = math.Inf(1), false
		}
		if d > worst {
			worst = d
			out.At, out.Want, out.Got = place(i, array.Shape), fmt.Sprintf("%.7g", w), fmt.Sprintf("%.7g", g)
		}
	}
	if out.Finite {
		out.Difference = math.Max(worst, 0)
	}
	if r := high - low; !math.IsNaN(r) && !math.IsInf(r, 0) {
		out.Range = r
	}
	out.Agrees = worst <= tolerance
	return out, nil
}

// place returns the indices of the i-th value of an array.
func place(i int, shape []int) []int {
	at := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		at[axis], i = i%shape[axis], i/shape[axis]
	}
	return at
}

func describeArrays(arrays []npy.Array) string {
	if len(arrays) == 0 {
		return "none"
	}
	list := make([]string, len(arrays))
	for i, a := range arrays {
		list[i] = fmt.Sprintf("%q %v", a.Name, a.Shape)
	}
	return onnx.Enumerate(list, ", ")
}

// print writes the comparison for people.
func (r comparison) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d images of %s, tolerance %g\n", r.Model, r.Images, r.Reference, r.Tolerance)
	for _, o := range r.Outputs {
		verdict, difference := "agrees", fmt.Sprintf("%.3g", o.Difference)
		if !o.Agrees {
			verdict = "DIFFERS"
		}
		if !o.Finite {
			difference = "not finite"
		}
		fmt.Fprintf(w, "%-8s %s %v: largest difference %s (range %.3g)", verdict, o.Name, o.Shape, difference, o.Range)
		if !o.Agrees {
			fmt.Fprintf(w, ", at %v: want %s, got %s", o.At, o.Want, o.Got)
		}
		fmt.Fprintln(w)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "%-8s %s\n", "warning", warning)
	}
	for _, name := range r.NoOutput {
		fmt.Fprintf(w, "%-8s array %s: the network has no output %s\n", "DIFFERS", name, strings.TrimPrefix(name, "out_"))
	}
	for _, name := range r.NoArray {
		fmt.Fprintf(w, "%-8s output %s: no array out_%s was saved\n", "unknown", name, name)
	}
}
