package inference

import (
	"cmp"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx/activation"
)

func TestLikenessOfAnImage(t *testing.T) {
	t.Parallel()
	s := newScoring(t, LiveScorerOptions{})
	l, err := s.scorer.Likeness(t.Context(), s.version, s.image)
	if err != nil {
		t.Fatal(err)
	}
	n := l.Height * l.Width
	if l.Height != s.network.Sizes().GridHeight || l.Width != s.network.Sizes().GridWidth || len(l.Cosines) != n*n {
		t.Fatalf("%d×%d cells and %d comparisons", l.Height, l.Width, len(l.Cosines))
	}
	differ := false
	for a := range n {
		if own := int8(l.Cosines[a*n+a]); own != 127 {
			t.Errorf("cell %d is to itself as %d, want 127", a, own)
		}
		for b := range n {
			differ = differ || int8(l.Cosines[a*n+b]) < 0
			if l.Cosines[a*n+b] != l.Cosines[b*n+a] {
				t.Fatalf("cells %d and %d are compared in two ways", a, b)
			}
		}
	}
	if !differ {
		t.Error("all cells of a noisy picture are alike")
	}
	if _, err := s.scorer.Likeness(t.Context(), s.version, annotator.Image{Name: "rubbish", Hash: "rubbish"}); err == nil {
		t.Error("a file that is no picture is compared")
	}
}

func TestCosines(t *testing.T) {
	t.Parallel()
	// One value of two channels on 2×2 cells: the left column is one thing, the right another.
	of := []activation.LikenessValue{{Channels: 2, Height: 2, Width: 2}, {Channels: 1, Height: 1, Width: 1}}
	got, ok := cosines(of, [][]float32{{1, 5, 1, 5, 0, 2, 0, 2}, {3}}, 2, 2)
	if !ok {
		t.Fatal("refused")
	}
	for i, want := range []int8{127, -127, 127, -127} {
		if int8(got[i]) != want {
			t.Errorf("cell 0 is to %d as %d, want %d", i, int8(got[i]), want)
		}
	}
	var nothing float32
	if _, ok := cosines(of, [][]float32{{1, 5, 1, 5, 0, 2, nothing / nothing, 2}, {3}}, 2, 2); ok {
		t.Error("values that are no numbers are compared")
	}
	if rows, columns := likenessGrid(56, 56); rows != 28 || columns != 28 {
		t.Errorf("56×56 cells are compared on %d×%d", rows, columns)
	}
	near(t, "a shrunk channel", resized([]float32{1, 2, 3, 4}, 2, 2, 1, 1), []float32{2.5}, 1e-6)
	near(t, "a grown channel", resized([]float32{0, 1}, 1, 2, 1, 4), []float32{0, 0.25, 0.75, 1}, 1e-6)
	near(t, "a channel cut elsewhere", resized([]float32{3, 6, 9}, 1, 3, 1, 2), []float32{4, 8}, 1e-6)
}

