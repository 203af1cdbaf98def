package features

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
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
		path, _ := r.View.at(images[4].Hash, mirrored)
		if err := os.WriteFile(path, []byte("not features"), 0o644); err != nil {
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

// Where the store is full, Prepare looks at the rest of the images and leaves their features to Read.
func TestPrepareComputesNoMoreThanFits(t *testing.T) {
	t.Parallel()
	dims := [3]int{1, 10, 10}
	s, _ := testStore(t, Options{MaxBytes: 20 * (entryHeader + 200)})
	r, extractor := testReader(s, dims)
	images := testImages(200, dims, 190)
	done := 0
	problems, err := r.Prepare(t.Context(), images, false, func(d, _ int) { done = d })
	if err != nil || len(problems) != 1 || problems[0].Image != 190 || done != 200 {
		t.Fatalf("%v, problems %v, %d done", err, problems, done)
	}
	if got := extractor.images.Load(); got != 2*Batch {
		t.Errorf("%d images were computed where 20 fit", got)
	}
	for i, image := range images[:190] {
		want, got := testFeatures(uint64(i), dims), make([]float32, 100)
		s.Round(want)
		if err := r.Read(t.Context(), image, false, got); err != nil || !slices.Equal(got, want) {
			t.Fatalf("image %d: %v, or other features than a kept image has", i, err)
		}
	}
	if st := s.Stats(); st.Hits != 20 || st.Bytes > st.MaxBytes {
		t.Errorf("%+v", st)
	}
	r.Close()
	other, _ := testReader(s, dims)
	other.View.origin.Extractor = "another"
	if other.View.put("1", false, make([]float32, 100)) {
		t.Error("what was used a moment ago is evicted")
	}
}

// What a view has used is held as long as any view holds it.
func TestViewsHoldWhatTheyUse(t *testing.T) {
	t.Parallel()
	dims := [3]int{1, 10, 10}
	s, clock := testStore(t, Options{MaxBytes: 2 * (entryHeader + 200)})
	one, two := s.View(Origin{"e", "p"}, dims), s.View(Origin{"e", "p"}, dims)
	values := make([]float32, 100)
	one.Put("a", values)
	two.Get("a", values)
	two.Get("a", values)
	later := func() { *clock = clock.Add(24 * time.Hour) }
	fill := func(image string) bool {
		v := s.View(Origin{"f", "p"}, dims)
		defer v.Close()
		later()
		return v.put(image, false, values)
	}
	if !fill("b") || !fill("c") || !one.Get("a", values) {
		t.Error("a held entry was evicted, or a free one was not")
	}
	for _, name := range []string{"somebody's.feat", strings.Repeat("ab", 40) + ".feat", ".feat", ""} {
		if s.isHeld(name) {
			t.Errorf("%q is held, and is nobody's", name)
		}
	}
	one.Close()
	if !fill("d") || !two.Get("a", values) {
		t.Error("an entry was evicted that another view holds")
	}
	two.Close()
	two.Close()
	if !fill("e") || !fill("f") || one.Get("a", values) {
		t.Error("an entry that nobody holds was not evicted")
	}
}
