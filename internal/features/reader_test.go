package features

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
)

// copies is an extractor that changes nothing, and counts.
type copies struct{ runs, images atomic.Int64 }

func (c *copies) Extract(_ context.Context, n int, pixels []float32) ([]float32, error) {
	c.runs.Add(1)
	c.images.Add(int64(n))
	return pixels, nil
}

// testImages are pictures of random pixels; those listed cannot be read.
func testImages(n int, dims [3]int, broken ...int) []Image {
	out := make([]Image, n)
	for i := range out {
		out[i] = Image{Hash: fmt.Sprint(i), Pixels: func(_ context.Context, dst []float32) error {
			if slices.Contains(broken, i) {
				return errors.New("it is torn")
			}
			copy(dst, testFeatures(uint64(i), dims))
			return nil
		}}
	}
	return out
}

func testReader(s *Store, dims [3]int) (*Reader, *copies) {
	c := &copies{}
	r := &Reader{Extractor: c, Input: dims, Dims: dims}
	if s != nil {
		r.View = s.View(Origin{"e", "p"}, dims)
	}
	return r, c
}

func TestReaderRecomputesACorruptEntry(t *testing.T) {
	t.Parallel()
	dims := [3]int{4, 3, 3}
	s, _ := testStore(t, Options{})
	r, _ := testReader(s, dims)
	images := testImages(20, dims)
	if _, err := r.Prepare(t.Context(), images, true, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	if got := len(entries(t, s)); got != 40 {
		t.Fatalf("%d entries for 20 images and their mirror images", got)
	}
	for _, mirrored := range []bool{false, true} {
		key := r.View.key(images[4].Hash, mirrored)
		if err := os.WriteFile(s.path(key, key.digest()), []byte("not features"), 0o644); err != nil {
			t.Fatal(err)
		}
		want := testFeatures(4, dims)
		if mirrored {
			Mirror(want, 3)
		}
		s.Round(want)
		for range 2 { // computed, then read
			got := make([]float32, 36)
			if err := r.Read(t.Context(), images[4], mirrored, got); err != nil || !slices.Equal(got, want) {
				t.Errorf("mirrored %v: %v, got %v, want %v", mirrored, err, got, want)
			}
		}
	}
	if st := s.Stats(); st.Corrupt != 2 || st.Hits != 2 || st.Written != 42 {
		t.Errorf("stats %+v", st)
	}
}

// Prepare tells which images cannot be read, computes each file once, in stacks, and counts what it does.
func TestPrepareComputesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dims := [3]int{4, 3, 3}
	s, _ := testStore(t, Options{})
	r, extractor := testReader(s, dims)
	images := testImages(50, dims, 30, 7)
	images = append(images, images[3]) // the same file twice
	var told [][2]int
	problems, err := r.Prepare(t.Context(), images, false, func(done, total int) { told = append(told, [2]int{done, total}) })
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 2 || problems[0].Image != 7 || problems[1].Image != 30 || problems[0].Err.Error() != "it is torn" {
		t.Errorf("problems %v", problems)
	}
	if told[0] != [2]int{0, 50} || told[len(told)-1] != [2]int{50, 50} || extractor.images.Load() != 48 || extractor.runs.Load() != 3 {
		t.Errorf("told %v, %d images in %d runs", told, extractor.images.Load(), extractor.runs.Load())
	}
	told = nil
	if _, err := r.Prepare(t.Context(), images[:7], false, func(done, total int) { told = append(told, [2]int{done, total}) }); err != nil || !slices.Equal(told, [][2]int{{0, 0}}) {
		t.Errorf("again: told %v, %v", told, err)
	}
	why := errors.New("the worker shuts down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := r.Prepare(ctx, images, false, func(int, int) {}); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}
