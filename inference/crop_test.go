package inference

import "testing"

// Where crops of 224 begin: torchvision 0.29's center_crop, and that of transformers 5.24's image processors.
func TestCropsBegin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ size, torchvision, huggingface int }{{224, 0, 0}, {225, 0, 0}, {226, 1, 1}, {227, 2, 1}, {299, 38, 37}, {301, 38, 38}} {
		even, to, _ := cropAxis(c.size, 224, false)
		floor, last, _ := cropAxis(c.size, 224, true)
		if even != c.torchvision || floor != c.huggingface || to != even+224 || last != floor+224 {
			t.Errorf("%d: %d and %d, want %d and %d", c.size, even, floor, c.torchvision, c.huggingface)
		}
	}
}
