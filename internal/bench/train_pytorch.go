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
	"runtime"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

//go:embed train_pytorch.py
var pytorchScript string

// errNoPyTorch is returned where no Python with PyTorch is found.
var errNoPyTorch = errors.New("no Python with PyTorch")

// pytorchSteps takes the same steps in PyTorch, in a child process that waits on its standard input between them.
type pytorchSteps struct {
	command *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Scanner
	said    bytes.Buffer // on standard error
	dir     string
	version string
	ours    *engineSteps // whose first step is compared with PyTorch's, and is taken before it; nil once compared
}

// pytorchSpec is what the script reads first.
type pytorchSpec struct {
	Nodes        []pytorchNode   `json:"nodes"`
	Tensors      []pytorchTensor `json:"tensors"` // parameters, constants, the batch
	Data         string          `json:"data"`    // the file they lie in
	Trained      []string        `json:"trained"`
	LogitsAtt    string          `json:"logits_att"`
	LogitsPer    string          `json:"logits_per"`
	Map          string          `json:"map"`
	BatchNorm    string          `json:"batch_norm"`
	ChannelsLast bool            `json:"channels_last"`
	Threads      int             `json:"threads"`
	LearningRate float64         `json:"learning_rate"`
	Momentum     float64         `json:"momentum"`
	WeightDecay  float64         `json:"weight_decay"`
}

type pytorchNode struct {
	Op         string         `json:"op"`
	Inputs     []string       `json:"inputs"`
	Outputs    []string       `json:"outputs"`
	Attributes map[string]any `json:"attributes"`
}

type pytorchTensor struct {
	Name   string  `json:"name"`
	Dims   []int64 `json:"dims"`
	Type   string  `json:"type"` // float32 or int64
	Offset int     `json:"offset"`
}

// hasTorch looks for the module without the seconds that loading it takes.
const hasTorch = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"

// findPyTorch returns the Python asked for, or with "auto" the first that can import torch.
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
			err = fmt.Errorf("%s has no module torch", path)
		}
		problem = errors.Join(problem, err)
	}
	return "", fmt.Errorf("%w (%s)", errNoPyTorch, strings.ReplaceAll(problem.Error(), "\n", "; "))
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// openPyTorch starts the child with the network as the engine has it and the batch.
func (c Train) openPyTorch(ctx context.Context, abn *onnx.ABN, ours *engineSteps) (_ *pytorchSteps, err error) {
	python, err := findPyTorch(ctx, c.PyTorch)
	if err != nil {
		return nil, err
	}
	p := &pytorchSteps{ours: ours}
	if p.dir, err = os.MkdirTemp("", "studio-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	spec, err := c.pytorchSpec(ctx, abn, ours, filepath.Join(p.dir, "tensors"))
	if err != nil {
		return nil, fmt.Errorf("describing the network to PyTorch: %w", err)
	}
	p.command = exec.CommandContext(ctx, python, "-c", pytorchScript)
	p.command.Stderr = &p.said
	if p.ask, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewScanner(out)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting PyTorch: %w", err)
	}
	var hello struct {
		Version string `json:"version"`
		Threads int    `json:"threads"`
	}
	if err := p.exchange(spec, &hello); err != nil {
		return nil, err
	}
	p.version = fmt.Sprintf("PyTorch %s, %d threads, %s", hello.Version, hello.Threads, c.Layout)
	return p, nil
}

// exchange sends one line of JSON and reads one as the answer.
func (p *pytorchSteps) exchange(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	_, err = p.ask.Write(append(line, '\n'))
	if err == nil && p.answers.Scan() {
		return json.Unmarshal(p.answers.Bytes(), answer)
	}
	err = errors.Join(err, p.answers.Err(), p.ask.Close(), p.command.Wait())
	return fmt.Errorf("PyTorch stopped: %s (%w)", lastLine(p.said.Bytes()), errors.Join(err, io.ErrUnexpectedEOF))
}

// sameLoss is the largest relative difference allowed between the losses of our first step and PyTorch's.
const sameLoss = 1e-3

