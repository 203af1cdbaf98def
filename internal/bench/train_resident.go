package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/onnxruntime"
)

// ResidentResult compares the peak memory of a training with the least that it needs. The peak is the process's largest resident
// set from reading the model file to the last step, less the resident set with the runtime loaded and nothing done.
type ResidentResult struct {
	PeakBytes     int64 `json:"train_peak_bytes"`
	BaselineBytes int64 `json:"train_baseline_bytes"`
	// ParameterBytes are the trained tensors and running statistics, MomentumBytes the optimiser's.
	ParameterBytes int64 `json:"train_parameter_bytes"`
	MomentumBytes  int64 `json:"train_momentum_bytes"`
	// ActivationBytes are the batch's features and the outputs of all forward nodes of the branches, without views such as
	// Flatten's: the values that a backward pass reads if it is written node by node.
	ActivationBytes int64   `json:"train_activation_bytes"`
	MemoryRatio     float64 `json:"train_memory_ratio"`
}

func (b *ResidentResult) print(w io.Writer) {
	mb := func(bytes int64) float64 { return float64(bytes) / 1e6 }
	fmt.Fprintf(w, "peak memory     %.0f MB above %.0f MB; parameters %.0f, momenta %.0f, activations of a batch %.0f MB\n",
		mb(b.PeakBytes-b.BaselineBytes), mb(b.BaselineBytes), mb(b.ParameterBytes), mb(b.MomentumBytes), mb(b.ActivationBytes))
	fmt.Fprintf(w, "train_memory_ratio   %.2f   (aim: 1.3 or less)\n", b.MemoryRatio)
}

// measureResident trains in a child process and reads its memory.
func (c Train) measureResident(ctx context.Context, abn *onnx.ABN) (*ResidentResult, error) {
	model := c.Model
	if model == "" { // write it to a file, since users' networks are read from files
		dir, err := os.MkdirTemp("", "studio-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		built, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		model = filepath.Join(dir, "network.onnx")
		if err := built.WriteFile(model); err != nil {
			return nil, err
		}
	}
	child, err := c.Memory(ctx, model)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	child.Stderr = &said
	out, err := child.Output()
	if err != nil {
		return nil, fmt.Errorf("measuring memory: %s (%w)", lastLine(said.Bytes()), err)
	}
	b := &ResidentResult{}
	if err := json.Unmarshal(out, b); err != nil {
		return nil, fmt.Errorf("measuring memory: %w in %s", err, out)
	}
	if b.ActivationBytes, err = activationBytes(ctx, abn, c.Batch); err != nil {
		return nil, err
	}
	b.MemoryRatio = float64(b.PeakBytes-b.BaselineBytes) / float64(b.ParameterBytes+b.MomentumBytes+b.ActivationBytes)
	return b, nil
}

// Resident runs in the process that Memory starts. It reads the model's file, trains as a fine-tuning does, and returns the memory
// that took. The ratio and ActivationBytes are filled in by the process that asked.
func (c Train) Resident(ctx context.Context) (b ResidentResult, err error) {
	if err := ort.Init(""); err != nil {
		return b, err
	}
	debug.FreeOSMemory()
	if b.BaselineBytes, _, err = residentBytes(); err != nil {
		return b, err
	}
	if err := c.trainResident(ctx, &b); err != nil {
		return b, err
	}
	_, b.PeakBytes, err = residentBytes()
	return b, err
}

func (c Train) trainResident(ctx context.Context, b *ResidentResult) error {
	opened, err := c.network(ctx)
	if err != nil {
		return err
	}
	abn := opened.ABN()
	ours, err := c.openEngine(ctx, abn, recipe.EngineORT, onnxruntime.Options{Threads: c.Threads}, randomBatch(abn, c.Batch))
	if err != nil {
		return err
	}
	for range c.Steps {
		if _, _, err := ours.step(ctx); err != nil {
			return errors.Join(err, ours.close())
		}
	}
	for _, p := range ours.engine.Parameters() {
		b.ParameterBytes += 4 * int64(len(p.Value))
		b.MomentumBytes += 4 * int64(len(p.Momentum)+len(p.Second))
	}
	runtime.KeepAlive(abn) // the run exports into it
	return ours.close()
}

// residentBytes reads the process's resident set from Linux, in bytes: now and at its peak.
func residentBytes() (now, peak int64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, fmt.Errorf("memory is measured on Linux only: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			peak = kilobytes << 10
		}
	}
	return now, peak, nil
}

// activationBytes counts the features of a batch and what the forward nodes make of them.
func activationBytes(ctx context.Context, abn *onnx.ABN, batch int) (int64, error) {
	inferred, err := onnx.Infer(ctx, abn.Branches, map[string]onnx.Shape{
		onnx.PortFeatures: onnx.ShapeOf(int64(batch), int64(abn.Channels), int64(abn.Height), int64(abn.Width)),
	})
	if err != nil {
		return 0, err
	}
	names := []string{onnx.PortFeatures}
	for _, n := range abn.Branches.Graph.Nodes {
		if inferred.Constant(n.Outputs[0]) == nil && !n.IsOp("Flatten", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Dropout") {
			names = append(names, n.Outputs[0])
		}
	}
	total := int64(0)
	for _, name := range names {
		dims, ok := inferred.Shape(name).Sizes()
		if !ok {
			return 0, fmt.Errorf("the shape of %s is not known", name)
		}
		size := int64(inferred.Values[name].Type.Size())
		for _, d := range dims {
			size *= d
		}
		total += size
	}
	return total, nil
}
