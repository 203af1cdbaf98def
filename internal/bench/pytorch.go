package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

//go:embed pytorch.py
var pytorchScript string

// PyTorchForms are the ways in which people run PyTorch on a processor.
var PyTorchForms = []string{"eager", "channels_last", "compile", "compile_channels_last"}

// PyTorch is what to compare with.
type PyTorch struct {
	Python string   // which has torch and torchvision; "auto": the first that has them; "": nothing is compared
	Forms  []string // of PyTorchForms
}

// Against is how PyTorch did what we did, in the same run.
type Against struct {
	PyTorch string        `json:"pytorch,omitempty"` // versions and threads, or why there is no ratio
	Forms   []PyTorchForm `json:"pytorch_forms,omitempty"`
	Fastest string        `json:"pytorch_fastest,omitempty"` // the form that the ratio is to
}

// PyTorchForm is what one form took.
type PyTorchForm struct {
	Form string `json:"form"`
	Took
	Problem string `json:"problem,omitempty"` // why it took nothing
}

// String is what a form took, or that it is left out.
func (f PyTorchForm) String() string {
	if f.Problem != "" {
		return "left out: " + f.Problem
	}
	return f.Took.String()
}

// printForms writes the forms, and the ratio to the fastest.
func (a Against) printForms(w io.Writer, name string, ratio float64, aim string) error {
	if a.PyTorch == "" {
		return nil
	}
	if a.Fastest == "" {
		fmt.Fprintf(w, "no comparison with PyTorch: %s\n", a.PyTorch)
	} else {
		fmt.Fprintf(w, "%s\n", a.PyTorch)
	}
	for _, f := range a.Forms {
		fmt.Fprintf(w, "  %-24s %v\n", f.Form, f)
	}
	if a.Fastest == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s   %.2f   (to %s%s)\n", name, ratio, a.Fastest, aim)
	return err
}

// pytorch does a job in PyTorch, in a child process that waits on its standard input between the turns. The zero value, and one with
// nothing but a reason as its version, have no forms and no process.
type pytorch struct {
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	said    bytes.Buffer // on standard error
	dir     string
	version string
	forms   []*pytorchForm
}

// pytorchForm takes the turns of one form.
type pytorchForm struct {
	child   *pytorch
	name    string
	check   func(values []float64) error // of the first turn; nil once it was called
	seconds []float64                    // of all turns but the first
	problem string
}

// pytorchSpec is what the script reads first.
type pytorchSpec struct {
	Job      string `json:"job"`
	Weights  string `json:"weights"`  // npz, by PyTorch's names
	Values   string `json:"values"`   // npz of what the job works on; "": nothing
	Pool     bool   `json:"pool"`     // the stem ends in a max pooling
	Residual bool   `json:"residual"` // (1+M)·g, not M·g
	Threads  int    `json:"threads"`  // 0: as many as PyTorch takes by itself
	*pytorchTraining
	*pytorchPictures
}

type pytorchTraining struct {
	Strategy     string  `json:"strategy"`
	BatchNorm    string  `json:"batch_norm"`
	LearningRate float64 `json:"learning_rate"`
	Momentum     float64 `json:"momentum"`
	WeightDecay  float64 `json:"weight_decay"`
}

type pytorchPictures struct {
	Pictures []string          `json:"pictures"`
	Batch    int               `json:"batch"`
	Manifest manifest.Manifest `json:"manifest"` // with all that it leaves to a default
}

// hasTorch looks for the modules without the seconds that loading them takes.
const hasTorch = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ('torch', 'torchvision'))))"

// findPyTorch returns the Python asked for, or with "auto" the first that has torch and torchvision.
func findPyTorch(ctx context.Context, wanted string) (string, error) {
	candidates := []string{wanted}
	if wanted == "auto" {
		candidates = []string{"python3", "/usr/bin/python3", "python"}
	}
	var problem error
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err == nil {
			if exec.CommandContext(ctx, path, "-c", hasTorch).Run() == nil {
				return path, nil
			}
			err = fmt.Errorf("%s has not both torch and torchvision", path)
		}
		problem = errors.Join(problem, err)
	}
	return "", fmt.Errorf("no Python with PyTorch (%s)", strings.ReplaceAll(problem.Error(), "\n", "; "))
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// noPlainModule is why there is no comparison with a network of another kind.
const noPlainModule = "there are plain modules of ResNets and of MobileNetV2 alone, with all BatchNorms kept and the names of studio train"

