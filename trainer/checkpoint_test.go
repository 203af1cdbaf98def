package trainer

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/engine"
)

func sampleCheckpoint(epoch int) checkpoint {
	return checkpoint{
		Key: "run", Order: "0011", Epoch: epoch, Step: 7 * epoch, Seed: 3,
		Pending: pointSum{Rows: 16, Hits: 3, Att: 0.1, Per: 1. / 3, Steps: 1, Maps: 2}, Recent: []float64{0.1, 1e-17},
		Curve: []Point{{Arm: arms.Candidate, Step: 7, LossPer: 0.5}},
		Parameters: []engine.Parameter{
			{Name: "a.weight", Dims: []int64{2, 2}, Value: []float32{1, 2, 3, float32(epoch)}, Momentum: []float32{0, -1, 1e-30, 4}},
			{Name: "b.weight", Dims: []int64{1}, Value: []float32{7}, Momentum: []float32{8}, Second: []float32{9}},
			{Name: "a.running_mean", Dims: []int64{2}, Value: []float32{5, 6}},
		},
	}
}

func TestCheckpointRoundTrip(t *testing.T) {
	t.Parallel()
	want := sampleCheckpoint(2)
	data, err := want.marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := unmarshalCheckpoint(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := range data {
		flipped := append([]byte(nil), data...)
		flipped[i] ^= 0x10
		if _, err := unmarshalCheckpoint(flipped); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if _, err := unmarshalCheckpoint(data[:i]); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
}

func TestCheckpointsKeepTheLastTwo(t *testing.T) {
	t.Parallel()
	c := checkpoints{dir: t.TempDir(), arm: arms.Candidate}
	if _, found, err := c.load("run"); found || err != nil {
		t.Fatalf("an empty folder: %v %v", found, err)
	}
	for epoch := 1; epoch <= 3; epoch++ {
		if err := c.save(sampleCheckpoint(epoch)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, _ := c.load("run"); got.Epoch != 3 {
		t.Errorf("loaded epoch %d, want 3", got.Epoch)
	}
	if err := os.Truncate(c.path(1-c.next), 40); err != nil {
		t.Fatal(err)
	}
	if got, found, err := c.load("run"); got.Epoch != 2 || !found || err != nil {
		t.Errorf("beside a torn file: epoch %d, %v, %v; want 2", got.Epoch, found, err)
	}
	if _, found, err := c.load("another run"); found || err != nil {
		t.Errorf("another run's checkpoint was taken: %v %v", found, err)
	}
	names, err := os.ReadDir(c.dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%d files in the folder, %v; want 2", len(names), err)
	}
}

func FuzzUnmarshalCheckpoint(f *testing.F) {
	data, err := sampleCheckpoint(1).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(checkpointMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := unmarshalCheckpoint(data); err != nil && !errors.Is(err, ErrCheckpoint) {
			t.Error(err)
		}
	})
}