// step implements stepRunner with the seconds that the child measured, without the pipe. It fails if the losses of the first step
// differ from ours.
func (p *pytorchSteps) step(context.Context) (seconds, processor float64, err error) {
	var took struct{ Seconds, Processor, Att, Per, Distance float64 }
	if err := p.exchange("step", &took); err != nil {
		return 0, 0, err
	}
	if p.ours != nil && p.ours.first != nil {
		f := p.ours.first
		for i, pair := range [][2]float64{{f.LossAtt, took.Att}, {f.LossPer, took.Per}, {f.MapDistance, took.Distance}} {
			if !(math.Abs(pair[0]-pair[1]) <= sameLoss*math.Abs(pair[1])) {
				return 0, 0, fmt.Errorf("the first step's %s is %g here and %g in PyTorch: the two do not compute the same",
					[]string{"L_att", "L_per", "map distance"}[i], pair[0], pair[1])
			}
		}
		p.ours = nil
	}
	return took.Seconds, took.Processor, nil
}

func (p *pytorchSteps) close() error {
	if p.command != nil && p.command.Process != nil && p.command.ProcessState == nil {
		_ = p.ask.Close() // ends the script
		_ = p.command.Wait()
	}
	return os.RemoveAll(p.dir)
}

// pytorchSpec describes the branches at the engine's parameters, and writes all tensors to a file.
func (c Train) pytorchSpec(ctx context.Context, abn *onnx.ABN, ours *engineSteps, path string) (*pytorchSpec, error) {
	inferred, err := onnx.Infer(ctx, abn.Branches, nil)
	if err != nil {
		return nil, err
	}
	s := &pytorchSpec{
		Data: path, LogitsAtt: onnx.PortLogitsAtt, LogitsPer: onnx.PortLogitsPer, Map: onnx.PortMap,
		BatchNorm: c.Norm, ChannelsLast: c.Layout == "channels_last", Threads: c.Threads,
		LearningRate: benchUpdate.LearningRate, Momentum: benchUpdate.Momentum, WeightDecay: benchUpdate.WeightDecay,
	}
	if s.Threads == 0 {
		s.Threads = runtime.GOMAXPROCS(0)
	}
	for _, p := range ours.engine.Parameters() {
		if p.Momentum != nil {
			s.Trained = append(s.Trained, p.Name)
		}
	}
	var data []byte
	put := func(name, kind string, raw []byte, dims ...int64) {
		s.Tensors = append(s.Tensors, pytorchTensor{name, append([]int64{}, dims...), kind, len(data)})
		data = append(data, raw...)
		data = append(data, make([]byte, (8-len(data)%8)%8)...) // int64s must be aligned
	}
	sent := map[string]bool{"": true}
	for _, n := range abn.Branches.Graph.Nodes {
		if inferred.Constant(n.Outputs[0]) != nil {
			continue
		}
		s.Nodes = append(s.Nodes, pytorchNode{n.Op, n.Inputs, n.Outputs, plainAttributes(n)})
		for _, name := range n.Inputs {
			t := inferred.Constant(name)
			if t == nil {
				t = abn.Branches.Graph.Initializer(name)
			}
			if t == nil || sent[name] {
				continue
			}
			sent[name] = true
			kind, ok := map[onnx.DataType]string{onnx.Float: "float32", onnx.Int64: "int64"}[t.Type]
			if !ok {
				return nil, fmt.Errorf("%s is %s", name, t.Type)
			}
			put(name, kind, t.Raw, t.Dims...)
		}
	}
	b, n := ours.batch, int64(ours.batch.Size)
	cells := int64(abn.Height * abn.Width)
	put(onnx.PortFeatures, "float32", littleEndian(b.Inputs), n, int64(abn.Channels), int64(abn.Height), int64(abn.Width))
	put("labels", "int64", littleEndian(b.Labels), n)
	put("edited", "float32", littleEndian(b.Edited), n, cells)
	put("has_edit", "float32", littleEndian(b.HasEdit), n)
	return s, os.WriteFile(path, data, 0o600)
}

func littleEndian(v any) []byte {
	out, _ := binary.Append(nil, binary.LittleEndian, v) // fails only on types without a fixed size
	return out
}

// plainAttributes are a node's numbers and texts.
func plainAttributes(n *onnx.Node) map[string]any {
	out := map[string]any{}
	for _, a := range n.Attributes {
		switch a.Type {
		case onnx.AttributeFloat:
			out[a.Name] = a.Float
		case onnx.AttributeInt:
			out[a.Name] = a.Int
		case onnx.AttributeString:
			out[a.Name] = string(a.String)
		case onnx.AttributeInts:
			out[a.Name] = a.Ints
		}
	}
	return out
}
