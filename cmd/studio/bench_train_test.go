package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/bench"
)

// trainRatios is what bench train prints as JSON.
type trainRatios struct {
	Ratio       float64                 `json:"train_over_gemm_ratio"`
	Step        float64                 `json:"step_ms"`
	PyTorch     string                  `json:"pytorch"`
	OverPyTorch *float64                `json:"train_over_pytorch_ratio"`
	Standard    *float64                `json:"blocked_over_standard_ratio"`
	Memory      *float64                `json:"train_memory_ratio"`
	Operators   []bench.OperatorProfile `json:"operators"`
}

func benchTrain(t *testing.T, c benchTrainCommand) trainRatios {
	t.Helper()
	c.Classes, c.Batch, c.Strategy, c.Norm, c.JSON = 10, 4, "both", "batch", true
	var out bytes.Buffer
	if err := c.Run(context.Background(), &stdio{Out: &out, Err: &out}); err != nil {
		t.Fatal(err)
	}
	var got trainRatios
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	if !(got.Ratio > 0 && got.Step > 0) {
		t.Errorf("got %s", out.Bytes())
	}
	return got
}

func TestBenchTrain(t *testing.T) {
	t.Parallel()
	got := benchTrain(t, benchTrainCommand{Arch: "tiny", Steps: 2, Profile: true, Standard: true, pytorchFlag: pytorchFlag{PyTorch: "/nowhere/python3"}})
	if len(got.Operators) < 10 {
		t.Errorf("operators %v", got.Operators)
	}
	if got.OverPyTorch != nil || !strings.Contains(got.PyTorch, "no Python with PyTorch") {
		t.Errorf("without PyTorch: ratio %v, text %q", got.OverPyTorch, got.PyTorch)
	}
	if got.Standard == nil || !(*got.Standard > 0) {
		t.Error("no comparison with standard operators")
	}
	if got.Memory != nil {
		t.Errorf("memory %v, which nobody asked for", *got.Memory)
	}
}

// TestBenchTrainMemory measures a process of its own.
func TestBenchTrainMemory(t *testing.T) {
	t.Setenv(asProgram, "1")
	got := benchTrain(t, benchTrainCommand{Arch: "tiny", Steps: 1, Memory: true})
	if got.Memory == nil || !(*got.Memory > 0) {
		t.Errorf("memory ratio %v", got.Memory)
	}
}