// TestLikenessFindsBirds clicks once inside each of some birds: how well the cells that are alike are the bird's.
func TestLikenessFindsBirds(t *testing.T) {
	t.Parallel()
	data, models := filepath.Join(fixture.Data(t), "cub200-2010-60"), fixture.Models(t)
	const birds = 24
	masks, err := filepath.Glob(filepath.Join(data, "pseudomasks", "*", "*.png"))
	if err != nil || len(masks) == 0 {
		t.Skip("no birds with masks")
	}
	manifest, err := os.ReadFile(filepath.Join(models, "abn-mobilenetv2-cub60.json"))
	if err != nil {
		t.Skip("no network for birds")
	}
	store := network.NewStore(func(context.Context, string) (string, error) {
		return filepath.Join(models, "abn-mobilenetv2-cub60.onnx"), nil
	}, 0)
	pictures := blobs{}
	scorer := NewLiveScorer(store, pictures, LiveScorerOptions{Session: ort.Options{IntraOpThreads: 1}})
	t.Cleanup(func() { scorer.Close() })
	version := annotator.Version{ModelHash: "birds", ExtractorHash: "birds", Manifest: json.RawMessage(manifest)}
	sum, count := 0.0, 0
	for i := 0; i < len(masks) && count < birds; i += len(masks) / (2 * birds) {
		photograph := strings.Replace(strings.TrimSuffix(masks[i], ".png"), "pseudomasks", "images", 1) + ".jpg"
		raw, err := os.ReadFile(photograph)
		if err != nil {
			continue
		}
		pictures[photograph] = raw
		l, err := scorer.Likeness(t.Context(), version, annotator.Image{Name: photograph, Hash: photograph})
		if err != nil {
			t.Fatal(err)
		}
		covered := coverage(t, masks[i], l.Height, l.Width)
		inside := 0
		click := 0 // the cell that is most inside
		for cell, c := range covered {
			if c > 0.5 {
				inside++
			}
			if aroundCell(covered, l.Width, cell) > aroundCell(covered, l.Width, click) {
				click = cell
			}
		}
		if inside < 6 || inside > len(covered)*4/5 {
			continue // the mask is empty, or nearly everything
		}
		sum += underCurve(l.Cosines[click*len(covered):(click+1)*len(covered)], covered)
		count++
	}
	if count == 0 {
		t.Skip("no bird with a mask of some size")
	}
	mean := sum / float64(count)
	t.Logf("one click inside each of %d birds: area under the curve %.3f", count, mean)
	if mean < 0.83 {
		t.Errorf("area under the curve %.3f, want at least 0.83", mean)
	}
}

// coverage is how much of each cell lies in a mask.
func coverage(t *testing.T, path string, rows, columns int) []float32 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mask, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := mask.Bounds()
	values := make([]float32, b.Dx()*b.Dy())
	for y := range b.Dy() {
		for x := range b.Dx() {
			if r, _, _, _ := mask.At(b.Min.X+x, b.Min.Y+y).RGBA(); r > 0x7fff {
				values[y*b.Dx()+x] = 1
			}
		}
	}
	return resized(values, b.Dy(), b.Dx(), rows, columns)
}

// aroundCell is how much of a cell and of those beside it is covered.
func aroundCell(covered []float32, columns, cell int) (sum float32) {
	for _, by := range []int{0, 0, -1, 1, -columns, columns, -columns - 1, -columns + 1, columns - 1, columns + 1} {
		if at := cell + by; at >= 0 && at < len(covered) {
			sum += covered[at]
		}
	}
	return sum
}

// underCurve is the share of pairs of a cell inside and one outside in which the one inside has the larger cosine.
func underCurve(cosines []byte, covered []float32) float64 {
	order := make([]int, len(covered))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(int8(cosines[a]), int8(cosines[b])) })
	pairs, outside, inside := 0.0, 0.0, 0.0
	for i := 0; i < len(order); {
		tiedOut, tiedIn := 0.0, 0.0
		for at := cosines[order[i]]; i < len(order) && cosines[order[i]] == at; i++ {
			if covered[order[i]] > 0.5 {
				tiedIn++
			} else {
				tiedOut++
			}
		}
		pairs += tiedIn * (outside + tiedOut/2)
		outside, inside = outside+tiedOut, inside+tiedIn
	}
	return pairs / (inside * outside)
}

func BenchmarkLikeness(b *testing.B) {
	models := fixture.Models(b)
	manifest, err := os.ReadFile(filepath.Join(models, "abn-mobilenetv2-cub60.json"))
	if err != nil {
		b.Skip("no network for birds")
	}
	store := network.NewStore(func(context.Context, string) (string, error) {
		return filepath.Join(models, "abn-mobilenetv2-cub60.onnx"), nil
	}, 0)
	scorer := NewLiveScorer(store, blobs{"picture": asPNG(b, noise(224, 224, 5))}, LiveScorerOptions{})
	b.Cleanup(func() { scorer.Close() })
	for b.Loop() {
		if _, err := scorer.Likeness(b.Context(), annotator.Version{ModelHash: "birds", Manifest: manifest}, annotator.Image{Name: "picture", Hash: "picture"}); err != nil {
			b.Fatal(err)
		}
	}
}
