package samples

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/internal/picture"
)

// TestMasksOfEverySuffix finds a mask under each name that pictures have, and prefers the PNG where masks lie beside pictures.
func TestMasksOfEverySuffix(t *testing.T) {
	t.Parallel()
	for _, end := range picture.Completions() {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "bird"+end))
		if got := filepath.Base(findMask(dir, "train/bird.jpg")); got != "bird"+end {
			t.Errorf("the mask bird%s is found as %q", end, got)
		}
		write(t, filepath.Join(dir, "bird.png"))
		if got := filepath.Base(findMask(dir, "train/bird.jpg")); got != "bird.png" {
			t.Errorf("beside bird%s the mask is %q, want bird.png", end, got)
		}
	}
}

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("mask"), 0o600); err != nil {
		t.Fatal(err)
	}
}
