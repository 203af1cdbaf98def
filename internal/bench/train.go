package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/onnxruntime"
)

// Train times training steps against a large matrix product on the same runtime, and, where asked, against the same steps in
// PyTorch and on the Gorgonia engine.
type Train struct {
	Names    manifest.PartNames // of the model's values, where its graph does not tell them
	Model    string             // an ABN whose branches to train, an ONNX file; "": Arch at random weights
	Arch     string             // a name of architecture.Named
	Classes  int                // of Arch
	Batch    int                // images in a step
	Steps    int                // steps to time, after one that is not
	Threads  int                // of one operator; 0: one per core
	Strategy string             // branches to train
	Norm     string             // BatchNorm statistics
	PyTorch  PyTorch
	Gorgonia bool   // compare with the Gorgonia engine
	Standard bool   // compare with a step of standard operators alone
	Profile  bool   // measure the time of each operator of a step
	Trace    string // keep the runtime's own profile as Trace_<time>.json
	// Memory returns a command that calls Resident for a model's file and prints its result as JSON; nil: memory is not measured.
	Memory func(ctx context.Context, model string) (*exec.Cmd, error)
}

// TrainResult is what Train measured. Rates are in 10⁹ floating-point operations a second, where a
// multiply-add counts as two. Ratios of what was not measured are absent.
type TrainResult struct {
	Subject      string  `json:"train_subject"` // architecture or file
	Batch        int     `json:"batch"`
	StepMS       float64 `json:"step_ms"` // median
	Ours         Took    `json:"step_took"`
	StepGFLOP    float64 `json:"step_gflop"` // forward, and both gradients of every convolution and matrix product
	TrainRate    float64 `json:"train_gflops"`
	GEMMRate     float64 `json:"gemm_gflops"`
	Ratio        float64 `json:"train_over_gemm_ratio"`
	ImagesSecond float64 `json:"images_per_second"`

	Against
	OverPyTorch float64 `json:"train_over_pytorch_ratio,omitempty"` // time of PyTorch's fastest form ÷ ours
	// The same in processor time, all threads together, which other work on the machine disturbs less.
	OverPyTorchCPU  float64 `json:"train_over_pytorch_cpu_ratio,omitempty"`
	StandardMS      float64 `json:"standard_step_ms,omitempty"`
	OverStandard    float64 `json:"blocked_over_standard_ratio,omitempty"` // time in standard operators ÷ ours
	GorgoniaMS      float64 `json:"gorgonia_step_ms,omitempty"`
	OverGorgonia    float64 `json:"ort_over_gorgonia_ratio,omitempty"` // Gorgonia's time ÷ ours
	*ResidentResult         // peak memory

	Operators []OperatorProfile `json:"operators,omitempty"`
}

// Print writes the result for people.
func (b TrainResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "training step   %v for %d images (%.1f images/s), %.0f GFLOP: %.0f GFLOP/s\n",
		b.Ours, b.Batch, b.ImagesSecond, b.StepGFLOP, b.TrainRate)
	fmt.Fprintf(w, "large product   %.0f GFLOP/s\n", b.GEMMRate)
	fmt.Fprintf(w, "train_over_gemm_ratio   %.2f   (aim: 0.5 or more)\n", b.Ratio)
	aim := fmt.Sprintf("; aim: 1.3 or more; %.2f in processor time", b.OverPyTorchCPU)
	if err := b.printForms(w, "train_over_pytorch_ratio", b.OverPyTorch, aim); err != nil {
		return err
	}
	if b.StandardMS > 0 {
		fmt.Fprintf(w, "standard step   %.0f ms\n", b.StandardMS)
		fmt.Fprintf(w, "blocked_over_standard_ratio   %.2f   (1: this processor has no operators in blocks)\n", b.OverStandard)
	}
	if b.GorgoniaMS > 0 {
		fmt.Fprintf(w, "Gorgonia step   %.0f ms\n", b.GorgoniaMS)
		fmt.Fprintf(w, "ort_over_gorgonia_ratio   %.1f   (aim: 8 or more)\n", b.OverGorgonia)
	}
	if b.ResidentResult != nil {
		b.print(w)
	}
	for _, o := range b.Operators {
		fmt.Fprintf(w, "  %-24s %8.1f ms %6.0f calls\n", o.Operator, o.MS, o.Calls)
	}
	return nil
}

