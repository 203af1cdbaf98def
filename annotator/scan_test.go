package annotator_test

import (
	"testing"

	"github.com/abn-studio/studio/annotator"
)

func TestScanWorkers(t *testing.T) {
	t.Parallel()
	for images, want := range map[int]int{0: 0, 1: 1, annotator.ChunkImages: 1, annotator.ChunkImages + 1: 2, 3 * annotator.ChunkImages: 3, 1_000_000: 32} {
		if got := annotator.ScanWorkers(images); got != want {
			t.Errorf("%d workers share a scan of %d images, want %d", got, images, want)
		}
	}
}

func TestWhenAScanIsOver(t *testing.T) {
	t.Parallel()
	for left, want := range map[int]bool{0: true, 1: false, 9: false} { // 0 also where nothing was to be predicted
		if got := annotator.ScanOver(left); got != want {
			t.Errorf("with %d chunks left it is over: %v", left, got)
		}
	}
}

func TestFirstBroken(t *testing.T) {
	t.Parallel()
	if first := annotator.FirstBroken(nil); first != nil {
		t.Errorf("of none: %d", *first)
	}
	if first := annotator.FirstBroken([]annotator.BrokenImage{{ImageID: 9}, {ImageID: 4}, {ImageID: 7}}); first == nil || *first != 4 {
		t.Errorf("of 9, 4, 7: %v", first)
	}
}
