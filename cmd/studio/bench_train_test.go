package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/abn-studio/studio/trainer"
)

// TestStepGFLOP counts a network of which the products can be counted by hand.
func TestStepGFLOP(t *testing.T) {
	t.Parallel()
	c := benchTrainCommand{Arch: "tiny", Classes: 10}
	abn, err := c.network()
	if err != nil {
		t.Fatal(err)
	}
	// A stage of one basic block from 64 to 128 channels: 3×3, 3×3, and 1×1 beside them, on the grid of
	// 14×14 in the attention branch and of 7×7 in the perception branch; then 1×1 to K, 1×1 from K to K and 3×3 from K
	// to the map, and K answers from 128 means.
	const cells, block = 14 * 14, 9*64*128 + 9*128*128 + 64*128
	attention := float64(cells * (block + 128*10 + 10*10 + 9*10))
	perception := float64(cells/4*block + 128*10)
	first := float64(cells * (9*64*128 + 64*128)) // reads the features, whose gradient nobody asks for
	for strategy, want := range map[trainer.Strategy]float64{
		trainer.StrategyBoth:      3*(attention+perception) - first,
		trainer.StrategyAttention: 3*attention - first + 2*perception,
	} {
		got, err := stepGFLOP(abn, strategy, 4)
		if err != nil {
			t.Fatal(err)
		}
		if want *= 2 * 4 / 1e9; math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: %g, want %g", strategy, got, want)
		}
	}
}

func TestBenchTrain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := benchTrainCommand{Arch: "tiny", Classes: 10, Batch: 4, Steps: 2, Strategy: "both", Norm: "batch", Profile: true, JSON: true}
	if err := c.Run(context.Background(), &stdio{Out: &out, Err: &out}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Ratio     float64           `json:"train_over_gemm_ratio"`
		Step      float64           `json:"step_ms"`
		Operators []operatorProfile `json:"operators"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	if !(got.Ratio > 0 && got.Step > 0) || len(got.Operators) < 10 {
		t.Errorf("got %s", out.Bytes())
	}
}
