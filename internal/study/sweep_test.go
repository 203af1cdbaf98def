package study

import (
	"strings"
	"testing"
)

func TestSweepSummary(t *testing.T) {
	t.Parallel()
	moved := 1.25
	point := func(gamma float64, seed int64, accuracy, away float64) sweepPoint {
		return sweepPoint{Source: "train", Strategy: "both", MapLoss: "l2", Edits: 60, Used: 60, AttTop1: 0.55, Drift: &moved, Gamma: gamma, Seed: seed, Anchor: 0.3, Optimizer: "sgd", Accuracy: accuracy, Away: away}
	}
	rows := summarizeSweep([]sweepPoint{
		point(1, 1, 0.5, 0.4), point(0, 1, 0.4, 0.3), point(1, 2, 0.7, 0.5), point(0, 2, 0.5, 0.4),
		point(1, 3, 0.9, 0.9), // without a control
	})
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	got := rows[1]
	if got.Seeds != 2 || !close3(got.Accuracy, 0.6) || !close3(got.Gain, 0.15) || !close3(got.GainError, 0.05) || !close3(got.GainAway, 0.1) || !close3(got.GainAwayError, 0) {
		t.Errorf("row %+v", got)
	}
	var table strings.Builder
	PrintSweep(&table, rows)
	if !strings.Contains(table.String(), "| train | both | 60 | 0.3 | 1 | 2 | 60.0 | 0.0 | 45.0 | 55.0 | 0.00 | 1.25 | +15.0 ± 5.0 | +10.0 ± 0.0 |") {
		t.Errorf("table:\n%s", table.String())
	}
}

func close3(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