// openPyTorch starts the child with the network's weights and the job's values. What its first turn in each form computes is checked.
// Where there is nothing to compare with, it says so as its version.
func openPyTorch(ctx context.Context, with PyTorch, n *network.Network, spec pytorchSpec, values statedict.Dict, check func([]float64) error) (_ *pytorch, err error) {
	python, err := findPyTorch(ctx, with.Python)
	if err != nil {
		return &pytorch{version: err.Error()}, nil
	}
	weights, _, err := statedict.Export(ctx, n.Model(), statedict.Options{})
	if err != nil {
		return &pytorch{version: fmt.Sprintf("%s: %v", noPlainModule, err)}, nil
	}
	gain := n.ABN().Gain
	if gain != onnx.GainOnePlusM && gain != onnx.GainM {
		return &pytorch{version: fmt.Sprintf("%s: the attention mechanism is %s", noPlainModule, gain)}, nil
	}
	spec.Residual = gain == onnx.GainOnePlusM
	spec.Pool = slices.ContainsFunc(n.ABN().Extractor.Graph.Nodes, func(n *onnx.Node) bool { return n.IsOp("MaxPool") })
	p := &pytorch{}
	if p.dir, err = os.MkdirTemp("", "studio-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	spec.Weights = filepath.Join(p.dir, "weights.npz")
	if err := weights.WriteFile(spec.Weights); err != nil {
		return nil, err
	}
	if values != nil {
		spec.Values = filepath.Join(p.dir, "values.npz")
		if err := values.WriteFile(spec.Values); err != nil {
			return nil, err
		}
	}
	script := filepath.Join(p.dir, "bench.py") // a file, which a DataLoader's workers can import
	if err := os.WriteFile(script, []byte(pytorchScript), 0o600); err != nil {
		return nil, err
	}
	p.command = exec.CommandContext(ctx, python, script)
	p.command.Stderr = &p.said
	if p.ask, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(out)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting PyTorch: %w", err)
	}
	var hello struct {
		Torch, Torchvision, Problem string
		Threads                     int
	}
	if err := p.exchange(spec, &hello); err != nil {
		return nil, err
	}
	if hello.Problem != "" {
		return &pytorch{version: fmt.Sprintf("%s: %s", noPlainModule, hello.Problem)}, p.close()
	}
	p.version = fmt.Sprintf("PyTorch %s, torchvision %s, %d threads", hello.Torch, hello.Torchvision, hello.Threads)
	for _, name := range with.Forms {
		p.forms = append(p.forms, &pytorchForm{child: p, name: name, check: check})
	}
	return p, nil
}

// exchange sends one line of JSON and reads one as the answer.
func (p *pytorch) exchange(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	_, err = p.ask.Write(append(line, '\n'))
	if err == nil {
		var text []byte
		if text, err = p.answers.ReadBytes('\n'); err == nil {
			return json.Unmarshal(text, answer)
		}
	}
	err = errors.Join(err, p.ask.Close(), p.command.Wait())
	return fmt.Errorf("PyTorch stopped: %s (%w)", lastLine(p.said.Bytes()), err)
}

// step implements stepRunner with the seconds that the child measured, without the pipe. A form that cannot run says so, and takes
// no further turns; one that computes something else is an error.
func (f *pytorchForm) step(context.Context) (seconds, processor float64, err error) {
	if f.problem != "" {
		return 0, 0, nil
	}
	var turn struct {
		Seconds   []float64
		Processor float64
		Values    []float64
		Problem   string
	}
	if err := f.child.exchange(f.name, &turn); err != nil {
		return 0, 0, err
	}
	switch f.problem = turn.Problem; {
	case f.problem != "":
		return 0, 0, nil
	case f.check != nil: // the first turn compiles, allocates and opens files
		err := f.check(turn.Values)
		f.check = nil
		if err != nil {
			return 0, 0, fmt.Errorf("PyTorch (%s): %w", f.name, err)
		}
	default:
		f.seconds = append(f.seconds, turn.Seconds...)
	}
	for _, s := range turn.Seconds {
		seconds += s
	}
	return seconds, turn.Processor, nil
}

func (*pytorchForm) close() error { return nil }

// turns lets every form take one, each after a pause.
func (p *pytorch) turns(ctx context.Context) error {
	for _, f := range p.forms {
		time.Sleep(settle)
		if _, _, err := f.step(ctx); err != nil {
			return err
		}
	}
	time.Sleep(settle)
	return nil
}

// against is what the forms took; the ratio is that of the fastest to our time, and 0 where no form ran.
func (p *pytorch) against(ours Took) (a Against, ratio float64) {
	a.PyTorch = p.version
	fastest := math.Inf(1)
	for _, f := range p.forms {
		if f.problem != "" || len(f.seconds) == 0 {
			a.Forms = append(a.Forms, PyTorchForm{Form: f.name, Problem: f.problem})
			continue
		}
		took := tookOf(f.seconds)
		a.Forms = append(a.Forms, PyTorchForm{Form: f.name, Took: took})
		if took.MS < fastest {
			fastest, a.Fastest, ratio = took.MS, f.name, took.MS/ours.MS
		}
	}
	return a, ratio
}

func (p *pytorch) close() error {
	if p.command != nil && p.command.Process != nil && p.command.ProcessState == nil {
		_ = p.ask.Close() // ends the script
		_ = p.command.Wait()
	}
	return os.RemoveAll(p.dir)
}

// sameAnswers fails where two lists differ by more than a share of the range of the first.
func sameAnswers[F float32 | float64](what string, ours []F, theirs []float64, share float64) error {
	if len(ours) != len(theirs) {
		return fmt.Errorf("%d %s here and %d in PyTorch: the two do not compute the same", len(ours), what, len(theirs))
	}
	spread := float64(slices.Max(ours) - slices.Min(ours))
	for i, v := range ours {
		if !(math.Abs(float64(v)-theirs[i]) <= share*spread) {
			return fmt.Errorf("one of the %s is %g here and %g in PyTorch (range %g): the two do not compute the same", what, v, theirs[i], spread)
		}
	}
	return nil
}

// array is a tensor for the child.
func array[E float32 | int64](name string, values []E, dims ...int) *onnx.Tensor {
	t := &onnx.Tensor{Name: name, Type: onnx.Float}
	if _, whole := any(values).([]int64); whole {
		t.Type = onnx.Int64
	}
	t.Raw, _ = binary.Append(nil, binary.LittleEndian, values) // fails only on types without a fixed size
	for _, d := range dims {
		t.Dims = append(t.Dims, int64(d))
	}
	return t
}