// Measure times our steps, matrix products and the steps of the engines compared with, one of each in turn.
func (c Train) Measure(ctx context.Context) (result TrainResult, err error) {
	if err := c.settings(recipe.EngineORT).Validate(recipe.FineTuning); err != nil {
		return result, fmt.Errorf("bench train: %w", err)
	}
	if c.Steps < 1 {
		return result, fmt.Errorf("bench train: %d steps: want at least 1", c.Steps)
	}
	opened, err := c.network(ctx)
	if err != nil {
		return result, err
	}
	abn := opened.ABN()
	options := onnxruntime.Options{Threads: c.Threads, ProfilePrefix: c.Trace}
	if c.Profile && c.Trace == "" {
		folder, err := os.MkdirTemp("", "studio-bench-")
		if err != nil {
			return result, err
		}
		defer os.RemoveAll(folder)
		options.ProfilePrefix = filepath.Join(folder, "step")
	}
	batch := randomBatch(abn, c.Batch)
	ours, err := c.openEngine(ctx, abn, recipe.EngineORT, options, batch)
	if err != nil {
		return result, err
	}
	runners := []stepRunner{ours}
	defer func() {
		for _, r := range runners {
			err = errors.Join(err, r.close())
		}
	}()
	product, err := openProduct(c.Threads)
	if err != nil {
		return result, err
	}
	runners = append(runners, product)
	torch := &pytorch{}
	if c.PyTorch.Python != "" {
		if torch, err = c.openPyTorch(ctx, opened, ours); err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, torch.close()) }()
	}
	for _, f := range torch.forms {
		runners = append(runners, f)
	}
	var standard, gorgonia *engineSteps
	if c.Standard {
		if standard, err = c.openEngine(ctx, abn, recipe.EngineORT, onnxruntime.Options{Threads: c.Threads, Portable: true}, batch); err != nil {
			return result, err
		}
		runners = append(runners, standard)
	}
	if c.Gorgonia {
		if gorgonia, err = c.openEngine(ctx, abn, recipe.EngineGorgonia, onnxruntime.Options{}, batch); err != nil {
			return result, err
		}
		runners = append(runners, gorgonia)
	}
	seconds, processor, err := alternate(ctx, runners, c.Steps)
	if err != nil {
		return result, err
	}
	gflop, err := stepGFLOP(ctx, abn, recipe.Strategy(c.Strategy), c.Batch)
	if err != nil {
		return result, err
	}
	step := median(seconds[ours])
	result.Subject, result.Batch, result.StepMS, result.StepGFLOP = c.subject(), c.Batch, 1e3*step, gflop
	result.TrainRate, result.ImagesSecond = gflop/step, float64(c.Batch)/step
	result.GEMMRate = 2 * gemmSide * gemmSide * gemmSide / 1e9 / median(seconds[product])
	result.Ratio = result.TrainRate / result.GEMMRate
	result.Ours = tookOf(seconds[ours])
	result.Against, result.OverPyTorch = torch.against(result.Ours)
	for _, f := range torch.forms {
		if ours := median(processor[ours]); f.name == result.Fastest && ours > 0 {
			result.OverPyTorchCPU = median(processor[f]) / ours
		}
	}
	if standard != nil {
		result.StandardMS, result.OverStandard = 1e3*median(seconds[standard]), median(seconds[standard])/step
	}
	if gorgonia != nil {
		result.GorgoniaMS, result.OverGorgonia = 1e3*median(seconds[gorgonia]), median(seconds[gorgonia])/step
	}
	if c.Profile {
		if err := ours.close(); err != nil {
			return result, err
		}
		if result.Operators, err = readProfile(options.ProfilePrefix, c.Steps+1); err != nil {
			return result, err
		}
	}
	if c.Memory != nil {
		result.ResidentResult, err = c.measureResident(ctx, abn)
	}
	return result, err
}

// subject names what is trained.
func (c Train) subject() string {
	if c.Model != "" {
		return filepath.Base(c.Model)
	}
	return c.Arch
}

// stepRunner takes one step at a time.
type stepRunner interface {
	// step returns how many seconds one step took, and how many of processor time.
	step(ctx context.Context) (seconds, processor float64, err error)
	close() error
}

// settle is the pause between two runners, in which the idle threads of the first stop spinning.
const settle = 60 * time.Millisecond

// alternate lets every runner take a step in turn, steps times after one turn that is not timed: the first step allocates.
func alternate(ctx context.Context, runners []stepRunner, steps int) (seconds, processor map[stepRunner][]float64, err error) {
	seconds, processor = map[stepRunner][]float64{}, map[stepRunner][]float64{}
	for i := range steps + 1 {
		for _, r := range runners {
			time.Sleep(settle)
			took, used, err := r.step(ctx)
			if err != nil {
				return nil, nil, err
			}
			if i > 0 {
				seconds[r], processor[r] = append(seconds[r], took), append(processor[r], used)
			}
		}
	}
	return seconds, processor, nil
}
